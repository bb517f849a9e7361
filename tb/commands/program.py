"""Program a fresh chip through the generated Verilog; every row ends verified or listed.

The same chip is programmed by the model alone: pulses, verify reads, failures and the state of every device must be
the same, and pulses and cycles are set beside the least that the devices' own draws imply. Writes maps of
attempts and failures, the resistances of the four states, and program-map.json.

Exit status: 0; 1 when RTL and model differ, a row is neither verified nor listed, or the simulation failed; 2 on
bad input. Devices that fail are results, not errors.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_folder
from bridgebnn.model.commands._options import add_work
from bridgebnn.model.flows.chip_map import Work, program_and_map, work_of
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.paths import build_root
from bridgebnn.tb.runs.runner import generated, simulation
from bridgebnn.tb.simulators.simulators import SIMULATORS
from bridgebnn.tb.simulators.simulators import run as simulate

from . import shown

__all__ = ["add_arguments", "program_on_rtl", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``program``."""
    add = parser.add_argument
    add_work(parser)
    add("--macro", choices=("ideal", "real"), default="real", help="parameter set (default %(default)s)")
    add("--sim", choices=SIMULATORS, default="verilator", help="simulator (default %(default)s)")
    add("--out", type=output_folder, default=Path("build/program"), metavar="DIR", help="default %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    work = work_of(arguments.preset, arguments.random, arguments.chip)
    params = MacroParams.named(arguments.macro)
    with shown(arguments.sim) as show:
        rtl = program_on_rtl(work, params, arguments.chip, arguments.sim, show=show)
        found, array = program_and_map(
            work,
            params,
            arguments.chip,
            lambda done, of: show({"stage": "model alone", "done": done, "total": of}),
        )
    wrong = differences(rtl, found.summary["programming"], array.state_hash())
    found.summary.update(rtl=rtl, differences=wrong)
    found.save(arguments.out)
    console = Console()
    console.print(found.table())
    console.print(_table(rtl, found.summary["programming"]["lower_bound"]))
    console.print(f"map.png, resistances.png and program-map.json in {arguments.out}", highlight=False)
    for text in wrong:
        console.print(text, style="red", highlight=False)
    return int(bool(wrong))


def program_on_rtl(work: Work, params: MacroParams, chip: int, sim: str, **options: Any) -> dict[str, Any]:
    """Program a fresh chip through the RTL; the record of ``bridgebnn.tb.testbenches.program``."""
    build_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_root(), prefix="job-") as folder:
        cells = Path(folder) / "cells.npz"
        np.savez(cells, images=work.images.astype(np.uint8), masks=work.masks)
        job = {
            "cells": str(cells),
            "geometry": work.geometry.as_dict(),
            "timing": dataclasses.asdict(work.timing),
            "macro": params.as_dict(),
            "chip": chip,
            "sim": sim,
        }
        built = simulation(sim, "strobe", work.geometry, generated(work.geometry, work.timing))
        return simulate(
            built, "bridgebnn.tb.testbenches.program", job, progress=options.get("show"), timeout_s=3600.0
        )


def differences(rtl: dict[str, Any], alone: dict[str, Any], state: str) -> list[str]:
    """What the RTL did otherwise than the model alone, or left neither verified nor listed."""
    expected = {
        "rows": alone["rows"],
        "pulses": sum(alone["pulses"].values()),
        "verify_reads": sum(alone["verifies"].values()),
        "failures": len(alone["failures"]),
        "failed_rows": alone["failed_rows"],
        "state": state,
    }
    wrong = [
        f"{name}: RTL {rtl[name]}, model {value}" for name, value in expected.items() if rtl[name] != value
    ]
    if rtl["unlisted_rows"]:
        wrong.append(
            f"{len(rtl['unlisted_rows'])} rows neither verified nor listed: {rtl['unlisted_rows'][:8]}"
        )
    return wrong


def _table(rtl: dict[str, Any], bound: dict[str, int]) -> Table:
    table = Table(title="through the RTL", show_header=False, box=SIMPLE)
    table.add_column()
    table.add_column(justify="right")

    def over(value: int, least: int) -> str:
        return f"{value:,} ({value / least:.3f} of the least)"

    table.add_row("rows, of them listed with a failure", f"{rtl['rows']:,}, {rtl['listed_rows']:,}")
    table.add_row("rows neither verified nor listed", f"{len(rtl['unlisted_rows']):,}")
    table.add_row("pulses", over(rtl["pulses"], bound["pulses"]))
    table.add_row("cycles in commands", over(rtl["busy_cycles"], bound["cycles"]))
    table.add_row("cycles with the host's bus accesses", over(rtl["cycles"], bound["cycles"]))
    return table
