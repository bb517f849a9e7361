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
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.parameters.device_params import BOLTZMANN_EV_PER_K
from bridgebnn.model.parameters.params import BridgeParams

from .rails import rail_voltages, supply_V
from .select_table import SelectTable, select_table
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
    """Source-line voltages of cells: with input +1, then with input -1, each float64 (2, n, C), in volt.

    Parameters
    ----------
    v_V
        Without noise.
    sigma_V
        Their rms noise as the buffer sees it.
    """

    v_V: FloatArray
    sigma_V: FloatArray

    @property
    def v1_V(self) -> FloatArray:
        """With input +1, (n, C)."""
        return self.v_V[0]

    @property
    def v0_V(self) -> FloatArray:
        """With input -1, (n, C)."""
        return self.v_V[1]

    @property
    def sigma1_V(self) -> FloatArray:
        """Noise with input +1, (n, C)."""
        return self.sigma_V[0]

    @property
    def sigma0_V(self) -> FloatArray:
        """Noise with input -1, (n, C)."""
        return self.sigma_V[1]


@dataclass(frozen=True, eq=False)
class Decisions:
    """What the buffers make of a set of cells: with input +1, then with input -1.

    Parameters
    ----------
    s : bool, (2, n, C)
        The likelier bit.
    p : float64, (2, n, C), 0..1
        Probability of reading 1; exactly 0 or 1 where the draws cannot tell.
    margin_V : float64, (n, C)
        Smallest distance of the two voltages to the threshold; negative nowhere.
    """

    s: NDArray[np.bool_]
    p: FloatArray
    margin_V: FloatArray

    @property
    def s1(self) -> NDArray[np.bool_]:
        """The likelier bit with input +1, (n, C)."""
        return self.s[0]

    @property
    def s0(self) -> NDArray[np.bool_]:
        """The likelier bit with input -1, (n, C)."""
        return self.s[1]

    @property
    def p1(self) -> FloatArray:
        """Probability of reading 1 with input +1, (n, C)."""
        return self.p[0]

    @property
    def p0(self) -> FloatArray:
        """Probability of reading 1 with input -1, (n, C)."""
        return self.p[1]

    @property
    def live(self) -> NDArray[np.bool_]:
        """Cells whose bit may change from read to read, (n, C)."""
        live = (self.p > 0) & (self.p < 1)
        return live[0] | live[1]


@dataclass(frozen=True, eq=False)
class Legs:
    """Resistance between SL and either line, and the devices in it: with input +1, then with input -1; (2, n, C) each.

    Input +1 puts device P beside the high line, input -1 device N.
    """

    high: FloatArray
    low: FloatArray
    high_ohm: FloatArray
    low_ohm: FloatArray

    @cached_property
    def total(self) -> FloatArray:
        """The whole path."""
        return self.high + self.low

    @property
    def load_S(self) -> FloatArray:
        """Conductance between the rails, (n, C), mean of both inputs; exactly equal for both with resistors."""
        half = 0.5 / self.total
        return half[0] + half[1]


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
    high_ohm = at_temperature(resistance_ohm, p).transpose(2, 0, 1).copy()  # P, N
    path = high_ohm.copy()
    path[0] += p.r_driver_ohm + crossed * p.r_bl_ohm
    path[1] += p.r_driver_ohm + crossed * p.r_blb_ohm
    if p.select == "resistor":
        high = path + p.r_on_ohm
        low = high[::-1]
    else:
        high, low = (_solved_legs if exact else _tabulated_legs)(path, p)
        if high.size and float((high + low).min()) > _OFF_OHM:
            raise ValueError(
                f"v_wl_V = {p.v_wl_V!r}: the select transistors stay off, so nothing is read; give a higher word line"
            )
    if p.leak_S > 0:
        high, low = high / (1.0 + p.leak_S * high), low / (1.0 + p.leak_S * low)
    return Legs(high, low, high_ohm, high_ohm[::-1])


@lru_cache(maxsize=8)
def _table(high_V: float, v_wl_V: float, temperature_K: float) -> SelectTable:
    return select_table(high_V, v_wl_V, SelectTransistorParams(temperature_K=temperature_K))


def _tabulated_legs(path_ohm: FloatArray, p: BridgeParams) -> tuple[FloatArray, FloatArray]:
    """Legs beside the high and the low line, (2, n, C), from devices and wires of P and N, (2, n, C)."""
    high, low = _table(supply_V(p), p.v_wl_V, p.temperature_K).both_ways(path_ohm)
    return path_ohm + high, path_ohm[::-1] + low


def _solved_legs(path_ohm: FloatArray, p: BridgeParams) -> tuple[FloatArray, FloatArray]:
    """``_tabulated_legs`` without the table."""
    transistor, high_V = SelectTransistorParams(temperature_K=p.temperature_K), supply_V(p)
    legs = []
    for r_high, r_low in (path_ohm, path_ohm[::-1]):
        sl_V, current_A = bridge_operating_point(r_high, r_low, high_V, 0.0, p.v_wl_V, transistor)
        current_A = np.maximum(current_A, _LEAST_A)
        legs.append((np.maximum((high_V - sl_V) / current_A, 1.0), np.maximum(sl_V / current_A, 1.0)))
    high, low = np.array(legs).swapaxes(0, 1)
    return high, low


def _voltages(legs: Legs, v_high: FloatArray, v_low: FloatArray, p: BridgeParams) -> Voltages:
    span = v_high - v_low
    v = v_low + span * (legs.low / legs.total)
    if p.c_sl_F > 0:
        missing = np.exp(-p.read_s / p.c_sl_F * legs.total / (legs.high * legs.low))
        v = v + (v[::-1] - v) * missing
    return Voltages(v, _noise(legs, span, p))


def _noise(legs: Legs, span: FloatArray, p: BridgeParams) -> FloatArray:
    """Rms noise at the buffer, (2, n, C).

    d V_SL / d ln R of the device beside the high line is -span * low * R / (high + low)^2, and likewise of the other;
    leakage in parallel to a leg takes its share.
    """
    high, low, through_high, through_low = legs.high, legs.low, legs.high_ohm, legs.low_ohm
    if p.leak_S > 0:  # dx/dR of R || leak is (1 - x * leak)^2
        through_high = through_high * (1.0 - p.leak_S * high) ** 2
        through_low = through_low * (1.0 - p.leak_S * low) ** 2
    steps = np.hypot(low * through_high, high * through_low)
    return np.hypot(p.read_noise * span / (legs.total * legs.total) * steps, p.buffer_noise_V)


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
        i1_A=(high - low) / legs.total[0],
        i0_A=(high - low) / legs.total[1],
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
    return Voltages(lower.v_V, widest.sigma_V), Voltages(upper.v_V, widest.sigma_V)


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
    over_V = voltages.v_V - threshold_V
    likely, distance_V = over_V >= 0, np.abs(over_V)
    probability = likely.astype(np.float64)
    unsure = distance_V < 5.5 * voltages.sigma_V  # beyond is 2e-8, half the grid
    if np.count_nonzero(unsure):
        probability[unsure] = _likelihood(over_V[unsure] / voltages.sigma_V[unsure])
    return Decisions(s=likely, p=probability, margin_V=np.minimum(*distance_V))


def _likelihood(z: FloatArray) -> FloatArray:
    """P(z + a standard normal number >= 0), cut to 0 and 1 below the grid of the draws."""
    probability = _normal_cdf(z)
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
