"""The former home of what `bridgebnn.tb.simulators` holds."""

from . import SIMULATORS, Simulation, SimulationError, build, run

__all__ = ["SIMULATORS", "Simulation", "SimulationError", "build", "run"]
