"""Amaranth source of the bridgebnn controller, and the specification that model and testbenches share.

Public: `Geometry`, `Timing`, `generate`, `read_description`. Importing this package imports neither Amaranth nor
numpy; `generate` does when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.described import read_description

if TYPE_CHECKING:
    from bridgebnn.hdl.output.verilog import generate

__all__ = ["Geometry", "Timing", "generate", "read_description"]


def __getattr__(name: str) -> Any:
    if name == "generate":
        from bridgebnn.hdl.output.verilog import generate

        return generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
