"""Prove the properties, reach the cover points, and refute the broken designs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.processes import workers

from .aiger import Aiger, Trace, read_witness, replay
from .design import Design, Patch, generate
from .flow import Verdict, prepare, run_abc
from .observer import Check, write_top
from .structure import CHECKS as STRUCTURE

__all__ = ["Model", "Result", "prove", "reach", "refute", "run_all"]

PINS: tuple[str, ...] = (
    "rst",
    "wb_cyc",
    "wb_stb",
    "wb_we",
    "wb_adr",
    "wb_dat_w",
    "wb_sel",
    "wb_ack",
    "wb_err",
    "hv_ready",
)
PINS += ("hv_en", "wl_en", "row", "pulse", "verify", "precharge", "evaluate", "sense", "prog_op", "prog_side")
STATES: tuple[str, ...] = (
    "dut.arbiter.arbiter_state",
    "dut.program_.fsm_state",
    "dut.program_.rails.fsm_state",
)
STATES += ("dut.program_.attempts.fsm_state", "dut.program_.driver.fsm_state", "dut.layer.fsm_state")


@dataclass(frozen=True, kw_only=True)
class Result:
    """Outcome of one property, cover point or broken design.

    ``good`` is what is hoped for: proven, reached, refuted. ``method`` says how; ``files`` are what a failure
    leaves for the reader.
    """

    kind: str
    name: str
    rule: str
    text: str
    status: str
    good: bool
    method: str
    seconds: float
    size: str = ""
    summary: str = ""
    files: tuple[str, ...] = ()


class Model:
    """One design with its observer, as a circuit with one output for each check."""

    def __init__(self, folder: Path, geometry: Geometry, checks: list[Check], design: Design):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.checks = folder, checks
        file = prepare(folder, write_top(folder, geometry, design, checks))
        self.vmap = file.with_suffix(".vmap")
        self.circuit = Aiger.read(file)

    def trace(self, circuit: Aiger, check: Check, witness: Path | None) -> tuple[Trace, Path]:
        """Replay a counterexample and write it as VCD."""
        if witness is None:
            raise RuntimeError(f"{check.name}: there is no counterexample")
        trace = replay(circuit, self.vmap, read_witness(witness))
        if trace.signals[check.name][-1] != 1:
            raise RuntimeError(f"{check.name}: the counterexample {witness} does not replay")
        file = self.folder / f"{check.name}.vcd"
        trace.write_vcd(file)
        return trace, file


WORDS = {"property": "proven", "cover": "reached", "mutant": "refuted"}


def _result(kind, check, verdict, good, method, **more) -> Result:
    """``verdict`` in the words of the kind of run."""
    status = WORDS[kind] if good else verdict.status
    size = f"{verdict.latches} FF, {verdict.ands} AND"
    return Result(
        kind=kind,
        name=check.name,
        rule=check.rule,
        text=check.text,
        status=status,
        good=good,
        method=method,
        size=size,
        **more,
    )


def _inductive(model: Model, check: Check, limit_s: float) -> Verdict:
    """One step from any state that came after a reset, and before which nothing was violated.

    ``undecided`` at depth 2 is the proof of the step.
    """
    settled = {"mon.started": 1, "mon.structure_was_violated": 0, f"mon.seen_{check.name}": 0}
    file = model.folder / f"{check.name}.step.aig"
    model.circuit.only(check.name).step(model.vmap, settled).write(file)
    return run_abc(file, "bmc3 -F 2", limit_s)


def _holds(verdict: Verdict) -> bool:
    """A run over two frames found nothing."""
    return verdict.status == "undecided" and verdict.depth == 2


def prove(model: Model, check: Check, limit_s: float) -> Result:
    """Induction over one cycle where that is enough, else property-directed reachability; both unbounded."""
    only = model.circuit.only(check.name)
    file = model.folder / f"{check.name}.aig"
    only.write(file)
    verdict = run_abc(file, "bmc3 -F 2", limit_s)
    seconds, method = verdict.seconds, "BMC"
    if _holds(verdict):
        step = _inductive(model, check, limit_s)
        seconds += step.seconds
        if _holds(step):
            return _result("property", check, step, True, "induction", seconds=seconds)
        verdict = run_abc(file, "pdr", limit_s)
        seconds += verdict.seconds
        method = f"PDR, {verdict.depth} clauses"
    if verdict.status != "violated":
        return _result("property", check, verdict, verdict.status == "proven", method, seconds=seconds)
    trace, vcd = model.trace(only, check, verdict.witness)
    return _result(
        "property",
        check,
        verdict,
        False,
        f"counterexample of {trace.cycles} cycles",
        seconds=seconds,
        summary=trace.summary([n for n in (*PINS, *STATES, check.name) if n in trace.signals]),
        files=(str(vcd),),
    )


def reach(model: Model, check: Check, limit_s: float) -> Result:
    """Find a run to a cover point, and replay it."""
    only = model.circuit.only(check.name)
    file = model.folder / f"{check.name}.aig"
    only.write(file)
    verdict = run_abc(file, "bmc3 -F 200", limit_s)
    if verdict.status != "violated":
        return _result("cover", check, verdict, False, f"{verdict.depth} cycles", seconds=verdict.seconds)
    trace, vcd = model.trace(only, check, verdict.witness)
    method = f"BMC, {trace.cycles} cycles"
    return _result("cover", check, verdict, True, method, seconds=verdict.seconds, files=(str(vcd),))


def refute(
    folder: Path,
    geometry: Geometry,
    check: Check,
    text: str,
    patches: tuple[Patch, ...],
    limit_s: float,
    bus: Bus = Bus.WISHBONE,
) -> Result:
    """Break the design, find the counterexample to the property by itself, and see that no proof goes through.

    With its lemmas and what it takes for granted, the property must not be inductive in the broken design,
    or what it takes for granted must fail there.
    """
    folder = folder / "mutants" / check.name
    design = generate(folder, geometry, "broken", patches, bus)
    alone = dataclasses.replace(check.bare, name=f"bare_{check.name}", text=text)
    (structure,) = STRUCTURE
    assumed_too = [] if check.given is None else [structure]
    checks = [alone] if check.name == structure.name else [alone, check, *assumed_too]
    model = Model(folder, geometry, checks, design)
    only = model.circuit.only(alone.name)
    file = folder / f"{alone.name}.aig"
    only.write(file)
    verdict = run_abc(file, "bmc3 -F 200", limit_s)
    shown = dataclasses.replace(alone, name=check.name)
    if verdict.status != "violated":
        return _result("mutant", shown, verdict, False, f"{verdict.depth} cycles", seconds=verdict.seconds)
    trace, vcd = model.trace(only, alone, verdict.witness)
    seconds, good = verdict.seconds, True
    if len(checks) > 1:
        step = _inductive(model, check, limit_s)
        seconds += step.seconds
        if _holds(step):
            good = False
            if assumed_too:
                model.circuit.only(structure.name).write(file)
                assumed = run_abc(file, f"bmc3 -F {trace.cycles + 1}", limit_s)
                seconds += assumed.seconds
                good = assumed.status == "violated"
    method = f"BMC, {trace.cycles} cycles" if good else "PROVEN NEVERTHELESS"
    return _result("mutant", shown, verdict, good, method, seconds=seconds, files=(str(vcd),))


def run_all(
    jobs: int, work: Sequence[Callable[[], Result]], report: Callable[[Result], None]
) -> list[Result]:
    """Run ``work`` in ``jobs`` threads (the solvers are processes) and report each result as it comes."""

    def one(task: Callable[[], Result]) -> Result:
        result = task()
        report(result)
        return result

    with workers(jobs) as pool:
        return list(pool.map(one, work))
