"""The slices in which COUNT goes over the columns of a tile."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import Geometry

__all__ = ["SliceOrder", "count_slices"]


def count_slices(geometry: Geometry) -> int:
    """Cycles in which COUNT goes over the columns of a tile, ceil(C / count_width)."""
    return -(-geometry.columns // geometry.count_width)


class SliceOrder(Component):
    """Goes from slice to slice, and from the last one back to the first.

    Latency: 1 cycle. Throughput: one slice a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    enable : In(1)
        The slice is counted in this cycle.
    slice, last : Out, Out(1)
        Which one; it is the last of the row.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        slices = count_slices(geometry)
        super().__init__({"enable": In(1), "slice": Out(max(1, bits_for(slices - 1))), "last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.last.eq(self.slice == count_slices(self.geometry) - 1)
        with m.If(self.enable):
            m.d.sync += self.slice.eq(Mux(self.last, 0, self.slice + 1))
        return m
