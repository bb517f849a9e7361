"""From a number of faults to their records: chunks of faults, each in a simulator process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from bridgebnn.processes import workers
from bridgebnn.tb.runs.controller import generated
from bridgebnn.tb.runs.jobs import CampaignJob, Sim
from bridgebnn.tb.runs.reports import CampaignChunk
from bridgebnn.tb.runs.runner import perform
from bridgebnn.tb.simulators import SimulationError, build

from .faults import GEOMETRY, TIMING, shares
from .watch import simulation

__all__ = ["labels", "run_campaign", "run_faults"]

CHUNK = {"verilator": 400, "icarus": 25}
"""Faults of one process: enough to hide its start, few enough to share the work out."""

Record = dict[str, Any]


def labels(total: int, seed: int) -> list[str]:
    """Labels of all faults, the classes interleaved."""
    counts = shares(total)
    order = sorted((index / count, name, index) for name, count in counts.items() for index in range(count))
    return [f"{name}:{seed}:{index}" for _, name, index in order]


def run_faults(
    faults: Sequence[str], sim: Sim, *, verilog: Path | None = None, timeout_s: float = 1800.0
) -> list[Record]:
    """Put faults in, one after the other, in one simulator process.

    Parameters
    ----------
    faults : sequence of str
        Labels ``CLASS:SEED:INDEX``.
    verilog : Path, optional
        Another controller than the generated one; tests use broken ones.

    Raises
    ------
    bridgebnn.tb.simulators.SimulationError
    """
    built = simulation(sim, GEOMETRY, TIMING, verilog or generated(GEOMETRY, TIMING))
    job = CampaignJob(sim=sim, faults=tuple(faults))
    result = perform(job, built, timeout_s=timeout_s, silence_s=300.0)
    return [record | {"sim": sim} for record in CampaignChunk.from_dict(result).records]


def _chunk(faults: Sequence[str], sim: Sim, verilog: Path) -> list[Record]:
    """`run_faults`; a simulator that ended without a word (killed from outside) gets a second chance."""
    try:
        return run_faults(faults, sim, verilog=verilog)
    except SimulationError as error:
        if error.kind != "Crash":
            raise
    return run_faults(faults, sim, verilog=verilog)


def run_campaign(
    total: int,
    seed: int,
    *,
    jobs: int = 2,
    icarus: float = 0.02,
    show: Callable[[Record], None] | None = None,
) -> dict[str, Any]:
    """The whole campaign.

    Parameters
    ----------
    total : int
        Faults, at least one a class.
    seed : int
    jobs : int
        Simulator processes at a time.
    icarus : float, 0..1
        Share of the faults that goes to Icarus; the others go to Verilator.
    show : callable, optional
        Gets progress records.

    Returns
    -------
    dict
        ``seed, total, seconds`` and ``records`` in the order of the labels.
    """
    start = time.monotonic()
    every = labels(total, seed)
    stride = round(1 / icarus) if icarus else 0
    groups: dict[Sim, list[str]] = {"icarus": [], "verilator": []}
    for number, label in enumerate(every):
        groups["icarus" if stride and number % stride == stride - 1 else "verilator"].append(label)
    verilog = generated(GEOMETRY, TIMING)
    chunks = []
    for sim, members in groups.items():
        if members:
            build(simulation(sim, GEOMETRY, TIMING, verilog))
            chunks += [(members[i : i + CHUNK[sim]], sim) for i in range(0, len(members), CHUNK[sim])]
    found: dict[str, Record] = {}
    with workers(jobs) as pool:
        waiting = [pool.submit(_chunk, members, sim, verilog) for members, sim in chunks]
        for done in as_completed(waiting):
            found |= {record["label"]: record for record in done.result()}
            if show is not None:
                show({"stage": "faults", "done": len(found), "total": total})
    return {
        "seed": seed,
        "total": total,
        "seconds": round(time.monotonic() - start, 1),
        "records": [found[label] for label in every],
    }
