"""One Wishbone responder for two initiators."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bridgebnn.hdl.signatures import BusPorts

__all__ = ["SharedBus"]


class SharedBus(wiring.Component):
    """Give the responder to one of two initiators at a time; they take turns, access by access.

    The initiator that has the responder keeps it until its access ends and the other one asks; ``second`` keeps it for
    several accesses in a row while ``lock``.

    *Latency*: none for the one that has the responder; the other waits for the end of the access, and 1 cycle.

    Members
    -------
    first, second : Out(BusPorts)
        Responder ports for the initiators.
    lock : In(1)
        ``second`` keeps the responder past the end of its access.
    wb : In(BusPorts)
        To the responder.
    """

    def __init__(self):
        super().__init__(
            {"first": Out(BusPorts()), "second": Out(BusPorts()), "lock": In(1), "wb": In(BusPorts())}
        )

    def elaborate(self, platform):
        m = Module()
        first, second, wb = self.first, self.second, self.wb
        turn = Signal()  # 1: of the second
        ended = Signal()
        m.d.comb += [
            ended.eq(wb.ack | wb.err),
            wb.cyc.eq(Mux(turn, second.cyc, first.cyc)),
            wb.stb.eq(Mux(turn, second.stb, first.stb)),
            wb.we.eq(Mux(turn, second.we, first.we)),
            wb.adr.eq(Mux(turn, second.adr, first.adr)),
            wb.dat_w.eq(Mux(turn, second.dat_w, first.dat_w)),
            wb.sel.eq(Mux(turn, second.sel, first.sel)),
        ]
        for initiator, its_turn in ((first, ~turn), (second, turn)):
            m.d.comb += [
                initiator.dat_r.eq(wb.dat_r),
                initiator.ack.eq(wb.ack & its_turn),
                initiator.err.eq(wb.err & its_turn),
            ]
        with m.If(turn):
            with m.If(first.cyc & (~second.cyc | ended) & ~self.lock):
                m.d.sync += turn.eq(0)
        with m.Elif(second.cyc & (~first.cyc | ended)):
            m.d.sync += turn.eq(1)
        return m
