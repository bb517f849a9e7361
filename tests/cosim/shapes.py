"""One more small chip for the co-simulation tests: three tiles, rows of two words, spares; one build per simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.runs.jobs import ControllerJob
from bridgebnn.tb.runs.runner import check_controller
from bridgebnn.tb.simulators import SIMULATORS

DEEP = Geometry(
    tiles=3,
    rows=84,
    inputs=34,
    bias=2,
    thresholds=84,
    layers=3,
    scores=34,
    count_width=8,
    log_depth=4,
    spare_columns=2,
    spare_rows=3,
)
EACH_SIMULATOR = [pytest.param(sim, marks=getattr(pytest.mark, sim)) for sim in SIMULATORS]


def bench(sim: str, subject: str, verilog: Path | None = None, geometry: Geometry = DEEP) -> dict[str, int]:
    """Run the testbench ``bridgebnn.tb.testbenches.<subject>``: what it compared, how often."""
    return check_controller(ControllerJob(sim=sim, geometry=geometry, seed=5), subject, verilog).compared
