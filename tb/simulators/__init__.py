"""Building and running the simulators: the same call for Icarus Verilog and for Verilator."""

from .building import build
from .running import run
from .simulation import SIMULATORS, Simulation, SimulationError

__all__ = ["SIMULATORS", "Simulation", "SimulationError", "build", "run"]
