"""Folders that are made once: whoever asks first makes them, everybody else waits and takes them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["cached", "locked"]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this name among all processes; its file is gone afterwards.

    The system lets go of the lock of a process that was killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                current = os.path.samestat(os.fstat(lock.fileno()), path.stat())
            except FileNotFoundError:
                current = False
            if not current:
                continue  # whoever held it has removed the file: this lock guards nothing
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def cached(target: Path, make: Callable[[Path], None]) -> bool:
    """Fill the folder ``target`` if it is not there.

    Parameters
    ----------
    target : Path
        Named after a hash of everything that decides its content. It is there whole or not at all.
    make : callable
        Fills an empty folder, which then becomes ``target``. When it raises, nothing stays behind.

    Returns
    -------
    bool
        Whether ``make`` was called.
    """
    if target.is_dir():
        return False
    with locked(target.with_name(f"{target.name}.lock")):
        if target.is_dir():
            return False
        part = Path(tempfile.mkdtemp(prefix=f"part-{target.name}-", dir=target.parent))
        try:
            make(part)
            part.chmod(0o755)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return True
