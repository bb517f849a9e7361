"""Mutants of one build, each through testbenches until one notices; every testbench in a process of its own.

The simulator stands at time 0 and only ever forks: a child puts the mutant's number on the select input, runs one
testbench from power-up and says through a pipe what it found. Loading Python and the models takes place once, and
nothing that a mutant leaves in registers, memories or tasks reaches the next one.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bridgebnn.tb.campaign.mutation import SELECT, inference_jobs
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import REGISTERED, Progress, testbench
from bridgebnn.tb.runs.jobs import (
    ControllerJob,
    InferJob,
    Job,
    MutantsJob,
    RegistersJob,
    RowsJob,
)
from bridgebnn.tb.runs.reports import MutantsReport, RunReport, ScenariosReport

from .program_pins import PINS, Session
from .row_groups import GROUPS
from .row_script import Script

__all__ = ["mutants"]

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


def _subject(name: str, job: MutantsJob) -> Subject:
    """What one name of `bridgebnn.tb.campaign.mutation.TESTS` runs."""
    if name == "rows":
        return _rows(job)
    inferences = inference_jobs(job.geometry, job.sim)
    if name in inferences:
        return _whole(inferences[name])
    if name == "registers":
        return _whole(RegistersJob(sim=job.sim, geometry=job.geometry))
    module = f"bridgebnn.tb.testbenches.{name}"
    return _whole(ControllerJob(sim=job.sim, geometry=job.geometry, seed=SEED), module)


def _whole(job: Job, module: str | None = None) -> Subject:
    """A testbench over its job."""
    module = module or job.TESTBENCH
    importlib.import_module(module)
    if isinstance(job, InferJob):
        assert job.mapping is not None  # made now, once

    async def subject(dut: Any) -> str:
        return _judged(await REGISTERED[module](dut, job, _Silent()))

    return subject


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


def _rows(job: MutantsJob) -> Subject:
    """Every group of row commands, each step judged at its end."""
    script = Script(job.geometry)
    for group, fill in GROUPS.items():
        if group not in PRESETS:
            script.group = group
            fill(script)
    rows = RowsJob(sim=job.sim, geometry=job.geometry, steps=tuple(script.steps))

    async def subject(dut: Any) -> str:
        session = Session(dut, rows)
        await session.start()
        for number, step in enumerate(script.steps):
            said = script.judged(number, list(PINS), await session.do(step))
            if said != "ok":
                group, name, _ = script.judges[number]
                return f"{group}, {name}: {said}"
        return ""

    return subject


async def _alone(dut: Any, number: int, subject: Subject, limit_s: float) -> tuple[str, float]:
    """What ``subject`` finds of mutant ``number``, from a child, and its processor time; this process waits."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            os.close(reader)
            seconds = max(1, round(limit_s))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            Pin(getattr(dut, SELECT)).set(number)
            said = END + await subject(dut)
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


@testbench(MutantsJob)
async def mutants(dut: Any, job: MutantsJob, progress: Progress) -> MutantsReport:
    """The controller as it is through every test of the job, then each mutant until one notices."""
    subjects = {name: _subject(name, job) for name in job.tests}
    taken_s = {}
    for done, (name, subject) in enumerate(subjects.items()):
        progress("tests of the controller as it is", done, len(subjects))
        how, seconds = await _alone(dut, 0, subject, AS_IT_IS_S)
        if how:
            raise Complaint(f"test {name} complains of the controller without a mutant: {how:.300}")
        taken_s[name] = round(seconds, 2)
    with Path(job.outcomes).open("a") as file:
        begin = time.monotonic()
        for done, number in enumerate(job.numbers):
            left_s = (time.monotonic() - begin) / done * (len(job.numbers) - done) if done else None
            how, test, spent = "", "", 0.0
            for name, subject in subjects.items():
                progress("mutants", done, len(job.numbers), remaining_s=left_s)
                how, seconds = await _alone(dut, number, subject, max(LEAST_S, SLACK * taken_s[name]))
                spent += seconds
                if how:
                    test = name
                    break
            record = {"number": number, "test": test, "how": how[:300], "seconds": round(spent, 2)}
            file.write(json.dumps(record) + "\n")
            file.flush()
    progress("mutants", len(job.numbers), len(job.numbers))
    return MutantsReport(sim=job.sim, seconds=taken_s)
