"""The columns of the row being programmed: which are asked, pending, failed and logged, word by word."""

import enum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH, ProgOp, words

from .group_scan import LowestBits, WordScan
from .row_memory import ColumnWords, RowMemory

__all__ = ["ColumnWalk", "Walk"]


class Walk(enum.IntEnum):
    """One walk over the words of the row, and what it does with each."""

    NONE = 0  # no walk
    FIND = 1  # staged: the columns of the phase ahead
    DROP = 2  # pending: those whose answer on ``sl`` is 0; staged: their first group, or the phase ahead
    CHOOSE = 3  # staged: the lowest pending columns after the group before, at most ``max_parallel``
    SELECT = 4  # staged: all pending columns
    LOG = 5  # pushes every pending column and marks its device as logged; staged: the phase ahead
    ASK = 6  # staged: the columns of a bridge read
    CAPTURE = 7  # compares the answers on ``sl`` with the image, or writes them to it


class ColumnWalk(Component):
    """Holds mask, image, pending and logged columns of one row and walks over them, one word a cycle.

    ``walk`` starts a walk and stays until ``last``; the next may follow at once. A walk stages the columns
    that come next while ``select`` still holds the present ones; ``load`` takes them over. DROP begins an
    attempt: its group and those of the CHOOSE walks after it are disjoint, none is empty, and together they
    are the pending columns; ``more`` says whether another one follows.

    Latency of a walk: ``row_words + 1`` cycles; LOG: 1 + the sum over the words of max(1, failing columns).
    ``select`` changes 1 cycle after ``load``. Throughput: one word a cycle.

    Parameters
    ----------
    columns : int, at least 1

    Members
    -------
    image, mask : In(WindowPort)
        Host access; ignored while busy.
    busy : In(1)
        A command runs; the first walk starts two cycles after it rises at the earliest.
    walk : In(Walk)
    op, side : In
        Device of the pair and the operation that brings it to its state; stable during a walk.
    ahead_op, ahead_side : In
        Those of the phase that comes next.
    first : In(1)
        DROP: the columns of the phase were asked, not those that an earlier DROP left pending.
    known : In(1)
        DROP: devices that are logged already are dropped too.
    forget : In(1)
        FIND: no device is logged any more.
    whole : In(1)
        ASK takes all columns, not those of the mask; CAPTURE writes the image.
    max_parallel : In(16)
        Most columns of a group; 0 acts as 1.
    load : In(1)
        ``select`` takes what the last walk staged; not during a walk.
    select, sl : Out, In
        Columns of the macro.
    last : Out(1)
        The walk is complete.
    left : Out(1)
        With ``last`` of DROP: a column is pending.
    more : Out(1)
        After a DROP or CHOOSE until the end of the next: pending columns remain past the group staged.
    ahead : Out(1)
        With ``last`` of FIND, DROP, LOG, and of ASK, and until the next walk: the phase ahead, or the bridge
        read, has a column.
    push : Out(1)
        LOG: ``column`` is to be logged.
    differs : Out(1)
        CAPTURE: ``column`` is the lowest one of this word that differs from the image.
    column : Out(13)
    """

    def __init__(self, columns: int):
        self._columns = columns
        self._words = words(columns)
        window = WindowPort(max(1, bits_for(self._words - 1)))
        super().__init__(
            {
                "image": In(window),
                "mask": In(window),
                "busy": In(1),
                "walk": In(Walk),
                "op": In(2),
                "side": In(1),
                "ahead_op": In(2),
                "ahead_side": In(1),
                "first": In(1),
                "known": In(1),
                "forget": In(1),
                "whole": In(1),
                "max_parallel": In(16),
                "load": In(1),
                "select": Out(columns),
                "sl": In(columns),
                "last": Out(1),
                "left": Out(1),
                "more": Out(1),
                "ahead": Out(1),
                "push": Out(1),
                "differs": Out(1),
                "column": Out(13),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.scan = scan = WordScan(self._words)
        m.submodules.image = image = RowMemory(self._words)
        m.submodules.mask = mask = RowMemory(self._words)
        m.submodules.columns = columns = ColumnWords(self._columns)
        depth = 1 << len(scan.addr)
        m.submodules.pending = pending_words = SyncMemory(width=WORD_WIDTH, depth=depth)
        m.submodules.logged = logged_words = SyncMemory(width=2 * WORD_WIDTH, depth=depth, lanes=2)  # P, N
        for host, memory in ((self.image, image), (self.mask, mask)):
            m.d.comb += [
                memory.host.addr.eq(host.addr),
                memory.host.w_en.eq(host.w_en),
                memory.host.w_data.eq(host.w_data),
                memory.host.r_en.eq(host.r_en),
                host.r_data.eq(memory.host.r_data),
                memory.busy.eq(self.busy),
                memory.addr.eq(scan.addr),
                memory.fetch.eq(scan.fetch),
            ]
        m.d.comb += [
            scan.run.eq(self.walk != Walk.NONE),
            pending_words.r_addr.eq(scan.addr),
            pending_words.r_en.eq(scan.fetch),
            logged_words.r_addr.eq(scan.addr),
            logged_words.r_en.eq(scan.fetch),
            columns.index.eq(scan.index),
            columns.sl.eq(self.sl),
            columns.load.eq(self.load),
            self.select.eq(columns.select),
            self.last.eq(scan.last),
        ]

        # --- the sets of one word --------------------------------------------------------------------
        asked, targets, targets_ahead = (Signal(WORD_WIDTH) for _ in range(3))
        pending, forgiven, failing, differing = (Signal(WORD_WIDTH) for _ in range(4))
        m.d.comb += asked.eq(columns.exists & (mask.data | self.whole.replicate(WORD_WIDTH)))
        for op, side, found in (
            (self.op, self.side, targets),
            (self.ahead_op, self.ahead_side, targets_ahead),
        ):
            to_lrs = image.data ^ side.replicate(WORD_WIDTH)  # P of weight +1, N of weight -1
            with m.Switch(op):
                with m.Case(ProgOp.FORM):
                    m.d.comb += found.eq(asked)
                with m.Case(ProgOp.SET):
                    m.d.comb += found.eq(asked & to_lrs)
                with m.Default():
                    m.d.comb += found.eq(asked & ~to_lrs)
        logged = Signal(WORD_WIDTH)
        m.d.comb += [
            logged.eq(logged_words.r_data.word_select(self.side, WORD_WIDTH)),
            pending.eq(Mux(self.first, targets, pending_words.r_data)),
            forgiven.eq(logged & self.known.replicate(WORD_WIDTH)),
            failing.eq(pending & ~columns.answer & ~forgiven),
            differing.eq(asked & (image.data ^ columns.answer)),
        ]

        # --- groups: the budget shrinks from word to word; of word ``cursor``, ``taken`` bits are done -----
        m.submodules.lowest = lowest = LowestBits()
        cursor = Signal.like(scan.index)
        taken = Signal(WORD_WIDTH)
        budget = Signal(16)
        cut = Signal()
        grouping, counting, partly = Signal(), Signal(), Signal()
        dropping, choosing, logging = (self.walk == w for w in (Walk.DROP, Walk.CHOOSE, Walk.LOG))
        rest = pending_words.r_data & ~taken
        with m.Switch(self.walk):
            with m.Case(Walk.DROP):
                m.d.comb += lowest.offered.eq(failing)
            with m.Case(Walk.CHOOSE):
                with m.If(scan.index == cursor):
                    m.d.comb += lowest.offered.eq(rest)
                with m.Elif(scan.index > cursor):
                    m.d.comb += lowest.offered.eq(pending_words.r_data)
            with m.Case(Walk.LOG):
                m.d.comb += lowest.offered.eq(rest)
            with m.Default():
                m.d.comb += lowest.offered.eq(differing)
        m.d.comb += [
            grouping.eq(dropping | choosing),
            lowest.budget.eq(Mux(grouping, budget, 1)),
            partly.eq(scan.valid & (lowest.taken != lowest.offered)),
            counting.eq(scan.valid & grouping),
            scan.hold.eq(partly & logging),
            self.push.eq(scan.valid & logging & lowest.taken.any()),
            self.differs.eq(scan.valid & (self.walk == Walk.CAPTURE) & lowest.taken.any()),
            self.column.eq(Cat(lowest.position, scan.index)),
        ]
        with m.If(~counting):
            m.d.sync += [budget.eq(Mux(self.max_parallel == 0, 1, self.max_parallel)), cut.eq(0)]
        with m.Else():
            m.d.sync += budget.eq(budget - lowest.count)
            with m.If(partly & ~cut):  # the group ends in this word, or before it
                already = Mux(choosing & (scan.index == cursor), taken, 0)
                m.d.sync += [cut.eq(1), cursor.eq(scan.index), taken.eq(already | lowest.taken)]
            with m.If(scan.last):
                m.d.sync += self.more.eq(cut | partly)
        with m.If(logging):
            m.d.sync += taken.eq(Mux(partly, taken | lowest.taken, 0))

        # --- what each walk stages and writes --------------------------------------------------------
        any_left = Signal()
        any_ahead = Signal()
        word, candidates, looks_ahead = Signal(WORD_WIDTH), Signal(WORD_WIDTH), Signal()
        m.d.comb += [
            candidates.eq(Mux(self.walk == Walk.ASK, asked, targets_ahead)),
            self.left.eq(any_left | (scan.valid & dropping & failing.any())),
            self.ahead.eq(any_ahead | (scan.valid & looks_ahead & candidates.any())),
            word.eq(candidates),
            columns.w_en.eq(scan.valid & (self.walk != Walk.CAPTURE)),
        ]
        with m.Switch(self.walk):
            with m.Case(Walk.FIND):
                m.d.comb += looks_ahead.eq(1)
                m.d.comb += logged_words.w_en.eq((scan.valid & self.forget).replicate(2))
            with m.Case(Walk.DROP):
                m.d.comb += [looks_ahead.eq(1), pending_words.w_en.eq(scan.valid)]
                with m.If(self.left):
                    m.d.comb += word.eq(lowest.taken)
            with m.Case(Walk.CHOOSE):
                m.d.comb += word.eq(lowest.taken)
            with m.Case(Walk.SELECT):
                m.d.comb += word.eq(pending_words.r_data)
            with m.Case(Walk.LOG):
                m.d.comb += [looks_ahead.eq(1), logged_words.w_en.bit_select(self.side, 1).eq(scan.valid)]
                m.d.comb += logged_words.w_data.eq((logged | pending_words.r_data).replicate(2))
            with m.Case(Walk.ASK):
                m.d.comb += looks_ahead.eq(1)
            with m.Case(Walk.CAPTURE):
                m.d.comb += image.w_en.eq(scan.valid & self.whole)
        with m.If(scan.begins):
            m.d.sync += [any_left.eq(0), any_ahead.eq(0), columns.blank.eq(0)]
        with m.Else():
            m.d.sync += [any_left.eq(self.left), any_ahead.eq(self.ahead)]
            with m.If(self.left & ~any_left):  # the words before hold columns of the phase ahead
                m.d.sync += columns.blank.eq(scan.index)
        m.d.comb += [
            columns.w_data.eq(word),
            pending_words.w_addr.eq(scan.index),
            pending_words.w_data.eq(failing),
            logged_words.w_addr.eq(scan.index),
            image.w_addr.eq(scan.index),
            image.w_data.eq(columns.answer),
        ]
        return m
