"""What is built and run, and the one error that building and running end in."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["SIMULATORS", "TIMESCALE", "Simulation", "SimulationError"]

SIMULATORS = ("icarus", "verilator")
TIMESCALE = "1ns/1ps"


class SimulationError(RuntimeError):
    """A run that did not end well; the message is one line.

    Attributes
    ----------
    kind : str
        Name of the exception inside the testbench (``ProtocolError``, ``BusError``, ``Mismatch``, ...), or
        ``Build``, ``Missing``, ``Timeout``, ``Crash``.
    log : pathlib.Path or None
        Where the simulator's whole output is.
    """

    def __init__(self, kind: str, message: str, log: Path | None = None):
        self.kind = kind
        self.message = message
        self.log = log
        where = f" (log: {_short(log)})" if log is not None else ""
        super().__init__(f"{kind}: {message}{where}")


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What is built: sources and options, of which a hash names the folder.

    Parameters
    ----------
    sim : str
        ``icarus`` or ``verilator``.
    top : str
        Top-level module.
    sources : sequence of Path
        Verilog files.
    parameters : mapping
        Parameters of the top-level module.
    defines : sequence of str
        Macros, ``NAME`` or ``NAME=value``.
    written, read : sequence of str
        Variables of the top-level module that the testbench drives, and that it only looks at. Verilator
        hides all others, and is faster for it.
    """

    sim: str
    top: str
    sources: Sequence[Path]
    parameters: Mapping[str, int] = field(default_factory=dict)
    defines: Sequence[str] = ()
    written: Sequence[str] = ()
    read: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.sim not in SIMULATORS:
            raise ValueError(f"unknown simulator {self.sim!r}: known are {', '.join(SIMULATORS)}")


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)
