"""From a job to its report: what commands, tests and examples call."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn.model.flows.wrong_images import wrong_images
from bridgebnn.model.spice.run import find_tools
from bridgebnn.paths import build_root
from bridgebnn.processes import workers
from bridgebnn.tb.checks.scoreboard import observations
from bridgebnn.tb.simulators import Simulation, SimulationError, build, run
from bridgebnn.versions import versions

from .controller import CONTROLLER, generated, simulation
from .exchange import send
from .jobs import ControllerJob, InferJob, Job, ProgramJob, RegistersJob, ScenariosJob
from .parts import Together, merge, split
from .reports import ControllerReport, ProgramRunReport, RegistersReport, RunReport, ScenariosReport

__all__ = [
    "CONTROLLER",
    "check_controller",
    "generated",
    "infer",
    "perform",
    "program",
    "run_scenarios",
    "simulation",
    "walk_registers",
]

Show = Callable[[dict[str, Any]], None]

SILENCE_S = 120.0
"""For so long a run may show no progress, unless told otherwise."""


def perform(
    job: Job,
    built: Simulation,
    *,
    testbench: str | None = None,
    show: Show | None = None,
    timeout_s: float = math.inf,
    plus_args: tuple[str, ...] = (),
    **limits: Any,
) -> dict[str, Any]:
    """Run a job on what was built; the testbench's result as JSON has it.

    Parameters
    ----------
    job : Job
    built : Simulation
    testbench : str, optional
        Module of the testbench; by default the job's own.
    show : callable, optional
        Gets progress records.
    timeout_s : float
        Wall-clock limit. Without one, a run ends when it shows no progress for 120 s.
    plus_args : tuple of str
    **limits
        As `bridgebnn.tb.simulators.run` takes them.

    Raises
    ------
    bridgebnn.tb.simulators.SimulationError
        The run did not end well.
    """
    build_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_root(), prefix="job-") as folder:
        return run(
            built,
            testbench or job.TESTBENCH,
            send(job, Path(folder)),
            progress=show,
            timeout_s=timeout_s,
            plus_args=plus_args,
            **limits,
        )


def _simulation(job: InferJob) -> Simulation:
    comparisons = job.most_comparisons  # first: what does not fit ends here
    return simulation(
        job.sim,
        job.attach,
        job.geometry,
        job.verilog or generated(job.geometry, job.timing),
        comparisons=comparisons,
        tied=job.tied,
    )


def _infer(job: InferJob, **options: Any) -> dict[str, Any]:
    return perform(job, _simulation(job), plus_args=job.plus_args, **options)


def infer(
    job: InferJob,
    *,
    jobs: int = 1,
    testbench: str | None = None,
    show: Show | None = None,
    timeout_s: float = math.inf,
    silence_s: float = SILENCE_S,
) -> RunReport:
    """Run a network on the RTL with the macro attached, as the job says.

    Parameters
    ----------
    job : InferJob
    jobs : int, 1..64
        Simulator processes, of one build. Each takes images that follow each other, at least one, and programs the
        chip for itself; chip, noise and results are those of one process (`bridgebnn.tb.runs.parts`).
    testbench : str, optional
        Another module to run over the job; it must give a `RunReport`.
    show : callable, optional
        Gets progress records.
    timeout_s, silence_s : float
        Wall-clock limits of each process, of all of it and without a sign of progress.

    Raises
    ------
    ValueError
        A number of jobs that is not legal.
    bridgebnn.model.mapping.mapping.MappingError
        The network does not fit.
    bridgebnn.model.spice.run.SpiceUnavailableError
        Of macro spice: ngspice or the device models are missing.
    bridgebnn.tb.simulators.SimulationError
        The run, or one of its parts, did not end well; the other parts are ended.
    """
    if job.macro.transistors:
        find_tools()  # what is missing is told before anything is built
    parts = split(job, jobs)
    if len(parts) == 1:
        return _described(
            job, _part(job, testbench=testbench, show=show, timeout_s=timeout_s, silence_s=silence_s)
        )
    _, build_s = build(_simulation(job))  # once, not by whoever comes first
    together = None if show is None else Together(show, parts)
    with workers(len(parts)) as pool:
        waiting = {
            pool.submit(
                _part,
                part,
                testbench=testbench,
                show=None if together is None else together.of(number),
                timeout_s=timeout_s,
                silence_s=silence_s,
            ): part
            for number, part in enumerate(parts)
        }
        done = {waiting[future].before: _ended(future, waiting[future]) for future in as_completed(waiting)}
    merged = merge(parts, [done[part.before] for part in parts])
    return _described(job, merged.replace(build_s=round(build_s, 2)))


def _described(job: InferJob, report: RunReport) -> RunReport:
    """With what this side knows: labels, the images that went wrong, versions."""
    golden = report.golden_scores
    return report.replace(
        labels=None if job.labels is None else list(job.labels),
        wrong=wrong_images(
            job.network.encoding,
            job.images,
            labels=job.labels,
            classes=report.classes,
            golden=report.classes if golden is None else np.argmax(golden, axis=1).tolist(),
            scores=report.scores,
        ),
        versions=versions(),
    )


def _ended(future: Future[RunReport], part: InferJob) -> RunReport:
    """What a part gave; its error says which images it had."""
    try:
        return future.result()
    except SimulationError as error:
        where = f"images {part.before} to {part.before + len(part.images) - 1}"
        raise SimulationError(error.kind, f"{where}: {error.message}", error.log) from None


def _part(job: InferJob, **options: Any) -> RunReport:
    """One process of a run, or the whole of it."""
    report = RunReport.from_dict(_infer(job, **options))
    if job.attach != "none":
        # what the stimulus owes, whatever the far end counted
        owed = observations(len(job.images), job.mapping.programs)
        if not report.compared == owed > 0:
            raise SimulationError(
                "ScoreboardError", f"{owed} observations sent, {report.compared} compared", Path(report.log)
            )
    return report


def run_scenarios(
    job: ScenariosJob, *, show: Show | None = None, timeout_s: float = math.inf, silence_s: float = SILENCE_S
) -> ScenariosReport:
    """Put bad input and bad hardware to a programmed chip."""
    return ScenariosReport.from_dict(_infer(job, show=show, timeout_s=timeout_s, silence_s=silence_s))


def program(job: ProgramJob, *, show: Show | None = None, timeout_s: float = math.inf) -> ProgramRunReport:
    """Program a fresh chip through the RTL."""
    built = simulation(job.sim, "strobe", job.geometry, generated(job.geometry, job.timing))
    report = ProgramRunReport.from_dict(perform(job, built, show=show, timeout_s=timeout_s))
    return report.replace(versions=versions())


def walk_registers(
    job: RegistersJob, built: Simulation, *, timeout_s: float = 300.0, silence_s: float = SILENCE_S
) -> RegistersReport:
    """Walk over the register map of a controller."""
    return RegistersReport.from_dict(perform(job, built, timeout_s=timeout_s, silence_s=silence_s))


def check_controller(
    job: ControllerJob, subject: str, verilog: Path | None = None, *, timeout_s: float = 300.0
) -> ControllerReport:
    """Run ``bridgebnn.tb.testbenches.<subject>`` on the bare controller, or on another Verilog in its place."""
    built = simulation(job.sim, "none", job.geometry, verilog or generated(job.geometry))
    testbench = f"bridgebnn.tb.testbenches.{subject}"
    return ControllerReport.from_dict(perform(job, built, testbench=testbench, timeout_s=timeout_s))
