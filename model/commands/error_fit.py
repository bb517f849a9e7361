"""Fit this project's comparator to the published error tables, and say what is left of each.

The three numbers are those of ``--macro published-like``; nothing is drawn (docs/error-model.md).

Exit status: 0; 1 when the fit is not what ``--macro published-like`` has; 2 on bad input.
"""

from __future__ import annotations

import argparse
import time

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, write_json
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.parameters.published import CLOCKS_NS, PUBLISHED_LIKE
from bridgebnn.model.studies.error_fit import INPUTS, RATES, SMALL, ErrorFitReport, fit, residuals
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions

AGREES = 1e-3
"""Relative difference up to which the fit is what the parameter set has: it is written with three digits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``error-fit``."""
    parser.add_argument("--json", type=output_file, metavar="F", help="also write the results as JSON")
    parser.add_argument("--png", type=output_file, metavar="F", help="also draw them")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    found, rms = fit()
    neuron = MacroParams.published_like().neuron
    asked = [(n, clock, 0.0) for n in (*SMALL, *INPUTS) for clock in CLOCKS_NS]
    asked += [(1025, clock, rate) for rate in RATES[1:] for clock in CLOCKS_NS]
    tables = []
    with shown("residuals") as show:
        for done, one in enumerate(asked, start=1):
            tables.append(residuals(neuron, *one))
            counted(show, "tables")(done, len(asked))
    report = ErrorFitReport(
        fitted=found,
        kept=dict(PUBLISHED_LIKE),
        rms=rms,
        tables=tables,
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
        command=told_to(arguments),
    )
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    if arguments.png:
        from bridgebnn.model.studies.error_plots import plot_fit  # slow to load

        plot_fit(report, arguments.png)
    return int(any(abs(found[name] / value - 1) > AGREES for name, value in PUBLISHED_LIKE.items()))


def _show(report: ErrorFitReport) -> None:
    console = Console()
    console.width = max(console.width, 110)
    console.print(
        "fitted: "
        + ", ".join(
            f"{name} {value:.4g} (set: {report.kept[name]:g})" for name, value in report.fitted.items()
        )
        + f"; rms of the fitted tables {report.rms:.4f}",
        highlight=False,
    )
    table = Table(
        title="fitted minus published, probability of a wrong bit", box=SIMPLE, title_justify="left"
    )
    for name in ("inputs", "clock", "cell error rate", "distances", "rms", "largest", "at D"):
        table.add_column(name, justify="right")
    for t in report.tables:
        table.add_row(
            f"{t.inputs}",
            f"{t.clock_ns} ns",
            f"{t.cell_error_rate:g}",
            f"0-{t.distances - 1}",
            f"{t.rms:.4f}",
            f"{t.largest:+.4f}",
            f"{t.at}",
        )
    console.print(table)
