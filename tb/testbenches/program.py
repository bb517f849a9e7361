"""A chip programmed over the bus, row by row, and then verified row by row; nothing is inferred."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Command, ErrorCode
from bridgebnn.model.flows.chip_map import Work
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.runs.job import Progress, testbench

from .infer import chip_of, geometry_of, timing_of


@testbench
async def program(dut: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Program the job's ``cells`` (``.npz`` of images and masks); see ``bridgebnn.tb.commands.program``."""
    cells = np.load(job["cells"])
    images, masks = cells["images"], cells["masks"]
    work = Work(name="job", geometry=geometry_of(job), timing=timing_of(job), images=images, masks=masks)
    order = list(work.program_order())
    progress = Progress(job["progress"])
    array = chip_of(job)
    env = Env(dut, work.geometry, array, attach="strobe", timing=work.timing, sim=job["sim"])
    host = env.host

    async def main() -> dict[str, Any]:
        await env.start()
        begin, idle = env.cycle(), host.busy_cyc
        counters, log = await host.program(work, lambda done, of: progress("program", done, of))
        cycles, busy = env.cycle() - begin, host.busy_cyc - idle
        state = array.state_hash()  # before the reads that follow
        listed = {(f.tile, f.row) for f in log.failures} | {m[:2] for m in log.mismatches}
        refuted = await verify_all(listed)
        return {
            **counters,
            "cycles": cycles,
            "busy_cycles": busy,
            "rows": len(order),
            "failed": [[int(part) for part in failure] for failure in log.failures],
            "listed_rows": len(listed),
            "unlisted_rows": refuted,
            "state": state,
        }

    async def verify_all(listed: set[tuple[int, int]]) -> list[tuple[int, int]]:
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
                    refuted.append((tile, row))
            progress("verify", done, len(order))
        return refuted

    return await env.run(main())
