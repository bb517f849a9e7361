"""Mutate the generated Verilog, and count which mutants the testbenches notice.

Yosys chooses the mutants evenly over the netlists of two controllers; all of a controller are in one build, behind a
select input. Each runs through inferences and the testbenches of the pins until one notices. What nobody notices goes
to a solver, which proves it equivalent or says where it differs. What it leaves open may be argued to be equivalent, in
writing; that is counted apart. Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.progress import shown
from bridgebnn.sections import read_section, write_section
from bridgebnn.tb.campaign import mutation_report
from bridgebnn.tb.campaign.arguments import read_arguments
from bridgebnn.tb.campaign.measure import Outcome, measure
from bridgebnn.tb.campaign.mutation import GEOMETRIES
from bridgebnn.tb.runs.summaries import MutationReport
from bridgebnn.tb.simulators import SIMULATORS

from ._subjects import add_subjects, asked_tests

KEEP_S = 20.0
"""The file of outcomes is written at least so often."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mutation``."""
    add = parser.add_argument
    add(
        "--mutants",
        type=whole(1, 2**16 - 1),
        default=300,
        metavar="N",
        help="how many, divided among the controllers (default %(default)s)",
    )
    add(
        "--seed",
        type=whole(0, 2**31 - 1),
        default=1,
        metavar="S",
        help="seed of the choice (default %(default)s)",
    )
    add_subjects(parser)
    add("--sim", choices=SIMULATORS, default="verilator", help="simulator (default %(default)s)")
    add(
        "--first",
        type=whole(1, 2**16 - 1),
        metavar="K",
        help="run only the first K of each controller; the rest with --resume",
    )
    add(
        "--solver",
        type=whole(0, 86_400),
        default=120,
        metavar="S",
        help="seconds for the solver for each survivor; 0: survivors stay unsorted (default %(default)s)",
    )
    add(
        "--arguments",
        type=Path,
        default=Path("docs/mutants.toml"),
        metavar="F",
        help="why mutants are equivalent that no solver has proven so (default %(default)s)",
    )
    add(
        "--json",
        type=output_file,
        metavar="F",
        help="also write the outcome of each mutant as JSON, as they come",
    )
    add(
        "--resume", action="store_true", help="with --json: what F says was killed or proven is not run again"
    )
    add(
        "--write",
        type=output_file,
        metavar="F",
        help="also write the section on mutants of docs/verification.md",
    )
    add("--results", type=Path, metavar="F", help="with --write: of this JSON file, run nothing")


def _told(outcome: Outcome) -> None:
    fate = f"killed by {outcome.test}" if outcome.verdict == "killed" else outcome.verdict.upper()
    print(f"{outcome.label:10} {fate:26} {outcome.seconds:6.1f} s  {outcome.change}", flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    if arguments.write:
        read_section(
            arguments.write, mutation_report.SECTION
        )  # a page without it is found out before the work
    if arguments.results and arguments.write:
        earlier = MutationReport.load(arguments.results).as_dict()
        write_section(arguments.write, mutation_report.SECTION, mutation_report.markdown(earlier))
        return 0
    if arguments.resume and not arguments.json:
        raise ValueError("--resume without --json: it must name the file that an earlier run has written")
    if arguments.mutants < len(names := arguments.geometry or list(GEOMETRIES)):
        raise ValueError(
            f"--mutants {arguments.mutants}: must be one for each of {', '.join(names)} at least"
        )
    written = read_arguments(arguments.arguments)
    known = _known(arguments)
    records: dict[str, Outcome] = {}
    begin = kept = time.monotonic()

    def told(outcome: Outcome) -> None:
        nonlocal kept
        _told(outcome)
        records[outcome.label] = outcome
        if arguments.json and time.monotonic() - kept > KEEP_S:
            kept = time.monotonic()
            write_json(arguments.json, _report(arguments, {**known, **records}, kept - begin).as_dict())

    with shown("mutation", "Verilog") as show:
        for index, name in enumerate(names):
            share = arguments.mutants * (index + 1) // len(names) - arguments.mutants * index // len(names)
            found = measure(
                name,
                GEOMETRIES[name],
                share,
                arguments.seed,
                sim=arguments.sim,
                tests=asked_tests(arguments),
                proofs=arguments.solver > 0,
                limit_s=arguments.solver,
                arguments=written,
                known=known,
                first=arguments.first,
                show=show,
                told=told,
            )
            records |= {outcome.label: outcome for outcome in found}
    report = _report(arguments, records, time.monotonic() - begin)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    Console().print(mutation_report.table(report.records))
    told_of = {
        (outcome.geometry, outcome.change) for outcome in records.values() if outcome.verdict != "survived"
    }
    for argument in written:
        if argument.controller in names and (argument.controller, argument.change) not in told_of:
            print(
                f"{arguments.arguments}: stands for no mutant of this run: {argument.controller}, {argument.change}"
            )
    print(mutation_report.summary(mutation_report.tally(report.records, "module")["all"]))
    if arguments.write:
        write_section(arguments.write, mutation_report.SECTION, mutation_report.markdown(report.as_dict()))
    return 0


def _known(arguments: argparse.Namespace) -> dict[str, Outcome]:
    """Outcomes of an earlier run with the same seed, of the controllers asked for."""
    if not arguments.resume or not arguments.json.exists():
        return {}
    earlier = json.loads(arguments.json.read_text())
    if earlier["seed"] != arguments.seed:
        raise ValueError(f"{arguments.json} is of seed {earlier['seed']}: must be {arguments.seed} to go on")
    names = arguments.geometry or list(GEOMETRIES)
    outcomes = (Outcome(**record) for record in earlier["records"])
    return {outcome.label: outcome for outcome in outcomes if outcome.geometry in names}


def _report(arguments: argparse.Namespace, outcomes: dict[str, Outcome], seconds: float) -> MutationReport:
    names = arguments.geometry or list(GEOMETRIES)
    order = sorted(outcomes.values(), key=lambda outcome: (names.index(outcome.geometry), outcome.number))
    kept = [outcome for outcome in order if outcome.verdict]
    counts = Counter(outcome.verdict for outcome in kept)
    return MutationReport(
        geometries={name: GEOMETRIES[name] for name in names},
        seed=arguments.seed,
        tests=list(asked_tests(arguments)),
        simulator=arguments.sim,
        total=len(kept),
        killed=counts["killed"],
        equivalent=counts["equivalent"],
        argued=counts["argued"],
        killed_by=dict(Counter(outcome.test for outcome in kept if outcome.verdict == "killed")),
        survived=[outcome.label for outcome in kept if outcome.verdict == "survived"],
        records=[asdict(outcome) for outcome in kept],
        seconds=round(seconds, 1),
        command=told_to(arguments),
    )
