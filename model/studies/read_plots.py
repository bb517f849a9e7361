"""Pictures of the read conditions. Files only, no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from .read_conditions import Grid, Limits, ReadMap

__all__ = ["plot_maps"]


def plot_maps(maps: Sequence[ReadMap], grid: Grid, limits: Limits, path: Path) -> None:
    """A row of panels for each population: error rates by time, safe points outlined."""
    times = [0, len(grid.read_s) // 2, len(grid.read_s) - 1]
    figure = Figure(figsize=(3.7 * len(times) + 1, 3.3 * len(maps) + 0.4), layout="constrained")
    panels = np.array(figure.subplots(len(maps), len(times), sharex=True, sharey=True)).reshape(len(maps), -1)
    least = min(0.3 / m.cells for m in maps)
    norm = LogNorm(least, 0.5)
    for found, line in zip(maps, panels, strict=True):
        for k, axis in zip(times, line, strict=True):
            rates = np.maximum(found.errors[:, :, k], least)
            image = axis.pcolormesh(rates, norm=norm, cmap="cividis")
            for i, j in np.argwhere(found.safe[:, :, k]).tolist():
                axis.plot(j + 0.5, i + 0.5, "o", color="white", markersize=4, markeredgecolor="k")
            axis.set_xticks(np.arange(len(grid.v_wl_V)) + 0.5, [f"{v:g}" for v in grid.v_wl_V])
            axis.set_yticks(np.arange(len(grid.v_read_V)) + 0.5, [f"{v:g}" for v in grid.v_read_V])
            axis.tick_params(labelsize=7)
            axis.set_title(f"{found.name}, {grid.read_s[k] * 1e9:g} ns", fontsize=9)
            axis.set(xlabel="word line (V)", ylabel="read voltage (V)")
            axis.label_outer()
    figure.colorbar(image, ax=panels, label=f"cell error rate (darkest: {least:.0e} and below)")
    figure.suptitle(
        f"dots: error below {limits.max_error:g} and ln HRS falls less than {limits.max_fall:g} in "
        f"{limits.reads:,} reads",
        fontsize=9,
    )
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
