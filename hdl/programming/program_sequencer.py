"""Programs, verifies and reads back one row of bridges: column groups, program-and-verify, stepped levels."""

import contextlib
from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import (
    CommandPort,
    ProgramPins,
    ProgramSettings,
    PulseSettings,
    WindowPort,
)
from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ProgOp, VerifyRef

from .column_walk import ColumnWalk, Walk
from .step_levels import StepLevels

__all__ = ["ProgramSequencer", "State"]

REFERENCES = {
    ProgOp.FORM: VerifyRef.FORMED,
    ProgOp.SET: VerifyRef.LRS_MAX,
    ProgOp.RESET: VerifyRef.HRS_MIN,
}
"""The verify read that says whether an operation has brought its device to the state it is for."""


class State(StrEnum):
    """What the program sequencer is doing."""

    IDLE = "idle"
    CHECK_ADDRESS = "check address"
    RAISE_RAILS = "raise rails"
    FIND_TARGETS = "find targets"
    VERIFY = "verify"
    DROP_PASSED = "drop passed"
    SET_UP = "set up"
    PULSE = "pulse"
    HOLD = "hold"
    LOG_FAILED = "log failed"
    LOWER_RAILS = "lower rails"
    SELECT_READ = "select read"
    PRECHARGE = "precharge"
    EVALUATE = "evaluate"
    CAPTURE = "capture"
    FINISH = "finish"


