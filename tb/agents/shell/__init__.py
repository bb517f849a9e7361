"""Names and parameters of the pins and of the simulation shell; imports no cocotb."""

from __future__ import annotations

from pathlib import Path

from bridgebnn.hdl.spec import Geometry

__all__ = [
    "BUS_READ",
    "BUS_WRITTEN",
    "MACRO_OUTPUTS",
    "READ",
    "SOURCE",
    "TOP",
    "WRITTEN",
    "shell_parameters",
]

SOURCE = Path(__file__).with_name("bridgebnn_shell.v")
TOP = "bridgebnn_shell"

BUS_WRITTEN = ("clk", "rst", *(f"wb_{name}" for name in ("cyc", "stb", "we", "adr", "dat_w", "sel")))
BUS_READ = ("wb_dat_r", "wb_ack", "wb_err", "irq")
MACRO_OUTPUTS = (
    *("row", "wl_en", "bl", "col_en", "precharge", "evaluate", "sense", "ref", "hv_en"),
    *("prog_op", "prog_side", "wl_level", "prog_level", "pulse", "verify", "verify_ref"),
)
"""The controller's outputs to the macro."""

WRITTEN = (
    *(
        "py_hv_ready",
        "py_sl",
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
        "AW": max(1, (geometry.rows - 1).bit_length()),
        "FW": geometry.ref_width,
        "TIED": int(tied),
    }
