"""Counters of a command's cycles, for the host."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

__all__ = ["RunCounters"]


class RunCounters(Component):
    """Counts rows, cycles with a read phase, and cycles in which a vector is under way.

    Latency: 1 cycle. Throughput: one event of each kind a cycle.

    Members
    -------
    clear : In(1)
        All to 0; what comes in the same cycle is not counted.
    row, reading, busy : In(1)
        A row ends; a read phase is active; a vector is under way.
    rows, read, cycles : Out(32)
        How many of each since ``clear``; they wrap.
    """

    clear: In(1)
    row: In(1)
    reading: In(1)
    busy: In(1)
    rows: Out(32)
    read: Out(32)
    cycles: Out(32)

    def elaborate(self, platform):
        m = Module()
        events = ((self.rows, self.row), (self.read, self.reading), (self.cycles, self.busy))
        for total, event in events:
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(event):
                m.d.sync += total.eq(total + 1)
        return m
