"""Testbenches by name, each to be run from power-up in a process of its own, which is forked from one simulator.

The simulator stands at time 0 and only ever forks: a child runs one testbench and says through a pipe what it found.
Loading Python and the models takes place once, and nothing that a run leaves in registers, memories or tasks reaches
the next one.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.campaign.mutation import inference_jobs
from bridgebnn.tb.runs.job import REGISTERED, Progress
from bridgebnn.tb.runs.jobs import ControllerJob, InferJob, Job, RegistersJob, RowsJob, Sim
from bridgebnn.tb.runs.reports import RunReport, ScenariosReport

from .program_pins import PINS, Session
from .row_groups import GROUPS
from .row_script import Script

__all__ = ["AS_IT_IS_S", "LEAST_S", "SLACK", "Complaint", "Subject", "alone", "subject"]

Subject = Callable[[Any], Awaitable[str]]
"""Runs on the device; says what is wrong, or raises it; "" when nothing is."""

PRESETS = ("counters",)
"""Groups of `GROUPS` that preset registers by name."""
SEED = 5
END = "="
"""What a child says first: one that ends without it was ended by its simulator."""
SLACK, LEAST_S, AS_IT_IS_S = 5.0, 10.0, 1000.0
"""Processor time that a test of a mutant may take: so many times what the controller as it is takes, and at least so
many seconds; and what that one may take."""
ROOM = 2_000
"""Bytes of what a child says that are kept."""


class _Silent(Progress):
    """Nobody watches a child."""

    def __init__(self) -> None:
        super().__init__(os.devnull)

    def __call__(self, stage: str, done: int, total: int, **more: Any) -> None:
        pass


def subject(name: str, geometry: Geometry, sim: Sim) -> Subject:
    """What one name of `bridgebnn.tb.campaign.mutation.TESTS` runs."""
    if name == "rows":
        return _rows(geometry, sim)
    inferences = inference_jobs(geometry, sim)
    if name in inferences:
        return _whole(inferences[name])
    if name == "map_aborts":
        return _whole(inferences["infer_slow"], f"bridgebnn.tb.testbenches.{name}")
    if name == "registers":
        return _whole(RegistersJob(sim=sim, geometry=geometry))
    module = f"bridgebnn.tb.testbenches.{name}"
    return _whole(ControllerJob(sim=sim, geometry=geometry, seed=SEED), module)


def _whole(job: Job, module: str | None = None) -> Subject:
    """A testbench over its job."""
    module = module or job.TESTBENCH
    importlib.import_module(module)
    if isinstance(job, InferJob):
        assert job.mapping is not None  # made now, once

    async def run(dut: Any) -> str:
        return _judged(await REGISTERED[module](dut, job, _Silent()))

    return run


def _judged(report: Any) -> str:
    """What a report complains of that its testbench has not raised."""
    if isinstance(report, ScenariosReport):
        return next((f"{name}: {said}" for name, said in report.outcomes.items() if said != "ok"), "")
    if isinstance(report, RunReport):
        if report.golden_mismatches or report.model_mismatches:
            return f"mismatches: {report.golden_first}; {report.model_first}"
        kept = ("state_equal", "read_numbers_equal", "energy_equal")
        return next((f"{name} is false" for name in kept if not report[name]), "")
    return ""


def _rows(geometry: Geometry, sim: Sim) -> Subject:
    """Every group of row commands, each step judged at its end."""
    script = Script(geometry)
    for group, fill in GROUPS.items():
        if group not in PRESETS:
            script.group = group
            fill(script)
    rows = RowsJob(sim=sim, geometry=geometry, steps=tuple(script.steps))

    async def run(dut: Any) -> str:
        session = Session(dut, rows)
        await session.start()
        for number, step in enumerate(script.steps):
            said = script.judged(number, list(PINS), await session.do(step))
            if said != "ok":
                group, name, _ = script.judges[number]
                return f"{group}, {name}: {said}"
        return ""

    return run


async def alone(work: Callable[[], Awaitable[str]], limit_s: float) -> tuple[str, float]:
    """What ``work`` says is wrong, from a child, and its processor time (s), of which it may take ``limit_s``."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            os.close(reader)
            seconds = max(1, round(limit_s))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            said = END + await work()
        except BaseException as error:  # a task's end, too: this process must not go on
            said = f"{END}{type(error).__name__}: {' '.join(str(error).split())}"
        finally:
            os.write(writer, said.encode()[:ROOM])
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        said = (
            f"{END}Timeout: no end in {limit_s:.0f} s"
            if late
            else f"{END}Crash: signal {os.WTERMSIG(status)}"
        )
    elif not said.startswith(END):
        said = f"{END}Crash: the simulation ended by itself"
    return said.removeprefix(END), usage.ru_utime + usage.ru_stime


class Complaint(ValueError):
    """A test that finds fault with the controller as it is can measure nothing."""
