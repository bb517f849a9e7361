"""Row programs: what a chip does for one operation, in words that know no kind of operation.

A network's operations become a list of programs. Each says what bits it reads, which rows of which tiles beside
which enabled columns, how the tiles' answers combine, and whose bits come out; golden's results, monitors,
scoreboard and agents meet in these words, whatever the operation was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, Descriptor, Geometry, MapWalk, ReadMode, Repairs
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.networks.golden import pooled, windows
from bridgebnn.model.networks.operations import Output

__all__ = ["RowProgram", "TileRead", "digital_rows", "first_rows", "row_program", "row_reads"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TileRead(RowRead):
    """A program's part on one tile: its reads, and which input bit stands on which column.

    Parameters
    ----------
    inputs : slice
        Bits of the program's input vector that this tile takes.
    columns : int64, (m,)
        Enabled column of each of these bits, in order.
    bias : int64, (b,)
        Enabled bias columns.
    levels : bool, (C,)
        Column data beside the inputs: bias columns at 1, whether enabled or not.
    wiring : int64, (2, w)
        Every column that carries an input bit, and which bit of the slice: first the m columns from 0 on, of bits 0, 1,
        ..., then the spares that stand in; a replaced column keeps its data.
    """

    inputs: slice
    columns: NDArray[np.int64]
    bias: NDArray[np.int64]
    levels: NDArray[np.bool_]
    wiring: NDArray[np.int64]

    def column_data(self, bits: NDArray[Any]) -> NDArray[np.bool_]:
        """Levels of the tile's columns, bool (batch, C), for a batch {0, 1} (batch, n_in) of the program's inputs."""
        data = np.empty((len(bits), len(self.levels)), bool)
        data[:] = self.levels
        size, mine = len(self.columns), bits[:, self.inputs]
        data[:, :size] = mine
        if self.wiring.shape[1] > size:  # spares that stand in
            columns, numbers = self.wiring[:, size:]
            data[:, columns] = mine[:, numbers]
        return data


@dataclass(frozen=True, kw_only=True, eq=False)
class RowProgram:
    """Row reads of several tiles in step, once per input vector; over a map, once per window of it.

    Parameters
    ----------
    operation : int
        Number of the operation whose bits, or scores, this program gives. They go to every program whose
        ``source`` it is, and of the last one to the result.
    source : int or None
        Operation whose bits it reads; None: the network's input.
    reads : tuple of TileRead
        One per tile, of the same word lines and in the same mode.
    combine : Combine
        How the tiles' decisions combine; popcounts are always added.
    entries : int64, (n,)
        SIGN: references; COUNT, SEARCH: what is added to twice the popcount.
    output : "sign" or "score"
        Bits ``score >= 0``, or the scores themselves.
    walk : MapWalk, optional
        The source is a map, and this is how its windows are read.
    """

    operation: int
    source: int | None
    reads: tuple[TileRead, ...]
    combine: Combine
    entries: NDArray[np.int64]
    output: Output
    walk: MapWalk | None = None

    @property
    def windows(self) -> int:
        """Times that the rows are read for each vector of the source."""
        return self.walk.windows if self.walk is not None else 1

    def vectors(self, bits: NDArray[Any]) -> NDArray[Any]:
        """What is read, window after window, of a batch of the source: (batch, n) to (batch * windows, n_in)."""
        return bits if self.walk is None else windows(bits, self.walk).reshape(-1, self.n_in)

    def gathered(self, values: NDArray[Any]) -> NDArray[Any]:
        """The inverse for what comes out, (batch * windows, n_out) to (batch, outputs); bits are pooled."""
        if self.walk is None or not self.walk.writes_map:
            return values
        return pooled(values.reshape(-1, self.windows, values.shape[1]), self.walk.pool)

    @property
    def mode(self) -> ReadMode:
        """Mode of every read."""
        return self.reads[0].mode

    @property
    def rows(self) -> NDArray[np.int64]:
        """Word line of each output, in the order in which they are read; (n,)."""
        return self.reads[0].rows

    @property
    def n_in(self) -> int:
        """Bits of an input vector."""
        return self.reads[-1].inputs.stop

    @property
    def n_out(self) -> int:
        """Rows, each an output."""
        return len(self.entries)

    @property
    def comparisons(self) -> int:
        """Evaluations of a row of the first tile for each vector."""
        return self.reads[0].comparisons

    @property
    def first(self) -> tuple[int, int]:
        """(tile, word line) that is read first."""
        return self.reads[0].first

    def combined(self, answers: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Scores from the tiles' decisions (SIGN) or popcounts, each (batch, n), as the controller combines them."""
        total = np.array(answers[0], np.float64 if answers[0].dtype.kind == "f" else np.int64)
        for answer in answers[1:]:
            total += answer
        total *= 2
        total += -len(self.reads) if self.mode is ReadMode.SIGN else self.entries
        return total


