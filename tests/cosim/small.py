"""One small chip of two tiles for the co-simulation tests: one build a simulator and attachment."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.runner import infer

GEOMETRY = Geometry(
    tiles=2, rows=24, inputs=23, bias=2, thresholds=64, layers=4, scores=16, count_width=8, log_depth=8
)
COMPARISONS = 5  # room for SEARCH over 25 columns, whatever the test reads: one build for all
SIMS = ("icarus", "verilator")
ATTACHMENTS = ("strobe", "prefetch")


def network(seed: int = 0, sizes: tuple[int, ...] = (40, 9, 7, 5), limit: int = 5) -> Network:
    """A network of random weights, thresholds and polarities; layers over 23 inputs split over both tiles."""
    rng = np.random.default_rng(seed)
    layers = []
    for index, (n_in, n_out) in enumerate(pairwise(sizes)):
        last = index == len(sizes) - 2
        layers.append(
            Dense(
                weights=rng.choice([-1, 1], (n_out, n_in)),
                thresholds=rng.integers(-limit, limit + 1, (1, n_out))
                if not last
                else np.zeros((1, n_out), int),
                polarity=rng.choice([-1, 1], (1, n_out)) if not last else np.ones((1, n_out), int),
                group_sizes=np.array([n_in]),
                combine=Combine.ADD,
                output="score" if last else "sign",
            )
        )
    return Network(name="small", operations=tuple(layers))


def vectors(count: int, inputs: int = 40, seed: int = 1) -> np.ndarray:
    """Random input vectors."""
    return np.random.default_rng(seed).integers(0, 2, (count, inputs), dtype=np.uint8)


def job(sim: str, attach: str, count: int = 4, **fields: Any) -> InferJob:
    """A job of the small network, preloaded unless it is told otherwise."""
    given: dict[str, Any] = {"geometry": GEOMETRY, "program": "preload", "comparisons": COMPARISONS} | fields
    given.setdefault("network", network())
    given.setdefault("images", vectors(count, given["network"].n_in))
    return InferJob(sim=sim, attach=attach, **given)


def run(sim: str, attach: str, count: int = 4, **fields: Any) -> RunReport:
    """`bridgebnn.tb.runs.runner.infer` of it."""
    return infer(job(sim, attach, count, **fields), timeout_s=300.0)


__all__ = [
    "ATTACHMENTS",
    "COMPARISONS",
    "GEOMETRY",
    "SIMS",
    "ReadMode",
    "job",
    "network",
    "run",
    "vectors",
]
