"""Select transistor of a device, and the source-line voltage of a bridge that holds two of them.

The thick-oxide select transistor is neither a short nor a constant resistor: its gate stands at the word-line
level, and the one beside the high bit line works as a source follower, so the source line stops at about
``v_wl - V_T(v_sl)`` when the word line is low. This file holds a continuous charge-based description of it
(EKV form, seven parameters) and the solution of the bridge built from it, both vectorised.

Transistor, voltages against the bulk at 0 V, ``U_T = k T / q``::

    V_G'  = v_g - vt0 + dibl |v_d - v_s| + phi + gamma sqrt(phi)
    V_P   = V_G' - phi - gamma (sqrt(V_G' + gamma^2 / 4) - gamma / 2)        pinch-off voltage (body effect)
    n     = 1 + gamma / (2 sqrt(phi + V_P))                                  slope factor
    q(v)  = 2 U_T ln(1 + exp((V_P - v) / (2 U_T)))                           inversion charge, as a voltage
    i_d   = (n beta / 2) (q_s^2 - q_d^2) / (1 + theta (q_s + q_d) / 2 + lambda |q_s - q_d|)

``theta`` is mobility reduction by the vertical field, ``lambda`` velocity saturation along the channel.

Bridge, high line on side ``h``, low line on side ``l``; one scalar unknown, the current ``i``::

    v_a = v_h - i (r_h + wire),   v_b = v_l + i (r_l + wire)
    v_sl(i) from i = i_d(v_a, v_sl)      a quadratic in q_s, closed form but for the small DIBL term
    f(i) = i_d(v_sl(i), v_b) - i         f(0) >= 0 >= f((v_h - v_l) / (r_h + r_l + wires)), one zero between

The current law lacks a saturation voltage of its own: deep in saturation at a high gate the current falls
by up to 1.5 % (v_g = 5 V), which no bridge reaches; f has one zero all the same.

References
----------
.. [1] Enz, Krummenacher, Vittoz, "An analytical MOS transistor model valid in all regions of operation and
   dedicated to low-voltage and low-current applications", AICSP 8 (1995): charge-based form, V_P, n. [std]
.. [2] Chandrupatla, "A new hybrid quadratic/bisection algorithm...", Adv. Eng. Software 28 (1997): the root
   search; it keeps the bracket. [std]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.parameters.params import Quantities, quantity

__all__ = ["SelectTransistorParams", "bridge_operating_point", "drain_current", "source_line_voltage"]

_BOLTZMANN_PER_CHARGE_V_K = 8.617333262e-5  # [std] CODATA 2018
_ROOT_ITERATIONS = 12  # with 3 DIBL steps each: 3 uV from 40 and 12 steps over 40,000 random bridges
_DIBL_ITERATIONS = 5  # contraction by about ``dibl`` each: microvolts are left
_VG_SMOOTHING_V = 0.05  # rounds V_G' off to 0 below flat band, where no current flows anyway

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SelectTransistorParams(Quantities):
    """Select transistor of one device.

    Defaults: fit to the I-V curves of ``sky130_fd_pr__nfet_g5v0d10v5``, W = 1.0 um, L = 0.5 um, corner tt,
    27 C, word line 1.5-4 V, 10 nA to 200 uA, printed by ``bridgebnn spice --fit`` [ours]. ``phi_V`` is
    a fit parameter, not the physical surface potential; ``temperature_K`` sets U_T alone, the others hold at
    300.15 K; ``beta_A_V2`` is proportional to the width.
    """

    vt0_V: float = quantity(0.8338, "V", 0.0, 3.0, "[ours] threshold at v_s = 0, fit to SKY130 tt")
    gamma_sqrtV: float = quantity(0.4647, "sqrt(V)", 1e-6, 3.0, "[ours] body effect, fit to SKY130 tt")
    phi_V: float = quantity(0.8111, "V", 1e-3, 5.0, "[ours] surface potential, fit to SKY130 tt")
    beta_A_V2: float = quantity(3.641e-4, "A/V^2", 1e-9, 1.0, "[ours] mu Cox W / L, fit to SKY130 tt")
    theta_perV: float = quantity(0.4827, "1/V", 0.0, 10.0, "[ours] mobility reduction, fit to SKY130 tt")
    lambda_perV: float = quantity(0.6502, "1/V", 0.0, 10.0, "[ours] velocity saturation, fit to SKY130 tt")
    dibl: float = quantity(0.08049, "1", 0.0, 0.4, "[ours] fall of the threshold per volt, fit to SKY130 tt")
    temperature_K: float = quantity(300.15, "K", 200.0, 450.0, "[std] 27 C, at which the models are fitted")

    @property
    def thermal_V(self) -> float:
        """U_T = k T / q in volts."""
        return _BOLTZMANN_PER_CHARGE_V_K * self.temperature_K


def _softplus(x: FloatArray, scale: float) -> FloatArray:
    # max(x, 0) + scale ln(1 + exp(-|x| / scale)): as np.logaddexp, several times faster
    return np.maximum(x, 0.0) + scale * np.log1p(np.exp(-np.abs(x) / scale))


def _pinch_off(v_g: FloatArray, v_ds: FloatArray, p: SelectTransistorParams) -> tuple[FloatArray, FloatArray]:
    """Return (V_P in V, n beta in A/V^2)."""
    g = p.gamma_sqrtV
    v_g1 = v_g - p.vt0_V + p.dibl * np.abs(v_ds) + p.phi_V + g * np.sqrt(p.phi_V)
    v_g1 = _softplus(v_g1, _VG_SMOOTHING_V)
    root = np.sqrt(v_g1 + 0.25 * g * g) - 0.5 * g  # = sqrt(phi + V_P)
    return v_g1 - p.phi_V - g * root, (1.0 + 0.5 * g / root) * p.beta_A_V2


def drain_current(
    v_g: ArrayLike, v_d: ArrayLike, v_s: ArrayLike, params: SelectTransistorParams
) -> FloatArray:
    """Return the current from drain to source.

    Antisymmetric in (v_d, v_s): the device has no preferred direction.

    Parameters
    ----------
    v_g, v_d, v_s : array_like
        Gate, drain and source against the bulk, V; broadcast against each other. ``v_g`` may already
        contain a threshold shift (``v_g - shift``).

    Returns
    -------
    float64 array, A
    """
    vg, vd, vs = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (v_g, v_d, v_s)))
    u2 = 2.0 * params.thermal_V
    v_p, n_beta = _pinch_off(vg, vd - vs, params)
    q_s, q_d = _softplus(v_p - vs, u2), _softplus(v_p - vd, u2)
    slow = 1.0 + 0.5 * params.theta_perV * (q_s + q_d) + params.lambda_perV * np.abs(q_s - q_d)
    return 0.5 * n_beta * (q_s - q_d) * (q_s + q_d) / slow


def _source_voltage(
    v_g: FloatArray,
    v_d: FloatArray,
    i: FloatArray,
    p: SelectTransistorParams,
    v_ds: FloatArray | float = 0.0,
    steps: int = _DIBL_ITERATIONS,
) -> FloatArray:
    """Return v_s <= v_d such that ``drain_current(v_g, v_d, v_s) == i``, for i >= 0.

    With k = i / (n beta) the current law is the quadratic
    q_s^2 - 2 k (theta/2 + lambda) q_s - q_d^2 - 2 k (1 + (theta/2 - lambda) q_d) = 0. The DIBL term starts
    from ``v_ds`` and takes ``steps`` steps.
    """
    u2 = 2.0 * p.thermal_V
    v_s = v_d - v_ds
    for _ in range(steps):
        v_p, n_beta = _pinch_off(v_g, v_d - v_s, p)
        q_d = _softplus(v_p - v_d, u2)
        k = i / n_beta
        half = k * (0.5 * p.theta_perV + p.lambda_perV)
        rest = q_d * q_d + 2.0 * k * (1.0 + (0.5 * p.theta_perV - p.lambda_perV) * q_d)
        q_s = half + np.sqrt(np.maximum(half * half + rest, 0.0))
        # inverse of q(v): ln(expm1(x)) = x + ln(1 - exp(-x))
        x = np.maximum(q_s / u2, 1e-300)
        v_s = np.minimum(v_p - u2 * (x + np.log(-np.expm1(-x))), v_d)
    return v_s


def bridge_operating_point(
    r_p_ohm: ArrayLike,
    r_n_ohm: ArrayLike,
    v_bl: ArrayLike,
    v_blb: ArrayLike,
    v_wl: ArrayLike,
    params: SelectTransistorParams,
    *,
    r_wire_bl_ohm: ArrayLike = 0.0,
    r_wire_blb_ohm: ArrayLike = 0.0,
    vt_shift_p_V: ArrayLike = 0.0,
    vt_shift_n_V: ArrayLike = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Return the source-line voltage and the current of bridges without load on the source line.

    The order along the bridge is BL, wire, device P, its transistor, SL, the other transistor, device N,
    wire, BLb.

    Contract: a fixed number of steps, no data-dependent branch, equal results for equal elements whatever
    the shape. With both lines at the same level the current is 0 and SL stands at that level. With the
    word line far below threshold SL is undefined in the circuit; here it lies between the lines.

    Parameters
    ----------
    r_p_ohm, r_n_ohm : array_like
        Device resistances, above 0, ohm.
    v_bl, v_blb, v_wl : array_like
        Levels of the lines, 0 or more, V.
    params : SelectTransistorParams
        Of both transistors.
    r_wire_bl_ohm, r_wire_blb_ohm : array_like
        Wire resistance from the driver up to this row, 0 or more, ohm.
    vt_shift_p_V, vt_shift_n_V : array_like
        Threshold shifts of the two transistors (mismatch), V.

    Returns
    -------
    v_sl : float64 array, V
        Shape: all arguments broadcast together.
    i : float64 array, A
        From BL to BLb; negative where v_bl < v_blb.

    Raises
    ------
    ValueError
        When a resistance is not above 0 or a voltage is negative or not finite.
    """
    values = {
        "r_p_ohm": r_p_ohm,
        "r_n_ohm": r_n_ohm,
        "v_bl": v_bl,
        "v_blb": v_blb,
        "v_wl": v_wl,
        "r_wire_bl_ohm": r_wire_bl_ohm,
        "r_wire_blb_ohm": r_wire_blb_ohm,
        "vt_shift_p_V": vt_shift_p_V,
        "vt_shift_n_V": vt_shift_n_V,
    }
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    for name, array in arrays.items():
        low = 0.0 if not name.startswith("vt_") else -np.inf
        if not np.all(np.isfinite(array)) or np.any(array < low):
            raise ValueError(f"{name} must be finite and at least {low:g}, got minimum {np.min(array):g}")
        if name in ("r_p_ohm", "r_n_ohm") and np.any(array <= 0.0):
            raise ValueError(f"{name} must be above 0 ohm")
    rp, rn, bl, blb, wl, wbl, wblb, sp, sn = np.broadcast_arrays(*arrays.values())

    forward = bl >= blb
    v_h, v_l = np.maximum(bl, blb), np.minimum(bl, blb)
    r_h, r_l = np.where(forward, rp + wbl, rn + wblb), np.where(forward, rn + wblb, rp + wbl)
    g_h, g_l = np.where(forward, wl - sp, wl - sn), np.where(forward, wl - sn, wl - sp)

    drop = np.zeros_like(v_h)  # v_ds of the upper transistor at the last trial: where DIBL starts from

    def excess(i: FloatArray) -> FloatArray:
        nonlocal drop
        v_a = v_h - i * r_h
        v_s = _source_voltage(g_h, v_a, i, params, drop, 3)
        drop = v_a - v_s
        return drain_current(g_l, v_s, v_l + i * r_l, params) - i

    i = _falling_root(excess, np.zeros_like(v_h), (v_h - v_l) / (r_h + r_l))
    v_a, v_b = v_h - i * r_h, v_l + i * r_l
    v_sl = np.clip(_source_voltage(g_h, v_a, i, params), np.minimum(v_a, v_b), v_a)
    return v_sl, np.where(forward, i, -i)


def source_line_voltage(
    r_p_ohm: ArrayLike,
    r_n_ohm: ArrayLike,
    v_bl: ArrayLike,
    v_blb: ArrayLike,
    v_wl: ArrayLike,
    params: SelectTransistorParams,
    **wires_and_shifts: ArrayLike,
) -> FloatArray:
    """Return the source-line voltage alone, V; see ``bridge_operating_point`` for all arguments."""
    return bridge_operating_point(r_p_ohm, r_n_ohm, v_bl, v_blb, v_wl, params, **wires_and_shifts)[0]


def _falling_root(f: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the zero of ``f``, f(low) >= 0 >= f(high), elementwise, in a fixed number of steps [2]_."""
    b, a = low, high
    fb, fa = f(b), f(a)
    c, fc = a, fa
    t = np.full_like(low, 0.5)
    for _ in range(_ROOT_ITERATIONS):
        x = a + t * (b - a)
        fx = f(x)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            quadratic = (phi * phi < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
            step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        t = np.where(quadratic & np.isfinite(step), np.clip(step, 1e-9, 1.0 - 1e-9), 0.5)
    return np.where(np.abs(fa) < np.abs(fb), a, b)
