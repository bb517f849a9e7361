"""CIFAR-10 as it is passed on in JPEG copies: all images of a part, one after the other, in one ``.npz``.

=============================  =======  =================================================
entry of a file                dtype    value
=============================  =======  =================================================
``{part}_jpeg``                uint8    the bytes of all images, one after the other
``{part}_offsets``             integer  (count + 1,), where each begins; the last: the end
``{part}_labels``              integer  (count,)
``classes``                    str      names of the classes, may be missing
=============================  =======  =================================================

``part`` is ``train`` or ``test``. JPEG loses detail: an accuracy on such images is not one on the original pixels.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .idx import DatasetError

__all__ = ["is_jpeg_archive", "load_jpeg_archive"]


def is_jpeg_archive(names: list[str]) -> bool:
    """Whether the entries of an ``.npz`` are those of such a file."""
    return "test_jpeg" in names or "train_jpeg" in names


def load_jpeg_archive(
    path: Path, part: str, most: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Images (count, height, width, 3) in colour, labels (count,) and names of classes of one part.

    Parameters
    ----------
    path : path
    part : "train" or "test"
    most : int, optional
        No more than the first so many.

    Raises
    ------
    DatasetError
        The file is missing or foreign, an entry is missing or does not fit the others, or an image is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            wanted = [f"{part}_{what}" for what in ("jpeg", "offsets", "labels")]
            if missing := [name for name in wanted if name not in archive]:
                raise DatasetError(f"{path}: has no {missing[0]}: must hold {', '.join(wanted)}")
            content, offsets, labels = (archive[name] for name in wanted)
            classes = tuple(map(str, archive["classes"])) if "classes" in archive else ()
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except DatasetError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from None
    rising = offsets.ndim == 1 and len(offsets) > 1 and offsets[0] >= 0 and (np.diff(offsets) > 0).all()
    if not rising or offsets[-1] > len(content):
        raise DatasetError(
            f"{path}: {part}_offsets must rise, within the {len(content)} bytes of {part}_jpeg"
        )
    if labels.shape != (len(offsets) - 1,) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DatasetError(
            f"{path}: {part}_labels are {labels.dtype} {labels.shape}: must be whole, at least 0, "
            f"({len(offsets) - 1},)"
        )
    count = len(labels) if most is None else min(most, len(labels))
    images = []
    for i in range(count):
        try:
            with Image.open(io.BytesIO(content[offsets[i] : offsets[i + 1]].tobytes())) as image:
                images.append(np.asarray(image.convert("RGB")))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise DatasetError(f"{path}: {part} image {i} cannot be read ({error})") from None
        if images[i].shape != images[0].shape:
            raise DatasetError(
                f"{path}: {part} image {i} of shape {images[i].shape}: must be {images[0].shape}"
            )
    return np.stack(images), labels[:count].astype(np.int64), classes
