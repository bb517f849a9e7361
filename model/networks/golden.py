"""The integer reference: XNOR, popcount, thresholds. No physics, no hardware, numpy alone.

Bits are packed 64 to a word; with ``m`` the number of inputs that differ from the weight, the dot product is
``n - 2*m``. A neuron's condition ``polarity * (d - threshold) >= 0`` becomes ``m <= limit`` once neurons of
negative polarity have their weights inverted, so a hidden layer costs one XOR, one ``bitwise_count`` and one
addition a word and one comparison a neuron.

The semantics of an operation are those of its module (``model/networks/dense.py``). Operations are taken by their kind
and their attributes, so that this module depends on nothing but numpy; ``EVALUATIONS`` has one entry per kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

CHUNK = 250
"""Images worked on at once: keeps a layer's intermediate arrays inside the cache."""

BLOCK = 64
"""Images of one XOR: 64 x 512 words are 256 KiB."""


class OperationLike(Protocol):
    """What every operation must offer; those of ``bridgebnn.model.networks.operations`` do."""

    kind: str
    output: str


class DenseLike(OperationLike, Protocol):
    """What an operation of kind ``dense`` must offer; ``bridgebnn.model.networks.dense.Dense`` does."""

    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32]
    polarity: NDArray[np.int8]
    group_sizes: NDArray[np.int32]
    combine: Any


class HostLike(OperationLike, Protocol):
    """What an operation of kind ``host`` must offer; ``bridgebnn.model.networks.host.HostDense`` does."""

    weights: NDArray[np.int64]
    thresholds: NDArray[np.int64]
    planes: int


class NetworkLike(Protocol):
    """What a network must offer; ``bridgebnn.model.networks.network.Network`` does."""

    @property
    def operations(self) -> Sequence[Any]:  # of OperationLike
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Forward:
    """Results of a batch.

    Parameters
    ----------
    hidden : list of uint8, (batch, n_out)
        Bits that each operation gives, by its number; without the last one's where that gives scores. 1 is +1.
    scores : int32, (batch, n_out); int64 where the last operation is a host layer
        Of the last operation. One that gives signs scores the sum of its groups' signs (VOTE) or its sign,
        +-1 (ADD).
    classes : int64, (batch,)
        Index of the largest score, the lowest on ties.
    """

    hidden: list[NDArray[np.uint8]]
    scores: NDArray[np.int32] | NDArray[np.int64]
    classes: NDArray[np.int64]


def pack(bits: NDArray[Any]) -> NDArray[np.uint64]:
    """Pack binary vectors 64 to a word, bit ``i`` of word ``w`` being element ``64*w + i``.

    Parameters
    ----------
    bits : bool or integer {0, 1}, (batch, n)

    Returns
    -------
    uint64, (batch, ceil(n / 64))
        Bits beyond ``n`` are 0.
    """
    octets = np.packbits(bits, axis=1, bitorder="little")
    padding = -octets.shape[1] % 8
    if padding:
        octets = np.pad(octets, ((0, 0), (0, padding)))
    return np.ascontiguousarray(octets).view("<u8").astype(np.uint64, copy=False)


def check_bits(images: NDArray[Any], n_in: int, name: str = "images") -> NDArray[np.uint8]:
    """Return ``images`` as uint8 after a check of shape and values; errors call them ``name``.

    Raises
    ------
    ValueError
        Not (batch, n_in), or something other than 0 and 1.
    """
    array = np.asarray(images)
    if array.ndim != 2 or array.shape[1] != n_in:
        raise ValueError(f"{name} have shape {array.shape}: must be (batch, {n_in})")
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} are {array.dtype}: must be binary, as bool or integers 0 and 1")
    if array.size and (array.min() < 0 or array.max() > 1):
        vector, at = np.argwhere((array < 0) | (array > 1))[0]
        raise ValueError(f"{name}[{vector}, {at}] = {array[vector, at]}: must be binary, 0 or 1")
    return array.astype(np.uint8, copy=False)


