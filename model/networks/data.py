"""Images of one's own, from whatever file they are in, as a network takes them.

======================  ==================================================================================
file                    holds
======================  ==================================================================================
``.npz``                arrays ``images`` and perhaps ``labels``; also ``x_test``, ``y_test`` and others, `KEYS`
                        or CIFAR-10's test images in JPEG copies, see ``jpeg_archive.py``
``.npy``                images; labels in a file of their own
idx, also gzipped       images; labels in the file beside it whose name has ``labels-idx1`` for ``images-idx3``
a folder                images by class, see ``image_folder.py``; or the batches of CIFAR-10: ``test_batch.bin``
``.bin``                a batch of CIFAR-10: 3073 bytes an image, label, then 32 x 32 red, green and blue
======================  ==================================================================================

Images are whole numbers 0..255, row by row, channel last. Real numbers are taken where they are whole, or where
all are 0..1 in steps of 1/255. Bits (0 and 1, or -1 and +1) have to be named as such.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .dataset import PIXELS, TEST_SET, load_mnist_test
from .encoding import DEFAULT, Encoding, parse_rule
from .idx import DatasetError, load_idx
from .image_folder import load_image_folder
from .jpeg_archive import is_jpeg_archive, load_jpeg_archive
from .network import Network
from .test_sets import TEST_SETS, load_test_set

__all__ = ["KEYS", "Data", "load_data", "test_images"]

KEYS = (
    ("images", "labels"),
    ("x_test", "y_test"),
    ("test_images", "test_labels"),
    ("x", "y"),
    ("data", "target"),
)
"""Names of arrays in ``.npz`` files, images and labels; the first that is there counts."""

CIFAR_BYTES = 3073


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Images, and labels where there are any.

    Parameters
    ----------
    name : str
        Where they come from.
    images : uint8, (count, ...)
        Values 0..255; 0 and 1 where they are bits.
    labels : int64, (count,) or None
    thresholds : tuple of int or None
        None: values. Else they are bits already, made by these thresholds; an empty one: by whatever rule.
    classes : tuple of str
        Names of the classes, where the file has them.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    thresholds: tuple[int, ...] | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int) -> Self:
        """The first images; all where there are fewer."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, images=self.images[:count], labels=labels)

    def needed_labels(self) -> NDArray[np.int64]:
        """The labels, for what cannot do without.

        Raises
        ------
        ValueError
            There are none.
        """
        if self.labels is None:
            raise ValueError(f"{self.name}: has no labels, an accuracy needs them")
        return self.labels

    def bits(self, network: Network) -> NDArray[np.uint8]:
        """What the network takes of them, uint8 in {0, 1}, (count, n_in).

        Raises
        ------
        DatasetError
            Images of another shape, bits made by another rule, or labels beyond the network's classes.
        """
        if self.labels is not None and len(self.labels) and (top := int(self.labels.max())) >= network.n_out:
            raise DatasetError(
                f"{self.name}: label {top}: must be from 0 to {network.n_out - 1}, {network.name} has "
                f"{network.n_out} classes"
            )
        encoding = network.encoding
        if self.thresholds is None:
            if encoding.takes_bits:
                raise DatasetError(
                    f"{self.name}: holds values, but {network.name} takes bits: binarize = bits"
                )
        else:
            if encoding.planes:
                raise DatasetError(
                    f"{self.name}: holds bits, but {network.name} takes values 0..255: say data with grey "
                    "values or colours"
                )
            if self.thresholds and encoding.thresholds and self.thresholds != encoding.thresholds:
                own = Encoding(shape=(1,), thresholds=self.thresholds).rule
                raise DatasetError(
                    f"{self.name}: bits made by {own}, but {network.name} takes those of {encoding.rule}"
                )
            flat, levels = len(encoding.shape) != 2, encoding.levels
            shape = (*encoding.shape[:-1], encoding.shape[-1] * levels) if flat else (*encoding.shape, levels)
            encoding = Encoding(shape=shape, thresholds=())
        try:
            return encoding(self.images)
        except ValueError as error:
            raise DatasetError(f"{self.name}: {error}") from None