class ProgramSequencer(Component):
    """Runs PROGRAM_ROW, REFRESH_ROW, VERIFY_ROW and READ_ROW on one row of one tile.

    The algorithm is that of docs/architecture.md, section 4. A phase, or a read, whose column set is empty
    costs no verify and no pulse. READ_ROW reads the bridges of all columns, whatever the mask, and writes
    them to the image. Mask bits past the last column are ignored.

    Every running command ends within a bound, in ``done`` with a code. An abort, ``unlocked`` low while the
    rails are asked for, or ``hv_ready`` low once they have settled ends it at once: ``pulse``, ``verify``,
    ``wl_en``, ``precharge``, ``evaluate``, ``hv_en`` and ``active`` are low in the next cycle, which is that
    of ``done``. When several come together ABORTED goes before LOCKED before RAILS_LOST. Mask and image keep
    their words; an aborted READ_ROW may have written some of the image's. An abort while idle does nothing.

    All pins are registers. ``select``, ``row``, ``op``, ``side`` and levels are stable from ``wl_setup_cyc``
    cycles before a pulse to one cycle past its fall, and while ``verify`` is high. Within an attempt, and
    from its last pulse to its verify, the word line stays on; before that it falls for a cycle. The rails
    are low for at least ``row_words + 1`` cycles before ``precharge`` rises. While ``verify`` is high
    ``prog_level`` is the margin of the references: ``verify_margin`` in REFRESH_ROW, else 0. In the cycle
    of a ``done`` without error the last read phase may still be high; it is low in the next.

    What comes next is staged beside what runs now: the next group, or the columns of the verify, beside a
    pulse; the columns of the next phase beside the answers; those of the first phase beside the rails.

    Latency, from the cycle of ``start`` to that of ``done``: `bridgebnn.hdl.spec.program_cycles`. Of one pulse:
    ``wl_setup_cyc + width_cyc + 1`` cycles, at least ``row_words + 2``; of one verify: ``verify_cyc +
    row_words + 1``. Throughput: one command at a time, one failing device logged a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    cmd : In(CommandPort())
        ``detail``: entries logged by this command (NOT_CONVERGED), lowest differing column
        (READBACK_MISMATCH), else 0. An unknown opcode ends in BAD_COMMAND.
    settings : In(ProgramSettings)
        Stable while busy. A length, ``attempts`` or ``max_parallel`` of 0 acts as 1.
    unlocked : In(1)
        Programming is allowed. PROGRAM_ROW and REFRESH_ROW without it end in LOCKED, before the rails are
        asked for.
    pins : Out(ProgramPins(geometry))
    image, mask : In(WindowPort)
        Host access to the words of the row; ignored while busy.
    pulses, verifies, failures : Out(32)
        Rising edges of ``pins.pulse`` and ``pins.verify``, and log entries, since ``clear``; saturating.
    clear : In(1)
        Clears the three counters.
    log_push, log_entry : Out
        One entry of FAIL_LOG, word 0 low; valid in the cycle of ``log_push``.

    Raises
    ------
    TypeError
        ``geometry`` is not a `Geometry`.
    """

    def __init__(self, geometry: Geometry):
        if not isinstance(geometry, Geometry):
            raise TypeError(f"ProgramSequencer.geometry = {geometry!r}: must be a Geometry")
        self.geometry = geometry
        addr_width = max(1, bits_for(geometry.row_words - 1))
        super().__init__(
            {
                "cmd": In(CommandPort()),
                "settings": In(ProgramSettings),
                "unlocked": In(1),
                "pins": Out(ProgramPins(geometry)),
                "image": In(WindowPort(addr_width)),
                "mask": In(WindowPort(addr_width)),
                "pulses": Out(32),
                "verifies": Out(32),
                "failures": Out(32),
                "clear": In(1),
                "log_push": Out(1),
                "log_entry": Out(64),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g, s, pins = self.geometry, self.settings, self.pins

        # --- the command and the phase it is in ----------------------------------------------------
        command = Signal(Command)
        programming, refreshing, reading = Signal(), Signal(), Signal()
        final = Signal()  # the verify of step 3
        fresh = Signal()  # no phase has begun
        first = Signal()  # the phase's first verify
        ahead_final = Signal()
        ahead_op, ahead_side, ahead_ref = Signal(ProgOp), Signal(), Signal(VerifyRef)
        advance, phases_over = Signal(), Signal()
        legal = Signal()
        m.d.comb += [
            programming.eq((command == Command.PROGRAM_ROW) | refreshing),
            refreshing.eq(command == Command.REFRESH_ROW),
            reading.eq(command == Command.READ_ROW),
            legal.eq((s.tile < g.tiles) & (s.row < g.rows)),
            phases_over.eq(~fresh & final & (pins.op == ProgOp.SET) & pins.side),
        ]
        # P, then N, of FORM (not to refresh), RESET, SET, and of RESET, SET once more.
        m.d.comb += [ahead_op.eq(pins.op), ahead_side.eq(~pins.side), ahead_final.eq(final)]
        with m.If(fresh):
            m.d.comb += [ahead_side.eq(0), ahead_final.eq(~programming)]
            m.d.comb += ahead_op.eq(Mux(programming & ~refreshing, ProgOp.FORM, ProgOp.RESET))
        with m.Elif(pins.side & (pins.op == ProgOp.RESET)):
            m.d.comb += ahead_op.eq(ProgOp.SET)
        with m.Elif(pins.side):
            m.d.comb += [ahead_op.eq(ProgOp.RESET), ahead_final.eq(pins.op == ProgOp.SET)]
        with m.Switch(ahead_op):
            for op, ref in REFERENCES.items():
                with m.Case(op):
                    m.d.comb += ahead_ref.eq(ref)
        with m.If(advance):
            m.d.sync += [pins.op.eq(ahead_op), pins.side.eq(ahead_side), pins.verify_ref.eq(ahead_ref)]
            m.d.sync += [final.eq(ahead_final), first.eq(1), fresh.eq(0)]

        # --- what ends a command at once -----------------------------------------------------------
        armed = Signal()  # unlock needed
        rails_on = Signal()  # hv_ready needed
        stop = Signal()
        stop_code, end_code = Signal(ErrorCode), Signal(ErrorCode)
        with m.If(self.cmd.abort):
            m.d.comb += [stop.eq(1), stop_code.eq(ErrorCode.ABORTED)]
        with m.Elif(armed & ~self.unlocked):
            m.d.comb += [stop.eq(1), stop_code.eq(ErrorCode.LOCKED)]
        with m.Elif(rails_on & ~pins.hv_ready):
            m.d.comb += [stop.eq(1), stop_code.eq(ErrorCode.RAILS_LOST)]

        # --- timers: ``expired`` in the last of ``limit`` cycles of ``timing`` ---------------------
        timing, expired, limit = Signal(), Signal(), Signal(16)
        timer = Signal(16)
        m.d.comb += expired.eq(timing & (timer + 1 >= limit))
        m.d.sync += timer.eq(Mux(timing & ~expired, timer + 1, 0))
        raising, settled, ready_for = Signal(), Signal(), Signal(16)
        ready = raising & pins.hv_en & pins.hv_ready
        m.d.comb += settled.eq(ready & (ready_for + 1 >= s.rail_settle_cyc))
        m.d.sync += ready_for.eq(Mux(ready & ~settled, ready_for + 1, 0))

        # --- the columns and the levels ------------------------------------------------------------
        m.submodules.columns = columns = ColumnWalk(g.columns)
        for host, inner in ((self.image, columns.image), (self.mask, columns.mask)):
            m.d.comb += [inner.addr.eq(host.addr), inner.w_en.eq(host.w_en), inner.w_data.eq(host.w_data)]
            m.d.comb += [inner.r_en.eq(host.r_en), host.r_data.eq(inner.r_data)]
        m.d.comb += [
            columns.busy.eq(self.cmd.busy),
            columns.op.eq(pins.op),
            columns.side.eq(pins.side),
            columns.ahead_op.eq(ahead_op),
            columns.ahead_side.eq(ahead_side),
            columns.first.eq(first),
            columns.known.eq(final & programming),
            columns.forget.eq(fresh),
            columns.whole.eq(reading),
            columns.max_parallel.eq(s.max_parallel),
            columns.sl.eq(pins.sl),
            pins.select.eq(columns.select),
        ]
        m.submodules.levels = levels = StepLevels()
        conditions = Signal(PulseSettings)
        with m.Switch(pins.op):
            for op in ProgOp:
                with m.Case(op):
                    m.d.comb += conditions.eq(s.ops[op])
        m.d.comb += [
            levels.settings.eq(conditions),
            pins.wl_level.eq(levels.wl_level),
        ]

        # --- results -------------------------------------------------------------------------------
        failed_now = Signal(24)
        mismatch, mismatch_column = Signal(), Signal(13)
        m.d.comb += [
            self.log_push.eq(columns.push),
            self.log_entry[0:13].eq(columns.column),
            self.log_entry[13:25].eq(pins.row),
            self.log_entry[25].eq(pins.side),
            self.log_entry[26:28].eq(pins.op),
            self.log_entry[31].eq(1),
            self.log_entry[32:].eq(pins.tile),
        ]
        with m.If(self.log_push):
            m.d.sync += failed_now.eq(failed_now + 1)
        with m.If(columns.differs & programming & ~mismatch):
            m.d.sync += [mismatch.eq(1), mismatch_column.eq(columns.column)]
        with m.If(end_code != ErrorCode.NONE):
            m.d.comb += self.cmd.code.eq(end_code)
        with m.Elif(failed_now.any()):
            m.d.comb += [self.cmd.code.eq(ErrorCode.NOT_CONVERGED), self.cmd.detail.eq(failed_now)]
        with m.Elif(mismatch):
            m.d.comb += [self.cmd.code.eq(ErrorCode.READBACK_MISMATCH), self.cmd.detail.eq(mismatch_column)]

        # --- output registers: low unless a running state drives them ------------------------------
        driven = ("wl_en", "pulse", "verify", "precharge", "evaluate")
        drive = {name: Signal(name=f"drive_{name}") for name in driven}
        for name, value in drive.items():
            m.d.sync += getattr(pins, name).eq(value)
        active = Signal()
        m.d.sync += pins.active.eq(active)
        for total, event in (
            (self.pulses, drive["pulse"] & ~pins.pulse),
            (self.verifies, drive["verify"] & ~pins.verify),
            (self.failures, self.log_push),
        ):
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(event & ~total.all()):
                m.d.sync += total.eq(total + 1)

        # --- staging -------------------------------------------------------------------------------
        loaded = Signal()  # the first cycle of a timed state, in which what was staged is taken over
        staged = Signal()
        last_group = Signal()
        m.d.comb += loaded.eq(~timer.any())
        with m.If(columns.load):
            m.d.sync += [staged.eq(0), last_group.eq(~columns.more)]
        with m.Elif(columns.last):
            m.d.sync += staged.eq(1)

        def stage_beside_pulse():
            """Walks for what follows this pulse: the next group, or after the last all that are pending."""
            with m.If(~columns.load & ~staged):
                m.d.comb += columns.walk.eq(Mux(last_group, Walk.SELECT, Walk.CHOOSE))

        def go_to_next_phase():
            """The phase ahead is known now: verify its columns, or look past it when it has none."""
            with m.If(phases_over):
                m.next = State.FINISH
                with m.If(programming):
                    m.next = State.LOWER_RAILS
            with m.Else():
                m.d.comb += advance.eq(1)
                m.next = State.FIND_TARGETS
                with m.If(columns.ahead):
                    m.next = State.VERIFY

        @contextlib.contextmanager
        def running(state):
            """A state of a running command: when that has to stop, it drives nothing and goes to FINISH."""
            with m.State(state):
                with m.If(stop):
                    m.d.sync += [end_code.eq(stop_code), pins.hv_en.eq(0), armed.eq(0), rails_on.eq(0)]
                    m.next = State.FINISH
                with m.Else():
                    m.d.comb += active.eq(1)
                    yield

        m.d.comb += self.cmd.busy.eq(1)
        with m.FSM(init=State.IDLE):
            # Waits for a command and takes its address.
            with m.State(State.IDLE):
                m.d.comb += self.cmd.busy.eq(0)
                with m.If(self.cmd.start):
                    m.d.sync += [command.eq(self.cmd.command), pins.tile.eq(s.tile), pins.row.eq(s.row)]
                    m.d.sync += [end_code.eq(ErrorCode.NONE), failed_now.eq(0), mismatch.eq(0)]
                    m.d.sync += [fresh.eq(1), staged.eq(0)]
                    m.next = State.CHECK_ADDRESS

            # One cycle: refuses a row outside the geometry, else goes where the command begins.
            with running(State.CHECK_ADDRESS):
                m.d.comb += active.eq(0)
                m.next = State.FINISH
                with m.If(~legal):
                    m.d.sync += end_code.eq(ErrorCode.BAD_ADDRESS)
                with m.Elif(programming):
                    m.d.sync += armed.eq(1)
                    m.next = State.RAISE_RAILS
                with m.Elif(command == Command.VERIFY_ROW):
                    m.next = State.FIND_TARGETS
                with m.Elif(reading):
                    m.next = State.SELECT_READ
                with m.Else():
                    m.d.sync += end_code.eq(ErrorCode.BAD_COMMAND)

            # Drives hv_en and stages the first phase; waits until hv_ready has stayed high long enough, or
            # the limit is over.
            with running(State.RAISE_RAILS):
                m.d.comb += [raising.eq(1), timing.eq(pins.hv_en & ~settled), limit.eq(s.rail_limit_cyc)]
                m.d.sync += pins.hv_en.eq(1)
                with m.If(~staged):
                    m.d.comb += columns.walk.eq(Walk.FIND)
                with m.If(settled):
                    m.d.sync += rails_on.eq(1)
                    m.next = State.FIND_TARGETS
                    with m.If(staged | columns.last):
                        go_to_next_phase()
                with m.Elif(expired):
                    m.d.sync += [end_code.eq(ErrorCode.RAILS_TIMEOUT), pins.hv_en.eq(0), armed.eq(0)]
                    m.next = State.FINISH

            # Walks mask and image: stages the columns of the phase ahead.
            with running(State.FIND_TARGETS):
                m.d.comb += columns.walk.eq(Walk.FIND)
                with m.If(columns.last):
                    go_to_next_phase()

            # Drives verify for the time the macro needs; columns and levels change before it rises.
            with running(State.VERIFY):
                m.d.comb += [drive["wl_en"].eq(1), drive["verify"].eq(1), columns.load.eq(loaded)]
                m.d.comb += [levels.begin.eq(loaded & first), levels.step.eq(loaded & ~first)]
                with m.If(loaded):
                    m.d.sync += pins.prog_level.eq(Mux(refreshing, s.verify_margin, 0))
                m.d.comb += [timing.eq(1), limit.eq(s.verify_cyc)]
                with m.If(expired):
                    m.next = State.DROP_PASSED

            # Walks the answers while verify stays high: only what failed remains pending. May that be pulsed?
            with running(State.DROP_PASSED):
                m.d.comb += [drive["wl_en"].eq(~columns.last), drive["verify"].eq(~columns.last)]
                m.d.comb += columns.walk.eq(Walk.DROP)
                with m.If(columns.last):
                    m.next = State.SET_UP
                    with m.If(~columns.left):
                        go_to_next_phase()
                    with m.Elif(final | levels.exhausted):
                        m.next = State.LOG_FAILED

            # Drives the word line of the next group and waits for it to settle.
            with running(State.SET_UP):
                m.d.comb += [drive["wl_en"].eq(1), columns.load.eq(loaded)]
                m.d.comb += [timing.eq(1), limit.eq(s.wl_setup_cyc)]
                m.d.sync += [first.eq(0), pins.prog_level.eq(levels.prog_level)]
                stage_beside_pulse()
                with m.If(expired):
                    m.next = State.PULSE

            # Drives the pulse for its width.
            with running(State.PULSE):
                m.d.comb += [drive["wl_en"].eq(1), drive["pulse"].eq(1)]
                m.d.comb += [timing.eq(1), limit.eq(conditions.width_cyc)]
                stage_beside_pulse()
                with m.If(expired):
                    m.next = State.HOLD

            # The pulse falls, everything else stays: for one cycle, or until what follows is staged.
            with running(State.HOLD):
                m.d.comb += drive["wl_en"].eq(1)
                stage_beside_pulse()
                with m.If(staged | columns.last):
                    m.next = State.SET_UP
                    with m.If(last_group):
                        m.next = State.VERIFY

            # Walks the pending columns one at a time: pushes each to the log and marks it.
            with running(State.LOG_FAILED):
                m.d.comb += columns.walk.eq(Walk.LOG)
                with m.If(columns.last):
                    go_to_next_phase()

            # One cycle: takes the rails away before the bridges are read.
            with running(State.LOWER_RAILS):
                m.d.sync += [pins.hv_en.eq(0), armed.eq(0), rails_on.eq(0)]
                m.next = State.SELECT_READ

            # Walks the mask: stages the columns that the bridge read asks.
            with running(State.SELECT_READ):
                m.d.comb += columns.walk.eq(Walk.ASK)
                with m.If(columns.last):
                    m.next = State.FINISH
                    with m.If(columns.ahead):
                        m.next = State.PRECHARGE

            # Drives the first read phase.
            with running(State.PRECHARGE):
                m.d.comb += [drive["wl_en"].eq(1), drive["precharge"].eq(1), columns.load.eq(loaded)]
                m.d.comb += [timing.eq(1), limit.eq(s.wl_setup_cyc)]
                with m.If(expired):
                    m.next = State.EVALUATE

            # Drives the second read phase until sl is valid.
            with running(State.EVALUATE):
                m.d.comb += [drive["wl_en"].eq(1), drive["evaluate"].eq(1)]
                m.d.comb += [timing.eq(1), limit.eq(s.wl_setup_cyc)]
                with m.If(expired):
                    m.next = State.CAPTURE

            # Walks the answers while evaluate stays high: to the image, or against it.
            with running(State.CAPTURE):
                m.d.comb += [drive["wl_en"].eq(1), drive["evaluate"].eq(1)]
                m.d.comb += columns.walk.eq(Walk.CAPTURE)
                with m.If(columns.last):
                    m.next = State.FINISH

            # One cycle: says how the command ended.
            with m.State(State.FINISH):
                m.d.comb += self.cmd.done.eq(1)
                m.next = State.IDLE
        return m
