"""The controller behind AXI4-Lite instead of Wishbone."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bridgebnn.hdl.bus.axi4lite import AxiLiteBridge
from bridgebnn.hdl.signatures import AXI, WISHBONE, AxiPorts, BusPorts, MacroPins
from bridgebnn.hdl.spec import Geometry, Timing

from .controller import Controller

__all__ = ["AxiController"]


class AxiController(wiring.Component):
    """`Controller` with a bridge in front of its bus; every other port is the controller's.

    Parameters
    ----------
    geometry : Geometry
    timing : Timing, optional

    Members
    -------
    s_axi_awaddr .. s_axi_rready
        AXI4-Lite (:class:`~bridgebnn.hdl.bus.axi4lite.AxiLiteBridge`).
    irq, row .. verify_ref, cmp, cmp_valid, sl, hv_ready
        As of ``Controller``.
    """

    def __init__(self, geometry: Geometry, timing: Timing | None = None):
        self.geometry = geometry
        self.controller = Controller(geometry, timing)
        super().__init__(
            {f"{AXI}{name}": member for name, member in AxiPorts().members.items()}
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
        for name, member in BusPorts().members.items():
            ours, theirs = getattr(bridge.wb, name), getattr(controller, f"{WISHBONE}{name}")
            m.d.comb += theirs.eq(ours) if member.flow == In else ours.eq(theirs)
        for name, member in {"irq": Out(1), **MacroPins(self.geometry).members}.items():
            inner, outer = getattr(controller, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m
