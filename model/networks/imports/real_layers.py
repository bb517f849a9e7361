"""Layers of real weights, or over values that are no bits, as host layers: integers on a grid, close to exact.

A foreign weight is a float32, mostly. Weights become whole multiples of the least ``2**-fraction`` at which no neuron's
sum leaves the integers that float64 holds: with sums up to a few units 2**-48 over bits and 2**-40 over pixels. There
every float32 from 2**-25, or 2**-17, on is exact, a smaller one changes by at most half a step. Where the layer ends in
a decision, its threshold on that grid is found by halving: the steps of the file are evaluated in float64 at
integers on both sides of it, until they are neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.networks.host import REACH, HostConvolution, HostDense

from .values import Decisions, ImportFailure, Values, decisions, two_levels

__all__ = ["RealLayer", "affine_input", "grid", "last_layer", "real_decisions", "samples"]

SAMPLES = 2049
"""Evenly spaced sums at which the steps behind a host layer are looked at, before a threshold is sought."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RealLayer:
    """A layer for the host.

    Parameters
    ----------
    weights : float64, dense (n_out, values), convolution (n_out, kernel, kernel, channels)
        Channel last.
    place : str
        Where in the file it stands.
    planes : int
        Bits of a value that it reads.
    fraction : int
        Its integers are the real sums in steps of ``2**-fraction``.
    decisions : Decisions or None
        None in the last layer.
    offsets : float64 (n_out,) or None
        Of the last layer: what is added to its real sums.
    stride, padding, pool : int
        Of a convolution, as in ``layers.BinaryLayer``.
    pad : int
        The value round the map, in steps of half a value: ``host.HostConvolution``.
    shape : tuple of int
        Of the map that a convolution reads: (channels, height, width).
    """

    weights: NDArray[np.float64]
    place: str
    planes: int
    fraction: int
    decisions: Decisions | None = None
    offsets: NDArray[np.float64] | None = None
    stride: int = 1
    padding: int = 0
    pool: int = 1
    pad: int = 0
    shape: tuple[int, ...] = ()

    @property
    def is_convolution(self) -> bool:
        """Whether the weights are filters."""
        return self.weights.ndim == 4

    @property
    def top(self) -> int:
        """Greatest value that it reads."""
        return (1 << self.planes) - 1

    def whole(self) -> NDArray[np.int64]:
        """Weights (n_out, values) on the grid."""
        return np.rint(np.ldexp(self.weights.reshape(len(self.weights), -1), self.fraction)).astype(np.int64)

    def operation(self) -> HostDense | HostConvolution:
        """The layer as an operation of a network."""
        dense = self._dense()
        if not self.is_convolution:
            return dense
        channels, height, width = self.shape
        return HostConvolution(
            window=dense,
            width=width,
            height=height,
            channels=channels * self.planes,
            kernel=self.weights.shape[1],
            stride=self.stride,
            padding=self.padding,
            pool=self.pool,
            pad=self.pad,
        )

    def _dense(self) -> HostDense:
        weights, found = self.whole(), self.decisions
        if found is None:
            assert self.offsets is not None
            thresholds = -np.rint(np.ldexp(self.offsets, self.fraction)).astype(np.int64)
            return HostDense(
                weights=weights,
                thresholds=thresholds,
                fraction=self.fraction,
                output="score",
                planes=self.planes,
            )
        # d <= t is -d >= -t: a host layer's decisions all rise
        polarity = found.polarity.astype(np.int64)
        return HostDense(
            weights=weights * polarity[:, None],
            thresholds=found.thresholds * polarity,
            fraction=self.fraction,
            output="sign",
            planes=self.planes,
        )


def grid(weights: NDArray[np.float64], top: int, offsets: NDArray[np.float64] | None = None) -> int:
    """The finest fraction at which the sums of ``weights`` (n_out, ...) over values within ``top`` stay exact.

    Raises
    ------
    ValueError
        The weights are all 0, or not finite.
    """
    reach = np.abs(weights.reshape(len(weights), -1)).sum(axis=1) * top
    if offsets is not None:
        reach = reach + np.abs(offsets)
    largest = float(reach.max())
    if not 0 < largest < math.inf:
        raise ValueError(f"weights that add up to {largest:g}: must be finite, and not all 0")
    return int(math.log2(REACH)) - 2 - math.frexp(largest)[1]


