"""Which columns of a word a phase is for."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from bridgebnn.hdl.spec import WORD_WIDTH, ProgOp

from .phases import Phase

__all__ = ["PhaseTargets"]


class PhaseTargets(Component):
    """Columns of one word whose device, on the side of the phase, the operation of the phase is for.

    FORM is for every column that is asked; SET for those whose device is to be in LRS, which is P of weight +1
    and N of weight -1; RESET for the others.

    Latency: 0 cycles (combinational). Throughput: one word a cycle.

    Members
    -------
    phase : In(Phase)
    asked : In(32)
        Columns that the command is for.
    image : In(32)
        Their weights, 1 for +1.
    targets : Out(32)
    """

    phase: In(Phase)
    asked: In(WORD_WIDTH)
    image: In(WORD_WIDTH)
    targets: Out(WORD_WIDTH)

    def elaborate(self, platform):
        m = Module()
        to_lrs = self.image ^ self.phase.side.replicate(WORD_WIDTH)
        with m.Switch(self.phase.op):
            with m.Case(ProgOp.FORM):
                m.d.comb += self.targets.eq(self.asked)
            with m.Case(ProgOp.SET):
                m.d.comb += self.targets.eq(self.asked & to_lrs)
            with m.Default():
                m.d.comb += self.targets.eq(self.asked & ~to_lrs)
        return m
