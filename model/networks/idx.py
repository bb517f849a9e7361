"""Files in the idx format, in which MNIST and its relatives come: an array of unsigned bytes, plain or gzipped.

References
----------
Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "FILE FORMATS".
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["DatasetError", "find_idx", "load_idx"]

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
