"""Compare programming conditions: cell error rates, energy, time and wear; name the ones to use.

Forming, then SET and RESET over a grid of start voltage, pulse width and attempts; then the counterparts of
the four published programming strengths. The conditions it names are the reset values of the registers.

Exit status: 0; 1 when what it would choose are not the reset values, or a strength lies outside the published
rates of its group; 2 on bad input.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.hdl.spec import DAC_LSB_V, Timing
from bridgebnn.model.devices.device import DeviceParams
from bridgebnn.model.options import add_chip
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies import conditions
from bridgebnn.model.studies.cell_error import differential_rate
from bridgebnn.model.studies.conditions import (
    PUBLISHED_RATES,
    STRENGTHS,
    Bench,
    FormingPoint,
    Point,
)
from bridgebnn.model.studies.reports import Chosen, Formed, ProgramConditionsReport, Programmed, Trial
from bridgebnn.progress import tracked

_SINGLE_RATES = (1e-2, 1e-3, 1e-4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``program-conditions``."""
    add = parser.add_argument
    cells = whole(1, 4_000_000)
    add("--cells", type=cells, default=55_200, metavar="K", help="bridges a grid point (default %(default)s)")
    add(
        "--strength-cells",
        type=cells,
        default=276_000,
        metavar="K",
        help="bridges for each of the four strengths (default %(default)s)",
    )
    add_chip(parser)
    add("--devices", choices=("real", "group"), default="real", help="population (default %(default)s)")
    add("--all", action="store_true", help="print the whole grid, not only the published pulse width")
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--png", type=output_file, metavar="F", help="also draw them")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    timing = Timing()
    device = getattr(DeviceParams, arguments.devices)()
    params = dataclasses.replace(MacroParams.real(), name=arguments.devices, device=device)
    console = Console()
    console.width = max(console.width, 100)  # a piped table keeps its columns
    forming = conditions.forming_sweep(arguments.cells, params, timing, arguments.chip)
    bench = Bench(arguments.cells, params, timing, arguments.chip)
    points = [bench.evaluate(s) for s in tracked(conditions.sweep_strengths(timing), "model", "conditions")]
    large = Bench(arguments.strength_cells, params, timing, arguments.chip)
    strengths = [large.evaluate(s) for s in tracked(STRENGTHS, "model", "strengths")]

    form, point = conditions.choose_forming(forming), conditions.choose(points)
    report = ProgramConditionsReport(
        chip=arguments.chip,
        devices=arguments.devices,
        forming=[Formed(**dataclasses.asdict(f), eligible=f.eligible) for f in forming],
        grid=[Programmed(**p.as_dict()) for p in points],
        strengths=[Trial(**p.as_dict(), **_published(p)) for p in strengths],
        differential={str(rate): differential_rate(rate) for rate in _SINGLE_RATES},
        chosen=Chosen(
            form=form,
            program=None if point is None else Programmed(**point.as_dict()),
            are_reset_values=_are_reset_values(form, point, timing),
        ),
        wall_s=time.perf_counter() - start_s,
        command=told_to(arguments),
    )
    console.print(f"{arguments.cells:,} bridges per point, chip {arguments.chip}", highlight=False)
    _show_forming(console, forming, form)
    _show_points(console, [p for p in points if arguments.all or _published_width(p)], point)
    _show_strengths(console, strengths)
    _show_differential(console)
    _say(console, report.chosen, form, point)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    if arguments.png:
        from bridgebnn.model.studies.program_plots import plot_conditions  # slow to load

        plot_conditions(points, strengths, forming, arguments.png)
    inside = all(s.inside_published for s in report.strengths)
    return int(not (inside and report.chosen.are_reset_values))


def _published_width(point: Point) -> bool:
    return point.strength.set.width_cyc == conditions.CALIBRATED_CYC


def _published(point: Point) -> dict[str, Any]:
    rates = PUBLISHED_RATES[point.strength.name]
    return {"published": list(rates), "inside_published": min(rates) <= point.errors.bridge <= max(rates)}


