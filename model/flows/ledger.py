"""Counts what row reads cost in energy, from the column data of each visit to a row program.

A *visit* is one run of a program over its rows with one vector on the columns; the model alone knows its
visits from the mapping, a testbench sees them on the pins. While the input stands still, what happens from row to
row (currents, source lines, buffers) is a sum over columns, linear in the input, so visits with the same program are
counted together; only popcounts and the step from one visit to the next are looked at one by one.

Chosen here [ours]: bits are those without read noise; a disabled column rests at 0 V with its buffer at 0; every
tile begins so. Comparators that resolve late cost no more than others.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import ReadMode, Timing, words
from bridgebnn.hdl.spec.latency import row_cycles, vector_cycles
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.events import Events
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import RowProgram, TileRead

__all__ = ["ReadLedger", "bus_words", "inference_events"]

Bits = NDArray[np.bool_]
Whole = NDArray[np.int64]


class _Lines(NamedTuple):
    """Source lines (uV) and buffers of enabled columns, 0 elsewhere."""

    uV: Whole
    q: Bits


class _Program:
    """A program's rows on one tile, and what any visit sums up, as functions of the input: (C,) for 1 and for 0."""

    def __init__(self, array: Array, read: TileRead, timing: Timing) -> None:
        self.read, self.on = read, read.col_en
        at = array.operating_points(read.tile, read.rows, read.col_en)
        self.q1, self.q0 = at.s1 & self.on, at.s0 & self.on
        self.uV1, self.uV0 = (np.rint(v * 1e6).astype(np.int64) * self.on for v in (at.v1_V, at.v0_V))
        cycles = row_cycles(read.mode, [1], timing, array.geometry) * read.comparisons
        pA = [np.rint(np.abs(i) * 1e12).astype(np.int64) * self.on for i in (at.i1_A, at.i0_A)]
        self.linear: dict[str, tuple[Whole, Whole]] = {
            "bridge_pA_cycles": (cycles * pA[0].sum(axis=0), cycles * pA[1].sum(axis=0)),
            "sl_uV": (self.uV1.sum(axis=0), self.uV0.sum(axis=0)),
        }
        steps = [_steps(v[:-1], v[1:], q[:-1], q[1:]) for v, q in ((self.uV1, self.q1), (self.uV0, self.q0))]
        for name in steps[0]:
            self.linear[name] = steps[0][name].sum(axis=0), steps[1][name].sum(axis=0)
        self._slope = (self.q1.astype(np.float32) - self.q0).T
        self._base = self.q0.sum(axis=1).astype(np.float32)

    def lines(self, x: Bits, row: int) -> _Lines:
        """Those of its row number ``row`` with the inputs ``x`` (n, C)."""
        return _Lines(np.where(x, self.uV1[row], self.uV0[row]), np.where(x, self.q1[row], self.q0[row]))

    def popcounts(self, x: Bits) -> Whole:
        """(n, rows)."""
        return (x.astype(np.float32) @ self._slope + self._base).astype(np.int64)


def _steps(uV: Whole, uV_after: Whole, q: Bits, q_after: Bits) -> dict[str, NDArray[Any]]:
    return {
        "sl_rise_uV": np.maximum(uV_after - uV, 0),
        "buffer_rises": (q_after & ~q).astype(np.int64),
        "buffer_falls": (q & ~q_after).astype(np.int64),
    }


