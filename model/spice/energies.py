"""Comparison (f): energy of a row read, split by rails, against transients of complete rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.energy import EnergyParams, ReadPoint, RowEnergy, row_read_energy
from bridgebnn.model.macro.select_transistor import SelectTransistorParams, bridge_operating_point
from bridgebnn.model.parameters.params import NeuronParams

from .compare import Comparison, Context, Report
from .decks import row_read
from .neurons import line_load_F, row_devices
from .run import Deck, run_deck

__all__ = ["FITTED_F", "PARTS", "compare_energy", "fit_energy", "fit_runs", "measure_rails"]

FloatArray = NDArray[np.float64]

#: Rails of SPICE, and the parts of the model that they feed.
PARTS: dict[str, tuple[str, ...]] = {
    "bit_lines": ("bridges_J", "bit_lines_J", "source_lines_J"),
    "word_line": ("word_line_J",),
    "buffers": ("buffers_J",),
    "plates": ("plates_J",),
    "comparator": ("comparator_J",),
    "clocks": ("clocks_J",),
}

ROWS = 64
"""Rows whose cells load the lines of the decks (`CircuitSizes.c_bl_F`, ``c_sl_F``)."""

_BOUND = 0.1
READS_QUICK = 6  # row reads of a quick comparison


@dataclasses.dataclass(frozen=True, eq=False)
class RowRun:
    """What SPICE measured on one row: rails (K,) in J per part, and what was read."""

    rails_J: dict[str, FloatArray]
    static_A: (
        FloatArray  # (K,) sum over the columns of the current out of the high lines, at the end of the read
    )
    inputs: NDArray[np.int8]  # (K + 1, C), from the read before the first
    q: NDArray[np.bool_]  # (K + 1, C)
    r_p_ohm: FloatArray
    r_n_ohm: FloatArray


def measure_rails(context: Context, columns: int, reads: int, purpose: str) -> RowRun:
    """Read a row of random weights at random popcounts and integrate the current of every rail.

    ``reads`` are returned; one more before them and one after them are simulated.

    A rail at V delivers V times the charge that flows while the driver holds its node high, from the start
    of the rising edge on; what flows while it is held low goes to ground.
    """
    z, rng = context.sizes, context.rng(purpose)
    weights = rng.choice(np.array([-1, 1], dtype=np.int8), columns)
    share = rng.uniform(0.0, 1.0, (reads + 2, 1))
    agree = rng.uniform(0.0, 1.0, (reads + 2, columns)) < share
    inputs = np.where(agree, weights, -weights).astype(np.int8)
    r_p, r_n = row_devices(rng, weights)
    c = np.full(columns, z.c_unit_F)
    netlist, end_s = row_read(r_p, r_n, inputs, c, c, z, pulse_word_line=True)
    drivers = [f"vbl{k}" for k in range(columns)] + [f"vblb{k}" for k in range(columns)]
    names = [*drivers, "vwl", "vbuf", "vgat", "vcmp", "vpre", "vevb", "vclk"]
    vectors = " ".join(f"i({name})" for name in names)
    deck = Deck(
        name=f"energy of {columns} columns",
        netlist="\n".join(netlist),
        control=f"save {vectors}\ntran 0.1n {end_s:.6g} 0 0.2n\nwrdata currents {vectors}",
        outputs=("currents",),
    )
    table = run_deck(deck, context.tools)["currents"]
    time_s = table[:, 0]
    charge = dict(zip(names, -_cumulative(table[:, 1:], time_s).T, strict=True))
    current = dict(zip(names, -table[:, 1:].T, strict=True))
    start = np.arange(1, reads + 1) * z.read_s

    def between(name: str, begin_s: NDArray[Any], stop_s: NDArray[Any]) -> FloatArray:
        return np.interp(stop_s, time_s, charge[name]) - np.interp(begin_s, time_s, charge[name])

    stop = start + z.read_s
    high = np.concatenate([inputs > 0, inputs < 0], axis=1)[1:-1]
    begin = start + z.edge_s
    bit_lines, static = np.zeros(reads), np.zeros(reads)
    for k, name in enumerate(drivers):
        bit_lines = bit_lines + np.where(high[:, k], between(name, begin, stop + z.edge_s), 0.0)
        static = static + np.where(high[:, k], np.interp(stop - 5 * z.edge_s, time_s, current[name]), 0.0)
    # rising edges of the clocks start before, falling ones after these windows
    clocks = between("vpre", begin, start + z.phase_s - z.edge_s)
    clocks = clocks + between("vevb", start + 3 * z.phase_s - z.edge_s, stop + z.phase_s)
    clocks = clocks + between("vclk", start + 2 * z.phase_s, stop - z.edge_s)
    rails = {
        "bit_lines": z.v_read_V * bit_lines,
        "word_line": z.v_wl_V * between("vwl", begin, stop - 2 * z.edge_s),
        "buffers": z.vdd_V * between("vbuf", begin, stop),
        "plates": z.vdd_V * between("vgat", begin, stop),
        # from before its clock rises to after it has been reset
        "comparator": z.vdd_V * between("vcmp", start + z.phase_s, stop + z.phase_s),
        "clocks": z.vdd_V * clocks,
    }
    q = inputs * weights > 0
    return RowRun(rails_J=rails, static_A=static, inputs=inputs[:-1], q=q[:-1], r_p_ohm=r_p, r_n_ohm=r_n)


def _cumulative(values: FloatArray, time_s: FloatArray) -> FloatArray:
    steps = 0.5 * (values[1:] + values[:-1]) * np.diff(time_s)[:, None]
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])


def _points(context: Context, run: RowRun) -> tuple[FloatArray, FloatArray]:
    """Return the model's (v_sl, current) of every read and column."""
    z = context.sizes
    forward = run.inputs > 0
    high, low = np.where(forward, z.v_read_V, 0.0), np.where(forward, 0.0, z.v_read_V)
    return bridge_operating_point(run.r_p_ohm, run.r_n_ohm, high, low, z.v_wl_V, SelectTransistorParams())


