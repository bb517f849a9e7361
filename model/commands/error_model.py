"""How often a neuron errs at a distance from its threshold: the published tables beside this project's physics.

Exact sums, nothing is drawn (docs/error-model.md). Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, share, told_to, whole, write_json
from bridgebnn.hdl.spec import bias_columns
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.parameters.published import CLOCKS_NS
from bridgebnn.model.studies.error_physics import ErrorModelReport, compared
from bridgebnn.model.studies.statistics import MAX_INPUTS
from bridgebnn.versions import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``error-model``."""
    add = parser.add_argument
    add("--inputs", type=whole(1, MAX_INPUTS), default=1025, metavar="N", help="of the neuron (default 1025)")
    add(
        "--cell-errors",
        type=share,
        nargs="+",
        default=[0.0, 0.001, 0.01, 0.1],
        metavar="P",
        help="cell error rates (default 0 0.001 0.01 0.1)",
    )
    add(
        "--distances",
        type=whole(0, MAX_INPUTS),
        nargs="+",
        default=[0, 1, 2, 4, 9, 16, 30],
        metavar="D",
        help="from the threshold, in popcount counts (default 0 1 2 4 9 16 30)",
    )
    add(
        "--macro",
        default="real",
        metavar="M",
        help="physics: real, published-like, or a .json file (default real)",
    )
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--png", type=output_file, metavar="F", help="also draw them, at distances 0 to 40")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    params = MacroParams.named(arguments.macro)
    if params.published is not None:
        raise ValueError(f"--macro {arguments.macro}: must have physics to show beside the statistics")
    given = (params.neuron, arguments.inputs, list(dict.fromkeys(arguments.cell_errors)), list(CLOCKS_NS))
    report = compared(*given, arguments.distances, versions())
    _show(report, params.name)
    if arguments.json:
        write_json(arguments.json, report.replace(command=told_to(arguments)).as_dict())
    if arguments.png:
        half = (arguments.inputs + bias_columns(arguments.inputs)) // 2
        from bridgebnn.model.studies.error_plots import plot_errors  # slow to load

        plot_errors(compared(*given, range(min(41, half + 1)), versions()), arguments.png)
    return 0


def _show(report: ErrorModelReport, name: str) -> None:
    console = Console()
    console.width = max(console.width, 120)
    sigmas = ", ".join(
        f"{s:.2f} at {c} ns" for c, s in zip(report.clocks_ns, report.published_sigma, strict=True)
    )
    console.print(
        f"{report.inputs} inputs, {report.cells} cells, a count is {report.lsb_V * 1e3:.2f} mV\n"
        f"sigma in counts: published {sigmas}; macro {name} {report.physical_sigma:.2f} "
        f"(offset {report.offset_sigma:.2f}, noise {report.noise_sigma:.2f}), window {report.window:.2f}",
        highlight=False,
    )
    for row in report.rows:
        table = Table(title=f"cell error rate {row.cell_error_rate:g}", box=SIMPLE, title_justify="left")
        table.add_column("D", justify="right")
        for clock in report.clocks_ns:
            table.add_column(f"published {clock} ns", justify="right")
        table.add_column(f"macro {name}", justify="right")
        for k, distance in enumerate(report.distances):
            table.add_row(
                str(distance), *(f"{values[k]:.3g}" for values in row.published), f"{row.physical[k]:.3g}"
            )
        console.print(table)
