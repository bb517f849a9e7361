"""The attempts of a phase: verify, drop what passed, pulse what is left, and log what no attempt brings home."""

import contextlib
from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from bridgebnn.hdl.signatures import PulseSettings

from .column_walk import Walk
from .phases import Phase
from .pin_driver import PinStep
from .step_levels import StepLevels

__all__ = ["AttemptState", "Attempts"]


class AttemptState(StrEnum):
    """What is being done about the phase."""

    IDLE = "idle"
    FIND_TARGETS = "find targets"
    DROP_PASSED = "drop passed"
    PULSE_PENDING = "pulse pending"
    LOG_FAILED = "log failed"


class Attempts(Component):
    """Brings the devices of one phase after the other to their state, by steps on the pins and walks.

    A phase: verify all its columns; those that fail are pending. While some are and attempts are left, pulse
    the pending ones, group by group, and verify them again. What remains is logged. A final phase is verified
    once. A phase without columns costs no step.

    What comes next is staged beside what runs now: the columns of the phase ahead beside the rails, the
    answers or the log; the next group, or the columns of the next verify, beside a pulse.

    Latency: `bridgebnn.hdl.spec.program_cycles.phase_cycles` per phase, from the cycle after it is taken; the
    outputs are combinational in ``walk.ready``, ``step.ready`` and ``rails_pending``. Throughput: one phase
    at a time.

    Members
    -------
    start : In(1)
        A command begins, only while idle; its first phase is looked at from the next cycle on.
    stop : In(1)
        Ends all at once: nothing is offered in this cycle, and nothing runs in the next.
    done : Out(1)
        One cycle, the last one: no phase is left.
    rails_pending : In(1)
        The first phase is found, but not begun, while this is high.
    rails_failed : In(1)
        With ``rails_pending``: nothing is to be attempted; idle in the next cycle.
    now : In(Phase)
        The phase that was taken last.
    phase : In(stream.Signature(Phase))
        The phases, taken when their columns are staged; one without columns is taken, too.
    settings : In(PulseSettings)
        Of the operation of ``now``.
    walk : Out(stream.Signature(Walk))
        Walks over the columns. Each is complete with its transfer; a stop alone withdraws one.
    any_pending, group_follows, any_ahead : In(1)
        What `ColumnWalk` found.
    first_verify : Out(1)
        The phase's first verify: all its columns were asked.
    step : Out(stream.Signature(PinStep))
        VERIFY and PULSE, each on the columns that are staged. VERIFY for a new phase and the first PULSE of
        an attempt come when no pulse is under way; there ``ready`` has to be high.
    load : In(1)
        The first cycle of a step: the columns that were staged are taken over.
    wl_level, prog_level : Out(8)
        Levels of the attempt; they change 1 cycle after the ``load`` of its verify.
    """

    start: In(1)
    stop: In(1)
    done: Out(1)
    rails_pending: In(1)
    rails_failed: In(1)
    now: In(Phase)
    phase: In(stream.Signature(Phase))
    settings: In(PulseSettings)
    walk: Out(stream.Signature(Walk))
    any_pending: In(1)
    group_follows: In(1)
    any_ahead: In(1)
    first_verify: Out(1)
    step: Out(stream.Signature(PinStep))
    load: In(1)
    wl_level: Out(8)
    prog_level: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.levels = levels = StepLevels()
        m.d.comb += [
            levels.settings.eq(self.settings),
            self.wl_level.eq(levels.wl_level),
            self.prog_level.eq(levels.prog_level),
        ]
        walked = self.walk.ready
        found = Signal()  # the columns of the first phase are staged, the rails are awaited
        staged = Signal()  # so are the columns of the step after this pulse
        last_group = Signal()  # no group follows the one that is pulsed
        step_taken = self.step.valid & self.step.ready
        with m.If(self.load):
            m.d.sync += last_group.eq(~self.group_follows)

        def request_walk(kind):
            m.d.comb += [self.walk.valid.eq(1), self.walk.payload.eq(kind)]

        def request_step(kind):
            m.d.comb += [self.step.valid.eq(1), self.step.payload.eq(kind)]

        def take_phase():
            """The columns of the phase ahead are known now: verify them, or look past it when it has none."""
            with m.If(~self.phase.valid):
                m.d.comb += self.done.eq(1)
                m.next = AttemptState.IDLE
            with m.Else():
                m.d.comb += self.phase.ready.eq(1)
                m.d.sync += self.first_verify.eq(1)
                m.next = AttemptState.FIND_TARGETS
                with m.If(self.any_ahead):
                    request_step(PinStep.VERIFY)
                    m.next = AttemptState.DROP_PASSED

        @contextlib.contextmanager
        def running(state):
            """A state that a stop ends: it then offers nothing."""
            with m.State(state):
                with m.If(self.stop):
                    m.next = AttemptState.IDLE
                with m.Else():
                    yield

        with m.FSM(init=AttemptState.IDLE):
            # Waits for a command.
            with m.State(AttemptState.IDLE):
                m.d.sync += found.eq(0)
                with m.If(self.start):
                    m.next = AttemptState.FIND_TARGETS

            # Walks mask and image: stages the columns of the phase ahead. Waits for the rails before the first.
            with running(AttemptState.FIND_TARGETS):
                with m.If(~found):
                    request_walk(Walk.FIND)
                with m.If(found | walked):
                    m.d.sync += found.eq(self.rails_pending)
                    with m.If(~self.rails_pending):
                        take_phase()
                with m.If(self.rails_failed):
                    m.next = AttemptState.IDLE

            # Waits for the answers of a verify and walks them: only what failed remains pending, and what to
            # do with it follows. The first cycle of the verify counts the attempt.
            with running(AttemptState.DROP_PASSED):
                request_walk(Walk.DROP)
                m.d.comb += levels.start.eq(self.load & self.first_verify)
                m.d.comb += levels.step.eq(self.load & ~self.first_verify)
                with m.If(walked):
                    with m.If(~self.any_pending):
                        take_phase()
                    with m.Elif(self.now.final | levels.exhausted):
                        m.next = AttemptState.LOG_FAILED
                    with m.Else():
                        request_step(PinStep.PULSE)
                        m.d.sync += [self.first_verify.eq(0), staged.eq(0)]
                        m.next = AttemptState.PULSE_PENDING

            # Drives a pulse per group; stages, beside each, the next group or after the last one all that are
            # pending. Waits until the pulse is over, then pulses that group or verifies.
            with running(AttemptState.PULSE_PENDING):
                with m.If(~self.load & ~staged):
                    request_walk(Mux(last_group, Walk.SELECT, Walk.CHOOSE))
                with m.If(staged | walked):
                    m.d.sync += staged.eq(1)
                    request_step(Mux(last_group, PinStep.VERIFY, PinStep.PULSE))
                with m.If(step_taken):
                    m.d.sync += staged.eq(0)
                    with m.If(last_group):
                        m.next = AttemptState.DROP_PASSED

            # Walks the pending columns one at a time: each goes to the log and is marked.
            with running(AttemptState.LOG_FAILED):
                request_walk(Walk.LOG)
                with m.If(walked):
                    take_phase()
        return m
