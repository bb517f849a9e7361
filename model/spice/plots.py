"""Pictures of the comparisons, one PNG each; those that docs/model.md shows are written by this, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .compare import Report

__all__ = ["write_plots"]

_SPICE, _MODEL, _BOUND = "#d1743c", "#3b6fb6", "#8c8c8c"


def write_plots(reports: dict[str, Report], folder: Path) -> list[Path]:
    """Write ``spice-<step>.png`` of every report that has a plot; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawers = {
        "bridge": _bridge,
        "buffer": _buffer,
        "neuron": _neuron,
        "large": _large,
        "settling": _settling,
        "comparator": _comparator,
        "energy": _energy,
    }
    paths = []
    for name, report in reports.items():
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        drawers[name](figure, report)
        for axis in figure.axes:
            axis.grid(alpha=0.25)
        paths.append(folder / f"spice-{name}.png")
        figure.savefig(paths[-1], dpi=90)
    return paths


def _bounds(axis: Axes, bound: float, label: str) -> None:
    for sign in (1, -1):
        axis.axhline(
            sign * bound, color=_BOUND, linestyle="--", linewidth=1, label=label if sign > 0 else None
        )
    axis.set_ylim(-1.25 * bound, 1.25 * bound)


def _bridge(figure: Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    v_read = np.max(c["levels"][:, :2], axis=1, keepdims=True)
    left.plot([0, 2.5], [0, 2.5], "-", color=_MODEL, linewidth=1, label="equal")
    left.plot(c["v_spice"].ravel(), c["v_model"].ravel(), ".", color=_SPICE, markersize=2, label="a bridge")
    left.set(xlabel="V_SL in SPICE (V)", ylabel="V_SL of the model (V)", title="source line, all levels")
    left.legend(fontsize=8)
    error = 100 * (c["v_model"] - c["v_spice"]) / v_read
    right.plot(
        np.broadcast_to(c["levels"][:, 2:], error.shape).ravel(),
        error.ravel(),
        ".",
        color=_SPICE,
        markersize=2,
    )
    _bounds(right, 2.0, "bound 2 %")
    right.set(xlabel="word line (V)", ylabel="model - SPICE (% of Vread)", title="error over the word line")
    right.legend(fontsize=8, loc="lower right")


def _buffer(figure: Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    threshold = float(c["threshold"][0])
    left.plot(c["v_sl"].ravel(), c["v_q"].ravel(), ".", color=_SPICE, markersize=2, label="SPICE")
    left.axvline(threshold, color=_MODEL, linewidth=1, label=f"model's threshold, {threshold:.3f} V")
    left.set(xlabel="V_SL in SPICE (V)", ylabel="second inverter (V)", title="what the buffer decides")
    left.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.05))
    right.hist(c["thresholds"], bins=20, color=_SPICE)
    right.set(xlabel="threshold (V)", ylabel="buffers", title=f"{c['thresholds'].size} buffers with mismatch")


