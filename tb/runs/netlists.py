"""The controller as a netlist of standard cells, from the cache, with models of its cells for a simulator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bridgebnn import synthesis, yosys
from bridgebnn.cache import cached
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.paths import build_root
from bridgebnn.processes import captured
from bridgebnn.tb.simulators import SimulationError

from .controller import CONTROLLER, generated

__all__ = ["Netlist", "netlist"]


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A synthesised controller.

    Parameters
    ----------
    verilog : dict of str to Path
        By simulator: netlist and models of the cells in one file. Icarus Verilog gets the vendor's models, which start
        at X; Verilator, which takes no state tables, the functions of the Liberty file.
    area_mm2 : float
    cells : dict of str to int
        By kind.
    """

    verilog: dict[str, Path]
    area_mm2: float
    cells: dict[str, int]


def netlist(geometry: Geometry, timing: Timing | None = None, *, quick: bool = False) -> Netlist:
    """The controller synthesised to OSU 0.18, flat, memories as flip-flops.

    Parameters
    ----------
    geometry : Geometry
    timing : Timing, optional
    quick : bool
        Mapped without optimising.

    Raises
    ------
    bridgebnn.tb.simulators.SimulationError
        ``Missing``: the cells are not installed. ``Build``: Yosys failed.
    """
    if not synthesis.OSU018.is_file():
        raise SimulationError(
            "Missing",
            f"{synthesis.OSU018} not found: apt-get install qflow-tech-osu018 (make kit-check does)",
        )
    source = generated(geometry, timing)
    h = hashlib.sha256(str(quick).encode())
    for file in (source, synthesis.OSU018, synthesis.CELL_MODELS, Path(synthesis.__file__)):
        h.update(file.read_bytes())
    folder = build_root() / "netlists" / f"{CONTROLLER}-{h.hexdigest()[:16]}"
    cached(folder, lambda part: _make(source, part, quick))
    found = json.loads((folder / "found.json").read_text())
    return Netlist(
        verilog={sim: folder / f"{sim}.v" for sim in ("icarus", "verilator")},
        area_mm2=found["area_mm2"],
        cells=found["cells"],
    )


def _make(source: Path, folder: Path, quick: bool) -> None:
    bare, models = folder / "netlist.v", folder / "models.v"
    passes = synthesis.synthesis_passes(
        [str(source)], CONTROLLER, bare, folder / "drivers.constr", quick=quick
    )
    printed = _yosys(passes, folder)
    _yosys(synthesis.model_passes(models), folder)
    for sim, cells in (("icarus", synthesis.CELL_MODELS), ("verilator", models)):
        (folder / f"{sim}.v").write_text(bare.read_text() + cells.read_text())
    found = {"area_mm2": synthesis.area_mm2(printed), "cells": synthesis.cells_of(printed)}
    (folder / "found.json").write_text(json.dumps(found))
    bare.unlink()


def _yosys(passes: list[str], folder: Path) -> str:
    status, printed = captured(yosys.command(passes), cwd=folder)
    if status:
        lines = [line for line in printed.splitlines() if line.startswith("ERROR")]
        raise SimulationError("Build", f"Yosys: {lines[0] if lines else f'ended with {status}'}")
    return printed
