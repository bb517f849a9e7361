"""Pictures of the published error model. Files only, no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .error_fit import ErrorFitReport
from .error_physics import ErrorModelReport
from .error_sweep import PublishedPoint, SweepReport

__all__ = ["draw_sweep", "plot_errors", "plot_fit", "plot_sweep"]

COLOURS = {6: "#3b6fb6", 8: "#3f9a6b", 20: "#d1743c"}


def plot_sweep(report: SweepReport, path: Path) -> None:
    """A file of what `draw_sweep` draws."""
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axis = figure.subplots()
    draw_sweep(axis, report)
    axis.set_title(
        f"{report.network}: {report.images:,} images, {report.draws} draws; dotted: without errors",
        fontsize=9,
    )
    _write(figure, path)


def draw_sweep(axis: Axes, report: SweepReport) -> None:
    """Accuracy over cell error rate: mean of the draws, their range as a band, the published points beside them."""
    for clock in sorted({point.clock_ns for point in report.points}):
        mine = sorted(
            (p for p in report.points if p.clock_ns == clock), key=lambda point: point.cell_error_rate
        )
        rate = [point.cell_error_rate for point in mine]
        colour = COLOURS.get(clock, "k")
        axis.plot(rate, [100 * p.mean for p in mine], "-o", color=colour, markersize=4, label=f"{clock} ns")
        axis.fill_between(
            rate, [100 * p.low for p in mine], [100 * p.high for p in mine], color=colour, alpha=0.15
        )
    _published(axis, report.published)
    axis.axhline(100 * report.golden_accuracy, color="k", linewidth=0.7, linestyle=":")
    axis.set_xscale("symlog", linthresh=1e-3, linscale=0.4)
    most = max(point.cell_error_rate for point in report.points)
    axis.set(
        xlabel="cell error rate", ylabel="accuracy (%)", ylim=(0, 102), xlim=(-2e-4, max(1.2 * most, 2e-3))
    )
    axis.grid(alpha=0.25)
    axis.legend(loc="lower left", fontsize=8)


def plot_errors(report: ErrorModelReport, path: Path) -> None:
    """Error over distance, a panel per cell error rate: published by clock, and the physical neuron."""
    columns = min(2, len(report.rows))
    lines = -(-len(report.rows) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.3 * lines), layout="constrained")
    panels = np.array(figure.subplots(lines, columns, sharex=True, sharey=True)).reshape(-1)
    for axis, row in zip(panels, report.rows, strict=False):
        for clock, values in zip(report.clocks_ns, row.published, strict=True):
            axis.plot(report.distances, values, color=COLOURS.get(clock, "k"), label=f"published, {clock} ns")
        axis.plot(report.distances, row.physical, "k--", label="this project's physics")
        axis.set(yscale="log", ylim=(1e-9, 1), title=f"cell error rate {row.cell_error_rate:g}")
        axis.grid(alpha=0.25)
    for axis in panels[len(report.rows) :]:
        axis.set_axis_off()
    for axis in panels[-columns:]:
        axis.set_xlabel("distance from the threshold (counts)")
    for axis in panels[::columns]:
        axis.set_ylabel("probability of a wrong bit")
    panels[0].legend(fontsize=8)
    figure.suptitle(f"a neuron of {report.inputs} inputs", fontsize=10)
    _write(figure, path)


def plot_fit(report: ErrorFitReport, path: Path) -> None:
    """Published and fitted error over distance for small and large neurons and with cell errors; residuals below."""
    shown = [(127, 0.0), (1025, 0.0), (1025, 0.01), (6921, 0.0)]
    figure = Figure(figsize=(13, 5.6), layout="constrained")
    panels = figure.subplots(2, len(shown), sharex="col", height_ratios=(2, 1))
    for column, (inputs, rate) in enumerate(shown):
        above, below = panels[:, column]
        for table in report.tables:
            if (table.inputs, table.cell_error_rate) != (inputs, rate):
                continue
            distance, colour = np.arange(table.distances), COLOURS.get(table.clock_ns, "k")
            above.plot(distance, table.published, color=colour, label=f"published, {table.clock_ns} ns")
            above.plot(distance, table.fitted, "--", color=colour)
            below.plot(distance, np.subtract(table.fitted, table.published), color=colour, marker=".")
        above.set(yscale="log", ylim=(1e-5, 1), title=f"{inputs} inputs, cell error rate {rate:g}")
        below.set(xlabel="distance from the threshold (counts)", ylim=(-0.12, 0.12))
        for axis in (above, below):
            axis.grid(alpha=0.25)
    panels[0, 0].set_ylabel("probability of a wrong bit")
    panels[1, 0].set_ylabel("fitted - published")
    panels[0, 1].plot([], [], "k--", label="published-like")
    panels[0, 1].legend(fontsize=8)
    _write(figure, path)


def _published(axis: Axes, points: Sequence[PublishedPoint]) -> None:
    if not points:
        return
    middle = np.array([(p.low + p.high) / 2 for p in points])
    reach = np.array([(p.high - p.low) / 2 for p in points])
    axis.errorbar(
        [p.cell_error_rate for p in points],
        100 * middle,
        yerr=100 * reach,
        fmt="kx",
        markersize=7,
        capsize=3,
        label=f"published, {points[0].network}, {points[0].clock_ns} ns",
    )


def _write(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