def differing(inputs: NDArray[np.uint64], weights: NDArray[np.uint64]) -> NDArray[Any]:
    """Count the bits in which every input differs from every neuron's weights.

    Parameters
    ----------
    inputs : uint64, (batch, words)
    weights : uint64, (words, n_out)
        Word by word, so that one word of all neurons lies together.

    Returns
    -------
    uint8 (up to 3 words) or uint16 (up to 1023 words) or int32, (batch, n_out)
    """
    words = len(weights)
    dtype = np.uint8 if words <= 3 else np.uint16 if words <= 1023 else np.int32
    total = np.zeros((len(inputs), weights.shape[1]), dtype)
    for start in range(0, len(inputs), BLOCK):
        part = total[start : start + BLOCK]
        scratch = np.empty(part.shape, np.uint64)
        count = np.empty(part.shape, np.uint8)
        for word in range(words):
            np.bitwise_xor(inputs[start : start + BLOCK, word, None], weights[word], out=scratch)
            np.bitwise_count(scratch, out=count)
            part += count
    return total


@dataclass(frozen=True)
class _Neurons:
    """Neurons over one contiguous slice of the inputs, ready to be evaluated."""

    columns: slice
    weights: NDArray[np.uint64]  # (words, n_out), inverted where the polarity is -1
    size: int
    polarity: NDArray[np.int32]  # (n_out,)
    thresholds: NDArray[np.int32]  # (n_out,), of the inverted neuron

    @classmethod
    def of(cls, layer: DenseLike, columns: slice, thresholds: Any, polarity: Any, score: bool) -> _Neurons:
        weights, polarity = np.asarray(layer.weights)[:, columns], np.asarray(polarity)
        for name, values in (("weights", weights), ("polarity", polarity)):
            if wrong := values[np.abs(values) != 1].tolist():
                raise ValueError(f"{name} hold {wrong[0]}: must be -1 or +1")
        polarity = polarity.astype(np.int32)
        packed = np.ascontiguousarray(pack((weights > 0) ^ (polarity < 0)[:, None]).T)
        size = columns.stop - columns.start
        return cls(columns, packed, size, polarity, _folded(thresholds, polarity, size, score))

    def scores(self, bits: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Polarity * (d - threshold), int32 (batch, n_out)."""
        differ = differing(pack(bits[:, self.columns]), self.weights).astype(np.int32)
        return (self.size - self.thresholds) - 2 * differ

    def signs(self, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether polarity * (d - threshold) >= 0, bool (batch, n_out)."""
        differ = differing(pack(bits[:, self.columns]), self.weights)
        limit = (self.size - self.thresholds) // 2  # m <= limit; below 0 never, so one is added to both sides
        bound = np.clip(limit + 1, 0, self.size + 1).astype(np.uint16 if self.size < 65535 else np.int32)
        return differ < bound


def _folded(thresholds: Any, polarity: NDArray[np.int32], size: int, score: bool) -> NDArray[np.int32]:
    """Thresholds of the inverted neurons: ``polarity * d >= t``, so the next integer above does as well.

    Whatever is beyond what ``size`` inputs reach leaves a sign constant; a score would not hold it.
    """
    real = polarity * np.asarray(thresholds)
    if wrong := real[~np.isfinite(real)].tolist():
        raise ValueError(f"thresholds hold {wrong[0]}: must be finite")
    if score and (wrong := real[(real != np.rint(real)) | (np.abs(real) > 1 << 30)].tolist()):
        raise ValueError(f"thresholds of scores hold {wrong[0]}: must be whole, within 2**30")
    whole = np.ceil(real)
    return (whole if score else np.clip(whole, -size - 1, size + 1)).astype(np.int32)


def _slices(sizes: NDArray[np.int32]) -> list[slice]:
    ends = np.cumsum(sizes).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


_Evaluate = Callable[
    [NDArray[np.uint8]], tuple[NDArray[np.uint8], NDArray[np.int32] | NDArray[np.int64] | None]
]
"""Function from input bits to (output bits, scores or None where signs need none)."""


def _dense(layer: DenseLike) -> tuple[int, int, _Evaluate]:
    """Inputs, outputs and evaluation of a dense operation."""
    n_out, n_in = layer.weights.shape
    slices = _slices(np.asarray(layer.group_sizes))
    score = layer.output == "score"
    if int(layer.combine) == 1:
        groups = [
            _Neurons.of(layer, s, layer.thresholds[g], layer.polarity[g], False) for g, s in enumerate(slices)
        ]

        def vote(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
            ones = np.zeros((len(bits), n_out), np.int32)
            for group in groups:
                ones += group.signs(bits)
            total = 2 * ones - len(groups)
            return (total >= 0).astype(np.uint8), total

        return n_in, n_out, vote
    whole = _Neurons.of(layer, slice(0, n_in), layer.thresholds[0], layer.polarity[0], score)
    if score:

        def add_score(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
            total = whole.scores(bits)
            return (total >= 0).astype(np.uint8), total

        return n_in, n_out, add_score
    return n_in, n_out, lambda bits: (whole.signs(bits).view(np.uint8), None)


def windows(bits: NDArray[Any], walk: Any) -> NDArray[Any]:
    """Windows of maps, in the order of the walk: positions row by row, in each its pooling windows.

    Parameters
    ----------
    bits : (batch, height * width * channels)
    walk : ``bridgebnn.hdl.spec.MapWalk``, or anything with its attributes

    Returns
    -------
    dtype of ``bits``, (batch, windows, kernel * kernel * channels)
        Bits outside of the map are 0.
    """
    height, width = walk.height, walk.row_bits // walk.channels
    k, s, p, pool = walk.kernel, walk.stride, walk.padding, walk.pool
    rows, columns = walk.out_height * pool, walk.out_width * pool
    maps = np.zeros((len(bits), height + 2 * p + k, width + 2 * p + k, walk.channels), bits.dtype)
    maps[:, p : p + height, p : p + width] = bits.reshape(len(bits), height, width, walk.channels)
    view = np.lib.stride_tricks.sliding_window_view(maps, (k, k), axis=(1, 2))  # (batch, y, x, c, k, k)
    view = view[:, : rows * s : s, : columns * s : s].transpose(0, 1, 2, 4, 5, 3)
    view = view.reshape(len(bits), walk.out_height, pool, walk.out_width, pool, -1).swapaxes(2, 3)
    return np.ascontiguousarray(view).reshape(len(bits), rows * columns, k * k * walk.channels)


def pooled(bits: NDArray[Any], pool: int) -> NDArray[Any]:
    """Maps from the bits of their windows, (batch, windows, n) to (batch, windows / pool**2 * n): OR where pooled."""
    batch, count, n = bits.shape
    return bits.reshape(batch, count // pool**2, pool**2, n).max(axis=2).reshape(batch, -1)


def _convolution(layer: Any) -> tuple[int, int, _Evaluate]:
    """Inputs, outputs and evaluation of a convolution."""
    walk = layer.walk
    _, _, evaluate = _dense(layer.window)

    def convolve(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], None]:
        parts = windows(bits, walk)
        values, _ = evaluate(parts.reshape(-1, parts.shape[2]))
        return pooled(values.reshape(len(bits), parts.shape[1], -1), walk.pool), None

    return walk.map_bits, layer.n_out, convolve


def host_values(bits: NDArray[np.uint8], planes: int) -> NDArray[np.uint8]:
    """What ``planes`` bits each, least significant first, make: (batch, n * planes) to (batch, n)."""
    return bits if planes == 1 else np.packbits(bits, axis=1, bitorder="little")


def _host(layer: HostLike) -> tuple[int, int, _Evaluate]:
    """Inputs, outputs and evaluation of a host layer."""
    n_out, n_in = layer.weights.shape
    add = _host_sums(layer)
    score = layer.output == "score"

    def evaluate(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        total = add(2 * host_values(bits, layer.planes).astype(np.float64) - (2**layer.planes - 1))
        return (total >= 0).astype(np.uint8), total.astype(np.int64) if score else None

    return n_in * layer.planes, n_out, evaluate


def _host_sums(layer: HostLike) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """From values (count, n) to their dot products less the thresholds: sums of integers, exact in float64."""
    weights = np.ascontiguousarray(np.asarray(layer.weights).T, np.float64)
    thresholds = np.asarray(layer.thresholds, np.float64)
    return lambda values: values @ weights - thresholds


def _host_convolution(layer: Any) -> tuple[int, int, _Evaluate]:
    """Inputs, outputs and evaluation of a convolution on the host."""
    walk, window = layer.walk, layer.window
    add = _host_sums(window)

    def convolve(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], None]:
        values = 2 * host_values(bits, window.planes).astype(np.int16) - (2**window.planes - 1)
        parts = windows(values - np.int16(layer.pad), walk) + np.int16(layer.pad)
        found = (add(parts.reshape(-1, parts.shape[2]).astype(np.float64)) >= 0).astype(np.uint8)
        return pooled(found.reshape(len(bits), parts.shape[1], -1), walk.pool), None

    return walk.map_bits * window.planes, layer.n_out, convolve


EVALUATIONS: dict[str, Callable[[Any], tuple[int, int, _Evaluate]]] = {
    "dense": _dense,
    "convolution": _convolution,
    "host": _host,
    "host_convolution": _host_convolution,
}
"""By kind of operation: its inputs, its outputs, and the function from the ones to the others."""


class Golden:
    """A network made ready for many batches: weights packed once.

    Parameters
    ----------
    network : NetworkLike
        ``bridgebnn.model.networks.network.Network`` or anything with the same attributes.

    Raises
    ------
    ValueError
        An operation of a kind that is not in ``EVALUATIONS``.
    """

    def __init__(self, network: NetworkLike) -> None:
        for i, operation in enumerate(network.operations):
            if operation.kind not in EVALUATIONS:
                known = ", ".join(EVALUATIONS)
                raise ValueError(f"operation {i}: kind = {operation.kind!r}: must be one of {known}")
        prepared = [EVALUATIONS[operation.kind](operation) for operation in network.operations]
        self._sign = [operation.output == "sign" for operation in network.operations]
        self._n_in = prepared[0][0]
        self._n_out = [n_out for _, n_out, _ in prepared]
        self._scores = np.int64 if network.operations[-1].kind == "host" else np.int32
        self._evaluate = [evaluate for _, _, evaluate in prepared]

    def __call__(self, images: NDArray[Any]) -> Forward:
        """Evaluate ``images``, bool or integer {0, 1} of shape (batch, n_in).

        Raises
        ------
        ValueError
            Wrong shape, or values other than 0 and 1.
        """
        bits = check_bits(images, self._n_in)
        hidden = [
            np.empty((len(bits), n), np.uint8)
            for n, sign in zip(self._n_out, self._sign, strict=True)
            if sign
        ]
        scores = np.empty((len(bits), self._n_out[-1]), self._scores)
        for start in range(0, len(bits), CHUNK):
            part = slice(start, start + CHUNK)
            values, total = bits[part], None
            for i, evaluate in enumerate(self._evaluate):
                values, total = evaluate(values)
                if self._sign[i]:
                    hidden[i][part] = values
            scores[part] = 2 * values.astype(np.int32) - 1 if total is None else total
        return Forward(hidden=hidden, scores=scores, classes=np.argmax(scores, axis=1))


def forward(network: NetworkLike, images: NDArray[Any]) -> Forward:
    """Evaluate a network on binary images.

    Parameters
    ----------
    network : NetworkLike
        List of operations, see ``model/networks/operations.py`` for their meaning.
    images : bool or integer {0, 1}, (batch, n_in)

    Returns
    -------
    Forward

    Raises
    ------
    ValueError
        Wrong shape, or values other than 0 and 1.
    """
    return Golden(network)(images)
