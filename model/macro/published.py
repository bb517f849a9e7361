"""A macro of the authors' published statistics: it answers row reads, and plays the macro on the pins.

Programming is that of ideal devices, so every cell holds what it was told. Two things are drawn:

* *Cells.* With probability p a cell reads the wrong bit, for good: drawn per (chip, tile, row), like a device that
  failed. Every read through ``sl`` shows it: COUNT, READ_ROW and the read-back that ends PROGRAM_ROW.
* *Decisions.* Each comparison of a row draws one uniform number per (chip, tile, read number).

**A neuron is a row of a tile**: C cells are the C_en enabled columns, bias columns included, of which the spread
``sigma = a*C_en + b`` follows. Counting from the threshold, ``h = pop + ref - ceil(C_en/2)`` is 0 at the nearest
popcount that gives 1 and -1 at the nearest that gives 0. Without cell errors h names the side that is meant and the
published distance on it, ``D = h`` or ``D = -h - 1``; with them the popcount is another, h' and d' likewise, from the
side that was *meant*: ``d' = h'`` or ``d' = -h' - 1``. The decision is wrong with the published s(d') where d' >= 0,
else with 1 - s(d'). Summed over the cell errors this is ``bridgebnn.model.studies.statistics.neuron_error`` of N
inputs where C_en = N + 2*floor(0.05*N), to the last digit, for either side.

Since s depends on |d'| + 1, the published comparator is not a function of its own dV: next to the threshold, past it
by one count, it errs as if two counts away. That is theirs; the probability of a 1 nevertheless only grows with the
reference, so one number per read decides for every ``ref``, as on the pins of a real macro.

* ``ADD`` of tiles reads popcounts: COUNT sees the cell errors alone, SEARCH compares ceil(log2(C_en+1)) times, each
  with a number of its own. A neuron that is split over tiles is not in the publication.
* ``VOTE``: each tile is a neuron of its own C_en, with its own comparator.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.draws import Purpose, by_read, by_read_batch, many_uniform_fine, uniform_fine
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.parameters.published import PublishedParams, cells_sigma, comparator_error
from bridgebnn.model.products import whole_product

from .array import Array, Bits

__all__ = ["DecisionTable", "PublishedArray", "array_of"]

Counts = NDArray[np.int16]

_KEPT = 256

_FAR = 16000
"""Counts further from the threshold than any popcount and the reach of every table."""

_MOST_RUNS = 16
"""Runs of columns up to which they are copied one by one."""

_KEPT_PARTS = 16
"""Rows beside enabled columns of which a tile keeps the matrices: a layer or two of a tile."""

_KEPT_BYTES = 1 << 25
"""Popcounts that a tile keeps for the next chip with the same cells: those of 15,000 images at 512 rows."""


class DecisionTable:
    """Probability that a row of ``cells`` cells gives 1, by where it stands and where it should.

    Parameters
    ----------
    cells : int, 1..7613
        Enabled columns C_en.
    clock_ns : 6, 8 or 20

    Attributes
    ----------
    one, zero : float64, (2*K + 1,)
        For h' = -K..K where 1, and where 0 is meant; never falling, 0 and 1 at the ends.
    reach : int
        K, beyond which nothing is left in float64.
    """

    def __init__(self, cells: int, clock_ns: int) -> None:
        sigma = cells_sigma(cells, clock_ns)
        self.reach = int(np.ceil(sigma * np.sqrt(2 * 54 * np.log(2)))) + 1
        h = np.arange(-self.reach, self.reach + 1)
        right = comparator_error(h, sigma)
        self.one = np.where(h >= 0, 1 - right, right)
        past = comparator_error(-h - 1, sigma)
        self.zero = np.where(h <= -1, past, 1 - past)
        self._both = np.concatenate([self.zero, self.one])
        for table in (self.one, self.zero):
            table[0], table[-1] = 0.0, 1.0
        self._both[[0, len(h)]], self._both[[len(h) - 1, -1]] = 0.0, 1.0

    def probability(self, meant: NDArray[Any], stands: NDArray[Any]) -> NDArray[np.float64]:
        """Of a 1, from h and h', arrays of the same shape."""
        at = np.clip(stands, -self.reach, self.reach)
        at += np.asarray(self.reach, at.dtype)
        at += (meant >= 0) * np.asarray(len(self.one), at.dtype)
        return self._both.take(
            at.astype(np.intp), mode="clip"
        )  # within it anyway; asking costs more than reading

    def least(self, u: NDArray[np.float64], shift: NDArray[Any]) -> NDArray[np.int64]:
        """Smallest h at which the probability exceeds ``u``; ``shift`` = h' - h."""
        below = np.searchsorted(self.zero, u, side="right") - self.reach - shift
        above = np.searchsorted(self.one, u, side="right") - self.reach - shift
        return np.where(below <= -1, below, np.maximum(above, 0))


