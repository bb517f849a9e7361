"""What becomes of each mutant: killed by a test, equivalent by proof or by argument, or survived. Told as it comes."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bridgebnn.hdl.spec import Geometry
from bridgebnn.paths import build_root
from bridgebnn.progress import Show
from bridgebnn.tb.runs.jobs import MutantsJob, Sim
from bridgebnn.tb.runs.runner import perform
from bridgebnn.tb.simulators import SimulationError, build

from .arguments import Argument, argued
from .equivalent import Sorted, Sorter
from .mutation import Change, built, mutated, place_of, runs_on

__all__ = ["SECOND", "Outcome", "measure"]

SECOND: dict[Sim, tuple[Sim, tuple[str, ...]]] = {"verilator": ("icarus", ("counters",))}
"""What meets those that are left, on the other simulator: there the testbench of the counters presets them."""
WHOLE_S, SILENCE_S = 24 * 3600.0, 3600.0
"""Longest run over all mutants, and longest test of one; mutants have limits of their own, of processor time."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One mutant, and what became of it.

    Parameters
    ----------
    geometry : str
        Name of the controller.
    number : int
        Of the mutant among those of its geometry.
    module, mode, change : str
        Where it is, what happens to the bit, and all of it as Yosys tells it.
    verdict : str
        ``killed``; ``equivalent``, by proof; ``argued``, to be equivalent; ``survived``; ``""``: not known yet.
    test, how : str
        The test that noticed, and what it said; of those that nobody noticed, what the solver says, or the argument.
    seconds : float
        Of the tests.
    """

    geometry: str
    number: int
    module: str
    mode: str
    change: str
    verdict: str = ""
    test: str = ""
    how: str = ""
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """Names it: ``spares:12``."""
        return f"{self.geometry}:{self.number}"


def measure(
    name: str,
    geometry: Geometry,
    count: int,
    seed: int,
    *,
    sim: Sim,
    tests: Sequence[str],
    proofs: bool = True,
    limit_s: float = 120.0,
    arguments: Sequence[Argument] = (),
    known: dict[str, Outcome] | None = None,
    first: int | None = None,
    show: Show,
    told: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run the tests over the mutants of one geometry, each until one notices.

    Those that are left meet the tests of `SECOND`, and then the solver, which takes longer.

    Parameters
    ----------
    name : str
        Of the geometry.
    proofs : bool
        Whether survivors go to the solver; else each stays a survivor.
    limit_s : float
        Solver's time for a survivor.
    arguments : sequence of Argument
        Count where neither a test nor the solver has a verdict.
    known : dict of Outcome
        By label, of an earlier run with the same mutants: what was killed or proven is not run again.
    first : int, optional
        Run only so many of them: the others when `known` has these.
    told : callable
        Gets each outcome as soon as it is known.

    Returns
    -------
    list of Outcome
        In the order of their numbers.

    Raises
    ------
    ValueError
        A test complains of the controller as it is.
    """
    build_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_root(), prefix=f"mutation-{name}-") as made:
        folder = Path(made)
        show({"stage": f"{name}, mutants", "done": 0, "total": 1})
        verilog, changes = mutated(geometry, count, seed, folder)
        found = {c.number: _begun(name, c) for c in changes[:first]}
        for number, outcome in found.items():
            earlier = (known or {}).get(outcome.label)
            if earlier and earlier.change == outcome.change and earlier.verdict in ("killed", "equivalent"):
                found[number] = earlier

        def settle(number: int, **what: Any) -> None:
            found[number] = replace(found[number], **what)
            if found[number].verdict:
                told(found[number])

        def heard(at: Sim, record: dict[str, Any]) -> None:
            spent = round(found[record["number"]].seconds + record["seconds"], 2)
            killer = record["test"] if at == sim else f"{record['test']}, {at}"
            fate = {"verdict": "killed", "test": killer, "how": record["how"]} if record["how"] else {}
            settle(record["number"], seconds=spent, **fate)

        def open_() -> tuple[int, ...]:
            return tuple(number for number, outcome in found.items() if not outcome.verdict)

        tests = [test for test in tests if runs_on(test, geometry)]
        other, again = SECOND.get(sim, (sim, ()))

        def test(at: Sim, subjects: tuple[str, ...]) -> None:
            if subjects and open_():
                lines = folder / f"{at}.jsonl"
                job = MutantsJob(sim=at, geometry=geometry, numbers=open_(), tests=subjects, outcomes=lines)
                _tested(f"{name}, {at}", job, verilog, show, partial(heard, at))

        test(sim, tuple(tests))
        test(other, tuple(test for test in again if test in tests))
        said: dict[int, str] = {}
        if proofs and open_():
            places = {number: place_of(found[number].change) for number in open_()}
            for number, result in _sorted(name, places, folder, limit_s, show):
                said[number] = result.why
                if result.verdict == "equivalent":
                    settle(number, verdict="equivalent", how=result.why)
        whole = (folder / "whole.v").read_text() if arguments else ""
        for number in open_():
            if reason := argued(arguments, name, seed, found[number].change, whole):
                settle(number, verdict="argued", how=reason)
            else:
                settle(number, verdict="survived", how=said.get(number, ""))
    return [found[number] for number in sorted(found)]


def _begun(name: str, change: Change) -> Outcome:
    return Outcome(
        geometry=name, number=change.number, module=change.module, mode=change.mode, change=change.text
    )


def _tested(
    stage: str, job: MutantsJob, verilog: Path, show: Show, heard: Callable[[dict[str, Any]], None]
) -> None:
    """One simulator process for all mutants of the job; ``heard`` gets what became of each as it comes."""
    taken = 0

    def hear() -> None:
        nonlocal taken
        lines = job.outcomes.read_text().splitlines(keepends=True) if job.outcomes.exists() else []
        for line in (line for line in lines[taken:] if line.endswith("\n")):
            taken += 1
            heard(json.loads(line))

    def progressed(record: dict[str, Any]) -> None:
        show(record | {"stage": f"{stage}, {record['stage']}"})
        hear()

    show({"stage": f"{stage}, build", "done": 0, "total": 1})
    simulation = built(job.sim, verilog)
    build(simulation)
    try:
        perform(job, simulation, show=progressed, timeout_s=WHOLE_S, silence_s=SILENCE_S)
    except SimulationError as error:
        if error.kind != "Complaint":
            raise
        raise ValueError(error.message) from None
    hear()


def _sorted(
    name: str, places: dict[int, str], folder: Path, limit_s: float, show: Show
) -> Iterator[tuple[int, Sorted]]:
    """What the solver says of mutants, of which we know the instances, as it comes."""
    show({"stage": f"{name}, gates", "done": 0, "total": 1})
    sorter = Sorter(folder)
    begin = time.monotonic()
    for done, (number, path) in enumerate(places.items()):
        left_s = (time.monotonic() - begin) / done * (len(places) - done) if done else None
        show({"stage": f"{name}, solver", "done": done, "total": len(places), "remaining_s": left_s})
        yield number, sorter.sort(number, path=path, limit_s=limit_s)
    show({"stage": f"{name}, solver", "done": len(places), "total": len(places)})
