"""Energy and TOPS/W of a layer against inputs, activity, read mode and clock; with a projection to 22 nm.

Each option takes several values; every value is combined with the first of all other options. The first combination is
the one that the gains of changes are told for. docs/energy.md says what is simulated and what assumed.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, share, told_to, whole, write_json
from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.options import add_chip
from bridgebnn.model.studies.energy import EnergyStudyReport, energy_study
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``energy``."""
    add = parser.add_argument
    add(
        "--inputs",
        type=whole(1, 4064),
        nargs="+",
        default=[1024, 512, 128, 23],
        metavar="N",
        help="inputs of a row (default 1024 512 128 23)",
    )
    add("--rows", type=whole(1, 1024), default=64, metavar="R", help="rows of the tile (default %(default)s)")
    add(
        "--mode",
        choices=[mode.name.lower() for mode in ReadMode],
        nargs="+",
        default=["sign", "count", "search"],
        help="read modes (default sign count search)",
    )
    add(
        "--activity",
        type=share,
        nargs="+",
        default=[0.5, 0.1],
        metavar="A",
        help="share of the inputs that differ from the image before (default 0.5 0.1)",
    )
    add(
        "--clock",
        type=whole(1, 1000),
        nargs="+",
        default=[20, 8, 6],
        metavar="NS",
        help="clock periods in ns; each phase of a read is one (default 20 8 6)",
    )
    add_chip(parser)
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--png", type=output_file, metavar="F", help="also draw them, beside the published state of the art")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    with shown("energy") as show:
        report = energy_study(
            inputs=arguments.inputs,
            rows=arguments.rows,
            modes=[ReadMode[name.upper()] for name in arguments.mode],
            activities=arguments.activity,
            clocks_s=[ns * 1e-9 for ns in arguments.clock],
            chip=arguments.chip,
            versions=versions(),
            command=told_to(arguments),
            progress=counted(show, "points"),
        )
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    if arguments.png:
        from bridgebnn.model.studies.energy_plots import plot_energy

        plot_energy(report, arguments.png)
    return 0


def _show(report: EnergyStudyReport) -> None:
    console = Console()
    table = Table(title=f"a layer of {report.points[0].rows} rows, SKY130 and 22 nm", box=SIMPLE)
    heads = ("inputs", "mode", "activity", "clock", "fJ/op", "of it macro", "bridges", "TOPS/W", "macro")
    for head in (*heads, "22 nm", "macro, 22 nm"):
        table.add_column(head, justify="right")
    for p in report.points:
        e, new = p.energy, p.projected
        table.add_row(
            *(f"{p.inputs}", p.mode, f"{p.activity:.0%}", f"{p.clock_s * 1e9:g} ns"),
            *(f"{e.per_operation_J * 1e15:.1f}", f"{e.macro_per_operation_J * 1e15:.1f}"),
            f"{e.parts.bridges_J / e.parts.macro_J:.0%} of macro",
            *(f"{value:.1f}" for value in (e.tops_per_w, e.macro_tops_per_w)),
            *(f"{value:.1f}" for value in (new.tops_per_w, new.macro_tops_per_w)),
        )
    console.print(table)
    gains = Table(title="what changes would save at the first point, each alone", box=SIMPLE)
    for head in ("change", "of all", "of the macro", "assumed"):
        gains.add_column(head, justify="right" if head.startswith("of") else "left")
    for change in report.changes:
        gains.add_row(change.name, f"{change.saves:.0%}", f"{change.macro_saves:.0%}", change.why)
    console.print(gains)
    steps = Table(title="from SKY130 to 22 nm, phases of 6 ns at most", box=SIMPLE)
    for head in ("step", "factor", "parts", "why"):
        steps.add_column(head, justify="right" if head == "factor" else "left")
    for step in report.steps:
        parts = ", ".join(name.removesuffix("_J").replace("_", " ") for name in step.parts)
        steps.add_row(step.name, f"{step.factor:.3f}", parts, step.why.replace("[", "\\["))
    console.print(steps)
