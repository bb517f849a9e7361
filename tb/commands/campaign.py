"""Put thousands of seeded faults into a chip and its controller, and count what became of them.

Classes: stuck devices, broken lines, rails, comparators, flipped configuration bits, interrupted commands,
hostile bus traffic. Exit status: 0; 1 when a fault was silent, or a simulation failed; 2 on bad input.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.progress import shown
from bridgebnn.sections import read_section, write_section
from bridgebnn.tb.campaign import report
from bridgebnn.tb.campaign.faults import CLASSES, parse
from bridgebnn.tb.campaign.run import run_campaign, run_faults
from bridgebnn.tb.runs.jobs import Sim
from bridgebnn.tb.runs.summaries import CampaignReport
from bridgebnn.tb.simulators import SIMULATORS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``campaign``."""
    add = parser.add_argument
    add(
        "--faults",
        type=whole(len(CLASSES), 1_000_000),
        default=10_000,
        metavar="N",
        help="how many (default %(default)s)",
    )
    add(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=1,
        metavar="S",
        help="seed of all draws (default %(default)s)",
    )
    add(
        "--jobs",
        type=whole(1, 64),
        default=2,
        metavar="J",
        help="simulator processes at a time (default %(default)s)",
    )
    add("--replay", metavar="CLASS:SEED:INDEX", help="put in this one fault and print what happened")
    add("--sim", choices=SIMULATORS, default="verilator", help="simulator of --replay (default %(default)s)")
    add("--json", type=output_file, metavar="F", help="also write summary and records as JSON")
    add(
        "--write",
        type=output_file,
        metavar="F",
        help="also write the section on faults of docs/verification.md",
    )
    add("--results", type=Path, metavar="F", help="with --write: of this JSON file, put nothing in")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    if arguments.write:
        read_section(arguments.write, report.SECTION)  # a page without it is found out before the work
    if arguments.results and arguments.write:
        write_section(
            arguments.write, report.SECTION, report.markdown(json.loads(arguments.results.read_text()))
        )
        return 0
    if arguments.replay:
        return replay(arguments.replay, arguments.sim)
    with shown("campaign", "build") as show:
        result = run_campaign(arguments.faults, arguments.seed, jobs=arguments.jobs, show=show)
    console, silent = Console(), [r for r in result["records"] if r["verdict"] == "silent"]
    console.print(report.table(result))
    console.print(
        f"seed {result['seed']}, {result['seconds']:,} s, {report.summary(result)['cycles']:,} clock cycles"
    )
    for record in silent[:20]:
        console.print(f"silent {record['label']}: {'; '.join(record['silent'])}", style="red")
    if arguments.json:
        whole_report = CampaignReport(
            **report.summary(result), records=result["records"], command=told_to(arguments)
        )
        write_json(arguments.json, whole_report.as_dict(), indent=None)
    if arguments.write and not silent:
        write_section(arguments.write, report.SECTION, report.markdown(result))
    return 1 if silent else 0


def replay(label: str, sim: Sim) -> int:
    """Put one fault in, and print all that is known of it."""
    fault = parse(label)
    record = run_faults([label], sim)[0]
    console = Console(soft_wrap=True)
    console.print(
        f"{label}: {record['verdict']}", style="bold red" if record["verdict"] == "silent" else "bold"
    )
    console.print(
        f"fault    {fault.kind} while {fault.work}, chip {fault.chip}, {fault.options}", highlight=False
    )
    console.print(f"moment   {record['moment']} cycles into the command, states {record['states'] or 'none'}")
    console.print(f"run      {record['cycles']} cycles, {record['pulses']} pulses, {sim}")
    for title, lines in (
        ("reports", record["reports"]),
        ("lost", record["lost"]),
        ("silent", record["silent"]),
    ):
        for line in lines or ["none"]:
            console.print(f"{title:8} {line}", highlight=False)
    return 1 if record["verdict"] == "silent" else 0
