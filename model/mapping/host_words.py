"""What a host puts on the bus for a mapping, as words: for the driver of the testbenches and for the kit alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Descriptor, Geometry, Repairs, words
from bridgebnn.hdl.spec.register_map import register_map

__all__ = ["bits_from_words", "bus_words", "network_writes"]


def bus_words(bits: ArrayLike) -> list[int]:
    """32-bit words of a bit vector, bit 0 first."""
    given = np.asarray(bits, np.uint8)
    padded = np.zeros(32 * words(len(given)), np.uint8)
    padded[: len(given)] = given
    return np.packbits(padded, bitorder="little").view("<u4").tolist()


def bits_from_words(values: Sequence[int], count: int) -> NDArray[np.uint8]:
    """Inverse of `bus_words`, uint8 (count,)."""
    return np.unpackbits(np.array(values, "<u4").view(np.uint8), bitorder="little", count=count)


def network_writes(
    descriptors: Sequence[Descriptor],
    thresholds: ArrayLike,
    geometry: Geometry,
    repairs: Repairs | None = None,
) -> Iterator[tuple[str, list[int], int]]:
    """What loads a network, in order: name of a register or window, words, and the word of the window to begin at.

    Descriptors and thresholds and, where the chip has them, the walks over maps and the repair table.
    """
    for index, descriptor in enumerate(descriptors):
        layer = descriptor.words()
        yield "DESCRIPTOR", layer, len(layer) * index
        if geometry.map_words:
            walk = descriptor.walk_words()
            yield "WALK", walk, len(walk) * index
    count = register_map(geometry).register("LAYER_COUNT")
    yield count.name, [count.pack(layers=len(descriptors))], 0
    yield "THRESHOLD", [int(t) & 0xFFFF for t in np.asarray(thresholds)], 0
    repairs = repairs or Repairs()
    if geometry.spare_columns:
        yield "REPAIR_COLUMN", repairs.column_words(geometry), 0
    if geometry.spare_rows:
        yield "REPAIR_ROW", repairs.row_words(geometry), 0
