"""The rules of the descriptor and repair tables, once more: from docs/architecture.md, on raw fields.

`bridgebnn.hdl.spec.Descriptor` refuses what its bits cannot mean, so no testbench can send that with it. Here a
descriptor is a plain dict of the fields as they stand in window DESCRIPTOR, and every value of them is possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bridgebnn.hdl.spec import Geometry

__all__ = ["FIELDS", "SEARCH", "SIGN", "Raw", "bad_repair", "edge_values", "first_bad", "pack"]

Raw = dict[str, int]
"""One descriptor: a value for each of `FIELDS`."""

FIELDS: dict[str, tuple[int, int, int]] = {
    "tile_first": (0, 0, 8),
    "tile_count": (0, 8, 8),
    "row_first": (0, 16, 16),
    "row_count": (1, 0, 16),
    "threshold_base": (1, 16, 16),
    "cols": (2, 0, 16),
    "cols_last": (2, 16, 16),
    "bias": (3, 0, 16),
    "bias_last": (3, 16, 11),
    "mode": (3, 27, 2),
    "combine": (3, 29, 1),
    "use_threshold": (3, 30, 1),
    "score": (3, 31, 1),
}
"""Word, lowest bit and width of each field (section 6)."""

SIGN, SEARCH, COUNT = range(3)


def pack(raw: Raw) -> list[int]:
    """The four words of a descriptor."""
    words = [0] * 4
    for name, (word, low, width) in FIELDS.items():
        if not 0 <= raw[name] < 1 << width:
            raise ValueError(f"{name} = {raw[name]}: must be from 0 to {(1 << width) - 1}")
        words[word] |= raw[name] << low
    return words


def edge_values(name: str) -> Iterator[int]:
    """0, every power of two and all ones of a field."""
    width = FIELDS[name][2]
    yield 0
    yield from (1 << bit for bit in range(width))
    if width > 1:
        yield (1 << width) - 1


def first_bad(
    table: Sequence[Raw], geometry: Geometry, walks: Sequence[Mapping[str, int]] | None = None
) -> int | None:
    """Index of the first descriptor or walk that section 6 calls bad, or None.

    Parameters
    ----------
    walks : sequence of dict, optional
        Fields of window WALK of each layer; none: no layer goes over a map.
    """
    g = geometry
    rows = [d["row_count"] for d in table]
    for index, d in enumerate(table):
        last = index == len(table) - 1
        legal = (
            1 <= d["tile_count"] <= g.tiles - d["tile_first"]
            and 1 <= d["row_count"] <= g.rows - g.spare_rows - d["row_first"]
            and 1 <= d["cols"] <= g.inputs
            and 1 <= d["cols_last"] <= g.inputs
            and d["bias"] <= g.bias
            and d["bias_last"] <= g.bias
            and d["mode"] in (SIGN, SEARCH, COUNT)
        )
        if d["use_threshold"]:
            legal = legal and d["threshold_base"] + d["row_count"] <= g.thresholds
        if d["mode"] == SIGN:
            legal = legal and (d["tile_count"] == 1 or d["combine"] == 1)
        else:
            legal = legal and d["combine"] == 0
        if d["score"]:
            legal = legal and last and d["row_count"] <= g.scores
        inputs = d["cols"] * (d["tile_count"] - 1) + d["cols_last"]
        if index and not (walks and walks[index]["reads_map"]):
            legal = legal and inputs == rows[index - 1]
        if walks:
            legal = legal and _walk_is_legal(walks, index, last, inputs, rows, g)
        if not legal:
            return index
    return None


def _walk_is_legal(
    walks: Sequence[Mapping[str, int]],
    index: int,
    last: bool,
    inputs: int,
    rows: Sequence[int],
    geometry: Geometry,
) -> bool:
    w = walks[index]

    def written(layer: int) -> int:
        return walks[layer]["out_width"] * walks[layer]["out_height"] * rows[layer]

    if index and w["reads_map"] != walks[index - 1]["writes_map"]:
        return False
    if w["writes_map"] and (not w["reads_map"] or last or written(index) > 32 * geometry.map_words):
        return False
    if not w["reads_map"]:
        return True
    read = w["row_bits"] * w["height"]
    nothing = 0 in (w[name] for name in w if name not in ("padding", "reads_map", "writes_map", "reserved"))
    return (
        not nothing
        and w["kernel"] ** 2 * w["channels"] == inputs
        and read <= 32 * (geometry.map_words if index else geometry.input_words)
        and (not index or read == written(index - 1))
        and (w["writes_map"] == 1 or w["pool"] == w["out_width"] == w["out_height"] == 1)
    )


def bad_repair(columns: Sequence[int], rows: Sequence[int], geometry: Geometry) -> int | None:
    """First bad entry of the repair table (section 10): columns tile by tile, then rows.

    Parameters
    ----------
    columns, rows : sequence of int
        Words of windows REPAIR_COLUMN and REPAIR_ROW.
    """
    g = geometry
    limits = [g.inputs + g.bias] * len(columns) + [g.rows - g.spare_rows] * len(rows)
    groups = [index // max(1, g.spare_columns) for index in range(len(columns))] + [-1] * len(rows)
    entries = [(word >> 31, word & 0xFFFF) for word in (*columns, *rows)]
    for index, (valid, line) in enumerate(entries):
        twin = any(
            other != index and groups[other] == groups[index] and entries[other] == (1, line)
            for other in range(len(entries))
        )
        if valid and (line >= limits[index] or twin):
            return index
    return None
