"""Pictures of programming: strengths, and a programmed chip. Files only, no display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bridgebnn.hdl.spec import DAC_LSB_V, ProgSide

from .conditions import PUBLISHED_RATES, FormingPoint, Point

__all__ = ["plot_conditions", "plot_map", "plot_resistances"]

_COLOURS = ("#3b6fb6", "#d1743c", "#3f9a6b", "#8a5fb0", "#8c8c8c")


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def plot_conditions(
    points: Sequence[Point], strengths: Sequence[Point], forming: Sequence[FormingPoint], path: Path
) -> None:
    """Cell error rate and cost over the start voltage, the four strengths, and the forming yield."""
    figure = Figure(figsize=(12, 8.5), layout="constrained")
    (errors, costs), (named, yields) = figure.subplots(2, 2)
    floor = 0.3 / points[0].errors.cells
    keys = sorted({(p.strength.set.width_cyc, p.strength.set.attempts) for p in points})
    widths = sorted({k[0] for k in keys})
    for width, attempts in keys:
        line = [p for p in points if (p.strength.set.width_cyc, p.strength.set.attempts) == (width, attempts)]
        volts = [p.strength.reset.prog_start * DAC_LSB_V for p in line]
        style = {
            "color": _COLOURS[widths.index(width) % len(_COLOURS)],
            "linestyle": {1: ":", 2: "--", 4: "-."}.get(attempts, "-"),
            "marker": ".",
            "label": f"{width} cycles, {attempts} attempt{'s' if attempts > 1 else ''}",
        }
        errors.semilogy(volts, [max(p.errors.bridge, floor) for p in line], **style)
        costs.semilogy(volts, [p.energy_per_bit_J * 1e12 for p in line], **style)
    errors.axhline(floor, color="k", linewidth=0.5)
    errors.annotate("none seen", (errors.get_xlim()[0], floor), fontsize=6, va="bottom", ha="left")
    errors.set(title="bridge reading", xlabel="RESET start (V); SET 0.3 V lower", ylabel="cell error rate")
    errors.legend(fontsize=6, ncols=2)
    costs.set(title="energy of a rewrite", xlabel="RESET start (V)", ylabel="pJ per bit")
    for i, point in enumerate(strengths):
        published = PUBLISHED_RATES[point.strength.name]
        named.vlines(i, min(published), max(published), color="#c8c8c8", linewidth=14)
        named.plot([i] * len(published), published, "_", color="k", markersize=12)
        for j, kind in enumerate(("one_device", "pair", "bridge")):
            label = ("1T1R", "2T2R", "bridge")[j] if i == 0 else None
            named.plot(i + 0.12 * (j - 1), getattr(point.errors, kind), "o", color=_COLOURS[j], label=label)
    named.set_yscale("log")
    named.set_xticks(range(len(strengths)), [p.strength.name for p in strengths])
    named.set(title="four strengths; bars and dashes: published rates", ylabel="cell error rate")
    named.legend()
    for colour, step in zip(_COLOURS, sorted({f.prog_step for f in forming}), strict=False):
        tried = [f for f in forming if f.prog_step == step]
        volts = [f.prog_start * DAC_LSB_V for f in tried]
        label = f"step {step * DAC_LSB_V:.1f} V"
        yields.semilogy(volts, [max(1 - f.final_yield, 1e-6) for f in tried], ".-", color=colour, label=label)
        yields.semilogy(volts, [max(1 - f.first_yield, 1e-6) for f in tried], ".:", color=colour)
    yields.set(
        title="forming: dotted after one pulse, the same for both steps",
        xlabel="FORM start (V)",
        ylabel="share not formed (floor 1e-6)",
    )
    yields.legend()
    _save(figure, path)


def plot_map(
    attempts: NDArray[np.uint8],
    failed: NDArray[np.bool_],
    masks: NDArray[np.bool_],
    path: Path,
    most: int = 6,
) -> None:
    """Maps of pulses (left) and failures (right) per device, a row of pictures a tile, up to ``most`` tiles.

    Parameters
    ----------
    attempts, failed : (T, R, C, 2)
    masks : (T, R, C)
    """
    used_tiles = [t for t in range(masks.shape[0]) if masks[t].any()]
    tiles = used_tiles[:most]
    figure = Figure(figsize=(15, 1.2 + 2.8 * len(tiles)), layout="constrained")
    axes = figure.subplots(len(tiles), 4, squeeze=False)
    limit = max(4, int(np.percentile(attempts[masks], 99.9)) + 2)
    for line, tile in zip(axes, tiles, strict=True):
        used = np.flatnonzero(masks[tile].any(axis=1))
        rows = slice(0, used[-1] + 1)
        for side in ProgSide:
            shown = np.where(masks[tile, rows], attempts[tile, rows, :, side].astype(float), np.nan)
            picture = line[side].imshow(shown, aspect="auto", vmin=0, vmax=limit, interpolation="nearest")
            line[side].set_title(f"tile {tile}, {side.name}: pulses", fontsize=9)
            bad = line[2 + side]
            bad.imshow(
                masks[tile, rows], aspect="auto", cmap=ListedColormap(["#ffffff", "#e8ecf2"]), vmin=0, vmax=1
            )
            where = np.argwhere(failed[tile, rows, :, side] & masks[tile, rows])
            bad.plot(where[:, 1], where[:, 0], "s", color="#c0392b", markersize=2.5)
            bad.set_title(f"tile {tile}, {side.name}: {len(where)} failed", fontsize=9)
        line[0].set_ylabel("row")
        figure.colorbar(picture, ax=line[:2], label="pulses", shrink=0.9)
    for axis in axes[-1]:
        axis.set_xlabel("column")
    if len(tiles) < len(used_tiles):
        figure.suptitle(f"the first {len(tiles)} of {len(used_tiles)} tiles", fontsize=9)
    _save(figure, path)


def plot_resistances(
    states: Mapping[str, NDArray[np.float64]], limits: Mapping[str, float], path: Path
) -> None:
    """Cumulative distributions of every state on a logit axis of shares, with the verify limits.

    Parameters
    ----------
    states : name to resistances (n,), ohm
    limits : name to resistance, ohm
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axis = figure.subplots()
    for (name, ohm), colour in zip(states.items(), _COLOURS, strict=False):
        values = np.sort(np.asarray(ohm).reshape(-1))
        if values.size == 0:
            continue
        shares = 1 / (1 + 10.0 ** np.linspace(8, -8, 2000))  # dense in both tails
        picks = np.unique((shares * values.size).astype(np.intp).clip(0, values.size - 1))
        shares = (picks + 0.5) / values.size
        axis.plot(
            values[picks], np.log10(shares / (1 - shares)), color=colour, label=f"{name} ({values.size:,})"
        )
    for name, limit in limits.items():
        axis.axvline(limit, color="k", linewidth=0.7, linestyle=":")
        axis.annotate(name, (1.05 * limit, 0.0), rotation=90, fontsize=7, va="center", ha="left")
    ticks = np.array([1e-5, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1 - 1e-5])
    axis.set_yticks(np.log10(ticks / (1 - ticks)), [f"{t:g}" for t in ticks])
    axis.set(xscale="log", xlabel="resistance (ohm)", ylabel="share below", title="resistances by state")
    axis.legend(loc="lower right")
    _save(figure, path)