def _neuron(figure: Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    left.plot(c["pops"], c["dv_model"].T, "-", linewidth=0.7, color=_MODEL)
    left.plot(c["pops"], c["dv_spice"].T, "x", markersize=4, color=_SPICE)
    left.plot([], [], "-", color=_MODEL, label="model")
    left.plot([], [], "x", color=_SPICE, label="SPICE")
    left.legend(fontsize=8)
    left.set(xlabel="popcount of 23", ylabel="dV (V)", title="complete rows in transistors")
    error = 100 * (c["dv_model"] - c["dv_spice"]).T / c["full_scale_V"]
    right.plot(c["pops"], error, ".", color=_SPICE)
    _bounds(right, 0.1, "bound 0.1 %")
    right.set(xlabel="popcount of 23", ylabel="model - SPICE (% of full scale)", title="error of dV")
    right.legend(fontsize=8, loc="lower right")


def _large(figure: Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    columns = c["columns"]
    at = np.geomspace(10, 1.2 * columns.max(), 50)
    slope = (c["cpar_model_F"][-1] - c["cpar_model_F"][0]) / (columns[-1] - columns[0])
    left.loglog(
        at, 1e15 * (c["cpar_model_F"][0] + slope * (at - columns[0])), "-", color=_MODEL, label="model"
    )
    left.loglog(columns, 1e15 * c["cpar_F"], "x", color=_SPICE, label="SPICE")
    left.set(xlabel="columns", ylabel="Cpar of a line (fF)", title="parasitic of the line")
    left.set_xticks([23, 127, 1025], ["23", "127", "1025"])
    left.set_yticks([25, 50, 100, 200, 400], ["25", "50", "100", "200", "400"])
    left.minorticks_off()
    left.legend(fontsize=8)
    for marker, n in zip("os^", columns[1:].astype(int), strict=False):
        share = c[f"share_{n}"]
        right.plot(share, 100 * c[f"error_{n}"], marker, color=_SPICE, markersize=4, label=f"{n} columns")
    _bounds(right, 0.1, "bound 0.1 %")
    right.set(xlabel="popcount over columns", ylabel="model - SPICE (% of full scale)", title="error of dV")
    right.legend(fontsize=8, loc="lower right")


def _settling(figure: Figure, report: Report) -> None:
    axis = figure.subplots()
    time_s, tau_s = report.curves["time_s"], report.figures["settle_tau_s"]
    shown = time_s <= time_s.max() / 2  # "missing" is counted from the last sample, where nothing is
    time_s, missing = time_s[shown], np.abs(1.0 - report.curves["settled"][shown])
    axis.semilogy(1e9 * time_s, missing, color=_SPICE, label="SPICE")
    law = np.exp(-np.maximum(time_s, 0) / tau_s)
    axis.semilogy(1e9 * time_s, law, color=_MODEL, label=f"model, tau = {tau_s * 1e12:.0f} ps")
    axis.axhline(
        1e-3, color=_BOUND, linestyle="--", linewidth=1, label="bound 0.1 %, at the end of this axis"
    )
    axis.set(xlabel="time after the evaluate edge (ns)", ylabel="share of dV still missing", ylim=(1e-5, 2))
    axis.set_title("settling of dV")
    axis.legend(fontsize=8)


def _comparator(figure: Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    order = np.argsort(np.abs(c["dv"]))
    size = 1e3 * np.abs(c["dv"])[order]
    left.semilogx(size, 1e12 * c["times_model"][order], "-", color=_MODEL, label="model")
    left.semilogx(size, 1e12 * c["times"][order], "x", color=_SPICE, markersize=4, label="SPICE")
    left.set(xlabel="|dV| (mV)", ylabel="decision time (ps)", title="clock to decision")
    left.legend(fontsize=8)
    right.hist(1e3 * c["offsets"], bins=15, color=_SPICE)
    right.set(xlabel="offset (mV)", ylabel="comparators", title=f"{c['offsets'].size} comparators, mismatch")


def _energy(figure: Figure, report: Report) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    names = list(report.curves)
    at = np.arange(len(names))
    labels = [n.replace("_", " ") for n in names]
    for k, (label, colour) in enumerate((("SPICE", _SPICE), ("model", _MODEL))):
        mean_pJ = [1e12 * report.curves[n][k].mean() for n in names]
        left.bar(at + 0.4 * k - 0.2, mean_pJ, width=0.4, label=label, color=colour)
    left.set_yscale("log")
    left.set_xticks(at, labels, rotation=20)
    left.set(ylabel="energy of a row read (pJ)", title="mean of the reads")
    left.legend(fontsize=8)
    for k, name in enumerate(names):
        spice, model = report.curves[name]
        right.plot(
            np.full(spice.size, k), 100 * (model - spice) / spice.mean(), ".", color=_SPICE, markersize=4
        )
    _bounds(right, 10.0, "bound 10 %")
    right.set_xticks(at, labels, rotation=20, fontsize=7)
    right.set(ylabel="model - SPICE (% of the mean)", title="error of each read")
    right.legend(fontsize=8, loc="lower right")
