"""A second, slow statement of what a network computes, and random networks to compare it on.

Written from the table in ``model/networks/network.py``, with plain dot products on bipolar vectors; shares no code
with ``model/networks/golden.py``.
"""

import itertools
from types import SimpleNamespace

import numpy as np


def slow_layer(layer, x):
    """(scores, signs) of one layer on bipolar ``x`` (batch, n_in)."""
    d, start = [], 0
    for size in layer.group_sizes:
        part = slice(start, start + int(size))
        d.append(x[:, part].astype(np.int64) @ layer.weights[:, part].astype(np.int64).T)
        start += int(size)
    if int(layer.combine) == 1:
        total = sum(
            np.where(layer.polarity[g] * (d[g] - layer.thresholds[g]) >= 0, 1, -1) for g in range(len(d))
        )
    else:
        total = layer.polarity[0] * (sum(d) - layer.thresholds[0])
    return total, np.where(total >= 0, 1, -1)


def slow_forward(network, images):
    """(list of hidden bits, scores, classes) as ``golden.Forward`` defines them."""
    x, hidden = np.where(np.asarray(images) > 0, 1, -1), []
    for layer in network.operations:
        total, x = slow_layer(layer, x)
        if layer.output == "sign":
            hidden.append((x > 0).astype(np.uint8))
            if int(layer.combine) == 0:
                total = x
    classes = [next(i for i, s in enumerate(row) if s == max(row)) for row in total.tolist()]
    return hidden, total, np.array(classes)


def random_layer(rng, n_in, n_out, *, groups=1, combine=0, output="sign", spread=None, equal_groups=True):
    """A layer with thresholds over the whole legal range, both ends included."""
    if groups == 1:
        sizes = np.array([n_in])
    elif equal_groups:
        size = -(-n_in // groups)
        groups = -(-n_in // size)
        sizes = np.full(groups, size)
        sizes[-1] = n_in - size * (groups - 1)
    else:
        cuts = np.sort(rng.choice(np.arange(1, n_in), groups - 1, replace=False))
        sizes = np.diff([0, *cuts, n_in])
    rows = len(sizes) if combine == 1 else 1
    limit = (sizes[:, None] if combine == 1 else np.array([[n_in]])) + 1
    limit = np.broadcast_to(limit, (rows, n_out))
    if spread is not None:
        limit = np.minimum(limit, spread)
    thresholds = rng.integers(-limit, limit + 1)
    if spread is None and n_out >= 2:
        thresholds[:, 0], thresholds[:, -1] = -limit[:, 0], limit[:, 0]
    return SimpleNamespace(
        kind="dense",
        weights=rng.choice([-1, 1], (n_out, n_in)).astype(np.int8),
        thresholds=thresholds.astype(np.int32),
        polarity=rng.choice([-1, 1], (rows, n_out)).astype(np.int8),
        group_sizes=sizes.astype(np.int32),
        combine=combine,
        output=output,
    )


def random_network(rng, sizes, **kwargs):
    """A chain of random layers, the last one a score layer; ``kwargs`` go to ``random_layer``."""
    from bridgebnn.hdl.spec import Combine
    from bridgebnn.model.networks.dense import Dense
    from bridgebnn.model.networks.network import Network

    operations = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        options = {"output": "score" if i == len(sizes) - 2 else "sign", **kwargs}
        fields = vars(random_layer(rng, n_in, n_out, **options))
        del fields["kind"]
        operations.append(Dense(**fields | {"combine": Combine(fields["combine"])}))
    return Network(name="random", operations=tuple(operations))