def default_params(context: Context) -> EnergyParams:
    """Return the macro model's defaults with the simulated row's lines: its bit lines, no wire on its word line."""
    return dataclasses.replace(EnergyParams(), c_bl_row_F=context.sizes.c_bl_F / ROWS, c_wl_column_F=0.0)


def read_point(context: Context) -> ReadPoint:
    """Return the levels of the simulated row, the time its bridges carry current, and the rows on its lines."""
    z = context.sizes
    return ReadPoint(v_read_V=z.v_read_V, v_wl_V=z.v_wl_V, current_s=z.read_s - 3 * z.edge_s, rows=ROWS)


def model_rails(
    context: Context, run: RowRun, params: EnergyParams, cpar_F: float
) -> tuple[RowEnergy, FloatArray]:
    """Return the model's energy of the reads of ``run``, and its static current (K,)."""
    z = context.sizes
    v_sl, current = _points(context, run)
    energy = row_read_energy(
        current_A=current[1:],
        v_sl_V=v_sl[1:],
        v_sl_before_V=v_sl[:-1],
        x=run.inputs[1:],
        x_before=run.inputs[:-1],
        q=run.q[1:],
        q_before=run.q[:-1],
        point=read_point(context),
        params=params,
        neuron=dataclasses.replace(
            NeuronParams(), vdd_V=z.vdd_V, cu_F=z.c_unit_F, cpar_F=cpar_F, cpar_column_F=0.0
        ),
    )
    return energy, np.sum(np.abs(current[1:]), axis=-1)


