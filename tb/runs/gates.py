"""The testbenches on a netlist in the controller's place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bridgebnn.names import check_names
from bridgebnn.records import Record
from bridgebnn.tb.simulators import SimulationError

from .controller import simulation
from .jobs import InferJob, RegistersJob, ScenariosJob
from .runner import infer, run_scenarios, walk_registers

__all__ = ["PARTS", "GateReport", "GateRun", "check_netlist"]

Show = Callable[[dict[str, Any]], None]


class GateRun(Record, frozen=True, kw_only=True):
    """One testbench on the netlist.

    Parameters
    ----------
    name : str
    passed : bool
    found : str
        What it compared, or what was wrong.
    wall_s : float
        Time, with the build where it was not in the cache.
    """

    name: str
    passed: bool
    found: str
    wall_s: float


class GateReport(Record, frozen=True, kw_only=True):
    """All testbenches on a netlist.

    Parameters
    ----------
    sim : str
    network : str
    cells, flip_flops : int, optional
        Of a netlist that was synthesised here.
    area_mm2 : float, optional
    runs : tuple of GateRun
    """

    sim: str
    network: str
    cells: int | None = None
    flip_flops: int | None = None
    area_mm2: float | None = None
    runs: tuple[GateRun, ...]
    command: str | None = None

    @property
    def passed(self) -> bool:
        """Every run has passed."""
        return bool(self.runs) and all(run.passed for run in self.runs)


def _registers(job: InferJob, verilog: Path, show: Show | None) -> str:
    built = simulation(job.sim, "none", job.geometry, verilog)
    report = walk_registers(
        RegistersJob(sim=job.sim, geometry=job.geometry), built, timeout_s=LIMIT_S, silence_s=SILENCE_S
    )
    if not report.compared == report.sent > 0:
        raise SimulationError("Mismatch", f"{report.sent} accesses, {report.compared} compared")
    return f"{report.compared:,} accesses as registers.rdl says"


def _infer(job: InferJob, verilog: Path, show: Show | None) -> str:
    report = infer(job.replace(verilog=verilog), show=show, timeout_s=LIMIT_S, silence_s=SILENCE_S)
    if not report.ok:
        raise SimulationError("Mismatch", report.model_first or report.golden_first or "the devices differ")
    programming = report.programming
    weights = (
        f"programmed over the bus, {programming.pulses:,} pulses and {programming.verify_reads:,} verify reads"
        if programming.how == "bus"
        else "preloaded"
    )
    return (
        f"{weights}; {report.images:,} images, {report.compared:,} values compared on the pins, "
        f"{report.golden_mismatches or 0:,} other than golden, {report.model_mismatches or 0:,} other than the model"
    )


def _faults(job: InferJob, verilog: Path, show: Show | None) -> str:
    fields = {name: job[name] for name in ("sim", "network", "geometry", "timing", "attach", "seed")}
    fields |= {"images": job.images[:4], "combine": job.combine, "comparisons": job.comparisons}
    outcomes = run_scenarios(
        ScenariosJob(**fields, verilog=verilog), show=show, timeout_s=LIMIT_S, silence_s=SILENCE_S
    ).outcomes
    for name, text in outcomes.items():
        if text != "ok":
            raise SimulationError("Mismatch", f"{name}: {text}")
    return f"{len(outcomes)} scenarios"


LIMIT_S, SILENCE_S = 3600.0, 1800.0
"""Patience with a netlist, which is slow: for a run, and for a sign of progress."""

PARTS = {"registers": _registers, "infer": _infer, "faults": _faults}
"""The testbenches by name: the register walk; programming and inference; bad input and bad hardware."""


def check_netlist(
    job: InferJob, verilog: Path, parts: Sequence[str] = tuple(PARTS), *, show: Show | None = None
) -> tuple[GateRun, ...]:
    """Run testbenches on Verilog that takes the controller's place.

    Parameters
    ----------
    job : InferJob
        Simulator, network, geometry, macro and images.
    verilog : Path
        Module ``bridgebnn``, with models of its cells.
    parts : sequence of str
        Of `PARTS`.

    Raises
    ------
    bridgebnn.tb.simulators.SimulationError
        ``Missing``: there is no simulator. All else that goes wrong is in the result.
    """
    check_names("parts", parts, PARTS, "testbench")
    runs = []
    for name in parts:
        start = time.monotonic()
        try:
            passed, found = True, PARTS[name](job, verilog, show)
        except SimulationError as error:
            if error.kind == "Missing":
                raise
            passed, found = False, str(error)
        runs.append(GateRun(name=name, passed=passed, found=found, wall_s=round(time.monotonic() - start, 1)))
    return tuple(runs)
