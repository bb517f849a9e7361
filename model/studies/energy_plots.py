"""Pictures of energies. Files only, no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .energy import EnergyStudyReport
from .energy_projection import PUBLISHED

__all__ = ["draw_beside_others", "draw_parts", "plot_energy"]

OURS, PROJECTED = "#d1743c", "#3b6fb6"


def plot_energy(report: EnergyStudyReport, path: Path) -> None:
    """Left the macro's parts of an operation at every point, right the energy efficiency beside published ones."""
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_parts(left, report)
    draw_beside_others(right, report)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=150)


def draw_parts(axis: Axes, report: EnergyStudyReport) -> None:
    """The macro's energy of an operation by part, a bar a point."""
    labels = [
        f"{p.inputs} {p.mode}\n{p.activity:.0%}, {p.clock_s * 1e9:g} ns" for p in reversed(report.points)
    ]
    base = np.zeros(len(labels))
    macro = [name for name in report.points[0].energy.parts if name not in ("controller_J", "bus_J")]
    for number, name in enumerate(macro):
        fJ = np.array(
            [
                p.energy.parts[name] * p.energy.inferences / p.energy.events.operations * 1e15
                for p in reversed(report.points)
            ]
        )
        axis.barh(labels, fJ, left=base, color=f"C{number}", label=name.removesuffix("_J").replace("_", " "))
        base = base + fJ
    axis.legend(fontsize=7)
    axis.tick_params(labelsize=7)
    axis.set(xlabel="fJ per operation of the macro, SKY130")


def draw_beside_others(axis: Axes, report: EnergyStudyReport) -> None:
    """TOPS/W of the macro at the best and worst point, simulated and projected, beside published ones."""
    rows = [(p.name, p.tops_per_w, p.tops_per_w, "0.6") for p in PUBLISHED]
    for label, colour, values in (
        ("this macro, SKY130, model", OURS, [p.energy.macro_tops_per_w for p in report.points]),
        ("this macro, 22 nm, projected", PROJECTED, [p.projected.macro_tops_per_w for p in report.points]),
        ("with controller, SKY130", OURS, [p.energy.tops_per_w for p in report.points]),
        ("with controller, 22 nm, projected", PROJECTED, [p.projected.tops_per_w for p in report.points]),
    ):
        rows.append((label, min(values), max(values), colour))
    rows.sort(key=lambda row: row[2])
    for name, low, high, colour in rows:
        axis.plot([low, high], [name, name], "-o", color=colour, markersize=4)
    axis.set_xscale("log")
    axis.grid(True, axis="x", alpha=0.3)
    axis.tick_params(labelsize=7)
    axis.set(xlabel="TOPS/W, 1 bit x 1 bit; ranges over the points")
