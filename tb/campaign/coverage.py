"""Functional coverage: the testbenches of the pins over small controllers, and the points that they hit."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.machines import machines
from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import MACRO_INPUTS, MACRO_OUTPUTS
from bridgebnn.paths import build_root
from bridgebnn.progress import Show
from bridgebnn.tb.agents import shell
from bridgebnn.tb.checks.coverage import RESET_PIN, state_pin
from bridgebnn.tb.checks.coverage_points import GROUPS, points
from bridgebnn.tb.runs.controller import CONTROLLER, generated
from bridgebnn.tb.runs.jobs import CoverageJob, Sim
from bridgebnn.tb.runs.reports import CoverageRunReport
from bridgebnn.tb.runs.runner import perform
from bridgebnn.tb.simulators import Simulation, SimulationError, build

from .mutation import runs_on

__all__ = ["ON_ICARUS", "Hits", "Point", "Verdict", "built", "collect", "excluded", "judged", "tests_of"]

ON_ICARUS = ("counters",)
"""Tests that preset registers by their names, which Verilator hides."""
WHOLE_S, SILENCE_S = 4 * 3600.0, 3600.0
"""Longest run of a geometry's tests, and of one of them."""

Hits = dict[str, dict[str, dict[str, int]]]
"""How often ``[test][group][point]`` was hit."""


class Verdict:
    """What a point can be."""

    HIT = "hit"
    UNHIT = "unhit"
    EXCLUDED = "excluded"
    WRONG = "wrongly excluded"  # it was hit
    UNKNOWN = "not declared"  # it was hit, and nobody has declared it


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point, and what became of it.

    Parameters
    ----------
    group, name : str
    verdict : str
        Of `Verdict`.
    tests : dict of int
        How often it was hit, by ``geometry/test``.
    reason : str
        Of an exclusion.
    """

    group: str
    name: str
    verdict: str
    tests: dict[str, int]
    reason: str = ""


def tests_of(geometry: Geometry, tests: Sequence[str], sim: Sim) -> tuple[str, ...]:
    """Those of ``tests`` that run on this controller and simulator."""
    left_out = ON_ICARUS if sim != "icarus" else ()
    return tuple(test for test in tests if runs_on(test, geometry) and test not in left_out)


def excluded(plan: Path) -> dict[tuple[str, str], str]:
    """Reasons of the excluded points, by group and name: the ``[[coverage]]`` tables of a test plan.

    Raises
    ------
    ValueError
        The plan has not each group once, or an exclusion without a reason.
    """
    entries = tomllib.loads(plan.read_text()).get("coverage", [])
    if sorted(found := [entry.get("group", "") for entry in entries]) != sorted(GROUPS):
        raise ValueError(
            f"{plan}: [[coverage]] has groups {', '.join(found) or 'none'}: must be {', '.join(GROUPS)}"
        )
    reasons: dict[tuple[str, str], str] = {}
    for entry in entries:
        for reason, names in entry.get("excluded", {}).items():
            if len(reason.split()) < 3:
                raise ValueError(f"{plan}: {entry['group']}: {reason!r} is no reason to leave out {names}")
            reasons |= {(entry["group"], name): reason for name in names}
    return reasons


def built(sim: Sim, geometry: Geometry, folder: Path, verilog: Path | None = None) -> Simulation:
    """What is built: the bare controller, with the state of each machine, and of the reset, on its top level."""
    text = (verilog or generated(geometry)).read_text()
    lines = [f"  reg {RESET_PIN} = 1;", f"  always @(posedge clk) {RESET_PIN} <= rst;"]
    for number, machine in enumerate(machines(geometry)):
        width = max(1, (len(machine.states) - 1).bit_length())
        lines.append(f"  wire [{width - 1}:0] {state_pin(number)} = {machine.path};")
    top = re.search(rf"^module {CONTROLLER}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    if top is None:
        raise ValueError(f"{verilog}: has no module {CONTROLLER}")
    end = top.end() - len("endmodule")
    path = folder / f"{CONTROLLER}.v"
    path.write_text(text[:end] + "\n".join(lines) + "\n" + text[end:])
    return Simulation(
        sim=sim,
        top=CONTROLLER,
        sources=[path],
        written=[*shell.BUS_WRITTEN, *MACRO_INPUTS],
        read=[
            *shell.BUS_READ,
            *MACRO_OUTPUTS,
            RESET_PIN,
            *(state_pin(n) for n, _ in enumerate(machines(geometry))),
        ],
    )


def collect(
    name: str, geometry: Geometry, tests: Sequence[str], sim: Sim, show: Show, verilog: Path | None = None
) -> tuple[Hits, dict[str, float]]:
    """Run the tests over a controller, and collect what they hit.

    Returns
    -------
    tuple
        Hits of each test, and its processor time (s).

    Raises
    ------
    ValueError
        A test complains of the controller.
    bridgebnn.tb.simulators.SimulationError
    """
    build_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_root(), prefix=f"coverage-{name}-") as made:
        folder = Path(made)
        show({"stage": f"{name}, build", "done": 0, "total": 1})
        simulation = built(sim, geometry, folder, verilog)
        build(simulation)
        job = CoverageJob(sim=sim, geometry=geometry, tests=tuple(tests), into=folder)

        def progressed(record: dict[str, object]) -> None:
            show(record | {"stage": f"{name}, {record['stage']}"})

        try:
            result = perform(job, simulation, show=progressed, timeout_s=WHOLE_S, silence_s=SILENCE_S)
        except SimulationError as error:
            if error.kind != "Complaint":
                raise
            raise ValueError(error.message) from None
        hits = {test: json.loads((folder / f"{test}.json").read_text()) for test in tests}
    return hits, CoverageRunReport.from_dict(result).seconds


def judged(geometries: Sequence[Geometry], hits: Hits, reasons: dict[tuple[str, str], str]) -> list[Point]:
    """What became of every point of these controllers.

    Parameters
    ----------
    geometries : sequence of Geometry
    hits : dict
        By ``geometry/test``.
    reasons : dict of str
        Of `excluded`.

    Raises
    ------
    ValueError
        An exclusion names no point.
    """
    declared = {
        (g, name): None for geometry in geometries for g, names in points(geometry).items() for name in names
    }
    if strange := [f"{group}: {name}" for group, name in reasons if (group, name) not in declared]:
        raise ValueError(f"excluded points that do not exist: {'; '.join(strange)}")
    by_point: dict[tuple[str, str], dict[str, int]] = {}
    for test, groups in hits.items():
        for group, counts in groups.items():
            for name, count in counts.items():
                by_point.setdefault((group, name), {})[test] = count
    found = []
    for key in dict.fromkeys((*declared, *by_point)):
        tests, reason = by_point.get(key, {}), reasons.get(key, "")
        verdict = Verdict.HIT if tests else Verdict.UNHIT
        if key not in declared:
            verdict = Verdict.UNKNOWN
        elif reason:
            verdict = Verdict.WRONG if tests else Verdict.EXCLUDED
        found.append(Point(group=key[0], name=key[1], verdict=verdict, tests=tests, reason=reason))
    return found
