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

from bridgebnn.hdl.spec import Combine, Descriptor, ReadMode
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
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
        parts.append(_evaluate(mapping, array, bits[start : start + batch], _layer_batch))
        if progress is not None:
            progress(min(start + batch, len(bits)), len(bits))
    return _join(mapping, parts)


def run_row_by_row(mapping: Mapping, array: Array, images: NDArray[Any]) -> Result:
    """``run`` on single reads in the controller's order: vector by vector, layer by layer, row by row."""
    bits = _check(mapping, array, images)
    return _join(mapping, [_evaluate(mapping, array, image[None], _layer_single) for image in bits])


def _check(mapping: Mapping, array: Array, images: NDArray[Any]) -> NDArray[np.uint8]:
    if array.geometry != mapping.geometry:
        raise ValueError(f"the chip has {array.geometry}, the mapping {mapping.geometry}: must be the same")
    return check_bits(images, mapping.descriptors[0].inputs)


def _evaluate(mapping: Mapping, array: Array, bits: NDArray[np.uint8], layer: Callable[..., Any]) -> Result:
    hidden = []
    scores = np.zeros((len(bits), 0), np.int64)
    for i in range(len(mapping.descriptors)):
        scores = layer(mapping, array, i, bits)
        bits = (scores >= 0).astype(np.uint8)
        if mapping.network.layers[i].output == "sign":
            hidden.append(bits)
    last = mapping.network.layers[-1]
    if last.output == "sign" and last.combine is Combine.ADD:
        scores = np.where(scores >= 0, 1, -1)  # as golden: only a score layer scores a sum
    return Result(hidden=hidden, scores=scores.astype(np.int32), classes=np.argmax(scores, axis=1))


def _join(mapping: Mapping, parts: list[Result]) -> Result:
    layers = mapping.network.layers
    widths = [layer.n_out for layer in layers if layer.output == "sign"]
    scores = np.concatenate([np.zeros((0, layers[-1].n_out), np.int32), *(part.scores for part in parts)])
    return Result(
        hidden=[
            np.concatenate([np.zeros((0, n), np.uint8), *(part.hidden[i] for part in parts)])
            for i, n in enumerate(widths)
        ],
        scores=scores,
        classes=np.argmax(scores, axis=1),
    )


def _score(d: Descriptor, entries: NDArray[np.int64], tiles: list[NDArray[Any]]) -> NDArray[np.int64]:
    """Scores from the tiles' decisions (SIGN) or popcounts, as the controller combines them."""
    total = np.sum([tile.astype(np.int64) for tile in tiles], axis=0)
    return 2 * total - d.tile_count if d.mode is ReadMode.SIGN else 2 * total + entries


def _layer_batch(mapping: Mapping, array: Array, i: int, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    d, entries = mapping.descriptors[i], mapping.entries(i)
    runs = mapping.runs(i)
    ends = np.cumsum([rows.stop - rows.start for rows in runs])[:-1]
    tiles = []
    for tile, bl, col_en in mapping.tile_inputs(i, bits):
        parts = [
            _rows_batch(d.mode, array, tile, rows, bl, col_en, refs)
            for rows, refs in zip(runs, np.split(entries, ends), strict=True)
        ]
        tiles.append(np.concatenate(parts, axis=1))
    return _score(d, entries, tiles)


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


def _layer_single(mapping: Mapping, array: Array, i: int, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    d, entries = mapping.descriptors[i], mapping.entries(i)
    inputs = [(tile, bl[0], col_en) for tile, bl, col_en in mapping.tile_inputs(i, bits)]
    scores = np.empty((1, d.row_count), np.int64)
    for j, row in enumerate(mapping.rows(i).tolist()):
        answers = []
        if d.mode is not ReadMode.SEARCH:
            array.begin_read([tile for tile, _, _ in inputs], row)
        for tile, bl, col_en in inputs:
            if d.mode is ReadMode.SIGN:
                answer = array.compare(tile, row, bl, col_en, int(entries[j]))
            elif d.mode is ReadMode.COUNT:
                answer = int(array.source_lines(tile, row, bl, col_en).sum())
            else:
                answer = _search_single(array, tile, row, bl, col_en)
            answers.append(np.array([answer]))
        scores[0, j] = _score(d, entries[j : j + 1], answers)[0]
    return scores


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
