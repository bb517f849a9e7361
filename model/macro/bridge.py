"""The bridge: source-line voltage of a 2T2R cell, and the decision of its column's buffer.

One word line is on, so a column is one series path: driver, BL wire to the row, select transistor, device P,
SL, device N, select transistor, BLb wire back, driver. No current leaves at SL (the buffer is a gate), hence,
with ``A = driver + (row + 1) * r_bl + r_on + R_P`` above SL and ``B`` likewise below it with R_N, and the
rails' voltages ``vh``, ``vg`` at this column's drivers (``model/macro/rails.py``) [std]:

    input +1 (BL, BLb) = (vh, vg):  V_SL = vg + (vh - vg) * B / (A + B)
    input -1 (BL, BLb) = (vg, vh):  V_SL = vg + (vh - vg) * A / (A + B)

The drivers sit at row 0. The path is A + B for either input, so what a column takes from the rails does not
depend on the input but only on the weights: all decisions of a row are fixed by its devices and by which
columns are enabled, and dV stays affine in the input. What else is in A and B:

* the unselected cells of the column, ``leak_S`` from SL to either line, in parallel to each leg [ours];
* ``select = "transistor"`` (the default): ``r_on`` is what ``macro/select_transistor.py`` gives each transistor at
  the full read voltage, tabulated by ``model/macro/select_table.py``, A and B of each input apart; the rails see the
  mean of the two currents [ours]. ``select = "resistor"``: one ``r_on_ohm`` for all;
* temperature: ``ln R`` of a device moves by ``E_a/k * (1/T - 1/300 K)`` times its share of HRS, which is 0 at
  10 kohm, 1 at 1 Mohm and linear in ln R between [ours shape; HRS activated, LRS metallic: std].

SL is charged through the bridge, so with ``tau = c_sl * A * B / (A + B)`` a part ``exp(-read_s / tau)`` of
the way is missing; the start is taken as the level of the other input, the worst that can have been [ours].

The buffer decides ``V_SL + noise >= threshold``. Noise in ln R of either device
moves V_SL by (vh-vg)*A*B/(A+B)^2 times ``R/path`` [std, first order]; both devices and the buffer's own noise
add in power. A decision is thus a probability ``p1`` or ``p0`` of reading 1; cells whose ``p`` is neither 0
nor 1 on the grid of the draws are *live*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.parameters.device_params import BOLTZMANN_EV_PER_K
from bridgebnn.model.parameters.params import BridgeParams

from .rails import rail_voltages, supply_V
from .select_table import select_table
from .select_transistor import SelectTransistorParams, bridge_operating_point

FloatArray = NDArray[np.float64]

_DRAW_GRID = 2.0**-24
"""Resolution of the uniform draws; a probability nearer to 0 or 1 than half of it counts as certain."""


_ACTIVATED_OHM = (1e4, 1e6)
"""Device resistances below which conduction counts as metallic, above which as activated [ours]."""

_LEAST_A = 1e-18
"""Floor of a bridge's current where a leg is voltage over current."""

_OFF_OHM = 1e11
"""Both legs of a bridge above which its transistors are off [ours]: in 1 us they move 10 fF by 0.1 %."""


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


@dataclass(frozen=True, eq=False)
class Legs:
    """Resistance above (a) and below (b) SL with input +1 and -1, and the devices in them; (n, C) each."""

    a1: FloatArray
    b1: FloatArray
    a0: FloatArray
    b0: FloatArray
    ohm: FloatArray  # (n, C, 2)

    @property
    def load_S(self) -> FloatArray:
        """Conductance between the rails, mean of both inputs; exactly equal for both with resistors."""
        return 0.5 / (self.a1 + self.b1) + 0.5 / (self.a0 + self.b0)


def at_temperature(resistance_ohm: FloatArray, params: BridgeParams) -> FloatArray:
    """Device resistances at ``temperature_K``, from those at 300 K; same shape."""
    p = params
    if p.temperature_K == 300.0 or p.hrs_activation_eV == 0:
        return resistance_ohm
    low, high = _ACTIVATED_OHM
    share = np.clip(np.log(resistance_ohm / low) / np.log(high / low), 0.0, 1.0)
    shift = p.hrs_activation_eV / BOLTZMANN_EV_PER_K * (1.0 / p.temperature_K - 1.0 / 300.0)
    return resistance_ohm * np.exp(share * shift)


