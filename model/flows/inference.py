"""A mapped network on a modelled chip: the analog model evaluated alone, in the controller's order of reads.

Read numbers: SIGN and COUNT read a row once a vector, SEARCH ceil(log2(C_en + 1)) times. A row belongs to one
layer, so its reads are numbered ``reads + 1 + i*K`` over the vectors i whatever the other layers do, and a
whole batch is evaluated layer by layer. ``run_row_by_row`` is the same on single reads, slowly: the check of
the one against the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import RowProgram
from bridgebnn.model.networks.golden import Forward, check_bits

Progress = Callable[[int, int], None]
"""Called with (layers times images done, of how many)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What the chip answers to a batch.

    Parameters
    ----------
    hidden : list of uint8, (batch, n)
        Bits of every sign layer, as in ``golden.Forward``.
    scores : int32, (batch, n_out)
        Of the last layer.
    classes : int64, (batch,)
        Index of the largest score, the lowest on ties.
    """

    hidden: list[NDArray[np.uint8]]
    scores: NDArray[np.int32]
    classes: NDArray[np.int64]

    def first(self, count: int) -> Result:
        """The results of the first ``count`` images."""
        return Result(
            hidden=[bits[:count] for bits in self.hidden],
            scores=self.scores[:count],
            classes=self.classes[:count],
        )

    def differences(self, other: Result | Forward) -> dict[str, Any]:
        """Where two evaluations of the same images disagree.

        Returns
        -------
        dict
            ``hidden``: list of counts of bits, ``scores``, ``classes``, and ``images`` with any of them.
        """
        bits = [a != b for a, b in zip(self.hidden, other.hidden, strict=True)]
        scores = self.scores != other.scores
        images = scores.any(axis=1)
        for layer in bits:
            images |= layer.any(axis=1)
        return {
            "hidden": [int(layer.sum()) for layer in bits],
            "scores": int(scores.sum()),
            "classes": int((self.classes != other.classes).sum()),
            "images": int(images.sum()),
        }


def search_steps(enabled: int) -> int:
    """Comparisons of one SEARCH over ``enabled`` columns: ceil(log2(C_en + 1))."""
    return enabled.bit_length()


def load(mapping: Mapping, array: Array) -> None:
    """Put a mapping's cells onto a chip without pulses."""
    for tile, row in mapping.program_order():
        array.preload(tile, row, mapping.images[tile, row], mapping.masks[tile, row])


def run(
    mapping: Mapping,
    array: Array,
    images: NDArray[Any],
    *,
    progress: Progress | None = None,
    batch: int = 500,
) -> Result:
    """Evaluate images on a programmed chip; the chip's read numbers go on as if it had been read.

    Parameters
    ----------
    mapping : Mapping
        What the chip was programmed with, of the chip's geometry.
    array : Array
    images : bool or integer {0, 1}, (n, n_in)
    progress : callable, optional
        ``progress(done, total)``.
    batch : int
        Images evaluated at once; the results do not depend on it.

    Raises
    ------
    ValueError
        Images of wrong shape or values, or a chip of another geometry.
    """
    bits = _check(mapping, array, images)
    parts = []
    for start in range(0, len(bits), batch):
        parts.append(_evaluate(mapping, array, bits[start : start + batch], _batch))
        if progress is not None:
            progress(min(start + batch, len(bits)), len(bits))
    return _join(mapping, parts)


def run_row_by_row(mapping: Mapping, array: Array, images: NDArray[Any]) -> Result:
    """``run`` on single reads in the controller's order: vector by vector, layer by layer, row by row."""
    bits = _check(mapping, array, images)
    return _join(mapping, [_evaluate(mapping, array, image[None], _single) for image in bits])


def _check(mapping: Mapping, array: Array, images: NDArray[Any]) -> NDArray[np.uint8]:
    if array.geometry != mapping.geometry:
        raise ValueError(f"the chip has {array.geometry}, the mapping {mapping.geometry}: must be the same")
    return check_bits(images, mapping.network.n_in)


