"""What an importer has read: layers in integers, in the order of the data, before they are a `Network`.

Layers of weights +a and -a over bits are the chip's. First and last ones of other weights, and a first one over values
that are no bits, are the host's (``real_layers.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.networks.encoding import VALUE_BITS

from .real_layers import (
    RealLayer,
    affine_input,
    grid,
    last_layer,
    real_decisions,
    refuse_in_the_middle,
    rounded,
    samples,
)
from .values import Decisions, ImportFailure, Values, decisions

__all__ = ["BITS", "RANGES", "BinaryLayer", "Chain", "Input", "check_sizes", "signed"]


RANGES: dict[str, tuple[str, Callable[[Any], Any] | None]] = {
    "unit": ("0..1", lambda v: v / 255.0),
    "byte": ("0..255", None),
    "symmetric": ("-1..1", lambda v: (v / 255.0 - 0.5) / 0.5),
    "bipolar": ("-1 and +1", lambda v: 2.0 * v - 1.0),
    "bit": ("0 and 1", None),
}
"""How the input enters a foreign network: in words, and from a pixel 0..255, or a bit, to its value."""

BITS = ("bipolar", "bit")
"""Ranges of inputs that are binarized already."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """The network's input: ``shape`` without the batch, channel first as the file has it."""

    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class BinaryLayer:
    """A fully connected or convolutional layer with weights in {-1, +1}.

    Parameters
    ----------
    weights : int8, dense (n_out, n_in), convolution (n_out, kernel, kernel, channels)
        Channel last.
    decisions : Decisions or None
        None in the last layer: its integers are the scores.
    stride, padding : int
        Of a convolution; padding is bit 0.
    pool : int
        Window and stride of the OR-pooling behind it, 1: none.
    score_thresholds : int64 (n_out,) or None
        Of the last layer: the scores are its dot products minus these.
    shape : tuple of int
        Of the map that a convolution reads: (channels, height, width).
    place : str
        Where in the file it stands.
    """

    weights: NDArray[np.int8]
    decisions: Decisions | None
    stride: int = 1
    padding: int = 0
    pool: int = 1
    score_thresholds: NDArray[np.int64] | None = None
    shape: tuple[int, ...] = ()
    place: str

    @property
    def is_convolution(self) -> bool:
        """Whether the weights are filters."""
        return self.weights.ndim == 4


