"""Layers as the controller sees them: the descriptor table and its rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .codes import WORD_WIDTH, Combine, ReadMode, check_range
from .geometry import Geometry
from .walks import MapWalk

_FLAGS = ("use_threshold", "score")


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One layer of the descriptor table: four words of window DESCRIPTOR.

    Parameters
    ----------
    tile_first, tile_count : int, 0..255 and 1..255
        Tiles that work in step on this layer.
    row_first, row_count : int, 0..65535 and 1..65535
        Rows = neurons, the same in each tile.
    cols, cols_last : int, 1..65535
        Inputs of every tile but the last, and of the last tile.
    bias, bias_last : int, 0..65535 and 0..2047
        Bias columns enabled in every tile but the last, and in the last tile.
    threshold_base : int, 0..65535
        First entry of the threshold memory; row ``i`` of the layer uses entry ``threshold_base + i``.
    mode : ReadMode
    combine : Combine
        Ignored by SIGN with one tile.
    use_threshold : bool
        SIGN: ``cmp_ref`` is the threshold entry (else 0). COUNT, SEARCH: the entry is added to the score.
    score : bool
        This layer's scores and class go to the result bank; only on the last layer.
    walk : MapWalk, optional
        How the layer walks over activation maps: its four words of window WALK. None: it reads and writes none.

    Raises
    ------
    ValueError
        A field that its bits cannot hold, with the value and its legal range. Whether the layer fits a
        geometry and its neighbours is the business of ``check_descriptors``.
    """

    tile_first: int = 0
    tile_count: int = 1
    row_first: int = 0
    row_count: int
    cols: int
    cols_last: int
    bias: int = 0
    bias_last: int = 0
    threshold_base: int = 0
    mode: ReadMode = ReadMode.SIGN
    combine: Combine = Combine.ADD
    use_threshold: bool = False
    score: bool = False
    walk: MapWalk | None = None

    def __post_init__(self) -> None:
        from .register_map import layout  # compiles the register file: not on import

        for name, (_, field) in layout("DESCRIPTOR").fields.items():
            if name not in _FLAGS:
                check_range("Descriptor", name, getattr(self, name), field.minimum, (1 << field.width) - 1)
        object.__setattr__(self, "mode", ReadMode(self.mode))
        object.__setattr__(self, "combine", Combine(self.combine))

    @property
    def inputs(self) -> int:
        """Inputs of the whole layer."""
        return self.cols * (self.tile_count - 1) + self.cols_last

    def enabled(self, tile: int) -> int:
        """Enabled columns C_en of the layer's tile number ``tile``, counted from 0."""
        if not 0 <= tile < self.tile_count:
            raise ValueError(f"tile {tile}: the layer has {self.tile_count}")
        return self.cols_last + self.bias_last if tile == self.tile_count - 1 else self.cols + self.bias

    @property
    def reads_map(self) -> bool:
        """Inputs come from a map; from the input bank, in the first layer."""
        return self.walk is not None and self.walk.reads_map

    @property
    def writes_map(self) -> bool:
        """Bits go to a map."""
        return self.walk is not None and self.walk.writes_map

    @property
    def windows(self) -> int:
        """Times that all rows are read per vector."""
        return self.walk.windows if self.walk is not None else 1

    @property
    def map_bits(self) -> int:
        """Bits of the map that is written, 0 where none is."""
        return (
            self.walk.out_width * self.walk.out_height * self.row_count
            if self.walk and self.walk.writes_map
            else 0
        )

    @property
    def n_out(self) -> int:
        """Bits, or scores, that the layer gives per vector."""
        return self.map_bits if self.writes_map else self.row_count

    def slices(self) -> list[int]:
        """Inputs of each tile."""
        return [self.cols] * (self.tile_count - 1) + [self.cols_last]

    def walk_words(self) -> list[int]:
        """The four 32-bit words of window WALK."""
        return self.walk.words() if self.walk is not None else [0, 0, 0, 0]

    def words(self) -> list[int]:
        """The four 32-bit words of window DESCRIPTOR."""
        from .register_map import layout

        window = layout("DESCRIPTOR")
        return window.pack(**{name: int(getattr(self, name)) for name in window.fields})

    @classmethod
    def from_words(cls, table_words: Sequence[int]) -> Descriptor:
        """Inverse of ``words``; ``ValueError`` for values that no legal descriptor has."""
        from .register_map import layout

        fields: dict[str, Any] = {**layout("DESCRIPTOR").unpack(table_words)}
        return cls(**fields | {name: bool(fields[name]) for name in _FLAGS})


def check_descriptors(descriptors: Sequence[Descriptor], geometry: Geometry) -> None:
    """Apply the rules that the controller applies when INFER starts.

    Raises
    ------
    ValueError
        Names the first bad descriptor by index (that of ``ERROR.detail`` after BAD_DESCRIPTOR) and the rule.
    """
    g = geometry
    if not 1 <= len(descriptors) <= g.layers:
        raise ValueError(f"{len(descriptors)} descriptors: must be 1 to {g.layers}")
    for index, d in enumerate(descriptors):
        rules = (
            (d.tile_first + d.tile_count <= g.tiles, f"tiles end inside the {g.tiles}"),
            (d.row_first + d.row_count <= g.plain_rows, f"rows end inside the {g.plain_rows}"),
            (d.cols <= g.inputs and d.cols_last <= g.inputs, f"cols, cols_last at most {g.inputs}"),
            (d.bias <= g.bias and d.bias_last <= g.bias, f"bias, bias_last at most {g.bias}"),
            (
                not d.use_threshold or d.threshold_base + d.row_count <= g.thresholds,
                f"thresholds end inside the {g.thresholds}",
            ),
            (
                d.combine is Combine.VOTE or d.mode is not ReadMode.SIGN or d.tile_count == 1,
                "SIGN of several tiles needs VOTE",
            ),
            (d.combine is Combine.ADD or d.mode is ReadMode.SIGN, "VOTE works with SIGN only"),
            (
                not d.score or (index == len(descriptors) - 1 and d.row_count <= g.scores),
                f"score only on the last layer, of at most {g.scores} rows",
            ),
            (
                index == 0 or d.reads_map or descriptors[index - 1].row_count == d.inputs,
                "inputs equal the previous layer's row_count",
            ),
            (d.walk is None or g.map_words > 0, "maps need a geometry with map_words"),
            (
                index == 0 or d.reads_map == descriptors[index - 1].writes_map,
                "a map is read exactly where the layer before writes one",
            ),
            (
                index == 0
                or d.walk is None
                or not d.reads_map
                or d.walk.map_bits == descriptors[index - 1].map_bits,
                "the map that is read has the bits of the one that was written",
            ),
            (not d.writes_map or index < len(descriptors) - 1, "the last layer writes no map"),
        )
        for holds, rule in rules:
            if not holds:
                raise ValueError(f"descriptor {index} ({d}): {rule}")
        if d.walk is not None:
            capacity = WORD_WIDTH * (g.map_words if index else g.input_words)
            broken = d.walk.check(d.row_count, d.inputs, capacity, WORD_WIDTH * g.map_words)
            if broken:
                raise ValueError(f"descriptor {index} ({d}): {broken}")
