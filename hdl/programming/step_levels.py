"""Levels of incremental step pulse programming (ISPP), and the attempts left."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from bridgebnn.hdl.signatures import PulseSettings

__all__ = ["StepLevels"]


class StepLevels(Component):
    """Gives attempt ``a`` (from 0) the levels ``min(start + a*step, limit)``, and says when none is left.

    Nothing wraps: sums are formed one bit wider than a level. ``limit < start`` is legal and gives ``limit``.

    Latency: 1 cycle from ``start`` or ``step`` to the outputs. Throughput: one attempt a cycle.

    Members
    -------
    settings : In(PulseSettings)
        Registers of the operation; stable from ``start`` on. ``attempts`` 0 acts as 1.
    start : In(1)
        Levels of attempt 0, no attempt used; may stay high for any number of cycles.
    step : In(1)
        One attempt is over: levels of the next one.
    wl_level, prog_level : Out(8)
        Registers. Undefined before the first ``start``, but 0 after a reset.
    exhausted : Out(1)
        As many ``step`` as attempts allowed since ``start``.
    """

    settings: In(PulseSettings)
    start: In(1)
    step: In(1)
    wl_level: Out(8)
    prog_level: Out(8)
    exhausted: Out(1)

    def elaborate(self, platform):
        m = Module()
        s = self.settings
        used = Signal(8)
        m.d.comb += self.exhausted.eq((used >= s.attempts) & (used != 0))
        with m.If(self.start):
            m.d.sync += used.eq(0)
        with m.Elif(self.step & ~self.exhausted):
            m.d.sync += used.eq(used + 1)
        for level, start, step, limit in (
            (self.wl_level, s.wl_start, s.wl_step, s.wl_limit),
            (self.prog_level, s.prog_start, s.prog_step, s.prog_limit),
        ):
            wanted = Signal(9, name=f"{level.name}_wanted")
            m.d.comb += wanted.eq(Mux(self.start, start, level + step))
            with m.If(self.start | self.step):
                m.d.sync += level.eq(Mux(wanted > limit, limit, wanted))
        return m
