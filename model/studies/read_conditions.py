"""Read conditions: cell error rate over read voltage, word line and time, and where reading is safe.

For programmed populations of pairs, the expected share of wrong bits at the buffer (both inputs, read noise
included, ``model.macro.bridge`` with ``select = "transistor"``) at every point of a grid; and what reads at that
voltage do to a device in HRS, which has nearly all of it across itself: its ln R falls by

    reads * read_disturb_log * exp((Vread - V_ref) / V_acc)        (docs/programming.md, equation 12).

A point is *safe* for a population when the upper end of the 95 % interval of its error rate is below
``max_error``, after the stuck cells are set aside if asked, and the fall is below ``max_fall``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Timing
from bridgebnn.model.draws import Purpose, normal
from bridgebnn.model.macro.bridge import Legs, decide, legs_of, voltages_of
from bridgebnn.model.parameters.device_params import DeviceParams, Stuck
from bridgebnn.model.parameters.params import BridgeParams, MacroParams

from .cell_error import interval
from .conditions import STRENGTHS, Bench

__all__ = ["Grid", "Limits", "Population", "ReadMap", "disturb", "populations", "read_map"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Values of the three axes; each ascending.

    Parameters
    ----------
    v_read_V, v_wl_V : tuple of float
    read_s : tuple of float
        Time from the row's selection until the buffers must be right.
    """

    v_read_V: tuple[float, ...] = tuple(round(0.9 + 0.1 * i, 1) for i in range(14))
    v_wl_V: tuple[float, ...] = (1.8, 2.1, 2.4, 2.7, 3.0, 3.3, 3.6)
    read_s: tuple[float, ...] = (0.5e-9, 1e-9, 2e-9, 5e-9, 40e-9)

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            values = getattr(self, item.name)
            if not values or any(not v > 0 for v in values) or list(values) != sorted(set(values)):
                raise ValueError(f"Grid.{item.name} = {values!r}: must be positive and ascending")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Points along (v_read, v_wl, read_s)."""
        return len(self.v_read_V), len(self.v_wl_V), len(self.read_s)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What counts as safe [ours].

    Parameters
    ----------
    max_error : float, 0..1
        Cell error rate.
    max_fall : float, above 0
        Fall of ln R of an HRS over ``reads``.
    reads : int, at least 1
        Reads of a row between two refreshes.
    """

    max_error: float = 1e-3
    max_fall: float = 0.1
    reads: int = 1_000_000

    def __post_init__(self) -> None:
        if not 0 < self.max_error <= 1:
            raise ValueError(f"Limits.max_error = {self.max_error!r}: must be above 0, at most 1")
        if not self.max_fall > 0:
            raise ValueError(f"Limits.max_fall = {self.max_fall!r}: must be above 0")
        if not self.reads >= 1:
            raise ValueError(f"Limits.reads = {self.reads!r}: must be at least 1")


@dataclass(frozen=True, eq=False)
class Population:
    """Programmed pairs: their resistances (n, C, 2), target bits (n, C), and cells without a stuck device."""

    name: str
    ohm: FloatArray
    bits: NDArray[np.bool_]
    free: NDArray[np.bool_]