def _evaluate(
    mapping: Mapping,
    array: Array,
    bits: NDArray[np.uint8],
    scores_of: Callable[[RowProgram, Array, NDArray[np.uint8]], NDArray[np.int64]],
) -> Result:
    given: dict[int | None, NDArray[np.uint8]] = {None: bits}  # bits by the operation that gives them
    scores = np.zeros((len(bits), 0), np.int64)
    for program in mapping.programs:
        scores = scores_of(program, array, given[program.source])
        given[program.operation] = (scores >= 0).astype(np.uint8)
    last = mapping.programs[-1]
    if last.output == "sign" and last.combine is Combine.ADD:
        scores = np.where(scores >= 0, 1, -1)  # as golden: only scores are a sum
    return Result(
        hidden=[given[program.operation] for program in mapping.programs if program.output == "sign"],
        scores=scores.astype(np.int32),
        classes=np.argmax(scores, axis=1),
    )


def _join(mapping: Mapping, parts: list[Result]) -> Result:
    programs = mapping.programs
    widths = [program.n_out for program in programs if program.output == "sign"]
    scores = np.concatenate([np.zeros((0, programs[-1].n_out), np.int32), *(part.scores for part in parts)])
    return Result(
        hidden=[
            np.concatenate([np.zeros((0, n), np.uint8), *(part.hidden[i] for part in parts)])
            for i, n in enumerate(widths)
        ],
        scores=scores,
        classes=np.argmax(scores, axis=1),
    )


def _batch(program: RowProgram, array: Array, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    answers = []
    for read in program.reads:
        bl = read.column_data(bits)
        parts = [
            _rows_batch(read.mode, array, read.tile, rows, bl, read.col_en, read.refs[places])
            for rows, places in read.runs
        ]
        answers.append(np.concatenate(parts, axis=1))
    return program.combined(answers)


def _rows_batch(
    mode: ReadMode,
    array: Array,
    tile: int,
    rows: slice,
    bl: NDArray[np.bool_],
    col_en: NDArray[np.bool_],
    refs: NDArray[np.int64],
) -> NDArray[Any]:
    """Decisions or popcounts of word lines that follow each other, (batch, n)."""
    first = array.reads[tile, rows] + 1
    stride = 1
    if mode is ReadMode.SIGN:
        found = array.decide(tile, rows, bl, col_en, refs, first)
    elif mode is ReadMode.COUNT:
        found = array.popcounts(tile, rows, bl, col_en, first)
    else:
        enabled = int(col_en.sum())
        stride = search_steps(enabled)
        found = _search_batch(array, tile, rows, bl, col_en, first, stride, enabled)
    array.reads[tile, rows] += stride * len(bl)
    return found


def _search_batch(
    array: Array,
    tile: int,
    rows: slice,
    bl: NDArray[np.bool_],
    col_en: NDArray[np.bool_],
    first: NDArray[np.int64],
    steps: int,
    enabled: int,
) -> NDArray[np.int64]:
    """Popcounts by successive approximation, (batch, n); docs/architecture.md section 3."""
    counts = array.counts(tile, rows, bl, col_en)
    low = np.zeros(counts.shape, np.int64)
    for k in range(steps):
        needed = array.min_refs_batch(tile, rows, bl, col_en, first + k, steps, counts)
        middle = low + (1 << (steps - 1 - k))
        above = ((enabled + 1) // 2 - middle >= needed) & (middle <= enabled)
        low = np.where(above, middle, low)
    return low


def _single(program: RowProgram, array: Array, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    inputs = [(read.tile, read.column_data(bits)[0], read.col_en) for read in program.reads]
    answers = np.empty((len(inputs), 1, program.n_out), np.int64)
    for j, (row, entry) in enumerate(zip(program.rows.tolist(), program.entries.tolist(), strict=True)):
        if program.mode is not ReadMode.SEARCH:
            array.begin_read([tile for tile, _, _ in inputs], row)
        for k, (tile, bl, col_en) in enumerate(inputs):
            if program.mode is ReadMode.SIGN:
                answers[k, 0, j] = array.compare(tile, row, bl, col_en, entry)
            elif program.mode is ReadMode.COUNT:
                answers[k, 0, j] = array.source_lines(tile, row, bl, col_en).sum()
            else:
                answers[k, 0, j] = _search_single(array, tile, row, bl, col_en)
    return program.combined(list(answers))


def _search_single(
    array: Array, tile: int, row: int, bl: NDArray[np.bool_], col_en: NDArray[np.bool_]
) -> int:
    enabled, low, ref = int(col_en.sum()), 0, 0
    for k in reversed(range(search_steps(enabled))):
        middle = low + (1 << k)
        ref = (enabled + 1) // 2 - middle if middle <= enabled else ref  # held, its answer ignored
        array.begin_read(tile, row)
        if array.compare(tile, row, bl, col_en, ref) and middle <= enabled:
            low = middle
    return low
