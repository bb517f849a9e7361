"""Comparisons (a) and (b): source-line voltage and buffer decision of bridges, against operating points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.bridge import source_line
from bridgebnn.model.macro.select_transistor import SelectTransistorParams, bridge_operating_point
from bridgebnn.model.parameters.params import BridgeParams

from .compare import Comparison, Context, Report
from .decks import bridge, cells
from .run import Deck, run_deck

__all__ = ["BUFFER_BAND_V", "compare_buffer", "compare_source_line", "simulate_bridges"]

FloatArray = NDArray[np.float64]
#: (r_p, r_n, v_bl, v_blb, v_wl) -> (v_sl, i); what is compared with SPICE
BridgeModel = Callable[..., tuple[FloatArray, FloatArray]]

#: Either side of the buffer's threshold the decision is not specified: 2 % of a 1.8 V read, the bound of (a).
BUFFER_BAND_V = 0.036

_SOURCE_LINE_BOUND = 0.02
_CURRENT_BOUND = 0.05
_R_OHM = (3e3, 7e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6)
_DC_OPTIONS = ".option reltol=1e-5 vntol=1e-8 abstol=1e-15 gmin=1e-15"


def default_bridge_model(
    r_p_ohm: FloatArray, r_n_ohm: FloatArray, v_bl_V: FloatArray, v_blb_V: FloatArray, v_wl_V: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return (v_sl, i) of the macro model with its default select transistor."""
    return bridge_operating_point(r_p_ohm, r_n_ohm, v_bl_V, v_blb_V, v_wl_V, SelectTransistorParams())


