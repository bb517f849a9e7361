"""cocotb agents, scoreboards and testbenches that join the RTL with the macro model.

Public: `run_layers`, `Env`, `MacroAgent`. They are loaded when first asked for: `Env` needs a running
simulator, `run_layers` starts one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridgebnn.tb.agents.array_agent import MacroAgent
    from bridgebnn.tb.env import Env
    from bridgebnn.tb.runs.layers import run_layers

__all__ = ["Env", "MacroAgent", "run_layers"]

_HOMES = {"Env": "env", "MacroAgent": "agents.array_agent", "run_layers": "runs.layers"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
