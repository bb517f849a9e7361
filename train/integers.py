"""Integer inference for the export check, after the definitions of ``model.network`` (numpy only)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hdl.config import Combine
from model.network import Network


def integer_scores(network: Network, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Scores (count, n_out) of bits (count, n_in), by the definitions of ``model.network`` in integers."""
    x = images.astype(np.int64) * 2 - 1
    for layer in network.layers:
        # float64 products are exact below 2**53 and much faster than integer ones
        dots = np.stack(
            [x[:, s].astype(float) @ layer.weights[:, s].T.astype(float) for s in layer.group_slices]
        )
        dots = dots.astype(np.int64)
        if layer.combine is Combine.ADD:
            dots = dots.sum(axis=0, keepdims=True)
        x = layer.polarity[:, None] * (dots - layer.thresholds[:, None])
        if layer.combine is Combine.VOTE:
            x = np.where(x >= 0, 1, -1)
        x = x.sum(axis=0)
        if layer.output == "sign":
            x = np.where(x >= 0, 1, -1)
    return x


def accuracy(scores: NDArray[np.int64], labels: NDArray[np.uint8]) -> float:
    """Share of images whose largest score is the label's; ties go to the lowest class index."""
    return float(np.mean(scores.argmax(axis=1) == labels))
