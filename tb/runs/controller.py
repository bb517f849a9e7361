"""The controller that a run simulates: its Verilog from the cache, and what is built around it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from bridgebnn.cache import cached
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.pins import MACRO_INPUTS, MACRO_OUTPUTS
from bridgebnn.paths import PACKAGE, build_root
from bridgebnn.tb.agents import shell
from bridgebnn.tb.simulators import Simulation

__all__ = ["CONTROLLER", "generated", "simulation"]

CONTROLLER = "bridgebnn"


def generated(geometry: Geometry, timing: Timing | None = None) -> Path:
    """The controller's Verilog, from the cache where sources and parameters are the same."""
    timing = timing or Timing()
    h = hashlib.sha256(json.dumps([geometry.as_dict(), dataclasses.asdict(timing)]).encode())
    for source in sorted((PACKAGE / "hdl").resolve().rglob("*")):
        if source.suffix in (".py", ".rdl"):
            h.update(source.read_bytes())

    def make(folder: Path) -> None:
        from bridgebnn.hdl.output.verilog import generate  # Amaranth and Yosys are slow to load

        generate(folder, geometry, timing)

    folder = build_root() / "generated" / f"{CONTROLLER}-{h.hexdigest()[:16]}"
    cached(folder, make)
    return folder / f"{CONTROLLER}.v"


def simulation(
    sim: str, attach: str, geometry: Geometry, verilog: Path, *, comparisons: int = 1, tied: int = 0
) -> Simulation:
    """What is built for one attachment.

    Parameters
    ----------
    comparisons : int
        Most comparisons of a row and vector (1 without SEARCH).
    tied : int
        With ``none``: the controller in the shell, and the comparator tied off there.
    """
    if attach == "prefetch" or tied:
        return Simulation(
            sim=sim,
            top=shell.TOP,
            sources=[shell.SOURCE, verilog],
            parameters=shell.shell_parameters(geometry, comparisons, tied),
            written=[*shell.BUS_WRITTEN, *shell.WRITTEN],
            read=[*shell.BUS_READ, *shell.READ],
        )
    return Simulation(
        sim=sim,
        top=CONTROLLER,
        sources=[verilog],
        written=[*shell.BUS_WRITTEN, *MACRO_INPUTS],
        read=[*shell.BUS_READ, *MACRO_OUTPUTS],
    )
