"""Random networks with host layers, and a host layer written out in exact fractions: nothing shared with golden."""

from __future__ import annotations

import itertools
from fractions import Fraction

from bridgebnn.model.networks.host import HostDense
from bridgebnn.model.networks.network import Network
from tests.model.networks.convolutions import random_dense


def random_host(rng, n_out: int, n_in: int, output: str = "sign", fraction: int = 4) -> HostDense:
    return HostDense(
        weights=rng.integers(-40, 41, (n_out, n_in)),
        thresholds=rng.integers(-60, 61, n_out),
        fraction=fraction,
        output=output,
    )


def random_hosted(rng, sizes=(9, 12, 10, 11, 4)) -> Network:
    """A host layer of signs, binary layers, and a host layer of scores."""
    first = random_host(rng, sizes[1], sizes[0])
    middle = [random_dense(rng, n_out, n_in) for n_in, n_out in itertools.pairwise(sizes[1:-1])]
    last = random_host(rng, sizes[-1], sizes[-2], "score")
    return Network(name="hosted", operations=(first, *middle, last))


def real_sums(layer: HostDense, bits: list[int]) -> list[Fraction]:
    """Real dot product less real threshold, of each neuron."""
    step = Fraction(1, 2**layer.fraction)
    return [
        sum(
            (Fraction(int(w)) * step * (1 if bit else -1) for w, bit in zip(row, bits, strict=True)),
            Fraction(0),
        )
        - int(threshold) * step
        for row, threshold in zip(layer.weights, layer.thresholds, strict=True)
    ]