def populations(
    names: Sequence[str], cells: int, params: MacroParams, timing: Timing, chip: int
) -> Iterator[Population]:
    """Program one chip afresh for each name: ``verified``, or a strength of ``conditions.STRENGTHS``.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    strengths = {s.name: s for s in STRENGTHS}
    if unknown := sorted(set(names) - {"verified", *strengths}):
        raise ValueError(
            f"population {unknown[0]!r}: known are verified, {', '.join(strengths)} (docs/programming.md)"
        )
    bench = Bench(cells, params, timing, chip)
    for name in names:
        if name == "verified":
            bench.evaluate(dataclasses.replace(STRENGTHS[0], name=name, set=timing.set, reset=timing.reset))
        else:
            bench.evaluate(strengths[name])
        devices = bench.devices
        free = (devices.stuck[0] == Stuck.NONE).all(axis=-1)
        yield Population(name, devices.resistance_ohm[0].copy(), bench.images[0].copy(), free)


def disturb(v_read_V: Sequence[float], reads: int, device: DeviceParams) -> FloatArray:
    """Fall of ln R of a device in HRS after ``reads`` reads, one a read voltage."""
    volts = (np.asarray(v_read_V) - device.read_disturb_reference_V) / device.read_disturb_acceleration_V
    return reads * device.read_disturb_log * np.exp(volts)


@dataclass(frozen=True, eq=False)
class ReadMap:
    """Cell error rates of one population over the grid.

    Parameters
    ----------
    name : str
    cells : int
    errors : float64, grid.shape
    fall : float64, (points of v_read,)
    safe : bool, grid.shape
    """

    name: str
    cells: int
    errors: FloatArray
    fall: FloatArray
    safe: NDArray[np.bool_]

    def region(self, grid: Grid) -> dict[str, Any] | None:
        """The largest box of safe points that spans read voltages and word lines, at the longest time.

        Returns
        -------
        dict or None
            ``v_read_V`` and ``v_wl_V`` (lowest, highest), the shortest ``read_s`` at which all of the box is
            safe, and its ``points``; None when no point is safe.
        """
        layer = self.safe[:, :, -1]
        best: tuple[int, int, int, int, int] | None = None
        for a in range(layer.shape[0]):
            for b in range(a, layer.shape[0]):
                columns = layer[a : b + 1].all(axis=0)
                edges = np.flatnonzero(np.diff(np.concatenate([[0], columns.astype(int), [0]])))
                for c, d in edges.reshape(-1, 2).tolist():
                    size = (b - a + 1) * (d - c)
                    if best is None or size > best[0]:
                        best = (size, a, b, c, d - 1)
        if best is None:
            return None
        size, a, b, c, d = best
        fast = self.safe[a : b + 1, c : d + 1].all(axis=(0, 1))
        return {
            "v_read_V": [grid.v_read_V[a], grid.v_read_V[b]],
            "v_wl_V": [grid.v_wl_V[c], grid.v_wl_V[d]],
            "read_s": grid.read_s[int(np.argmax(fast))],
            "points": size,
        }


def read_map(
    population: Population,
    grid: Grid,
    limits: Limits,
    base: MacroParams,
    chip: int,
    *,
    without_stuck: bool = False,
    progress: Any = None,
) -> ReadMap:
    """Map one population.

    Parameters
    ----------
    base : MacroParams
        Everything but the read voltage, word line and time.
    chip : int
        Key of the buffers' thresholds.
    without_stuck : bool
        Leave out cells with a stuck device: programming logs them, reading cannot mend them.
    progress : callable, optional
        Called after each pair of voltages.
    """
    ohm, ones = population.ohm, population.bits
    counted = population.free if without_stuck else np.ones_like(population.free)
    rows = np.arange(ohm.shape[0])
    spread = normal(chip, Purpose.BUFFER_THRESHOLD, 0, size=ohm.shape[1])
    errors = np.empty(grid.shape)
    for i, v_read in enumerate(grid.v_read_V):
        for j, v_wl in enumerate(grid.v_wl_V):
            here = dataclasses.replace(base.bridge, select="transistor", v_read_V=v_read, v_wl_V=v_wl)
            legs = legs_of(ohm, rows, here, exact=True)
            for k, read_s in enumerate(grid.read_s):
                at = dataclasses.replace(here, read_s=read_s)
                errors[i, j, k] = _rate(legs, ones, counted, spread, at)
            if progress is not None:
                progress()
    cells = int(counted.sum())
    fall = disturb(grid.v_read_V, limits.reads, base.device)
    upper = np.vectorize(lambda rate: interval(rate * cells, cells)[1])(errors)
    safe = (upper < limits.max_error) & (fall < limits.max_fall)[:, None, None]
    return ReadMap(population.name, cells, errors, fall, safe)


def _rate(
    legs: Legs,
    ones: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    spread: FloatArray,
    p: BridgeParams,
) -> float:
    read = decide(voltages_of(legs, p), p.buffer_threshold_V + p.buffer_sigma_V * spread)
    wrong = np.where(ones, (1 - read.p1) + read.p0, read.p1 + (1 - read.p0)) / 2
    return float(wrong[counted].mean())
