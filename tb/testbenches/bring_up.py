"""How a testbench brings a chip into a mapping's state: pulses over the bus, repaired where asked, or preload.

``program_chip`` drives the RTL; ``program_alone`` does the same to a second chip on the model alone, and
compares all that the host learned.
"""

from __future__ import annotations

import functools
import gc
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Timing
from bridgebnn.model.flows import inference, programming
from bridgebnn.model.flows.repair import PASSES, Repair, RepairError, changed_rows, repair_chip
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.program_log import ProgramLog
from bridgebnn.tb.env import Env
from bridgebnn.tb.runs.job import Progress
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.reports import ModelProgramming, Programming, Repaired

__all__ = ["Pass", "program_alone", "program_chip"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One run over the rows of a chip: what was programmed, and what the host learned.

    Parameters
    ----------
    mapping : Mapping
    rows : bool, (T, R)
        Word lines that were programmed.
    counters : dict
        ``pulses, verify_reads, failures, failed_rows``.
    log : ProgramLog
    """

    mapping: Mapping
    rows: np.ndarray
    counters: dict[str, int]
    log: ProgramLog


async def program_chip(
    env: Env, job: InferJob, progress: Progress
) -> tuple[Mapping, list[Pass], Programming]:
    """Program the chip as the job says; the mapping that it holds in the end, the passes, and the record.

    Raises
    ------
    RepairError
        With ``repair``: the spares do not suffice, or the failures do not settle.
    """
    gc.freeze()  # what is here now stays: not to be looked through again and again
    start, begin, busy = time.monotonic(), env.cycle(), time.process_time()
    passes: list[Pass] = []
    mapping, found = job.mapping, None
    if job.program == "bus":
        mapping, passes, found = await _over_the_bus(env, job, progress)
    elif env.array is not None:
        inference.load(mapping, env.array)
    if env.agent is not None:
        env.agent.load(mapping)
    names = ("pulses", "verify_reads", "failures", "failed_rows")
    record = Programming(
        how=job.program,
        **{name: sum(p.counters[name] for p in passes) for name in names},
        cycles=env.cycle() - begin if passes else 0,
        wall_s=round(time.monotonic() - start, 3),
        cpu_s=round(time.process_time() - busy, 3),
        repair=None if found is None else Repaired(**found.summary(), passes=len(passes)),
    )
    return mapping, passes, record


async def _over_the_bus(
    env: Env, job: InferJob, progress: Progress
) -> tuple[Mapping, list[Pass], Repair | None]:
    mapping, found = job.mapping, None
    passes: list[Pass] = []
    log = ProgramLog.empty(env.geometry)
    rows = np.any(mapping.masks, axis=2)
    while rows.any():
        if len(passes) == PASSES:
            raise RepairError(f"{int(rows.sum())} rows still change after {PASSES} passes")
        stage = f"program {len(passes) + 1}" if job.repair else "program"
        counters, seen = await env.host.program(mapping, functools.partial(progress, stage), rows)
        passes.append(Pass(mapping=mapping, rows=rows, counters=counters, log=seen))
        if not job.repair:
            break
        log.add(seen)
        found = repair_chip(job.network, env.geometry, log, combine=job.combine, final_mode=job.final_mode)
        rows = changed_rows(mapping, found.mapping)
        mapping = found.mapping
    return mapping, passes, found


def program_alone(alone: Array, mapping: Mapping, passes: list[Pass], timing: Timing) -> ModelProgramming:
    """The same on a chip of its own, without the RTL; for a preloaded chip nothing is counted."""
    if not passes:
        inference.load(mapping, alone)
        return ModelProgramming()
    record: dict[str, Any] = {"equal": True}
    for step in passes:
        masks = step.mapping.masks & step.rows[..., None]
        done = programming.program(alone, step.mapping.images, masks, timing)
        counters = {
            "pulses": int(done.pulses.sum()),
            "verify_reads": int(done.verifies.sum()),
            "failures": len(done.failures),
            "failed_rows": done.failed_rows,
        }
        log = done.as_log(masks, alone.geometry.log_depth)
        same = counters == step.counters and log.same(step.log)
        record["equal"] = record["equal"] and same
        for name, value in counters.items():
            record[name] = record.get(name, 0) + value
    return ModelProgramming(**record)
