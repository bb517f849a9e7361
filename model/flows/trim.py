"""Trimming the comparators' offsets by the reference: find them with the controller's own reads, take them back.

A SEARCH finds a popcount with the comparator, a COUNT the same popcount without it. Where the comparator of a tile has
an offset of o counts, the two differ by ``round(o)`` (by ``floor(o)`` where an even number of columns is enabled),
whatever the pattern; noise and mismatch make the difference wander, and the mean over rows and patterns is finer. So
the *self-test* of a tile is an inference of the host: a few of the network's own rows as a score layer, once by SEARCH
and once by COUNT, on known patterns. It needs neither registers nor pins of its own.

The mean difference, rounded, is then taken back:

=========  =======================================================================================================
program    what changes
=========  =======================================================================================================
SIGN       its threshold entries, which are ``ref``, fall by it. Tiles in step share ``ref``: with several of them
           (VOTE) it is the mean of theirs, and what they differ by stays
SEARCH     its threshold entries, which are added to twice the popcounts' sum, fall by twice the tiles' sum
COUNT      nothing: no comparator takes part
=========  =======================================================================================================

What cannot be trimmed: less than half a count, since ``ref`` comes in counts, and what is drawn anew per decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, Descriptor, ReadMode
from bridgebnn.model.draws import Purpose, draw
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams

from .inference import run

__all__ = ["PATTERNS", "SelfTest", "check_trim", "measured", "self_tests", "trim", "trimmed"]

PATTERNS = 16
"""Patterns of a self-test by default."""


def check_trim(macro: MacroParams, patterns: int) -> None:
    """Refuse to trim a macro of transistors by ``patterns`` patterns; 0 trims nothing.

    Raises
    ------
    ValueError
        Transistors, whose comparator has another offset than the model's.
    """
    if patterns and macro.transistors:
        raise ValueError(f"trim = {patterns} of transistors: must be 0, the model would find other offsets")


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfTest:
    """The self-test of one tile: two mappings of the same rows, each a score layer.

    Parameters
    ----------
    tile : int
    search, count : Mapping
        The rows read by SEARCH and by COUNT.
    patterns : uint8, (batch, inputs of the tile)
    """

    tile: int
    search: Mapping
    count: Mapping
    patterns: NDArray[np.uint8]

    def offset(self, search: NDArray[np.integer], count: NDArray[np.integer]) -> float:
        """Mean difference of the popcounts, from the scores of both, (batch, rows)."""
        return float(np.mean(np.asarray(search, np.int64) - np.asarray(count, np.int64))) / 2


def self_tests(mapping: Mapping, patterns: int = PATTERNS, seed: int = 0) -> list[SelfTest]:
    """One for each tile on which a comparator decides, in the order of the tiles.

    Parameters
    ----------
    mapping : Mapping
        What the chip holds; its first rows of a tile serve, as many as a result bank holds scores.
    patterns : int, 1..
        Random input vectors.
    seed : int
        Of them.

    Raises
    ------
    ValueError
        No pattern.
    """
    if patterns < 1:
        raise ValueError(f"patterns = {patterns}: a self-test needs at least one")
    found: dict[int, SelfTest] = {}
    for number, program in enumerate(mapping.programs):
        for k, read in enumerate(program.reads):
            if program.mode is ReadMode.COUNT or read.tile in found:
                continue
            inputs = read.inputs.stop - read.inputs.start
            vectors = draw(seed, Purpose.STIMULUS, read.tile).integers(0, 2, (patterns, inputs), np.uint8)
            by_mode = {
                mode: _as_scores(mapping, number, k, mode) for mode in (ReadMode.SEARCH, ReadMode.COUNT)
            }
            found[read.tile] = SelfTest(
                tile=read.tile,
                search=by_mode[ReadMode.SEARCH],
                count=by_mode[ReadMode.COUNT],
                patterns=vectors,
            )
    return [found[tile] for tile in sorted(found)]


def _as_scores(mapping: Mapping, number: int, k: int, mode: ReadMode) -> Mapping:
    """The first rows of tile ``k`` of program ``number`` as a network of one score layer: their dot products."""
    d, read, g = mapping.descriptors[number], mapping.programs[number].reads[k], mapping.geometry
    rows = read.rows[: min(g.scores, g.thresholds)]
    cells = mapping.images[read.tile][rows].astype(np.int64)
    ones, size = cells[:, read.bias].sum(axis=1), len(read.columns)
    layer = Dense(
        weights=2 * cells[:, read.columns] - 1,
        thresholds=np.zeros((1, len(rows)), int),
        polarity=np.ones((1, len(rows)), int),
        group_sizes=np.array([size]),
        combine=Combine.ADD,
        output="score",
    )
    descriptor = Descriptor(
        tile_first=read.tile,
        row_first=d.row_first,
        row_count=len(rows),
        cols=size,
        cols_last=size,
        bias=len(read.bias),
        bias_last=len(read.bias),
        mode=mode,
        use_threshold=True,
        score=True,
    )
    return replace(
        mapping,
        network=Network(name=f"self-test of tile {read.tile}", operations=(layer,)),
        descriptors=(descriptor,),
        thresholds=(-size - 2 * ones).astype(np.int16),
        report=(),
    )


def measured(tests: Sequence[SelfTest], array: Array) -> dict[int, float]:
    """Offsets that the self-tests of a programmed chip find, in counts by tile; read numbers go on."""
    return {
        test.tile: test.offset(
            run(test.search, array, test.patterns).scores, run(test.count, array, test.patterns).scores
        )
        for test in tests
    }


def trimmed(mapping: Mapping, offsets: dict[int, float]) -> Mapping:
    """The mapping with the offsets taken back by its threshold entries.

    Parameters
    ----------
    offsets : dict of float
        By tile, in counts, from ``measured``; tiles that are missing have none.

    Raises
    ------
    ValueError
        The threshold memory has no room for entries that a program now needs.
    """
    thresholds, descriptors = mapping.thresholds.astype(np.int64), list(mapping.descriptors)
    for number, program in enumerate(mapping.programs):
        mine = [offsets.get(read.tile, 0.0) for read in program.reads]
        if program.mode is ReadMode.COUNT:
            continue
        change = round(2 * sum(mine)) if program.mode is ReadMode.SEARCH else round(sum(mine) / len(mine))
        if change == 0:
            continue
        d = descriptors[number]
        if not d.use_threshold:
            descriptors[number] = d = replace(d, use_threshold=True, threshold_base=len(thresholds))
            thresholds = np.concatenate([thresholds, np.zeros(d.row_count, np.int64)])
        thresholds[d.threshold_base : d.threshold_base + d.row_count] -= change
    room = mapping.geometry.thresholds
    if len(thresholds) > room:
        raise ValueError(
            f"trimming needs {len(thresholds)} threshold entries, {len(thresholds) - room} more than the memory has; "
            f"thresholds = {len(thresholds)} would fit"
        )
    limits = np.iinfo(np.int16)
    kept = np.clip(thresholds, limits.min, limits.max).astype(np.int16)
    return replace(mapping, descriptors=tuple(descriptors), thresholds=kept)


def trim(mapping: Mapping, array: Array, patterns: int = PATTERNS) -> tuple[Mapping, dict[int, float]]:
    """Self-tests on a programmed chip, and the mapping with what they found taken back."""
    offsets = measured(self_tests(mapping, patterns), array)
    return trimmed(mapping, offsets), offsets
