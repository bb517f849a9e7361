"""Where training images come from: idx files and their checksums, fetched packages, the digits of scikit-learn."""

from __future__ import annotations

import gzip
import re
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.model.networks.idx import DatasetError, load_idx
from bridgebnn.train import data

SEED = 7


def idx(array: np.ndarray) -> bytes:
    """idx file content of an array of unsigned bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist_folder(tmp_path: Path) -> Path:
    """A folder with a test part of 5 random images; the labels gzipped."""
    rng = np.random.default_rng(SEED)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (5, 28, 28))))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(5))))
    return tmp_path


def test_checksums_are_reported(mnist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = data.load("mnist", mnist_folder, "t10k")
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    assert all("NOT the published" in line for line in found.report)
    grey, md5 = load_idx(mnist_folder / "t10k-images-idx3-ubyte")
    assert np.array_equal(found.images, grey)
    monkeypatch.setitem(data.MNIST_MD5, "t10k-images-idx3-ubyte", md5)
    assert (
        data.load("mnist", mnist_folder, "t10k").report[0]
        == f"t10k-images-idx3-ubyte: MD5 {md5}, as published"
    )


def test_shapes_that_are_not_mnist(mnist_folder: Path) -> None:
    (mnist_folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(4)))
    with pytest.raises(
        DatasetError, match=re.escape("images (5, 28, 28), labels (4,): must be (count, 28, 28)")
    ):
        data.load("mnist", mnist_folder, "t10k")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds neither t10k-images-idx3-ubyte nor t10k-images"):
        data.load("mnist", tmp_path, "t10k")
    with pytest.raises(DatasetError, match="Fashion-MNIST: say where it lies, --data DIR, or --fetch"):
        data.load("fashion-mnist", None, "train")


def test_fashion_comes_from_a_debian_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt-get and dpkg-deb stood in for; an installed package is taken where it lies."""
    source = data.SOURCES["fashion-mnist"]
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", replace(source, installed=Path("/nowhere/fashion")))
    commands: list[str] = []

    def run(command: list[str], cwd: Path, **_: object) -> None:
        commands.append(command[0])
        if command[0] == "apt-get":
            (cwd / "x.deb").touch()
        else:
            folder = cwd / "nowhere/fashion"
            folder.mkdir(parents=True)
            for name in source.md5:
                (folder / f"{name}.gz").write_bytes(gzip.compress(b"x"))

    monkeypatch.setattr(subprocess, "run", run)
    assert data.fetch("fashion-mnist", tmp_path / "got") == tmp_path / "got"
    assert commands == ["apt-get", "dpkg-deb"]
    assert len(list((tmp_path / "got").iterdir())) == 4
    assert data.fetch("fashion-mnist", tmp_path / "got") == tmp_path / "got"
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", replace(source, installed=tmp_path / "got"))
    assert data.fetch("fashion-mnist", tmp_path / "other") == tmp_path / "got"
    assert len(commands) == 2


def test_digits_fall_into_two_parts() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is an optional extra")
    train, test = (data.load("digits", None, part) for part in ("train", "t10k"))
    assert (len(train.images), len(test.images)) == (1438, 359)
    assert train.images.shape[1:] == (8, 8)
    assert train.images.max() == 240
    assert set(test.labels.tolist()) == set(range(10))
