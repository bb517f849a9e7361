"""Matrix products of whole numbers in float32, by numpy or by PyTorch, on a GPU where there is one.

Sums of whole numbers are exact in float32 while they stay below 2**24 in magnitude, in any order of adding: both give
the same bits. Products of real numbers do not belong here, since their last bits depend on that order.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKENDS", "check_backend", "use_backend", "whole_product"]

Product = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def _by_numpy(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return left @ right


def _by_torch() -> Product:
    torch: Any = importlib.import_module("torch")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # no short mantissas: `highest` is the default, but a program around us may have lowered it
    torch.set_float32_matmul_precision("highest")

    def product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
        placed = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (left, right)]
        found: NDArray[np.float32] = (placed[0] @ placed[1]).cpu().numpy()
        return found

    return product


BACKENDS = ("numpy", "torch")
"""What `use_backend` takes."""

_product: Product = _by_numpy
_used = "numpy"


def check_backend(name: str) -> str:
    """``name``; ``ValueError`` where it is unknown or not installed."""
    if name not in BACKENDS:
        raise ValueError(f"backend = {name!r}: must be one of {', '.join(BACKENDS)}")
    if name == "torch" and importlib.util.find_spec("torch") is None:
        raise ValueError("backend torch needs PyTorch: pip install 'bridgebnn[torch]'")
    return name


def use_backend(name: str) -> None:
    """Have `whole_product` of this process computed by ``name``, one of `BACKENDS`.

    Raises
    ------
    ValueError
        As of `check_backend`.
    """
    global _product, _used
    if check_backend(name) != _used:
        _product, _used = _by_torch() if name == "torch" else _by_numpy, name


def whole_product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """``left @ right`` of whole numbers whose sums stay below 2**24 in magnitude: (n, k) and (k, m) to (n, m)."""
    return _product(left, right)
