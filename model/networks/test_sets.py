"""The test images that come with the package, beside MNIST in one bit: what a network is tried on by default.

A file holds ``format`` ("bridgebnn-dataset"), ``version`` (1), ``meta`` (JSON: source, rule), ``images`` (uint8,
(count, height, width)) and ``labels`` (uint8, (count,)). Grey values are coarse: each is the greatest threshold of
``meta`` that the image's own value reaches, or 0, so that these thresholds make the same bits of it.
``bridgebnn train`` writes the files again, and ``--data`` takes them as any others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.paths import DATA

from .dataset import FORMAT, TEST_SET, VERSION
from .idx import DatasetError

__all__ = ["FASHION_IMAGES", "TEST_SETS", "load_test_set", "save_test_set"]

TEST_SETS = {
    "mnist": TEST_SET,
    "fashion-mnist": DATA / "fashion-mnist-test-1000.npz",
    "digits": DATA / "digits-test.npz",
}
"""File of each data set."""

FASHION_IMAGES = 1000
"""The first so many of its 10,000 test images come with the package."""


def save_test_set(
    path: str | Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    thresholds: tuple[int, ...],
    *,
    source: str,
) -> None:
    """Write a test set; the same data give the same bytes.

    Parameters
    ----------
    images : uint8, (count, height, width)
        Grey values.
    labels : uint8, (count,)
    thresholds : tuple of int, 1..255
        Rising; the grey values that are told apart.
    source : str
    """
    values = np.array([0, *thresholds], np.uint8)
    coarse = values[np.searchsorted(thresholds, images, side="right")]
    meta = {"source": source, "thresholds": list(thresholds)}
    write_npz(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "meta": json.dumps(meta, sort_keys=True),
            "images": coarse,
            "labels": labels,
        },
    )


def load_test_set(path: str | Path) -> tuple[NDArray[Any], NDArray[Any], tuple[int, ...]]:
    """Images, labels, and the thresholds that tell all their values apart.

    Raises
    ------
    DatasetError
        The file is missing, damaged or foreign.
    """
    entries = read_npz(path, format=FORMAT, version=VERSION, error=DatasetError)
    thresholds = tuple(json.loads(entries.text("meta"))["thresholds"])
    return entries.array("images"), entries.array("labels"), thresholds
