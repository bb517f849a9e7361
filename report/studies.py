"""What studies found: curves, distributions, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import norm

from bridgebnn.model.studies import error_plots, immunity_plots
from bridgebnn.model.studies.fan_in import FanInReport
from bridgebnn.model.studies.measured_devices import DevicesReport
from bridgebnn.model.studies.reports import ReadConditionsReport
from bridgebnn.tb.runs.summaries import BenchReport, CampaignReport

from .parts import Part, Picture, Table, number, share
from .pictures import COLOURS, plot
from .results import Result, of_kind

__all__ = ["devices", "further", "immunity", "montecarlo", "neuron", "sweep"]


def immunity(result: Result) -> list[Part]:
    r = result.record
    parts: list[Part] = []
    for name, sweep in r.sweeps.items():
        caption = f"{name}: {r.network}, {r.chips} chips from seed {r.first_chip}, {r.images:,} images ({result.name})"
        draw = partial(immunity_plots.draw_sweep, name=name, sweep=sweep, golden_accuracy=r.golden_accuracy)
        svg = plot(f"immunity-{len(parts)}-{result.key}", f"accuracy against {sweep.axis}", _legend(draw))
        rows = [
            [
                f"{value:g}",
                *(
                    f"{100 * found.mean[i]:.1f} ± {100 * found.std[i]:.1f}"
                    for found in sweep.circuits.values()
                ),
            ]
            for i, value in enumerate(sweep.values)
        ]
        parts.append(Picture(caption=caption, svg=svg))
        parts.append(
            Table(
                caption=f"{name}: accuracy in %, mean ± standard deviation",
                heads=[sweep.axis, *sweep.circuits],
                rows=rows,
            )
        )
    return parts


def _legend(draw: Any) -> Any:
    def both(axis: Axes) -> None:
        draw(axis)
        axis.legend(fontsize=9)

    return both


def sweep(result: Result) -> list[Part]:
    r = result.record
    caption = (
        f"{r.network}, {r.images:,} images, {r.draws} draws a point; lines are means, bands the range of the draws; "
        f"dotted: without errors, {share(r.golden_accuracy)} ({result.name})"
    )
    svg = plot(
        f"sweep-{result.key}",
        "accuracy against cell error rate",
        lambda axis: error_plots.draw_sweep(axis, r),
    )
    clocks = sorted({point.clock_ns for point in r.points})
    points = {(point.clock_ns, point.cell_error_rate): point for point in r.points}
    rows = [
        [f"{rate:g}", *(_cell(points.get((clock, rate))) for clock in clocks)]
        for rate in sorted({point.cell_error_rate for point in r.points})
    ]
    heads = ["cell error rate", *(f"{clock} ns" for clock in clocks)]
    return [
        Picture(caption=caption, svg=svg),
        Table(caption=f"{r.network}: accuracy in %, mean ± standard deviation", heads=heads, rows=rows),
    ]


def _cell(point: Any) -> str:
    return "–" if point is None else f"{100 * point.mean:.2f} ± {100 * point.std:.2f}"


def neuron(result: Result) -> Picture:
    r = result.record

    def draw(axis: Axes) -> None:
        for row, colour in zip(r.rows, COLOURS * len(r.rows), strict=False):
            for clock, values, line in zip(
                r.clocks_ns, row.published, ("-", "-.", ":") * len(r.clocks_ns), strict=False
            ):
                label = f"published, {clock} ns, p = {row.cell_error_rate:g}"
                axis.plot(r.distances, values, line, color=colour, label=label)
            axis.plot(
                r.distances, row.physical, "--x", color=colour, label=f"physics, p = {row.cell_error_rate:g}"
            )
        axis.set(
            yscale="log", ylim=(1e-9, 1), xlabel="distance from the threshold (counts)", ylabel="wrong bits"
        )
        axis.grid(alpha=0.25)
        axis.legend(fontsize=7)

    about = f"Probability of a wrong bit of a neuron of {r.inputs:,} inputs, published and by this project's physics"
    return Picture(caption=f"{about} ({result.name})", svg=plot(f"neuron-{result.key}", about, draw))


def montecarlo(result: Result) -> list[Part]:
    r = result.record
    rows = [
        [
            c.name,
            *(f"{100 * v:.2f}" for v in (c.mean, c.std, c.low, c.p05, c.p50, c.p95, c.high)),
            str(c.worst_chip),
        ]
        for c in r.conditions
    ]
    heads = ["condition", "mean", "std", "least", "5 %", "median", "95 %", "most", "worst chip"]
    caption = (
        f"{r.network}, {r.images:,} images, chips {r.first_chip} to {r.first_chip + r.chips - 1}: accuracy in %; "
        f"golden {share(r.golden_accuracy)} ({result.name})"
    )
    parts: list[Part] = [Table(caption=caption, heads=heads, rows=rows), *_chip_energy(result)]
    drawn = [c for c in r.conditions if c.chips_by_right]
    if drawn:
        draw = partial(_distribution, conditions=drawn, images=r.images, golden=r.golden_accuracy)
        svg = plot(f"montecarlo-{result.key}", "distribution of accuracy over the chips", draw)
        parts.append(
            Picture(caption=f"Accuracy over the {r.chips:,} chips; dotted: golden ({result.name})", svg=svg)
        )
    return parts


def _chip_energy(result: Result) -> list[Part]:
    """What an inference costs over the chips, where that was counted."""
    rows = [
        [
            c.name,
            *(
                f"{1e9 * v:,.3f}"
                for v in (e.mean_J, e.std_J, e.p05_J, e.p50_J, e.p95_J, e.high_J, e.parts.macro_J)
            ),
            str(e.dearest_chip),
            f"{e.tops_per_w:.2f}",
        ]
        for c in result.record.conditions
        if (e := c.energy) is not None
    ]
    heads = [
        "condition",
        "mean",
        "std",
        "5 %",
        "median",
        "95 %",
        "most",
        "macro, mean",
        "dearest chip",
        "TOPS/W",
    ]
    caption = f"Energy of an inference over the chips, in nJ ({result.name})"
    return [Table(caption=caption, heads=heads, rows=rows)] if rows else []


def _distribution(axis: Axes, *, conditions: Sequence[Any], images: int, golden: float) -> None:
    found = [{100 * int(n) / images: count for n, count in c.chips_by_right.items()} for c in conditions]
    low, high = min(min(f) for f in found), max(max(f) for f in found)
    edges = [low + (high - low + 1e-9) * i / 30 for i in range(31)]
    for number_, (condition, shares) in enumerate(zip(conditions, found, strict=True)):
        colour = COLOURS[number_ % len(COLOURS)]
        given: dict[str, Any] = {"weights": list(shares.values()), "color": colour}
        axis.hist(list(shares), edges, histtype="stepfilled", alpha=0.25, **given)
        axis.hist(list(shares), edges, histtype="step", label=condition.name.replace("$", r"\$"), **given)
    axis.axvline(100 * golden, color="k", linewidth=0.7, linestyle=":")
    axis.set(xlabel="accuracy (%)", ylabel="chips")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=9)


def devices(result: Result) -> list[Part]:
    """Fits of measured resistances: a table, and both populations."""
    r = result.record
    fits = {"LRS": r.lrs, "HRS": r.hrs}
    rows = [
        [
            state,
            number(fit.count),
            number(fit.devices or None),
            f"{fit.median_ohm:,.0f}",
            *(f"{value:.4f}" for value in (fit.sigma, fit.sigma_device, fit.sigma_cycle)),
            f"{fit.distance:.3f}",
            share(fit.refused),
        ]
        for state, fit in fits.items()
    ]
    heads = [
        "state",
        "resistances",
        "devices",
        "median, ohm",
        "sigma of ln R",
        "device",
        "cycle",
        "distance",
        "refused",
    ]
    where = [f"{r.temperature_K:g} K"] if r.temperature_K is not None else []
    where += [r.conditions] if r.conditions else []
    about = ", ".join([r.file, *where])

    def draw(axis: Axes) -> None:
        for (state, fit), colour in zip(fits.items(), COLOURS, strict=False):
            z = np.linspace(-4.0, 4.0, 161)
            ohm = fit.median_ohm * np.exp(fit.sigma * z)
            axis.plot(ohm, norm.cdf(z), color=colour, label=state)
        axis.set(xscale="log", xlabel="resistance (ohm)", ylabel="share of devices below")
        axis.grid(alpha=0.25)
        axis.legend(fontsize=9)

    svg = plot(f"devices-{result.key}", "fitted distributions of both states", draw)
    return [
        Table(caption=f"Lognormal fits of measured devices: {about} ({result.name})", heads=heads, rows=rows),
        Picture(caption=f"Fitted resistances of both states ({result.name})", svg=svg),
    ]


def further(results: Sequence[Result]) -> Iterable[Part]:
    for result in of_kind(results, DevicesReport):
        yield from devices(result)
    for result in of_kind(results, FanInReport):
        rows = [
            [f"{p.network}, {p.inputs} inputs", p.combine, share(p.accuracy)]
            + [number(n) for n in (p.tiles, p.rows, p.cycles_per_image)]
            for p in result.record.points
        ]
        heads = ["network on tiles of", "combine", "accuracy", "tiles", "rows", "cycles an image"]
        yield Table(caption=f"Limited fan-in, golden ({result.name})", heads=heads, rows=rows)
    for result in of_kind(results, ReadConditionsReport):
        rows = [
            [name, number(found.cells), number(found.region.points)]
            + ["{} to {} V".format(*v) for v in (found.region.v_read_V, found.region.v_wl_V)]
            + [f"{1e9 * found.region.read_s:g} ns"]
            if found.region
            else [name, number(found.cells), "0", "–", "–", "–"]
            for name, found in result.record.populations.items()
        ]
        heads = ["devices", "cells", "safe points", "read voltage", "word line", "shortest read"]
        yield Table(
            caption=f"Where reading is safe, chip {result.record.chip} ({result.name})",
            heads=heads,
            rows=rows,
        )
    for result in of_kind(results, CampaignReport):
        columns = list(next(iter(result.record.classes.values()), {}))
        rows = [
            [name, *(number(counts.get(c, 0)) for c in columns)]
            for name, counts in result.record.classes.items()
        ]
        caption = f"{result.record.total:,} faults from seed {result.record.seed} ({result.name})"
        yield Table(caption=caption, heads=["class", *columns], rows=rows)
    for result in of_kind(results, BenchReport):
        rows = [
            [
                f"{b.sim}, {b.macro}, {b.attach}",
                number(b.images),
                f"{b.cycles_per_s:,.0f}",
                f"{b.row_reads_per_s:,.0f}",
            ]
            for b in result.record.simulators
        ]
        heads = ["simulator, macro, attachment", "images", "cycles/s", "row reads/s"]
        yield Table(caption=f"Speed on preset {result.record.preset} ({result.name})", heads=heads, rows=rows)
