"""Select transistors of a bridge as two resistances, tabulated for one operating point.

At given line and word-line levels a bridge is a function of two numbers, what stands in series with the
transistor beside the high line (``r_high``: device and wire) and beside the low line (``r_low``). From
``select_transistor.bridge_operating_point``, with the line at V and i the current::

    t_high = (V - v_sl) / i - r_high,      t_low = v_sl / i - r_low

``ln t`` is smooth over (ln r_high, ln r_low): it is solved on a square grid, refined by a cubic spline, and
read bilinearly. A chip of 733,000 bridges then costs a tenth of a second in place of ten.

Contract: elementwise, so equal elements give equal results whatever the shape; the tables depend on nothing but
the operating point. Against the solution itself, 300 ohm to 200 Mohm: V_SL within 1e-5 of V with headroom
(V 1.8 V, word line 3.3 V), 2e-4 at 2.4 V, 1e-3 at 1.8 V, where the upper transistor is a follower. Outside the grid
(30 ohm to 30 Gohm) a transistor keeps its value at the edge.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridgebnn.cache import cached
from bridgebnn.paths import build_root

from . import select_transistor
from .select_transistor import SelectTransistorParams, bridge_operating_point

__all__ = ["SelectTable", "select_table"]

FloatArray = NDArray[np.float64]
_Place = tuple[NDArray[np.intp], FloatArray]

_LOW, _HIGH = float(np.log(30.0)), float(np.log(3e10))
_SOLVED = 192
"""Points of either axis at which the bridge is solved."""

_READ = 768
"""Points of either axis after the spline."""

_LEAST_A = 1e-18
"""Floor of a bridge's current where a leg is voltage over current."""

_FILE = "tables.npy"
_KEPT = 16
"""Tables that stay among the caches."""

_LEAST_V = 1e-3
"""Lowest line voltage that is tabulated: below, nothing is read anyway."""


@dataclass(frozen=True, eq=False)
class SelectTable:
    """Both transistors at one operating point; see ``select_table``.

    Parameters
    ----------
    log_high, log_low : float64, (768 * 768,)
        Natural logarithm of the resistances in ohm, the grid of ln r_high by ln r_low end to end.
    """

    log_high: FloatArray
    log_low: FloatArray

    def resistances(self, r_high_ohm: FloatArray, r_low_ohm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Resistance of the transistors beside the high and the low line in ohm.

        Parameters
        ----------
        r_high_ohm, r_low_ohm : float64 of one shape, above 0
            Device and wire in series with each.

        Returns
        -------
        t_high_ohm, t_low_ohm : float64 of that shape
        """
        return self._read(_place(r_high_ohm), _place(r_low_ohm))

    def both_ways(self, ohm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``resistances`` of two bridges' halves (2, ...), the first beside the high line and then the second.

        Returns
        -------
        t_high_ohm, t_low_ohm : float64 of that shape
            Exactly those of ``resistances(ohm, ohm[::-1])``.
        """
        at, part = _place(ohm)
        return self._read((at, part), (at[::-1], part[::-1]))

    def _read(self, high: _Place, low: _Place) -> tuple[FloatArray, FloatArray]:
        corner = high[0] * _READ + low[0]
        beside, across = corner + 1, corner + _READ
        opposite = across + 1

        def read(table: FloatArray) -> FloatArray:
            near, far = table[corner], table[across]
            near = near + low[1] * (table[beside] - near)
            far = far + low[1] * (table[opposite] - far)
            return np.exp(near + high[1] * (far - near))

        return read(self.log_high), read(self.log_low)


def _place(ohm: FloatArray) -> _Place:
    """Cell of an axis that resistances lie in, and how far into it."""
    place = np.log(ohm)
    place -= _LOW
    place *= (_READ - 1) / (_HIGH - _LOW)
    np.maximum(place, 0.0, out=place)
    np.minimum(place, _READ - 1.0, out=place)
    cell = np.minimum(place.astype(np.intp), _READ - 2)
    place -= cell
    return cell, place


@lru_cache(maxsize=8)
def select_table(v_line_V: float, v_wl_V: float, params: SelectTransistorParams) -> SelectTable:
    """The table of an operating point, made once: about 0.5 s with what SciPy takes to load, and 9 MB.

    It is kept among the caches (`bridgebnn.paths.build_root`), as every simulation is a process of its own, the last
    16 of them; where nothing can be written it is made anew.

    Parameters
    ----------
    v_line_V : float, at least 0
        High line; the other one is at 0 V.
    v_wl_V : float
        Word line.
    params : SelectTransistorParams
        Of both transistors.
    """
    high_V = max(v_line_V, _LEAST_V)
    try:
        return SelectTable(*_kept(high_V, v_wl_V, params))
    except (OSError, ValueError):  # no place to write, or another process has just removed it
        return SelectTable(*_solved(high_V, v_wl_V, params))


def _kept(high_V: float, v_wl_V: float, params: SelectTransistorParams) -> FloatArray:
    """``_solved`` from the cache."""
    key = hashlib.sha256(repr((high_V, v_wl_V, params, np.__version__, version("scipy"))).encode())
    for source in (__file__, select_transistor.__file__):
        key.update(Path(source).read_bytes())
    place = build_root() / "tables" / f"select-{key.hexdigest()[:16]}"

    def make(folder: Path) -> None:
        np.save(folder / _FILE, _solved(high_V, v_wl_V, params))

    if cached(place, make):
        kept = sorted(place.parent.glob("select-*/"), key=lambda folder: folder.stat().st_mtime)
        for old in kept[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    tables: FloatArray = np.load(place / _FILE, allow_pickle=False)
    return tables


def _solved(high_V: float, v_wl_V: float, params: SelectTransistorParams) -> FloatArray:
    """Logarithms of both resistances over the grid, (2, 768 * 768)."""
    from scipy.interpolate import RectBivariateSpline  # slow to load, and each simulation is a process

    solved, fine = np.linspace(_LOW, _HIGH, _SOLVED), np.linspace(_LOW, _HIGH, _READ)
    ohm = np.exp(solved)
    logs = np.empty((2, _SOLVED, _SOLVED))
    for start in range(0, _SOLVED, 16):  # blocks that stay in the cache
        rows = slice(start, start + 16)
        sl_V, current_A = bridge_operating_point(ohm[rows, None], ohm, high_V, 0.0, v_wl_V, params)
        current_A = np.maximum(current_A, _LEAST_A)
        legs = (high_V - sl_V) / current_A - ohm[rows, None], sl_V / current_A - ohm
        logs[:, rows] = np.log(np.maximum(legs, 1.0))
    return np.array([RectBivariateSpline(solved, solved, part)(fine, fine).ravel() for part in logs])
