"""A job on its way into the simulator's process: written once by the one side, read once by the other.

`send` gives what the far end gets as JSON; arrays, networks and the finished mapping go as files beside it, so
that the testbench neither loads a network twice nor maps it again.
"""

from __future__ import annotations

from collections.abc import Mapping as Values
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bridgebnn.conversion import plain
from bridgebnn.model.flows.work import load_work, save_work
from bridgebnn.model.mapping.mapping_file import load_mapping, save_mapping
from bridgebnn.model.networks.network import Network
from bridgebnn.names import check_names
from bridgebnn.records import fields

from .jobs import InferJob, Job, ProgramJob

__all__ = ["receive", "send"]

Kind = TypeVar("Kind", bound=Job)

NETWORK, EFFECTIVE, MAPPING, IMAGES, WORK = (
    "network.npz",
    "effective.npz",
    "mapping.npz",
    "images.npy",
    "work.npz",
)
FOLDER = "folder"
"""Key of what is sent: where the files are."""


def send(job: Job, folder: Path) -> dict[str, Any]:
    """Write the files of a job into ``folder``; the job as JSON, with the folder in it."""
    values = {name: job[name] for name in job if name not in job.OPAQUE}
    if isinstance(job, InferJob):
        # read once and thrown away: not worth the time of compressing it
        job.network.save(folder / NETWORK, compressed=False)
        if job.mapping.network is not job.network:
            job.mapping.network.save(folder / EFFECTIVE, compressed=False)
        save_mapping(job.mapping, folder / MAPPING)
        np.save(folder / IMAGES, job.images)
        # The simulator runs in another folder.
        values |= {name: job[name] and job[name].absolute() for name in ("waves", "verilog")}
    if isinstance(job, ProgramJob):
        save_work(job.work, folder / WORK)
    return plain(values) | {FOLDER: str(folder)}


def receive(kind: type[Kind], sent: Values[str, Any]) -> Kind:
    """The job that `send` was given, checked again; an `InferJob` has its mapping already."""
    check_names(kind.__name__, sent, [*fields(kind), FOLDER])
    if FOLDER not in sent:
        raise ValueError(
            f"{kind.__name__} without {FOLDER!r}: must come from bridgebnn.tb.runs.exchange.send"
        )
    folder = Path(sent[FOLDER])
    values = {name: value for name, value in sent.items() if name != FOLDER}
    if issubclass(kind, InferJob):
        network = Network.load(folder / NETWORK)
        job = kind(network=network, images=np.load(folder / IMAGES), **values)
        effective = Network.load(folder / EFFECTIVE) if (folder / EFFECTIVE).exists() else network
        job.__dict__["mapping"] = load_mapping(folder / MAPPING, effective)
        return job
    if issubclass(kind, ProgramJob):
        values["work"] = load_work(folder / WORK)
    return kind(**values)
