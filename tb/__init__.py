"""cocotb agents, scoreboards and testbenches that join the RTL with the macro model.

Public: `run_layers`; `infer` with `InferJob` and `RunReport`; for testbenches of your own `Env`, `Registers`,
`BusError`, `MacroAgent`. They are loaded when first asked for: the last ones need a running simulator, the others
start one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridgebnn.tb.agents.array_agent import MacroAgent
    from bridgebnn.tb.bus.registers import BusError, Registers
    from bridgebnn.tb.env import Env
    from bridgebnn.tb.runs.jobs import InferJob
    from bridgebnn.tb.runs.layers import run_layers
    from bridgebnn.tb.runs.reports import RunReport
    from bridgebnn.tb.runs.runner import infer

__all__ = ["BusError", "Env", "InferJob", "MacroAgent", "Registers", "RunReport", "infer", "run_layers"]

_HOMES = {
    "BusError": "bus.registers",
    "Env": "env",
    "InferJob": "runs.jobs",
    "MacroAgent": "agents.array_agent",
    "Registers": "bus.registers",
    "RunReport": "runs.reports",
    "infer": "runs.runner",
    "run_layers": "runs.layers",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