@dataclass
class Chain:
    """The layers read so far, and the shape (channel first) of what flows.

    Parameters
    ----------
    shape : tuple of int
        Of what flows; first, of the input.
    range : str
        What a value of the input is, see `RANGES`.
    planes : int
        Bits of a value that the first layer reads as it is; 0: it reads bits.
    """

    shape: tuple[int, ...]
    range: str = "unit"
    input_shape: tuple[int, ...] = ()
    layers: list[BinaryLayer | RealLayer] = field(default_factory=list)
    planes: int = 0
    pixel_threshold: int | None = None
    notes: list[str] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    pending: BinaryLayer | RealLayer | None = None
    inverted: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        self.input_shape = self.shape

    def start(self) -> Values:
        """The input, as it enters the network."""
        source, says, step = Input(shape=self.shape), *RANGES[self.range]
        levels = np.arange(2 if self.range in BITS else 256)
        self.notes.append(f"{'bits' if self.range in BITS else 'pixels 0..255'} enter as {says}")
        values = Values(source=source, levels=levels, channels=1)
        return values if step is None else values.then(step)

    def read_bits(self, values: Values, place: str) -> tuple[float, float]:
        """End the chain of steps in front of a layer: what it reads are bits, low and high.

        The first layer may read pixels as they are: then what 0 and 255 enter as.

        Raises
        ------
        ImportFailure
            What the layer would read is not binary, or the input's rule is not one threshold.
        """
        if isinstance(values.source, Input):
            ends = affine_input(values) if self.range not in BITS else None
            if ends is not None:
                self.planes = VALUE_BITS
                return ends
            found = decisions(values, place)
            self._binarize(found, place)
        else:
            assert self.pending is not None
            done = self.pending
            real = isinstance(done, RealLayer)
            found = real_decisions(values, place) if real else decisions(values, place)
            self.layers.append(replace(done, decisions=found, pool=values.pool))
            self.pending = None
            self.inverted = found.inverted if found.inverted.any() else None
            if found.constant:
                self.notes.append(
                    f"{done.place}: {found.constant} of {len(found.polarity)} neurons are constant"
                )
        return found.low, found.high

    def _binarize(self, found: Decisions, place: str) -> None:
        if self.range in BITS:
            if found.constant or (found.polarity < 0).any() or (found.thresholds != 1).any():
                raise ImportFailure(f"{place}: does not read the bits of the input as they are")
            return
        rules = set(zip(found.thresholds.tolist(), found.polarity.tolist(), strict=True))
        if len(rules) != 1 or found.polarity[0] < 0:
            raise ImportFailure(
                f"{place}: the input is binarized by {len(rules)} rules: one threshold for all pixels is supported"
            )
        self.pixel_threshold = int(found.thresholds[0])

    def dense(self, weights: ArrayLike, low: float, high: float, place: str, flat: bool) -> Values:
        """A fully connected layer over bits of values ``low`` and ``high``.

        Parameters
        ----------
        weights : (n_out, n_in), as the file has them
        flat : bool
            The inputs are a map that was flattened channel first; they are brought to channel last.
        """
        matrix = np.asarray(weights, np.float64)
        if flat and len(self.shape) == 3:
            channels, height, width = self.shape
            if matrix.shape[1] != channels * height * width:
                raise ImportFailure(f"{place}: {matrix.shape[1]} inputs, but {self.shape} come in")
            matrix = (
                matrix.reshape(len(matrix), channels, height, width)
                .transpose(0, 2, 3, 1)
                .reshape(len(matrix), -1)
            )
        if len(self.layers) and matrix.shape[1] != int(np.prod(self.shape)):
            raise ImportFailure(f"{place}: {matrix.shape[1]} inputs, but {self.shape} come in")
        if self._is_real(matrix):
            real = self._upright(matrix, low, high, place)
            self.shape = (len(matrix),)
            return self._real(real, matrix.sum(axis=1), low, high, place)
        binary, scale = signed(matrix, place)
        binary = self._upright(binary, low, high, place).astype(np.int8)
        self.shape = (len(matrix),)
        return self._layer(binary, scale, matrix.sum(axis=1), low, high, place)

    def convolution(
        self,
        weights: ArrayLike,
        stride: int,
        padding: int,
        pad_value: float,
        low: float,
        high: float,
        place: str,
    ) -> Values:
        """A convolution over bits; ``weights`` (n_out, channels, kernel, kernel), channel first."""
        filters = np.asarray(weights, np.float64).transpose(0, 2, 3, 1)
        n_out, kernel, other, channels = filters.shape
        if kernel != other:
            raise ImportFailure(f"{place}: kernel {kernel} x {other}: must be square")
        if len(self.shape) != 3 or self.shape[0] != channels:
            raise ImportFailure(f"{place}: {channels} channels, but a map of shape {self.shape} comes in")
        matrix = filters.reshape(n_out, -1)
        real = self._is_real(matrix)
        if padding and pad_value != low and not real:
            raise ImportFailure(
                f"{place}: pads with {pad_value:g}, between bits of {low:g} and {high:g}: padding is bit 0 here, so it "
                f"must be {low:g} (pad with that value in front of an unpadded convolution)"
            )
        if padding and self.inverted is not None:
            raise ImportFailure(
                f"{place}: a padded convolution behind a pooled falling decision is not supported"
            )
        size = [(n + 2 * padding - kernel) // stride + 1 for n in self.shape[1:]]
        if min(size) < 1:
            raise ImportFailure(f"{place}: kernel {kernel} does not fit into a map of {self.shape[1:]}")
        read, self.shape = self.shape, (n_out, *size)
        total = filters.sum(axis=(1, 2, 3))
        if real:
            weights = self._upright(matrix, low, high, place).reshape(filters.shape)
            pad = self._pad(pad_value, low, high, place) if padding else 0
            return self._real(weights, total, low, high, place, stride, padding, pad, read)
        binary, scale = signed(matrix, place)
        binary = self._upright(binary, low, high, place).reshape(filters.shape).astype(np.int8)
        return self._layer(binary, scale, total, low, high, place, stride, padding, read)

    def pooled(self, values: Values, window: int, place: str) -> Values:
        """Max-pooling of what a convolution gives, before or behind its quantiser, in windows side by side."""
        if isinstance(values.source, Input) or values.pooled_after is not None or len(self.shape) != 3:
            raise ImportFailure(f"{place}: must stand once behind a convolution")
        self.shape = (self.shape[0], self.shape[1] // window, self.shape[2] // window)
        return replace(values, pooled_after=len(values.steps), pool=window)

    def _upright(self, binary: NDArray[Any], low: float, high: float, place: str) -> NDArray[Any]:
        """Weights (n_out, n_in), channel last, negated where the bits that they read are inverted."""
        if self.inverted is None:
            return binary
        if (
            low != -high
        ):  # high and low change places on inverted inputs: with low = -high nothing else changes
            raise ImportFailure(
                f"{place}: reads bits of {low:g} and {high:g} behind a pooled falling decision"
            )
        flip = np.tile(self.inverted, binary.shape[1] // len(self.inverted))
        self.inverted = None
        return np.where(flip, -binary, binary)

    def _layer(
        self,
        binary: NDArray[np.int8],
        scale: NDArray[np.float64],
        total: NDArray[np.float64],
        low: float,
        high: float,
        place: str,
        stride: int = 1,
        padding: int = 0,
        shape: tuple[int, ...] = (),
    ) -> Values:
        if self.layers and isinstance(last := self.layers[-1], RealLayer) and not self._in_front():
            raise refuse_in_the_middle(last, place)
        n = int(np.prod(binary.shape[1:]))
        self.pending = BinaryLayer(
            weights=binary, decisions=None, stride=stride, padding=padding, shape=shape, place=place
        )
        levels = np.arange(-n, n + 1, 2)
        values = Values(source=self.pending, levels=levels, channels=len(binary))
        half, middle = (high - low) / 2, (high + low) / 2
        if middle:  # sum of w*x with x = middle + half*b: half*dot plus middle times the sum of the weights
            return values.then(lambda d: half * (scale * d) + middle * total)
        gain = half * scale
        return values if (gain == 1).all() else values.then(lambda d: gain * d)

    def _in_front(self) -> bool:
        """Whether all layers so far are the host's."""
        return all(isinstance(layer, RealLayer) for layer in self.layers)

    def _is_real(self, matrix: NDArray[np.float64]) -> bool:
        """Whether a layer of these weights (n_out, n_in) is the host's."""
        size = np.abs(matrix)
        return (not self.layers and self.planes > 0) or bool(
            ((size != size[:, :1]) | (size[:, :1] == 0)).any()
        )

    def _planes_in(self) -> int:
        """Bits of a value that the next layer of the host reads: the image's in front, then one."""
        return self.planes if not self.layers and self.planes else 1

    def _pad(self, value: float, low: float, high: float, place: str) -> int:
        """What a host layer reads for ``value`` round a map."""
        top = (1 << self._planes_in()) - 1
        found = (value - (high + low) / 2) / ((high - low) / 2) * top
        if abs(found) > top or abs(found - round(found)) > 1e-9:
            raise ImportFailure(
                f"{place}: pads with {value:g}, between {low:g} and {high:g}: must be one of the values that come "
                "in, or in the middle of two neighbours"
            )
        return round(found)

    def _real(
        self,
        weights: NDArray[np.float64],
        total: NDArray[np.float64],
        low: float,
        high: float,
        place: str,
        stride: int = 1,
        padding: int = 0,
        pad: int = 0,
        shape: tuple[int, ...] = (),
    ) -> Values:
        """A layer for the host, of weights as it reads them, and their sums ``total`` as the file has them."""
        planes = self._planes_in()
        top = (1 << planes) - 1
        try:
            fraction = grid(weights, top)
        except ValueError as error:
            raise ImportFailure(f"{place}: {error}") from None
        layer = RealLayer(
            weights=weights,
            place=place,
            planes=planes,
            fraction=fraction,
            stride=stride,
            padding=padding,
            pad=pad,
            shape=shape,
        )
        self.pending = layer
        change = rounded(layer)
        says = f"rounded by up to {change:.1e} of the greatest" if change else "exact"
        self.notes.append(f"{place}: a layer for the host, weights in steps of 2^-{fraction}, {says}")
        values = Values(source=layer, levels=samples(layer), channels=len(weights))
        half, middle = (high - low) / 2 / top, (high + low) / 2
        step = half * math.ldexp(1.0, -fraction)
        return values.then(lambda d: step * d + middle * total)

    def finish(self, values: Values, place: str) -> None:
        """The graph ends here: the pending layer gives the scores.

        Raises
        ------
        ImportFailure
            The output is not one rising affine function of the integers, common to all classes.
        """
        if self.pending is None:
            raise ImportFailure(f"{place}: the output comes from no binarized layer")
        if values.pool != 1 or self.pending.is_convolution:
            raise ImportFailure(
                f"{place}: the scores come from a map: must come from a fully connected layer"
            )
        if isinstance(self.pending, RealLayer):
            self._finish_on_host(self.pending, values, place)
            return
        found = _affine(values.levels, values.table())
        if found is None:
            raise ImportFailure(
                f"{place}: the scores are not one rising affine function of the last layer's integers, with the same "
                "gain and whole steps between the classes: leave the last layer's bias or batch norm out"
            )
        gain, offset, thresholds = found
        self.scores = {"scale": gain, "offset": offset}
        self.layers.append(replace(self.pending, score_thresholds=thresholds))
        self.pending = None

    def _finish_on_host(self, layer: RealLayer, values: Values, place: str) -> None:
        if self._in_front():
            raise ImportFailure(
                f"{place}: no layer has weights +a and -a over bits, so that a chip has nothing to do: "
                f"{layer.place} has real weights, or reads values that are no bits"
            )
        found = last_layer(layer, values)
        if found is None:
            raise ImportFailure(
                f"{place}: the scores are not affine in the sums of the last layer, {layer.place}"
            )
        last, scale = found
        self.scores = {"scale": scale, "offset": 0.0}
        self.layers.append(last)
        self.pending = None


def _affine(
    levels: NDArray[np.int64], table: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.int64]] | None:
    """Gain, offset and integer thresholds: ``table = gain * (levels - threshold) + offset``; None where it is not."""
    x = levels.astype(np.float64)
    gain = float((table[-1, 0] - table[0, 0]) / (x[-1] - x[0]))
    if not gain > 0:
        return None
    offsets = table[0] / gain - x[0]
    thresholds = -np.rint(offsets - offsets[0]).astype(np.int64)
    offset = float(gain * offsets[0])
    error = np.abs(gain * (x[:, None] - thresholds) + offset - table).max()
    return (gain, offset, thresholds) if error <= 1e-9 * np.abs(table).max() else None


def signed(matrix: NDArray[np.float64], place: str) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Signs (n_out, n_in) and scale (n_out,) of weights that are ``+-scale`` in each row.

    Raises
    ------
    ImportFailure
        A row holds other values.
    """
    scale = np.abs(matrix).max(axis=1)
    wrong = (np.abs(matrix) != scale[:, None]) | (scale[:, None] == 0)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise ImportFailure(
            f"{place}: weight {matrix[row, column]:g} of neuron {row}: a binarized layer has +a and -a alone; "
            "real weights need a quantiser (a sign, BipolarQuant) in front of them"
        )
    return np.where(matrix > 0, 1, -1).astype(np.int8), scale


def check_sizes(sizes: Sequence[int], place: str, what: str) -> int:
    """The common value of a list such as strides; `ImportFailure` where they differ."""
    if len(set(sizes)) != 1:
        raise ImportFailure(f"{place}: {what} {list(sizes)}: must be equal")
    return int(sizes[0])
