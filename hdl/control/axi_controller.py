"""The controller behind AXI4-Lite instead of Wishbone, and with streams beside it."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from bridgebnn.hdl.bus.axi4lite import AxiLiteBridge
from bridgebnn.hdl.bus.frames import FrameRunner
from bridgebnn.hdl.bus.shared import SharedBus
from bridgebnn.hdl.signatures import AXI, WISHBONE, AxiPorts, BusPorts, MacroPins, StreamPorts
from bridgebnn.hdl.spec import Geometry, Timing

from .controller import Controller

__all__ = ["AxiController"]


class AxiController(wiring.Component):
    """`Controller` with a bridge in front of its bus; every other port is the controller's.

    With ``streams`` the bridge and a runner of frames share the bus.

    Parameters
    ----------
    geometry : Geometry
    timing : Timing, optional
    streams : bool
        Input vectors and results as AXI4-Streams, too.

    Members
    -------
    s_axi_awaddr .. s_axi_rready
        AXI4-Lite (:class:`~bridgebnn.hdl.bus.axi4lite.AxiLiteBridge`).
    s_axis_tdata .. m_axis_tready
        With ``streams`` (:class:`~bridgebnn.hdl.bus.frames.FrameRunner`).
    irq, row .. verify_ref, cmp, cmp_valid, sl, hv_ready
        As of ``Controller``.
    """

    def __init__(self, geometry: Geometry, timing: Timing | None = None, *, streams: bool = False):
        self.geometry = geometry
        self.streams = dict(StreamPorts().members.items()) if streams else {}
        self.controller = Controller(geometry, timing, droppable=streams)
        super().__init__(
            {f"{AXI}{name}": member for name, member in AxiPorts().members.items()}
            | self.streams
            | {"irq": Out(1)}
            | dict(MacroPins(geometry).members.items())
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = AxiLiteBridge()
        m.submodules.controller = controller = self.controller
        for name, member in AxiPorts().members.items():
            inner, outer = getattr(bridge.axi, name), getattr(self, f"{AXI}{name}")
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        wb = self._shared(m, bridge.wb) if self.streams else bridge.wb
        for name, member in BusPorts().members.items():
            ours, theirs = getattr(wb, name), getattr(controller, f"{WISHBONE}{name}")
            m.d.comb += theirs.eq(ours) if member.flow == In else ours.eq(theirs)
        for name, member in {"irq": Out(1), **MacroPins(self.geometry).members}.items():
            inner, outer = getattr(controller, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m

    def _shared(self, m: Module, registers):
        """The bus that the initiator ``registers`` and a runner of frames share."""
        m.submodules.frames = frames = FrameRunner(self.geometry)
        m.submodules.shared = shared = SharedBus()
        connect(m, registers, shared.first)
        connect(m, frames.wb, shared.second)
        m.d.comb += [shared.lock.eq(frames.lock), self.controller.input_drop.eq(frames.input_drop)]
        for name, member in self.streams.items():
            inner, outer = getattr(frames, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return shared.wb
