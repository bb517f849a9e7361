"""Read sequencer: the rows of one layer, each precharged, evaluated, and compared or counted."""

from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import ReadPins, ReadSettings
from bridgebnn.hdl.spec import Geometry, ReadMode

from .descriptor_table import plan_layout
from .late_answers import LateAnswers
from .read_phases import ReadPhases, ReadStep
from .repair_table import RepairEntry
from .row_order import RowOrder, SpareLine, WindowRows
from .slice_order import SliceOrder, count_slices
from .trials import FirstTrial, Trials

__all__ = ["ReadSequencer", "ReadState"]


class ReadState(StrEnum):
    """What the read sequencer is doing."""

    IDLE = "IDLE"
    PRECHARGE = "PRECHARGE"
    EVALUATE = "EVALUATE"
    SENSE = "SENSE"
    RESOLVE = "RESOLVE"
    AWAIT_WINDOW = "AWAIT_WINDOW"
    COUNT = "COUNT"


STEPS = {
    ReadState.IDLE: ReadStep.REST,
    ReadState.PRECHARGE: ReadStep.PRECHARGE,
    ReadState.EVALUATE: ReadStep.EVALUATE,
    ReadState.SENSE: ReadStep.SENSE,
    ReadState.RESOLVE: ReadStep.RESOLVE,
    ReadState.AWAIT_WINDOW: ReadStep.REST,
    ReadState.COUNT: ReadStep.NONE,
}
"""What the pins begin with each state."""


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
        m.submodules.phases = phases = ReadPhases()
        m.submodules.rows = rows = WindowRows(g) if g.map_words else RowOrder(g)
        m.submodules.trials = trials = Trials(g)
        m.submodules.answers = answers = LateAnswers(g)
        m.submodules.slices = slices = SliceOrder(g)
        self._rows(m, rows)
        self._trials(m, rows, trials, answers)
        self._pins(m, phases, rows, trials)
        m.d.comb += [
            phases.settings.eq(self.settings),
            slices.enable.eq(self.counting),
            self.slice.eq(slices.slice),
            self.timeout.eq(answers.timeout),
            self.timeout_tile.eq(answers.tile),
        ]

        def go(state):
            """Go to ``state``; the pins go with it."""
            m.d.comb += phases.step.eq(STEPS[state])
            m.d.comb += trials.rest.eq(STEPS[state] == ReadStep.REST)
            m.next = state

        def after_sample():
            """Leave a comparison's or a row's last cycle: for the next trial, the next row, or idle."""
            with m.If(~trials.complete):
                m.d.comb += trials.proceed.eq(1)
                go(ReadState.PRECHARGE)
            with m.Else():
                m.d.comb += rows.proceed.eq(1)
                go(ReadState.IDLE)
                with m.If(rows.taken):
                    go(ReadState.PRECHARGE)
                if g.map_words:
                    with m.Elif(rows.awaits):
                        go(ReadState.AWAIT_WINDOW)

        def sample(ready, last):
            m.d.comb += [self.sample.eq(ready), self.sample_last.eq(ready & last)]

        with m.FSM():
            # Waits for `start`; everything low.
            with m.State(ReadState.IDLE):
                with m.If(self.start):
                    m.d.comb += rows.begin.eq(1)
                    go(ReadState.PRECHARGE)
            # Waits P cycles; drives precharge.
            with m.State(ReadState.PRECHARGE):
                with m.If(phases.over):
                    go(ReadState.EVALUATE)
            # Waits E cycles; drives evaluate.
            with m.State(ReadState.EVALUATE):
                with m.If(phases.over):
                    with m.If(self.mode == ReadMode.COUNT):
                        go(ReadState.COUNT)
                    with m.Else():
                        go(ReadState.SENSE)
            # Waits S cycles; drives evaluate and sense, takes cmp at the end.
            with m.State(ReadState.SENSE):
                with m.If(phases.over):
                    sample(answers.resolved, trials.complete)
                    with m.If(answers.resolved):
                        after_sample()
                    with m.Else():
                        go(ReadState.RESOLVE)
            # Waits for a late cmp_valid, as long as allowed; drives evaluate and sense.
            with m.State(ReadState.RESOLVE):
                sample(answers.resolved, trials.complete)
                with m.If(answers.resolved):
                    after_sample()
                with m.Elif(phases.over):
                    m.d.comb += answers.give_up.eq(1)
                    go(ReadState.IDLE)
            if g.map_words:
                # Waits for the next window; everything low.
                with m.State(ReadState.AWAIT_WINDOW):
                    m.d.comb += rows.awaiting.eq(1)
                    with m.If(rows.taken):
                        go(ReadState.PRECHARGE)
            # Waits for the last slice; drives evaluate.
            with m.State(ReadState.COUNT):
                m.d.comb += self.counting.eq(1)
                sample(1, slices.last)
                with m.If(slices.last):
                    after_sample()
        return m

    def _rows(self, m: Module, rows):
        """The layer's rows; with maps those of every window."""
        m.d.comb += [
            rows.start.eq(self.start),
            self.row_first.eq(rows.begun),
            self.row_last.eq(rows.last),
        ]
        if self.geometry.map_words:
            m.d.comb += [
                rows.again.eq(self.again),
                rows.window_ready.eq(self.window_ready),
                self.window_next.eq(rows.window_next),
            ]

    def _trials(self, m: Module, rows, trials, answers):
        """The layer: its plan with ``start``, the copy of it from then on; the comparisons of its rows."""
        layout = plan_layout(self.geometry)
        held = Signal(layout)
        layer = data.View(layout, Mux(self.start, self.plan.as_value(), held.as_value()))
        with m.If(self.start):
            m.d.sync += held.eq(self.plan)
        m.submodules.first_trial = first = FirstTrial(self.geometry)
        m.d.comb += [
            self.mode.eq(held.mode),
            self.use_threshold.eq(held.use_threshold),
            rows.first_row.eq(layer.row_first),
            rows.last_row.eq(held.row_last),
            first.plan.eq(layer),
            first.threshold.eq(self.threshold),
            trials.plan.eq(held),
            trials.begin.eq(rows.taken),
            trials.first.eq(first.trial),
            trials.searches.eq(first.searches),
            trials.cmp.eq(self.pins.cmp),
            self.hit.eq(trials.hit),
            answers.wl_en.eq(trials.wl_en),
            answers.cmp_valid.eq(self.pins.cmp_valid),
        ]

    def _pins(self, m: Module, phases, rows, trials):
        pins = self.pins
        for name in ("precharge", "evaluate", "sense"):
            m.d.comb += getattr(pins, name).eq(getattr(phases, name))
        m.d.comb += [pins.wl_en.eq(trials.wl_en), pins.cmp_ref.eq(trials.cmp_ref)]
        if not self.geometry.spare_rows:
            m.d.comb += pins.row.eq(rows.row)
            return
        # The address on the pins is a register of its own: the row's, or the spare's that stands in.
        m.submodules.spare_line = spare = SpareLine(self.geometry)
        m.d.comb += [spare.spares.eq(self.spares), spare.row.eq(rows.ahead)]
        with m.If(rows.taken):
            m.d.sync += pins.row.eq(spare.line)
