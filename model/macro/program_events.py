"""What costs energy while a chip is programmed, counted in whole numbers; and what it cost, as a record."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bridgebnn.hdl.spec import ProgOp, VerifyRef
from bridgebnn.records import Record

__all__ = ["ProgramCounts", "ProgramEnergy", "ProgramEvents"]


class ProgramEvents(Record, frozen=True, kw_only=True):
    """Events of programming.

    Parameters
    ----------
    pulses, pulsed_columns : dict of int
        Rising edges of ``pulse``, and columns selected in them, by operation.
    wl_codes_squared, line_codes_squared : int
        DAC code of the word line of each pulse, squared; that of the pulse, squared, for each column.
    verifies, verified_columns : dict of int
        Verify reads, and columns asked in them, by reference.
    read_backs, read_columns : int
        Bridge reads of whole rows, and columns in them.
    """

    pulses: dict[str, int] = {}
    pulsed_columns: dict[str, int] = {}
    wl_codes_squared: int = 0
    line_codes_squared: int = 0
    verifies: dict[str, int] = {}
    verified_columns: dict[str, int] = {}
    read_backs: int = 0
    read_columns: int = 0


class ProgramCounts:
    """Counts them, for the model and for an agent on the pins alike."""

    def __init__(self) -> None:
        self._by: dict[str, Counter[str]] = {
            name: Counter() for name in ("pulses", "pulsed_columns", "verifies", "verified_columns")
        }
        self._sums: Counter[str] = Counter()

    def pulse(self, op: ProgOp, columns: int, wl_level: int, prog_level: int, pulses: int = 1) -> None:
        """``pulses`` at these DAC codes, with ``columns`` selected in all of them together."""
        self._by["pulses"][op.name] += pulses
        self._by["pulsed_columns"][op.name] += columns
        self._sums["wl_codes_squared"] += pulses * wl_level**2
        self._sums["line_codes_squared"] += columns * prog_level**2

    def verify(self, ref: VerifyRef, columns: int, reads: int = 1) -> None:
        """Verify reads, of ``columns`` in all of them together."""
        self._by["verifies"][ref.name] += reads
        self._by["verified_columns"][ref.name] += columns

    def read_back(self, columns: int, reads: int = 1) -> None:
        """Bridge reads of rows, with ``columns`` enabled in all of them together."""
        self._sums["read_backs"] += reads
        self._sums["read_columns"] += columns

    def add(self, other: ProgramCounts) -> None:
        """Take in what another one counted."""
        for name, counter in other._by.items():
            self._by[name].update(counter)
        self._sums.update(other._sums)

    def events(self) -> ProgramEvents:
        """What was counted so far."""
        by: dict[str, Any] = {name: dict(sorted(counter.items())) for name, counter in self._by.items()}
        return ProgramEvents(**(by | dict(self._sums)))


class ProgramEnergy(Record, frozen=True, kw_only=True):
    """Energy of programming in joule, by part.

    Parameters
    ----------
    form_J, set_J, reset_J : float
        In the devices and their select transistors, by operation; 0 of an ideal population.
    lines_J, word_lines_J : float
        Charging of the columns' lines and of the word line at every pulse.
    verify_J, read_back_J : float
    controller_J : float
        A stated estimate.
    """

    form_J: float
    set_J: float
    reset_J: float
    lines_J: float
    word_lines_J: float
    verify_J: float
    read_back_J: float
    controller_J: float

    @property
    def total_J(self) -> float:
        """Sum of all parts."""
        return sum(float(self[name]) for name in self)
