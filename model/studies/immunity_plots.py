"""Pictures of the immunity study. Files only, no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .reports import ImmunityReport, Sweep

__all__ = ["draw_sweep", "plot_sweeps"]

_STYLES = {
    "bridge": ("#3b6fb6", "-", "o"),
    "conventional": ("#d1743c", "-", "s"),
    "no buffer": ("#3f9a6b", "--", "^"),
    "single-ended": ("#8a5fb0", "--", "v"),
    "1T1R cell": ("#8c8c8c", "--", "d"),
}


def plot_sweeps(report: ImmunityReport, path: Path) -> None:
    """One panel a sweep: accuracy of every circuit, mean as a line, one standard deviation as a band."""
    sweeps = list(report.sweeps.items())
    columns = min(len(sweeps), 2)
    rows = -(-len(sweeps) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.9 * rows), layout="constrained")
    panels = np.array(figure.subplots(rows, columns)).reshape(-1)
    for (name, sweep), axis in zip(sweeps, panels, strict=False):
        draw_sweep(axis, name, sweep, report.golden_accuracy)
        axis.set_title(name)
    for axis in panels[len(sweeps) :]:
        axis.set_axis_off()
    panels[0].legend(loc="lower left", fontsize=8)
    rows_, columns_ = report.conventional_tile
    figure.suptitle(
        f"{report.network}: {report.chips} chips, {report.images} images; dotted: integer golden; "
        f"conventional tiles {rows_}x{columns_}",
        fontsize=9,
    )
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def draw_sweep(axis: Axes, name: str, sweep: Sweep, golden_accuracy: float) -> None:
    """One sweep: mean of every circuit as a line, one standard deviation as a band, golden dotted."""
    values = np.array(sweep.values, float)
    for circuit, found in sweep.circuits.items():
        colour, line, marker = _STYLES.get(circuit, ("#8c8c8c", ":", "x"))
        mean, std = 100 * np.array(found.mean), 100 * np.array(found.std)
        wide = 3.0 if circuit == "bridge" else 1.4  # seen under the ablations that equal it
        axis.plot(
            values, mean, line, color=colour, marker=marker, markersize=4, label=circuit, linewidth=wide
        )
        axis.fill_between(values, mean - std, np.minimum(mean + std, 100), color=colour, alpha=0.15)
    axis.axhline(100 * golden_accuracy, color="k", linewidth=0.7, linestyle=":")
    if name in ("wire", "supply"):
        axis.set_xscale("log")
    if name == "wire":
        axis.set_xticks(values, [f"{value:g}" for value in values])
        axis.minorticks_off()
    axis.set(xlabel=sweep.axis, ylabel="accuracy (%)", ylim=(0, 102))
    axis.grid(alpha=0.25)
