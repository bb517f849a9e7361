"""Comparisons (c) and (d): dV of the capacitive neuron over the popcounts, against transients."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import NeuronParams

from .compare import Comparison, Context, Report
from .decks import (
    ANALOG_OPTIONS,
    cells,
    comparator,
    level_source,
    neuron_capacitors,
    precharge_switches,
    row_read,
)
from .run import Deck, run_deck, run_decks
from .sizes import CircuitSizes

__all__ = ["charge_sharing_dv", "compare_large_neurons", "compare_neuron", "line_load_F"]

FloatArray = NDArray[np.float64]
#: (neuron, q of shape (K, C) in {0, 1}) -> dV of shape (K,) in V; what is compared with SPICE
NeuronModel = Callable[[Neuron, FloatArray], FloatArray]

_DV_BOUND = 0.001  # of the full scale Vdd * C Cu / (C Cu + Cpar)
SAMPLE_BEFORE_S = 1e-10  # the lines are read this early


def charge_sharing_dv(neuron: Neuron, q: FloatArray) -> FloatArray:
    """Return dV as the macro model forms it: ``lsb / 2 * sum(w q - v)``, V."""
    return 0.5 * neuron.lsb_V * (q @ neuron.w - neuron.v.sum())


def _params(sizes: CircuitSizes, cpar_F: float) -> NeuronParams:
    """Return the neuron of these sizes: mismatch, nothing else (settled, no leakage, no offset)."""
    return dataclasses.replace(
        NeuronParams.ideal(),
        vdd_V=sizes.vdd_V,
        v_common_V=0.0,
        cu_F=sizes.c_unit_F,
        cu_sigma=sizes.c_unit_sigma,
        cpar_F=cpar_F,
        cpar_column_F=0.0,
    )


def _parasitic(key: str, columns: int, cpar_F: float, sizes: CircuitSizes) -> Comparison:
    """Compare the default parasitic of the model with that of SPICE, as an error of the full scale."""
    ours_F = NeuronParams().parasitic_F(columns)
    error = abs(ours_F - cpar_F) / (columns * sizes.c_unit_F + ours_F)
    return Comparison(
        key=f"{key}.parasitic_{columns}",
        what=f"{columns} columns: default Cpar, of full scale",
        measured=error,
        bound=_DV_BOUND,
        unit="",
        points=1,
        note=f"Cpar {cpar_F * 1e15:.1f} fF in SPICE, {ours_F * 1e15:.1f} fF by the defaults",
    )


def ideal_plates(
    context: Context,
    columns: int,
    chips: list[tuple[FloatArray, FloatArray, FloatArray]],
    *,
    hold_s: float = 0.0,
    corner: str = "tt",
) -> tuple[FloatArray, FloatArray]:
    """Simulate neurons whose plates are driven by ideal steps; line, switches and comparator are real.

    Parameters
    ----------
    columns : int
        C of every neuron.
    chips : list of (q, c_p_F, c_n_F)
        One neuron each: its bits and its capacitors, float64 (C,).
    hold_s : float
        How much longer than one phase evaluate lasts, s.
    corner : str
        Section of the device models.

    Returns
    -------
    time_s : float64 array (T,)
    lines_V : float64 array (T, len(chips), 2)
        VP and VN.
    """
    z = context.sizes
    on, end = z.phase_s + 3 * z.edge_s, 2 * z.phase_s + hold_s
    falls = [
        (0, 0.0),
        (2 * z.edge_s, 0.0),
        (3 * z.edge_s, z.vdd_V),
        (z.phase_s, z.vdd_V),
        (z.phase_s + z.edge_s, 0.0),
    ]
    netlist = [
        ANALOG_OPTIONS,
        *cells(z),
        f"vcmp cmp 0 {z.vdd_V}",
        "vclk clk 0 0",
        level_source("pre", "pre", falls),
        level_source("hi", "hi", [(0, 0.0), (on, 0.0), (on + z.edge_s, z.vdd_V)]),
    ]
    for k, (q, c_p, c_n) in enumerate(chips):
        plates_p, plates_n = (["hi" if bit > 0.5 else "0" for bit in side] for side in (q, 1 - q))
        netlist += neuron_capacitors(f"{k}", plates_p, plates_n, c_p, c_n)
        netlist += precharge_switches(f"{k}", columns, z)
        netlist += [comparator(f"{k}", f"vp{k}", f"vn{k}", "clk", f"op{k}", f"on{k}", "cmp")]
    vectors = " ".join(f"v(vp{k}) v(vn{k})" for k in range(len(chips)))
    step = max(0.5e-9, hold_s / 100)
    deck = Deck(
        name=f"{columns}-column neurons",
        netlist="\n".join(netlist),
        control=f"save {vectors}\ntran 0.1n {end:.6g} 0 {step:.6g}\nwrdata lines {vectors}",
        outputs=("lines",),
        corner=corner,
        seed=context.seed + 1,
    )
    table = run_deck(deck, context.tools)["lines"]
    return table[:, 0], table[:, 1:].reshape(len(table), len(chips), 2)


def dv_at(time_s: FloatArray, lines_V: FloatArray, at_s: float) -> FloatArray:
    """Return VP - VN of every neuron at one time, V."""
    dv = lines_V[..., 0] - lines_V[..., 1]
    return np.array([np.interp(at_s, time_s, column) for column in dv.T])


def line_load_F(context: Context, columns: int) -> float:
    """Return Cpar of a line with its switches and comparator, from the range of dV.

    ``dV(pop = C) - dV(pop = 0) = 2 Vdd C Cu / (C Cu + Cpar)``; capacitors alike, plates ideal. The gates
    load the line a little less when it is low, so the whole range gives the constant that fits all
    popcounts best.
    """
    z = context.sizes
    c = np.full(columns, z.c_unit_F)
    time_s, lines_V = ideal_plates(context, columns, [(np.zeros(columns), c, c), (np.ones(columns), c, c)])
    dv = dv_at(time_s, lines_V, 2 * z.phase_s - SAMPLE_BEFORE_S)
    return float(columns * z.c_unit_F * (2.0 * z.vdd_V / (dv[1] - dv[0]) - 1.0))


def row_devices(rng: np.random.Generator, weights: NDArray[np.int8]) -> tuple[FloatArray, FloatArray]:
    """Draw LRS N(6988, 382) ohm [std] and HRS lognormal around 100 kohm [ours]; return (r_p, r_n)."""
    lrs = np.maximum(rng.normal(6988.0, 382.0, weights.size), 3e3)
    hrs = 1e5 * np.exp(rng.normal(0.0, 0.3, weights.size))
    return np.where(weights > 0, lrs, hrs), np.where(weights > 0, hrs, lrs)


def _row_deck(
    context: Context, neuron: Neuron, chip: int, pops: NDArray[np.int64]
) -> tuple[Deck, FloatArray]:
    """Return the deck of one complete row read at each of ``pops``, and the bits q (K, C)."""
    z = context.sizes
    columns = neuron.a.size
    rng = context.rng(f"row {chip}")
    weights = rng.choice(np.array([-1, 1], dtype=np.int8), columns)
    q = np.zeros((pops.size, columns))
    for k, pop in enumerate(pops):
        q[k, rng.permutation(columns)[:pop]] = 1.0
    inputs = np.where(q > 0.5, weights, -weights).astype(np.int8)
    r_p, r_n = row_devices(rng, weights)
    netlist, end_s = row_read(r_p, r_n, inputs, neuron.a * z.c_unit_F, neuron.b * z.c_unit_F, z)
    deck = Deck(
        name=f"row of chip {chip}",
        netlist="\n".join(netlist),
        control=f"save v(vp) v(vn) v(cp)\ntran 0.1n {end_s:.6g} 0 0.5n\nwrdata row v(vp) v(vn) v(cp)",
        outputs=("row",),
    )
    return deck, q


def compare_neuron(context: Context, model: NeuronModel = charge_sharing_dv) -> Report:
    """(c) Complete rows of 23 columns in transistors: bridges, buffers, plate gates, neuron, comparator.

    Every popcount from 0 to 23, one random pattern of each per chip, several chips with their own weights,
    devices and capacitors. Error: |dV_model - dV_spice| / (Vdd C Cu / (C Cu + Cpar)) at the end of the
    evaluate phase.
    """
    z, columns = context.sizes, 23
    cpar_F = line_load_F(context, columns)
    pops = np.array([0, 8, 11, 12, 15, 23]) if context.quick else np.arange(columns + 1)
    neurons = [
        Neuron.of(_params(z, cpar_F), columns, context.seed, chip)
        for chip in range(1 if context.quick else 6)
    ]
    built = [_row_deck(context, neuron, chip, pops) for chip, neuron in enumerate(neurons)]
    tables = run_decks([deck for deck, _ in built], context.tools, processes=context.processes)
    dv, dv_model, decided = [], [], []
    for neuron, (_, q), table in zip(neurons, built, tables, strict=True):
        row = table["row"]
        start = np.arange(pops.size) * z.read_s
        dv.append(np.interp(start + 2 * z.phase_s - SAMPLE_BEFORE_S, row[:, 0], row[:, 1] - row[:, 2]))
        decided.append(np.interp(start + 3 * z.phase_s - SAMPLE_BEFORE_S, row[:, 0], row[:, 3]) > z.vdd_V / 2)
        dv_model.append(model(neuron, q))
    spice, ours, out = np.array(dv), np.array(dv_model), np.array(decided)
    full_scale_V = z.vdd_V * columns * z.c_unit_F / (columns * z.c_unit_F + cpar_F)
    return Report(
        comparisons=[
            Comparison(
                key="c.neuron_23",
                what="dV of 23 columns, of full scale",
                measured=float(np.max(np.abs(spice - ours)) / full_scale_V),
                bound=_DV_BOUND,
                unit="",
                points=spice.size,
                note=f"full scale {full_scale_V:.4f} V, {len(neurons)} chips x {pops.size} popcounts",
            ),
            Comparison(
                key="c.zero_crossing",
                what="rows whose dV or comparator has another sign",
                measured=float(np.sum((spice > 0) != (ours > 0)) + np.sum(out != (ours > 0))),
                bound=0.0,
                unit="rows",
                points=spice.size,
            ),
            _parasitic("c", columns, cpar_F, z),
        ],
        figures={"cpar_23_F": cpar_F, "full_scale_23_V": full_scale_V},
        curves={
            "pops": pops.astype(float),
            "dv_spice": spice,
            "dv_model": ours,
            "full_scale_V": np.array(full_scale_V),
        },
    )


def compare_large_neurons(context: Context, model: NeuronModel = charge_sharing_dv) -> Report:
    """(d) 127 and 1025 columns at a few popcounts, plates idealised: the rest is in (a) to (c)."""
    z = context.sizes
    report = Report(comparisons=[])
    loads_F = {23: line_load_F(context, 23)}
    for columns in (127,) if context.quick else (127, 1025):
        half = columns // 2
        pops = [0, columns // 4, half - 2, half, half + 1, half + 3, 3 * columns // 4, columns]
        cpar_F = line_load_F(context, columns)
        chips, ours = [], []
        for chip, pop in enumerate(pops):
            neuron = Neuron.of(_params(z, cpar_F), columns, context.seed, chip)
            q = np.zeros(columns)
            q[context.rng(f"large {columns} {chip}").permutation(columns)[:pop]] = 1.0
            chips.append((q, neuron.a * z.c_unit_F, neuron.b * z.c_unit_F))
            ours.append(float(model(neuron, q[None, :])[0]))
        time_s, lines_V = ideal_plates(context, columns, chips)
        spice = dv_at(time_s, lines_V, 2 * z.phase_s - SAMPLE_BEFORE_S)
        full_scale_V = z.vdd_V * columns * z.c_unit_F / (columns * z.c_unit_F + cpar_F)
        signed = (np.array(ours) - spice) / full_scale_V
        error = np.abs(signed)
        report.comparisons.append(
            Comparison(
                key=f"d.neuron_{columns}",
                what=f"dV of {columns} columns, of full scale",
                measured=float(error.max()),
                bound=_DV_BOUND,
                unit="",
                points=error.size,
                note=f"one count is {2 * full_scale_V / columns * 1e3:.3g} mV",
            )
        )
        report.comparisons.append(
            Comparison(
                key=f"d.sign_{columns}",
                what=f"{columns} columns: rows whose dV has another sign",
                measured=float(np.sum((spice > 0) != (np.array(ours) > 0))),
                bound=0.0,
                unit="rows",
                points=error.size,
            )
        )
        report.comparisons.append(_parasitic("d", columns, cpar_F, z))
        report.figures[f"cpar_{columns}_F"] = loads_F[columns] = cpar_F
        report.curves |= {f"share_{columns}": np.array(pops) / columns, f"error_{columns}": signed}
    report.curves |= {
        "columns": np.array(list(loads_F), float),
        "cpar_F": np.array(list(loads_F.values())),
        "cpar_model_F": np.array([NeuronParams().parasitic_F(columns) for columns in loads_F]),
    }
    return report
