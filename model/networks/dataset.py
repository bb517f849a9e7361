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

from .idx import DatasetError

FORMAT = "bridgebnn-dataset"
VERSION = 1
TEST_SET = DATA / "mnist-test-1bit.npz"
PIXELS = 784
THRESHOLD = 127
"""A pixel is 1 when its grey value (0..255) is above this."""


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
