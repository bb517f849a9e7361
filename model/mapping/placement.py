"""Where layers go on a chip: how inputs split over tiles, which rectangle of tiles and rows each layer gets,
and how thresholds become bias cells, references and memory entries.

The pieces of ``model/mapping/mapping.py`` that are arithmetic alone. In all of them a neuron of polarity -1 is
already folded: its row is negated, and ``dot <= t`` has become ``-dot >= -t``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry


class MappingError(ValueError):
    """A network does not fit a geometry; the message names the layer, by how much, and what would fit."""


def split(n_in: int, columns: int) -> list[int]:
    """Sizes of the fewest slices of ``n_in`` inputs of at most ``columns``: equal but for a smaller last."""
    count = -(-n_in // columns)
    size = -(-n_in // count)
    count = -(-n_in // size)  # rounding up may leave nothing for the last slice
    return [size] * (count - 1) + [n_in - size * (count - 1)]


def place(shapes: Sequence[tuple[int, int]], geometry: Geometry) -> list[tuple[int, int]]:
    """Rectangles for layers of (tiles, rows): (first tile, first row) of each.

    Each layer goes to the lowest free row, then to the lowest tile: beside the layers before it while tiles
    last, above them after that. Where it takes fewer rows, the widest layers go first.

    Raises
    ------
    MappingError
        The layers do not fit.
    """
    found, height = _stack(shapes, geometry.tiles)
    if height <= geometry.plain_rows:
        return found
    more = next(
        (t for t in range(geometry.tiles, 65) if _stack(shapes, t)[1] <= geometry.plain_rows), None
    )  # 64 tiles are the most there can be
    raise MappingError(
        f"the {len(shapes)} layers need {height} rows on {geometry.tiles} tiles (layers as tiles x rows: "
        f"{', '.join(f'{t} x {r}' for t, r in shapes)}), {height - geometry.plain_rows} more than the "
        f"{geometry.plain_rows} there are; rows = {height + geometry.spare_rows} would fit"
        + (f", or tiles = {more}" if more else "")
    )


def _stack(shapes: Sequence[tuple[int, int]], tiles: int) -> tuple[list[tuple[int, int]], int]:
    """Places of the layers on ``tiles`` tiles, and the rows they take; the better of two orders."""
    given = list(range(len(shapes)))
    best: tuple[list[tuple[int, int]], int] | None = None
    for order in (given, sorted(given, key=lambda i: (-shapes[i][0], -shapes[i][1]))):
        free = np.zeros(tiles, np.int64)
        found: dict[int, tuple[int, int]] = {}
        for i in order:
            width, rows = shapes[i]
            starts = [int(free[t : t + width].max()) for t in range(tiles - width + 1)]
            row = min(starts)
            tile = starts.index(row)
            free[tile : tile + width] = row + rows
            found[i] = (tile, row)
        height = int(free.max())
        if best is None or height < best[1]:
            best = [found[i] for i in given], height
    assert best is not None
    return best


@dataclass(frozen=True, eq=False)
class SignThresholds:
    """Thresholds of a SIGN layer as bias cells and a shared reference, for k tiles and n neurons.

    Parameters
    ----------
    bias : list of int, k
        Bias columns enabled in each tile.
    ones : int64, (k, n)
        Bias cells at +1, the others of the enabled ones are -1.
    refs : int64, (n,)
        Reference of each row, 0 where the bias cells carry the whole threshold.
    ties : bool
        Some tile has an even number of enabled columns, for want of bias columns: dV may be exactly 0.
    """

    bias: list[int]
    ones: NDArray[np.int64]
    refs: NDArray[np.int64]
    ties: bool


def sign_thresholds(
    layer: int, sizes: Sequence[int], thresholds: NDArray[np.integer], available: int
) -> SignThresholds:
    """Realize ``d_g >= t_g`` as ``d_g + b_g + 2*ref >= 0`` in every tile g, with one ``ref`` a row.

    Bias columns make the number of enabled columns odd, so that dV is never 0: the decision point sits midway
    between the two dot products it separates, ``b + 2*ref = 1 - t'``, where t' is the smallest value from t
    upward that the dot product can take. The fewest bias columns that carry every threshold of the layer are
    enabled, or all of them in every tile, and ``ref`` carries what is left. A constant neuron needs no more
    than it takes to keep it so.

    Parameters
    ----------
    layer : int
        For messages.
    sizes : k ints
        Inputs of each tile.
    thresholds : int, (k, n)
        Of each tile and neuron, within +-(size + 1).
    available : int
        Bias columns of a tile.

    Raises
    ------
    MappingError
        The tiles of a row need different references.
    """
    bias, target, lowest, highest = _ranges(sizes, thresholds, available)
    gap = lowest - highest
    if (gap > 0).any():
        row = int(gap.argmax())
        fits = available
        while (lowest - highest > 0).any():  # each second column helps
            fits += 1
            _, _, lowest, highest = _ranges(sizes, thresholds, fits)
        raise MappingError(
            f"layer {layer}: the tiles of neuron {row} have thresholds {thresholds[:, row].min()} to "
            f"{thresholds[:, row].max()} but share one reference, which {available} bias columns miss by "
            f"{int(gap[row])}; {fits} would fit, or COUNT with ADD"
        )
    enabled = np.array(bias)[:, None]
    refs = np.clip(0, lowest, highest)
    sums = np.clip(target - 2 * refs, -enabled, enabled)
    ties = any((n + b) % 2 == 0 for n, b in zip(sizes, bias, strict=True))
    return SignThresholds(bias, (sums + enabled) // 2, refs, ties)


def _ranges(
    sizes: Sequence[int], thresholds: NDArray[np.integer], available: int
) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Bias columns (k), wanted ``b + 2*ref`` (k, n), smallest and largest possible reference (n,)."""
    size = np.asarray(sizes, np.int64)[:, None]
    reached = np.asarray(thresholds, np.int64)
    reached = reached + ((reached - size) & 1)  # t', of the parity of the dot product
    most = [max(available - (1 - (n + available) % 2), 0) for n in sizes]  # an odd number of enabled columns
    odd = np.array([[(n + m) % 2] for n, m in zip(sizes, most, strict=True)])
    target = odd - reached
    need = np.abs(target).max(axis=1).tolist()  # each of the parity of its ``most``
    bias = need if all(x <= m for x, m in zip(need, most, strict=True)) else most
    if len(bias) > 1:
        bias[:-1] = [max(bias[:-1])] * (len(bias) - 1)  # one descriptor field for all but the last tile
    enabled = np.array(bias)[:, None]
    far = 1 << 30
    low = np.where(reached > size, -far, (target - enabled) // 2)
    high = np.where(reached <= -size, far, (target + enabled) // 2)
    return bias, target, low.max(axis=0), high.min(axis=0)


def count_bias(sizes: Sequence[int], available: int) -> tuple[list[int], bool]:
    """Bias columns of a COUNT or SEARCH layer, all +1: just enough for an odd number of enabled columns.

    The threshold is digital there; the odd number keeps SEARCH half a count away from every tie. Returns the
    columns of each tile, and whether a tile stays even for want of bias columns.
    """
    bias = [int(n % 2 == 0 and available > 0) for n in sizes]
    return bias, any((n + b) % 2 == 0 for n, b in zip(sizes, bias, strict=True))
