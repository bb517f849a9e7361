"""Random networks with host layers, and a host layer written out in exact fractions: nothing shared with golden."""

from __future__ import annotations

import itertools
from fractions import Fraction

from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.host import HostConvolution, HostDense
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


def random_host_convolution(rng, planes: int, pad: int) -> HostConvolution:
    """Three filters of 3 x 3 over 7 x 6 pixels of two values, pooled."""
    window = HostDense(
        weights=rng.integers(-40, 41, (3, 18)),
        thresholds=rng.integers(-60, 61, 3) * (2**planes - 1),
        fraction=4,
        output="sign",
        planes=planes,
    )
    return HostConvolution(
        window=window, width=6, height=7, channels=2 * planes, kernel=3, padding=1, pool=2, pad=pad
    )


def encoding_of(layer: HostConvolution) -> Encoding:
    values = layer.channels // layer.window.planes
    planes = 8 if layer.window.planes == 8 else 0
    return Encoding(shape=(layer.height, layer.width, values), thresholds=(), planes=planes)


def convolved(layer: HostConvolution, bits) -> list[int]:
    """Bits of the map that goes out, position by position."""
    planes, k, p, pool = layer.window.planes, layer.kernel, layer.padding, layer.pool
    channels = layer.channels // planes
    bipolar = [2 * int(b) - 1 for b in bits]

    def value(y: int, x: int, c: int) -> int:
        if not (0 <= y < layer.height and 0 <= x < layer.width):
            return layer.pad
        first = ((y * layer.width + x) * channels + c) * planes
        return sum(2**j * bipolar[first + j] for j in range(planes))

    def sign(y: int, x: int, neuron: int) -> bool:
        total = sum(
            int(layer.window.weights[neuron, (dy * k + dx) * channels + c]) * value(y + dy - p, x + dx - p, c)
            for dy, dx, c in itertools.product(range(k), range(k), range(channels))
        )
        return total >= int(layer.window.thresholds[neuron])

    return [
        int(any(sign(y * pool + i, x * pool + j, n) for i, j in itertools.product(range(pool), repeat=2)))
        for y, x in itertools.product(range(layer.height // pool), range(layer.width // pool))
        for n in range(layer.window.n_out)
    ]
