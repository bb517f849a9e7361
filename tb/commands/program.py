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
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_folder, told_to
from bridgebnn.model.flows.reports import program_energy_table
from bridgebnn.model.flows.work import work_of
from bridgebnn.model.options import add_work
from bridgebnn.model.studies.chip_map import program_and_map
from bridgebnn.progress import shown
from bridgebnn.tb.runs.jobs import ProgramJob
from bridgebnn.tb.runs.programs import differences
from bridgebnn.tb.runs.reports import ProgramRunReport
from bridgebnn.tb.runs.runner import program
from bridgebnn.tb.runs.summaries import RtlMapReport
from bridgebnn.tb.simulators import SIMULATORS

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``program``."""
    add = parser.add_argument
    add_work(parser)
    add("--macro", choices=("ideal", "real"), default="real", help="parameter set (default %(default)s)")
    add("--sim", choices=SIMULATORS, default="verilator", help="simulator (default %(default)s)")
    add("--out", type=output_folder, default=Path("build/program"), metavar="DIR", help="default %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    job = ProgramJob(
        work=work_of(arguments.preset, arguments.random, arguments.chip, arguments.network),
        macro=arguments.macro,
        chip=arguments.chip,
        sim=arguments.sim,
    )
    with shown(arguments.sim, "build") as show:
        rtl = program(job, show=show)
        found, array = program_and_map(
            job.work,
            job.macro,
            job.chip,
            lambda done, of: show({"stage": "model alone", "done": done, "total": of}),
        )
    wrong = differences(rtl, found.summary.programming, array.state_hash())
    report = RtlMapReport(**found.summary.replace(command=told_to(arguments)), rtl=rtl, differences=wrong)
    found = dataclasses.replace(found, summary=report)
    found.save(arguments.out)
    console = Console()
    console.print(found.table())
    console.print(_table(rtl, report.programming["lower_bound"]))
    if rtl.energy is not None:
        console.print(program_energy_table(rtl.energy, report.programming["bits"]))
    console.print(f"map.png, resistances.png and program-map.json in {arguments.out}", highlight=False)
    for text in wrong:
        console.print(text, style="red", highlight=False)
    return int(bool(wrong))


def _table(rtl: ProgramRunReport, bound: dict[str, int]) -> Table:
    table = Table(title="through the RTL", show_header=False, box=SIMPLE)
    table.add_column()
    table.add_column(justify="right")

    def over(value: int, least: int) -> str:
        return f"{value:,} ({value / least:.3f} of the least)"

    table.add_row("rows, of them listed with a failure", f"{rtl['rows']:,}, {rtl['listed_rows']:,}")
    table.add_row("rows neither verified nor listed", f"{len(rtl['unlisted_rows']):,}")
    table.add_row("pulses", over(rtl.pulses, bound["pulses"]))
    table.add_row("cycles in commands", over(rtl.busy_cycles, bound["cycles"]))
    table.add_row("cycles with the host's bus accesses", over(rtl.cycles, bound["cycles"]))
    return table
