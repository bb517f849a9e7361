"""The phases of a row command, in their order: which operation, on which side, against which reference."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from bridgebnn.hdl.spec import REFERENCES, ProgOp

__all__ = ["Phase", "PhaseOrder"]


class Phase(data.Struct):
    """One phase of a command: its operation, the side of the pair, and how it is verified.

    Members
    -------
    op : 2
        `ProgOp`; of a final read, the operation that it checks.
    side : 1
        `ProgSide`.
    verify_ref : 2
        `VerifyRef` that belongs to ``op`` (`REFERENCES`).
    final : 1
        A read of the final verify: what fails is logged, not pulsed.
    """

    op: 2
    side: 1
    verify_ref: 2
    final: 1


class PhaseOrder(Component):
    """Gives the phases of one row command as a stream, and keeps the one that is under way.

    PROGRAM_ROW: FORM, RESET, SET, then the final reads of RESET and SET, each for P and then for N.
    REFRESH_ROW leaves out FORM. VERIFY_ROW has the final reads alone. Whether a phase has any column is not
    known here.

    Latency: ``ahead`` is combinational in ``now``; ``now`` is the phase taken, 1 cycle after the transfer.
    Throughput: one phase a cycle.

    Members
    -------
    start : In(1)
        A command begins: the first phase is ahead from the next cycle on.
    pulses : In(1)
        The command pulses devices, it does not only read them; stable while phases are taken.
    forms : In(1)
        With ``pulses``: the FORM phases come first.
    fresh : Out(1)
        No phase of this command has been taken.
    now : Out(Phase)
        The phase under way; the last one of the command before while ``fresh``.
    ahead : Out(stream.Signature(Phase))
        The phase after ``now``; not valid after the last one.
    """

    start: In(1)
    pulses: In(1)
    forms: In(1)
    fresh: Out(1)
    now: Out(Phase)
    ahead: Out(stream.Signature(Phase))

    def elaborate(self, platform):
        m = Module()
        now, ahead = self.now, self.ahead.payload
        last = Signal()
        m.d.comb += [
            last.eq(~self.fresh & now.final & (now.op == ProgOp.SET) & now.side),
            self.ahead.valid.eq(~last),
            ahead.op.eq(now.op),
            ahead.side.eq(~now.side),
            ahead.final.eq(now.final),
        ]
        with m.If(self.fresh):
            m.d.comb += [ahead.side.eq(0), ahead.final.eq(~self.pulses)]
            m.d.comb += ahead.op.eq(Mux(self.pulses & self.forms, ProgOp.FORM, ProgOp.RESET))
        with m.Elif(now.side & (now.op == ProgOp.RESET)):
            m.d.comb += ahead.op.eq(ProgOp.SET)
        with m.Elif(now.side):
            m.d.comb += [ahead.op.eq(ProgOp.RESET), ahead.final.eq(now.op == ProgOp.SET)]
        with m.Switch(ahead.op):
            for op, ref in REFERENCES.items():
                with m.Case(op):
                    m.d.comb += ahead.verify_ref.eq(ref)
        with m.If(self.start):
            m.d.sync += self.fresh.eq(1)
        with m.Elif(self.ahead.valid & self.ahead.ready):
            m.d.sync += [now.eq(ahead), self.fresh.eq(0)]
        return m