class Popcounts(NamedTuple):
    """Of the programmed cells, and of what they read as: int16 (batch, n) each; the same array where none errs."""

    meant: Counts
    as_read: Counts


class _Part(NamedTuple):
    """Some rows beside some enabled columns as float32: popcount = constant (n,) + slope (n, m) @ enabled inputs."""

    slope: NDArray[np.float32]
    constant: NDArray[np.float32]

    def popcounts(self, on: NDArray[np.float32]) -> Counts:
        """(batch, n) from the enabled inputs (batch, m); sums of whole numbers below 2**24 are exact in float32."""
        found = whole_product(on, self.slope.T)
        found += self.constant
        return found.astype(np.int16)


class _Cells:
    """What the cells of a tile give with input 1 and with input 0, bool (R, C) each, and what was derived from it.

    Parameters
    ----------
    state : bytes
        Of the devices that it follows from.
    wrong : callable, optional
        Cells of ``rows`` that give the other bit, (n, C) bool.
    """

    def __init__(
        self, state: bytes, ones: Bits, zeros: Bits, wrong: Callable[[slice], Bits] | None = None
    ) -> None:
        self.state, self.ones, self.zeros, self._wrong = state, ones, zeros, wrong
        self._parts: LRUCache[Any, _Part] = LRUCache(_KEPT_PARTS)
        self._answers: LRUCache[Any, tuple[Bits, Counts] | None] = LRUCache(
            _KEPT_BYTES, getsizeof=lambda kept: 1 if kept is None else kept[0].nbytes + kept[1].nbytes
        )

    def part(self, rows: slice, columns: NDArray[np.intp]) -> _Part:
        """Rows beside the enabled columns."""
        key = rows.start, rows.stop, columns.tobytes()
        if key not in self._parts:
            ones, zeros = self.ones[rows], self.zeros[rows]
            if self._wrong is not None:
                wrong = self._wrong(rows)
                ones, zeros = ones ^ wrong, zeros ^ wrong
            if len(columns) < ones.shape[1]:
                ones, zeros = ones.take(columns, axis=1), zeros.take(columns, axis=1)
            slope = (ones.view(np.int8) - zeros.view(np.int8)).astype(np.float32)
            self._parts[key] = _Part(slope, np.count_nonzero(zeros, axis=1).astype(np.float32))
        return self._parts[key]

    def popcounts(self, rows: slice, columns: NDArray[np.intp], on: NDArray[np.float32]) -> Counts:
        """``_Part.popcounts`` of these rows."""
        return self.part(rows, columns).popcounts(on)

    def shared_popcounts(
        self, rows: slice, columns: NDArray[np.intp], on: NDArray[np.float32], number: int, inputs: Bits
    ) -> Counts:
        """The same, kept for the next chip with these cells if it gets the same inputs at the same read number."""
        key = rows.start, rows.stop, columns.tobytes(), number
        if key not in self._answers:
            found = self.popcounts(rows, columns, on)
            if inputs.nbytes + found.nbytes <= self._answers.maxsize:
                self._answers[key] = inputs.copy(), found
            return found
        kept = self._answers[key]
        if kept is not None and np.array_equal(kept[0], inputs):
            return kept[1]
        self._answers[key] = None  # it depends on the chip: not worth another look
        return self.popcounts(rows, columns, on)


