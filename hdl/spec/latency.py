"""Cycle counts of INFER as plain functions: what the RTL takes, to the cycle.

Plain Python, no Amaranth. They hold for comparators that resolve within the sense phase.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import Descriptor, Geometry, ReadMode, Timing

__all__ = [
    "GATHER_OVERHEAD_CYC",
    "LAYER_OVERHEAD_CYC",
    "WALK_CHECK_CYC",
    "WALK_FACTOR_BITS",
    "check_cycles",
    "gather_cycles",
    "infer_cycles",
    "layer_cycles",
    "load_cycles",
    "repair_cycles",
    "row_cycles",
    "start_cycles",
    "vector_cycles",
]

LAYER_OVERHEAD_CYC = 3
"""Cycles without a read phase between two layers: add and pack, store, move."""
GATHER_OVERHEAD_CYC = 3
"""Cycles of gathering a window beside its chunks: begin, aim, write the last word."""
WALK_FACTOR_BITS = 16
"""Bits of a factor of the multiplier that checks walks; it takes one a cycle."""
WALK_CHECK_CYC = 3 * (WALK_FACTOR_BITS + 1) + 1
"""Cycles of the check of one walk, where there are maps."""


def row_cycles(mode: ReadMode, enabled: Sequence[int], timing: Timing, geometry: Geometry) -> int:
    """Cycles of one row.

    Parameters
    ----------
    mode : ReadMode
    enabled : sequence of int
        Enabled columns C_en of each tile of the layer, 1..C; ``ceil(log2(C_en + 1))`` is its bit length.
    """
    setup = timing.precharge_cyc + timing.evaluate_cyc
    if mode == ReadMode.COUNT:
        return setup + -(-geometry.columns // geometry.count_width)
    comparisons = sum(c.bit_length() for c in enabled) if mode == ReadMode.SEARCH else 1
    return comparisons * (setup + timing.sense_cyc)


def layer_cycles(descriptor: Descriptor, timing: Timing, geometry: Geometry) -> int:
    """Cycles from the layer's first precharge to its last sample.

    Rows follow each other without a bubble. A layer that walks over a map reads all rows once per window, and a window
    that takes longer to gather than the rows of the one before to read is waited for.
    """
    enabled = [descriptor.enabled(tile) for tile in range(descriptor.tile_count)]
    window = descriptor.row_count * row_cycles(descriptor.mode, enabled, timing, geometry)
    if not descriptor.reads_map:
        return window
    return window + sum(max(window, cycles) for cycles in gather_cycles(descriptor)[1:])


def gather_cycles(descriptor: Descriptor) -> list[int]:
    """Cycles that the gathering of each window of a layer takes, until it is in the back registers."""
    if descriptor.walk is None or not descriptor.walk.reads_map:
        return []
    slices = descriptor.slices()
    return [
        descriptor.walk.chunks(y, x, slices) + GATHER_OVERHEAD_CYC for y, x in descriptor.walk.positions()
    ]


def start_cycles(descriptor: Descriptor, index: int) -> int:
    """Cycles that a layer waits, after the layer before, for its first window; 0 where it reads no map.

    The first layer's first window is gathered beside the last layer of the vector before, see `load_cycles`.
    """
    return gather_cycles(descriptor)[0] if index and descriptor.reads_map else 0


def vector_cycles(descriptors: Sequence[Descriptor], timing: Timing, geometry: Geometry) -> int:
    """Cycles from one vector to the next, when the next is loaded in time and a result bank is free."""
    return sum(
        layer_cycles(d, timing, geometry) + LAYER_OVERHEAD_CYC + start_cycles(d, index)
        for index, d in enumerate(descriptors)
    )


def load_cycles(descriptors: Sequence[Descriptor], geometry: Geometry) -> int:
    """Cycles in which one vector, or its first window, goes from the input bank to the column registers."""
    if descriptors[0].reads_map:
        return gather_cycles(descriptors[0])[0] - 2  # what a loader of words spends before and behind them
    return descriptors[0].tile_count * geometry.row_words


def check_cycles(descriptors: Sequence[Descriptor], geometry: Geometry | None = None) -> int:
    """Cycles that the check of good descriptors takes, on a geometry with maps that of the walks included."""
    walk = WALK_CHECK_CYC if geometry is not None and geometry.map_words else 0
    return sum(d.tile_count + 2 + walk for d in descriptors)


def repair_cycles(geometry: Geometry) -> int:
    """Cycles that the check of the repair table takes: one a spare, 0 without any."""
    return geometry.repair_entries


def infer_cycles(
    descriptors: Sequence[Descriptor], timing: Timing, geometry: Geometry, vectors: int = 1
) -> int:
    """Cycles from ``start`` of INFER to ``done``, when inputs are pushed and results popped in time.

    A load longer than the last layer is not hidden altogether; the rest of it is counted for each vector but
    the first.
    """
    load = load_cycles(descriptors, geometry)
    exposed = max(0, load - layer_cycles(descriptors[-1], timing, geometry))
    before = check_cycles(descriptors, geometry) + repair_cycles(geometry) + load + 5
    return before + vectors * vector_cycles(descriptors, timing, geometry) + (vectors - 1) * exposed
