"""The columns of the row being programmed: which are asked, pending, failed and logged, word by word."""

import enum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from .config import WORD_WIDTH, ProgOp, words
from .group_scan import LowestBits, WordScan
from .row_memory import ColumnWords, RowMemory
from .signatures import WindowPort

__all__ = ["ColumnWalk", "Walk"]


class Walk(enum.IntEnum):
    """One walk over the words of the row, and what it does with each."""

    NONE = 0  # no walk
    FIND = 1  # pending and selected: the columns that the phase has to bring to its state
    DROP = 2  # pending: those whose answer on ``sl`` is 0
    CHOOSE = 3  # selected: the lowest pending columns after the group before, at most ``max_parallel``
    SELECT = 4  # selected: all pending columns
    LOG = 5  # pushes every pending column and marks its device as logged
    ASK = 6  # selected: the columns of a bridge read
    CAPTURE = 7  # compares the answers on ``sl`` with the image, or writes them to it


class ColumnWalk(Component):
    """Holds mask, image, pending and logged columns of one row and walks over them, one word a cycle.

    ``walk`` starts a walk and stays until ``last`` or ``more``; then it has to be NONE for at least one
    cycle, two after a CHOOSE. The groups of successive CHOOSE walks are disjoint, none is empty, and together
    they are the pending columns; the one that ends with ``last`` completes them, and the next begins at
    column 0.

    Latency of a walk: ``row_words + 1`` cycles. CHOOSE: 2 cycles plus the number of word boundaries it
    crosses, so G groups take ``row_words + 2*G - 1`` together. LOG: 1 + the sum over the words of
    max(1, failing columns). Throughput: one word a cycle.

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
    known : In(1)
        DROP: devices that are logged already are dropped too. FIND with FORM forgets those of its side.
    whole : In(1)
        ASK takes all columns, not those of the mask; CAPTURE writes the image.
    max_parallel : In(16)
        Most columns of a group; 0 acts as 1.
    select, sl : Out, In
        Columns of the macro. ``select`` changes only in FIND, CHOOSE, SELECT and ASK.
    last : Out(1)
        The walk is complete.
    more : Out(1)
        CHOOSE: the group is complete, but pending columns remain.
    any_found : Out(1)
        With ``last``: FIND, ASK selected a column; DROP left one pending; CAPTURE saw one differ.
    left : Out(1)
        In the cycle after a walk: ``any_found`` of its last cycle.
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
                "known": In(1),
                "whole": In(1),
                "max_parallel": In(16),
                "select": Out(columns),
                "sl": In(columns),
                "last": Out(1),
                "more": Out(1),
                "any_found": Out(1),
                "left": Out(1),
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
        m.submodules.pending = pending_memory = Memory(shape=WORD_WIDTH, depth=depth, init=[])
        m.submodules.logged = logged_memory = Memory(shape=WORD_WIDTH, depth=2 * depth, init=[])
        pending_read, pending_write = pending_memory.read_port(), pending_memory.write_port()
        logged_read, logged_write = logged_memory.read_port(), logged_memory.write_port()
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
            pending_read.addr.eq(scan.addr),
            pending_read.en.eq(scan.fetch),
            logged_read.addr.eq(Cat(scan.addr, self.side)),
            logged_read.en.eq(scan.fetch),
            columns.index.eq(scan.index),
            columns.sl.eq(self.sl),
            self.select.eq(columns.select),
            self.last.eq(scan.last),
        ]

        asked, targets, forgiven, failing, differing = (Signal(WORD_WIDTH) for _ in range(5))
        to_lrs = image.data ^ self.side.replicate(WORD_WIDTH)  # P of weight +1, N of weight -1
        m.d.comb += [
            asked.eq(columns.exists & (mask.data | self.whole.replicate(WORD_WIDTH))),
            forgiven.eq(logged_read.data & self.known.replicate(WORD_WIDTH)),
            failing.eq(pending_read.data & ~columns.answer & ~forgiven),
            differing.eq(asked & (image.data ^ columns.answer)),
        ]
        with m.Switch(self.op):
            with m.Case(ProgOp.FORM):
                m.d.comb += targets.eq(asked)
            with m.Case(ProgOp.SET):
                m.d.comb += targets.eq(asked & to_lrs)
            with m.Default():
                m.d.comb += targets.eq(asked & ~to_lrs)

        # Groups: the budget shrinks from word to word; of the word that did not fit, ``taken`` bits are done.
        m.submodules.lowest = lowest = LowestBits()
        cursor, taken, budget = Signal.like(scan.index), Signal(WORD_WIDTH), Signal(16)
        taking, logging, partly = Signal(), Signal(), Signal()
        m.d.comb += [
            logging.eq(self.walk == Walk.LOG),
            taking.eq(logging | (self.walk == Walk.CHOOSE)),
            lowest.offered.eq(Mux(taking, pending_read.data & ~taken, differing)),
            lowest.budget.eq(Mux(self.walk == Walk.CHOOSE, budget, 1)),
            partly.eq(scan.valid & taking & (lowest.taken != lowest.offered)),
            scan.origin.eq(cursor),
            scan.hold.eq(partly & logging),
            scan.cut.eq(partly & ~logging),
            self.more.eq(scan.cut),
            self.push.eq(scan.valid & logging & lowest.taken.any()),
            self.differs.eq(scan.valid & (self.walk == Walk.CAPTURE) & lowest.taken.any()),
            self.column.eq(Cat(lowest.position, scan.index)),
        ]
        with m.If(~taking):
            m.d.sync += budget.eq(Mux(self.max_parallel == 0, 1, self.max_parallel))
        with m.Elif(scan.valid):
            m.d.sync += [budget.eq(budget - lowest.count), taken.eq(Mux(partly, taken | lowest.taken, 0))]
        with m.If(scan.last | ~self.busy):
            m.d.sync += cursor.eq(0)
        with m.Elif(scan.cut):
            m.d.sync += cursor.eq(scan.index)
        with m.If(~self.busy):
            m.d.sync += taken.eq(0)

        # What each walk writes.
        word = Signal(WORD_WIDTH)
        with m.Switch(self.walk):
            with m.Case(Walk.FIND):
                m.d.comb += [word.eq(targets), columns.w_en.eq(scan.valid), pending_write.en.eq(scan.valid)]
                m.d.comb += logged_write.en.eq(scan.valid & (self.op == ProgOp.FORM))
            with m.Case(Walk.DROP):
                m.d.comb += [word.eq(failing), pending_write.en.eq(scan.valid)]
            with m.Case(Walk.CHOOSE):
                # The first cycle has no word yet: time to empty the words that this group does not reach.
                m.d.comb += [word.eq(lowest.taken), columns.w_en.eq(scan.valid)]
                m.d.comb += columns.clear.eq(~scan.valid)
            with m.Case(Walk.SELECT):
                m.d.comb += [word.eq(pending_read.data), columns.w_en.eq(scan.valid)]
            with m.Case(Walk.LOG):
                m.d.comb += logged_write.data.eq(logged_read.data | pending_read.data)
                m.d.comb += logged_write.en.eq(scan.valid)
            with m.Case(Walk.ASK):
                m.d.comb += [word.eq(asked), columns.w_en.eq(scan.valid)]
            with m.Case(Walk.CAPTURE):
                m.d.comb += [word.eq(differing), image.w_en.eq(scan.valid & self.whole)]
        found = Signal()
        m.d.comb += [
            columns.w_data.eq(word),
            pending_write.addr.eq(scan.index),
            pending_write.data.eq(word),
            logged_write.addr.eq(Cat(scan.index, self.side)),
            image.w_addr.eq(scan.index),
            image.w_data.eq(columns.answer),
            self.any_found.eq(found | word.any()),
            self.left.eq(found),
        ]
        m.d.sync += found.eq(scan.valid & self.any_found)
        return m
