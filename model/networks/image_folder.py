"""Images in a folder: a folder for each class in it, or images alone.

Classes are numbered in the order of their folders' names; where all names are whole numbers, they are the classes.
Images are read by Pillow, grey or in colour as it is asked for; all have one size, and none is resized.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .idx import DatasetError

__all__ = ["SUFFIXES", "load_image_folder"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
"""What is taken for an image; other files are left alone."""


def load_image_folder(
    folder: str | Path, channels: int | None = None, most: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, tuple[str, ...]]:
    """Read the images of a folder.

    With classes, images are taken in turn from each class, so that the first few are of all classes.

    Parameters
    ----------
    channels : 1, 3 or None
        Grey values (of colours by ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B) or colours; None: as the first image is.
    most : int, optional
        Only so many are read.

    Returns
    -------
    images : uint8, (count, height, width) or (count, height, width, 3)
    labels : int64 (count,), None without folders of classes
    classes : tuple of str
        Names of the folders, by class.

    Raises
    ------
    DatasetError
        No images, another size than the first one's, a file that is no image, or images beside folders of classes.
    """
    folder = Path(folder)
    folders = sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")), key=_order)
    loose = _images(folder)
    if folders and loose:
        raise DatasetError(f"{folder}: holds folders and images ({loose[0].name}): must be one or the other")
    if not folders:
        if not loose:
            raise DatasetError(f"{folder}: holds no images ({', '.join(SUFFIXES)}) and no folders of them")
        return _read(loose[:most], channels), None, ()
    names = tuple(p.name for p in folders)
    numbers = (
        [int(n) for n in names] if all(n.isascii() and n.isdigit() for n in names) else range(len(names))
    )
    if len(set(numbers)) != len(names):
        raise DatasetError(f"{folder}: several folders are of one class: {', '.join(names)}")
    lists = [_images(p) for p in folders]
    for path, found in zip(folders, lists, strict=True):
        if not found:
            raise DatasetError(f"{path}: holds no images ({', '.join(SUFFIXES)})")
    turns = [
        (files[i], number)
        for i in range(max(map(len, lists)))
        for files, number in zip(lists, numbers, strict=True)
        if i < len(files)
    ][:most]
    images = _read([path for path, _ in turns], channels)
    by_class = dict(zip(numbers, names, strict=True))
    classes = tuple(by_class.get(k, str(k)) for k in range(max(numbers) + 1))
    return images, np.array([number for _, number in turns], np.int64), classes


def _order(path: Path) -> tuple[int, str]:
    """Names that are whole numbers by value, the others by name."""
    return (int(path.name), "") if path.name.isascii() and path.name.isdigit() else (0, path.name)


def _images(folder: Path) -> list[Path]:
    return sorted(
        (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()),
        key=lambda p: (len(p.stem), p.stem) if p.stem.isdigit() else (0, p.name),
    )


def _read(paths: list[Path], channels: int | None) -> NDArray[np.uint8]:
    found: list[NDArray[np.uint8]] = []
    for path in paths:
        try:
            with Image.open(path) as image:
                if channels is None:
                    channels = 1 if image.mode in ("1", "L", "LA") else 3
                if image.mode.startswith(("I", "F")):
                    raise DatasetError(f"{path}: is of mode {image.mode}: must have 8 bits a value")
                array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise DatasetError(f"{path}: cannot be read as an image ({error})") from None
        if found and array.shape != found[0].shape:
            sizes = [f"{a.shape[1]} x {a.shape[0]}" for a in (array, found[0])]
            raise DatasetError(
                f"{path}: {sizes[0]} pixels, but {paths[0].name} has {sizes[1]}: all must be one size"
            )
        found.append(array)
    return np.stack(found)
