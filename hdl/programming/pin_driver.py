"""The pin timing of programming: pulses, verifies and bridge reads, one after the other."""

import contextlib
import enum
from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["PinDriver", "PinState", "PinStep"]


class PinStep(enum.IntEnum):
    """One use of the row that is addressed, on the columns that are staged."""

    VERIFY = 0  # a verify read; its answers are given until they are taken
    PULSE = 1  # set-up, a programming pulse, hold
    READ = 2  # precharge, evaluate; the bridges' answers are given until they are taken


class PinState(StrEnum):
    """What the pins do."""

    IDLE = "idle"
    VERIFY = "verify"
    ANSWER_VERIFY = "answer verify"
    SET_UP = "set up"
    PULSE = "pulse"
    HOLD = "hold"
    PRECHARGE = "precharge"
    EVALUATE = "evaluate"
    ANSWER_READ = "answer read"


class PinDriver(Component):
    """Takes a stream of steps and drives the pins of each for as long as the settings say.

    The strobes are registers, low unless a step drives them: what this block's states ask for is on the pins
    one cycle later. The word line stays on from one step to the next when a pulse is followed by a pulse or a
    verify, and falls for a cycle after the answers of a verify.

    Latency, from the transfer of a step to the cycle in which the next may be taken: VERIFY ``verify_cyc`` and
    the cycles until its answers are taken; PULSE ``wl_setup_cyc + width_cyc + 1``; READ ``2*wl_setup_cyc``,
    the cycles until its answers are taken, and 1. Throughput: one step at a time.

    Parameters
    ----------
    columns : int, at least 1

    Members
    -------
    step : In(stream.Signature(PinStep))
        A step that waits in the last cycle of the one before follows at once; a pulse holds until one comes.
    stop : In(1)
        Ends the step under way: every strobe is low in the next cycle. No step is to be offered with it.
    wl_setup_cyc, verify_cyc : In(8); width_cyc : In(16)
        Lengths in cycles, stable during a step; 0 acts as 1. ``width_cyc`` is that of the pulse.
    margin, level : In(8)
        What ``prog_level`` shows in a verify and in a pulse; ``margin`` is stable in the first cycle of the
        step, ``level`` from its second cycle to the end of the set-up.
    load : Out(1)
        The first cycle of a step: the columns staged for it are to be taken over.
    wl_en, pulse, verify, precharge, evaluate : Out(1)
        Registers.
    prog_level : Out(8)
        Register; moves in the first two cycles of a step only.
    pulse_rises, verify_rises : Out(1)
        ``pulse`` or ``verify`` is high in the next cycle and low in this.
    sl : In(columns)
        Answers of the macro.
    answers : Out(stream.Signature(columns))
        ``sl`` of a verify or a bridge read, valid from the time that the macro needs until it is taken.
    """

    def __init__(self, columns: int):
        super().__init__(
            {
                "step": In(stream.Signature(PinStep)),
                "stop": In(1),
                "wl_setup_cyc": In(8),
                "verify_cyc": In(8),
                "width_cyc": In(16),
                "margin": In(8),
                "level": In(8),
                "load": Out(1),
                "wl_en": Out(1),
                "pulse": Out(1),
                "verify": Out(1),
                "precharge": Out(1),
                "evaluate": Out(1),
                "prog_level": Out(8),
                "pulse_rises": Out(1),
                "verify_rises": Out(1),
                "sl": In(columns),
                "answers": Out(stream.Signature(columns)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # --- output registers: low unless a state drives them ----------------------------------------
        strobes = ("wl_en", "pulse", "verify", "precharge", "evaluate")
        drive = {name: Signal(name=f"drive_{name}") for name in strobes}
        for name, value in drive.items():
            m.d.sync += getattr(self, name).eq(value)
        m.d.comb += [
            self.pulse_rises.eq(drive["pulse"] & ~self.pulse),
            self.verify_rises.eq(drive["verify"] & ~self.verify),
            self.answers.payload.eq(self.sl),
        ]

        # --- the timer: ``expired`` in the last of ``limit`` cycles ----------------------------------
        timing, expired, first_cycle, limit = Signal(), Signal(), Signal(), Signal(16)
        timer = Signal(16)
        m.d.comb += [expired.eq(timing & (timer + 1 >= limit)), first_cycle.eq(~timer.any())]
        m.d.sync += timer.eq(Mux(timing & ~expired, timer + 1, 0))

        def drive_for(cycles, *names):
            m.d.comb += [timing.eq(1), limit.eq(cycles), *(drive[name].eq(1) for name in names)]

        @contextlib.contextmanager
        def running(state):
            """A state that a stop ends: it then drives nothing."""
            with m.State(state):
                with m.If(self.stop):
                    m.next = PinState.IDLE
                with m.Else():
                    yield

        def take_step():
            """The next step may begin in the next cycle."""
            m.d.comb += self.step.ready.eq(1)
            with m.If(self.step.valid):
                m.next = PinState.SET_UP
                with m.If(self.step.payload == PinStep.VERIFY):
                    m.next = PinState.VERIFY
                with m.Elif(self.step.payload == PinStep.READ):
                    m.next = PinState.PRECHARGE

        with m.FSM(init=PinState.IDLE):
            # Waits for a step; drives nothing.
            with m.State(PinState.IDLE):
                take_step()

            # Drives verify for the time that the macro needs.
            with running(PinState.VERIFY):
                drive_for(self.verify_cyc, "wl_en", "verify")
                m.d.comb += self.load.eq(first_cycle)
                with m.If(first_cycle):
                    m.d.sync += self.prog_level.eq(self.margin)
                with m.If(expired):
                    m.next = PinState.ANSWER_VERIFY

            # Drives verify until its answers are taken.
            with running(PinState.ANSWER_VERIFY):
                m.d.comb += self.answers.valid.eq(1)
                m.d.comb += [drive[name].eq(~self.answers.ready) for name in ("wl_en", "verify")]
                with m.If(self.answers.ready):
                    m.next = PinState.IDLE
                    take_step()

            # Drives the word line of the group and waits for it to settle.
            with running(PinState.SET_UP):
                drive_for(self.wl_setup_cyc, "wl_en")
                m.d.comb += self.load.eq(first_cycle)
                m.d.sync += self.prog_level.eq(self.level)
                with m.If(expired):
                    m.next = PinState.PULSE

            # Drives the pulse for its width.
            with running(PinState.PULSE):
                drive_for(self.width_cyc, "wl_en", "pulse")
                with m.If(expired):
                    m.next = PinState.HOLD

            # The pulse falls, everything else stays: for one cycle, or until the next step comes.
            with running(PinState.HOLD):
                m.d.comb += drive["wl_en"].eq(1)
                take_step()

            # Drives the first read phase.
            with running(PinState.PRECHARGE):
                drive_for(self.wl_setup_cyc, "wl_en", "precharge")
                m.d.comb += self.load.eq(first_cycle)
                with m.If(expired):
                    m.next = PinState.EVALUATE

            # Drives the second read phase until sl is valid.
            with running(PinState.EVALUATE):
                drive_for(self.wl_setup_cyc, "wl_en", "evaluate")
                with m.If(expired):
                    m.next = PinState.ANSWER_READ

            # Drives evaluate up to the cycle in which the answers are taken, which it includes.
            with running(PinState.ANSWER_READ):
                m.d.comb += [drive["wl_en"].eq(1), drive["evaluate"].eq(1), self.answers.valid.eq(1)]
                with m.If(self.answers.ready):
                    m.next = PinState.IDLE
        return m
