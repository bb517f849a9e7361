"""Row reads of a whole batch on one chip: read numbers, and the search for popcounts.

SIGN and COUNT read a row once per vector, SEARCH ``ceil(log2(C_en + 1))`` times. A row's reads are numbered
``reads + 1 + i*K`` over the vectors i, whatever other rows do between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.evaluator import RowRead

if TYPE_CHECKING:
    from .array import Array

__all__ = ["read_batch"]


def read_batch(array: Array, what: RowRead, inputs: NDArray[np.bool_]) -> NDArray[Any]:
    """``Array.read``: run of rows by run of rows, and count what was read."""
    parts = [_run(array, what, rows, inputs, what.refs[places]) for rows, places in what.runs]
    return np.concatenate(parts, axis=1)


def _run(
    array: Array, what: RowRead, rows: slice, inputs: NDArray[np.bool_], refs: NDArray[np.int64]
) -> NDArray[Any]:
    """Decisions or popcounts of word lines that follow each other, (batch, n)."""
    tile, first = what.tile, array.reads[what.tile, rows] + 1
    found: NDArray[Any]
    if what.mode is ReadMode.SIGN:
        found = array.decide(tile, rows, inputs, what.col_en, refs, first)
    elif what.mode is ReadMode.COUNT:
        found = array.popcounts(tile, rows, inputs, what.col_en, first)
    else:
        found = _search(array, what, rows, inputs, first)
    array.reads[tile, rows] += what.comparisons * len(inputs)
    return found


def _search(
    array: Array, what: RowRead, rows: slice, inputs: NDArray[np.bool_], first: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Popcounts by successive approximation, (batch, n); docs/architecture.md section 3."""
    tile, steps = what.tile, what.comparisons
    counts = array.counts(tile, rows, inputs, what.col_en)
    low = np.zeros((len(inputs), rows.stop - rows.start), np.int64)
    for k in range(steps):
        needed = array.min_refs_batch(tile, rows, inputs, what.col_en, first + k, steps, counts)
        middle = low + (1 << (steps - 1 - k))
        above = ((what.enabled + 1) // 2 - middle >= needed) & (middle <= what.enabled)
        low = np.where(above, middle, low)
    return low