def test_images(network: Network | None) -> Data:
    """The test images that come with the package: of what the network was trained on, or of MNIST.

    Raises
    ------
    DatasetError
        They are too coarse for the network.
    """
    known = {path.name: path for path in TEST_SETS.values() if path != TEST_SET}
    path = known.get(str(network.meta.get("test_set"))) if network is not None else None
    if network is not None and path is not None:
        values, labels, fine = load_test_set(path)
        if not set(network.encoding.thresholds) <= set(fine):
            raise DatasetError(
                f"{path.name}: tells {', '.join(map(str, fine))} apart, but {network.name} takes "
                f"{network.encoding.rule}: say data"
            )
        return Data(name=path.name, images=values, labels=labels.astype(np.int64))
    if network is not None and math.prod(network.encoding.shape) != PIXELS:
        wanted = " x ".join(map(str, network.encoding.shape))
        raise DatasetError(
            f"{network.name} takes images of {wanted} values: no test images of that shape come with the "
            "package, say data"
        )
    images, labels = load_mnist_test()
    return Data(name=TEST_SET.name, images=images, labels=labels.astype(np.int64), thresholds=DEFAULT)


test_images.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's


def load_data(
    path: str | Path | None,
    network: Network | None = None,
    *,
    labels: str | Path | None = None,
    binarize: str | None = None,
    most: int | None = None,
) -> Data:
    """Images from a file or a folder.

    Parameters
    ----------
    path : path or None
        None: `test_images`, those of what the network was trained on.
    network : Network, optional
        For whom; its input says whether a folder's images are read grey or in colour.
    labels : path, optional
        ``.npy`` or idx, where the labels lie apart.
    binarize : str, optional
        A rule of `encoding.parse_rule`. ``bits``: the values are bits already. Any other must be the network's.
    most : int, optional
        No more than the first so many.

    Raises
    ------
    DatasetError
        The file, what is wrong, and what is legal.
    ValueError
        ``binarize`` is not the network's.
    """
    rule = None if binarize is None else parse_rule(binarize)
    if rule and network is not None and rule != network.encoding.thresholds:
        wanted = Encoding(shape=(1,), thresholds=rule).rule
        raise ValueError(
            f"binarize = {wanted}: {network.name} was made for {network.encoding.rule}, which its file records"
        )
    if path is None:
        if labels is not None:
            raise ValueError(f"labels {labels} without data: must come with images")
        data = test_images(network)
    else:
        data = _load(Path(path), network, most)
        if labels is not None:
            data = replace(data, labels=_labels(_one_array(Path(labels)), Path(labels)))
        bits = rule == () or (network is not None and network.encoding.takes_bits)
        images = _as_bits(data.images, data.name) if bits else _as_values(data.images, data.name)
        data = replace(data, images=images, thresholds=() if bits else None)
    if data.labels is not None and len(data.labels) != len(data.images):
        raise DatasetError(
            f"{data.name}: {len(data.labels)} labels: must be one for each of {len(data)} images"
        )
    if not len(data):
        raise DatasetError(f"{data.name}: holds no images")
    return data if most is None else data.first(most)


def _load(path: Path, network: Network | None, most: int | None) -> Data:
    """Images as the file has them."""
    name = path.name
    if path.is_dir():
        if (path / "test_batch.bin").exists():
            return _cifar(path / "test_batch.bin")
        images, labels, classes = load_image_folder(path, _channels(network), most)
        return Data(name=name, images=images, labels=labels, classes=classes)
    if not path.exists():
        raise DatasetError(f"{path}: no such file")
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        return _archive(path, most)
    if start == b"\x93NUM" or start[:2] == b"\x1f\x8b" or start[:3] == b"\0\0\x08":
        images = _one_array(path)
        beside = path.with_name(name.replace("images", "labels").replace("idx3", "idx1"))
        has = start[:1] != b"\x93" and beside != path and beside.exists()
        return Data(name=name, images=images, labels=_labels(load_idx(beside)[0], beside) if has else None)
    if path.suffix.lower() == ".bin":
        return _cifar(path)
    raise DatasetError(
        f"{path}: starts with {start.hex(' ') or 'nothing'}: must be .npz, .npy, idx (also gzipped), a CIFAR-10 batch "
        "(.bin) or a folder of images"
    )