def simulate_bridges(
    context: Context,
    r_p_ohm: FloatArray,
    r_n_ohm: FloatArray,
    v_read_V: tuple[float, float, float],
    v_wl_V: tuple[float, float, float],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sweep read and word-line level of many bridges at once, both inputs, buffers attached.

    Parameters
    ----------
    r_p_ohm, r_n_ohm : float64 array (B,)
        The bridges.
    v_read_V, v_wl_V : (start, stop, step)
        Sweeps; every combination is one point.

    Returns
    -------
    levels : float64 array (P, 3)
        v_bl, v_blb, v_wl of each point: input +1 first, then input -1.
    v_sl, v_q : float64 array (P, B)
        Source line, and the second inverter's output.
    """
    z = context.sizes
    netlist = [_DC_OPTIONS, *cells(z), f"vdd vdd 0 {z.vdd_V}", "vbl bl 0 0", "vblb blb 0 0", "vwl wl 0 0"]
    for k, (r_p, r_n) in enumerate(zip(r_p_ohm, r_n_ohm, strict=True)):
        netlist += bridge(f"{k}", float(r_p), float(r_n), "bl", "blb", "wl", f"s{k}", z)
        netlist += [f"xb{k} s{k} qb{k} vdd buffer_inv", f"xq{k} qb{k} q{k} vdd buffer_inv"]
    nodes = [f"v(s{k})" for k in range(r_p_ohm.size)] + [f"v(q{k})" for k in range(r_p_ohm.size)]
    vectors = " ".join(["v(bl)", "v(blb)", "v(wl)", *nodes])
    read, word = (" ".join(f"{v:.6g}" for v in sweep) for sweep in (v_read_V, v_wl_V))
    control = [f"save {vectors}"]
    for name, on, off in (("plus", "vbl", "vblb"), ("minus", "vblb", "vbl")):
        control += [f"alter {off} 0", f"dc {on} {read} vwl {word}", f"wrdata {name} {vectors}"]
    deck = Deck(
        name="bridges", netlist="\n".join(netlist), control="\n".join(control), outputs=("plus", "minus")
    )
    result = run_deck(deck, context.tools)
    table = np.concatenate([result["plus"], result["minus"]])[:, 1:]
    return table[:, :3], table[:, 3 : 3 + r_p_ohm.size], table[:, 3 + r_p_ohm.size :]


def compare_source_line(context: Context, model: BridgeModel = default_bridge_model) -> Report:
    """(a) Source-line voltage of all pairs of unequal resistances over three decades.

    Error: |v_model - v_spice| / Vread, the largest of all points. Word lines down to 1.8 V: the transistor
    beside the high line then runs out of headroom and SL stops at about v_wl - V_T.
    """
    r = np.array(_R_OHM[::2] if context.quick else _R_OHM)
    r_p, r_n = (x.ravel() for x in np.meshgrid(r, r, indexing="ij"))
    r_p, r_n = r_p[r_p != r_n], r_n[r_p != r_n]
    sweep = ((0.6, 1.8, 0.6), (1.8, 3.9, 0.7)) if context.quick else ((0.2, 2.4, 0.2), (1.8, 3.9, 0.3))
    levels, v_sl, _ = simulate_bridges(context, r_p, r_n, *sweep)
    v_model, _ = model(r_p, r_n, levels[:, :1], levels[:, 1:2], levels[:, 2:])
    v_read = np.max(levels[:, :2], axis=1, keepdims=True)
    error = np.abs(v_model - v_sl) / v_read
    at, which = np.unravel_index(np.argmax(error), error.shape)
    worst = (
        f"worst at r_p {r_p[which]:g}, r_n {r_n[which]:g} ohm, "
        f"WL {levels[at, 2]:.2f} V, Vread {v_read[at, 0]:.2f} V"
    )
    read = np.isclose(levels[:, 2], 3.3) & np.isclose(v_read[:, 0], 1.8)
    full = Comparison(
        key="a.source_line",
        what="SL voltage, all pairs and levels, of Vread",
        measured=float(error.max()),
        bound=_SOURCE_LINE_BOUND,
        unit="",
        points=error.size,
        note=worst,
    )
    figures = {"source_line_rms": float(np.sqrt(np.mean(error**2)))}
    comparisons = [full]
    if read.any():
        comparisons.append(
            Comparison(
                key="a.default_levels",
                what="SL voltage at WL 3.3 V, Vread 1.8 V, of Vread",
                measured=float(error[read].max()),
                bound=_SOURCE_LINE_BOUND,
                unit="",
                points=int(error[read].size),
            )
        )
        comparisons.append(_macro(r_p, r_n, levels[read], v_sl[read]))
    return Report(
        comparisons=comparisons,
        figures=figures,
        curves={"v_spice": v_sl, "v_model": v_model, "levels": levels, "r_p": r_p, "r_n": r_n},
    )


def _macro(r_p: FloatArray, r_n: FloatArray, levels: FloatArray, v_sl: FloatArray) -> Comparison:
    """Compare ``bridgebnn.model.macro.bridge`` by its defaults, table and all, wires and leakage set aside."""
    p = dataclasses.replace(BridgeParams.ideal(), select=BridgeParams().select, v_wl_V=3.3, v_read_V=1.8)
    ours = source_line(np.stack([r_p, r_n], axis=-1)[None], np.array([0]), p)
    v_model = np.where(levels[:, :1] > levels[:, 1:2], ours.v1_V, ours.v0_V)
    return Comparison(
        key="a.macro_default",
        what="the same, model/macro/bridge.py by its defaults",
        measured=float(np.max(np.abs(v_model - v_sl)) / p.v_read_V),
        bound=_SOURCE_LINE_BOUND,
        unit="",
        points=v_sl.size,
    )


def buffer_thresholds(context: Context, count: int, corner: str) -> FloatArray:
    """Return the input at which each of ``count`` first inverters has its output at its input, V."""
    z = context.sizes
    inverters = [f"xb{k} in o{k} vdd buffer_inv" for k in range(count)]
    outputs = " ".join(f"v(o{k})" for k in range(count))
    netlist = [_DC_OPTIONS, *cells(z), f"vdd vdd 0 {z.vdd_V}", "vin in 0 0", *inverters]
    deck = Deck(
        name="buffer threshold",
        netlist="\n".join(netlist),
        control=f"dc vin {0.3 * z.vdd_V:.6g} {0.7 * z.vdd_V:.6g} 0.005\nwrdata sweep v(in) {outputs}",
        outputs=("sweep",),
        corner=corner,
        seed=context.seed + 1,
    )
    table = run_deck(deck, context.tools)["sweep"]
    v_in, v_out = table[:, 1], table[:, 2:]
    return np.array([float(np.interp(0.0, v_in - column, v_in)) for column in v_out.T])


def compare_buffer(context: Context, model: BridgeModel = default_bridge_model) -> Report:
    """(b) Buffer decision of bridges that pass slowly through the threshold.

    The model decides ``v_sl > threshold``; SPICE decides by the second inverter's output against vdd / 2.
    Measured: the largest distance of SPICE's source line from the threshold at which the two disagree.
    """
    threshold = float(buffer_thresholds(context, 1, "tt")[0])
    spread = buffer_thresholds(context, 40 if context.quick else 200, "tt_mm")
    base = np.array([7e3, 3e4, 3e5])
    ratio = np.geomspace(1 / 30.0, 30.0, 13 if context.quick else 61)
    r_p, r_n = (
        x.ravel() for x in np.broadcast_arrays(base[:, None] * np.sqrt(ratio), base[:, None] / np.sqrt(ratio))
    )
    levels, v_sl, v_q = simulate_bridges(context, r_p, r_n, (1.6, 2.0, 0.2), (3.0, 3.6, 0.3))
    v_model, _ = model(r_p, r_n, levels[:, :1], levels[:, 1:2], levels[:, 2:])
    wrong = (v_model > threshold) != (v_q > context.sizes.vdd_V / 2)
    distance = np.abs(v_sl - threshold)
    return Report(
        comparisons=[
            Comparison(
                key="b.buffer",
                what="buffer: farthest SL from the threshold that decides otherwise",
                measured=float(np.max(distance, where=wrong, initial=0.0)),
                bound=BUFFER_BAND_V,
                unit="V",
                points=wrong.size,
                note=f"{int(np.sum(distance < BUFFER_BAND_V))} points inside the band",
            )
        ],
        figures={"buffer_threshold_V": threshold, "buffer_sigma_V": float(np.std(spread, ddof=1))},
        curves={"v_sl": v_sl, "v_q": v_q, "threshold": np.array([threshold]), "thresholds": spread},
    )
