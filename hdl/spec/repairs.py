"""Spare lines: which columns and rows they stand in for, agreed between mapping and controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .codes import check_range
from .geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """Which lines the spares stand in for: the content of windows REPAIR_COLUMN and REPAIR_ROW.

    Spare ``k`` of the columns is column ``N + B + k``, spare ``l`` of the rows word line ``R - L + l``.

    Parameters
    ----------
    columns : tuple of (tile, spare, column)
        Replaced input or bias columns of a tile.
    rows : tuple of (spare, row)
        Replaced rows; in every tile, since tiles share ``row``.
    """

    columns: tuple[tuple[int, int, int], ...] = ()
    rows: tuple[tuple[int, int], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.columns or self.rows)

    def check(self, geometry: Geometry) -> None:
        """Apply the rules that the controller applies when INFER starts.

        Raises
        ------
        ValueError
            A spare that does not exist, a line outside the plain ones, a line or a spare that is named twice.
        """
        g = geometry
        for tile, spare, column in self.columns:
            check_range("Repairs", "tile", tile, 0, g.tiles - 1)
            check_range("Repairs", "spare column", spare, 0, g.spare_columns - 1)
            check_range("Repairs", "column", column, 0, g.plain_columns - 1)
        for spare, row in self.rows:
            check_range("Repairs", "spare row", spare, 0, g.spare_rows - 1)
            check_range("Repairs", "row", row, 0, g.plain_rows - 1)
        _check_once("column (tile, column)", [(tile, column) for tile, _, column in self.columns])
        _check_once("spare column (tile, spare)", [(tile, spare) for tile, spare, _ in self.columns])
        _check_once("row", [row for _, row in self.rows])
        _check_once("spare row", [spare for spare, _ in self.rows])

    def of_tile(self, tile: int) -> dict[int, int]:
        """Replaced columns of a tile, by their spare."""
        return {spare: column for t, spare, column in self.columns if t == tile}

    def physical_columns(self, geometry: Geometry, tile: int) -> list[int]:
        """Column that carries each of the N + B plain ones."""
        found = list(range(geometry.plain_columns))
        for spare, column in self.of_tile(tile).items():
            found[column] = geometry.plain_columns + spare
        return found

    def physical_rows(self, geometry: Geometry) -> list[int]:
        """Word line that carries each of the R - L plain rows."""
        found = list(range(geometry.plain_rows))
        for spare, row in self.rows:
            found[row] = geometry.plain_rows + spare
        return found

    def column_words(self, geometry: Geometry) -> list[int]:
        """Words of window REPAIR_COLUMN: spare ``k`` of tile ``t`` at ``t*K + k``."""
        return [
            word
            for tile in range(geometry.tiles)
            for word in _words("REPAIR_COLUMN", self.of_tile(tile), geometry.spare_columns)
        ]

    def row_words(self, geometry: Geometry) -> list[int]:
        """Words of window REPAIR_ROW."""
        return _words("REPAIR_ROW", dict(self.rows), geometry.spare_rows)


def _words(window: str, lines: dict[int, int], spares: int) -> list[int]:
    from .register_map import layout  # compiles the register file: not on import

    used = {spare: layout(window).pack(line=line, valid=1)[0] for spare, line in lines.items()}
    return [used.get(spare, 0) for spare in range(spares)]


def _check_once(what: str, named: Sequence[object]) -> None:
    for item in named:
        if named.count(item) > 1:
            raise ValueError(f"Repairs: {what} {item} is named twice")
