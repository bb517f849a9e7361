"""Writes the bits of a layer into a map, bit by bit, with the OR of the pooling windows."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import WORD_WIDTH, Geometry

from .window_gather import RawWalk

__all__ = ["MapWriter"]


class MapWriter(wiring.Component):
    """Appends a layer's bits to a map memory: all rows of one window, then those of the next.

    With pooling the ``pool * pool`` windows of a position write the same bits: the first one sets them, the others are
    ORed onto them. Bits past the end of the memory are dropped.

    Latency: a bit is in the memory 2 cycles after the cycle of ``valid``.
    Throughput: one bit in 2 cycles; ``valid`` in two cycles running is not allowed (a row takes 3 at least).

    Parameters
    ----------
    geometry : Geometry
        With ``map_words``.

    Members
    -------
    walk, rows : In
        The layer and its number of rows, valid with ``begin``.
    begin : In(1)
        One cycle, before the layer's first bit.
    valid, bit : In(1)
    busy : Out(1)
        A bit is on its way.
    address, enable, word : Out, Out(1), In(32)
        Read port of the memory; ``word`` is valid in the next cycle.
    write_address, write_enable, write_word : Out
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        address = max(1, bits_for(g.map_words - 1))
        super().__init__(
            {
                "walk": In(RawWalk),
                "rows": In(bits_for(g.rows)),
                "begin": In(1),
                "valid": In(1),
                "bit": In(1),
                "busy": Out(1),
                "address": Out(address),
                "enable": Out(1),
                "word": In(WORD_WIDTH),
                "write_address": Out(address),
                "write_enable": Out(1),
                "write_word": Out(WORD_WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.geometry
        width = bits_for(WORD_WIDTH * g.map_words)  # holds the first bit past the end, too
        at = Signal(width)
        base = Signal(width)
        rows = Signal.like(self.rows, name="held_rows")
        row = Signal.like(self.rows)
        pool = Signal(4)
        dx = Signal(4)
        dy = Signal(4)
        end = WORD_WIDTH * g.map_words
        row_last = Signal()
        over_dx = Signal()
        over_dy = Signal()
        m.d.comb += [
            row_last.eq(row + 1 == rows),
            over_dx.eq(dx + 1 == pool),
            over_dy.eq(dy + 1 == pool),
            self.address.eq(at[5:]),
            self.enable.eq(self.valid & (at < end)),
        ]
        with m.If(self.begin):
            m.d.sync += [at.eq(0), base.eq(0), row.eq(0), dx.eq(0), dy.eq(0)]
            m.d.sync += [rows.eq(self.rows), pool.eq(self.walk.pool)]
        with m.Elif(self.valid):
            after = Signal(width)
            m.d.comb += after.eq(Mux(at < end, at + 1, at))
            m.d.sync += [row.eq(row + 1), at.eq(after)]
            with m.If(row_last):
                m.d.sync += [row.eq(0), at.eq(base), dx.eq(dx + 1)]
                with m.If(over_dx):
                    m.d.sync += [dx.eq(0), dy.eq(dy + 1)]
                    with m.If(over_dy):
                        m.d.sync += [dy.eq(0), at.eq(after), base.eq(after)]

        # The cycle after: the word is there; the bit is set in it and it goes back.
        first = Signal()
        value = Signal()
        place = Signal(5)
        m.d.sync += [self.busy.eq(self.enable), self.write_address.eq(self.address), place.eq(at[:5])]
        m.d.sync += [first.eq(~dx.any() & ~dy.any()), value.eq(self.bit)]
        mask = Signal(WORD_WIDTH)
        m.d.comb += [
            mask.eq(1 << place),
            self.write_enable.eq(self.busy),
            self.write_word.eq(Mux(first, self.word & ~mask, self.word) | Mux(value, mask, 0)),
        ]
        return m