#: Capacitances that ``fit_energy`` finds, by rail.
FITTED_F = {
    "bit_lines": ("c_sl_row_F",),
    "word_line": ("c_select_F", "c_channel_F"),
    "buffers": ("c_rise_F", "c_fall_F"),
    "plates": ("c_plate_F", "c_change_F"),
    "comparator": ("c_comparator_F",),
    "clocks": ("c_gate_F", "c_precharge_F"),
}


def fit_energy(context: Context, runs: list[RowRun], cpar_F: list[float]) -> EnergyParams:
    """Fit the equivalent capacitances to runs of at least two widths; every rail is linear in its own.

    The comparator is fitted to the last run alone: its energy follows the common mode, hence the number of
    columns.
    """
    names = [name for rail in FITTED_F.values() for name in rail]
    zero = dataclasses.replace(default_params(context), **dict.fromkeys(names, 0.0))
    found: dict[str, float] = {}
    for rail, fitted in FITTED_F.items():
        used = list(zip(runs, cpar_F, strict=True))[-1 if rail == "comparator" else 0 :]

        def of_model(
            params: EnergyParams, rail: str = rail, used: list[tuple[RowRun, float]] = used
        ) -> FloatArray:
            energies = [model_rails(context, run, params, c)[0] for run, c in used]
            return np.concatenate([sum(getattr(energy, part) for part in PARTS[rail]) for energy in energies])

        base = of_model(zero)
        unit_F = 1e-15
        slopes = np.stack(
            [of_model(dataclasses.replace(zero, **{name: unit_F})) - base for name in fitted], axis=1
        )
        wanted = np.concatenate([run.rails_J[rail] for run, _ in used]) - base
        scale = np.max(np.abs(slopes))
        solution = np.linalg.lstsq(slopes / scale, wanted / scale, rcond=None)[0] * unit_F
        found |= dict(zip(fitted, np.maximum(solution, 0.0).tolist(), strict=True))
    return dataclasses.replace(zero, **found)


def fit_runs(context: Context) -> tuple[list[RowRun], list[float]]:
    """Return the runs behind the defaults of ``EnergyParams``, rows of 12 and 23 columns, and their Cpar."""
    widths = (12, 23)
    runs = [measure_rails(context, columns, 16, f"fit {columns}") for columns in widths]
    return runs, [line_load_F(context, columns) for columns in widths]


def compare_energy(context: Context, params: EnergyParams | None = None) -> Report:
    """(f) Energy of the reads of a row of 23 columns at random popcounts, rail by rail and in all.

    Error of a rail: the largest |model - SPICE| of one read, relative to the mean of that rail. The row,
    its inputs and its devices are not those of the fit.
    """
    columns, reads = 23, READS_QUICK if context.quick else 24
    cpar_F = line_load_F(context, columns)
    run = measure_rails(context, columns, reads, "energy")
    energy, static_A = model_rails(context, run, params or default_params(context), cpar_F)
    report = Report(comparisons=[])
    total_spice, total_model = np.zeros(reads), np.zeros(reads)
    for rail, parts in PARTS.items():
        spice, ours = run.rails_J[rail], sum(getattr(energy, part) for part in parts)
        total_spice, total_model = total_spice + spice, total_model + ours
        report.comparisons.append(
            _line(f"f.{rail}", f"energy of a read: {rail.replace('_', ' ')}", spice, ours)
        )
        report.figures[f"{rail}_mean_J"] = float(spice.mean())
        report.curves[rail] = np.stack([spice, ours])
    report.comparisons.append(_line("f.static", "static current of the bridges", run.static_A, static_A))
    report.comparisons.append(_line("f.total", "energy of a read: all", total_spice, total_model))
    report.figures["total_mean_J"] = float(total_spice.mean())
    return report


def _line(key: str, what: str, spice: FloatArray, ours: FloatArray) -> Comparison:
    error = float(np.max(np.abs(ours - spice)) / spice.mean())
    return Comparison(key=key, what=what, measured=error, bound=_BOUND, unit="", points=spice.size)
