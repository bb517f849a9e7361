"""Convolutions: golden against loops over pixels, files, and every value that is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bridgebnn.model.networks import golden
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.network import Network
from bridgebnn.model.networks.operations import NetworkError
from tests.model.networks.convolutions import plain, random_dense, random_network

SHAPES = [
    {},
    {"padding": 0, "filters": (3,), "pools": (1,)},
    {"kernel": 2, "stride": 2, "width": 9, "height": 7, "padding": 1, "filters": (2, 3), "pools": (1, 1)},
    {"kernel": 1, "padding": 0, "pools": (2, 2), "width": 8, "height": 9, "channels": 33},
    {"kernel": 5, "padding": 2, "pools": (3, 1), "width": 7, "height": 8, "channels": 1},
    {"groups": 3, "hidden": 6},
]


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
def test_golden_is_the_definition(shape):
    rng = np.random.default_rng(1)
    network = random_network(rng, **shape)
    images = rng.integers(0, 2, (5, network.n_in))
    result = golden.forward(network, images)
    for i, image in enumerate(images.tolist()):
        hidden, scores = plain(network, image)
        assert [bits[i].tolist() for bits in result.hidden] == hidden
        assert result.scores[i].tolist() == scores


def test_file(tmp_path):
    rng = np.random.default_rng(2)
    network = random_network(rng, groups=2)
    network.save(tmp_path / "n.npz")
    again = Network.load(tmp_path / "n.npz")
    images = rng.integers(0, 2, (20, network.n_in))
    assert (golden.forward(again, images).scores == golden.forward(network, images).scores).all()
    again.save(tmp_path / "m.npz")
    assert (tmp_path / "n.npz").read_bytes() == (tmp_path / "m.npz").read_bytes()
    assert again.operations[0].pool == network.operations[0].pool


def layer(**changes):
    shape = {"width": 5, "height": 4, "channels": 2, "kernel": 3} | changes
    window = shape.pop("window", None) or random_dense(np.random.default_rng(3), 3, 18)
    return Convolution(window=window, **shape)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 3}, r"window has 18 inputs: must be 27, 3 x 3 pixels of 3 channels"),
        ({"kernel": 6}, r"width = 5 with padding 0: too small for kernel 6"),
        ({"pool": 4}, r"too small for kernel 3, stride 1 and pooling 4"),
        ({"stride": 0}, r"MapWalk.stride = 0: must be an integer from 1 to 15"),
        ({"padding": 16}, r"MapWalk.padding = 16: must be an integer from 0 to 15"),
        ({"width": 2000}, r"MapWalk.width = 2000"),
        (
            {"window": random_dense(np.random.default_rng(4), 3, 18, "score")},
            r"window gives 'score': must be 'sign'",
        ),
    ],
)
def test_refused(changes, message):
    with pytest.raises(NetworkError, match=message):
        layer(**changes)


def test_chain_is_checked():
    good = layer()
    with pytest.raises(NetworkError, match=r"n_in = 30: must be 18, the n_out of operation 0"):
        Network(name="x", operations=(good, random_dense(np.random.default_rng(5), 2, 30)))
    assert dataclasses.replace(good, padding=1).n_out == 60
