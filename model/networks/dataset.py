"""The MNIST test set in one bit a pixel, and how it is made from the files that MNIST comes in.

The file ``data/mnist-test-1bit.npz`` (10,000 handwritten digits) lets every test and demonstration run
without a download. ``bridgebnn train test-set`` writes it again. Its keys: ``format`` ("bridgebnn-dataset"),
``version`` (1), ``meta`` (JSON: source, licence, binarisation rule), ``images`` (uint8, (10000, 98): pixel
i of an image is bit i, least significant first) and ``labels`` (uint8, (10000,)).

References
----------
Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"; commonly stated as
CC BY-SA 3.0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.paths import DATA

from .idx import DatasetError, find_idx, load_idx

FORMAT = "bridgebnn-dataset"
VERSION = 1
TEST_SET = DATA / "mnist-test-1bit.npz"
PIXELS = 784
THRESHOLD = 127
"""A pixel is 1 when its grey value (0..255) is above this."""

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""Published MD5 of the four MNIST files, unpacked: of the content, whether or not it is gzipped on disk."""


def load_mnist_idx(folder: str | Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[str]]:
    """Read images and labels of one part of MNIST from its idx files, one bit a pixel.

    Parameters
    ----------
    folder : path
        Where the idx files lie, plain or gzipped.
    part : "train" or "t10k"
        60,000 training or 10,000 test images.

    Returns
    -------
    images : uint8 in {0, 1}, (count, 784)
        1 where the pixel is above ``THRESHOLD``; pixel ``28 * y + x``.
    labels : uint8 in 0..9, (count,)
    report : list of str
        One line a file: its MD5, and whether it is the published one.

    Raises
    ------
    DatasetError
        As ``load_idx``, or the files do not hold the shapes of MNIST.
    """
    names = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    if names[0] not in MNIST_MD5:
        raise DatasetError(f"part = {part!r}: must be 'train' or 't10k'")
    (images, images_md5), (labels, labels_md5) = (load_idx(find_idx(folder, name)) for name in names)
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise DatasetError(
            f"{folder}: images {images.shape}, labels {labels.shape}: must be (count, 28, 28) and (count,)"
        )
    report = []
    for name, md5 in zip(names, (images_md5, labels_md5), strict=True):
        matches = md5 == MNIST_MD5[name]
        report.append(
            f"{name}: MD5 {md5}, {'as published' if matches else f'NOT the published {MNIST_MD5[name]}'}"
        )
    return binarize(images), labels, report


def binarize(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey images (count, ...) to bits (count, pixels): 1 where the grey value is above ``THRESHOLD``."""
    return (images.reshape(len(images), -1) > THRESHOLD).astype(np.uint8)


def save_mnist_test(
    path: str | Path, images: NDArray[np.uint8], labels: NDArray[np.uint8], meta: dict[str, Any]
) -> None:
    """Write the packed test set; the same data give the same bytes.

    Parameters
    ----------
    images : uint8 in {0, 1}, (count, 784)
    labels : uint8 in 0..9, (count,)
    meta : dict
        What JSON holds: source package, licence; the binarisation rule is added.
    """
    write_npz(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "meta": json.dumps({**meta, "binarisation": f"bit = pixel > {THRESHOLD}"}, sort_keys=True),
            "images": np.packbits(images, axis=1, bitorder="little"),
            "labels": labels,
        },
    )


def load_mnist_test(path: str | Path = TEST_SET) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the packed test set.

    Returns
    -------
    images : uint8 in {0, 1}, (10000, 784)
    labels : uint8 in 0..9, (10000,)

    Raises
    ------
    DatasetError
        The file is missing, damaged, foreign, or does not hold packed digits.
    """
    entries = read_npz(path, format=FORMAT, version=VERSION, error=DatasetError)
    try:
        packed, labels = entries.array("images"), entries.array("labels")
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    if packed.dtype != np.uint8 or packed.shape[1:] != (PIXELS // 8,):
        raise DatasetError(
            f"{path}: images are {packed.dtype} {packed.shape}: must be uint8 (count, {PIXELS // 8})"
        )
    if labels.dtype != np.uint8 or labels.shape != packed.shape[:1]:
        raise DatasetError(
            f"{path}: labels are {labels.dtype} {labels.shape}: must be uint8 {packed.shape[:1]}"
        )
    if (largest := int(labels.max(initial=0))) > 9:
        raise DatasetError(f"{path}: label {largest}: must be from 0 to 9")
    return np.unpackbits(packed, axis=1, bitorder="little"), labels


def load_meta(path: str | Path = TEST_SET) -> dict[str, Any]:
    """Source, licence and binarisation rule of the packed test set."""
    return json.loads(read_npz(path, format=FORMAT, version=VERSION, error=DatasetError).text("meta"))
