"""Random numbers keyed by what is drawn, never by the order of calls.

Every draw names the chip, the purpose, the tile and up to three counters; the same key always gives the same
numbers, whoever asks, in whatever order, in whatever process. That is why the model alone, each attachment
of the testbench and a parallel run see the same chip and the same noise.

The generator is numpy's Philox4x64-10 [std], key ``(chip, purpose << 32 | tile)``, counter
``(0, *counter)``: the lowest counter word is left to the generator, which raises it block by block.

References
----------
J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Purpose(enum.IntEnum):
    """What is drawn. Values are part of the key: never renumber, append at the end of a block."""

    # neuron, comparator and buffer of a tile
    CAPACITOR = 0  # counter (): mismatch of the unit capacitors, (C, 2) over columns and sides
    COMPARATOR_OFFSET = 1  # counter (): one number a tile
    COMPARATOR_NOISE = 2  # counter (read number,): (R,), row r takes element r
    BUFFER_THRESHOLD = 3  # counter (): (C,)
    CELL_NOISE = 4  # counter (read number, row): (C,), read noise of bridges and buffers
    CHARGE_INJECTION = 5  # counter (): one number a tile
    REFERENCE_GAIN = 6  # counter (): one number a tile
    DECISION = 7  # counter (read number,): (R,), of the published statistics; row r takes element r
    COMPARATOR_SIDE = (
        8  # counter (read number,): (R,), what an undecided comparator falls to; row r takes element r
    )
    # devices
    DEVICE_FRESH = 32  # counter (): pristine resistances and stuck devices
    DEVICE_TRAITS = 33  # counter (row,): device-to-device quantiles
    DEVICE_PRELOAD = 34  # counter (row, ...): states written without pulses
    CELL_ERROR = 35  # counter (row,): (C,), cells that read the wrong bit, of the published statistics
    # pulses and verify reads
    PULSE = 64  # counter (row, side, pulse number): cycle-to-cycle quantiles
    # testbenches and studies
    STIMULUS = 96
    STUDY = 97
    SWEEP = 98  # tile: the layer; counter (draw, first image of a block, group): errors of neurons


_WORD = 1 << 64
_TILE = 1 << 32


def _check_key(chip: int, tile: int, counter: tuple[int, ...]) -> None:
    if not 0 <= chip < _WORD:
        raise ValueError(f"chip = {chip!r}: must be an integer from 0 to 2**64 - 1")
    if not 0 <= tile < _TILE:
        raise ValueError(f"tile = {tile!r}: must be an integer from 0 to 2**32 - 1")
    if len(counter) > 3 or (counter and not 0 <= min(counter) <= max(counter) < _WORD):
        raise ValueError(f"counter = {counter!r}: must be at most 3 integers from 0 to 2**64 - 1")


def _key(chip: int, purpose: int, tile: int, counter: tuple[int, ...]) -> tuple[list[int], list[int]]:
    _check_key(chip, tile, counter)
    return [int(chip), int(purpose) << 32 | int(tile)], [0, *map(int, counter), *([0] * (3 - len(counter)))]


def draw(chip: int, purpose: Purpose, tile: int, *counter: int) -> np.random.Generator:
    """Return a fresh generator for one draw; about 13 us, most of it numpy's.

    Parameters
    ----------
    chip : int, 0 .. 2**64 - 1
        Seed of the chip.
    purpose : Purpose
        What is drawn.
    tile : int, 0 .. 2**32 - 1
        Macro of that chip.
    *counter : int, at most 3, each 0 .. 2**64 - 1
        Read number, row, pulse number: as the purpose says. Missing ones are 0.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """
    key, count = _key(chip, purpose, tile, counter)
    bits = np.random.Philox(key=np.array(key, np.uint64), counter=np.array(count, np.uint64))
    return np.random.Generator(bits)


class _Reused(threading.local):
    """One generator a thread whose key and counter are set anew for each draw: about 3 us."""

    def __init__(self) -> None:
        self.bits = np.random.Philox(key=0)
        self.generator = np.random.Generator(self.bits)
        self.state: Any = self.bits.state
        self.state["buffer_pos"] = 4  # nothing buffered: the next number starts a block
        self.state["has_uint32"] = 0

    def at(self, chip: int, purpose: int, tile: int, counter: tuple[int, ...]) -> np.random.Generator:
        key, count = _key(chip, purpose, tile, counter)
        inner = self.state["state"]
        inner["key"][:] = key
        inner["counter"][:] = count
        self.bits.state = self.state
        return self.generator

    def each(
        self, chip: int, purpose: int, tile: int, numbers: Sequence[int], rest: tuple[int, ...]
    ) -> Iterator[np.random.Generator]:
        """``at`` for the counters ``(number, *rest)`` one after the other: the key is set once, not for each."""
        if not len(numbers):
            return
        for end in (min(numbers), max(numbers)):
            self.at(chip, purpose, tile, (end, *rest))
        counter, bits, state = self.state["state"]["counter"], self.bits, self.state
        for number in numbers:
            counter[1] = number
            bits.state = state
            yield self.generator


_reused = _Reused()


def normal(chip: int, purpose: Purpose, tile: int, *counter: int, size: Any) -> NDArray[np.float64]:
    """Standard normal numbers: the same as ``draw(...).standard_normal(size)``, faster.

    A shorter ``size`` gives the beginning of a longer one.
    """
    return _reused.at(chip, purpose, tile, counter).standard_normal(size)


def uniform(chip: int, purpose: Purpose, tile: int, *counter: int, size: Any) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) on a grid of 2**-24: ``draw(...).random(size, dtype=float32)``, faster."""
    return _reused.at(chip, purpose, tile, counter).random(size, dtype=np.float32)


