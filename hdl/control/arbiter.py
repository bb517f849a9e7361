"""Command arbiter: who may run, what became of it, and who may program."""

from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bridgebnn.hdl.signatures import CommandPort
from bridgebnn.hdl.spec import UNLOCK_KEYS, Command, ErrorCode

__all__ = ["CommandArbiter", "UnlockSequence"]

TO_PROGRAM_SEQUENCER = (Command.PROGRAM_ROW, Command.REFRESH_ROW, Command.VERIFY_ROW, Command.READ_ROW)
NEEDS_UNLOCK = (Command.PROGRAM_ROW, Command.REFRESH_ROW)
NEEDS_READABLE = TO_PROGRAM_SEQUENCER
"""PROGRAM_ROW and REFRESH_ROW, too: with levels too weak to move a device they verify, and log what failed."""


class State(StrEnum):
    """What the arbiter is doing."""

    AWAIT_COMMAND = "await_command"
    CHECK_COMMAND = "check_command"
    AWAIT_END = "await_end"


class UnlockState(StrEnum):
    """How far the unlock sequence has come."""

    RELOCKED = "relocked"
    AWAIT_SECOND_KEY = "await_second_key"
    UNLOCKED = "unlocked"


class UnlockSequence(wiring.Component):
    """Programming is unlocked by the two keys in consecutive writes, and relocked by any other write.

    *Latency*: 1 cycle from ``strobe`` to ``unlocked``; none from ``lock``.

    Members
    -------
    strobe : In(1)
        The host writes ``key``.
    key : In(32)
    lock : In(1)
        Holds everything locked.
    unlocked : Out(1)
    """

    def __init__(self):
        super().__init__({"strobe": In(1), "key": In(32), "lock": In(1), "unlocked": Out(1)})

    def elaborate(self, platform):
        m = Module()
        first, second = UNLOCK_KEYS
        with m.FSM(name="unlock") as fsm:
            # Waits for the first key.
            with m.State(UnlockState.RELOCKED), m.If(self.strobe & (self.key == first) & ~self.lock):
                m.next = UnlockState.AWAIT_SECOND_KEY

            # Waits for the second key; the first one again counts as a new start.
            with m.State(UnlockState.AWAIT_SECOND_KEY):
                with m.If(self.lock):
                    m.next = UnlockState.RELOCKED
                with m.Elif(self.strobe & (self.key == second)):
                    m.next = UnlockState.UNLOCKED
                with m.Elif(self.strobe & (self.key != first)):
                    m.next = UnlockState.RELOCKED

            # Programming allowed; any write, or the lock, ends it.
            with m.State(UnlockState.UNLOCKED):
                with m.If(self.lock):
                    m.next = UnlockState.RELOCKED
                with m.Elif(self.strobe):
                    m.next = UnlockState.RELOCKED
                    with m.If(self.key == first):
                        m.next = UnlockState.AWAIT_SECOND_KEY

        m.d.comb += self.unlocked.eq(fsm.ongoing(UnlockState.UNLOCKED) & ~self.lock)
        return m


