"""ABORT in every cycle of a vector whose windows are gathered from an activation map.

A window is gathered beside the reads of the one before, so that an abort finds both under way. Afterwards the strobes
are low, and the next vector runs as if it were the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Command, ErrorCode
from bridgebnn.model.networks import golden
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.reports import ControllerReport

from .bring_up import program_chip
from .infer import environment, fresh_chip
from .reads import Differs, strobes_are_low

__all__ = ["map_aborts"]

MOST_CYC = 2000
"""A vector is through within so many cycles of INFER: descriptors and walk are checked before its first read."""
EACH = 3
"""A vector runs to its end after so many aborts."""


@testbench(InferJob)
async def map_aborts(dut: Any, job: InferJob, progress: Progress) -> ControllerReport:
    """Preload, abort, infer, compare."""
    env = environment(dut, job, fresh_chip(job))
    bus, host = env.bus, env.host
    seen = {"aborts": 0, "vectors": 0}

    async def aborted(vector: Any, wait: int) -> bool:
        """Whether the abort came too late."""
        if (await host.status())["input_ready"]:  # else the one of an abort before is still there
            await host.push(vector)
        await bus.write("INFER_COUNT", 1)
        await host.start(Command.INFER)
        await host.cycles(wait)
        await host.start(Command.ABORT)
        while (status := await host.status())["busy"]:
            pass
        strobes_are_low(dut, f"an abort {wait} cycles after INFER")
        if status["error"]:
            if (error := await bus.fields("ERROR")) != {"code": ErrorCode.ABORTED, "detail": 0}:
                raise Differs(f"an abort {wait} cycles after INFER ended in {error}")
            seen["aborts"] += 1
        if status["result_valid"]:
            await bus.write("RESULT_POP")
        return bool(status["done"])

    async def main() -> None:
        await env.start()
        mapping, _, _ = await program_chip(env, job, progress)
        await host.load_network(mapping.descriptors, mapping.thresholds, mapping.repairs)
        image = job.images[:1]
        vector = mapping.pack_inputs(image)
        wanted = golden.forward(mapping.network, image).scores[0]

        def taken(outcome: Any) -> None:
            if not np.array_equal(outcome.scores, wanted):
                raise Differs(f"scores after {seen['aborts']} aborts: {outcome.scores}, not {wanted}")
            seen["vectors"] += 1

        for wait in range(MOST_CYC):
            progress("aborts", wait, MOST_CYC)
            late = await aborted(vector[0], wait)
            if wait % EACH == 0 or late:
                await host.infer(mapping.descriptors, vector, taken)
            if late:
                break
        else:
            raise Differs(f"a vector is not through {MOST_CYC} cycles after INFER")
        env.check()

    await env.run(main())
    return ControllerReport(sim=job.sim, compared=seen)
