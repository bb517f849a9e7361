"""Broken lines told from the failure log, and the spare columns and rows that stand in for them.

A scattered failure is a device that does not obey; ``model/flows/repair.py`` places neurons around it. A *broken
line* is a column or a row of which a large share fails: nothing but a spare helps. All places here are
physical, as in the log, but where plain ones are named (``bridgebnn.hdl.spec.Repairs`` has both).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, Repairs

from .program_log import Cell, ProgramLog

__all__ = [
    "LINE_SHARE",
    "BrokenLines",
    "RepairError",
    "assign",
    "listed",
    "relocate",
    "to_plain",
]

LINE_SHARE = 0.2
"""Share of a line's programmed cells that must fail for the line to count as broken [ours].

Far above scattered failures (1e-4 of the devices) and below the least that a broken line shows: a source line
that is stuck contradicts half of the weights, and of two such columns a row names only the lower."""

LINE_LEAST = 3
"""Failing cells that a broken line has at least [ours]: on a short line one stuck device is a large share."""


class RepairError(ValueError):
    """The spares, or the limit of wrong cells, do not suffice; the message says by how much."""


@dataclass(frozen=True, kw_only=True)
class BrokenLines:
    """Physical lines that a chip cannot use.

    Parameters
    ----------
    columns : tuple of (tile, column)
    rows : tuple of (tile, row)
    """

    columns: tuple[tuple[int, int], ...]
    rows: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, log: ProgramLog, share: float = LINE_SHARE, least: int = LINE_LEAST) -> BrokenLines:
        """Lines of which at least ``share`` of the programmed cells failed, and at least ``least``.

        Rows first; a broken row says nothing about columns.
        """
        failed = np.zeros(log.asked.shape, bool)
        for tile, row, column in [f[:3] for f in log.failures] + log.mismatches:
            failed[tile, row, column] = True
        asked = log.asked.sum(axis=2)
        found = failed.sum(axis=2)
        for place, count in log.counts.items():
            found[place] = max(found[place], count // 2)  # two devices a cell
        bad_rows = _many(found, asked, share, least)
        failed[bad_rows] = False
        sound = log.asked & ~bad_rows[..., None]
        bad_columns = _many(failed.sum(axis=1), sound.sum(axis=1), share, least)
        return cls(columns=_places(bad_columns), rows=_places(bad_rows))


def _many(found: NDArray[np.int64], asked: NDArray[np.int64], share: float, least: int) -> NDArray[np.bool_]:
    return (found >= least) & (found >= share * asked) & (asked > 0)


def _places(flags: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in np.argwhere(flags))


def assign(lines: BrokenLines, geometry: Geometry, used: NDArray[np.bool_]) -> Repairs:
    """Spares for the broken lines that a network uses; a broken spare is passed over.

    Parameters
    ----------
    lines : BrokenLines
    geometry : Geometry
    used : bool, (T, R, C)
        Cells that the network needs where no line is replaced (``Mapping.masks`` without repairs).

    Raises
    ------
    RepairError
        More lines than sound spares, by kind and tile.
    """
    g = geometry
    columns: list[tuple[int, int, int]] = []
    short: list[str] = []
    for tile in range(g.tiles):
        bad = [c for t, c in lines.columns if t == tile]
        wanted = [c for c in bad if c < g.plain_columns and used[tile, :, c].any()]
        sound = [k for k in range(g.spare_columns) if g.plain_columns + k not in bad]
        if len(wanted) > len(sound):
            short.append(f"tile {tile}: columns {listed(wanted)} are broken, {_spares(sound)} left")
        columns += [(tile, spare, column) for spare, column in zip(sound, wanted, strict=False)]
    bad_rows = {row for _, row in lines.rows}
    wanted_rows = sorted({r for t, r in lines.rows if r < g.plain_rows and used[t, r].any()})
    sound_rows = [k for k in range(g.spare_rows) if g.plain_rows + k not in bad_rows]
    if len(wanted_rows) > len(sound_rows):
        short.append(f"rows {listed(wanted_rows)} are broken, {_spares(sound_rows)} left")
    if short:
        raise RepairError("; ".join(short))
    repairs = Repairs(columns=tuple(columns), rows=tuple(zip(sound_rows, wanted_rows, strict=False)))
    repairs.check(g)
    return repairs


def listed(items: Sequence[object]) -> str:
    """The first eight, for a message."""
    return ", ".join(map(str, items[:8])) + (", .." if len(items) > 8 else "")


def _spares(sound: list[int]) -> str:
    return f"{len(sound)} sound spare{'s' * (len(sound) != 1)}"


def relocate(cells: NDArray, repairs: Repairs, geometry: Geometry) -> NDArray:
    """Cells (T, R, C) of the plain lines, moved to where the spares carry them; 0 on replaced lines."""
    g = geometry
    moved = cells.copy()
    for tile, spare, column in repairs.columns:
        moved[tile, :, g.plain_columns + spare] = moved[tile, :, column]
        moved[tile, :, column] = 0
    for spare, row in repairs.rows:
        moved[:, g.plain_rows + spare] = moved[:, row]
        moved[:, row] = 0
    return moved


def to_plain(cells: Iterable[Cell], repairs: Repairs, geometry: Geometry) -> dict[Cell, Cell]:
    """Plain place of each physical cell in use; cells of replaced lines and of idle spares are left out."""
    g = geometry
    rows = {line: row for row, line in enumerate(repairs.physical_rows(g))}
    columns = [
        {line: column for column, line in enumerate(repairs.physical_columns(g, tile))}
        for tile in range(g.tiles)
    ]
    return {
        (tile, row, column): (tile, rows[row], columns[tile][column])
        for tile, row, column in cells
        if row in rows and column in columns[tile]
    }
