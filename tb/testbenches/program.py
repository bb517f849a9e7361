"""A chip programmed over the bus, row by row, and then verified row by row; nothing is inferred."""

from __future__ import annotations

from typing import Any

from bridgebnn.hdl.spec import Command, ErrorCode
from bridgebnn.model.macro.energy import price_program
from bridgebnn.tb.agents.array_agent import StrobeAgent
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ProgramJob
from bridgebnn.tb.runs.reports import ProgramRunReport

from .infer import fresh_chip


@testbench(ProgramJob)
async def program(dut: Any, job: ProgramJob, progress: Progress) -> ProgramRunReport:
    """Program the rows of the job's work."""
    work = job.work
    images, masks = work.images, work.masks
    order = list(work.program_order())
    array = fresh_chip(job)
    env = Env(dut, work.geometry, array, attach="strobe", timing=work.timing, sim=job.sim, seed=job.seed)
    host = env.host

    async def main() -> ProgramRunReport:
        await env.start()
        agent = env.agent
        assert isinstance(agent, StrobeAgent)
        seen = agent.program
        columns: list[int] = []

        def evaluated(tiles: list[int], row: int) -> None:
            enabled = agent.columns(tiles[0])[1]
            columns.append(int(enabled.sum()))

        agent.on_evaluate.append(evaluated)
        begin, idle = env.cycle(), host.busy_cyc
        counters, log = await host.program(work, lambda done, of: progress("program", done, of))
        cycles, busy = env.cycle() - begin, host.busy_cyc - idle
        state = array.state_hash()  # before the reads that follow
        seen.read_back(sum(columns), len(columns))
        events = seen.events()
        device_J = array.devices.energy_J.tolist()
        listed = {(f.tile, f.row) for f in log.failures} | {m[:2] for m in log.mismatches}
        refuted = await verify_all(listed)
        return ProgramRunReport(
            sim=job.sim,
            pulses=counters["pulses"],
            verify_reads=counters["verify_reads"],
            failures=counters["failures"],
            failed_rows=counters["failed_rows"],
            cycles=cycles,
            busy_cycles=busy,
            rows=len(order),
            failed=[[int(part) for part in failure] for failure in log.failures],
            listed_rows=len(listed),
            unlisted_rows=refuted,
            state=state,
            events=events,
            energy=price_program(events, device_J, busy, job.macro, work.geometry, work.timing),
        )

    async def verify_all(listed: set[tuple[int, int]]) -> list[list[int]]:
        """Rows that VERIFY_ROW finds wrong though the programming did not list them."""
        refuted = []
        for done, (tile, row) in enumerate(order, 1):
            await host.load_row(tile, row, images[tile, row], masks[tile, row])
            try:
                await host.run(Command.VERIFY_ROW)
            except CommandError as error:
                if error.code is not ErrorCode.NOT_CONVERGED:
                    raise
                if (tile, row) not in listed:
                    refuted.append([tile, row])
            progress("verify", done, len(order))
        return refuted

    return await env.run(main())
