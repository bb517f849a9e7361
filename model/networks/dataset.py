"""The MNIST test set in one bit a pixel, and a reader for the idx files that it was made from.

The file ``data/mnist-test-1bit.npz`` (10,000 handwritten digits) lets every test and demonstration run
without a download. ``bridgebnn train test-set`` writes it again. Its keys: ``format`` ("bridgebnn-dataset"),
``version`` (1), ``meta`` (JSON: source, licence, binarisation rule), ``images`` (uint8, (10000, 98): pixel
i of an image is bit i, least significant first) and ``labels`` (uint8, (10000,)).

References
----------
Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"; commonly stated as
CC BY-SA 3.0. Section "FILE FORMATS" describes idx.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.paths import DATA

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

_UNSIGNED_BYTE = 0x08


class DatasetError(ValueError):
    """A data file is missing, damaged or foreign; the message names the file and what is legal."""


def load_idx(path: str | Path) -> tuple[NDArray[np.uint8], str]:
    """Read an idx file of unsigned bytes, gzipped or not (told by its content, not by its name).

    Returns
    -------
    array : uint8, shape as the file says
    md5 : str
        MD5 of the unpacked content, in hex; compare with ``MNIST_MD5``.

    Raises
    ------
    DatasetError
        Missing file, damaged gzip, wrong magic number, element type other than unsigned byte, or a length
        that does not match the header.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as cause:
        raise DatasetError(f"{path}: cannot be read ({cause})") from None
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DatasetError(
            f"{path}: starts with {content[:4].hex(' ')}: an idx file starts with 00 00 08 and its rank"
        )
    kind, rank = content[2], content[3]
    if kind != _UNSIGNED_BYTE:
        raise DatasetError(f"{path}: element type 0x{kind:02x}: must be 0x08 (unsigned byte)")
    start = 4 + 4 * rank
    if rank == 0 or len(content) < start:
        raise DatasetError(f"{path}: {len(content)} bytes: too short for a header of rank {rank}, at least 1")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", rank, 4))
    if len(content) - start != math.prod(shape):
        raise DatasetError(
            f"{path}: {len(content) - start} bytes of data: must be {math.prod(shape)} for shape {shape}"
        )
    array = np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    return array, hashlib.md5(content, usedforsecurity=False).hexdigest()


def find_idx(folder: str | Path, name: str) -> Path:
    """Path of the idx file ``name`` in ``folder``, plain or with ``.gz``.

    Raises
    ------
    DatasetError
        Neither is there.
    """
    for path in (Path(folder) / name, Path(folder) / f"{name}.gz"):
        if path.exists():
            return path
    raise DatasetError(f"{Path(folder)}: holds neither {name} nor {name}.gz")


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
