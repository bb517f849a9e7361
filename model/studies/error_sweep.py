"""Accuracy against cell error rate, with the authors' statistics drawn anew for every decision of every neuron.

A neuron of N inputs that stands at distance D from its threshold gives the wrong bit with the probability
``neuron_error(N, p, clock, D)``, as the authors drew it [data]: independent from neuron to neuron and from image to
image. Neurons are whole; nothing is mapped onto tiles, and no chip has cells that err for good
(``bridgebnn.model.macro.published`` is that macro). The probabilities come from one table per width, clock and
rate, and the same uniform numbers serve every point, so that points differ by their errors alone.

Layers that are not asked for are exact; the publication keeps the first one real-valued and the last one exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, bias_columns
from bridgebnn.model.draws import Purpose, uniform
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.golden import EVALUATIONS, check_bits, pooled, windows
from bridgebnn.model.networks.network import Network
from bridgebnn.model.products import whole_product
from bridgebnn.records import Document, Record

from .statistics import neuron_error

__all__ = ["PUBLISHED", "PublishedPoint", "SweepPoint", "SweepReport", "circuit_layers", "sweep"]

BLOCK = 500
"""Images evaluated at once; part of the key of the draws, so that a longer run begins like a shorter one."""

Progress = Callable[[int, int], None]
Bits = NDArray[np.uint8]


class PublishedPoint(Record, frozen=True, kw_only=True):
    """A point of the authors' curves [data].

    Parameters
    ----------
    network : str
    clock_ns : int
    cell_error_rate : float
    low, high : float
        Accuracy, 0..1; a range where they give one.
    """

    network: str
    clock_ns: int
    cell_error_rate: float
    low: float
    high: float


def _published(name: str, *points: tuple[float, float, float]) -> list[PublishedPoint]:
    return [
        PublishedPoint(network=name, clock_ns=6, cell_error_rate=p, low=low / 100, high=high / 100)
        for p, low, high in points
    ]


PUBLISHED = {
    "MNIST 784-1025-1025-1025-10": _published(
        "MNIST 784-1025-1025-1025-10",
        (0, 98.1, 98.4),
        (0.1, 98.1, 98.4),
        (0.2, 97.6, 97.6),
        (0.3, 94, 94),
        (0.4, 41, 41),
    ),
    "CIFAR-10 ConvNet": _published(
        "CIFAR-10 ConvNet",
        (0, 88.36, 88.36),
        (1e-3, 88.37, 88.37),
        (1e-2, 87.96, 87.96),
        (0.05, 85.5, 85.5),
        (0.1, 79.5, 79.5),
        (0.2, 45.6, 45.6),
    ),
}
"""Published curves by network, at 6 ns [data]; in software 98.39 % and 88.3 %."""


class SweepPoint(Record, frozen=True, kw_only=True):
    """One clock at one cell error rate.

    Parameters
    ----------
    clock_ns : int
    cell_error_rate : float
    mean, std, low, high : float
        Of the draws' accuracies, 0..1.
    wrong_bits : float
        Share of wrong bits among those that neurons of the circuit gave, each against its own inputs.
    accuracies : list of float
        One per draw.
    """

    clock_ns: int
    cell_error_rate: float
    mean: float
    std: float
    low: float
    high: float
    wrong_bits: float
    accuracies: list[float]


class SweepReport(Document, frozen=True, kw_only=True):
    """Accuracy over cell error rate and clock: ``bridgebnn model sweep``.

    Parameters
    ----------
    network, data : str
    layers : list of int
        Operations that the circuit computes; the others are exact.
    images, draws, seed : int
    golden_accuracy : float
        0..1.
    points : list of SweepPoint
    published : list of PublishedPoint
        The curve beside it.
    wall_s : float
    versions : dict of str
    """

    network: str
    data: str
    layers: list[int]
    images: int
    draws: int
    seed: int
    golden_accuracy: float
    points: list[SweepPoint]
    published: list[PublishedPoint]
    wall_s: float
    versions: dict[str, str]


def circuit_layers(network: Network, asked: Sequence[int] | None = None) -> list[int]:
    """Operations whose decisions are drawn.

    By default every one that a chip computes and that gives signs, but for the network's first and last: the
    published networks keep the one real-valued and the other exact. Where that leaves none, the first as well.

    Raises
    ------
    ValueError
        An operation that does not exist, gives no signs, is the last or belongs to the host.
    """
    operations = network.operations
    able = [
        i
        for i, operation in enumerate(operations[:-1])
        if isinstance(operation, (Dense, Convolution)) and operation.output == "sign"
    ]
    if asked is None:
        return [i for i in able if i > 0] or able
    for i in asked:
        if i not in able:
            legal = ", ".join(map(str, able)) or "none"
            raise ValueError(f"layer {i} of {network.name}: decisions can be drawn for {legal}")
    return sorted(set(asked))


@dataclass(frozen=True)
class _Group:
    """Neurons over one slice of the inputs; h = floor((polarity*(dot) - threshold) / 2), 0 the nearest that gives 1."""

    columns: slice
    weights: NDArray[np.float32]  # (size, n_out), polarity folded in
    offset: NDArray[np.float32]  # (n_out,)
    half: int  # h is clipped to -half - 1 .. half

    @classmethod
    def of(cls, weights: NDArray[Any], thresholds: NDArray[Any], polarity: NDArray[Any], at: slice) -> _Group:
        folded = weights[:, at] * polarity[:, None].astype(np.int64)
        size = folded.shape[1]
        t = np.ceil(polarity * thresholds)
        # dot = 2 * (bits @ w) - sum(w)
        offset = np.floor(-(folded.sum(axis=1) + t) / 2)
        half = (size + bias_columns(size)) // 2
        return cls(
            at,
            np.ascontiguousarray(folded.T.astype(np.float32)),
            (offset + half + 1).astype(np.float32),
            half,
        )

    @property
    def size(self) -> int:
        return self.weights.shape[0]

    def places(self, bits: NDArray[np.float32]) -> NDArray[np.intp]:
        """h + half + 1, within the table."""
        x = whole_product(bits[:, self.columns], self.weights)
        x += self.offset
        return np.clip(x, 0, 2 * self.half + 1, out=x).astype(np.intp)

    def ones(self, clock_ns: int, rate: float) -> NDArray[np.float32]:
        """Probability of a 1, by `places`."""
        wrong = _errors(self.size, rate, clock_ns)
        return np.concatenate([wrong[::-1], 1 - wrong]).astype(np.float32)


@cache
def _errors(size: int, rate: float, clock_ns: int) -> NDArray[np.float64]:
    """``neuron_error`` at every distance; over a slice of few inputs the last distance has no cell left that is 0."""
    cells = size + bias_columns(size)
    return neuron_error(size, rate, clock_ns, np.arange(cells // 2 + 1))


class _Layer:
    """An operation of the circuit: its groups, and how their decisions become its bits."""

    def __init__(self, operation: Dense | Convolution, number: int) -> None:
        self.walk = operation.walk if isinstance(operation, Convolution) else None
        dense: Any = operation.window if isinstance(operation, Convolution) else operation
        self.number = number
        weights, thresholds, polarity = (
            np.asarray(getattr(dense, name)) for name in ("weights", "thresholds", "polarity")
        )
        ends = np.cumsum(dense.group_sizes).tolist()
        slices = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        if dense.combine is Combine.VOTE:
            self.groups = [_Group.of(weights, thresholds[g], polarity[g], at) for g, at in enumerate(slices)]
        else:
            self.groups = [_Group.of(weights, thresholds[0], polarity[0], slice(0, ends[-1]))]

    def places(self, bits: Bits) -> list[NDArray[np.intp]]:
        parts = (
            bits if self.walk is None else windows(bits, self.walk).reshape(-1, self.groups[-1].columns.stop)
        )
        inputs = parts.astype(np.float32)
        return [group.places(inputs) for group in self.groups]

    def drawn(self, seed: int, draw: int, start: int, shape: tuple[int, ...]) -> list[NDArray[np.float32]]:
        return [
            uniform(seed, Purpose.SWEEP, self.number, draw, start, g, size=shape)
            for g in range(len(self.groups))
        ]

    def bits(
        self, places: list[NDArray[np.intp]], u: list[NDArray[np.float32]], tables: list[NDArray[np.float32]]
    ) -> tuple[Bits, int, int]:
        """Bits of the layer, of how many decisions, and how many of those were wrong."""
        total: NDArray[Any] = np.zeros(0, np.int16)
        wrong = 0
        for place, numbers, table, group in zip(places, u, tables, self.groups, strict=True):
            one = numbers < np.take(table, place)
            wrong += int(np.count_nonzero(one != (place > group.half)))
            total = one.astype(np.int16) if not total.size else total + one
        bits: NDArray[Any]
        if len(self.groups) == 1:
            bits = total.astype(np.uint8)
        else:
            bits = (2 * total >= len(self.groups)).astype(np.uint8)
        if self.walk is not None:
            bits = pooled(bits.reshape(-1, self.walk.windows, bits.shape[1]), self.walk.pool)
        return bits, places[0].size * len(self.groups), wrong


def sweep(
    network: Network,
    images: NDArray[Any],
    labels: NDArray[Any],
    *,
    layers: Sequence[int] | None = None,
    clocks_ns: Sequence[int] = (6, 8, 20),
    rates: Sequence[float] = (0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4),
    draws: int = 30,
    seed: int = 1,
    progress: Progress | None = None,
) -> list[SweepPoint]:
    """Accuracy at every clock and rate, over independent draws of all decisions.

    Parameters
    ----------
    network : Network
    images : bool or integer {0, 1}, (n, n_in)
    labels : int, (n,)
    layers : sequence of int, optional
        See `circuit_layers`.
    clocks_ns : sequence of 6, 8, 20
    rates : sequence of float, 0..1
    draws : int, at least 1
    seed : int
        Of the draws, which are keyed by (seed, layer, draw, block of images, group).
    progress : callable, optional
        ``progress(done, total)`` in images times draws.

    Raises
    ------
    ValueError
        With the offending value and what is legal.
    """
    bits = check_bits(images, network.n_in)
    chosen = [_Layer(network.operations[i], i) for i in circuit_layers(network, layers)]  # type: ignore[arg-type]
    by_number = {layer.number: layer for layer in chosen}
    exact = [EVALUATIONS[operation.kind](operation)[2] for operation in network.operations]
    points = [(clock, float(rate)) for clock in clocks_ns for rate in rates]
    tables = {
        (point, layer.number): [group.ones(*point) for group in layer.groups]
        for point in points
        for layer in chosen
    }
    right = np.zeros((len(points), draws), np.int64)
    decisions, wrong = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    first = chosen[0].number
    for start in range(0, len(bits), BLOCK):
        given = bits[start : start + BLOCK]
        for evaluate in exact[:first]:
            given, _ = evaluate(given)
        shared = chosen[0].places(given)
        for draw in range(draws):
            numbers: dict[int, list[NDArray[np.float32]]] = {}
            for at, point in enumerate(points):
                values, scores = given, None
                for i in range(first, len(exact)):
                    if (layer := by_number.get(i)) is None:
                        values, scores = exact[i](values)
                        continue
                    places: list[NDArray[np.intp]] = shared if i == first else layer.places(values)
                    if i not in numbers:
                        numbers[i] = layer.drawn(seed, draw, start, places[0].shape)
                    values, asked, missed = layer.bits(places, numbers[i], tables[point, i])
                    scores = None
                    decisions[at] += asked
                    wrong[at] += missed
                outcome = values if scores is None else scores
                classes = np.argmax(outcome, axis=1)
                right[at, draw] += int((classes == labels[start : start + BLOCK]).sum())
            if progress is not None:
                progress(start * draws + (draw + 1) * len(given), len(bits) * draws)
    return [
        _point(clock, rate, right[at] / len(bits), wrong[at] / decisions[at])
        for at, (clock, rate) in enumerate(points)
    ]


def _point(clock_ns: int, rate: float, accuracies: NDArray[np.float64], wrong: float) -> SweepPoint:
    return SweepPoint(
        clock_ns=clock_ns,
        cell_error_rate=rate,
        mean=float(accuracies.mean()),
        std=float(accuracies.std(ddof=min(1, len(accuracies) - 1))),
        low=float(accuracies.min()),
        high=float(accuracies.max()),
        wrong_bits=float(wrong),
        accuracies=accuracies.tolist(),
    )
