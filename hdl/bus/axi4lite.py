"""AXI4-Lite subordinate in front of a Wishbone initiator: the second bus of the controller."""

from enum import StrEnum

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bridgebnn.hdl.signatures import AxiPorts, BusPorts

__all__ = ["AxiLiteBridge"]

OKAY, SLVERR = 0, 2
"""Responses of AXI4-Lite (ARM IHI 0022, table A3-4)."""


class State(StrEnum):
    """What the bridge is doing."""

    AWAIT_REQUEST = "await_request"
    WRITE = "write"
    READ = "read"


class AxiLiteBridge(wiring.Component):
    """Turn each AXI4-Lite transfer into one Wishbone access, one at a time.

    A write begins when address and data are both valid: it goes to the Wishbone side in the next cycle, in which both
    are taken, and its end gives the response: SLVERR where the controller answers ``err`` (also for a write with a byte
    lane unselected), else OKAY. Reads likewise; the data of a refused read are 0. Where a read and a write wait
    together, they take turns. A response stays until it is taken; the next transfer of its direction waits for that.
    As AXI asks of them, managers hold VALID and what goes with it until READY.

    *Latency* from valid to the response: 3 cycles, 4 for the read of a window. All outputs come from flip-flops: there
    is no path through logic from an input to an output.

    Members
    -------
    axi : In(AxiPorts)
        The subordinate's ports.
    wb : Out
        The Wishbone initiator: ``BusPorts`` of the controller, flipped.
    """

    def __init__(self):
        super().__init__({"axi": Out(AxiPorts()), "wb": In(BusPorts())})

    def elaborate(self, platform):
        m = Module()
        axi, wb = self.axi, self.wb
        write_next, ended = Signal(), Signal()
        may_write, may_read = Signal(), Signal()
        m.d.comb += [
            may_write.eq(axi.awvalid & axi.wvalid & (~axi.bvalid | axi.bready)),
            may_read.eq(axi.arvalid & (~axi.rvalid | axi.rready)),
            ended.eq(wb.ack | wb.err),
        ]
        m.d.sync += Cat(axi.awready, axi.wready, axi.arready).eq(0)
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)

        with m.FSM(name="bridge"):
            # Waits for a transfer whose response has room. In the next cycle it is taken, and its access starts.
            with m.State(State.AWAIT_REQUEST):
                with m.If(may_write & (~may_read | write_next)):
                    m.d.sync += [
                        Cat(axi.awready, axi.wready).eq(0b11),
                        wb.adr.eq(axi.awaddr[2:]),
                        wb.dat_w.eq(axi.wdata),
                        wb.sel.eq(axi.wstrb),
                        wb.we.eq(1),
                        Cat(wb.cyc, wb.stb).eq(0b11),
                        write_next.eq(0),
                    ]
                    m.next = State.WRITE
                with m.Elif(may_read):
                    m.d.sync += [
                        axi.arready.eq(1),
                        wb.adr.eq(axi.araddr[2:]),
                        wb.sel.eq(0b1111),
                        wb.we.eq(0),
                        Cat(wb.cyc, wb.stb).eq(0b11),
                        write_next.eq(1),
                    ]
                    m.next = State.READ

            # The access runs; its end is the response.
            with m.State(State.WRITE), m.If(ended):
                m.d.sync += [Cat(wb.cyc, wb.stb).eq(0), axi.bvalid.eq(1), axi.bresp.eq(wb.err << 1)]
                m.next = State.AWAIT_REQUEST

            with m.State(State.READ), m.If(ended):
                m.d.sync += [Cat(wb.cyc, wb.stb).eq(0), axi.rvalid.eq(1), axi.rresp.eq(wb.err << 1)]
                with m.If(wb.err):
                    m.d.sync += axi.rdata.eq(0)
                with m.Else():
                    m.d.sync += axi.rdata.eq(wb.dat_r)
                m.next = State.AWAIT_REQUEST

        return m
