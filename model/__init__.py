"""Behavioural and golden models of bridges, neurons and networks (numpy).

Public: `Network`, `MacroParams`, `Array`. They are loaded when first asked for, so that `golden` can be used
with numpy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridgebnn.model.macro.array import Array
    from bridgebnn.model.networks.network import Network
    from bridgebnn.model.parameters.params import MacroParams

__all__ = ["Array", "MacroParams", "Network"]

_HOMES = {"Array": "macro.array", "MacroParams": "parameters.params", "Network": "networks.network"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