def uniform_fine(chip: int, purpose: Purpose, tile: int, *counter: int, size: Any) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) on a grid of 2**-53: the same as ``draw(...).random(size)``, faster."""
    return _reused.at(chip, purpose, tile, counter).random(size)


def many_normal(
    chip: int, purpose: Purpose, tile: int, numbers: Sequence[int], *rest: int, size: int
) -> NDArray[np.float64]:
    """``normal(chip, purpose, tile, number, *rest, size=size)`` of many numbers, (n, size), in half the time."""
    found = np.empty((len(numbers), size))
    for out, generator in zip(found, _reused.each(chip, purpose, tile, numbers, rest), strict=True):
        generator.standard_normal(out=out)
    return found


def many_uniform(
    chip: int, purpose: Purpose, tile: int, numbers: Sequence[int], *rest: int, size: int
) -> NDArray[np.float32]:
    """``uniform(chip, purpose, tile, number, *rest, size=size)`` of many numbers, (n, size), in half the time."""
    found = np.empty((len(numbers), size), np.float32)
    for out, generator in zip(found, _reused.each(chip, purpose, tile, numbers, rest), strict=True):
        generator.random(out=out, dtype=np.float32)
    return found


def many_uniform_fine(
    chip: int, purpose: Purpose, tile: int, numbers: Sequence[int], *rest: int, size: int
) -> NDArray[np.float64]:
    """``uniform_fine(chip, purpose, tile, number, *rest, size=size)`` of many numbers, (n, size), likewise."""
    found = np.empty((len(numbers), size))
    for out, generator in zip(found, _reused.each(chip, purpose, tile, numbers, rest), strict=True):
        generator.random(out=out)
    return found


def uniform_rows(
    chip: int, purpose: Purpose, tile: int, numbers: Sequence[int], rows: Sequence[int], sizes: Sequence[int]
) -> list[NDArray[np.float32]]:
    """``uniform(chip, purpose, tile, number, row, size=size)`` of many rows: the key is set once, not for each."""
    if not rows:
        return []
    generator = _reused.at(chip, purpose, tile, (numbers[0], rows[0]))
    counter, found = _reused.state["state"]["counter"], []
    for number, row, size in zip(numbers, rows, sizes, strict=True):
        counter[1], counter[2] = number, row
        _reused.bits.state = _reused.state
        found.append(generator.random(size, dtype=np.float32))
    return found


def by_read(
    drawn: Callable[[int], NDArray[np.float64]], numbers: NDArray[np.int64], rows: slice
) -> NDArray[np.float64]:
    """Draws of rows at their read numbers ``numbers`` (n,); ``drawn(number)`` are those of all rows of the tile."""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high:
        return drawn(low)[rows]
    out = np.empty(len(numbers))
    for number in np.unique(numbers).tolist():
        here = numbers == number
        out[here] = drawn(number)[rows][here]
    return out


def by_read_batch(
    drawn: Callable[..., NDArray[np.float64]],
    bounds: tuple[int, int],
    batch: int,
    first: NDArray[np.int64],
    stride: int,
) -> NDArray[np.float64]:
    """The same for a batch whose input ``i`` has read numbers ``first + i*stride``, (batch, n).

    ``drawn(numbers, size=k)`` are the draws of the first ``k`` rows of the tile at each of ``numbers``, (batch, k);
    ``bounds`` the first row and the one past the last.
    """
    start, stop = bounds

    def at(number: int, size: int) -> NDArray[np.float64]:
        return drawn([number + i * stride for i in range(batch)], size=size)[:, start:]

    if (first == first[0]).all():
        return at(int(first[0]), stop)
    out = np.empty((batch, stop - start))
    for number in np.unique(first).tolist():
        here = np.flatnonzero(first == number)
        out[:, here] = at(number, start + int(here[-1]) + 1)[
            :, here
        ]  # the beginning of the draw over all rows
    return out
