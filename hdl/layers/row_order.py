"""The rows of a layer, one after the other, and the word lines on which they are found."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Member, Out

from bridgebnn.hdl.spec import Geometry

from .repair_table import RepairEntry

__all__ = ["RowOrder", "SpareLine", "WindowRows"]


class SpareLine(Component):
    """Word line of a row: the row itself, or the spare that stands in for it.

    Latency: combinational. Throughput: one row a cycle.

    Parameters
    ----------
    geometry : Geometry
        With spare rows.

    Members
    -------
    spares : In(ArrayLayout(RepairEntry))
        Spare row ``l`` at ``l``. Of several valid ones for the same row the last counts.
    row, line : In, Out
        ``row`` has one bit more: the row after the highest address has no spare.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "spares": In(data.ArrayLayout(RepairEntry, g.spare_rows)),
                "row": In(g.row_width + 1),
                "line": Out(g.row_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.line.eq(self.row)
        for spare in range(self.geometry.spare_rows):
            entry = self.spares[spare]
            with m.If(entry.valid & (entry.line == self.row)):
                m.d.comb += self.line.eq(self.geometry.plain_rows + spare)
        return m


def _members(geometry: Geometry) -> dict[str, Member]:
    """Ports of a block that gives the rows of a layer."""
    width = geometry.row_width
    return {
        "first_row": In(width),
        "last_row": In(width),
        "start": In(1),
        "begin": In(1),
        "proceed": In(1),
        "taken": Out(1),
        "ahead": Out(width + 1),
        "row": Out(width),
        "last": Out(1),
        "begun": Out(1),
    }


class RowOrder(Component):
    """Goes over the rows of a layer, from the first to the last.

    Latency: ``row``, ``begun`` show a row in the cycle after it is taken; the rest is combinational.
    Throughput: one row a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    first_row, last_row : In
        Of the layer: ``first_row`` valid with ``start``, ``last_row`` while its rows are read.
    start, begin : In(1)
        A layer is there: its first row is the next one; take it.
    proceed : In(1)
        Take the row after this one, if there is one.
    taken, ahead : Out(1), Out
        A row is taken, and it is ``ahead``. One bit more than an address: the row after the highest one is none.
    row, last, begun : Out, Out(1), Out(1)
        The row being read; it is the layer's last; its first cycle.
    """

    def __init__(self, geometry: Geometry):
        super().__init__(_members(geometry))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.last.eq(self.row == self.last_row),
            self.taken.eq(self.begin | (self.proceed & ~self.last)),
            self.ahead.eq(Mux(self.start, self.first_row, self.row + 1)),
        ]
        m.d.sync += self.begun.eq(self.taken)
        with m.If(self.taken):
            m.d.sync += self.row.eq(self.ahead)
        return m


class WindowRows(Component):
    """The rows of a layer that goes over a map: all of them for each window, as soon as the window is there.

    Latency: as :class:`RowOrder`; the first row of a further window is taken in the cycle in which the window
    is ready, no earlier than the last row ends.
    Throughput: one row a cycle.

    Parameters
    ----------
    geometry : Geometry
        With ``map_words``.

    Members
    -------
    first_row, last_row, start, begin, proceed, taken, ahead, row, last, begun
        As of :class:`RowOrder`; ``last`` is the window's last row, and the layer's first follows it.
    again, window_ready : In(1)
        The layer has another window after this one; that window is there.
    awaits : Out(1)
        With ``proceed``: the next row is that of a window that is not there yet.
    awaiting : In(1)
        Take the next window's first row as soon as that window is there; while no row is read.
    window_next : Out(1)
        One cycle: the first row of the next window is taken.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        windows = {"again": In(1), "window_ready": In(1), "awaits": Out(1), "awaiting": In(1)}
        super().__init__(_members(geometry) | windows | {"window_next": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RowOrder(self.geometry)
        wanted = Signal()
        m.d.comb += [
            wanted.eq(self.proceed & rows.last & self.again),
            self.awaits.eq(wanted & ~self.window_ready),
            self.window_next.eq((wanted | self.awaiting) & self.window_ready),
            rows.first_row.eq(self.first_row),
            rows.last_row.eq(self.last_row),
            rows.start.eq(self.start | self.window_next),
            rows.begin.eq(self.begin | self.window_next),
            rows.proceed.eq(self.proceed),
        ]
        for name in ("taken", "ahead", "row", "last", "begun"):
            m.d.comb += getattr(self, name).eq(getattr(rows, name))
        return m
