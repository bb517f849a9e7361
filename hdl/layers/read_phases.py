"""The phases of a read on the pins: how long each lasts, and which pins are high in it."""

import enum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from bridgebnn.hdl.signatures import ReadSettings

__all__ = ["ReadPhases", "ReadStep"]


class ReadStep(enum.IntEnum):
    """What begins with the next cycle."""

    NONE = 0  # nothing: what is under way goes on
    PRECHARGE = 1
    EVALUATE = 2
    SENSE = 3
    RESOLVE = 4  # the pins stay as in SENSE, the limit for late answers begins
    REST = 5  # every pin low; not after PRECHARGE


class ReadPhases(Component):
    """Drives the three phase pins and times them.

    The pins are registers: they show a step from the cycle after it was given. A step may be given at any
    time, also before the one under way is over.

    Latency: ``over`` is high in the last of the cycles of a phase and stays high until the next timed step.
    Throughput: one step a cycle.

    Members
    -------
    settings : In(ReadSettings)
        Length of each phase in cycles, taken with its step; 0 acts as 1. RESOLVE lasts ``resolve_limit_cyc``.
    step : In(ReadStep)
    over : Out(1)
        The phase under way is in its last cycle, or past it.
    precharge, evaluate, sense : Out(1)
        PRECHARGE drives ``precharge``, EVALUATE ``evaluate``, SENSE and RESOLVE ``evaluate`` and ``sense``.
    """

    settings: In(ReadSettings)
    step: In(ReadStep)
    over: Out(1)
    precharge: Out(1)
    evaluate: Out(1)
    sense: Out(1)

    def elaborate(self, platform):
        m = Module()
        settings = self.settings
        timer = Signal(16)  # cycles left in the phase, after this one

        def last_for(cycles):
            m.d.sync += timer.eq(cycles - cycles.any())

        m.d.comb += self.over.eq(timer == 0)
        with m.Switch(self.step):
            with m.Case(ReadStep.PRECHARGE):
                m.d.sync += [self.precharge.eq(1), self.evaluate.eq(0), self.sense.eq(0)]
                last_for(settings.precharge_cyc)
            with m.Case(ReadStep.EVALUATE):
                m.d.sync += [self.precharge.eq(0), self.evaluate.eq(1)]
                last_for(settings.evaluate_cyc)
            with m.Case(ReadStep.SENSE):
                m.d.sync += self.sense.eq(1)
                last_for(settings.sense_cyc)
            with m.Case(ReadStep.RESOLVE):
                last_for(settings.resolve_limit_cyc)
            with m.Case(ReadStep.REST):
                m.d.sync += [self.evaluate.eq(0), self.sense.eq(0)]
            with m.Default():
                m.d.sync += timer.eq(Mux(self.over, 0, timer - 1))
        return m
