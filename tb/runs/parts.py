"""A run in several processes: its images split, the parts' reports merged into the report of one run.

Each part programs, or preloads, the chip for itself: draws are keyed, so all have the same chip. The reads of its
rows are numbered on from the images before the part (`InferJob.before`), so the noise is that of one process, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

from bridgebnn.model.macro.events import EnergyParts, EnergyReport, Events
from bridgebnn.progress import Show
from bridgebnn.tb.simulators import SimulationError

from .jobs import InferJob
from .reports import AgentCounts, Part, RunReport, chip_differences

__all__ = ["JOBS", "Together", "merge", "split"]

JOBS = 64
"""The most processes of one run."""

# How a field of the merged report comes from those of the parts.
SAME = (
    *("schema_version", "sim", "preset", "network", "data", "binarize", "attach", "macro", "ideal"),
    *("host_layers", "chip", "seed", "waves", "programming", "model_programming", "trimmed"),
)
SUMS = (
    *("images", "compared", "golden_mismatches", "model_mismatches", "golden_images", "model_images"),
    *("busy_cycles", "row_reads", "read_cycles", "cycles", "cpu_s"),
    *("energy_waits_cyc", "bus_polls"),
)
JOINED = ("classes", "scores", "golden_scores")
FIRST = ("golden_first", "model_first", "log")
EVERY = ("state_equal", "state_equal_after", "read_numbers_equal", "trim_equal", "energy_equal")
SHARES = ("accuracy", "golden_accuracy")
LONGEST = ("wall_s", "build_s")
DERIVED = (
    "ok",
    "agent",
    "transistors",
    "energy",
    "cycles_per_image",
    "cycles_per_s",
    "row_reads_per_s",
    "parts",
)
WHOLE = ("labels", "wrong", "versions", "command")
"""Known of the whole run alone, when all has been merged."""


def split(job: InferJob, jobs: int) -> list[InferJob]:
    """The job in at most ``jobs`` parts of consecutive images, as equal as they can be.

    Parameters
    ----------
    job : InferJob
    jobs : int, 1..64
        There is no part without an image.

    Raises
    ------
    ValueError
        A number of jobs that is not legal, or waveforms or transistors of several processes.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= JOBS:
        raise ValueError(f"jobs = {jobs!r}: must be an integer from 1 to {JOBS}")
    count = len(job.images)
    jobs = min(jobs, count)
    if jobs > 1 and job.waves is not None:
        raise ValueError(f"waves with jobs = {jobs}: must be 1, a file of waveforms shows one process")
    if jobs > 1 and job.macro.transistors:
        raise ValueError(
            f"macro spice with jobs = {jobs}: must be 1, each process would ask ngspice the same"
        )
    parts = []
    for start, end in pairwise(count * k // jobs for k in range(jobs + 1)):
        labels = None if job.labels is None else job.labels[start:end]
        part = job.replace(images=job.images[start:end], labels=labels, before=job.before + start)
        part.__dict__["mapping"] = job.mapping  # made once
        parts.append(part)
    return parts


def merge(parts: Sequence[InferJob], reports: Sequence[RunReport]) -> RunReport:
    """The report of the whole run.

    All is as in one process but the times, and ``cycles``, ``busy_cycles`` and what follows from them: each process
    loads its first vector, and reads its last result, while nothing else goes on; its tiles begin at rest, so that the
    lines of its first reads cost a little more (``energy``).

    Parameters
    ----------
    parts : sequence of InferJob
        As from `split`.
    reports : sequence of RunReport
        One per part, in order.

    Raises
    ------
    SimulationError
        ``PartsDiffer``: what must be the same in all is not.
    """
    first = reports[0]
    values: dict[str, Any] = {name: first[name] for name in (*SAME, *FIRST)}
    for part, report in zip(parts, reports, strict=True):
        for name in SAME:
            if _comparable(report, name) != _comparable(first, name):
                raise SimulationError(
                    "PartsDiffer",
                    f"{name} of the images from {part.before} on is {_comparable(report, name)}, of those from "
                    f"{parts[0].before} on {_comparable(first, name)}",
                )
    values |= {name: _folded(reports, name, sum) for name in SUMS}
    values |= {name: _folded(reports, name, lambda lists: list(chain(*lists))) for name in JOINED}
    values |= {name: next((r[name] for r in reports if r[name]), first[name]) for name in FIRST}
    values |= {name: _folded(reports, name, all) for name in EVERY}
    values |= {name: _folded(reports, name, max) for name in LONGEST}
    values["cpu_s"] = round(values["cpu_s"], 3)
    images, wall_s = values["images"], values["wall_s"]
    for name in SHARES:  # each is a whole number of images over all of them
        if all(r[name] is not None for r in reports):
            values[name] = sum(round(r[name] * r.images) for r in reports) / images
    wrong = [chip_differences(r) for r in reports]
    if any(wrong):  # the chip counts once, not once in every process
        values["model_mismatches"] -= sum(map(len, wrong)) - len(set().union(*wrong))
    if first.agent is not None:
        later = sum(r.agent.inferring for r in reports[1:] if r.agent)
        values["agent"] = AgentCounts(
            pulses=first.agent.pulses,
            verifies=first.agent.verifies,
            row_reads=first.agent.row_reads + later,
            inferring=first.agent.inferring + later,
        )
    values["programming"] = first.programming.replace(
        wall_s=max(r.programming.wall_s for r in reports),
        cpu_s=round(sum(r.programming.cpu_s for r in reports), 3),
    )
    return RunReport(
        **values,
        energy=_folded(reports, "energy", _added),
        cycles_per_image=round(values["busy_cycles"] / images, 2),
        cycles_per_s=round(values["cycles"] / wall_s, 1),
        row_reads_per_s=round(values["row_reads"] / wall_s, 1),
        parts=[
            Part(
                before=part.before,
                images=report.images,
                cycles=report.cycles,
                wall_s=report.wall_s,
                cpu_s=report.cpu_s,
                log=report.log,
            )
            for part, report in zip(parts, reports, strict=True)
        ],
    )


def _added(reports: Sequence[EnergyReport]) -> EnergyReport:
    """What all inferences cost together."""
    events, total_J = Events(), dict.fromkeys(EnergyParts.__struct_fields__, 0.0)
    for report in reports:
        events = events.plus(report.events)
        for name in total_J:
            total_J[name] += report.parts[name] * report.inferences
    return EnergyReport.of(events, EnergyParts(**total_J), sum(report.inferences for report in reports))


def _comparable(report: RunReport, name: str) -> Any:
    return report.programming.replace(wall_s=0.0, cpu_s=0.0) if name == "programming" else report[name]


def _folded(reports: Sequence[RunReport], name: str, fold: Callable[[Any], Any]) -> Any:
    """Of all reports, or None where one has none."""
    values = [report[name] for report in reports]
    return None if any(value is None for value in values) else fold(values)


class Together:
    """Progress of several processes as one.

    Parameters
    ----------
    show : callable
        Takes the records of all.
    parts : sequence of InferJob
    """

    def __init__(self, show: Show, parts: Sequence[InferJob]):
        self._show, self._count = show, len(parts)
        self._images = sum(len(part.images) for part in parts)
        self._guard = threading.Lock()
        self._done: dict[str, dict[int, tuple[int, int]]] = {}

    def of(self, number: int) -> Show:
        """Takes the records of one part."""

        def show(record: dict[str, Any]) -> None:
            with self._guard:
                stage = self._done.setdefault(record["stage"], {})
                stage[number] = record["done"], record["total"]
                done, totals = (sum(values) for values in zip(*stage.values(), strict=True))
                total = self._images if record["stage"] == "infer" else totals * self._count // len(stage)
                self._show({"stage": record["stage"], "done": done, "total": total})

        return show
