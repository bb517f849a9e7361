"""Comparison (e): offset, noise and decision time of the clocked comparator; figures for NeuronParams."""

from __future__ import annotations

import dataclasses
import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import BOLTZMANN_J_PER_K, NeuronParams

from .compare import Comparison, Context, Report
from .decks import ANALOG_OPTIONS, cells, comparator, level_source
from .run import Deck, run_deck, run_decks
from .sizes import CircuitSizes

__all__ = [
    "PELGROM_V_UM",
    "compare_comparator",
    "hysteresis_V",
    "input_noise_V",
    "kickback_C",
    "offsets_V",
    "threshold_sigma_V",
]

FloatArray = NDArray[np.float64]

#: sigma(V_T) * sqrt(W L) of one thin-oxide n transistor, from ``models_global.spice`` of the models [std].
PELGROM_V_UM = 3.356e-3


def threshold_sigma_V(w_um: float, l_um: float) -> float:
    """Return sigma(V_T) of one nfet_01v8 as the models draw it (``delvto`` in ``models_fet.spice``) [std].

    Pelgrom's law times the models' factors for short and narrow channels, which they apply to mismatch too.
    """
    short = 0.008 * 8.0 / l_um + 0.992
    narrow = 0.035 * 7.0 / w_um + 0.965
    small = 0.001 * 56.0 / (w_um * l_um) + 0.999
    return PELGROM_V_UM / math.sqrt(w_um * l_um) * short * narrow * small


_CLOCK_S = 1e-9
_WATCH_S = 1.5e-9  # simulated after the clock edge; 0.1 mV takes 0.4 ns
_OFFSET_RANGE_V = 0.04
_OFFSET_BOUND = 0.3  # the estimate leaves out the latch; 60 draws know sigma to 9 %
_TIME_BOUND = 0.01  # of the sense phase: what the controller can notice
_NOISE_STEP_S = 10e-12
_NOISE_GAMMA = 1.0  # short channel; 2/3 holds for long ones [std]


def common_mode_V(sizes: CircuitSizes, columns: int = 23) -> float:
    """Return the level around which the comparator decides: half the swing of the lines, V."""
    c = columns * sizes.c_unit_F
    return 0.5 * sizes.vdd_V * c / (c + sizes.line_capacitance_F(columns))


def _deck(
    context: Context,
    dv: FloatArray,
    *,
    corner: str = "tt",
    seed: int = 1,
    noise_A: float = 0.0,
    vectors: tuple[str, ...] = ("v(op{k})",),
) -> Deck:
    """Return a deck that clocks one comparator per element of ``dv`` once."""
    z = context.sizes
    middle = common_mode_V(z)
    end = _CLOCK_S + _WATCH_S
    netlist = [ANALOG_OPTIONS, *cells(z), f"vcmp cmp 0 {z.vdd_V}"]
    netlist.append(level_source("clk", "clk", [(0, 0.0), (_CLOCK_S, 0.0), (_CLOCK_S + z.edge_s, z.vdd_V)]))
    if noise_A:
        netlist = [line for line in netlist if not line.startswith(".subckt strongarm")]
        at = next(k for k, line in enumerate(netlist) if line.startswith("xtail"))
        noise = [f"in{n} {n} t 0 trnoise({noise_A:.6g} {_NOISE_STEP_S:.3g} 0 0)" for n in ("p", "q")]
        netlist[at:at] = [".subckt strongarm inp inn clk outp outn vdd", *noise]
    for k, v in enumerate(dv):
        netlist += [f"vp{k} ip{k} 0 {middle + v / 2:.9g}", f"vn{k} im{k} 0 {middle - v / 2:.9g}"]
        netlist.append(comparator(f"{k}", f"ip{k}", f"im{k}", "clk", f"op{k}", f"on{k}", "cmp"))
    names = " ".join(v.format(k=k) for k in range(dv.size) for v in vectors)
    return Deck(
        name="comparators",
        netlist="\n".join(netlist),
        control=f"save {names}\ntran 20p {end:.6g} 0 0.1n\nwrdata out {names}",
        outputs=("out",),
        corner=corner,
        seed=seed,
    )