class ReadLedger:
    """Events of a chip's row reads, as far as they were given to it.

    Parameters
    ----------
    array : Array
        The chip; its devices may not change while the ledger is in use.
    programs : sequence of RowProgram
    timing : Timing

    Attributes
    ----------
    events : Events
    evaluated : int64, (T, R)
        Evaluations of every row.
    """

    def __init__(self, array: Array, programs: Sequence[RowProgram], timing: Timing) -> None:
        self.array, self.programs, self.timing = array, list(programs), timing
        self.events = Events()
        self.evaluated = np.zeros((array.geometry.tiles, array.geometry.rows), np.int64)
        self._known: dict[tuple[int, int], _Program] = {}
        self._last: dict[int, tuple[_Program, Bits]] = {}

    def add(self, order: NDArray[np.integer], levels: Map[int, Sequence[Bits]]) -> None:
        """Count visits, which follow those before.

        Parameters
        ----------
        order : int, (n,)
            Number of the program of each visit, in time.
        levels : dict of (list of bool, (visits, C))
            By program, of each of its tiles: column data in the order of the program's visits.
        """
        counts: dict[str, Any] = {"read_cycles": 0}
        at = np.zeros(len(order), np.int64)  # which visit of its program each is
        tiles: dict[int, dict[int, int]] = {}  # by tile: programs, and which of their tiles it is
        for number in levels:
            here = order == number
            at[here] = np.arange(np.count_nonzero(here))
            program, visits = self.programs[number], int(np.count_nonzero(here))
            enabled = [read.enabled for read in program.reads]
            cycles = row_cycles(program.mode, enabled, self.timing, self.array.geometry)
            counts["read_cycles"] += visits * program.n_out * cycles
            for k, read in enumerate(program.reads):
                tiles.setdefault(read.tile, {})[number] = k
        for tile, places in tiles.items():
            data = {number: levels[number][k] & self._of(number, k).on for number, k in places.items()}
            for number, k in places.items():
                _add(counts, self._visits(self._of(number, k), data[number]))
            here = np.isin(order, list(places))
            _add(counts, self._between(tile, order[here], at[here], places, data))
        self.events = self.events.plus(counts)

    def _of(self, number: int, k: int) -> _Program:
        if (number, k) not in self._known:
            read = self.programs[number].reads[k]
            self._known[number, k] = _Program(self.array, read, self.timing)
        return self._known[number, k]

    def _visits(self, program: _Program, x: Bits) -> dict[str, Any]:
        """What the visits with the inputs ``x`` (n, C) sum up, but for the step to each first row."""
        read, n = program.read, len(x)
        ones = x.sum(axis=0, dtype=np.int64)
        counts: dict[str, Any] = {
            name: int(ones @ with_1 + (n - ones) @ with_0)
            for name, (with_1, with_0) in program.linear.items()
        }
        pop, turns = program.popcounts(x), read.comparisons
        rows = n * len(read.rows)
        self.evaluated[read.tile, read.rows] += n * turns
        clocked = read.mode is not ReadMode.COUNT
        return counts | {
            "row_reads": {read.mode.name: rows},
            "evaluations": {read.mode.name: rows * turns},
            "comparisons": rows * turns if clocked else 0,
            "columns": rows * turns * read.enabled,
            "ones": int(pop.sum()) * turns,
            "ones_squared": int((pop * pop).sum()) * turns,
            "zeros_squared": int(((read.enabled - pop) ** 2).sum()) * turns,
            "operations": 2 * rows * len(read.columns),
        }

    def _between(
        self,
        tile: int,
        order: NDArray[np.integer],
        at: Whole,
        places: dict[int, int],
        data: dict[int, Bits],
    ) -> dict[str, Any]:
        """Steps from the last row of a visit to the first one of the next, on one tile."""
        counts: dict[str, Any] = {}

        def step(before: _Program | None, x_before: Bits, after: _Program, x: Bits) -> None:
            new = after.lines(x, 0)
            if before is None:
                old, changed = _Lines(np.zeros_like(new.uV), np.zeros_like(new.q)), after.on[None]
            else:
                old = before.lines(x_before, -1)
                changed = after.on & (~before.on | (x != x_before))
            _add(counts, {"line_changes": int(np.count_nonzero(changed))})
            found = _steps(old.uV, new.uV, old.q, new.q)
            _add(counts, {name: int(values.sum()) for name, values in found.items()})

        if not len(order):
            return counts
        first = int(order[0])
        before, x_before = self._last.get(tile, (None, np.zeros((1, self.array.geometry.columns), bool)))
        step(before, x_before, self._of(first, places[first]), data[first][:1])
        pairs = np.stack([order[:-1], order[1:]], axis=1)
        for one, two in np.unique(pairs, axis=0).tolist():
            here = np.flatnonzero((pairs == (one, two)).all(axis=1))
            step(
                self._of(one, places[one]),
                data[one][at[:-1][here]],
                self._of(two, places[two]),
                data[two][at[1:][here]],
            )
        last = int(order[-1])
        self._last[tile] = self._of(last, places[last]), data[last][at[-1:]].copy()
        return counts


def bus_words(mapping: Mapping) -> tuple[int, int]:
    """Words on the bus that one inference needs: (reads, writes).

    Written are the input and INPUT_PUSH, read are scores, bits, index and class, and RESULT_POP is written.
    """
    last = mapping.descriptors[-1]
    inputs = mapping.pack_inputs(np.zeros((1, mapping.network.n_in), np.uint8)).shape[1]
    scores = last.row_count if last.score else 0
    return scores + words(last.row_count) + 2, inputs + 2


def inference_events(ledger: ReadLedger, mapping: Mapping, inferences: int) -> Events:
    """Events of ``inferences``, whose reads the ledger counted, with the controller's and the bus's part as they
    follow from the mapping.

    Cycles are those of ``hdl.spec.latency.vector_cycles``: inputs are there, results are taken in time.
    """
    cycles = vector_cycles(mapping.descriptors, ledger.timing, mapping.geometry)
    reads, writes = bus_words(mapping)
    return ledger.events.plus(
        {"cycles": inferences * cycles, "bus_reads": inferences * reads, "bus_writes": inferences * writes}
    )


def _add(counts: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _add(counts.setdefault(name, {}), value)
        else:
            counts[name] = counts.get(name, 0) + value
