"""The columns of the row being programmed: which are asked, pending, failed and logged, word by word."""

import enum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH, words

from .group_choice import GroupChoice
from .group_scan import WordScan
from .phase_targets import PhaseTargets
from .phases import Phase
from .row_memory import ColumnWords, RowMemory

__all__ = ["ColumnWalk", "Walk"]


class Walk(enum.IntEnum):
    """One walk over the words of the row, and what it does with each."""

    NONE = 0  # no walk
    FIND = 1  # staged: the columns of the phase ahead
    DROP = 2  # pending: those whose answer is 0; staged: their first group, or the phase ahead
    CHOOSE = 3  # staged: the lowest pending columns after the group before, at most ``max_parallel``
    SELECT = 4  # staged: all pending columns
    LOG = 5  # gives every pending column as failed and marks its device; staged: the phase ahead
    ASK = 6  # staged: the columns of a bridge read
    CAPTURE = 7  # compares the answers with the image, or writes them to it


class ColumnWalk(Component):
    """Holds mask, image, pending and logged columns of one row and walks over them, one word a cycle.

    A walk runs from the cycle in which it is offered until it is taken, which is its last; the next may follow
    at once. DROP and CAPTURE wait for answers first, and take them with their end. A walk that is withdrawn is
    forgotten: nothing is written in that cycle.

    A walk stages the columns that come next while ``select`` still holds the present ones; ``load`` takes them
    over. DROP begins an attempt: its group and those of the CHOOSE walks after it are disjoint, none is empty,
    and together they are the pending columns; ``group_follows`` says whether another one follows.

    Latency of a walk: ``row_words + 1`` cycles, from the first with answers where it needs them; LOG: 1 + the
    sum over the words of max(1, failing columns). ``select`` changes 1 cycle after ``load``. Throughput: one
    word a cycle.

    Parameters
    ----------
    columns : int, at least 1

    Members
    -------
    image, mask : In(WindowPort)
        Host access; ignored while busy.
    busy : In(1)
        A command runs; the first walk starts two cycles after it rises at the earliest.
    walk : In(stream.Signature(Walk))
        Never NONE.
    now, ahead : In(Phase)
        The phase under way and the one that comes next; stable during a walk.
    first_verify : In(1)
        DROP: the columns of the phase were asked, not those that an earlier DROP left pending.
    drop_logged : In(1)
        DROP: devices that are logged already are dropped too.
    forget_logged : In(1)
        FIND: no device is logged any more.
    whole_row : In(1)
        ASK takes all columns, not those of the mask; CAPTURE writes the image.
    max_parallel : In(16)
        Most columns of a group; 0 acts as 1.
    load : In(1)
        ``select`` takes what the last walk staged; not during a walk.
    select : Out(columns)
        Columns of the macro.
    answers : In(stream.Signature(columns))
        Of the macro, for those columns.
    any_pending : Out(1)
        At the end of DROP: a column is pending.
    group_follows : Out(1)
        After a DROP or CHOOSE until the end of the next: pending columns remain past the group staged.
    any_ahead : Out(1)
        At the end of FIND, DROP, LOG, and of ASK, and until the next walk: the phase ahead, or the bridge read,
        has a column.
    failed : Out(stream.Signature(13))
        LOG: a column whose device of the present phase is to be logged.
    differing : Out(stream.Signature(13))
        CAPTURE: the lowest column of a word that differs from the image.
    """

    def __init__(self, columns: int):
        self._columns = columns
        self._words = words(columns)
        window = WindowPort(max(1, bits_for(self._words - 1)))
        found = stream.Signature(13, always_ready=True)
        super().__init__(
            {
                "image": In(window),
                "mask": In(window),
                "busy": In(1),
                "walk": In(stream.Signature(Walk)),
                "now": In(Phase),
                "ahead": In(Phase),
                "first_verify": In(1),
                "drop_logged": In(1),
                "forget_logged": In(1),
                "whole_row": In(1),
                "max_parallel": In(16),
                "load": In(1),
                "select": Out(columns),
                "answers": In(stream.Signature(columns)),
                "any_pending": Out(1),
                "group_follows": Out(1),
                "any_ahead": Out(1),
                "failed": Out(found),
                "differing": Out(found),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.scan = scan = WordScan(self._words)
        m.submodules.image = image = RowMemory(self._words)
        m.submodules.mask = mask = RowMemory(self._words)
        m.submodules.stage = stage = ColumnWords(self._columns)
        m.submodules.targets = targets = PhaseTargets()
        m.submodules.targets_ahead = targets_ahead = PhaseTargets()
        m.submodules.groups = groups = GroupChoice(self._words)
        depth = 1 << len(scan.addr)
        m.submodules.pending = pending_words = SyncMemory(width=WORD_WIDTH, depth=depth)
        m.submodules.logged = logged_words = SyncMemory(width=2 * WORD_WIDTH, depth=depth, lanes=2)  # P, N
        self._windows(m, scan, image, mask)

        # --- the walk --------------------------------------------------------------------------------
        walk = Signal(Walk)
        is_walk = {kind: walk == kind for kind in Walk}
        awaits_answers = is_walk[Walk.DROP] | is_walk[Walk.CAPTURE]
        m.d.comb += [
            walk.eq(Mux(self.walk.valid, self.walk.payload, Walk.NONE)),
            scan.run.eq(Mux(awaits_answers, self.answers.valid, walk != Walk.NONE)),
            scan.hold.eq(groups.hold),
            self.walk.ready.eq(scan.last),
            self.answers.ready.eq(scan.last & awaits_answers),
            pending_words.r_addr.eq(scan.addr),
            pending_words.r_en.eq(scan.fetch),
            logged_words.r_addr.eq(scan.addr),
            logged_words.r_en.eq(scan.fetch),
        ]

        # --- the sets of one word --------------------------------------------------------------------
        asked, pending, failing, differing = (Signal(WORD_WIDTH) for _ in range(4))
        logged = Signal(WORD_WIDTH)
        forgiven = logged & self.drop_logged.replicate(WORD_WIDTH)
        for sets, phase in ((targets, self.now), (targets_ahead, self.ahead)):
            m.d.comb += [sets.phase.eq(phase), sets.asked.eq(asked), sets.image.eq(image.data)]
        m.d.comb += [
            asked.eq(stage.exists & (mask.data | self.whole_row.replicate(WORD_WIDTH))),
            logged.eq(logged_words.r_data.word_select(self.now.side, WORD_WIDTH)),
            pending.eq(Mux(self.first_verify, targets.targets, pending_words.r_data)),
            failing.eq(pending & ~stage.answer & ~forgiven),
            differing.eq(asked & (image.data ^ stage.answer)),
        ]

        self._offer(
            m, is_walk, scan, groups, pending=pending_words.r_data, failing=failing, differing=differing
        )

        # --- what each walk stages and writes --------------------------------------------------------
        pending_before = Signal()  # in the words before this one
        ahead_before = Signal()
        word, candidates, looks_ahead = Signal(WORD_WIDTH), Signal(WORD_WIDTH), Signal()
        m.d.comb += [
            candidates.eq(Mux(is_walk[Walk.ASK], asked, targets_ahead.targets)),
            self.any_pending.eq(pending_before | (scan.valid & is_walk[Walk.DROP] & failing.any())),
            self.any_ahead.eq(ahead_before | (scan.valid & looks_ahead & candidates.any())),
            word.eq(candidates),
        ]
        with m.If(scan.begins):
            m.d.sync += [pending_before.eq(0), ahead_before.eq(0), stage.blank.eq(0)]
        with m.Else():
            m.d.sync += [pending_before.eq(self.any_pending), ahead_before.eq(self.any_ahead)]
            with m.If(self.any_pending & ~pending_before):  # the words before hold columns of the phase ahead
                m.d.sync += stage.blank.eq(scan.index)
        with m.Switch(walk):
            with m.Case(Walk.FIND):
                m.d.comb += looks_ahead.eq(1)
                m.d.comb += logged_words.w_en.eq((scan.valid & self.forget_logged).replicate(2))
            with m.Case(Walk.DROP):
                m.d.comb += [looks_ahead.eq(1), pending_words.w_en.eq(scan.valid)]
                with m.If(self.any_pending):
                    m.d.comb += word.eq(groups.taken)
            with m.Case(Walk.CHOOSE):
                m.d.comb += word.eq(groups.taken)
            with m.Case(Walk.SELECT):
                m.d.comb += word.eq(pending_words.r_data)
            with m.Case(Walk.LOG):
                m.d.comb += [looks_ahead.eq(1), logged_words.w_en.bit_select(self.now.side, 1).eq(scan.valid)]
                m.d.comb += logged_words.w_data.eq((logged | pending_words.r_data).replicate(2))
            with m.Case(Walk.ASK):
                m.d.comb += looks_ahead.eq(1)
            with m.Case(Walk.CAPTURE):
                m.d.comb += image.w_en.eq(scan.valid & self.whole_row)
        m.d.comb += [
            stage.index.eq(scan.index),
            stage.sl.eq(self.answers.payload),
            stage.load.eq(self.load),
            stage.w_en.eq(scan.valid & ~is_walk[Walk.CAPTURE]),
            stage.w_data.eq(word),
            self.select.eq(stage.select),
            pending_words.w_addr.eq(scan.index),
            pending_words.w_data.eq(failing),
            logged_words.w_addr.eq(scan.index),
            image.w_addr.eq(scan.index),
            image.w_data.eq(stage.answer),
        ]
        return m

    def _windows(self, m: Module, scan, image, mask):
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

    def _offer(self, m: Module, is_walk, scan, groups, *, pending, failing, differing):
        """Offer the columns of the walk, to be taken as groups or one by one."""
        m.d.comb += [
            groups.valid.eq(scan.valid),
            groups.last.eq(scan.last),
            groups.index.eq(scan.index),
            groups.max_parallel.eq(self.max_parallel),
            groups.grouping.eq(is_walk[Walk.DROP] | is_walk[Walk.CHOOSE]),
            groups.after_group.eq(is_walk[Walk.CHOOSE]),
            groups.singly.eq(is_walk[Walk.LOG]),
            groups.offered.eq(pending),
            self.group_follows.eq(groups.group_follows),
            self.failed.payload.eq(groups.column),
            self.failed.valid.eq(scan.valid & is_walk[Walk.LOG] & groups.taken.any()),
            self.differing.payload.eq(groups.column),
            self.differing.valid.eq(scan.valid & is_walk[Walk.CAPTURE] & groups.taken.any()),
        ]
        with m.If(is_walk[Walk.DROP]):
            m.d.comb += groups.offered.eq(failing)
        with m.Elif(is_walk[Walk.CAPTURE]):
            m.d.comb += groups.offered.eq(differing)
