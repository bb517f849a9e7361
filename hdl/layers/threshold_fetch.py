"""Thresholds a row ahead: when the next one is read, and where the thresholds of a layer or window begin."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import Geometry

from .descriptor_table import plan_layout

__all__ = ["LayerThresholds", "ThresholdFetch"]


class ThresholdFetch(Component):
    """Reads the next row's threshold in the first cycle of each row, so that it is there when the row begins.

    With a layer's last row, and before the first layer, what comes next begins anew. Where thresholds are not
    used none is read.

    Latency: combinational. Throughput: one threshold a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    first : In(1)
        One cycle: read the threshold of the first row of all.
    row_first, row_last, uses : In(1)
        First cycle of a row; the row is the last of its layer or window; the row's layer uses thresholds.
    next_base, next_uses : In, In(1)
        Of the layer or window that comes next.
    base, restart, fetch : Out, Out(1), Out(1)
        To :class:`~bridgebnn.hdl.layers.descriptor_table.ThresholdMemory`.
    """

    def __init__(self, geometry: Geometry):
        address = max(1, bits_for(geometry.thresholds - 1))
        super().__init__(
            {
                "first": In(1),
                "row_first": In(1),
                "row_last": In(1),
                "uses": In(1),
                "next_base": In(address),
                "next_uses": In(1),
                "base": Out(address),
                "restart": Out(1),
                "fetch": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.base.eq(self.next_base),
            self.restart.eq(self.first | self.row_last),
            self.fetch.eq((self.first | self.row_first) & Mux(self.restart, self.next_uses, self.uses)),
        ]
        return m


class LayerThresholds(Component):
    """Where the thresholds of what comes next begin, for layers that go over a map.

    The next layer's, or the running one's again as long as windows follow.

    Latency: combinational, 1 cycle after ``start_layer``. Throughput: one layer a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    plan, start_layer : In(plan_layout(geometry)), In(1)
        The next layer; it begins to run.
    first : In(1)
        No layer runs yet.
    last_window, uses : In(1)
        Of the running layer: its window is the last; it uses thresholds.
    next_base, next_uses : Out, Out(1)
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        super().__init__(
            {
                "plan": In(plan_layout(geometry)),
                "start_layer": In(1),
                "first": In(1),
                "last_window": In(1),
                "uses": In(1),
                "next_base": Out(max(1, bits_for(geometry.thresholds - 1))),
                "next_uses": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        running_base = Signal.like(self.next_base)
        with m.If(self.start_layer):
            m.d.sync += running_base.eq(self.plan.threshold_base)
        again = ~self.last_window & ~self.first
        m.d.comb += [
            self.next_base.eq(Mux(again, running_base, self.plan.threshold_base)),
            self.next_uses.eq(Mux(again, self.uses, self.plan.use_threshold)),
        ]
        return m
