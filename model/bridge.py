"""The bridge: source-line voltage of a 2T2R cell, and the decision of its column's buffer.

One word line is on, so a column is one series path: driver, BL wire to the row, select transistor, device P,
SL, device N, select transistor, BLb wire back, driver. No current leaves at SL (the buffer is a gate), hence,
with ``A = driver + (row + 1) * r_bl + r_on + R_P`` above SL and ``B`` likewise below it with R_N [std]:

    input +1 (BL, BLb) = (Vread, 0):  V_SL = Vread * B / (A + B)
    input -1 (BL, BLb) = (0, Vread):  V_SL = Vread * A / (A + B)

The drivers sit at row 0. The buffer decides ``V_SL + noise >= threshold``. Noise in ln R of either device
moves V_SL by Vread*A*B/(A+B)^2 times ``R/path`` [std, first order]; both devices and the buffer's own noise
add in power. A decision is thus a probability ``p1`` or ``p0`` of reading 1; cells whose ``p`` is neither 0
nor 1 on the grid of the draws are *live*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.params import BridgeParams

_DRAW_GRID = 2.0**-24
"""Resolution of the uniform draws; a probability nearer to 0 or 1 than half of it counts as certain."""


@dataclass(frozen=True, eq=False)
class Voltages:
    """Source-line voltages of cells, each float64 of the cells' shape, in volt.

    Parameters
    ----------
    v1_V, v0_V
        With input +1 and input -1, without noise.
    sigma1_V, sigma0_V
        Their rms noise as the buffer sees it.
    """

    v1_V: NDArray[np.float64]
    v0_V: NDArray[np.float64]
    sigma1_V: NDArray[np.float64]
    sigma0_V: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decisions:
    """What the buffers make of a set of cells; arrays of the cells' shape.

    Parameters
    ----------
    s1, s0 : bool
        The likelier bit with input +1 and input -1.
    p1, p0 : float64, 0..1
        Probability of reading 1; exactly 0 or 1 where the draws cannot tell.
    margin_V : float64
        Smallest distance of the two voltages to the threshold; negative nowhere.
    """

    s1: NDArray[np.bool_]
    s0: NDArray[np.bool_]
    p1: NDArray[np.float64]
    p0: NDArray[np.float64]
    margin_V: NDArray[np.float64]

    @property
    def live(self) -> NDArray[np.bool_]:
        """Cells whose bit may change from read to read."""
        return ((self.p1 > 0) & (self.p1 < 1)) | ((self.p0 > 0) & (self.p0 < 1))


def source_line(
    resistance_ohm: NDArray[np.float64], rows: NDArray[np.integer], params: BridgeParams
) -> Voltages:
    """Source-line voltages of whole rows.

    Parameters
    ----------
    resistance_ohm : float64, (n, C, 2)
        Devices P and N of each column.
    rows : int, (n,)
        Word line of each of the n rows: how much wire is in the path.
    params : BridgeParams

    Returns
    -------
    Voltages
        Arrays (n, C).
    """
    p = params
    crossed = np.asarray(rows, np.float64)[:, None] + 1.0
    device_p, device_n = resistance_ohm[..., 0], resistance_ohm[..., 1]
    above = p.r_driver_ohm + crossed * p.r_bl_ohm + p.r_on_ohm + device_p
    below = p.r_driver_ohm + crossed * p.r_blb_ohm + p.r_on_ohm + device_n
    total = above + below
    v1 = p.v_read_V * below / total
    v0 = p.v_read_V * above / total
    # d V_SL / d ln R_P = -Vread * below * R_P / total^2, and for R_N with above: the same for both inputs
    slope = p.v_read_V / (total * total)
    device_noise = p.read_noise * slope * np.hypot(below * device_p, above * device_n)
    sigma = np.hypot(device_noise, p.buffer_noise_V)
    return Voltages(v1, v0, sigma, sigma)


def decide(voltages: Voltages, threshold_V: NDArray[np.float64]) -> Decisions:
    """Buffer decisions of cells.

    Parameters
    ----------
    voltages : Voltages
        Arrays (n, C).
    threshold_V : float64, (C,)
        Switching voltage of each column's buffer.

    Returns
    -------
    Decisions
        Arrays (n, C).
    """
    over1, over0 = voltages.v1_V - threshold_V, voltages.v0_V - threshold_V
    return Decisions(
        s1=over1 >= 0,
        s0=over0 >= 0,
        p1=_probability(over1, voltages.sigma1_V),
        p0=_probability(over0, voltages.sigma0_V),
        margin_V=np.minimum(np.abs(over1), np.abs(over0)),
    )


def _probability(over_V: NDArray[np.float64], sigma_V: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(over + sigma * z >= 0) for a standard normal z, cut to 0 and 1 below the grid of the draws."""
    sure = np.abs(over_V) >= 5.5 * sigma_V  # 2e-8, half the grid
    probability = (over_V >= 0).astype(np.float64)
    unsure = ~sure
    if unsure.any():
        probability[unsure] = _normal_cdf(over_V[unsure] / sigma_V[unsure])
        probability[probability < _DRAW_GRID / 2] = 0.0
        probability[probability > 1 - _DRAW_GRID / 2] = 1.0
    return probability


def _normal_cdf(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal distribution, absolute error below 1e-7.

    References
    ----------
    M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 26.2.17 [std].
    """
    a = np.abs(z)
    t = 1.0 / (1.0 + 0.2316419 * a)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-0.5 * a * a) * 0.3989422804014327 * series
    return np.where(z >= 0, 1.0 - tail, tail)
