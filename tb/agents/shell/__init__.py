"""Names and parameters of the pins and of the simulation shell; imports no cocotb."""

from __future__ import annotations

from pathlib import Path

from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import BUS_PORTS, CLOCK_PORTS, MACRO_OUTPUTS, Flow

__all__ = [
    "BUS_READ",
    "BUS_WRITTEN",
    "READ",
    "SOURCE",
    "TOP",
    "WRITTEN",
    "shell_parameters",
]

SOURCE = Path(__file__).with_name("bridgebnn_shell.v")
TOP = "bridgebnn_shell"

BUS_WRITTEN = tuple(port.name for port in (*CLOCK_PORTS, *BUS_PORTS) if port.flow is Flow.IN)
BUS_READ = tuple(port.name for port in BUS_PORTS if port.flow is Flow.OUT)

WRITTEN = (
    *(
        "py_hv_ready",
        "py_sl",
        "py_passed",
        "verified",
        "answers",
        "answers_for",
        "py_stale",
        "decisions",
        "plane1",
        "plane0",
        "known",
        "live",
        "digital",
        "marked",
    ),
    *("resolve_cyc", "answered", "seed"),
)
"""Variables of the shell that Python writes."""
READ = (
    "request",
    "verify_request",
    "ahead_reads",
    "ahead_columns",
    "told",
    "told_en",
    "rose_ps",
    "ask",
    "used",
    "layer_count",
    "row_reads",
    "fault",
    "sl",
    "cmp",
    "cmp_valid",
    *MACRO_OUTPUTS,
)
"""Variables of the shell that Python reads."""


def shell_parameters(geometry: Geometry, comparisons: int = 1, tied: int = 0) -> dict[str, int]:
    """Parameters of the shell.

    Parameters
    ----------
    comparisons : int
        Most comparisons of one row and vector: 1 without SEARCH.
    tied : bool
        Comparator tied off, nothing is asked.
    """
    return {
        "T": geometry.tiles,
        "R": geometry.rows,
        "C": geometry.columns,
        "K": comparisons,
        "AW": geometry.row_width,
        "FW": geometry.ref_width,
        "TIED": int(tied),
    }
