"""One tile as its inputs see it: the buffers' decisions of every cell, and dV as an affine map of the input.

Derived from the devices' resistances and kept until the devices say that a row changed (``row_version``). The
enabled columns load the rails of the drivers, so what is derived belongs to a set of enabled columns, a
``Plane``; without resistance in the rails there is one plane for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.devices.device import DeviceArray
from bridgebnn.model.draws import Purpose, many_uniform, uniform, uniform_rows
from bridgebnn.model.parameters.params import MacroParams

from .bridge import Decisions, OperatingPoints, Voltages, decide, operating_points, source_line_bounds
from .circuit import TileCircuit, column_sums
from .rails import has_rails

_BLOCK_CELLS = 4096
"""Cells refreshed at once, or one row: intermediate arrays stay so small that they are not asked of the system anew."""

_KEPT = 64
"""Column masks for which sums are kept: one a layer and tile is what a network needs."""

_KEPT_PLANES = 8
"""Column masks for which the cells are kept where the rails have resistance: about 10 MB each."""


class LiveCells(NamedTuple):
    """The cells of one row that may change from read to read, n of them."""

    columns: NDArray[np.intp]  # (n,)
    p1: NDArray[np.float32]  # (n,), probability of reading 1 with input +1
    p0: NDArray[np.float32]  # (n,), with input -1

    def among(self, col_en: NDArray[np.bool_]) -> LiveCells | None:
        """Those of enabled columns; None if there are none."""
        enabled = col_en[self.columns]
        if not enabled.any():
            return None
        return LiveCells(self.columns[enabled], self.p1[enabled], self.p0[enabled])


class LiveRows(NamedTuple):
    """The live cells of all rows under one mask, end to end: k rows, n cells."""

    rows: NDArray[np.intp]  # (k,), ascending
    owner: NDArray[np.intp]  # (n,), index into ``rows``
    cells: LiveCells  # (n,)
    likely: tuple[NDArray[np.bool_], NDArray[np.bool_]]  # (n,), likelier bit with input -1 and +1
    weight: NDArray[np.float64]  # (n,), counts of dV that a bit is worth


class Plane:
    """The decisions of a tile's cells beside one set of enabled columns, and dV as an affine map.

    Attributes
    ----------
    s1, s0 : bool, (R, C)
        Likelier bit with input +1 and -1.
    base, slope : float32 or float64, (R, C)
        dV in counts with every input at -1, and what input +1 adds to it.
    live : dict of LiveCells by row
    version : int64, (R,)
        ``row_version`` of the devices that each row was derived from; -1 before.
    """

    def __init__(self, rows: int, columns: int, dtype: Any) -> None:
        self.s1 = np.zeros((rows, columns), bool)
        self.s0 = np.zeros((rows, columns), bool)
        self.base = np.zeros((rows, columns), dtype)
        self.slope = np.zeros((rows, columns), dtype)
        self.turned: NDArray[Any] | None = None  # ``slope`` with columns first, where asked for
        self.live: dict[int, LiveCells] = {}
        self.version = np.full(rows, -1, np.int64)
        self.constant: LRUCache[bytes, NDArray[np.float64]] = LRUCache(_KEPT)
        self.live_enabled: LRUCache[bytes, dict[int, LiveCells]] = LRUCache(_KEPT)
        self.live_rows: LRUCache[bytes, LiveRows | None] = LRUCache(_KEPT)


class Tile:
    """Derived state of one tile of one chip.

    Parameters
    ----------
    geometry : Geometry
    params : MacroParams
    devices : DeviceArray
        The chip's devices; only ``resistance_ohm`` and ``row_version`` are read.
    chip, tile : int
        Keys of the draws.

    Attributes
    ----------
    circuit : TileCircuit
    neuron : Neuron
    threshold_V : float64, (C,)
        Switching voltage of each column's buffer.
    """

    def __init__(
        self, geometry: Geometry, params: MacroParams, devices: DeviceArray, chip: int, tile: int
    ) -> None:
        self._shape = (geometry.rows, geometry.columns)
        self._block = max(_BLOCK_CELLS // geometry.columns, 1)
        self.chip, self.tile, self.params = chip, tile, params
        self.circuit = TileCircuit.of(params, geometry.columns, chip, tile)
        self.neuron, self.threshold_V = self.circuit.neuron, self.circuit.threshold_V
        self._devices = devices
        self._rails = has_rails(params.bridge)
        self._planes: LRUCache[bytes, Plane] = LRUCache(_KEPT_PLANES)
        # Without mismatch every term is a multiple of 1/2: float32 is exact as well, and twice as fast.
        alike = bool((self.neuron.w == 2).all() and (self.neuron.v == 1).all())
        self._dtype: np.dtype[Any] = np.dtype(np.float32 if alike else np.float64)
        self._w = (self.neuron.w / 2).astype(self._dtype)
        self._v = (self.neuron.v / 2).astype(self._dtype)

    def plane(self, col_en: NDArray[np.bool_] | None = None, row: int | None = None) -> Plane:
        """The plane of a set of enabled columns, up to date with the devices.

        Parameters
        ----------
        col_en : bool, (C,), optional
            All columns by default.
        row : int, optional
            The only row that has to be up to date; all by default.
        """
        enabled = col_en if self._rails and col_en is not None and not col_en.all() else None
        key = b"" if enabled is None else enabled.tobytes()
        plane = self._planes.get(key)
        if plane is None:
            plane = self._planes[key] = Plane(*self._shape, self._dtype)
        now = self._devices.row_version[self.tile]
        if row is not None:
            if plane.version[row] != now[row]:
                self._derive(plane, slice(row, row + 1), enabled)
            return plane
        stale = np.flatnonzero(plane.version != now)
        for start in range(0, len(stale), self._block):
            self._derive(plane, stale[start : start + self._block], enabled)
        return plane

    def _derive(self, plane: Plane, at: slice | NDArray[np.intp], enabled: NDArray[np.bool_] | None) -> None:
        """Rows ``at``, row numbers or a slice of step 1, anew."""
        rows = np.arange(at.start, at.stop) if isinstance(at, slice) else at
        _, found = self.cells(rows, enabled)
        plane.s1[at], plane.s0[at] = found.s1, found.s0
        plane.base[at] = self._w * found.s0
        plane.slope[at] = self._w * (found.s1.astype(np.int8) - found.s0)
        plane.turned = None
        plane.constant.clear()
        plane.live_enabled.clear()
        plane.live_rows.clear()
        live = found.live
        any_live: list[bool] = np.any(live, axis=1).tolist()
        for number, row in enumerate(rows.tolist()):
            plane.live.pop(row, None)
            if any_live[number]:
                columns = np.flatnonzero(live[number])
                p1, p0 = found.p[:, number, columns].astype(np.float32)
                plane.live[row] = LiveCells(columns, p1, p0)
        plane.version[at] = self._devices.row_version[self.tile, at]

    def cells(
        self, rows: NDArray[np.intp], enabled: NDArray[np.bool_] | None = None
    ) -> tuple[Voltages, Decisions]:
        """Source-line voltages and buffer decisions of whole rows, arrays (n, C), freshly computed.

        ``enabled`` are the columns that load the rails, (C,) or (n, C), all by default.
        """
        return self.circuit.cells(self._devices.resistance_ohm[self.tile, rows], rows, enabled)

    def operating_points(self, rows: NDArray[np.intp], enabled: NDArray[np.bool_]) -> OperatingPoints:
        """Voltages, bits and currents of whole rows beside ``enabled`` columns (C,), arrays (n, C)."""
        ohm = self._devices.resistance_ohm[self.tile, rows]
        return operating_points(ohm, rows, self.params.bridge, self.threshold_V, enabled)

    def unsure(self, enabled: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Cells whose bit may change from read to read, (R, C) bool.

        Parameters
        ----------
        enabled : bool, (R, C), optional
            Columns that load the rails, for each row. Without it, whatever columns are: then a cell is also
            unsure where its bit could depend on the other columns.
        """
        found = np.zeros(self._shape, bool)
        for start in range(0, self._shape[0], self._block):
            rows = np.arange(start, min(start + self._block, self._shape[0]))
            if enabled is not None or not self._rails:
                found[rows] = self.cells(rows, None if enabled is None else enabled[rows])[1].live
                continue
            ohm = self._devices.resistance_ohm[self.tile, rows]
            low, high = (
                decide(bound, self.threshold_V) for bound in source_line_bounds(ohm, rows, self.params.bridge)
            )
            found[rows] = low.live | high.live | (low.s1 != high.s1) | (low.s0 != high.s0)
        return found

    def live(self, col_en: NDArray[np.bool_]) -> dict[int, LiveCells]:
        """Rows, ascending, with live cells among the enabled columns, and those cells."""
        plane = self.plane(col_en)
        key = col_en.tobytes()
        found = plane.live_enabled.get(key)
        if found is None:
            found = {}
            for row in sorted(plane.live):
                if (cells := plane.live[row].among(col_en)) is not None:
                    found[row] = cells
            plane.live_enabled[key] = found
        return found

    def bits(
        self, row: int, bl: NDArray[np.bool_], col_en: NDArray[np.bool_], number: int
    ) -> NDArray[np.bool_]:
        """The buffers' bits of one row at read ``number``, (C,) bool, False where disabled."""
        plane = self.plane(col_en, row)
        q = np.where(bl, plane.s1[row], plane.s0[row]) & col_en
        if row in plane.live and (cells := plane.live[row].among(col_en)) is not None:
            q[cells.columns] = self._drawn(row, cells, bl[cells.columns], number)
        return q

    def counts(self, bl: NDArray[np.bool_], col_en: NDArray[np.bool_], rows: slice) -> NDArray[np.float64]:
        """dV in counts without read noise.

        Parameters
        ----------
        bl : bool, (C,) or (batch, C)
        col_en : bool, (C,)
        rows : slice of step 1

        Returns
        -------
        float64, (n,) or (batch, n)
            Exact multiples of 2**-21.
        """
        plane = self.plane(col_en)
        inputs = (bl & col_en).astype(self._dtype)
        x = (inputs @ plane.slope[rows].T).astype(np.float64)
        x += self._enabled(plane, col_en)[rows]
        return x

    def counts_after(
        self,
        bl: NDArray[np.bool_],
        col_en: NDArray[np.bool_],
        before: NDArray[np.bool_],
        x: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """``counts`` of all rows for one input, from those ``x`` of the input ``before`` with the same cells.

        Exactly the same, since sums of multiples of 2**-21 depend on no order; only the columns that changed
        are looked at, and inputs in a row are mostly alike.
        """
        changed = np.flatnonzero((bl ^ before) & col_en)
        plane = self.plane(col_en)
        if plane.turned is None:
            plane.turned = np.ascontiguousarray(plane.slope.T)
        step = np.where(bl[changed], 1, -1).astype(self._dtype)
        return x + step @ plane.turned[changed]

    def popcounts(self, bl: NDArray[np.bool_], col_en: NDArray[np.bool_], rows: slice) -> NDArray[np.int64]:
        """Ones among the enabled source lines without read noise, shaped as ``counts``."""
        plane = self.plane(col_en)
        s1, s0 = plane.s1[rows].astype(np.float32), plane.s0[rows].astype(np.float32)  # exact up to 2**24
        inputs = (bl & col_en).astype(np.float32)
        return column_sums(inputs, col_en.astype(np.float32), s1, s0).astype(np.int64)

    def _enabled(self, plane: Plane, col_en: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The part of ``counts`` that does not depend on the input, (R,)."""
        key = col_en.tobytes()
        found = plane.constant.get(key)
        if found is None:
            enabled = col_en.astype(self._dtype)
            found = (plane.base @ enabled).astype(np.float64) - float(self._v @ enabled)
            plane.constant[key] = found
        return found

    def live_rows(self, col_en: NDArray[np.bool_]) -> LiveRows | None:
        """The cells of ``live`` end to end; None where there are none."""
        live = self.live(col_en)
        plane, key = self.plane(col_en), col_en.tobytes()
        if key not in plane.live_rows:
            found = None
            if live:
                rows = np.array(list(live))
                owner = np.repeat(np.arange(len(rows)), [len(cells.columns) for cells in live.values()])
                cells = LiveCells(*(np.concatenate(part) for part in zip(*live.values(), strict=True)))
                at = rows[owner], cells.columns
                weight = self._w[cells.columns].astype(np.float64)
                found = LiveRows(rows, owner, cells, (plane.s0[at], plane.s1[at]), weight)
            plane.live_rows[key] = found
        return plane.live_rows[key]

    def add_live(
        self,
        x: NDArray[np.float64],
        rows: slice,
        bl: NDArray[np.bool_],
        col_en: NDArray[np.bool_],
        numbers: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """``x`` (counts of dV of ``rows``, for one input) with what read noise changes in live rows.

        The same as ``live_change`` row by row, exactly: sums of multiples of 2**-21 depend on no order.

        Parameters
        ----------
        x : float64, (n,)
        rows : slice of step 1
        bl, col_en : bool, (C,)
        numbers : int64, (n,)
            Read number of each row.

        Returns
        -------
        float64, (n,)
            ``x`` itself where no row is live.
        """
        all_live = self.live_rows(col_en)
        if all_live is None:
            return x
        start, stop, _ = rows.indices(self._shape[0])
        first, last = np.searchsorted(all_live.rows, (start, stop))
        if first == last:
            return x
        low, high = np.searchsorted(all_live.owner, (first, last))
        cells = all_live.cells
        columns, p1, p0 = cells.columns[low:high], cells.p1[low:high], cells.p0[low:high]
        owner = all_live.owner[low:high] - first
        ends = np.searchsorted(owner, np.arange(1, last - first + 1))
        here = all_live.rows[first:last]
        sizes = columns[ends - 1] + 1  # columns of a row ascend
        drawn = uniform_rows(
            self.chip,
            Purpose.CELL_NOISE,
            self.tile,
            numbers[here - start].tolist(),
            here.tolist(),
            sizes.tolist(),
        )
        u = np.concatenate(drawn)[(np.cumsum(sizes) - sizes)[owner] + columns]
        inputs = bl[columns]
        bits = u < np.where(inputs, p1, p0)
        likely = np.where(inputs, all_live.likely[1][low:high], all_live.likely[0][low:high])
        change = (bits.astype(np.int8) - likely) * all_live.weight[low:high]
        x = x.copy()
        x[here - start] += np.bincount(owner, change, last - first)
        return x

    def live_change(
        self,
        row: int,
        cells: LiveCells,
        inputs: NDArray[np.bool_],
        col_en: NDArray[np.bool_],
        numbers: Sequence[int],
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What read noise changes in a live row.

        Parameters
        ----------
        row : int
        cells : LiveCells
            Of that row and these columns, from ``live``.
        inputs : bool, (batch, C)
        col_en : bool, (C,)
        numbers : batch ints
            Read number of each input.

        Returns
        -------
        counts : float64, (batch,)
            Change of dV in counts.
        popcounts : int64, (batch,)
            Change of the popcount.
        """
        plane = self.plane(col_en, row)
        bl = inputs[:, cells.columns]
        size = int(cells.columns[-1]) + 1  # the beginning of the draw over all columns
        u = many_uniform(self.chip, Purpose.CELL_NOISE, self.tile, numbers, row, size=size)[:, cells.columns]
        drawn = u < np.where(bl, cells.p1, cells.p0)
        likely = np.where(bl, plane.s1[row, cells.columns], plane.s0[row, cells.columns])
        change = drawn.astype(np.int64) - likely
        return change @ self._w[cells.columns].astype(np.float64), change.sum(axis=1)

    def _drawn(self, row: int, cells: LiveCells, bl: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
        """Bits of live cells at one read; ``bl`` are their inputs."""
        size = int(cells.columns[-1]) + 1  # the beginning of the draw over all columns
        u = uniform(self.chip, Purpose.CELL_NOISE, self.tile, number, row, size=size)
        return u[cells.columns] < np.where(bl, cells.p1, cells.p0)
