"""A mapped network on a modelled chip: the model evaluated alone, in the controller's order of reads.

A row belongs to one program, so its reads are numbered alike whatever the other programs do, and a whole batch is
evaluated program by program. ``run_row_by_row`` is the same on single reads of an array, slowly: the check of
the one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.model.evaluator import Evaluator, RowRead
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import RowProgram
from bridgebnn.model.networks.golden import Forward, check_bits

from .ledger import ReadLedger

Progress = Callable[[int, int], None]
"""Called with (layers times images done, of how many)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What the chip answers to a batch.

    Parameters
    ----------
    hidden : list of uint8, (batch, n)
        Bits that each operation gives, as in ``golden.Forward``.
    scores : int32, (batch, n_out); int64 where the host makes them
        Of the last operation; float64 from a circuit without a digital output.
    classes : int64, (batch,)
        Index of the largest score, the lowest on ties.
    """

    hidden: list[NDArray[np.uint8]]
    scores: NDArray[Any]
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


def load(mapping: Mapping, array: Array) -> None:
    """Put a mapping's cells onto a chip without pulses."""
    for tile, row in mapping.program_order():
        array.preload(tile, row, mapping.images[tile, row], mapping.masks[tile, row])


def run(
    mapping: Mapping,
    chip: Evaluator,
    images: NDArray[Any],
    *,
    progress: Progress | None = None,
    batch: int = 500,
    ledger: ReadLedger | None = None,
) -> Result:
    """Evaluate images on a programmed chip; an array's read numbers go on as if it had been read.

    Parameters
    ----------
    mapping : Mapping
        What the chip was programmed with, of the chip's geometry.
    chip : Evaluator
        The array, or a circuit that a study puts in its place.
    images : bool or integer {0, 1}, (n, n_in)
    progress : callable, optional
        ``progress(done, total)``.
    batch : int
        Images evaluated at once; the results of an array do not depend on it.
    ledger : ReadLedger, optional
        Counts what the reads cost; of this array and the mapping's programs.

    Raises
    ------
    ValueError
        Images of wrong shape or values, or a chip of another geometry.
    """
    bits = _check(mapping, chip, images)
    parts = []
    batch = max(1, batch // max(program.windows for program in mapping.programs))
    for start in range(0, len(bits), batch):
        answers: Answers = partial(_read, chip)
        if ledger is None:
            parts.append(_evaluate(mapping, bits[start : start + batch], answers))
        else:
            parts.append(_counted(mapping, bits[start : start + batch], answers, ledger))
        if progress is not None:
            progress(min(start + batch, len(bits)), len(bits))
    return _join(mapping, parts)


def run_row_by_row(mapping: Mapping, array: Array, images: NDArray[Any]) -> Result:
    """``run`` on single reads in the controller's order: vector by vector, layer by layer, row by row."""
    bits = _check(mapping, array, images)
    return _join(mapping, [_evaluate(mapping, image[None], partial(_read_singly, array)) for image in bits])


Answers = Callable[[RowProgram, NDArray[np.uint8]], Sequence[NDArray[Any]]]
"""From a program and a batch of its inputs to the tiles' decisions or popcounts."""


def _check(mapping: Mapping, chip: Evaluator, images: NDArray[Any]) -> NDArray[np.uint8]:
    if chip.geometry != mapping.geometry:
        raise ValueError(f"the chip has {chip.geometry}, the mapping {mapping.geometry}: must be the same")
    return check_bits(images, mapping.network.n_in)


def _evaluate(mapping: Mapping, bits: NDArray[np.uint8], answers: Answers) -> Result:
    given: dict[int | None, NDArray[np.uint8]] = {None: bits}  # bits by the operation that gives them
    if mapping.before:
        given |= dict(enumerate(mapping.before(bits).hidden))
    scores: NDArray[Any] = np.zeros((len(bits), 0), np.int64)
    for program in mapping.programs:
        scores = program.combined(answers(program, program.vectors(given[program.source])))
        given[program.operation] = program.gathered((scores >= 0).astype(np.uint8))
    last = mapping.programs[-1]
    if last.output == "sign" and last.combine is Combine.ADD:
        scores = np.where(scores >= 0, 1, -1)  # as golden: only scores are a sum
    operations = mapping.network.operations
    hidden = [given[i] for i, operation in enumerate(operations) if i in given and operation.output == "sign"]
    if mapping.behind:
        done = mapping.behind(given[last.operation])
        hidden, scores = hidden + done.hidden, done.scores
    return Result(
        hidden=hidden,
        scores=scores
        if scores.dtype.kind == "f"
        else scores.astype(np.int64 if mapping.behind else np.int32),
        classes=np.argmax(scores, axis=1),
    )


def _counted(mapping: Mapping, bits: NDArray[np.uint8], answers: Answers, ledger: ReadLedger) -> Result:
    """``_evaluate``, and the visits in the controller's order: image by image, program by program, window by window."""
    levels: dict[int, list[NDArray[np.bool_]]] = {}

    def noted(program: RowProgram, inputs: NDArray[np.uint8]) -> Sequence[NDArray[Any]]:
        levels[len(levels)] = [read.column_data(inputs) for read in program.reads]
        return answers(program, inputs)

    found = _evaluate(mapping, bits, noted)
    visits = [program.windows for program in mapping.programs]
    ledger.add(np.tile(np.repeat(np.arange(len(visits)), visits), len(bits)), levels)
    return found


def _join(mapping: Mapping, parts: list[Result]) -> Result:
    network = mapping.network
    widths = [operation.n_out for operation in network.operations if operation.output == "sign"]
    scores = np.concatenate([np.zeros((0, network.n_out), np.int32), *(part.scores for part in parts)])
    return Result(
        hidden=[
            np.concatenate([np.zeros((0, n), np.uint8), *(part.hidden[i] for part in parts)])
            for i, n in enumerate(widths)
        ],
        scores=scores,
        classes=np.argmax(scores, axis=1),
    )


def _read(chip: Evaluator, program: RowProgram, bits: NDArray[np.uint8]) -> list[NDArray[Any]]:
    return [chip.read(read, read.column_data(bits)) for read in program.reads]


def _read_singly(array: Array, program: RowProgram, bits: NDArray[np.uint8]) -> list[NDArray[Any]]:
    read = [_read_one(array, program, vector[None]) for vector in bits]
    return [np.concatenate(answers) for answers in zip(*read, strict=True)]


def _read_one(array: Array, program: RowProgram, bits: NDArray[np.uint8]) -> list[NDArray[Any]]:
    levels = [read.column_data(bits)[0] for read in program.reads]
    answers = np.empty((len(levels), 1, program.n_out), np.int64)
    for j, (row, entry) in enumerate(zip(program.rows.tolist(), program.entries.tolist(), strict=True)):
        if program.mode is not ReadMode.SEARCH:
            array.begin_read([read.tile for read in program.reads], row)
        for k, (read, bl) in enumerate(zip(program.reads, levels, strict=True)):
            if program.mode is ReadMode.SIGN:
                answers[k, 0, j] = array.compare(read.tile, row, bl, read.col_en, entry)
            elif program.mode is ReadMode.COUNT:
                answers[k, 0, j] = array.source_lines(read.tile, row, bl, read.col_en).sum()
            else:
                answers[k, 0, j] = _search_singly(array, read, row, bl)
    return list(answers)


def _search_singly(array: Array, read: RowRead, row: int, bl: NDArray[np.bool_]) -> int:
    low, ref = 0, 0
    for k in reversed(range(read.comparisons)):
        middle = low + (1 << k)
        # held where the popcount would be out of reach, and its answer ignored
        ref = (read.enabled + 1) // 2 - middle if middle <= read.enabled else ref
        array.begin_read(read.tile, row)
        if array.compare(read.tile, row, bl, read.col_en, ref) and middle <= read.enabled:
            low = middle
    return low
