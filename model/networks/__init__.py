"""Binarized networks: file format, data sets, and golden, the integer reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .network import Network

__all__ = ["from_torch"]


def from_torch(module: Any, **options: Any) -> Network:
    """A PyTorch module as a network; all of it stands with ``bridgebnn.model.networks.imports.torch_module``."""
    from .imports.torch_module import from_torch as convert

    return convert(module, **options)
