"""The choice of the columns that are pulsed together: the lowest pending ones, within the budget."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import WORD_WIDTH

from .group_scan import LowestBits, several

__all__ = ["GroupChoice"]


class GroupChoice(Component):
    """Picks columns out of the words of a walk: a group within a budget, or one column after the other.

    With ``grouping`` it takes the lowest columns until ``max_parallel`` are taken, and remembers where the
    group ended: with ``after_group`` the next walk takes those that follow. Groups are disjoint, none is empty
    as long as ``group_follows`` says so, and together they are the columns of the first walk.

    With ``singly`` it takes one column per cycle, and holds the walk until the word has no more. With neither
    it takes the lowest column of each word.

    Latency: combinational, except that ``group_follows`` changes 1 cycle after the last word of a walk.
    Throughput: one word a cycle.

    Parameters
    ----------
    words : int, at least 1
        Words of a row.

    Members
    -------
    valid : In(1)
        ``offered`` are the columns of word ``index``; words come from 0 upwards, one a cycle.
    last : In(1)
        The last word of the walk.
    index : In(range(words))
    offered : In(32)
        With ``after_group`` or ``singly`` the same columns as in the walk before, or the word before.
    grouping, after_group, singly : In(1)
        What the walk is for, stable during it; ``after_group`` only with ``grouping``.
    max_parallel : In(16)
        Most columns of a group; 0 acts as 1.
    taken : Out(32)
        Columns that are taken; meaningful with ``valid``.
    column : Out(13)
        The taken one, when only one is.
    hold : Out(1)
        ``singly``: the word has to be offered for another cycle.
    group_follows : Out(1)
        After a walk with ``grouping``, to the end of the next: columns remain past the group.
    """

    def __init__(self, words: int):
        self._index_width = max(1, bits_for(words - 1))
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "index": In(self._index_width),
                "offered": In(WORD_WIDTH),
                "grouping": In(1),
                "after_group": In(1),
                "singly": In(1),
                "max_parallel": In(16),
                "taken": Out(WORD_WIDTH),
                "column": Out(13),
                "hold": Out(1),
                "group_follows": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.lowest = lowest = LowestBits()
        # Of word ``cursor`` the bits ``done`` are behind, and all words below it.
        cursor = Signal(self._index_width)
        done = Signal(WORD_WIDTH)
        budget = Signal(16)
        cut = Signal()
        partly, counting, in_cursor = Signal(), Signal(), Signal()
        fresh = Signal(WORD_WIDTH)
        m.d.comb += fresh.eq(self.offered & ~done)
        m.d.comb += in_cursor.eq(self.index == cursor)
        with m.If(self.after_group):
            with m.If(in_cursor):
                m.d.comb += lowest.offered.eq(fresh)
            with m.Elif(self.index > cursor):
                m.d.comb += lowest.offered.eq(self.offered)
        with m.Elif(self.singly):
            m.d.comb += lowest.offered.eq(fresh)
        with m.Else():
            m.d.comb += lowest.offered.eq(self.offered)
        m.d.comb += [
            lowest.budget.eq(Mux(self.grouping, budget, 1)),
            self.taken.eq(lowest.taken),
            self.column.eq(Cat(lowest.position, self.index)),
            partly.eq(self.valid & lowest.short),
            counting.eq(self.valid & self.grouping),
            # As ``partly``, without the way through the budget: the walk waits for this one.
            self.hold.eq(self.valid & self.singly & several(fresh)),
        ]
        with m.If(~counting):
            m.d.sync += [budget.eq(Mux(self.max_parallel == 0, 1, self.max_parallel)), cut.eq(0)]
        with m.Else():
            m.d.sync += budget.eq(lowest.left)
            with m.If(partly & ~cut):  # the group ends in this word, or before it
                already = Mux(self.after_group & in_cursor, done, 0)
                m.d.sync += [cut.eq(1), cursor.eq(self.index), done.eq(already | lowest.taken)]
            with m.If(self.last):
                m.d.sync += self.group_follows.eq(cut | partly)
        with m.If(self.singly):
            m.d.sync += done.eq(Mux(partly, done | lowest.taken, 0))
        return m