def check_resistances(resistance_ohm: FloatArray, rows: NDArray[np.integer]) -> None:
    """``ValueError`` with the first device, of cells (n, C, 2), whose resistance is not a positive, finite number."""
    sound = np.isfinite(resistance_ohm) & (resistance_ohm > 0)
    if not sound.all():
        at, column, side = np.argwhere(~sound)[0].tolist()
        raise ValueError(
            f"device {'PN'[side]} of row {int(np.asarray(rows)[at])}, column {column} has "
            f"{float(resistance_ohm[at, column, side])} ohm: must be positive and finite"
        )


def legs_of(
    resistance_ohm: FloatArray, rows: NDArray[np.integer], params: BridgeParams, *, exact: bool = False
) -> Legs:
    """The legs of whole rows, for the arguments of ``source_line``; they do not depend on time or load.

    ``exact`` solves every bridge instead of reading the table of the operating point: for few bridges at many
    operating points.

    Raises
    ------
    ValueError
        A resistance that is not positive and finite, or select transistors that stay off in every cell.
    """
    p = params
    check_resistances(resistance_ohm, rows)
    crossed = np.asarray(rows, np.float64)[:, None] + 1.0
    ohm = at_temperature(resistance_ohm, p)
    wire_p, wire_n = p.r_driver_ohm + crossed * p.r_bl_ohm, p.r_driver_ohm + crossed * p.r_blb_ohm
    if p.select == "resistor":
        a1, b1 = wire_p + p.r_on_ohm + ohm[..., 0], wire_n + p.r_on_ohm + ohm[..., 1]
        a0, b0 = a1, b1
    else:
        r_p, r_n = wire_p + ohm[..., 0], wire_n + ohm[..., 1]
        legs = _solved_legs if exact else _tabulated_legs
        (a1, b1), (b0, a0) = legs(r_p, r_n, p), legs(r_n, r_p, p)
        if a1.size and min(float((a1 + b1).min()), float((a0 + b0).min())) > _OFF_OHM:
            raise ValueError(
                f"v_wl_V = {p.v_wl_V!r}: the select transistors stay off, so nothing is read; give a higher word line"
            )
    if p.leak_S > 0:
        same = a0 is a1
        a1, b1 = a1 / (1.0 + p.leak_S * a1), b1 / (1.0 + p.leak_S * b1)
        a0, b0 = (a1, b1) if same else (a0 / (1.0 + p.leak_S * a0), b0 / (1.0 + p.leak_S * b0))
    return Legs(a1, b1, a0, b0, ohm)


def _tabulated_legs(r_high: FloatArray, r_low: FloatArray, p: BridgeParams) -> tuple[FloatArray, FloatArray]:
    """Legs beside the high and the low line; the resistances are those of devices and wires."""
    table = select_table(supply_V(p), p.v_wl_V, SelectTransistorParams(temperature_K=p.temperature_K))
    high, low = table.resistances(r_high, r_low)
    return r_high + high, r_low + low


def _solved_legs(r_high: FloatArray, r_low: FloatArray, p: BridgeParams) -> tuple[FloatArray, FloatArray]:
    """``_tabulated_legs`` without the table."""
    transistor, high_V = SelectTransistorParams(temperature_K=p.temperature_K), supply_V(p)
    sl_V, current_A = bridge_operating_point(r_high, r_low, high_V, 0.0, p.v_wl_V, transistor)
    current_A = np.maximum(current_A, _LEAST_A)
    return np.maximum((high_V - sl_V) / current_A, 1.0), np.maximum(sl_V / current_A, 1.0)


def _voltages(legs: Legs, v_high: FloatArray, v_low: FloatArray, p: BridgeParams) -> Voltages:
    span = v_high - v_low
    total1, total0 = legs.a1 + legs.b1, legs.a0 + legs.b0
    v1 = v_low + span * (legs.b1 / total1)
    v0 = v_low + span * (legs.a0 / total0)
    if p.c_sl_F > 0:
        missing1 = np.exp(-p.read_s / p.c_sl_F * total1 / (legs.a1 * legs.b1))
        missing0 = np.exp(-p.read_s / p.c_sl_F * total0 / (legs.a0 * legs.b0))
        v1, v0 = v1 + (v0 - v1) * missing1, v0 + (v1 - v0) * missing0
    sigma1 = _noise(legs.a1, legs.b1, legs.ohm, span, p)
    sigma0 = sigma1 if legs.a0 is legs.a1 else _noise(legs.a0, legs.b0, legs.ohm, span, p)
    return Voltages(v1, v0, sigma1, sigma0)


