"""Faults of the campaign, one after the other in one simulator process."""

from __future__ import annotations

import time
from typing import Any

from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.campaign.faults import GEOMETRY, TIMING, parse
from bridgebnn.tb.campaign.host import ShadowBus
from bridgebnn.tb.campaign.scenarios import Bench
from bridgebnn.tb.env import Env
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import CampaignJob
from bridgebnn.tb.runs.reports import CampaignChunk

__all__ = ["campaign"]


@testbench(CampaignJob)
async def campaign(dut: Any, job: CampaignJob, progress: Progress) -> CampaignChunk:
    """Put in the job's faults; the report has a record for each."""
    env = Env(dut, GEOMETRY, None, attach="none", timing=TIMING, sim=job.sim, seed=job.seed)
    env.bus = ShadowBus(dut, register_map(GEOMETRY, TIMING))
    bench = Bench(env)
    records: list[dict[str, Any]] = []

    async def main() -> None:
        await bench.start()
        for number, label in enumerate(job.faults, 1):
            begin = time.monotonic()
            record = await bench.put(parse(label))
            record["wall_s"] = round(time.monotonic() - begin, 4)
            records.append(record)
            progress("faults", number, len(job.faults))

    await env.run(main())
    return CampaignChunk(sim=job.sim, records=records)
