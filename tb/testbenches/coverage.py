"""Testbenches of one build with functional coverage, each in a process of its own that writes what it hit."""

from __future__ import annotations

from functools import partial
from typing import Any

from bridgebnn.tb.checks.coverage import Collector
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import CoverageJob
from bridgebnn.tb.runs.reports import CoverageRunReport

from .subjects import AS_IT_IS_S, Complaint, Subject, alone, subject

__all__ = ["coverage"]


async def _watched(dut: Any, job: CoverageJob, name: str, run: Subject) -> str:
    """What ``run`` finds; its hits are in a file of the job."""
    collector = Collector(dut, job.geometry)
    collector.start()
    said = await run(dut)
    collector.save(job.into / f"{name}.json")
    return said


@testbench(CoverageJob)
async def coverage(dut: Any, job: CoverageJob, progress: Progress) -> CoverageRunReport:
    """Every test of the job, watched."""
    seconds = {}
    for done, name in enumerate(job.tests):
        progress(f"test {name}", done, len(job.tests))
        run = subject(name, job.geometry, job.sim)
        how, spent = await alone(partial(_watched, dut, job, name, run), AS_IT_IS_S)
        if how:
            raise Complaint(f"test {name} complains of the controller: {how:.300}")
        seconds[name] = round(spent, 2)
    progress("tests", len(job.tests), len(job.tests))
    return CoverageRunReport(sim=job.sim, seconds=seconds)