class PublishedArray(Array):
    """One chip whose reads follow the published statistics; an ``Evaluator``, and a ``MacroModel`` on the pins.

    Parameters
    ----------
    geometry : Geometry
        At most 4096 columns, well within the 7613 cells of the widest published neuron.
    params : MacroParams
        With ``published``.
    chip : int, 0..2**64-1

    Raises
    ------
    ValueError
        Parameters of another kind of macro.
    """

    def __init__(self, geometry: Geometry, params: MacroParams, chip: int = 0) -> None:
        if params.published is None:
            raise ValueError(f"macro {params.name!r} has no published statistics")
        super().__init__(geometry, params, chip)
        self.statistics: PublishedParams = params.published
        self._wrong: dict[int, tuple[Bits, Bits]] = {}  # of each tile, and which rows were drawn
        self._tables: dict[int, DecisionTable] = {}
        self._programmed: dict[int, _Cells] = {}
        self._as_read: dict[int, _Cells] = {}
        self._decisions_kept: LRUCache[Any, NDArray[np.float64]] = LRUCache(_KEPT)

    def sibling(self, params: MacroParams, chip: int) -> PublishedArray:
        """Another chip that was programmed with the same cells, at its first read; it shares these devices.

        What is drawn differs alone, so it answers as a chip of that seed that was programmed for itself.
        """
        if params.published is None:
            raise ValueError(f"macro {params.name!r} has no published statistics")
        twin = copy.copy(self)
        twin.params, twin.statistics, twin.chip = params, params.published, chip
        twin.reads = np.zeros_like(self.reads)
        twin._wrong, twin._decisions_kept = {}, LRUCache(_KEPT)
        if params.published.clock_ns != self.statistics.clock_ns:
            twin._tables = {}
        # cells as they read differ, cells as they were programmed do not
        twin._as_read, twin._programmed = {}, self._programmed
        return twin

    # -- what is drawn ---------------------------------------------------------------------------------------

    def wrong_cells(self, tile: int, rows: slice | None = None) -> Bits:
        """Cells that read the wrong bit, bool (R, C), or (n, C) of ``rows`` (of step 1) alone."""
        rows = slice(0, self.geometry.rows) if rows is None else rows
        wrong, known = self._wrong.get(tile, (None, None))
        if wrong is None or known is None:
            shape = self.geometry.rows, self.geometry.columns
            wrong, known = self._wrong[tile] = np.zeros(shape, bool), np.zeros(shape[0], bool)
        rate, missing = (
            self.statistics.cell_error_rate,
            np.arange(*rows.indices(len(known))[:2])[~known[rows]],
        )
        if rate > 0 and len(missing):
            numbers, size = missing.tolist(), self.geometry.columns
            wrong[missing] = many_uniform_fine(self.chip, Purpose.CELL_ERROR, tile, numbers, size=size) < rate
            known[missing] = True
        return wrong[rows]

    @cachedmethod(lambda self: self._decisions_kept)
    def _drawn(self, tile: int, number: int) -> NDArray[np.float64]:
        """Uniform numbers of the comparisons of ``tile`` at read ``number``, one a row."""
        return uniform_fine(self.chip, Purpose.DECISION, tile, number, size=self.geometry.rows)

    def _drawn_batch(
        self, tile: int, rows: slice, batch: int, first: NDArray[np.int64], stride: int
    ) -> NDArray[np.float64]:
        """The same for a batch, (batch, n)."""
        return by_read_batch(
            partial(many_uniform_fine, self.chip, Purpose.DECISION, tile),
            rows.indices(self.geometry.rows)[:2],
            batch,
            first,
            stride,
        )

    def table(self, cells: int) -> DecisionTable:
        """Probabilities of a row of so many enabled columns."""
        if cells not in self._tables:
            self._tables[cells] = DecisionTable(cells, self.statistics.clock_ns)
        return self._tables[cells]

    # -- popcounts -------------------------------------------------------------------------------------------

    def _cells(self, tile: int) -> tuple[_Cells, _Cells]:
        """Cells as they were programmed, and as they read."""
        state = self.devices.row_version[tile].tobytes()
        meant = self._programmed.get(tile)
        if meant is None or meant.state != state:
            meant = self._programmed[tile] = _Cells(state, *super().planes(tile))
        as_read = self._as_read.get(tile)
        if as_read is None or as_read.state != state:
            as_read = meant
            if self.statistics.cell_error_rate > 0:
                as_read = _Cells(state, meant.ones, meant.zeros, partial(self.wrong_cells, tile))
            self._as_read[tile] = as_read
        return meant, as_read

    def counts(  # type: ignore[override]
        self, tile: int, rows: slice, inputs: Bits, col_en: Bits, number: int | None = None
    ) -> Popcounts:
        """Popcounts of the programmed cells, and of what they read as.

        ``number`` is the read number of the first input: with it, what the next chip would compute again is kept.
        """
        cells, as_read = self._cells(tile)
        rows, columns = slice(*rows.indices(self.geometry.rows)[:2]), np.flatnonzero(col_en)
        on = _taken(inputs, columns)
        if number is None:
            meant = cells.popcounts(rows, columns, on)
        else:
            meant = cells.shared_popcounts(rows, columns, on, number, inputs)
        return Popcounts(meant, meant if as_read is cells else as_read.popcounts(rows, columns, on))

    def popcounts(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        first: NDArray[np.int64],
        stride: int = 1,
    ) -> NDArray[np.int64]:
        return self.counts(tile, rows, inputs, col_en).as_read.astype(np.int64)

    # -- one read, pin by pin --------------------------------------------------------------------------------

    def source_lines(self, tile: int, row: int, bl: Bits, col_en: Bits) -> Bits:
        bits = super().source_lines(tile, row, bl, col_en)
        return (bits ^ self.wrong_cells(tile, slice(row, row + 1))[0]) & np.asarray(col_en, bool)

    def min_ref(self, tile: int, row: int, bl: Bits, col_en: Bits) -> int:
        rows = slice(row, row + 1)
        return int(self.min_refs(tile, bl, col_en, self.reads[tile, rows], rows)[0])

    def analog(self, tile: int, row: int, bl: Bits, col_en: Bits, ref: int = 0) -> dict[str, Any]:
        """As the ideal circuit with these cells would show; the comparator's errors are in no voltage."""
        return super().analog(
            tile, row, np.asarray(bl, bool) ^ self.wrong_cells(tile, slice(row, row + 1))[0], col_en, ref
        )

    # -- all rows of a tile, and batches ---------------------------------------------------------------------

    def min_refs(
        self, tile: int, bl: Bits, col_en: Bits, reads: ArrayLike | None = None, rows: slice | None = None
    ) -> NDArray[np.int32]:
        rows = slice(0, self.geometry.rows) if rows is None else rows
        numbers = self.reads[tile, rows] + 1 if reads is None else np.asarray(reads)
        u = by_read(partial(self._drawn, tile), numbers, rows)
        meant, as_read = self.counts(tile, rows, np.asarray(bl, bool)[None], np.asarray(col_en, bool))
        return self._least(u, meant[0], as_read[0], int(np.count_nonzero(col_en)))

    def min_refs_batch(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        first: NDArray[np.int64],
        stride: int = 1,
        counts: Popcounts | None = None,  # type: ignore[override]
    ) -> NDArray[np.int32]:
        meant, as_read = self.counts(tile, rows, inputs, col_en) if counts is None else counts
        u = self._drawn_batch(tile, rows, len(inputs), first, stride)
        return self._least(u, meant, as_read, int(np.count_nonzero(col_en)))

    def _least(self, u: NDArray[np.float64], meant: Counts, as_read: Counts, cells: int) -> NDArray[np.int32]:
        least = self.table(cells).least(u, as_read - meant)
        return (least - meant + (cells + 1) // 2).astype(np.int32)

    def decide(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        refs: NDArray[np.integer],
        first: NDArray[np.int64],
        stride: int = 1,
    ) -> Bits:
        """As ``refs >= min_refs_batch(...)``, in half of its time."""
        cells = int(np.count_nonzero(col_en))
        meant, as_read = self.counts(tile, rows, inputs, col_en, int(first[0]))
        # a reference beyond every popcount decides as any other beyond it, and int16 holds the sum
        offset = np.clip(np.asarray(refs) - (cells + 1) // 2, -_FAR, _FAR).astype(np.int16)
        probability = self.table(cells).probability(meant + offset, as_read + offset)
        return self._drawn_batch(tile, rows, len(inputs), first, stride) < probability

    def planes(self, tile: int, col_en: Bits | None = None) -> tuple[Bits, Bits]:
        ones, zeros = super().planes(tile, col_en)
        wrong = self.wrong_cells(tile)
        return ones ^ wrong, zeros ^ wrong


def array_of(geometry: Geometry, params: MacroParams, chip: int) -> Array:
    """The chip that a parameter set describes: a `PublishedArray` where it has published statistics."""
    kind = Array if params.published is None else PublishedArray
    return kind(geometry, params, chip)


def _taken(inputs: Bits, columns: NDArray[np.intp]) -> NDArray[np.float32]:
    """``inputs[:, columns]`` as float32; ascending columns are mostly few runs, which are copied faster than picked."""
    if not len(columns):
        return np.zeros((len(inputs), 0), np.float32)
    runs = np.split(columns, np.flatnonzero(np.diff(columns) != 1) + 1)
    if len(runs) > _MOST_RUNS:
        return inputs.take(columns, axis=1).astype(np.float32)
    return np.concatenate([inputs[:, run[0] : run[-1] + 1] for run in runs], axis=1, dtype=np.float32)
