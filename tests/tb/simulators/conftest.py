"""The smallest design there is, as a simulation for each simulator."""

from pathlib import Path

import pytest

from bridgebnn.tb.simulators import SIMULATORS, Simulation

HERE = Path(__file__).parent
QUICK_BUILD = {"MAKEFLAGS": "-- OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"}
"""For builds of a user's own flow, which take Verilator's runtime along: compile without optimizing."""
EACH = [pytest.param(sim, marks=getattr(pytest.mark, sim)) for sim in SIMULATORS]


@pytest.fixture(params=EACH)
def counter(request) -> Simulation:
    """``counter.v`` for one simulator."""
    return Simulation(
        sim=request.param, top="counter", sources=[HERE / "counter.v"], written=["clk"], read=["count"]
    )
