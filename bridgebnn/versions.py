"""Versions that results depend on."""

from __future__ import annotations

import platform

import numpy as np

from bridgebnn import __version__

__all__ = ["versions"]


def versions() -> dict[str, str]:
    """Of this package, Python and numpy."""
    return {"bridgebnn": __version__, "python": platform.python_version(), "numpy": np.__version__}
