"""From values of images to bits: against a loop over pixels, in files, and the message of every error."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridgebnn.model.networks.encoding import Encoding, parse_rule
from bridgebnn.model.networks.network import Network, NetworkError
from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.paths import DATA

from .convolutions import random_network

SEED = 11


@pytest.mark.parametrize(
    ("text", "thresholds"),
    [
        ("bits", ()),
        ("threshold", (128,)),
        ("threshold:100", (100,)),
        ("thermometer:1", (128,)),
        ("thermometer:3", (64, 128, 192)),
        ("thermometer:255", tuple(range(1, 256))),
        ("thermometer:0,20,256", (0, 20, 256)),
    ],
)
def test_rules(text: str, thresholds: tuple[int, ...]) -> None:
    assert parse_rule(text) == thresholds
    assert parse_rule(Encoding(shape=(2,), thresholds=thresholds).rule) == thresholds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("otsu", "binarize = 'otsu': must be bits, threshold"),
        ("threshold:1,2", "must be bits, threshold"),
        ("thermometer", "must be bits, threshold"),
        ("thermometer:0", "must have from 1 to 255 levels"),
        ("thermometer:256", "must have from 1 to 255 levels"),
        ("threshold:257", "input thresholds 257: must rise, each from 0 to 256"),
        ("thermometer:5,5", "input thresholds 5, 5: must rise"),
    ],
)
def test_rules_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_rule(text)


def test_bits_in_the_order_row_column_channel_level() -> None:
    rng = np.random.default_rng(SEED)
    images = rng.integers(0, 256, (4, 3, 2, 3)).astype(np.uint8)
    encoding = Encoding(shape=(3, 2, 3), thresholds=(10, 128, 250))
    wanted = [
        [
            int(image[y, x, c] >= t)
            for y in range(3)
            for x in range(2)
            for c in range(3)
            for t in (10, 128, 250)
        ]
        for image in images.tolist()
        for image in [np.array(image)]
    ]
    bits = encoding(images)
    assert bits.dtype == np.uint8
    assert bits.tolist() == wanted
    assert encoding(images.reshape(4, -1).astype(np.int64)).tolist() == wanted


def test_ends_of_the_range() -> None:
    values = np.arange(256, dtype=np.uint8)[None]
    for threshold in (0, 1, 128, 255, 256):
        assert Encoding(shape=(256,), thresholds=(threshold,))(values).sum() == 256 - threshold


def test_bits_pass_as_they_are() -> None:
    encoding = Encoding(shape=(2, 2), thresholds=())
    assert encoding([[[0, 1], [1, 1]]]).tolist() == [[0, 1, 1, 1]]
    assert encoding(np.array([[True, False, False, True]])).tolist() == [[1, 0, 0, 1]]
    with pytest.raises(NetworkError, match=r"images\[0, 2\] = 2: must be from 0 to 1"):
        encoding([[0, 1, 2, 1]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((5, 6, 4), int),
            "images of shape (5, 6, 4): must be (count, ...) with 4 x 6 values an image",
        ),
        (np.zeros((4, 6), int), "images of shape (4, 6): must be"),
        (np.zeros((5, 2, 12), int), "images of shape (5, 2, 12): must be"),
        (np.zeros(24, int), "images of shape (24,): must be"),
        (np.zeros((5, 24)), "images are float64: must be whole numbers"),
        (np.full((1, 24), 256), "images[0, 0] = 256: must be from 0 to 255"),
        (np.full((1, 4, 6, 1), -1), "images[0, 0] = -1: must be from 0 to 255"),
    ],
)
def test_images_that_do_not_fit(images: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        Encoding(shape=(4, 6))(images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": ()}, "input shape (): must be (pixels,), (height, width) or (height, width, channels)"),
        ({"shape": (2, 0)}, "input shape (2, 0): must be"),
        ({"shape": (1, 1, 1, 1)}, "input shape (1, 1, 1, 1): must be"),
        ({"thresholds": (5, 4)}, "input thresholds 5, 4: must rise, each from 0 to 256"),
        ({"thresholds": (-1,)}, "input thresholds -1: must rise"),
    ],
)
def test_encodings_that_are_none(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        Encoding(**{"shape": (4,)} | changes)


def test_it_is_checked_against_the_first_operation() -> None:
    network = random_network(np.random.default_rng(SEED), width=6, height=5, channels=6)
    assert network.encoding == Encoding(shape=(5, 6, 6))
    good = Encoding.of(network.operations[0], parse_rule("thermometer:3"))
    assert good.shape == (5, 6, 2)
    assert dataclasses.replace(network, encoding=good).encoding == good
    assert Encoding.of(network.operations[1]).shape == network.encoding.of(network.operations[1]).shape
    with pytest.raises(NetworkError, match="6 channels come of no thermometer code of 4 levels"):
        Encoding.of(network.operations[0], parse_rule("thermometer:4"))
    with pytest.raises(
        NetworkError, match=re.escape("input shape (5, 6, 3) with threshold:128: 90 bits, but")
    ):
        dataclasses.replace(network, encoding=Encoding(shape=(5, 6, 3)))
    with pytest.raises(
        NetworkError, match=re.escape("a map of (6, 5, 6), but operation 0 takes one of (5, 6, 6)")
    ):
        dataclasses.replace(network, encoding=Encoding(shape=(6, 5, 6)))


@pytest.mark.parametrize("rule", ["bits", "threshold:7", "thermometer:3"])
def test_files_keep_it(tmp_path: Path, rule: str) -> None:
    network = random_network(np.random.default_rng(SEED), channels=3)
    encoding = Encoding.of(network.operations[0], parse_rule(rule))
    dataclasses.replace(network, encoding=encoding).save(tmp_path / "n.npz")
    assert Network.load(tmp_path / "n.npz").encoding == encoding


def test_values_enter_as_their_eight_bits(tmp_path: Path) -> None:
    encoding = Encoding(shape=(2, 1), thresholds=(), planes=8)
    assert (encoding.rule, encoding.n_bits, encoding.levels, encoding.takes_bits) == ("values", 16, 8, False)
    assert encoding([[1, 130]]).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]]
    with pytest.raises(NetworkError, match=re.escape("images[0, 1] = 256: must be from 0 to 255")):
        encoding([[1, 256]])
    for changes in ({"planes": 4}, {"thresholds": (3,)}):
        with pytest.raises(NetworkError, match="must be 0, or 8 without any"):
            dataclasses.replace(encoding, **changes)


def test_older_files_have_the_rule_of_their_images(tmp_path: Path) -> None:
    assert Network.load(DATA / "mnist-784-512-512-10.npz").encoding == Encoding(
        shape=(784,), thresholds=(128,)
    )
    path = tmp_path / "n.npz"
    random_network(np.random.default_rng(SEED)).save(path)
    arrays = read_npz(path, format="bridgebnn-network", version=2, error=NetworkError).arrays
    write_npz(path, {key: value for key, value in arrays.items() if not key.startswith("input_")})
    assert Network.load(path).encoding == Encoding(shape=(5, 6, 3), thresholds=(128,))
    for changes, message in (
        ({"input_shape": None}, "key 'input_shape' is missing"),
        ({"input_shape": np.ones((1, 3), int)}, "input_shape of shape (1, 3): must have one dimension"),
        ({"input_thresholds": np.ones(1)}, "input_thresholds are float64: must be integers"),
        ({"input_thresholds": np.array([300])}, "input thresholds 300: must rise"),
    ):
        write_npz(path, {key: value for key, value in (arrays | changes).items() if value is not None})
        with pytest.raises(NetworkError, match=re.escape(f"{path}: {message}")):
            Network.load(path)
