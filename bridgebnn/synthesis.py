"""Synthesis to standard cells: Yosys passes from Verilog to a netlist of OSU 0.18, flat, and the models of its cells.

The cells are those of Debian's qflow-tech-osu018: a Liberty file, which synthesis and timing read, and Verilog models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["CELL_MODELS", "OSU018", "area_mm2", "cells_of", "flip_flops", "model_passes", "synthesis_passes"]

OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""Standard cells of Debian's qflow-tech-osu018."""

CELL_MODELS = OSU018.with_suffix(".v")
"""Their Verilog models, with primitives of state tables: for Icarus Verilog, not for Verilator."""

CONSTRAINT = "set_driving_cell INVX4\nset_load 0.05 [all_outputs]\n"
"""What drives the inputs of a block, and what its outputs drive, pF [ours]."""

DELAY_PS = 10_000
"""What logic between two registers is optimised for [ours]."""


def synthesis_passes(
    sources: Sequence[str], top: str, netlist: Path, constraint: Path, *, quick: bool = False
) -> list[str]:
    """Passes of Yosys that synthesise ``top`` from Verilog files; `area_mm2` and `cells_of` read what they print.

    Initial values are left behind, as in silicon: what is not reset starts unknown.

    Parameters
    ----------
    sources : sequence of str
        Verilog files, as Yosys finds them.
    top : str
    netlist : Path
        File to write, Verilog 2005 of cells alone.
    constraint : Path
        File that is written now, for ABC.
    quick : bool
        Map to cells without optimising: a larger and slower netlist, for tests.
    """
    constraint.write_text(CONSTRAINT)
    return [
        f"read_verilog {' '.join(sources)}",
        f"hierarchy -check -top {top}",
        "proc",
        "attrmap -remove init",
        "delete t:$meminit t:$meminit_v2",
        f"synth -flatten -noabc -top {top}",
        f"dfflibmap -liberty {OSU018}",
        f"abc -liberty {OSU018} -script +strash;map"
        if quick
        else f'abc -liberty {OSU018} -constr "{constraint}" -D {DELAY_PS}',
        "opt_clean -purge",
        f"stat -liberty {OSU018}",
        "splitnets",
        f'write_verilog -noattr -noexpr -simple-lhs "{netlist}"',
    ]


def model_passes(models: Path) -> list[str]:
    """Passes of Yosys that write models of the cells from their Liberty functions, plain Verilog for any simulator."""
    return [f"read_liberty -ignore_miss_func {OSU018}", f'write_verilog -noattr "{models}"']


def area_mm2(printed: str) -> float:
    """Area of the cells, from what `synthesis_passes` printed; black boxes count nothing."""
    return float(re.findall(r"Chip area for (?:top )?module '\\\w+': ([\d.]+)", printed)[-1]) * 1e-6


def cells_of(printed: str) -> dict[str, int]:
    """Cells by their kind, from what `synthesis_passes` printed."""
    table = printed.rpartition("Printing statistics")[2]
    return {
        kind: int(n)
        for n, kind in re.findall(r"^\s+(\d+)\s+[\d.e+]+\s+([A-Z][A-Z0-9]+)$", table, re.MULTILINE)
    }


def flip_flops(cells: dict[str, int]) -> int:
    """How many of ``cells_of`` are flip-flops."""
    return sum(count for kind, count in cells.items() if kind.startswith("DFF"))