def row_program(
    descriptor: Descriptor,
    thresholds: NDArray[np.integer],
    geometry: Geometry,
    repairs: Repairs,
    *,
    operation: int,
    source: int | None,
    output: Output,
) -> RowProgram:
    """The program that a line of the descriptor table makes the controller run.

    Parameters
    ----------
    descriptor : Descriptor
    thresholds : int, (entries,)
        Threshold memory.
    geometry : Geometry
    repairs : Repairs
        Lines that spares stand in for.
    operation, source, output
        As in :class:`RowProgram`.
    """
    d = descriptor
    entries = np.zeros(d.row_count, np.int64)
    if d.use_threshold:
        entries += thresholds[d.threshold_base : d.threshold_base + d.row_count]
    rows = np.array(repairs.physical_rows(geometry))[d.row_first : d.row_first + d.row_count]
    return RowProgram(
        operation=operation,
        source=source,
        reads=tuple(_tile_read(d, k, geometry, repairs, rows, entries) for k in range(d.tile_count)),
        combine=d.combine,
        entries=entries,
        output=output,
        walk=descriptor.walk if descriptor.reads_map else None,
    )


def _tile_read(
    d: Descriptor,
    k: int,
    g: Geometry,
    repairs: Repairs,
    rows: NDArray[np.int64],
    entries: NDArray[np.int64],
) -> TileRead:
    size, bias = (d.cols_last, d.bias_last) if k == d.tile_count - 1 else (d.cols, d.bias)
    tile = d.tile_first + k
    plain = np.array(repairs.physical_columns(g, tile))  # column that acts as each plain one
    columns, bias_columns = plain[:size], plain[g.inputs : g.inputs + bias]
    col_en = np.zeros(g.columns, bool)
    col_en[columns] = col_en[bias_columns] = True
    levels = np.zeros(g.columns, bool)
    levels[g.inputs : g.plain_columns] = True
    levels[plain[g.inputs :]] = True
    moved = np.flatnonzero(columns != np.arange(size))
    return TileRead(
        tile=tile,
        rows=rows,
        col_en=col_en,
        mode=d.mode,
        refs=entries,
        inputs=slice(k * d.cols, k * d.cols + size),
        columns=columns,
        bias=bias_columns,
        levels=levels,
        wiring=np.array([[*range(size), *columns[moved]], [*range(size), *moved]]),
    )


def first_rows(programs: Iterable[RowProgram]) -> dict[tuple[int, int], int]:
    """(tile, word line) with which each program begins, and the program's number."""
    return {program.first: number for number, program in enumerate(programs)}


def row_reads(programs: Iterable[RowProgram], geometry: Geometry) -> NDArray[np.int64]:
    """Reads of every row for one input vector, int64 (T, R): so far its read number moves on."""
    count = np.zeros((geometry.tiles, geometry.rows), np.int64)
    for program in programs:
        for read in program.reads:
            np.add.at(count[read.tile], read.rows, program.windows * read.comparisons)
    return count


def digital_rows(programs: Iterable[RowProgram]) -> set[tuple[int, int]]:
    """(tile, word line) of every row that is read through ``sl``: those of COUNT."""
    return {
        (read.tile, row)
        for program in programs
        if program.mode is ReadMode.COUNT
        for read in program.reads
        for row in read.rows.tolist()
    }
