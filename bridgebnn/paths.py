"""Where the package finds its data, and where it may build."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["DATA", "PACKAGE", "build_root", "network_file"]

PACKAGE = Path(__file__).resolve().parent
"""Folder of the installed package; only ever read."""

DATA = PACKAGE / "data"
"""Networks and test images that come with the package."""


def build_root() -> Path:
    """Folder for builds, caches and logs: ``$BRIDGEBNN_BUILD``, else the user's cache folder.

    Nothing is made here. The variable is read at each call.
    """
    given = os.environ.get("BRIDGEBNN_BUILD")
    return Path(given).absolute() if given else platformdirs.user_cache_path("bridgebnn")


def network_file(name: str) -> Path:
    """File of a network that comes with the package, ``name`` as a preset has it."""
    return DATA / name
