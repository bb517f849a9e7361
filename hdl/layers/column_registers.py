"""Column registers: the input bits of every tile, the column enables, and the spares that stand in."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import WORD_WIDTH, Geometry, words

from .descriptor_table import plan_layout
from .repair_table import RepairEntry
from .vectors import write_layout

__all__ = ["ColumnRegisters", "lowest_ones"]


def lowest_ones(count, width: int):
    """``width`` bits of which the lowest ``count`` are 1: one gate a bit, from a word and a place in it."""
    place, word = count[:5], count[5:] if len(count) > 5 else Const(0)
    below = Cat(place > bit for bit in range(WORD_WIDTH))
    parts = [
        (word > index).replicate(WORD_WIDTH) | ((word == index).replicate(WORD_WIDTH) & below)
        for index in range(words(width))
    ]
    return Cat(*parts)[:width]


class ColumnRegisters(wiring.Component):
    """Input bits of every tile, and the column enables.

    ``front`` drives ``bl`` while ``back`` is filled word by word.
    One register a tile, not one a word: a simulator then wakes one process for a write.
    A spare column takes the bit of the column that it stands in for out of the same word; it is enabled where
    that column would be, and that column never.

    Latency: ``bl``, ``col_en`` change in the cycle after ``move``; a word written in the cycle before
    ``move`` takes part.
    Throughput: one word, or one move, a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    plan, move : In
        ``back`` of the plan's tiles to ``front``, and enable their columns; every other tile's are disabled.
    clear : In(1)
        Disable all columns.
    write : In(write_layout(geometry))
        Words past the tile's inputs are dropped. Not together with ``move``.
    spares : In(ArrayLayout(RepairEntry)); forget, replace, tile, column : In
        Only with spare columns: from :class:`~bridgebnn.hdl.layers.repair_table.RepairTable`, while nothing is enabled.
    again : In(1)
        Only with ``map_words``: ``back`` of the tiles that are enabled to ``front``; enables stay.
    bl, col_en : Out(T*C)
        Bias columns of ``bl`` are always 1. ``col_en`` is the AND of registers: it changes once a layer, while
        nothing is evaluated.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        spares = {
            "spares": In(data.ArrayLayout(RepairEntry, g.tiles * g.spare_columns)),
            "forget": In(1),
            "replace": In(1),
            "tile": In(max(1, bits_for(g.tiles - 1))),
            "column": In(bits_for(g.plain_columns - 1)),
        }
        super().__init__(
            {
                "plan": In(plan_layout(g)),
                "move": In(1),
                "clear": In(1),
                "write": In(write_layout(g)),
                "bl": Out(g.tiles * g.columns),
                "col_en": Out(g.tiles * g.columns),
            }
            | (spares if g.spare_columns else {})
            | ({"again": In(1)} if g.map_words else {})
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        plan, write = self.plan, self.write

        # how many inputs and bias columns are enabled, and which: of a tile, of the last tile
        cols = Signal.like(plan.cols, name="cols"), Signal.like(plan.cols_last, name="cols_last")
        bias = Signal.like(plan.bias, name="bias"), Signal.like(plan.bias_last, name="bias_last")
        masks = Signal(g.plain_columns), Signal(g.plain_columns)
        m.d.comb += [
            mask.eq(Cat(lowest_ones(c, g.inputs), lowest_ones(b, g.bias)))
            for mask, c, b in zip(masks, cols, bias, strict=True)
        ]
        roles = Signal(g.tiles), Signal(g.tiles)  # which tiles are the one, the other
        with m.If(self.clear):
            m.d.sync += [role.eq(0) for role in roles]
        with m.Elif(self.move):
            m.d.sync += [roles[1].eq(plan.last), cols[1].eq(plan.cols_last), bias[1].eq(plan.bias_last)]
            if g.tiles > 1:
                m.d.sync += roles[0].eq(plan.used & ~plan.last)
                m.d.sync += [cols[0].eq(plan.cols), bias[0].eq(plan.bias)]

        for tile in range(g.tiles):
            front = Signal(g.inputs, name=f"front_{tile}")
            back = Signal(g.inputs, name=f"back_{tile}")
            moved = self.move & plan.used[tile]
            if g.map_words:
                moved = moved | (self.again & (roles[0][tile] | roles[1][tile]))
            with m.If(moved):
                m.d.sync += front.eq(back)
            with m.If(write.en & (write.tile == tile)), m.Switch(write.word):
                for word in range(words(g.inputs)):
                    with m.Case(word):
                        m.d.sync += back[WORD_WIDTH * word : WORD_WIDTH * (word + 1)].eq(write.bits)
            low, high = tile * g.columns, (tile + 1) * g.columns
            if g.spare_columns:
                bits, enables, replaced = self._spares(m, tile)
            else:
                bits, enables, replaced = Const(0, 0), Const(0, 0), None
            kept = [masks[1], masks[0]] if replaced is None else [masks[1] & ~replaced, masks[0] & ~replaced]
            m.d.comb += self.bl[low:high].eq(Cat(front, Const((1 << g.bias) - 1, g.bias), bits))
            with m.If(roles[1][tile]):
                m.d.comb += self.col_en[low:high].eq(Cat(kept[0], enables))
            with m.Elif(roles[0][tile]):
                m.d.comb += self.col_en[low:high].eq(Cat(kept[1], enables))
        return m

    def _spares(self, m: Module, tile: int):
        """Bits and enables of a tile's spares, (K) each, and its replaced columns, (N + B)."""
        g, plan, write = self.geometry, self.plan, self.write
        front, back, enables = (
            Signal(g.spare_columns, name=f"spare_{what}_{tile}") for what in ("front", "back", "en")
        )
        replaced = Signal(g.plain_columns, name=f"replaced_{tile}")
        with m.If(self.forget):
            m.d.sync += replaced.eq(0)
        with m.Elif(self.replace & (self.tile == tile)):
            m.d.sync += replaced.eq(replaced | (1 << self.column))
        cols = Mux(plan.last[tile], plan.cols_last, plan.cols)
        bias = Mux(plan.last[tile], plan.bias_last, plan.bias)
        for k in range(g.spare_columns):
            entry = self.spares[tile * g.spare_columns + k]
            word, place = entry.line[5:], entry.line[:5]
            with m.If(write.en & (write.tile == tile) & (write.word == word)):
                m.d.sync += back[k].eq(write.bits.bit_select(place, 1))
            is_bias = entry.line >= g.inputs
            with m.If(self.move | self.again if g.map_words else self.move):
                m.d.sync += front[k].eq(back[k] | is_bias)
            with m.If(self.move):
                m.d.sync += enables[k].eq(
                    entry.valid & Mux(is_bias, entry.line < g.inputs + bias, entry.line < cols)
                )
        return front, enables, replaced
