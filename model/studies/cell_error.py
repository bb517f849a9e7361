"""Cell error rates: one device against a reference, a complementary pair, and the bridge with its buffer.

The three readings of the same devices, so that a study can say what the bridge gains over a 1T1R cell.
Equations (13) to (15) of ``docs/programming.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.draws import Purpose, normal
from bridgebnn.model.macro.bridge import decide, source_line
from bridgebnn.model.parameters.params import BridgeParams

__all__ = ["CellErrors", "cell_errors", "differential_rate", "interval"]

_NORMAL = NormalDist()


def differential_rate(single_rate: float) -> float:
    """Error rate of a pair whose two devices have the spread that gives ``single_rate`` alone.

    With ln R of both states normal and of equal sigma, and the reference in the middle, one device errs with
    ``Q(z)``; the difference of two has twice the distance and sqrt(2) times the sigma, so the pair errs with
    ``Q(sqrt(2) * z)`` [std].

    Parameters
    ----------
    single_rate : float, 0 < rate < 0.5

    Raises
    ------
    ValueError
        Outside that range.
    """
    if not 0 < single_rate < 0.5:
        raise ValueError(f"single_rate = {single_rate!r}: must be above 0 and below 0.5")
    return _NORMAL.cdf(math.sqrt(2.0) * _NORMAL.inv_cdf(single_rate))


def interval(errors: float, cells: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a rate of ``errors`` in ``cells``, by default for 95 % [std].

    Raises
    ------
    ValueError
        Unless ``0 <= errors <= cells`` and ``cells >= 1``.
    """
    if not (cells >= 1 and 0 <= errors <= cells):
        raise ValueError(
            f"errors = {errors!r} in cells = {cells!r}: must be from 0 to cells, cells at least 1"
        )
    rate, share = errors / cells, z * z / cells
    middle = (rate + share / 2) / (1 + share)
    half = z * math.sqrt(rate * (1 - rate) / cells + share / (4 * cells)) / (1 + share)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True)
class CellErrors:
    """Error rates of one set of programmed cells.

    Parameters
    ----------
    cells : int
        Bridges looked at.
    one_device : float
        1T1R: a device on the wrong side of the middle reference, mean of the pair's two devices.
    pair : float
        2T2R: the device that should be in LRS has not the lower resistance; noiseless.
    bridge : float
        Expected rate of wrong XNOR bits at the buffer, mean of both inputs, read noise included.
    """

    cells: int
    one_device: float
    pair: float
    bridge: float

    def as_dict(self) -> dict[str, object]:
        """Rates, and their 95 % intervals as of counts among ``cells``."""
        rates = {"one_device": self.one_device, "pair": self.pair, "bridge": self.bridge}
        return {
            "cells": self.cells,
            **rates,
            "interval": {name: list(interval(rate * self.cells, self.cells)) for name, rate in rates.items()},
        }


def cell_errors(
    resistance_ohm: NDArray[np.float64],
    bits: ArrayLike,
    mask: ArrayLike,
    rows: ArrayLike,
    *,
    middle_ohm: float,
    params: BridgeParams,
    chip: int,
    tile: int = 0,
) -> CellErrors:
    """Error rates of whole rows of one tile.

    Parameters
    ----------
    resistance_ohm : float64, (n, C, 2)
    bits : (n, C) of 0 and 1
        What the cells should hold, 1 = weight +1 = P in LRS.
    mask : (n, C) of 0 and 1
        Cells that count; at least one.
    rows : int, (n,)
        Word line of each row.
    middle_ohm : float
        Reference of the 1T1R reading, :attr:`DeviceArray.middle_ohm`.
    chip, tile : int
        Key of the buffers' thresholds, those of the macro array of that chip.

    Raises
    ------
    ValueError
        When nothing is masked.
    """
    ones, asked = np.asarray(bits, bool), np.asarray(mask, bool)
    cells = int(np.count_nonzero(asked))
    if cells == 0:
        raise ValueError("mask: must select at least one cell")
    low = np.where(ones, resistance_ohm[..., 0], resistance_ohm[..., 1])
    high = np.where(ones, resistance_ohm[..., 1], resistance_ohm[..., 0])
    single = ((low > middle_ohm).astype(float) + (high <= middle_ohm)) / 2
    spread = normal(chip, Purpose.BUFFER_THRESHOLD, tile, size=ones.shape[1])
    read = decide(
        source_line(resistance_ohm, np.asarray(rows), params),
        params.buffer_threshold_V + params.buffer_sigma_V * spread,
    )
    # input +1 should give the weight, input -1 its complement
    wrong = np.where(ones, (1 - read.p1) + read.p0, read.p1 + (1 - read.p0)) / 2
    return CellErrors(
        cells=cells,
        one_device=float(single[asked].mean()),
        pair=float((low >= high)[asked].mean()),
        bridge=float(wrong[asked].mean()),
    )
