"""What the host learns of a chip by programming it: the failure log, row by row.

Plain facts in the controller's words; who programs (the RTL, or ``model.flows.programming``) fills them in, and
``spares.py`` and ``model.flows.repair`` draw their conclusions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide

__all__ = ["Cell", "Failure", "ProgramLog"]

Cell = tuple[int, int, int]
"""(tile, row, column)."""


class Failure(NamedTuple):
    """One entry of the failure log: a device that did not reach what ``op`` should have brought."""

    tile: int
    row: int
    column: int
    side: ProgSide
    op: ProgOp


@dataclass(kw_only=True, eq=False)
class ProgramLog:
    """What the host learns of a chip by programming it, once or several times.

    Parameters
    ----------
    asked : bool, (T, R, C)
        Cells that were programmed.
    failures : list of Failure
        The failure log; of a row with more entries than the log is deep, its first ones.
    counts : dict of (tile, row) to int
        Entries of each row that did not converge, those that the log had no room for included.
    mismatches : list of Cell
        Lowest column that READBACK_MISMATCH named, of each such row.
    """

    asked: NDArray[np.bool_]
    failures: list[Failure] = field(default_factory=list)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    mismatches: list[Cell] = field(default_factory=list)

    @classmethod
    def empty(cls, geometry: Geometry) -> ProgramLog:
        """Of a chip that was never programmed."""
        return cls(asked=np.zeros((geometry.tiles, geometry.rows, geometry.columns), bool))

    def add(self, other: ProgramLog) -> None:
        """Take in what one more run showed."""
        self.asked |= other.asked
        self.failures += other.failures
        self.counts += other.counts
        self.mismatches += other.mismatches

    def same(self, other: ProgramLog) -> bool:
        """Whether two runs showed the same."""
        return (
            np.array_equal(self.asked, other.asked)
            and self.failures == other.failures
            and self.counts == other.counts
            and self.mismatches == other.mismatches
        )
