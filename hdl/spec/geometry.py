"""The shape of the macro array and of the controller's memories."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .codes import check_range, words

MOST_COLUMNS = 65_536
"""Columns of all tiles together, beyond which the Verilog is not generated: it takes time and memory with each."""


def bias_columns(inputs: int) -> int:
    """Bias columns of the published rule, B = 2*floor(0.05*N) [data]."""
    return 2 * (5 * inputs // 100)


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Shape of the macro array and of the controller's memories.

    Parameters
    ----------
    tiles : int, 1..64
        Macros driven by this controller; with at most 65,536 columns N + B + K in all of them together.
    rows : int, 1..4096
        Word lines of a tile; one row is one output neuron.
    inputs : int, 1..4064
        Input columns N of a tile.
    bias : int, 0..1024
        Bias columns B of a tile, with constant input +1, after the inputs.
    thresholds : int, 1..16384
        Entries of the threshold memory.
    layers : int, 1..32
        Entries of the descriptor table.
    scores : int, 1..1024
        Scores that one result bank holds.
    count_width : int, 1..64
        Columns that the digital popcount adds in one cycle, per tile.
    log_depth : int, 1..1024
        Entries of the failure log.
    spare_columns : int, 0..8
        Columns K of a tile, after the bias columns, that can stand in for others (``Repairs``). With 0 the
        controller has nothing of it.
    spare_rows : int, 0..16, below ``rows``
        Word lines, the last ones of ``rows``, that can stand in for others.
    map_words : int, 0..4096
        32-bit words of each of the two memories for activation maps, for convolutions. With 0 the controller has
        nothing of them.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """

    tiles: int = 1
    rows: int = 32
    inputs: int = 23
    bias: int = 2
    thresholds: int = 64
    layers: int = 8
    scores: int = 16
    count_width: int = 32
    log_depth: int = 64
    spare_columns: int = 0
    spare_rows: int = 0
    map_words: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("tiles", 1, 64),
            ("rows", 1, 4096),
            ("inputs", 1, 4064),
            ("bias", 0, 1024),
            ("thresholds", 1, 16384),
            ("layers", 1, 32),
            ("scores", 1, 1024),
            ("count_width", 1, 64),
            ("log_depth", 1, 1024),
            ("spare_columns", 0, 8),
            ("spare_rows", 0, 16),
            ("map_words", 0, 4096),
        ):
            check_range("Geometry", name, getattr(self, name), low, high)
        if self.spare_rows >= self.rows:
            raise ValueError(
                f"Geometry.spare_rows = {self.spare_rows}: must be below the {self.rows} rows, of which they are"
            )
        if self.tiles * self.columns > MOST_COLUMNS:
            raise ValueError(
                f"Geometry of {self.tiles} tiles with {self.columns} columns: {self.tiles * self.columns} columns in "
                f"all, at most {MOST_COLUMNS} are generated; {MOST_COLUMNS // self.columns} tiles of {self.columns} "
                f"columns would fit, or {self.tiles} of {MOST_COLUMNS // self.tiles}"
            )

    @property
    def columns(self) -> int:
        """Columns C = N + B + K of a tile."""
        return self.inputs + self.bias + self.spare_columns

    @property
    def plain_columns(self) -> int:
        """Columns N + B that are no spares: those that a network is placed on."""
        return self.inputs + self.bias

    @property
    def plain_rows(self) -> int:
        """Rows that are no spares: those that descriptors may name."""
        return self.rows - self.spare_rows

    @property
    def repair_entries(self) -> int:
        """Entries of the repair table, T*K + L: one a spare."""
        return self.tiles * self.spare_columns + self.spare_rows

    @property
    def row_words(self) -> int:
        """Bus words that hold one row of one tile, W = ceil(C / 32)."""
        return words(self.columns)

    @property
    def row_width(self) -> int:
        """Bits of a word-line address."""
        return max(1, (self.rows - 1).bit_length())

    @property
    def tile_width(self) -> int:
        """Bits of a tile number."""
        return max(1, (self.tiles - 1).bit_length())

    @property
    def input_words(self) -> int:
        """Words of an input bank: of all tiles, or of a map where that takes more."""
        return max(self.tiles * self.row_words, self.map_words)

    @property
    def ref_width(self) -> int:
        """Bits of the signed comparison reference: holds -C..C."""
        return self.columns.bit_length() + 1

    @property
    def score_width(self) -> int:
        """Bits of a signed score: 2*T*C plus a 16-bit threshold fits."""
        return max((2 * self.tiles * self.columns).bit_length() + 1, 16) + 1

    def as_dict(self) -> dict[str, int]:
        """Fields and derived sizes, as written to ``geometry.json``."""
        return {
            **dataclasses.asdict(self),
            "columns": self.columns,
            "row_words": self.row_words,
            "ref_width": self.ref_width,
            "score_width": self.score_width,
        }