def _are_reset_values(form: FormingPoint | None, point: Point | None, timing: Timing) -> bool:
    return (
        form is not None
        and point is not None
        and (form.prog_start, form.prog_step) == (timing.form.prog_start, timing.form.prog_step)
        and (point.strength.set, point.strength.reset) == (timing.set, timing.reset)
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE, padding=(0, 0, 0, 1))
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _show_forming(console: Console, forming: list[FormingPoint], chosen: FormingPoint | None) -> None:
    table = _table(
        "Forming a fresh chip, pulses of 1 us; pJ, ns and wear per device",
        *("start V", "step V", "one pulse", "all", "attempts", "pJ", "ns", "wear", ""),
    )
    for f in forming:
        table.add_row(
            f"{f.prog_start * DAC_LSB_V:.2f}",
            f"{f.prog_step * DAC_LSB_V:.2f}",
            f"{f.first_yield:.3%}",
            f"{f.final_yield:.4%}",
            f"{f.attempts_per_phase:.2f}",
            f"{f.energy_per_device_J * 1e12:.0f}",
            f"{f.time_per_device_s * 1e9:.1f}",
            f"{f.wear_per_device:.1f}",
            "chosen" if f is chosen else "eligible" if f.eligible else "",
        )
    console.print(table)


def _cells(p: Point) -> list[str]:
    s, r = p.strength.set, p.strength.reset
    return [
        f"{s.prog_start * DAC_LSB_V:.2f}",
        f"{r.prog_start * DAC_LSB_V:.2f}",
        str(s.width_cyc),
        str(s.attempts),
        *(f"{rate:.1e}" for rate in (p.errors.one_device, p.errors.pair, p.errors.bridge)),
    ]


_COLUMNS = ("SET V", "RESET V", "cyc", "try", "1T1R", "2T2R", "bridge")


def _show_points(console: Console, points: list[Point], chosen: Point | None) -> None:
    title = f"Rewriting a chip, {points[0].errors.cells:,} bridges; pJ, ns and wear per bit"
    table = _table(title, *_COLUMNS, "soft", "pJ", "ns", "wear", "")
    for p in points:
        table.add_row(
            *_cells(p),
            str(p.soft_failures),
            f"{p.energy_per_bit_J * 1e12:.0f}",
            f"{p.time_per_bit_s * 1e9:.1f}",
            f"{p.wear_per_bit:.2f}",
            "chosen" if p is chosen else "eligible" if p.eligible else "",
        )
    console.print(table)


def _show_strengths(console: Console, points: list[Point]) -> None:
    title = f"Counterparts of the four published strengths, {points[0].errors.cells:,} bridges"
    table = _table(title, "strength", *_COLUMNS, "published")
    for p in points:
        rates = PUBLISHED_RATES[p.strength.name]
        table.add_row(p.strength.name, *_cells(p), f"{min(rates):.1e}-{max(rates):.1e}")
    console.print(table)


def _show_differential(console: Console) -> None:
    table = _table(
        "Two devices against one, equal spread, mid threshold", "1T1R error rate", "2T2R error rate"
    )
    for rate in _SINGLE_RATES:
        table.add_row(f"{rate:.0e}", f"{differential_rate(rate):.1e}")
    console.print(table)


def _say(console: Console, chosen: Chosen, form: FormingPoint | None, point: Point | None) -> None:
    if form is None or point is None:
        console.print("nothing is eligible: more --cells, or other conditions")
        return
    start_V, step_V = form.prog_start * DAC_LSB_V, form.prog_step * DAC_LSB_V
    lines = (
        f"chosen: FORM from {start_V:.2f} V in steps of {step_V:.2f} V; {point.strength.label()}",
        f"why: below {conditions.SOFT_LIMIT:.0e} of the devices left unverified (95 %); the published width; "
        f"wear at most {conditions.FORMING_WEAR:g} nominal pulses to form a device",
        f"and {conditions.REWRITE_WEAR:g} to rewrite a bit; median HRS in the published band; "
        "of those the fastest, and within a tenth of its time the most attempts",
    )
    for line in lines:
        console.print(line, highlight=False)
    console.print(
        "these are the reset values" if chosen.are_reset_values else "these are NOT the reset values",
        highlight=False,
    )
