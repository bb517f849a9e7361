"""A testbench of our route around ``counter.v``: what the tests of building and running run."""

import os
from pathlib import Path

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from bridgebnn.records import Record
from bridgebnn.tb.runs.job import testbench
from bridgebnn.tb.runs.jobs import Job


class CountJob(Job, frozen=True, kw_only=True):
    """So many clock cycles."""

    cycles: int


class CountReport(Record, frozen=True, kw_only=True):
    """What the counter shows, and in which surroundings."""

    count: int
    variables: tuple[str, ...]
    here: str


@testbench(CountJob)
async def counts(dut, job, progress):
    Clock(dut.clk, 10, "ns").start()
    for number in range(job.cycles):
        await ClockCycles(dut.clk, 1)
        progress("counting", number + 1, job.cycles)
    return CountReport(count=int(dut.count.value), variables=tuple(sorted(os.environ)), here=str(Path.cwd()))