def offsets_V(context: Context, count: int, steps: int) -> FloatArray:
    """Return the input-referred offset of ``count`` comparators with the PDK's local mismatch, V.

    Each is found by bisection on its own input; the mismatch is drawn once per seed (corner ``tt_mm``).
    An offset is the dV at which the comparator starts to answer 1.
    """
    low, high = np.full(count, -_OFFSET_RANGE_V), np.full(count, _OFFSET_RANGE_V)
    for _ in range(steps):
        middle = 0.5 * (low + high)
        table = run_deck(_deck(context, middle, corner="tt_mm", seed=context.seed + 1), context.tools)["out"]
        one = table[-1, 1:] > context.sizes.vdd_V / 2
        low, high = np.where(one, low, middle), np.where(one, middle, high)
    return 0.5 * (low + high)


def decision_times_s(context: Context, dv: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the time from the clock edge to a valid output, and whether the answer is the sign of ``dv``."""
    half = context.sizes.vdd_V / 2
    deck = _deck(context, dv, vectors=("v(op{k})", "v(on{k})"))
    table = run_deck(deck, context.tools)["out"]
    time_s, outputs = table[:, 0], table[:, 1:].reshape(len(table), dv.size, 2)
    right = np.where(dv > 0, outputs[-1, :, 0], outputs[-1, :, 1]) > half
    clock_s = _CLOCK_S + context.sizes.edge_s / 2
    times = []
    for k in range(dv.size):
        rising = outputs[:, k, 0 if outputs[-1, k, 0] > half else 1]
        first = int(np.argmax(rising > half))
        fraction = (half - rising[first - 1]) / (rising[first] - rising[first - 1])
        times.append(time_s[first - 1] + fraction * (time_s[first] - time_s[first - 1]) - clock_s)
    return np.array(times), right


def input_noise_V(context: Context, count: int, runs: int) -> tuple[float, float]:
    """Estimate the rms input noise: thermal noise of the input pair injected as current, decisions counted.

    The simulator's transients hold no transistor noise. Each input transistor gets a white current source
    of its one-sided density ``4 k T gamma g_m`` between drain and source, with the g_m of the moment when
    both drains are still high (its largest, so the estimate is on the safe side) [ours]. At a given dV the
    share of ones p gives sigma = dV / Phi^-1(p).

    Returns
    -------
    sigma_V, gm_S : float
    """
    z = context.sizes
    gm_S = _input_gm_S(context)
    density = 4.0 * BOLTZMANN_J_PER_K * 300.0 * _NOISE_GAMMA * gm_S
    noise_A = math.sqrt(density / (2.0 * _NOISE_STEP_S))  # a held white sequence: density = 2 rms^2 step
    dv_V = 0.4e-3
    dv = np.full(count, dv_V) * np.where(np.arange(count) % 2, 1.0, -1.0)
    decks = [_deck(context, dv, seed=context.seed + 1 + k, noise_A=noise_A) for k in range(runs)]
    results = run_decks(decks, context.tools, processes=context.processes)
    right = [(r["out"][-1, 1:] > z.vdd_V / 2) == (dv > 0) for r in results]
    total = count * runs
    share = min(max(float(np.sum(right)), 0.5 * total + 0.5), total - 0.5) / total
    return dv_V / NormalDist().inv_cdf(share), gm_S


def hysteresis_V(context: Context, reset_s: float, steps: int) -> float:
    """Half of how far the threshold moves with the decision before, in volt; without mismatch.

    Two comparators decide +0.2 V and -0.2 V, are reset for ``reset_s``, and decide a small input, which is found by
    bisection within 2 mV: the threshold behind either decision. Positive where a comparator favours what it decided
    before.
    """
    z, again = context.sizes, _CLOCK_S + _WATCH_S + reset_s
    middle, before = common_mode_V(z), np.array([0.2, -0.2])
    low, high = np.full(2, -2e-3), np.full(2, 2e-3)
    end = again + _WATCH_S
    clock = [
        (0, 0.0),
        (_CLOCK_S, 0.0),
        (_CLOCK_S + z.edge_s, z.vdd_V),
        (_CLOCK_S + _WATCH_S - z.edge_s, z.vdd_V),
    ]
    clock += [(_CLOCK_S + _WATCH_S, 0.0), (again, 0.0), (again + z.edge_s, z.vdd_V)]
    change_s = _CLOCK_S + _WATCH_S - 0.3e-9  # decided and held: the input may move
    for _ in range(steps):
        dv = 0.5 * (low + high)
        netlist = [ANALOG_OPTIONS, *cells(z), f"vcmp cmp 0 {z.vdd_V}", level_source("clk", "clk", clock)]
        for k in range(2):
            for sign, node in ((0.5, "ip"), (-0.5, "im")):
                points = [(0, middle + sign * before[k]), (change_s, middle + sign * before[k])]
                points.append((change_s + z.edge_s, middle + sign * dv[k]))
                netlist.append(level_source(f"{node}{k}", f"{node}{k}", points))
            netlist.append(comparator(f"{k}", f"ip{k}", f"im{k}", "clk", f"op{k}", f"on{k}", "cmp"))
        deck = Deck(
            name="comparators that decide twice",
            netlist="\n".join(netlist),
            control=f"save v(op0) v(op1)\ntran 10p {end:.6g} 0 20p\nwrdata out v(op0) v(op1)",
            outputs=("out",),
        )
        one = run_deck(deck, context.tools)["out"][-1, 1:] > z.vdd_V / 2
        low, high = np.where(one, low, dv), np.where(one, dv, high)
    threshold = 0.5 * (low + high)
    return float(threshold[1] - threshold[0]) / 2


def kickback_C(context: Context, columns: int = 23) -> float:
    """Charge that one clock edge pushes onto each line of a neuron, in coulomb: their change times their load."""
    z = context.sizes
    load_F = columns * z.c_unit_F + z.line_capacitance_F(columns)
    middle, dv = common_mode_V(z, columns), 5e-3
    netlist = [ANALOG_OPTIONS, *cells(z), f"vcmp cmp 0 {z.vdd_V}"]
    netlist.append(level_source("clk", "clk", [(0, 0.0), (_CLOCK_S, 0.0), (_CLOCK_S + z.edge_s, z.vdd_V)]))
    for node, level in (("ip", middle + dv / 2), ("im", middle - dv / 2)):
        netlist += [f"c{node} {node} 0 {load_F:.6g}", f".ic v({node})={level:.9g}"]
    netlist.append(comparator("0", "ip", "im", "clk", "op", "on", "cmp"))
    deck = Deck(
        name="comparator on floating lines",
        netlist="\n".join(netlist),
        control=f"save v(ip) v(im)\ntran 10p {_CLOCK_S + _WATCH_S:.6g} 0 20p\nwrdata out v(ip) v(im)",
        outputs=("out",),
    )
    table = run_deck(deck, context.tools)["out"]
    before = table[np.searchsorted(table[:, 0], _CLOCK_S) - 1, 1:]
    mean = table[:, 1:].mean(axis=1) - before.mean()
    return float(mean[np.argmax(np.abs(mean))]) * load_F


def _input_gm_S(context: Context) -> float:
    """Return d i_d / d v_g of one input transistor with the tail on and both drains at vdd, S."""
    z = context.sizes
    middle, step = common_mode_V(z), 1e-3
    netlist = [
        *cells(z),
        f"vt t 0 {0.0}",
        f"vd d 0 {z.vdd_V}",
        "vg g 0 0",
        next(line for line in cells(z) if line.startswith("xip")).replace("xip p inp t", "xip d g t"),
    ]
    low, high = middle - step, middle + step
    deck = Deck(
        name="input transistor",
        netlist="\n".join(netlist),
        control=f"dc vg {low:.6g} {high:.6g} {step}\nwrdata gm v(g) i(vd)",
        outputs=("gm",),
    )
    table = run_deck(deck, context.tools)["gm"]
    return float((table[0, 2] - table[-1, 2]) / (table[-1, 1] - table[0, 1]))


def compare_comparator(context: Context) -> Report:
    """(e) What the comparator adds to dV, and how long it takes.

    * offset: standard deviation over the PDK's local mismatch against the hand estimate
      ``sqrt(2) sigma(V_T)`` of the input pair alone (the latch adds to it);
    * decision time: ``t = t0 + tau ln(Vdd / |dV|)`` fitted to 0.1 mV to 1 V, error of the macro model's
      ``Neuron.resolve_s`` with these two numbers;
    * without mismatch the answer is the sign of dV at 0.1 mV and above.
    """
    z = context.sizes
    count, steps = (16, 6) if context.quick else (60, 9)
    offsets = offsets_V(context, count, steps)
    sigma_V = float(np.std(offsets, ddof=1))
    hand_V = math.sqrt(2.0) * threshold_sigma_V(z.input_w_um, z.input_l_um)
    magnitude = np.geomspace(1e-4, 1.0, 13)
    dv = np.concatenate([magnitude, -magnitude])
    times, right = decision_times_s(context, dv)
    growth = np.log(z.vdd_V / np.abs(dv))
    tau_s, delay_s = np.polyfit(growth, times, 1)
    params = dataclasses.replace(
        NeuronParams.ideal(), vdd_V=z.vdd_V, sense_delay_s=float(delay_s), regeneration_tau_s=float(tau_s)
    )
    neuron = Neuron.of(params, 23, 0, 0)
    ours = neuron.resolve_s(dv / neuron.lsb_V, None, np.zeros(dv.size, dtype=np.int32))
    noise_V, gm_S = input_noise_V(context, *((24, 2) if context.quick else (32, 8)))
    comparisons = [
        Comparison(
            key="e.offset",
            what="comparator offset sigma, against sqrt(2) sigma(V_T)",
            measured=abs(sigma_V / hand_V - 1.0),
            bound=_OFFSET_BOUND,
            unit="",
            points=count,
            note=f"{sigma_V * 1e3:.2f} mV from {count} comparators, estimate {hand_V * 1e3:.2f} mV",
        ),
        Comparison(
            key="e.decision_time",
            what="decision time, 0.1 mV to 1 V, of the phase",
            measured=float(np.max(np.abs(ours - times)) / z.phase_s),
            bound=_TIME_BOUND,
            unit="",
            points=dv.size,
        ),
        Comparison(
            key="e.sign",
            what="wrong decisions without mismatch",
            measured=float(np.sum(~right)),
            bound=0.0,
            unit="decisions",
            points=dv.size,
        ),
    ]
    remembered_V = hysteresis_V(context, z.phase_s, 6 if context.quick else 10)
    comparisons.append(
        Comparison(
            key="e.hysteresis",
            what="threshold's shift by the decision before, 8 ns ago",
            measured=abs(remembered_V),
            bound=NeuronParams().noise_V,
            unit="V",
            points=2,
        )
    )
    figures = {
        "hysteresis_V": remembered_V,
        "kickback_C": kickback_C(context),
        "offset_sigma_V": sigma_V,
        "offset_mean_V": float(np.mean(offsets)),
        "offset_hand_V": hand_V,
        "noise_V": noise_V,
        "input_gm_S": gm_S,
        "sense_delay_s": float(delay_s),
        "regeneration_tau_s": float(tau_s),
    }
    curves = {"dv": dv, "times": times, "times_model": ours, "offsets": offsets}
    return Report(comparisons=comparisons, figures=figures, curves=curves)
