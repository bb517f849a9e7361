"""The smallest design there is, as a simulation for each simulator."""

from pathlib import Path

import pytest

from bridgebnn.tb.simulators import SIMULATORS, Simulation

HERE = Path(__file__).parent
EACH = [pytest.param(sim, marks=getattr(pytest.mark, sim)) for sim in SIMULATORS]


@pytest.fixture(params=EACH)
def counter(request) -> Simulation:
    """``counter.v`` for one simulator."""
    return Simulation(
        sim=request.param, top="counter", sources=[HERE / "counter.v"], written=["clk"], read=["count"]
    )
