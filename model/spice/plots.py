"""Pictures of the comparisons, one PNG each."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from model.spice.compare import Report

__all__ = ["write_plots"]


def write_plots(reports: dict[str, Report], folder: Path) -> list[Path]:
    """Write a plot of every report that has one; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawers = {
        "bridge": _bridge,
        "neuron": _neuron,
        "settling": _settling,
        "comparator": _comparator,
        "energy": _energy,
    }
    paths = []
    for name, report in reports.items():
        if name in drawers:
            figure = plt.figure(figsize=(7.0, 4.5), layout="constrained")
            drawers[name](figure, report)
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=120)
            plt.close(figure)
    return paths


def _bridge(figure: plt.Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    v_read = np.max(c["levels"][:, :2], axis=1, keepdims=True)
    left.plot(c["v_spice"].ravel(), c["v_model"].ravel(), ".", markersize=1)
    left.plot([0, 2.5], [0, 2.5], "k-", linewidth=0.5)
    left.set(xlabel="SPICE: SL (V)", ylabel="model: SL (V)")
    error = 100 * (c["v_model"] - c["v_spice"]) / v_read
    right.plot(np.broadcast_to(c["levels"][:, 2:], error.shape).ravel(), error.ravel(), ".", markersize=1)
    right.set(xlabel="word line (V)", ylabel="error (% of Vread)")


def _neuron(figure: plt.Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    left.plot(c["pops"], c["dv_spice"].T, "x", markersize=4)
    left.plot(c["pops"], c["dv_model"].T, "-", linewidth=0.5, color="black")
    left.set(xlabel="popcount of 23", ylabel="dV (V), x SPICE, - model")
    right.plot(c["pops"], 1e3 * (c["dv_model"] - c["dv_spice"]).T, ".")
    right.set(xlabel="popcount of 23", ylabel="model - SPICE (mV)")


def _settling(figure: plt.Figure, report: Report) -> None:
    axes = figure.subplots()
    missing = np.maximum(np.abs(1.0 - report.curves["settled"]), 1e-6)
    axes.semilogy(1e9 * report.curves["time_s"], missing)
    axes.set(xlabel="time after the evaluate edge (ns)", ylabel="share of dV still missing")


def _comparator(figure: plt.Figure, report: Report) -> None:
    c = report.curves
    left, right = figure.subplots(1, 2)
    left.semilogx(1e3 * np.abs(c["dv"]), 1e12 * c["times"], "x", label="SPICE")
    left.semilogx(1e3 * np.abs(c["dv"]), 1e12 * c["times_model"], ".", label="model")
    left.set(xlabel="|dV| (mV)", ylabel="decision time (ps)")
    left.legend()
    right.hist(1e3 * c["offsets"], bins=15)
    right.set(xlabel="offset (mV)", ylabel="comparators")


def _energy(figure: plt.Figure, report: Report) -> None:
    axes = figure.subplots()
    names = list(report.curves)
    at = np.arange(len(names))
    for k, label in enumerate(("SPICE", "model")):
        axes.bar(at + 0.4 * k, [1e12 * report.curves[n][k].mean() for n in names], width=0.4, label=label)
    axes.set_yscale("log")
    axes.set_xticks(at + 0.2, [n.replace("_", " ") for n in names])
    axes.set(ylabel="energy of a row read (pJ)")
    axes.legend()