def _channels(network: Network | None) -> int | None:
    """How a folder's images are read: 1 grey, 3 in colour, None as they are."""
    if network is None:
        return None
    shape = network.encoding.shape
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
        return 1 if len(shape) == 2 else shape[2]
    return None


def _one_array(path: Path) -> NDArray[Any]:
    """The array of a ``.npy`` or an idx file."""
    try:
        with path.open("rb") as file:
            if file.read(6) == b"\x93NUMPY":
                file.seek(0)
                return np.load(file, allow_pickle=False)
        return load_idx(path)[0]
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except DatasetError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from None


def _archive(path: Path, most: int | None) -> Data:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if is_jpeg_archive(archive.files):
                copies, classes_of, classes = load_jpeg_archive(path, "test", most)
                return Data(name=path.name, images=copies, labels=classes_of, classes=classes)
            keys = next((k for k in KEYS if k[0] in archive), None)
            if keys is None:
                known = ", ".join(images for images, _ in KEYS)
                raise DatasetError(
                    f"{path}: holds {', '.join(archive) or 'nothing'}: must hold one of {known}"
                )
            labels = _labels(archive[keys[1]], path) if keys[1] in archive else None
            return Data(name=path.name, images=archive[keys[0]], labels=labels)
    except DatasetError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from None


def _cifar(path: Path) -> Data:
    content = np.fromfile(path, np.uint8)
    if not len(content) or len(content) % CIFAR_BYTES:
        raise DatasetError(
            f"{path}: {len(content)} bytes: a CIFAR-10 batch has {CIFAR_BYTES} for each image (label, then 3 x 32 x 32)"
        )
    rows = content.reshape(-1, CIFAR_BYTES)
    if (top := int(rows[:, 0].max())) > 9:
        raise DatasetError(f"{path}: label {top}: a CIFAR-10 batch has labels from 0 to 9")
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    names = path.with_name("batches.meta.txt")
    classes = tuple(names.read_text().split()) if names.exists() else ()
    return Data(name=path.name, images=images, labels=rows[:, 0].astype(np.int64), classes=classes)


def _labels(array: NDArray[Any], path: Path) -> NDArray[np.int64]:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DatasetError(f"{path}: labels are {array.dtype} {array.shape}: must be integers (count,)")
    if len(array) and (low := int(array.min())) < 0:
        raise DatasetError(f"{path}: label {low}: must be at least 0")
    return array.astype(np.int64)


def _check_array(array: NDArray[Any], name: str) -> None:
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise DatasetError(f"{name}: images are {array.dtype} {array.shape}: must be numbers (count, ...)")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DatasetError(f"{name}: images hold {array[~np.isfinite(array)][0]}: must be finite")


def _as_bits(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Bits of an array of 0 and 1, or of -1 and +1."""
    _check_array(array, name)
    found = set(np.unique(array).tolist())
    if not (found <= {0, 1} or found <= {-1, 1}):
        odd = next(v for v in sorted(found) if v not in ((-1, 1) if -1 in found else (0, 1)))
        raise DatasetError(f"{name}: images hold {odd:g}: bits must be 0 and 1, or -1 and +1")
    return (array > 0).astype(np.uint8)


def _as_values(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Whole values 0..255."""
    _check_array(array, name)
    if not array.size:
        return array.astype(np.uint8)
    low, high = array.min(), array.max()
    if array.dtype.kind == "b" or (high == 1 and np.isin(array, (-1, 0, 1)).all()):
        raise DatasetError(
            f"{name}: images hold {float(low):g} and 1 alone: say binarize = bits if these are bits"
        )
    if array.dtype.kind == "f":
        scaled = array * 255.0 if 0 <= low and high <= 1 else array
        whole = np.rint(scaled)
        far = np.abs(scaled - whole)
        if far.max() > 1e-3:
            odd = float(array.ravel()[far.argmax()])
            raise DatasetError(
                f"{name}: images hold {odd:g} (of {float(low):g} to {float(high):g}): must be whole numbers 0..255, or "
                "0..1 in steps of 1/255"
            )
        array, low, high = whole, whole.min(), whole.max()
    if low < 0 or high > 255:
        raise DatasetError(f"{name}: images hold {int(low)} to {int(high)}: must be from 0 to 255")
    return array.astype(np.uint8)
