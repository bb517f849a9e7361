"""Log of devices that did not verify."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH

__all__ = ["FailLog"]


class FailLog(wiring.Component):
    """Keep the first ``depth`` entries pushed since the last ``clear``; the host reads them as word pairs.

    Word 0 of entry ``i`` is at address ``2*i``, word 1 at ``2*i + 1``. Entries past ``count`` read 0, so
    that what an earlier command left in the memory never looks valid. An entry that does not fit sets
    ``overflow`` and is lost. ``clear`` is stronger than a push in the same cycle.

    *Latency*: 1 cycle from ``push`` to ``count``; reads as in :class:`~bridgebnn.hdl.signatures.WindowPort`.
    *Throughput*: one push and one read per cycle.

    Parameters
    ----------
    depth : int, 1..1024
        Entries.

    Members
    -------
    push : In(1)
    entry : In(64)
        Word 0 in the low half; valid with ``push``.
    clear : In(1)
    window : In(WindowPort)
        Read only; writes are ignored.
    count : Out
        Valid entries.
    overflow : Out(1)
        An entry was lost since the last ``clear``.
    lost : Out(1)
        An entry is being lost in this cycle.

    Raises
    ------
    ValueError
        With the depth and its legal range.
    """

    def __init__(self, depth: int):
        if not 1 <= depth <= 1024:
            raise ValueError(f"FailLog.depth = {depth!r}: must be an integer from 1 to 1024")
        self.depth = depth
        super().__init__(
            {
                "push": In(1),
                "entry": In(2 * WORD_WIDTH),
                "clear": In(1),
                "window": In(WindowPort(bits_for(2 * depth - 1))),
                "count": Out(bits_for(depth)),
                "overflow": Out(1),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = SyncMemory(width=2 * WORD_WIDTH, depth=self.depth)
        full = Signal()
        store = Signal()
        m.d.comb += [
            full.eq(self.count == self.depth),
            store.eq(self.push & ~full & ~self.clear),
            self.lost.eq(self.push & full & ~self.clear),
            memory.w_addr.eq(self.count),
            memory.w_data.eq(self.entry),
            memory.w_en.eq(store),
        ]
        with m.If(self.clear):
            m.d.sync += [self.count.eq(0), self.overflow.eq(0)]
        with m.Elif(store):
            m.d.sync += self.count.eq(self.count + 1)
        with m.Elif(self.lost):
            m.d.sync += self.overflow.eq(1)

        index = self.window.addr[1:]
        high_word = Signal()
        valid = Signal()
        m.d.comb += [memory.r_addr.eq(index), memory.r_en.eq(self.window.r_en)]
        with m.If(self.window.r_en):
            m.d.sync += [high_word.eq(self.window.addr[0]), valid.eq(index < self.count)]
        with m.If(valid):
            m.d.comb += self.window.r_data.eq(memory.r_data.word_select(high_word, WORD_WIDTH))
        return m
