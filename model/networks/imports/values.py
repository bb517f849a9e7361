"""What flows through a foreign network while it is read, and how its decisions become integer thresholds.

An importer walks the foreign graph and keeps, for each tensor, a `Values`: which integers it is made of (pixels, or
the dot products of one binarized layer) and the elementwise steps that the file applies to them since, as functions
on float64. Nothing is solved for: where a quantiser ends the chain, the steps are evaluated at **every** integer
that can occur, and the thresholds are read off that table. So a gain that is negative, tiny or zero, an epsilon
and the meaning of sign(0) come out as the file has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Decisions", "ImportFailure", "Step", "Values", "decisions", "two_levels"]

Array = NDArray[np.float64]
Step = Callable[[Array], Array]
"""Elementwise in float64, over (levels, channels); constants broadcast along the last axis."""


class ImportFailure(ValueError):
    """The file holds what cannot be imported; the message names it, its place, and what would do."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """A tensor of the foreign network, as integers and what was done to them.

    Parameters
    ----------
    source : object
        What the integers are of: the importer's description of the input, or of a binarized layer.
    levels : int64, (levels,)
        All integers that can occur, ascending.
    channels : int
        Channels, or neurons, that have constants of their own.
    steps : tuple of Step
        Applied in this order.
    pooled_after : int or None
        Number of steps before a max-pooling; None: not pooled.
    pool : int
        Its window and stride, 1: none.
    """

    source: Any
    levels: NDArray[np.int64]
    channels: int
    steps: tuple[Step, ...] = ()
    pooled_after: int | None = None
    pool: int = 1

    def then(self, step: Step) -> Values:
        """The same integers with one more step."""
        return replace(self, steps=(*self.steps, step))

    def table(self, first: int = 0, last: int | None = None, start: Array | None = None) -> Array:
        """Values at every level after the steps ``first`` to ``last``, float64 (levels, channels)."""
        values = (
            np.repeat(self.levels[:, None].astype(np.float64), self.channels, axis=1)
            if start is None
            else start
        )
        for step in self.steps[first:last]:
            values = np.broadcast_to(np.asarray(step(values), np.float64), values.shape)
        return values


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisions:
    """A quantiser's decisions as thresholds on the integers.

    Parameters
    ----------
    thresholds : int64, (channels,)
        Neuron c is high where ``polarity * (d - threshold) >= 0``.
    polarity : int8, (channels,)
    low, high : float
        The two values that the quantiser gives.
    inverted : bool, (channels,)
        The pooled bit is the complement of the foreign network's: what reads it has to negate its weights.
    constant : int
        Neurons that are constant.
    """

    thresholds: NDArray[np.int64]
    polarity: NDArray[np.int8]
    low: float
    high: float
    inverted: NDArray[np.bool_]
    constant: int = field(default=0)


def two_levels(table: Array, place: str) -> tuple[float, float]:
    """The two values that a table holds, low first; one value alone is taken for a constant bipolar bit.

    Raises
    ------
    ImportFailure
        More than two values: not binarized.
    """
    found = np.unique(table)
    if not np.isfinite(found).all():
        raise ImportFailure(f"{place}: holds {found[~np.isfinite(found)][0]}, must be finite")
    if len(found) == 1 and found[0] != 0:
        found = np.array([-abs(found[0]), abs(found[0])])
    if len(found) == 3 and found[1] == 0 and found[0] == -found[2]:
        raise ImportFailure(
            f"{place}: sign(0) = 0 can occur, and a binarized layer reads it: it has no bit for 0. "
            "Use a quantiser that gives two values (BipolarQuant, MultiThreshold), or keep 0 out of reach"
        )
    if len(found) != 2:
        shown = ", ".join(f"{value:g}" for value in found[:6])
        raise ImportFailure(
            f"{place}: holds {len(found)} values ({shown}{', ...' if len(found) > 6 else ''}): a binarized layer reads "
            "two, as a sign or a one-bit quantiser gives"
        )
    return float(found[0]), float(found[1])


def decisions(values: Values, place: str) -> Decisions:
    """Thresholds of the chain that ends here in a quantiser.

    Raises
    ------
    ImportFailure
        Not two-valued, or a neuron's decision is not monotonic in its integer.
    """
    split = values.pooled_after if values.pooled_after is not None else len(values.steps)
    before = values.table(0, split)
    table = values.table(split, None, before)
    low, high = two_levels(table, place)
    bits = table == high
    steps = np.diff(bits.astype(np.int8), axis=0)
    changes = np.abs(steps).sum(axis=0)
    if (changes > 1).any():
        neuron = int(np.flatnonzero(changes > 1)[0])
        raise ImportFailure(
            f"{place}: neuron {neuron} changes its decision {changes[neuron]} times over its integers"
        )
    inverted = np.zeros(values.channels, bool)
    if values.pooled_after is not None:
        # max commutes with what rises; after it, a falling decision is the complement of a rising one's OR
        inverted = _falling_after_pool(bits, before)
        bits = bits ^ inverted
        steps = np.diff(bits.astype(np.int8), axis=0)
    levels = values.levels
    falls = (steps < 0).any(axis=0)
    polarity = np.where(falls, -1, 1).astype(np.int8)
    count = bits.sum(axis=0)
    margin = int(np.abs(levels).max()) + 1
    # rising: the first level that is high; falling: the last one
    rising = np.where(count > 0, levels[np.minimum(len(levels) - count, len(levels) - 1)], margin)
    rising = np.where(count == len(levels), -margin, rising)
    falling = levels[np.maximum(count - 1, 0)]
    return Decisions(
        thresholds=np.where(falls, falling, rising),
        polarity=polarity,
        low=low,
        high=high,
        inverted=inverted,
        constant=int(((count == 0) | (count == len(levels))).sum()),
    )


def _falling_after_pool(bits: NDArray[np.bool_], before: Array) -> NDArray[np.bool_]:
    """Channels whose decision falls with the pooled value, bool (channels,)."""
    order = np.argsort(before, axis=0, kind="stable")
    ordered = np.take_along_axis(bits, order, axis=0)
    return np.any(np.diff(ordered.astype(np.int8), axis=0) < 0, axis=0)
