"""Mutants of one build, each through testbenches until one notices; every testbench in a process of its own.

A child of `bridgebnn.tb.testbenches.subjects` puts the mutant's number on the select input before it runs a testbench.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

from bridgebnn.tb.campaign.mutation import SELECT
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import MutantsJob
from bridgebnn.tb.runs.reports import MutantsReport

from .subjects import AS_IT_IS_S, LEAST_S, SLACK, Complaint, Subject, alone, subject

__all__ = ["mutants"]


async def _mutant(dut: Any, number: int, run: Subject) -> str:
    """What ``run`` finds of mutant ``number``."""
    Pin(getattr(dut, SELECT)).set(number)
    return await run(dut)


@testbench(MutantsJob)
async def mutants(dut: Any, job: MutantsJob, progress: Progress) -> MutantsReport:
    """The controller as it is through every test of the job, then each mutant until one notices."""
    subjects = {name: subject(name, job.geometry, job.sim) for name in job.tests}
    taken_s = {}
    for done, (name, run) in enumerate(subjects.items()):
        progress("tests of the controller as it is", done, len(subjects))
        how, seconds = await alone(partial(_mutant, dut, 0, run), AS_IT_IS_S)
        if how:
            raise Complaint(f"test {name} complains of the controller without a mutant: {how:.300}")
        taken_s[name] = round(seconds, 2)
    with Path(job.outcomes).open("a") as file:
        begin = time.monotonic()
        for done, number in enumerate(job.numbers):
            left_s = (time.monotonic() - begin) / done * (len(job.numbers) - done) if done else None
            how, test, spent = "", "", 0.0
            for name, run in subjects.items():
                progress("mutants", done, len(job.numbers), remaining_s=left_s)
                how, seconds = await alone(
                    partial(_mutant, dut, number, run), max(LEAST_S, SLACK * taken_s[name])
                )
                spent += seconds
                if how:
                    test = name
                    break
            record = {"number": number, "test": test, "how": how[:300], "seconds": round(spent, 2)}
            file.write(json.dumps(record) + "\n")
            file.flush()
    progress("mutants", len(job.numbers), len(job.numbers))
    return MutantsReport(sim=job.sim, seconds=taken_s)
