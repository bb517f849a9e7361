"""What the read pins must show in every cycle of an inference, from docs/architecture.md (sections 3, 5, 6, 10).

Plain Python on integers, one bit per column; nothing of the RTL and nothing of ``hdl/spec`` but the geometry.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bridgebnn.hdl.spec import Geometry

from .descriptor_rules import COUNT, SIGN, Raw, first_bad

__all__ = ["Chip", "Cycle", "Phases", "Vector", "run_vector"]

GAP_CYC = 3
"""Cycles between two layers (section 5)."""


class Phases(NamedTuple):
    """Lengths as they act, in cycles: a 0 in the register is a 1 here."""

    precharge: int
    evaluate: int
    sense: int

    @classmethod
    def of_register(cls, precharge: int, evaluate: int, sense: int) -> Phases:
        """From the fields of TIMING_READ."""
        return cls(*(max(1, value) for value in (precharge, evaluate, sense)))


class Cycle(NamedTuple):
    """Pins in one cycle of a read; ``bl`` where ``col_en`` is 1."""

    precharge: int
    evaluate: int
    sense: int
    row: int
    wl_en: int
    ref: int
    bl: int
    col_en: int


@dataclass(frozen=True, kw_only=True)
class Chip:
    """Weights, thresholds and spares.

    Parameters
    ----------
    weights : list of list of int
        ``[tile][row]``, one bit per plain column; of the plain rows.
    thresholds : list of int
        Signed.
    columns : dict of (tile, column) to spare, rows : dict of row to spare
        Lines that spares stand in for. They hold the opposite of what is wanted.
    """

    geometry: Geometry
    weights: list[list[int]]
    thresholds: list[int]
    columns: dict[tuple[int, int], int] = field(default_factory=dict)
    rows: dict[int, int] = field(default_factory=dict)

    @classmethod
    def random(cls, geometry: Geometry, rng: random.Random, *, repaired: bool) -> Chip:
        """Random weights, thresholds in between and beyond; with ``repaired``, every spare in use."""
        g = geometry
        plain_rows, plain_columns = g.rows - g.spare_rows, g.inputs + g.bias
        extremes = (-32768, -g.columns - 1, -g.columns, g.columns, g.columns + 1, 32767)
        columns: dict[tuple[int, int], int] = {}
        rows: dict[int, int] = {}
        if repaired:
            for tile in range(g.tiles):
                lines = rng.sample(range(plain_columns), g.spare_columns)
                columns |= {(tile, line): spare for spare, line in enumerate(lines)}
            rows = {line: spare for spare, line in enumerate(rng.sample(range(plain_rows), g.spare_rows))}
        return cls(
            geometry=g,
            weights=[[rng.getrandbits(plain_columns) for _ in range(plain_rows)] for _ in range(g.tiles)],
            thresholds=[
                rng.choice(extremes) if rng.random() < 0.1 else rng.randint(-6, 6)
                for _ in range(g.thresholds)
            ],
            columns=columns,
            rows=rows,
        )

    def word_line(self, row: int) -> int:
        """Address that is driven for a plain row."""
        g = self.geometry
        return g.rows - g.spare_rows + self.rows[row] if row in self.rows else row

    def place(self, tile: int, bits: int) -> int:
        """Bits of the plain columns where a read has them: spares in place of what they stand in for."""
        g = self.geometry
        placed = bits
        for (t, column), spare in self.columns.items():
            if t == tile:
                placed = placed & ~(1 << column) | (bits >> column & 1) << (g.inputs + g.bias + spare)
        return placed

    def cells(self, tile: int, line: int) -> int:
        """What a word line of the chip holds, one bit per column: broken lines the opposite of what is wanted."""
        g = self.geometry
        plain_rows = g.rows - g.spare_rows
        row = next((r for r in self.rows if self.word_line(r) == line), line)
        if row >= plain_rows:
            return 0
        wanted = self.weights[tile][row]
        value = self.place(tile, wanted)
        for t, column in self.columns:
            if t == tile:
                value |= (~wanted >> column & 1) << column
        return ~value & (1 << g.columns) - 1 if line in self.rows else value

    def repair_words(self) -> tuple[list[int], list[int]]:
        """Words of REPAIR_COLUMN and REPAIR_ROW."""
        g = self.geometry
        columns, rows = [0] * (g.tiles * g.spare_columns), [0] * g.spare_rows
        for (tile, line), spare in self.columns.items():
            columns[tile * g.spare_columns + spare] = 1 << 31 | line
        for line, spare in self.rows.items():
            rows[spare] = 1 << 31 | line
        return columns, rows


@dataclass(frozen=True)
class Vector:
    """One vector's course: the cycles of each layer, what the last one gives, comparisons in all."""

    layers: list[list[Cycle]]
    bits: list[int]
    scores: list[int]
    comparisons: int

    def trace(self) -> list[Cycle | None]:
        """All cycles, from the first precharge to the last one of a read; None where no phase is active."""
        found: list[Cycle | None] = []
        for cycles in self.layers:
            found += [None] * (GAP_CYC if found else 0)
            found += cycles
        return found


