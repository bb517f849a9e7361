"""Popcounts: slices of ``sl``, and the score that the samples of a row add up to."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import Geometry, ReadMode

from .slice_order import count_slices

__all__ = ["ScoreAdder", "SliceCounter", "adder_tree"]


def adder_tree(terms):
    """Sum of ``terms`` as a balanced tree of adders, ceil(log2(len(terms))) deep."""
    terms = list(terms)
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(terms) & ~1 :]
    return terms[0]


class SliceCounter(wiring.Component):
    """Counts the enabled ones among ``count_width`` columns of every tile.

    Nothing follows ``sl`` while ``enable`` is low, so the rows of other modes cost neither power nor
    simulation time.

    Latency: combinational. Throughput: one slice of every tile a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    enable, slice : In
        Columns ``slice*count_width`` and up are counted.
    sl, col_en : In(T*C)
    counts : Out, one field a tile
        Ones among the enabled columns of the slice; 0 while ``enable`` is low.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "enable": In(1),
                "slice": In(max(1, bits_for(count_slices(g) - 1))),
                "sl": In(g.tiles * g.columns),
                "col_en": In(g.tiles * g.columns),
                "counts": Out(bits_for(g.count_width)).array(g.tiles),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        for tile in range(g.tiles):
            answers = Signal(g.columns, name=f"answers_{tile}")
            ones = Signal(g.count_width, name=f"ones_{tile}")
            columns = slice(tile * g.columns, (tile + 1) * g.columns)
            with m.If(self.enable):
                m.d.comb += answers.eq(self.sl[columns] & self.col_en[columns])
            with m.Switch(self.slice):
                for index in range(count_slices(g)):
                    with m.Case(index):
                        m.d.comb += ones.eq(answers[index * g.count_width : (index + 1) * g.count_width])
            m.d.comb += self.counts[tile].eq(adder_tree(ones))
        return m


class ScoreAdder(wiring.Component):
    """Adds the samples of a row to its score.

    SIGN: ``score = 2 * sum - tile_count``; SEARCH and COUNT: ``score = 2 * sum + threshold``.

    Latency: ``score``, ``bit`` are valid in the cycle after the row's last ``sample``.
    Throughput: one sample a cycle; rows may follow each other without a bubble.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    row_first, mode, use_threshold, tile_count, threshold : In
        ``row_first`` loads the start value; the others are valid with it, ``mode`` through the row.
    sample, sample_last, layer_last : In(1)
        Take ``cmp`` (SIGN), ``hit`` (SEARCH) or ``counts`` (COUNT); the row's last sample; the row is the
        layer's last.
    cmp, wl_en, hit, counts : In
    score, bit : Out
        ``bit = score >= 0``; valid with ``valid``.
    valid, last : Out(1)
        A row is complete; it is the layer's last.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "row_first": In(1),
                "mode": In(2),
                "use_threshold": In(1),
                "tile_count": In(bits_for(g.tiles)),
                "threshold": In(signed(16)),
                "sample": In(1),
                "sample_last": In(1),
                "layer_last": In(1),
                "cmp": In(g.tiles),
                "wl_en": In(g.tiles),
                "hit": In(bits_for(g.columns)),
                "counts": In(bits_for(g.count_width)).array(g.tiles),
                "score": Out(signed(g.score_width)),
                "bit": Out(1),
                "valid": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()

        # Samples as they come; the search's goes through the first tile's register.
        partials = [
            Signal(max(bits_for(g.count_width), len(self.hit) if tile == 0 else 0), name=f"partial_{tile}")
            for tile in range(g.tiles)
        ]
        added = Signal()
        m.d.sync += [
            added.eq(self.sample),
            self.valid.eq(self.sample & self.sample_last),
            self.last.eq(self.sample & self.sample_last & self.layer_last),
        ]
        with m.If(self.sample):
            with m.Switch(self.mode):
                with m.Case(ReadMode.SIGN):
                    m.d.sync += [
                        partial.eq(self.cmp[tile] & self.wl_en[tile]) for tile, partial in enumerate(partials)
                    ]
                with m.Case(ReadMode.SEARCH):
                    m.d.sync += [
                        partial.eq(self.hit if tile == 0 else 0) for tile, partial in enumerate(partials)
                    ]
                with m.Case(ReadMode.COUNT):
                    m.d.sync += [partial.eq(self.counts[tile]) for tile, partial in enumerate(partials)]

        # The sum so far. A row's first cycle is also the one in which the row before completes.
        total = Signal(signed(g.score_width))
        start = Signal(signed(max(16, len(self.tile_count) + 1)))
        m.d.comb += self.score.eq(total + (adder_tree(partials) << 1))
        m.d.comb += self.bit.eq(self.score >= 0)
        with m.If(self.mode == ReadMode.SIGN):
            m.d.comb += start.eq(-self.tile_count)
        with m.Else():
            m.d.comb += start.eq(Mux(self.use_threshold, self.threshold, 0))
        with m.If(self.row_first):
            m.d.sync += total.eq(start)
        with m.Elif(added):
            m.d.sync += total.eq(self.score)
        return m