def _noise(a: FloatArray, b: FloatArray, ohm: FloatArray, span: FloatArray, p: BridgeParams) -> FloatArray:
    """Rms noise at the buffer. d V_SL / d ln R_P = -span * b * R_P / (a+b)^2, and for R_N with a; leakage
    in parallel to a leg takes its share."""
    through_p, through_n = ohm[..., 0], ohm[..., 1]
    if p.leak_S > 0:  # da/dR of R || leak is (1 - a * leak)^2
        through_p = through_p * (1.0 - p.leak_S * a) ** 2
        through_n = through_n * (1.0 - p.leak_S * b) ** 2
    device_noise = p.read_noise * span / ((a + b) * (a + b)) * np.hypot(b * through_p, a * through_n)
    return np.hypot(device_noise, p.buffer_noise_V)


def source_line(
    resistance_ohm: FloatArray,
    rows: NDArray[np.integer],
    params: BridgeParams,
    enabled: NDArray[np.bool_] | None = None,
) -> Voltages:
    """Source-line voltages of whole rows.

    Parameters
    ----------
    resistance_ohm : float64, (n, C, 2)
        Devices P and N of each column, at 300 K.
    rows : int, (n,)
        Word line of each of the n rows: how much wire is in the path.
    params : BridgeParams
    enabled : bool, (C,) or (n, C), optional
        Columns whose lines move, and which so load the rails; all by default. The voltages of the others are
        those that they would have beside this load.

    Returns
    -------
    Voltages
        Arrays (n, C).
    """
    return voltages_of(legs_of(resistance_ohm, rows, params), params, enabled)


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """Bridges as they stand in a read, arrays (n, C): voltages, bits and currents with input +1 and -1.

    Parameters
    ----------
    v1_V, v0_V : float64
        Source lines, without noise.
    s1, s0 : bool
        The likelier bit.
    i1_A, i0_A : float64, at least 0
        Current from the high line to the low one.
    """

    v1_V: FloatArray
    v0_V: FloatArray
    s1: NDArray[np.bool_]
    s0: NDArray[np.bool_]
    i1_A: FloatArray
    i0_A: FloatArray


def operating_points(
    resistance_ohm: FloatArray,
    rows: NDArray[np.integer],
    params: BridgeParams,
    threshold_V: FloatArray,
    enabled: NDArray[np.bool_] | None = None,
) -> OperatingPoints:
    """What ``source_line`` and ``decide`` give for these arguments, and the currents."""
    legs = legs_of(resistance_ohm, rows, params)
    high, low = _rails(legs, enabled, params)
    voltages = _voltages(legs, high, low, params)
    decisions = decide(voltages, threshold_V)
    return OperatingPoints(
        v1_V=voltages.v1_V,
        v0_V=voltages.v0_V,
        s1=decisions.s1,
        s0=decisions.s0,
        i1_A=(high - low) / (legs.a1 + legs.b1),
        i0_A=(high - low) / (legs.a0 + legs.b0),
    )


def voltages_of(legs: Legs, params: BridgeParams, enabled: NDArray[np.bool_] | None = None) -> Voltages:
    """Second half of ``source_line``: rails, settling and noise of known legs."""
    return _voltages(legs, *_rails(legs, enabled, params), params)


def source_line_bounds(
    resistance_ohm: FloatArray, rows: NDArray[np.integer], params: BridgeParams
) -> tuple[Voltages, Voltages]:
    """Voltages below and above those of ``source_line`` for any set of enabled columns; arrays (n, C).

    The lower ones take the supply of all columns enabled and the ground of none, the upper ones the reverse;
    the noise of both is the larger.
    """
    legs = legs_of(resistance_ohm, rows, params)
    high, low = _rails(legs, None, params)
    zero, full = np.zeros_like(low), np.full_like(high, supply_V(params))
    widest = _voltages(legs, full, zero, params)
    lower, upper = _voltages(legs, high, zero, params), _voltages(legs, full, low, params)
    return (
        Voltages(lower.v1_V, lower.v0_V, widest.sigma1_V, widest.sigma0_V),
        Voltages(upper.v1_V, upper.v0_V, widest.sigma1_V, widest.sigma0_V),
    )


def _rails(legs: Legs, enabled: NDArray[np.bool_] | None, p: BridgeParams) -> tuple[FloatArray, FloatArray]:
    load_S = legs.load_S
    return rail_voltages(load_S if enabled is None else np.where(enabled, load_S, 0.0), p)


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