def _tiles(chip: Chip, d: Raw, bits: Sequence[int]) -> Iterator[tuple[int, int, int, int, int]]:
    """Number, plain column data, plain enables, and both as a read has them, of each tile of a layer."""
    g = chip.geometry
    for k in range(d["tile_count"]):
        last = k == d["tile_count"] - 1
        inputs, bias = (d["cols_last"], d["bias_last"]) if last else (d["cols"], d["bias"])
        part = bits[k * d["cols"] : k * d["cols"] + inputs]
        data = sum(bit << i for i, bit in enumerate(part)) | ((1 << bias) - 1) << g.inputs
        enables = (1 << inputs) - 1 | ((1 << bias) - 1) << g.inputs
        tile = d["tile_first"] + k
        yield tile, data, enables, chip.place(tile, data), chip.place(tile, enables)


class _Reads:
    """Cycles of reads, one comparison or count after the other."""

    def __init__(self, phases: Phases, late: Sequence[int]):
        self.phases, self.late, self.turn = phases, late, 0
        self.cycles: list[Cycle] = []

    def _add(self, length: int, *pins: int) -> None:
        self.cycles += [Cycle(*pins)] * length

    def compare(self, *pins: int) -> None:
        """One comparison, with its lateness; pins from ``row`` on."""
        self._add(self.phases.precharge, 1, 0, 0, *pins)
        self._add(self.phases.evaluate, 0, 1, 0, *pins)
        self._add(self.phases.sense + self.late[self.turn % len(self.late)], 0, 1, 1, *pins)
        self.turn += 1

    def count(self, slices: int, *pins: int) -> None:
        """One count of ``sl``."""
        self._add(self.phases.precharge, 1, 0, 0, *pins)
        self._add(self.phases.evaluate + slices, 0, 1, 0, *pins)


def run_vector(
    chip: Chip, table: Sequence[Raw], bits: Sequence[int], phases: Phases, late: Sequence[int] = (0,)
) -> Vector:
    """The course of one input vector.

    Parameters
    ----------
    late : sequence of int
        Cycles by which the answer of a comparison comes after the sense phase, over and over.
    """
    if first_bad(table, chip.geometry) is not None:
        raise ValueError(f"{table}: must be legal")
    g, layers, reads = chip.geometry, [], _Reads(phases, late)
    scores: list[int] = []
    for d in table:
        tiles = list(_tiles(chip, d, bits))
        columns = [sum(tile[place] << tile[0] * g.columns for tile in tiles) for place in (3, 4)]
        used = sum(1 << tile[0] for tile in tiles)
        scores = []
        for i in range(d["row_count"]):
            row = d["row_first"] + i
            line = chip.word_line(row)
            threshold = chip.thresholds[d["threshold_base"] + i] if d["use_threshold"] else 0
            counts = [
                ((~(data ^ chip.weights[tile][row]) & enables).bit_count(), enables.bit_count())
                for tile, data, enables, *_ in tiles
            ]
            if d["mode"] == SIGN:
                reads.compare(line, used, max(-g.columns, min(g.columns, threshold)), *columns)
                votes = sum(2 * pop - enabled + 2 * threshold >= 0 for pop, enabled in counts)
                scores.append(2 * votes - len(counts))
                continue
            scores.append(2 * sum(pop for pop, _ in counts) + threshold)
            if d["mode"] == COUNT:
                reads.count(-(-g.columns // g.count_width), line, used, 0, *columns)
                continue
            for (tile, *_), (pop, enabled) in zip(tiles, counts, strict=True):
                for ref in _search(pop, enabled):
                    reads.compare(line, 1 << tile, ref, *columns)
        bits = [int(score >= 0) for score in scores]
        layers.append(reads.cycles)
        reads.cycles = []
    return Vector(layers, list(bits), scores, reads.turn)


def _search(popcount: int, enabled: int) -> Iterator[int]:
    """The references of one tile's search, in their order."""
    low, ref = 0, 0
    for k in reversed(range(enabled.bit_length())):
        trial = low + (1 << k)
        if trial <= enabled:
            ref = (enabled + 1) // 2 - trial
        yield ref
        if trial <= enabled and 2 * popcount - enabled + 2 * ref >= 0:
            low = trial
    if low != popcount:
        raise AssertionError(f"the search of section 3 gives {low}, not {popcount}")
