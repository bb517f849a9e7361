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
    drawers = {"bridge": _bridge}
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
