"""Fit the device populations to measured resistances; write the parameter set and a plot of data against fit.

The file is a CSV with a header: state (lrs or hrs) and resistance_ohm, and where there are any device, cycle,
temperature_K and conditions. The set is what ``--macro-params`` reads; ``--devices FILE`` of both ``infer`` commands
fits and uses it at once.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, write_json
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.measured_devices import (
    STATES,
    DevicesReport,
    draw_fit,
    fit,
    parameters_of,
    read_measured,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``devices``."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="measured resistances, CSV")
    add("--temperature", type=float, metavar="K", help="rows of this temperature, where there are several")
    add("--conditions", metavar="NAME", help="rows of these conditions, where there are several")
    add("--out", type=output_file, metavar="F", help="write the parameter set (JSON, for --macro-params)")
    add("--png", type=output_file, metavar="F", help="draw data against fit")
    add("--json", type=output_file, metavar="F", help="also write the fit as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    measured, temperature_K, conditions = read_measured(
        arguments.file, temperature_K=arguments.temperature, conditions=arguments.conditions
    )
    fits, devices = fit(measured)
    table = Table(title=f"{arguments.file}: lognormal fits", box=SIMPLE, title_justify="left")
    for name in (
        "state",
        "resistances",
        "devices",
        "median ohm",
        "sigma ln R",
        "device",
        "cycle",
        "distance",
        "refused",
    ):
        table.add_column(name, justify="left" if name == "state" else "right")
    for state in STATES:
        found = fits[state]
        spreads = [f"{found.sigma:.4f}", f"{found.sigma_device:.4f}", f"{found.sigma_cycle:.4f}"]
        shares = [f"{found.distance:.3f}", f"{found.refused:.2%}"]
        counts = [str(found.count), str(found.devices or "")]
        table.add_row(state, *counts, f"{found.median_ohm:,.0f}", *spreads, *shares)
    console = Console()
    console.width = max(console.width, 110)
    console.print(table)
    if not all(fits[state].split_measured for state in STATES):
        console.print(
            "device and cycle are not told apart by the file: split as in the default set, by assumption"
        )
    if arguments.out:
        write_json(arguments.out, MacroParams(name=arguments.out.stem, device=devices).as_dict())
    if arguments.png:
        draw_fit(arguments.png, measured, fits)
    if arguments.json:
        report = DevicesReport(
            command=told_to(arguments),
            file=str(arguments.file),
            temperature_K=temperature_K,
            conditions=conditions,
            lrs=fits["lrs"],
            hrs=fits["hrs"],
            parameters=parameters_of(fits),
        )
        write_json(arguments.json, report.as_dict())
    return 0
