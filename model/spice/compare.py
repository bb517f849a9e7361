"""What a comparison between the macro model and SPICE is given, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .run import Tools
from .sizes import DEFAULT_SIZES, CircuitSizes

__all__ = ["Comparison", "Context", "Report"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every comparison is given.

    Members
    -------
    tools : Tools
        Simulator and device models.
    sizes : CircuitSizes
        Of the circuits; the models' parameters are those of these sizes.
    seed : int
        Of all draws (patterns, capacitors, devices, mismatch), 0 or more.
    quick : bool
        Fewer points: under a minute in all.
    processes : int
        ngspice processes at a time, 1 or more.
    """

    tools: Tools
    sizes: CircuitSizes = DEFAULT_SIZES
    seed: int = 1
    quick: bool = False
    processes: int = 2

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"Context.seed={self.seed} must be 0 or more")
        if self.processes < 1:
            raise ValueError(f"Context.processes={self.processes} must be 1 or more")

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the generator of one purpose; equal for equal (seed, purpose)."""
        return np.random.default_rng([self.seed, *purpose.encode()])


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table: a measured disagreement and the most that is allowed."""

    key: str  #: letter of docs/spice.md and a short name, such as "a.source_line"
    what: str
    measured: float
    bound: float
    unit: str
    points: int  #: how many values were compared; 0 fails
    note: str = ""

    @property
    def passed(self) -> bool:
        """True when points were compared and the measured figure is finite and within the bound."""
        return self.points > 0 and bool(np.isfinite(self.measured)) and self.measured <= self.bound


@dataclass(kw_only=True)
class Report:
    """What one step hands back."""

    comparisons: list[Comparison]
    figures: dict[str, float] = field(default_factory=dict)  #: extracted numbers; names end in their unit
    curves: dict[str, NDArray[np.float64]] = field(default_factory=dict)  #: for the plots

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the curves, ready for JSON."""
        rows = [
            {
                name: getattr(c, name)
                for name in ("key", "what", "measured", "bound", "unit", "points", "note")
            }
            | {"passed": c.passed}
            for c in self.comparisons
        ]
        return {"comparisons": rows, "figures": dict(self.figures)}
