"""Repair table: which lines the spare columns and rows stand in for, as the host wrote it, and its check."""

from enum import StrEnum

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import WindowPort, entry_layout
from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.register_map import layout

__all__ = ["RepairEntry", "RepairTable"]


RepairEntry = data.StructLayout({name: f.width for name, (_, f) in layout("REPAIR_ROW").fields.items()})
"""One spare: the line that it stands in for, and whether it does."""


class RepairState(StrEnum):
    """What the check of the repair table is doing."""

    IDLE = "IDLE"
    WALK = "WALK"


class RepairTable(wiring.Component):
    """Flip-flops of windows REPAIR_COLUMN and REPAIR_ROW, and their check, an entry a cycle.

    A valid entry is bad when its line is not a plain one, or stands in another valid entry of its tile (of
    the rows). On the way the check names the replaced columns, for the column registers.

    Latency: ``done`` comes T*K + L cycles after ``start``, ``bad`` in the cycle of the first bad entry.
    Throughput: not pipelined.

    Parameters
    ----------
    geometry : Geometry
        With at least one spare.

    Members
    -------
    column_window, row_window : In(WindowPort)
        Host access, kept away by the bus side while a command runs. Reset clears all entries.
    start, halt : In(1)
        One cycle, while idle: walk over the entries. Back to idle.
    columns, rows : Out(ArrayLayout(RepairEntry))
        Spare ``k`` of tile ``t`` at ``t*K + k``; spare row ``l``. Stable while a command runs.
    forget : Out(1)
        One cycle, before the first ``replace``: no column is replaced.
    replace, tile, column : Out
        ``column`` of ``tile`` is replaced; one cycle for each valid entry.
    done, bad : Out(1)
        One cycle: all entries are good; entry ``index`` is bad.
    index : Out
        Entry under check, the columns first, then the rows.

    Raises
    ------
    ValueError
        A geometry without spares.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        if not g.repair_entries:
            raise ValueError(
                "RepairTable: spare_columns = 0 and spare_rows = 0, one of them must be positive"
            )
        self._column_count = g.tiles * g.spare_columns
        super().__init__(
            {
                "column_window": In(WindowPort(max(1, bits_for(max(0, self._column_count - 1))))),
                "row_window": In(WindowPort(max(1, bits_for(max(0, g.spare_rows - 1))))),
                "start": In(1),
                "halt": In(1),
                "columns": Out(data.ArrayLayout(RepairEntry, self._column_count)),
                "rows": Out(data.ArrayLayout(RepairEntry, g.spare_rows)),
                "forget": Out(1),
                "replace": Out(1),
                "tile": Out(max(1, bits_for(g.tiles - 1))),
                "column": Out(bits_for(g.plain_columns - 1)),
                "done": Out(1),
                "bad": Out(1),
                "index": Out(bits_for(g.repair_entries)),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        columns = [self.columns[i] for i in range(self._column_count)]
        rows = [self.rows[i] for i in range(g.spare_rows)]
        self._host(m, self.column_window, columns)
        self._host(m, self.row_window, rows)

        # The entry under check: what it says, and which others it must differ from.
        entries = columns + rows
        group = [i // max(1, g.spare_columns) for i in range(self._column_count)] + [g.tiles] * g.spare_rows
        limit = [g.plain_columns] * self._column_count + [g.plain_rows] * g.spare_rows
        line, valid, here = Signal(16), Signal(), Signal(range(g.tiles + 1))
        most = Signal(16)
        m.d.comb += [
            line.eq(Array(e.line for e in entries)[self.index]),
            valid.eq(Array(e.valid for e in entries)[self.index]),
            here.eq(Array(group)[self.index]),
            most.eq(Array(limit)[self.index]),
        ]
        twice = Cat(
            e.valid & (e.line == line) & (here == group[i]) & (self.index != i) for i, e in enumerate(entries)
        ).any()
        last = self.index == len(entries) - 1
        walking = Signal()
        m.d.comb += [
            self.bad.eq(walking & valid & ((line >= most) | twice)),
            self.done.eq(walking & last & ~self.bad),
            self.replace.eq(walking & valid & (here != g.tiles)),
            self.tile.eq(here),
            self.column.eq(line),
        ]
        with m.If(walking):
            m.d.sync += self.index.eq(self.index + 1)

        with m.FSM():
            # Waits for INFER; the first entry is next.
            with m.State(RepairState.IDLE):
                m.d.sync += self.index.eq(0)
                m.d.comb += self.forget.eq(self.start)
                with m.If(self.start & ~self.halt):
                    m.next = RepairState.WALK
            # Waits for the last entry, or the first bad one; judges one a cycle.
            with m.State(RepairState.WALK):
                m.d.comb += walking.eq(1)
                with m.If(self.done | self.bad | self.halt):
                    m.next = RepairState.IDLE
        return m

    def _host(self, m: Module, window, entries):
        """Words of a window into flip-flops and back; bits outside of fields read 0."""
        word = entry_layout("REPAIR_ROW")
        written, answer = data.View(word, window.w_data), data.View(word, window.r_data)
        for i, entry in enumerate(entries):
            here = window.addr == i
            with m.If(window.w_en & here):
                m.d.sync += [entry.line.eq(written.line), entry.valid.eq(written.valid)]
            with m.If(window.r_en & here):
                m.d.sync += [answer.line.eq(entry.line), answer.valid.eq(entry.valid)]
