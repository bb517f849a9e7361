"""A stand-in for the simulator: takes what a run sends, gives what a testbench would, simulates nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.tb.runs import runner
from bridgebnn.tb.runs.exchange import receive
from bridgebnn.tb.runs.jobs import InferJob

GEOMETRY = Geometry(tiles=2, rows=8, inputs=6, bias=2)
RESULT = {
    "sim": "icarus", "attach": "prefetch", "macro": "ideal", "ideal": True, "chip": 1, "seed": 1, "images": 2,
    "compared": 6,
    "classes": [0, 1], "scores": [[3, 1], [-1, 1]], "golden_mismatches": 0, "model_mismatches": 0,
    "programming": {
        "how": "bus", "pulses": 5, "verify_reads": 4, "failures": 0, "failed_rows": 0, "cycles": 100, "wall_s": 0.1,
    },
    "cycles_per_image": 10.0, "row_reads": 4, "read_cycles": 12, "cycles": 30, "cycles_per_s": 1.0,
    "row_reads_per_s": 1.0, "wall_s": 0.5, "cpu_s": 0.4, "build_s": 0.0, "log": "run.log",
}  # fmt: skip


def network(n_in: int = 6, n_hidden: int = 3) -> Network:
    """Two layers: signs, then two scores."""
    rng = np.random.default_rng(1)
    layers = []
    for n_out, inputs, output in ((n_hidden, n_in, "sign"), (2, n_hidden, "score")):
        fields = {"weights": rng.choice([-1, 1], (n_out, inputs)), "thresholds": np.zeros((1, n_out), int)}
        fields |= {"polarity": np.ones((1, n_out), int), "group_sizes": [inputs], "combine": Combine.ADD}
        layers.append(Dense(**fields, output=output))
    return Network(name="small", operations=tuple(layers))


def job(**fields: Any) -> InferJob:
    """A job of it on two vectors."""
    given = {"network": network(), "geometry": GEOMETRY, "images": np.array([[0, 1, 1, 0, 1, 0], [1] * 6])}
    return InferJob(**(given | fields))


class Simulator:
    """What `bridgebnn.tb.simulators.run` was called with, and what it gives.

    Attributes
    ----------
    calls : list of dict
    result : dict
    received : list
        The jobs, as the far end reads them, of ``kind``.
    """

    def __init__(self, result: dict[str, Any], kind: type[Any]):
        self.result, self.kind = result, kind
        self.calls: list[dict[str, Any]] = []
        self.received: list[Any] = []

    def __call__(self, built: Any, module: str, sent: dict[str, Any], **options: Any) -> dict[str, Any]:
        self.calls.append(
            {"built": built, "module": module, "sent": sent, "folder": Path(sent["folder"])} | options
        )
        self.received.append(receive(self.kind, sent))
        return self.result


def stand_in(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, Any] | None = None, kind: type[Any] = InferJob
) -> Simulator:
    """Put a stand-in where runs find the simulator; nothing is generated either."""
    simulator = Simulator(RESULT if result is None else result, kind)
    monkeypatch.setattr(runner, "run", simulator)
    monkeypatch.setattr(runner, "generated", lambda geometry, timing=None: Path("bridgebnn.v"))
    return simulator
