"""Mutate the generated Verilog and count which mutants the co-simulation notices.

Yosys chooses the mutants evenly over the netlist; all are in one build. Each runs through an inference and the
testbenches of the pins until one notices. Mutants that change nothing (unused bits, states that are never
reached) survive, too. Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from bridgebnn.command_line import output_file, whole, write_json
from bridgebnn.paths import build_root
from bridgebnn.progress import shown
from bridgebnn.tb.campaign.mutation import GEOMETRIES, TESTS, Outcome, measure
from bridgebnn.tb.runs.summaries import MutationReport
from bridgebnn.tb.simulators import SIMULATORS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mutation``."""
    add = parser.add_argument
    add(
        "--mutants",
        type=whole(1, 2**16 - 1),
        default=100,
        metavar="N",
        help="how many (default %(default)s)",
    )
    add(
        "--seed",
        type=whole(0, 2**31 - 1),
        default=1,
        metavar="S",
        help="seed of the choice (default %(default)s)",
    )
    add("--geometry", choices=GEOMETRIES, default="spares", help="controller (default %(default)s)")
    add(
        "--test",
        action="append",
        choices=TESTS,
        metavar="NAME",
        help=f"all when none is named; of: {', '.join(TESTS)}",
    )
    add("--sim", choices=SIMULATORS, default="verilator", help="simulator (default %(default)s)")
    add("--json", type=output_file, metavar="F", help="also write the outcome of each mutant as JSON")


def _told(outcome: Outcome) -> None:
    fate = f"killed by {outcome.test}" if outcome.test else "SURVIVED"
    print(f"{outcome.number:5} {fate:22} {outcome.seconds:6.1f} s  {outcome.change}", flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    tests = tuple(arguments.test or TESTS)
    build_root().mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=build_root(), prefix="mutation-") as folder,
        shown("mutation", "Verilog") as show,
    ):
        outcomes = measure(
            GEOMETRIES[arguments.geometry],
            arguments.mutants,
            arguments.seed,
            Path(folder),
            sim=arguments.sim,
            tests=tests,
            show=show,
            told=_told,
        )
    killed = sum(bool(outcome.test) for outcome in outcomes)
    print(f"{killed} of {len(outcomes)} killed ({100 * killed / len(outcomes):.1f} %)")
    if arguments.json:
        report = MutationReport(
            geometry=GEOMETRIES[arguments.geometry],
            seed=arguments.seed,
            tests=list(tests),
            simulator=arguments.sim,
            total=len(outcomes),
            killed=killed,
            killed_by={test: sum(o.test == test for o in outcomes) for test in tests},
            survived=[outcome.number for outcome in outcomes if not outcome.test],
            records=[asdict(outcome) for outcome in outcomes],
        )
        write_json(arguments.json, report.as_dict())
    return 0