class CommandArbiter(wiring.Component):
    """Run one command at a time on the sequencer it belongs to and keep its outcome.

    A command is *rejected* (``reject`` with ``strobe``, one cycle of ``rejected``) while another one runs;
    the running one and its outcome are not disturbed. ABORT is never rejected: it ends a running command and
    does nothing while idle. Every other command is *accepted*: it clears the outcome of the one before and
    ends in ``done`` or in ``error`` with a code. Ended at once: NOP and CLEAR_LOG (done), PROGRAM_ROW and
    REFRESH_ROW while locked (LOCKED), all four row commands under the read lock (READ_LOCKED), unknown
    opcodes (BAD_COMMAND).

    *Latency*: ``busy`` rises the cycle after ``strobe``, ``start`` falls into that same cycle; the outcome
    is there the cycle after the sequencer's ``done``. A command that starts no sequencer is busy for 1
    cycle.

    Members
    -------
    strobe : In(1)
        The host writes ``opcode``.
    opcode : In(4)
        ``bridgebnn.hdl.spec.Command``.
    reject : Out(1)
        Valid with ``strobe``.
    unlocked, read_locked : In(1)
    program, layer : Out(CommandPort)
        To the program sequencer (all that end in ROW) and to the layer sequencer (INFER).
    clear_log : Out(1)
        One cycle.
    busy, done, error : Out(1)
        State and outcome; of ``done`` and ``error`` at most one is high.
    command : Out(4)
        The running or last command.
    code : Out(8), detail : Out(24)
        Of the last command that ended in error.
    rejected, ended_done, ended_error : Out(1)
        Events, one cycle each.
    """

    def __init__(self):
        super().__init__(
            {
                "strobe": In(1),
                "opcode": In(4),
                "reject": Out(1),
                "unlocked": In(1),
                "read_locked": In(1),
                "program": Out(CommandPort()),
                "layer": Out(CommandPort()),
                "clear_log": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "error": Out(1),
                "command": Out(4),
                "code": Out(8),
                "detail": Out(24),
                "rejected": Out(1),
                "ended_done": Out(1),
                "ended_error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        is_abort = Signal()
        abort = Signal()
        end = Signal()
        code = Signal(8)
        detail = Signal(24)
        refusal = Signal(8)
        to_program = Signal()
        to_layer = Signal()
        m.d.comb += [
            is_abort.eq(self.opcode == Command.ABORT),
            abort.eq(self.strobe & is_abort),
            self.reject.eq(self.busy & ~is_abort),
            self.rejected.eq(self.strobe & self.reject),
            self.ended_done.eq(end & (code == ErrorCode.NONE)),
            self.ended_error.eq(end & (code != ErrorCode.NONE)),
            self.program.command.eq(self.command),
            self.layer.command.eq(self.command),
        ]
        self._classify(m, to_program, to_layer, refusal)

        with m.FSM(name="arbiter") as fsm:
            # Waits for a command and forgets the outcome of the one before.
            with m.State(State.AWAIT_COMMAND), m.If(self.strobe & ~is_abort):
                m.d.sync += [
                    self.command.eq(self.opcode),
                    self.done.eq(0),
                    self.error.eq(0),
                    self.code.eq(ErrorCode.NONE),
                    self.detail.eq(0),
                ]
                m.next = State.CHECK_COMMAND

            # Starts the sequencer of a legal command; ends every other one.
            with m.State(State.CHECK_COMMAND):
                with m.If(abort):
                    m.d.comb += [end.eq(1), code.eq(ErrorCode.ABORTED)]
                    m.next = State.AWAIT_COMMAND
                with m.Elif((refusal == ErrorCode.NONE) & (to_program | to_layer)):
                    m.d.comb += [self.program.start.eq(to_program), self.layer.start.eq(to_layer)]
                    m.next = State.AWAIT_END
                with m.Else():
                    m.d.comb += [end.eq(1), code.eq(refusal)]
                    m.d.comb += self.clear_log.eq(self.command == Command.CLEAR_LOG)
                    m.next = State.AWAIT_COMMAND

            # Waits for the sequencer, and passes an abort on to it.
            with m.State(State.AWAIT_END):
                m.d.comb += [
                    self.program.abort.eq(abort & to_program),
                    self.layer.abort.eq(abort & to_layer),
                    end.eq(Mux(to_program, self.program.done, self.layer.done)),
                    code.eq(Mux(to_program, self.program.code, self.layer.code)),
                    detail.eq(Mux(to_program, self.program.detail, self.layer.detail)),
                ]
                with m.If(end):
                    m.next = State.AWAIT_COMMAND

        m.d.comb += self.busy.eq(~fsm.ongoing(State.AWAIT_COMMAND))
        with m.If(end):
            m.d.sync += [self.done.eq(code == ErrorCode.NONE), self.error.eq(code != ErrorCode.NONE)]
            with m.If(code != ErrorCode.NONE):
                m.d.sync += [self.code.eq(code), self.detail.eq(detail)]
        return m

    def _classify(self, m: Module, to_program: Signal, to_layer: Signal, refusal: Signal):
        """Which sequencer runs ``command``, and why it may not start."""
        with m.Switch(self.command):
            with m.Case(*TO_PROGRAM_SEQUENCER):
                m.d.comb += to_program.eq(1)
            with m.Case(Command.INFER):
                m.d.comb += to_layer.eq(1)
            with m.Case(Command.NOP, Command.CLEAR_LOG):
                pass
            with m.Default():
                m.d.comb += refusal.eq(ErrorCode.BAD_COMMAND)
        with m.Switch(self.command):
            with m.Case(*NEEDS_UNLOCK), m.If(~self.unlocked):
                m.d.comb += refusal.eq(ErrorCode.LOCKED)
        with m.Switch(self.command):  # a later refusal goes before an earlier one
            with m.Case(*NEEDS_READABLE), m.If(self.read_locked):
                m.d.comb += refusal.eq(ErrorCode.READ_LOCKED)
