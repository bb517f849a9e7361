"""The words of one row: memories that the host fills and a sequencer reads, and the column registers."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH, words

__all__ = ["ColumnWords", "RowMemory"]


class RowMemory(Component):
    """One row of bits in 32-bit words, for the host while idle and for the sequencer while it is busy.

    The content survives a reset and every command that does not write it.

    Latency: a read has 1 cycle, for both sides. Throughput: one read and one write a cycle.

    Parameters
    ----------
    depth : int, at least 1
        Words.

    Members
    -------
    host : In(WindowPort)
        Ignored while ``busy``. ``r_data`` holds until the next strobe or the next ``busy``.
    busy : In(1)
        The sequencer owns the memory.
    addr, fetch : In
        Sequencer read: ``data`` is valid in the next cycle and holds until the next ``fetch``.
    data : Out(32)
    w_addr, w_en, w_data : In
        Sequencer write, only while ``busy``.
    """

    def __init__(self, depth: int):
        self._depth = depth
        addr_width = max(1, bits_for(depth - 1))
        super().__init__(
            {
                "host": In(WindowPort(addr_width)),
                "busy": In(1),
                "addr": In(addr_width),
                "fetch": In(1),
                "data": Out(WORD_WIDTH),
                "w_addr": In(addr_width),
                "w_en": In(1),
                "w_data": In(WORD_WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = SyncMemory(width=WORD_WIDTH, depth=self._depth)
        m.d.comb += [self.data.eq(memory.r_data), self.host.r_data.eq(memory.r_data)]
        with m.If(self.busy):
            m.d.comb += [
                memory.r_addr.eq(self.addr),
                memory.r_en.eq(self.fetch),
                memory.w_addr.eq(self.w_addr),
                memory.w_en.eq(self.w_en),
                memory.w_data.eq(self.w_data),
            ]
        with m.Else():
            m.d.comb += [
                memory.r_addr.eq(self.host.addr),
                memory.r_en.eq(self.host.r_en),
                memory.w_addr.eq(self.host.addr),
                memory.w_en.eq(self.host.w_en),
                memory.w_data.eq(self.host.w_data),
            ]
        return m


class ColumnWords(Component):
    """C column flip-flops that are staged word by word and taken over at once; shows a word of the answers.

    Only the addressed word of the stage toggles; bits past the last column do not exist and read as 0.

    Latency: ``select`` changes 1 cycle after ``load``; ``answer`` is combinational. Throughput: one word a
    cycle.

    Parameters
    ----------
    columns : int, at least 1

    Members
    -------
    index : In(addr)
        Word to stage and to show.
    w_en, w_data : In
        Write word ``index`` of the stage.
    load : In(1)
        ``select`` takes the stage; not together with ``w_en``.
    blank : In(addr)
        The words below this one are taken as 0.
    select : Out(columns)
    sl : In(columns)
        Answers of the columns.
    answer : Out(32)
        Word ``index`` of ``sl``.
    exists : Out(32)
        Bits of word ``index`` that are columns.
    """

    def __init__(self, columns: int):
        self._columns = columns
        addr_width = max(1, bits_for(words(columns) - 1))
        super().__init__(
            {
                "index": In(addr_width),
                "w_en": In(1),
                "w_data": In(WORD_WIDTH),
                "load": In(1),
                "blank": In(addr_width),
                "select": Out(columns),
                "sl": In(columns),
                "answer": Out(WORD_WIDTH),
                "exists": Out(WORD_WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parts = []
        with m.Switch(self.index):
            for w, low in enumerate(range(0, self._columns, WORD_WIDTH)):
                width = min(WORD_WIDTH, self._columns - low)
                part = Signal(width, name=f"select_{w}")
                staged = Signal(width, name=f"staged_{w}")
                parts.append((part, staged))
                with m.Case(w):
                    m.d.comb += self.answer.eq(self.sl[low : low + width])
                    m.d.comb += self.exists.eq(Const((1 << width) - 1, WORD_WIDTH))
                    with m.If(self.w_en):
                        m.d.sync += staged.eq(self.w_data)
        with m.If(self.load):
            m.d.sync += [part.eq(Mux(self.blank > w, 0, staged)) for w, (part, staged) in enumerate(parts)]
        m.d.comb += self.select.eq(Cat(part for part, _ in parts))
        return m
