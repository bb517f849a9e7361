"""One tile as its inputs see it: the buffers' decisions of every cell, and dV as an affine map of the input.

Derived from the devices' resistances and kept until the devices say that a row changed (``row_version``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hdl.config import Geometry
from model.bridge import Decisions, Voltages, decide, source_line
from model.device import DeviceArray
from model.draws import Purpose, normal, uniform
from model.neuron import Neuron
from model.params import MacroParams

_BLOCK_ROWS = 256
"""Rows refreshed at once: bounds the memory of the intermediate arrays."""

_KEPT = 64
"""Column masks for which derived values are kept: one a layer and tile is what a network needs."""


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
    neuron : Neuron
    threshold_V : float64, (C,)
        Switching voltage of each column's buffer.
    s1, s0 : bool, (R, C)
        Likelier bit with input +1 and -1. Valid after ``refresh``.
    """

    def __init__(
        self, geometry: Geometry, params: MacroParams, devices: DeviceArray, chip: int, tile: int
    ) -> None:
        rows, columns = geometry.rows, geometry.columns
        self.chip, self.tile, self.params = chip, tile, params
        self.neuron = Neuron.of(params.neuron, columns, chip, tile)
        spread = normal(chip, Purpose.BUFFER_THRESHOLD, tile, size=columns)
        self.threshold_V = params.bridge.buffer_threshold_V + params.bridge.buffer_sigma_V * spread
        self.s1 = np.zeros((rows, columns), bool)
        self.s0 = np.zeros((rows, columns), bool)
        self._live: dict[int, LiveCells] = {}
        self._live_enabled: dict[bytes, dict[int, LiveCells]] = {}
        self._devices = devices
        self._version = np.full(rows, -1, np.int64)
        # Without mismatch every term is a multiple of 1/2: float32 is exact as well, and twice as fast.
        alike = bool((self.neuron.w == 2).all() and (self.neuron.v == 1).all())
        dtype = np.float32 if alike else np.float64
        self._w = (self.neuron.w / 2).astype(dtype)
        self._v = (self.neuron.v / 2).astype(dtype)
        self._base = np.zeros((rows, columns), dtype)  # dV in counts with every input at -1
        self._slope = np.zeros((rows, columns), dtype)  # what input +1 adds to it
        self._constant: dict[bytes, NDArray[np.float64]] = {}

    def refresh(self, row: int | None = None) -> None:
        """Bring all rows, or one, up to date with the devices."""
        now = self._devices.row_version[self.tile]
        if row is not None:
            if self._version[row] != now[row]:
                self._derive(np.array([row]))
            return
        stale = np.flatnonzero(self._version != now)
        for start in range(0, len(stale), _BLOCK_ROWS):
            self._derive(stale[start : start + _BLOCK_ROWS])

    def _derive(self, rows: NDArray[np.intp]) -> None:
        _, found = self.cells(rows)
        self.s1[rows], self.s0[rows] = found.s1, found.s0
        self._base[rows] = self._w * found.s0
        self._slope[rows] = self._w * (found.s1.astype(np.int8) - found.s0)
        self._constant.clear()
        self._live_enabled.clear()
        live = found.live
        any_live = live.any(axis=1)
        for at, row in enumerate(rows.tolist()):
            self._live.pop(row, None)
            if any_live[at]:
                columns = np.flatnonzero(live[at])
                p1, p0 = found.p1[at, columns], found.p0[at, columns]
                self._live[row] = LiveCells(columns, p1.astype(np.float32), p0.astype(np.float32))
        self._version[rows] = self._devices.row_version[self.tile, rows]

    def cells(self, rows: NDArray[np.intp]) -> tuple[Voltages, Decisions]:
        """Source-line voltages and buffer decisions of whole rows, arrays (n, C), freshly computed."""
        voltages = source_line(self._devices.resistance_ohm[self.tile, rows], rows, self.params.bridge)
        return voltages, decide(voltages, self.threshold_V)

    def unsure(self) -> NDArray[np.bool_]:
        """Live cells, (R, C) bool. Refreshes all rows."""
        self.refresh()
        found = np.zeros(self.s1.shape, bool)
        for row, cells in self._live.items():
            found[row, cells.columns] = True
        return found

    def live(self, col_en: NDArray[np.bool_]) -> dict[int, LiveCells]:
        """Rows, ascending, with live cells among the enabled columns, and those cells. Refreshes all rows."""
        self.refresh()
        key = col_en.tobytes()
        found = self._live_enabled.get(key)
        if found is None:
            found = {}
            for row in sorted(self._live):
                if (cells := self._live[row].among(col_en)) is not None:
                    found[row] = cells
            self._live_enabled[key] = found
            if len(self._live_enabled) > _KEPT:
                self._live_enabled.pop(next(iter(self._live_enabled)))
        return found

    def bits(
        self, row: int, bl: NDArray[np.bool_], col_en: NDArray[np.bool_], number: int
    ) -> NDArray[np.bool_]:
        """The buffers' bits of one row at read ``number``, (C,) bool, False where disabled."""
        self.refresh(row)
        q = np.where(bl, self.s1[row], self.s0[row]) & col_en
        if row in self._live and (cells := self._live[row].among(col_en)) is not None:
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
        self.refresh()
        inputs = (bl & col_en).astype(self._w.dtype)
        x = (inputs @ self._slope[rows].T).astype(np.float64)
        x += self._enabled(col_en)[rows]
        return x

    def popcounts(self, bl: NDArray[np.bool_], col_en: NDArray[np.bool_], rows: slice) -> NDArray[np.int64]:
        """Ones among the enabled source lines without read noise, shaped as ``counts``."""
        self.refresh()
        s1, s0 = self.s1[rows].astype(np.float32), self.s0[rows].astype(np.float32)  # exact up to 2**24
        inputs = (bl & col_en).astype(np.float32)
        return (inputs @ (s1 - s0).T + s0 @ col_en.astype(np.float32)).astype(np.int64)

    def _enabled(self, col_en: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The part of ``counts`` that does not depend on the input, (R,)."""
        key = col_en.tobytes()
        found = self._constant.get(key)
        if found is None:
            enabled = col_en.astype(self._w.dtype)
            found = (self._base @ enabled).astype(np.float64) - float(self._v @ enabled)
            self._constant[key] = found
            if len(self._constant) > _KEPT:
                self._constant.pop(next(iter(self._constant)))
        return found

    def live_change(
        self,
        row: int,
        cells: LiveCells,
        inputs: NDArray[np.bool_],
        numbers: Sequence[int],
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What read noise changes in a live row.

        Parameters
        ----------
        row : int
        cells : LiveCells
            Of that row, from ``live``.
        inputs : bool, (batch, C)
        numbers : batch ints
            Read number of each input.

        Returns
        -------
        counts : float64, (batch,)
            Change of dV in counts.
        popcounts : int64, (batch,)
            Change of the popcount.
        """
        bl = inputs[:, cells.columns]
        drawn = np.stack([self._drawn(row, cells, b, n) for b, n in zip(bl, numbers, strict=True)])
        likely = np.where(bl, self.s1[row, cells.columns], self.s0[row, cells.columns])
        change = drawn.astype(np.int64) - likely
        return change @ self._w[cells.columns].astype(np.float64), change.sum(axis=1)

    def _drawn(self, row: int, cells: LiveCells, bl: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
        """Bits of live cells at one read; ``bl`` are their inputs."""
        size = int(cells.columns[-1]) + 1  # the beginning of the draw over all columns
        u = uniform(self.chip, Purpose.CELL_NOISE, self.tile, number, row, size=size)
        return u[cells.columns] < np.where(bl, cells.p1, cells.p0)
