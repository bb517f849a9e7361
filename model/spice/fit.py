"""Fits the select transistor of the model to the SKY130 thick-oxide transistor; run once, by hand.

The residual of a point is the error of the source voltage that the current error means in a bridge,
``(i_model - i_spice) / (g_ms + 1 / 10 kohm)``, weighted by ``(i / 10 uA)^-0.3`` so that the many points at
high current do not outvote the currents a bridge really carries (0.1 to 200 uA). Levenberg-Marquardt on
the logarithms of the seven parameters. The bridges of comparison (a) take no part in the fit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.select_transistor import SelectTransistorParams, drain_current

from .decks import select_transistor
from .run import Deck, Tools, run_deck
from .sizes import CircuitSizes

__all__ = ["FITTED", "fit_select_transistor", "iv_curves"]

#: Parameters that are fitted, in this order.
FITTED = ("vt0_V", "gamma_sqrtV", "phi_V", "beta_A_V2", "theta_perV", "lambda_perV", "dibl")

_GATE_LEVELS_V = (1.5, 1.8, 2.2, 2.5, 2.8, 3.0, 3.3, 4.0)
_DRAIN_STEP_V, _SOURCE_STEP_V, _TOP_V = 0.05, 0.1, 2.5
_CURRENT_RANGE_A = (1e-8, 2e-4)
_LOAD_S = 1e-4

FloatArray = NDArray[np.float64]


def iv_curves(tools: Tools, sizes: CircuitSizes) -> FloatArray:
    """Return SPICE's current of the select transistor.

    Returns
    -------
    float64 array (gate levels, source levels, drain levels, 4)
        Last axis: v_g, v_d, v_s in V, current from drain to source in A.
    """
    control, outputs = [], []
    for k, v_g in enumerate(_GATE_LEVELS_V):
        control += [f"alter vg {v_g}", f"dc vd 0 {_TOP_V} {_DRAIN_STEP_V} vs 0 {_TOP_V} {_SOURCE_STEP_V}"]
        control += [f"wrdata iv{k} v(g) v(d) v(s) i(vd)"]
        outputs.append(f"iv{k}")
    netlist = ["vg g 0 3.3", "vd d 0 1.8", "vs s 0 0", select_transistor("1", "d", "g", "s", sizes)]
    deck = Deck(
        name="select transistor",
        netlist="\n".join(netlist),
        control="\n".join(control),
        outputs=tuple(outputs),
    )
    drains = round(_TOP_V / _DRAIN_STEP_V) + 1
    result = run_deck(deck, tools)
    curves = np.stack([result[name][:, 1:5].reshape(-1, drains, 4) for name in outputs])
    curves[..., 3] *= -1.0  # SPICE counts the current into the source's positive node
    return curves


def fit_select_transistor(curves: FloatArray) -> tuple[SelectTransistorParams, float]:
    """Fit all seven parameters; return them and the unweighted rms source-voltage error in V."""
    g_ms = -np.gradient(curves[..., 3], _SOURCE_STEP_V, axis=1)
    v_g, v_d, v_s, i = (curves[..., k] for k in range(4))
    use = (v_d > v_s + 0.01) & (i > _CURRENT_RANGE_A[0]) & (i < _CURRENT_RANGE_A[1])
    v_g, v_d, v_s, i = v_g[use], v_d[use], v_s[use], i[use]
    to_volt = 1.0 / (g_ms[use] + _LOAD_S)
    weight = to_volt * (i / 1e-5) ** -0.3
    start = np.log([0.8, 0.5, 1.0, 3.5e-4, 0.4, 0.7, 0.08])

    def params(x: FloatArray) -> SelectTransistorParams:
        return SelectTransistorParams(**dict(zip(FITTED, np.exp(x).tolist(), strict=True)))

    def error(x: FloatArray) -> FloatArray:
        return drain_current(v_g, v_d, v_s, params(x)) - i

    best = _levenberg_marquardt(lambda x: error(x) * weight, start)
    return params(best), float(np.sqrt(np.mean((error(best) * to_volt) ** 2)))


def _levenberg_marquardt(residual: Callable[[FloatArray], FloatArray], x: FloatArray) -> FloatArray:
    damping, r = 1e-2, residual(x)
    cost = r @ r
    for _ in range(100):
        steps = 1e-6 * np.eye(x.size)
        jacobian = np.stack([(residual(x + d) - r) / 1e-6 for d in steps], axis=1)
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ r
        for _ in range(30):
            move = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
            trial = x + np.clip(move, -0.3, 0.3)
            r_trial = residual(trial)
            gain = cost - r_trial @ r_trial
            if gain > 0.0:
                x, r, damping = trial, r_trial, max(damping / 5.0, 1e-9)
                break
            damping *= 4.0
        else:
            return x
        cost -= gain
        if gain < 1e-10 * cost:
            return x
    return x
