"""Run the testbenches of the pins with functional coverage, and hold what they hit against the test plan.

The points come from the design and its specification: states and arcs of every state machine, commands, error codes,
interrupts, phases, levels and modes on the pins, shapes of descriptors, fields of registers, refused accesses. A point
may be left out where the plan says why. Exit status: 0 when every other point is hit; 1 when one is not, or when one
that is left out is hit; 2 on bad input.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bridgebnn.command_line import output_file, told_to, write_json
from bridgebnn.progress import shown
from bridgebnn.sections import read_section, write_section
from bridgebnn.tb.campaign import coverage_report
from bridgebnn.tb.campaign.coverage import ON_ICARUS, Hits, Point, collect, excluded, judged, tests_of
from bridgebnn.tb.campaign.mutation import GEOMETRIES
from bridgebnn.tb.runs.jobs import Sim
from bridgebnn.tb.runs.summaries import CoverageReport
from bridgebnn.tb.simulators import SIMULATORS

from ._subjects import add_subjects, asked_tests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``coverage``."""
    add = parser.add_argument
    add(
        "--plan",
        type=Path,
        default=Path("docs/testplan.toml"),
        metavar="F",
        help="test plan (default %(default)s)",
    )
    add_subjects(parser)
    add(
        "--sim",
        choices=SIMULATORS,
        default="verilator",
        help=f"simulator (default %(default)s); {', '.join(ON_ICARUS)} run on Icarus in any case",
    )
    add("--json", type=output_file, metavar="F", help="also write what became of each point as JSON")
    add("--merge", type=Path, metavar="F", help="add the hits of an earlier run's JSON file")
    add(
        "--write",
        type=output_file,
        metavar="F",
        help="also write the section on coverage of docs/verification.md",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    reasons = excluded(arguments.plan)  # a bad plan or page is found out before the work
    if arguments.write:
        read_section(arguments.write, coverage_report.SECTION)
    begin = time.monotonic()
    names = arguments.geometry or list(GEOMETRIES)
    hits: Hits = {}
    if arguments.merge:
        for record in json.loads(arguments.merge.read_text())["records"]:
            for test, count in record["tests"].items():
                hits.setdefault(test, {}).setdefault(record["group"], {})[record["name"]] = count
    with shown("coverage", "Verilog") as show:
        for name in names:
            for sim, tests in _plan(name, arguments):
                found, _ = collect(name, GEOMETRIES[name], tests, sim, show)
                hits |= {f"{name}/{test}": groups for test, groups in found.items()}
    used = [name for name in GEOMETRIES if name in names or any(test.startswith(f"{name}/") for test in hits)]
    points = judged([GEOMETRIES[name] for name in used], hits, reasons)
    report = CoverageReport(
        geometries={name: GEOMETRIES[name] for name in used},
        simulator=arguments.sim,
        tests=list(hits),
        total=len(points),
        unhit=[f"{point['group']}: {point['name']}" for point in coverage_report.faults(map(asdict, points))],
        records=[asdict(point) for point in points],
        seconds=round(time.monotonic() - begin, 1),
        command=told_to(arguments),
    )
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    _print(points)
    if arguments.write:
        write_section(arguments.write, coverage_report.SECTION, coverage_report.markdown(report.as_dict()))
    return 1 if report.unhit else 0


def _plan(name: str, arguments: argparse.Namespace) -> list[tuple[Sim, tuple[str, ...]]]:
    """Simulators, and the tests that each shall run over a controller."""
    asked = asked_tests(arguments)
    first = tests_of(GEOMETRIES[name], asked, arguments.sim)
    left = tuple(test for test in tests_of(GEOMETRIES[name], asked, "icarus") if test not in first)
    plans: list[tuple[Sim, tuple[str, ...]]] = [(arguments.sim, first), ("icarus", left)]
    return [(sim, tests) for sim, tests in plans if tests]


def _print(points: list[Point]) -> None:
    records = [asdict(point) for point in points]
    Console().print(coverage_report.table(records))
    for record in coverage_report.faults(records):
        tests = ", ".join(record["tests"])
        print(
            f"{record['verdict'].upper():16} {record['group']}: {record['name']}{' by ' * bool(tests)}{tests}"
        )
    bad = len(coverage_report.faults(records))
    print(f"{len(points) - bad} of {len(points)} points are hit or left out with a reason, {bad} are not")
