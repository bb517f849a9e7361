"""The table of walks over maps, beside the descriptor table, and the check of a walk."""

from enum import StrEnum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import entry_layout
from bridgebnn.hdl.spec import WORD_WIDTH, Geometry
from bridgebnn.hdl.spec.latency import WALK_FACTOR_BITS

from .layer_words import layer_words, layer_words_window
from .window_gather import RawWalk

__all__ = ["WalkCheck", "WalkTable"]


class WalkTable(wiring.Component):
    """Memory of the walks: four words per layer for the host, one walk a cycle for the sequencer.

    Latency: ``walk`` is valid 1 cycle after ``fetch`` and holds until the next ``fetch``.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    window : In(WindowPort)
        Host access. Writes while a command runs are kept away by the bus side.
    fetch, index : In
        Read walk ``index``.
    walk : Out(RawWalk)
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "window": In(layer_words_window(g)),
                "fetch": In(1),
                "index": In(max(1, bits_for(g.layers - 1))),
                "walk": Out(RawWalk),
            }
        )

    def elaborate(self, platform):
        m = Module()
        entry = layer_words(m, self.geometry, self.window, self.fetch, self.index)
        written = data.View(entry_layout("WALK"), entry)
        m.d.comb += [self.walk[name].eq(written[name]) for name in RawWalk.members]
        return m


class WalkCheckState(StrEnum):
    """What the check of a walk is doing."""

    IDLE = "IDLE"
    READ_BITS = "READ_BITS"
    PIXELS = "PIXELS"
    WRITTEN_BITS = "WRITTEN_BITS"
    JUDGE = "JUDGE"


class WalkCheck(wiring.Component):
    """Judges one layer's walk, and that it fits the layer before; one multiplier, a bit a cycle.

    The rules are those of `bridgebnn.hdl.spec.walks.MapWalk.check`, and: the first layer reads the input, a later one a
    map exactly where the layer before writes one, of as many bits; the last layer writes none.

    Latency: ``done`` comes ``hdl.spec.latency.WALK_CHECK_CYC`` cycles after ``start``.

    Parameters
    ----------
    geometry : Geometry
        With ``map_words``.

    Members
    -------
    walk : In(RawWalk)
    rows, inputs : In
        Of the layer; like ``walk`` stable until ``done``.
    first, last : In(1)
        The first, the last layer in use.
    start : In(1)
        One cycle, while idle.
    done : Out(1)
        One cycle.
    bad : Out(1)
        With ``done``: a rule is broken.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "walk": In(RawWalk),
                "rows": In(16),
                "inputs": In(bits_for(g.tiles * g.inputs)),
                "first": In(1),
                "last": In(1),
                "start": In(1),
                "done": Out(1),
                "bad": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g, walk = self.geometry, self.walk
        total = Signal(37)
        times = Signal(37)
        factor = Signal(WALK_FACTOR_BITS)
        left = Signal(range(WALK_FACTOR_BITS + 1))
        read_bits = Signal(27)
        written_bits = Signal(37)
        written_before = Signal(37)
        writes_before = Signal()

        window = Signal(21)
        m.d.comb += window.eq((walk.kernel * walk.channels) * walk.kernel)
        zero = [walk[n] == 0 for n in ("kernel", "stride", "pool", "channels", "row_bits", "height")]
        zero += [walk[n] == 0 for n in ("out_width", "out_height")]
        one_window = (walk.pool == 1) & (walk.out_width == 1) & (walk.out_height == 1)
        capacity = WORD_WIDTH * Mux(self.first, g.input_words, g.map_words)
        reading_bad = Cat(
            *zero,
            window != self.inputs,
            read_bits > capacity,
            ~self.first & (read_bits != written_before),
            ~walk.writes_map & ~one_window,
        ).any()
        bad = Cat(
            walk.reads_map & reading_bad,
            ~self.first & (walk.reads_map != writes_before),
            walk.writes_map & ~walk.reads_map,
            walk.writes_map & self.last,
            walk.writes_map & (written_bits > WORD_WIDTH * g.map_words),
        ).any()

        def multiply(a, b):
            m.d.sync += [total.eq(0), times.eq(a), factor.eq(b), left.eq(WALK_FACTOR_BITS)]

        with m.FSM():
            # Waits for a walk.
            with m.State(WalkCheckState.IDLE):
                with m.If(self.start):
                    multiply(walk.row_bits, walk.height)
                    m.next = WalkCheckState.READ_BITS
            # A bit of the factor a cycle: the bits that are read, the pixels, the bits that are written.
            for state, result, operands, after in (
                (
                    WalkCheckState.READ_BITS,
                    read_bits,
                    (walk.out_width, walk.out_height),
                    WalkCheckState.PIXELS,
                ),
                (WalkCheckState.PIXELS, None, (total, self.rows), WalkCheckState.WRITTEN_BITS),
                (WalkCheckState.WRITTEN_BITS, written_bits, None, WalkCheckState.JUDGE),
            ):
                with m.State(state):
                    with m.If(left == 0):
                        if result is not None:
                            m.d.sync += result.eq(total)
                        if operands is not None:
                            multiply(*operands)
                        m.next = after
                    with m.Else():
                        m.d.sync += [left.eq(left - 1), times.eq(times << 1), factor.eq(factor >> 1)]
                        with m.If(factor[0]):
                            m.d.sync += total.eq(total + times)
            # One cycle: the verdict; keeps what the next layer has to fit.
            with m.State(WalkCheckState.JUDGE):
                m.d.comb += [self.done.eq(1), self.bad.eq(bad)]
                m.d.sync += [writes_before.eq(walk.writes_map), written_before.eq(written_bits)]
                m.next = WalkCheckState.IDLE
        return m
