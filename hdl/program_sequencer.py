"""Programs, verifies and reads back one row of bridges: column groups, program-and-verify, stepped levels."""

import contextlib
from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from .column_walk import ColumnWalk, Walk
from .config import Command, ErrorCode, Geometry, ProgOp, VerifyRef
from .signatures import CommandPort, ProgramPins, ProgramSettings, PulseSettings, WindowPort
from .step_levels import StepLevels

__all__ = ["ProgramSequencer", "State"]


class State(StrEnum):
    """What the program sequencer is doing."""

    IDLE = "idle"
    CHECK_ADDRESS = "check address"
    RAISE_RAILS = "raise rails"
    FIND_TARGETS = "find targets"
    VERIFY = "verify"
    DROP_PASSED = "drop passed"
    JUDGE = "judge"
    CHOOSE_GROUP = "choose group"
    SET_UP = "set up"
    PULSE = "pulse"
    HOLD = "hold"
    SELECT_PENDING = "select pending"
    LOG_FAILED = "log failed"
    NEXT_PHASE = "next phase"
    LOWER_RAILS = "lower rails"
    SELECT_READ = "select read"
    PRECHARGE = "precharge"
    EVALUATE = "evaluate"
    CAPTURE = "capture"
    FINISH = "finish"


class ProgramSequencer(Component):
    """Runs PROGRAM_ROW, VERIFY_ROW and READ_ROW on one row of one tile.

    The algorithm is that of docs/architecture.md, section 4. A phase, or a read, whose column set is empty
    costs no verify and no pulse. READ_ROW reads the bridges of all columns, whatever the mask, and writes
    them to the image. Mask bits past the last column are ignored.

    Every running command ends within a bound, in ``done`` with a code. An abort, ``unlocked`` low while the
    rails are asked for, or ``hv_ready`` low once they have settled ends it at once: ``pulse``, ``verify``,
    ``wl_en``, ``precharge``, ``evaluate``, ``hv_en`` and ``active`` are low in the next cycle, which is that
    of ``done``. When several come together ABORTED goes before LOCKED before RAILS_LOST. Mask and image keep
    their words; an aborted READ_ROW may have written some of the image's. An abort while idle does nothing.

    All pins are registers. ``select``, ``row``, ``op``, ``side`` and levels are stable from ``wl_setup_cyc``
    cycles before a pulse to one cycle past its fall, and while ``verify`` is high. The rails are low for
    at least ``row_words + 1`` cycles before ``precharge`` rises. In the cycle of a ``done`` without error the
    last read phase may still be high; it is low in the next.

    Latency, from the cycle of ``start`` to that of ``done``: `hdl.program_cycles`. Of one pulse:
    ``wl_setup_cyc + width_cyc + 3`` cycles; of one attempt: ``3*row_words + verify_cyc + 2`` more.
    Throughput: one command at a time, one failing device logged a cycle.

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
        Programming is allowed. PROGRAM_ROW without it ends in LOCKED, before the rails are asked for.
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
        programming, reading = Signal(), Signal()
        final = Signal()  # the verify of step 3
        first_phase, advance, phases_over = Signal(), Signal(), Signal()
        legal = Signal()
        m.d.comb += [
            programming.eq(command == Command.PROGRAM_ROW),
            reading.eq(command == Command.READ_ROW),
            legal.eq((s.tile < g.tiles) & (s.row < g.rows)),
            phases_over.eq(final & (pins.op == ProgOp.SET) & pins.side),
        ]
        with m.If(first_phase):
            m.d.sync += [pins.side.eq(0), final.eq(~programming)]
            m.d.sync += pins.op.eq(Mux(programming, ProgOp.FORM, ProgOp.RESET))
            m.d.sync += pins.verify_ref.eq(Mux(programming, VerifyRef.FORMED, VerifyRef.HRS_MIN))
        with m.Elif(advance):  # P, then N, of FORM, RESET, SET, and of RESET, SET once more
            m.d.sync += pins.side.eq(~pins.side)
            with m.If(pins.side & (pins.op == ProgOp.RESET)):
                m.d.sync += [pins.op.eq(ProgOp.SET), pins.verify_ref.eq(VerifyRef.LRS_MAX)]
            with m.Elif(pins.side):
                m.d.sync += [pins.op.eq(ProgOp.RESET), pins.verify_ref.eq(VerifyRef.HRS_MIN)]
                m.d.sync += final.eq(pins.op == ProgOp.SET)

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
            columns.known.eq(final & programming),
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
            pins.prog_level.eq(levels.prog_level),
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
        last_group = Signal()
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
                    m.next = State.CHECK_ADDRESS

            # One cycle: refuses a row outside the geometry, else goes where the command begins.
            with running(State.CHECK_ADDRESS):
                m.d.comb += [first_phase.eq(1), active.eq(0)]
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

            # Drives hv_en; waits until hv_ready has stayed high long enough, or the limit is over.
            with running(State.RAISE_RAILS):
                m.d.comb += [raising.eq(1), timing.eq(pins.hv_en), limit.eq(s.rail_limit_cyc)]
                m.d.sync += pins.hv_en.eq(1)
                with m.If(settled):
                    m.d.sync += rails_on.eq(1)
                    m.next = State.FIND_TARGETS
                with m.Elif(expired):
                    m.d.sync += [end_code.eq(ErrorCode.RAILS_TIMEOUT), pins.hv_en.eq(0), armed.eq(0)]
                    m.next = State.FINISH

            # Walks mask and image: the columns of this phase become pending and selected.
            with running(State.FIND_TARGETS):
                m.d.comb += [columns.walk.eq(Walk.FIND), levels.begin.eq(1)]
                with m.If(columns.last):
                    m.next = State.NEXT_PHASE
                    with m.If(columns.any_found):
                        m.next = State.VERIFY

            # Drives verify for the time the macro needs.
            with running(State.VERIFY):
                m.d.comb += [drive["wl_en"].eq(1), drive["verify"].eq(1)]
                m.d.comb += [timing.eq(1), limit.eq(s.verify_cyc)]
                with m.If(expired):
                    m.next = State.DROP_PASSED

            # Walks the answers while verify stays high: only what failed remains pending.
            with running(State.DROP_PASSED):
                m.d.comb += [drive["wl_en"].eq(1), drive["verify"].eq(1)]
                m.d.comb += columns.walk.eq(Walk.DROP)
                with m.If(columns.last):
                    m.next = State.JUDGE

            # One cycle, in which verify falls: is anything left, and may it be pulsed again?
            with running(State.JUDGE):
                m.next = State.CHOOSE_GROUP
                with m.If(~columns.left):
                    m.next = State.NEXT_PHASE
                with m.Elif(final | levels.exhausted):
                    m.next = State.LOG_FAILED

            # Walks the pending columns after the group before: selects the lowest, until one does not fit.
            with running(State.CHOOSE_GROUP):
                m.d.comb += columns.walk.eq(Walk.CHOOSE)
                m.d.sync += last_group.eq(columns.last)
                with m.If(columns.last | columns.more):
                    m.next = State.SET_UP

            # Drives the word line and waits for it to settle.
            with running(State.SET_UP):
                m.d.comb += [drive["wl_en"].eq(1), timing.eq(1), limit.eq(s.wl_setup_cyc)]
                with m.If(expired):
                    m.next = State.PULSE

            # Drives the pulse for its width.
            with running(State.PULSE):
                m.d.comb += [drive["wl_en"].eq(1), drive["pulse"].eq(1)]
                m.d.comb += [timing.eq(1), limit.eq(conditions.width_cyc)]
                with m.If(expired):
                    m.next = State.HOLD

            # One cycle: the pulse falls, everything else stays.
            with running(State.HOLD):
                m.d.comb += drive["wl_en"].eq(1)
                m.next = State.CHOOSE_GROUP
                with m.If(last_group):
                    m.next = State.SELECT_PENDING

            # Walks the pending columns: all are selected for the next verify, and the next levels come up.
            with running(State.SELECT_PENDING):
                m.d.comb += columns.walk.eq(Walk.SELECT)
                with m.If(columns.last):
                    m.d.comb += levels.step.eq(1)
                    m.next = State.VERIFY

            # Walks the pending columns one at a time: pushes each to the log and marks it.
            with running(State.LOG_FAILED):
                m.d.comb += columns.walk.eq(Walk.LOG)
                with m.If(columns.last):
                    m.next = State.NEXT_PHASE

            # One cycle: goes to the other side, the next operation, the final verify, or on.
            with running(State.NEXT_PHASE):
                m.d.comb += advance.eq(1)
                m.next = State.FIND_TARGETS
                with m.If(phases_over):
                    m.next = State.FINISH
                    with m.If(programming):
                        m.next = State.LOWER_RAILS

            # One cycle: takes the rails away before the bridges are read.
            with running(State.LOWER_RAILS):
                m.d.sync += [pins.hv_en.eq(0), armed.eq(0), rails_on.eq(0)]
                m.next = State.SELECT_READ

            # Walks the mask: selects the columns that the bridge read asks.
            with running(State.SELECT_READ):
                m.d.comb += columns.walk.eq(Walk.ASK)
                with m.If(columns.last):
                    m.next = State.FINISH
                    with m.If(columns.any_found):
                        m.next = State.PRECHARGE

            # Drives the first read phase.
            with running(State.PRECHARGE):
                m.d.comb += [drive["wl_en"].eq(1), drive["precharge"].eq(1)]
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
