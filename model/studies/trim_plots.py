"""Picture of fixed and drawn errors of the comparator, before and after trimming. Files only, no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .trimming import KINDS, TrimReport, repeated_error

__all__ = ["plot_trim"]

COLOURS = {"fixed": "#3b6fb6", "drawn": "#d1743c"}
WORDS = {"fixed": "one offset per tile", "drawn": "one per decision"}


def plot_trim(report: TrimReport, path: Path) -> None:
    """Accuracy over the spread, a dot per chip; wrong bits; and one neuron read once and three times."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for kind in KINDS:
        points = [p for p in report.points if p.kind == kind]
        spread = np.array([1e3 * p.sigma_V for p in points])
        for when, style, marker in (("before", "-", "o"), ("after", "--", "x")):
            label = f"{WORDS[kind]}{', trimmed' if when == 'after' else ''}"
            values = 100 * np.array([p[when] for p in points])
            left.plot(spread, values.mean(axis=1), style, color=COLOURS[kind], label=label)
            shift = 1.03 if when == "after" else 0.97
            left.plot(spread * shift, values, marker, color=COLOURS[kind], markersize=3, alpha=0.4)
            wrong = [100 * p[f"wrong_{when}"] for p in points]
            middle.plot(spread, wrong, style, marker=marker, color=COLOURS[kind], label=label)
    left.axhline(100 * report.golden_accuracy, color="k", linewidth=0.7, linestyle=":")
    left.set(xscale="log", xlabel="spread of the offset (mV)", ylabel="accuracy (%), a mark per chip")
    middle.set(xscale="log", yscale="log", xlabel="spread of the offset (mV)", ylabel="wrong hidden bits (%)")
    left.legend(fontsize=8, loc="lower left")
    distance, sigma = np.arange(12), 2.5
    right.plot(distance, repeated_error(distance, sigma, 1, "drawn"), "k-", label="read once, either kind")
    for reads, style in ((3, "--"), (9, ":")):
        drawn = repeated_error(distance, sigma, reads, "drawn")
        right.plot(distance, drawn, style, color=COLOURS["drawn"], label=f"per decision, majority of {reads}")
    right.plot(
        distance,
        repeated_error(distance, sigma, 9, "fixed"),
        "o",
        color=COLOURS["fixed"],
        markersize=4,
        label="per tile, majority of 9",
    )
    right.set(
        yscale="log",
        ylim=(1e-6, 1),
        xlabel="distance from the threshold (counts)",
        ylabel="probability of a wrong bit",
        title=f"one neuron, spread {sigma} counts",
    )
    right.legend(fontsize=8)
    marked = sorted({1e3 * p.sigma_V for p in report.points})
    for axis in (left, middle):
        axis.set_xticks(marked, [f"{value:g}" for value in marked])
        axis.set_xticks([], minor=True)
    for axis in (left, middle, right):
        axis.grid(alpha=0.25)
    left.set_title(f"{report.network}, {len(report.chips)} chips")
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