def samples(layer: RealLayer) -> NDArray[np.int64]:
    """Integers over all that the layer's sums reach, evenly spaced, and closer and closer round 0."""
    reach = int((np.abs(layer.whole()).sum(axis=1) * layer.top).max()) + 1
    even = np.rint(np.linspace(-reach, reach, SAMPLES)).astype(np.int64)
    powers = 1 << np.arange(reach.bit_length() - 1, dtype=np.int64)
    return np.unique(np.concatenate([even, powers, -powers, [0]]))


def affine_input(values: Values) -> tuple[float, float] | None:
    """What the least and the greatest pixel become, where all between lie on the line through them; else None."""
    table = values.table()
    low, high = table[0], table[-1]
    if (low != low[0]).any() or (high != high[0]).any() or not np.isfinite(table).all() or low[0] == high[0]:
        return None
    line = low[0] + (high[0] - low[0]) * np.arange(len(table)) / (len(table) - 1)
    error = np.abs(table - line[:, None]).max()
    return (float(low[0]), float(high[0])) if error <= 1e-12 * np.abs(table).max() else None


def real_decisions(values: Values, place: str) -> Decisions:
    """Thresholds of the chain behind a host layer, on its grid.

    Raises
    ------
    ImportFailure
        As ``values.decisions``, at the sums that are looked at.
    """
    found = decisions(values, place)
    levels = values.levels
    at = np.searchsorted(levels, found.thresholds)
    inside = (found.thresholds >= levels[0]) & (found.thresholds <= levels[-1])
    falls = found.polarity < 0
    at = np.clip(at, 0, len(levels) - 1)
    # high from `above` on and low at `below`; a falling one the other way round
    below = levels[np.clip(np.where(falls, at, at - 1), 0, len(levels) - 1)]
    above = levels[np.clip(np.where(falls, at + 1, at), 0, len(levels) - 1)]
    split = len(values.steps)
    while (open_ := inside & (above - below > 1)).any():
        middle = below + (above - below) // 2
        result = values.table(0, split, middle[None].astype(np.float64))[0]
        if (odd := open_ & (result != found.low) & (result != found.high)).any():
            two_levels(np.array([[found.low, result[odd][0], found.high]]), place)
        upper = (result == found.high) ^ found.inverted ^ falls
        above = np.where(open_ & upper, middle, above)
        below = np.where(open_ & ~upper, middle, below)
    thresholds = np.where(inside, np.where(falls, below, above), found.thresholds)
    return replace(found, thresholds=thresholds)


def last_layer(layer: RealLayer, values: Values) -> tuple[RealLayer, float] | None:
    """The last layer with all that is done to its sums drawn into weights and offsets, and the scale of its integers.

    None where the steps behind it are not affine in the sums of each class.
    """
    table = values.table()
    x = np.ldexp(values.levels.astype(np.float64), -layer.fraction)
    gains = (table[-1] - table[0]) / (x[-1] - x[0])
    offsets = table[np.searchsorted(values.levels, 0)]
    error = np.abs(gains * x[:, None] + offsets - table).max()
    if not np.isfinite(table).all() or error > 1e-9 * np.abs(table).max():
        return None
    weights = layer.weights * gains[:, None]
    try:
        fraction = grid(weights, layer.top, offsets)
    except ValueError:
        return None
    return replace(layer, weights=weights, offsets=offsets, fraction=fraction), math.ldexp(1.0, -fraction)


def rounded(layer: RealLayer) -> float:
    """The most by which a weight changes on the grid, in parts of the greatest weight."""
    change: Any = np.abs(
        np.ldexp(layer.whole().astype(np.float64), -layer.fraction).reshape(layer.weights.shape)
        - layer.weights
    )
    return float(change.max() / np.abs(layer.weights).max())


def refuse_in_the_middle(layer: RealLayer, place: str) -> ImportFailure:
    """The failure where a host layer stands between layers of the chip."""
    return ImportFailure(
        f"{layer.place}: has real weights and stands between binarized layers, before {place}: real weights must be "
        "in the first or the last layers, which the host evaluates; in the middle they need a quantiser (a sign, "
        "BipolarQuant) in front of them"
    )
