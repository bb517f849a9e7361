"""Cycle counts of INFER as plain functions: what the RTL takes, to the cycle.

Plain Python, no Amaranth. They hold for comparators that resolve within the sense phase.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import Descriptor, Geometry, ReadMode, Timing

__all__ = [
    "LAYER_OVERHEAD_CYC",
    "check_cycles",
    "infer_cycles",
    "layer_cycles",
    "load_cycles",
    "repair_cycles",
    "row_cycles",
    "vector_cycles",
]

LAYER_OVERHEAD_CYC = 3
"""Cycles without a read phase between two layers: add and pack, store, move."""


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
    """Cycles of one layer's rows, which follow each other without a bubble."""
    enabled = [descriptor.enabled(tile) for tile in range(descriptor.tile_count)]
    return descriptor.row_count * row_cycles(descriptor.mode, enabled, timing, geometry)


def vector_cycles(descriptors: Sequence[Descriptor], timing: Timing, geometry: Geometry) -> int:
    """Cycles from one vector to the next, when the next is loaded in time and a result bank is free."""
    return sum(layer_cycles(d, timing, geometry) + LAYER_OVERHEAD_CYC for d in descriptors)


def load_cycles(descriptors: Sequence[Descriptor], geometry: Geometry) -> int:
    """Cycles in which the words of one vector go from the input bank to the column registers."""
    return descriptors[0].tile_count * geometry.row_words


def check_cycles(descriptors: Sequence[Descriptor]) -> int:
    """Cycles that the check of good descriptors takes."""
    return sum(d.tile_count + 2 for d in descriptors)


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
    before = check_cycles(descriptors) + repair_cycles(geometry) + load + 5
    return before + vectors * vector_cycles(descriptors, timing, geometry) + (vectors - 1) * exposed
