"""Read sequencer: the rows of one layer, each precharged, evaluated, and compared or counted."""

from enum import StrEnum

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import ReadPins, ReadSettings
from bridgebnn.hdl.spec import Geometry, ReadMode

from .descriptor_table import plan_layout
from .repair_table import RepairEntry

__all__ = ["ReadSequencer", "ReadState", "count_slices"]


def count_slices(geometry: Geometry) -> int:
    """Cycles in which COUNT goes over the columns of a tile, ceil(C / count_width)."""
    return -(-geometry.columns // geometry.count_width)


class ReadState(StrEnum):
    """What the read sequencer is doing."""

    IDLE = "IDLE"
    PRECHARGE = "PRECHARGE"
    EVALUATE = "EVALUATE"
    SENSE = "SENSE"
    RESOLVE = "RESOLVE"
    AWAIT_WINDOW = "AWAIT_WINDOW"
    COUNT = "COUNT"


class ReadSequencer(wiring.Component):
    """Reads the rows of one layer without a bubble between rows or comparisons.

    Precharge rises in the cycle after ``start``. Between reads the phases are low and ``wl_en`` is 0. Hold
    this block in reset for a cycle to abort: every pin is low in the next one.

    Latency: one comparison takes ``P + E + S`` cycles, plus those that ``cmp_valid`` is late. A row takes one
    comparison (SIGN), ``sum over tiles of bit_length(C_en)`` comparisons (SEARCH, one tile after the other,
    only its ``wl_en`` high), or ``P + E + ceil(C / count_width)`` cycles (COUNT).
    Throughput: the same; the next row's precharge follows the last cycle of a row.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    settings : In(ReadSettings)
        Stable while reading; 0 acts as 1.
    plan : In(plan_layout(geometry))
        The layer, valid with ``start``.
    threshold : In(signed(16))
        The next row's threshold, valid with ``start`` and in the last cycle of a row; it clamps to the range
        of ``cmp_ref``, beyond which every comparison has the same answer.
    start : In(1)
        One cycle, only while no row is read.
    spares : In(ArrayLayout(RepairEntry))
        Only with spare rows: a row that a valid entry names is read at the spare's address instead. Stable
        while reading.
    again, window_ready, window_next : In(1), In(1), Out(1)
        Only with ``map_words``: after its last row the layer begins anew with the next window, as soon as that is
        ready; in the last cycle before.
    pins : Out(ReadPins)
    mode, use_threshold : Out
        Of the layer being read.
    row_first, row_last : Out(1)
        First cycle of a row; the row in progress is the layer's last.
    sample, sample_last : Out(1)
        The cycle whose end takes ``cmp`` (masked by ``wl_en``), ``hit`` or a slice of ``sl``; the row's last
        such cycle.
    hit : Out(bits_for(C))
        SEARCH: what this comparison adds to the popcount.
    slice, counting : Out
        COUNT: which ``count_width`` columns are counted in this cycle.
    timeout : Out(1)
        One cycle, after the pins went low: ``cmp_valid`` did not come. ``timeout_tile`` is the first tile
        without it, ``pins.row`` the row.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        spares = {"spares": In(data.ArrayLayout(RepairEntry, g.spare_rows))} if g.spare_rows else {}
        windows = {"again": In(1), "window_ready": In(1), "window_next": Out(1)} if g.map_words else {}
        super().__init__(
            spares
            | windows
            | {
                "settings": In(ReadSettings),
                "plan": In(plan_layout(g)),
                "threshold": In(signed(16)),
                "start": In(1),
                "pins": Out(ReadPins(g)),
                "mode": Out(2),
                "use_threshold": Out(1),
                "row_first": Out(1),
                "row_last": Out(1),
                "sample": Out(1),
                "sample_last": Out(1),
                "hit": Out(bits_for(g.columns)),
                "slice": Out(max(1, bits_for(count_slices(g) - 1))),
                "counting": Out(1),
                "timeout": Out(1),
                "timeout_tile": Out(max(1, bits_for(g.tiles - 1))),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        pins, settings = self.pins, self.settings
        layout = plan_layout(g)

        # The row that is read: the address on the pins, but for spares that stand in.
        row = Signal.like(pins.row, name="row_plain") if g.spare_rows else pins.row

        # The layer: its plan with `start`, the copy of it from then on.
        held = Signal(layout)
        layer = data.View(layout, Mux(self.start, self.plan.as_value(), held.as_value()))
        with m.If(self.start):
            m.d.sync += held.eq(self.plan)
        m.d.comb += [
            self.mode.eq(held.mode),
            self.use_threshold.eq(held.use_threshold),
            self.row_last.eq(row == held.row_last),
        ]

        # What the FSM asks for: the state of the next cycle, and what else changes with it.
        to = {state: Signal(name=f"to_{state.lower()}") for state in ReadState}
        next_row, next_trial = Signal(), Signal()
        unresolved = Signal(g.tiles)

        # Cycles left in the phase, after this one; the phases themselves.
        timer = Signal(16)
        over = Signal()
        m.d.comb += over.eq(timer == 0)
        with m.If(to[ReadState.PRECHARGE]):
            m.d.sync += [pins.precharge.eq(1), pins.evaluate.eq(0), pins.sense.eq(0)]
            m.d.sync += timer.eq(settings.precharge_cyc - settings.precharge_cyc.any())
        with m.Elif(to[ReadState.EVALUATE]):
            m.d.sync += [pins.precharge.eq(0), pins.evaluate.eq(1)]
            m.d.sync += timer.eq(settings.evaluate_cyc - settings.evaluate_cyc.any())
        with m.Elif(to[ReadState.SENSE]):
            m.d.sync += pins.sense.eq(1)
            m.d.sync += timer.eq(settings.sense_cyc - settings.sense_cyc.any())
        with m.Elif(to[ReadState.RESOLVE]):
            m.d.sync += timer.eq(settings.resolve_limit_cyc - settings.resolve_limit_cyc.any())
        with m.Elif(to[ReadState.IDLE] | to[ReadState.AWAIT_WINDOW] if g.map_words else to[ReadState.IDLE]):
            m.d.sync += [pins.evaluate.eq(0), pins.sense.eq(0), pins.wl_en.eq(0)]
        with m.Elif(~over):
            m.d.sync += timer.eq(timer - 1)

        # Comparison: who must answer, and what the answer says.
        resolved = (~pins.wl_en | pins.cmp_valid).all()
        comparison_last = Signal()
        m.d.sync += self.row_first.eq(next_row)
        trial, step = Signal(bits_for(g.columns)), Signal(bits_for(g.columns))
        on_last = (pins.wl_en & held.last).any()
        enabled = Mux(on_last, held.enabled_last, held.enabled)
        taken = (pins.cmp & pins.wl_en).any() & (trial <= enabled)
        m.d.comb += [
            comparison_last.eq((self.mode != ReadMode.SEARCH) | (step[0] & on_last)),
            self.hit.eq(Mux(taken, step, 0)),
        ]

        # The next trial: half a step up or down in the same tile, or the first one of the next tile.
        half = step >> 1
        trial_next = Signal.like(trial)
        next_wl = (pins.wl_en << 1)[: g.tiles]
        next_on_last = (next_wl & held.last).any()
        m.d.comb += trial_next.eq(Mux(taken, trial + half, trial - half))
        with m.If(next_trial):
            with m.If(step[0]):
                m.d.sync += [
                    pins.wl_en.eq(next_wl),
                    trial.eq(Mux(next_on_last, held.top_last, held.top)),
                    step.eq(Mux(next_on_last, held.top_last, held.top)),
                    pins.cmp_ref.eq(Mux(next_on_last, held.ref_top_last, held.ref_top)),
                ]
            with m.Else():
                m.d.sync += [trial.eq(trial_next), step.eq(half)]
                with m.If(trial_next <= enabled):
                    m.d.sync += pins.cmp_ref.eq(((enabled + 1) >> 1) - trial_next)

        # The next row.
        one_tile = layer.first == layer.last
        limit = Const(g.columns, signed(g.ref_width))
        clamped = Mux(self.threshold > limit, limit, Mux(self.threshold < -limit, -limit, self.threshold))
        restart = self.start | self.window_next if g.map_words else self.start
        row_after = Mux(restart, layer.row_first, row + 1)
        with m.If(next_row):
            if g.spare_rows:
                m.d.sync += pins.row.eq(self._line(m, row_after))
            m.d.sync += [
                row.eq(row_after),
                pins.wl_en.eq(layer.used),
                pins.cmp_ref.eq(0),
            ]
            with m.If(layer.mode == ReadMode.SEARCH):
                m.d.sync += [
                    pins.wl_en.eq(layer.first),
                    trial.eq(Mux(one_tile, layer.top_last, layer.top)),
                    step.eq(Mux(one_tile, layer.top_last, layer.top)),
                    pins.cmp_ref.eq(Mux(one_tile, layer.ref_top_last, layer.ref_top)),
                ]
            with m.Elif((layer.mode == ReadMode.SIGN) & layer.use_threshold):
                m.d.sync += pins.cmp_ref.eq(clamped)

        # Slices of COUNT.
        slice_last = self.slice == count_slices(g) - 1
        with m.If(self.counting):
            m.d.sync += self.slice.eq(Mux(slice_last, 0, self.slice + 1))

        # First tile that did not answer, from a register: pins do not ripple through the encoder.
        for tile in reversed(range(g.tiles)):
            with m.If(unresolved[tile]):
                m.d.comb += self.timeout_tile.eq(tile)
        m.d.comb += self.timeout.eq(unresolved.any())
        m.d.sync += unresolved.eq(0)

        def go(state):
            m.d.comb += to[state].eq(1)
            m.next = state

        def after_sample():
            """Leave a comparison's or a row's last cycle: for the next trial, the next row, or idle."""
            with m.If(~comparison_last):
                m.d.comb += next_trial.eq(1)
                go(ReadState.PRECHARGE)
            with m.Elif(~self.row_last):
                m.d.comb += next_row.eq(1)
                go(ReadState.PRECHARGE)
            if g.map_words:
                with m.Elif(self.again & self.window_ready):
                    begin_window()
                with m.Elif(self.again):
                    go(ReadState.AWAIT_WINDOW)
            with m.Else():
                go(ReadState.IDLE)

        def begin_window():
            m.d.comb += [next_row.eq(1), self.window_next.eq(1)]
            go(ReadState.PRECHARGE)

        with m.FSM():
            # Waits for `start`; everything low.
            with m.State(ReadState.IDLE):
                with m.If(self.start):
                    m.d.comb += next_row.eq(1)
                    go(ReadState.PRECHARGE)
            # Waits P cycles; drives precharge.
            with m.State(ReadState.PRECHARGE):
                with m.If(over):
                    go(ReadState.EVALUATE)
            # Waits E cycles; drives evaluate.
            with m.State(ReadState.EVALUATE):
                with m.If(over):
                    with m.If(self.mode == ReadMode.COUNT):
                        go(ReadState.COUNT)
                    with m.Else():
                        go(ReadState.SENSE)
            # Waits S cycles; drives evaluate and sense, takes cmp at the end.
            with m.State(ReadState.SENSE):
                with m.If(over):
                    m.d.comb += [self.sample.eq(resolved), self.sample_last.eq(resolved & comparison_last)]
                    with m.If(resolved):
                        after_sample()
                    with m.Else():
                        go(ReadState.RESOLVE)
            # Waits for a late cmp_valid, as long as allowed; drives evaluate and sense.
            with m.State(ReadState.RESOLVE):
                m.d.comb += [self.sample.eq(resolved), self.sample_last.eq(resolved & comparison_last)]
                with m.If(resolved):
                    after_sample()
                with m.Elif(over):
                    m.d.sync += unresolved.eq(pins.wl_en & ~pins.cmp_valid)
                    go(ReadState.IDLE)
            if g.map_words:
                # Waits for the next window; everything low.
                with m.State(ReadState.AWAIT_WINDOW):
                    with m.If(self.window_ready):
                        begin_window()
            # Waits for the last slice; drives evaluate.
            with m.State(ReadState.COUNT):
                m.d.comb += [self.counting.eq(1), self.sample.eq(1), self.sample_last.eq(slice_last)]
                with m.If(slice_last):
                    after_sample()
        return m

    def _line(self, m: Module, row):
        """Word line of a row: the row itself, or the spare that stands in for it."""
        line = Signal.like(self.pins.row, name="line")
        m.d.comb += line.eq(row)
        for spare in range(self.geometry.spare_rows):
            entry = self.spares[spare]
            with m.If(entry.valid & (entry.line == row)):
                m.d.comb += line.eq(self.geometry.plain_rows + spare)
        return line
