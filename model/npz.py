"""Archives of numpy arrays whose bytes do not change from run to run, read without trust in their content.

``numpy.savez_compressed`` writes the same entries, but leaves the zip headers (time stamps, attributes) to
whatever version of numpy and of the system is at work; here they are fixed. Equal bytes further need equal
versions of zlib, as with any compressed file.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time stamp of every entry: the oldest that a zip file can hold."""


def npz_bytes(entries: Mapping[str, ArrayLike], *, compressed: bool = True) -> bytes:
    """The content of an ``.npz``: equal entries in equal order give equal bytes.

    Parameters
    ----------
    entries : mapping
        Arrays, numbers and strings by key; nothing that would need pickle.
    compressed : bool
        As small as zlib makes it, at some 2 s for 10^6 weights; else as it is, for files that are read once.

    Raises
    ------
    ValueError
        An entry is an object array.
    """
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind, compresslevel=9) as archive:
        for key, value in entries.items():
            info = zipfile.ZipInfo(f"{key}.npy", date_time=ZIP_EPOCH)
            info.compress_type = kind
            info.create_system = 3  # the system that writes would otherwise be recorded
            info.external_attr = 0o644 << 16
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(value), version=(1, 0), allow_pickle=False)
            archive.writestr(info, data.getvalue(), compresslevel=9)
    return buffer.getvalue()


def write_npz(path: str | Path, entries: Mapping[str, ArrayLike], *, compressed: bool = True) -> None:
    """Write `npz_bytes` at exactly ``path``, as a whole: an interrupted call leaves the former file."""
    write_whole(path, npz_bytes(entries, compressed=compressed))


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file as a whole: an interrupted call leaves the former one."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


@dataclass(frozen=True)
class Entries:
    """What one archive holds, with access that checks the type.

    Parameters
    ----------
    arrays : dict
        Arrays by key.
    error : type of ValueError
        Raised by the methods; the message names the key, what it holds, and what is legal.
    """

    arrays: dict[str, NDArray[Any]]
    error: type[ValueError]

    def array(self, key: str) -> NDArray[Any]:
        """The array of ``key``."""
        try:
            return self.arrays[key]
        except KeyError:
            raise self.error(f"key {key!r} is missing") from None

    def text(self, key: str) -> str:
        """The string of ``key``."""
        value = self.array(key)
        if value.shape != () or value.dtype.kind != "U":
            raise self.error(
                f"key {key!r} holds {value.dtype} of shape {value.shape}: must be a single string"
            )
        return str(value)

    def whole(self, key: str) -> int:
        """The integer of ``key``."""
        value = self.array(key)
        if value.shape != () or value.dtype.kind not in "iu":
            raise self.error(
                f"key {key!r} holds {value.dtype} of shape {value.shape}: must be a single integer"
            )
        return int(value)


def read_npz(path: str | Path, *, format: str, version: int, error: type[ValueError]) -> Entries:
    """Read an archive of ``format``, at most ``version``; never unpickles.

    Raises
    ------
    error
        The file is missing, no ``.npz``, truncated or damaged, of another format or of a newer version.
        The message starts with the path.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name.removesuffix(".npy"): _read_entry(archive, name) for name in archive.namelist()}
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except OSError as cause:
        raise error(f"{path}: cannot be read ({cause.strerror or cause})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as cause:
        raise error(f"{path}: not a whole {format} file ({cause})") from None
    entries = Entries(arrays, error)
    try:
        if (found := entries.text("format")) != format:
            raise error(f"format = {found!r}: must be {format!r}")
        if not 1 <= (number := entries.whole("version")) <= version:
            raise error(f"version = {number}: this program reads versions 1 to {version}")
    except error as cause:
        raise error(f"{path}: {cause}") from None
    return entries


def _read_entry(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array; the whole entry is read first, so that its checksum is verified."""
    data = io.BytesIO(archive.read(name))
    try:
        return np.lib.format.read_array(data, allow_pickle=False)
    except ValueError as cause:
        raise ValueError(f"entry {name!r}: {cause}") from None
