"""Wishbone B4 classic responder in front of the register bank."""

from enum import StrEnum

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from bridgebnn.hdl.signatures import BusPorts

from .register_bank import RegisterBus

__all__ = ["WishboneResponder"]


class State(StrEnum):
    """What the responder is doing."""

    AWAIT_REQUEST = "await_request"
    FETCH_WINDOW = "fetch_window"
    TERMINATE = "terminate"


class WishboneResponder(wiring.Component):
    """Answer single Wishbone B4 classic cycles with one access to the register bank each.

    Every access ends in one cycle of ``ack`` or of ``err``, never both. ``err``: the bank refuses, or a write
    does not select every byte lane; the access then changes nothing. Reads ignore ``sel``: small cores drive 0
    there. Block cycles work as a series of single ones.

    An initiator that withdraws ``cyc`` or ``stb`` after the first cycle of the read of a window gets no answer.
    Every other access is done in its first cycle, and ``ack`` or ``err`` follows in the next one even when it
    was withdrawn.

    *Latency* from ``cyc & stb`` to the termination: 1 cycle; 2 for the read of a window. *Throughput*: one
    access in 2 cycles, 3 for window reads.

    Members
    -------
    cyc, stb, we : In(1)
    adr : In(15)
        Word address.
    dat_w : In(32)
    sel : In(4)
        Byte lanes of a write.
    dat_r : Out(32)
        Valid with ``ack`` of a read.
    ack, err : Out(1)
        From flip-flops.
    bus : Out(RegisterBus)
    """

    def __init__(self):
        super().__init__({**BusPorts().members, "bus": Out(RegisterBus())})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        active = Signal()
        m.d.comb += active.eq(self.cyc & self.stb)
        m.d.comb += [bus.addr.eq(self.adr), bus.w_data.eq(self.dat_w), bus.write.eq(self.we)]
        m.d.sync += [self.ack.eq(0), self.err.eq(0)]

        with m.FSM(name="responder"):
            # Waits for an access and passes it on; a window's word is not there yet.
            with m.State(State.AWAIT_REQUEST), m.If(active):
                m.next = State.TERMINATE
                with m.If(self.we & ~self.sel.all()):
                    m.d.sync += self.err.eq(1)
                with m.Else():
                    m.d.comb += bus.request.eq(1)
                    m.d.sync += [self.err.eq(bus.error), self.dat_r.eq(bus.r_data)]
                    with m.If(bus.late & ~bus.error):
                        m.next = State.FETCH_WINDOW
                    with m.Else():
                        m.d.sync += self.ack.eq(~bus.error)

            # The window's word is there; an access withdrawn meanwhile gets no answer.
            with m.State(State.FETCH_WINDOW):
                m.d.sync += [self.dat_r.eq(bus.window_data), self.ack.eq(active)]
                m.next = State.TERMINATE

            # Drives ack or err for one cycle; ``stb`` still belongs to the access that ends.
            with m.State(State.TERMINATE):
                m.next = State.AWAIT_REQUEST

        return m
