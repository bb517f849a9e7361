"""Random convolutional networks, and their evaluation written out: loops over pixels, nothing shared with golden."""

from __future__ import annotations

import numpy as np

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network


def random_dense(rng, n_out: int, n_in: int, output: str = "sign", groups: int = 1) -> Dense:
    sizes = [n_in // groups] * (groups - 1) + [n_in - (n_in // groups) * (groups - 1)]
    rows = groups if groups > 1 else 1
    spread = 3 if output == "sign" else 0
    return Dense(
        weights=rng.choice([-1, 1], (n_out, n_in)),
        thresholds=rng.integers(-spread, spread + 1, (rows, n_out)),
        polarity=rng.choice([-1, 1], (rows, n_out)) if output == "sign" else np.ones((rows, n_out), int),
        group_sizes=np.array(sizes),
        combine=Combine.VOTE if groups > 1 else Combine.ADD,
        output=output,
    )


def random_network(
    rng,
    *,
    width=6,
    height=5,
    channels=3,
    filters=(4, 5),
    kernel=3,
    pools=(1, 2),
    padding=1,
    classes=4,
    groups=1,
    stride=1,
    hidden=0,
):
    """Convolutions of ``filters``, perhaps a hidden dense layer, and a dense layer of scores."""
    operations = []
    for n, pool in zip(filters, pools, strict=True):
        layer = Convolution(
            window=random_dense(rng, n, kernel * kernel * channels, groups=groups),
            width=width, height=height, channels=channels, kernel=kernel, stride=stride, padding=padding, pool=pool,
        )  # fmt: skip
        operations.append(layer)
        width, height, channels = layer.walk.out_width, layer.walk.out_height, n
    if hidden:
        operations.append(random_dense(rng, hidden, operations[-1].n_out))
    operations.append(random_dense(rng, classes, operations[-1].n_out, "score"))
    return Network(name="maps", operations=tuple(operations))


def neuron(dense: Dense, j: int, x) -> tuple[int, int]:
    """(bit, score) of one neuron."""
    if dense.combine is Combine.VOTE:
        total = 0
        for g, part in enumerate(dense.group_slices):
            d = int(dense.weights[j, part].astype(int) @ x[part])
            total += 1 if dense.polarity[g, j] * (d - dense.thresholds[g, j]) >= 0 else -1
    else:
        d = int(dense.weights[j].astype(int) @ x)
        total = int(dense.polarity[0, j] * (d - dense.thresholds[0, j]))
    return int(total >= 0), total


def plain(network: Network, bits) -> tuple[list[list[int]], list[int]]:
    """Bits of every operation but the last, and the scores, of one image."""
    hidden = []
    current = list(bits)
    for operation in network.operations[:-1]:
        if isinstance(operation, Convolution):
            current = convolve(operation, current)
        else:
            current = [neuron(operation, j, 2 * np.array(current) - 1)[0] for j in range(operation.n_out)]
        hidden.append(current)
    last = network.operations[-1]
    return hidden, [neuron(last, j, 2 * np.array(current) - 1)[1] for j in range(last.n_out)]


def convolve(layer: Convolution, bits) -> list[int]:
    out_width = (layer.width + 2 * layer.padding - layer.kernel) // layer.stride + 1
    out_height = (layer.height + 2 * layer.padding - layer.kernel) // layer.stride + 1

    def pixel(y, x, c):
        inside = 0 <= y < layer.height and 0 <= x < layer.width
        return bits[(y * layer.width + x) * layer.channels + c] if inside else 0

    result = []
    for py in range(out_height // layer.pool):
        for px in range(out_width // layer.pool):
            for j in range(layer.window.n_out):
                found = 0
                for y in range(py * layer.pool, (py + 1) * layer.pool):
                    for x in range(px * layer.pool, (px + 1) * layer.pool):
                        window = [
                            2
                            * pixel(
                                y * layer.stride - layer.padding + dy,
                                x * layer.stride - layer.padding + dx,
                                c,
                            )
                            - 1
                            for dy in range(layer.kernel)
                            for dx in range(layer.kernel)
                            for c in range(layer.channels)
                        ]
                        found |= neuron(layer.window, j, np.array(window))[0]
                result.append(found)
    return result
