"""A foreign file into a `Network`: which reader takes it, and what the network says of its origin."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network, NetworkError

from .layers import BinaryLayer, Chain
from .values import ImportFailure

__all__ = ["FOREIGN", "import_network", "load_network", "to_network"]

FOREIGN = {".onnx": "ONNX, QONNX"}
"""Suffixes of foreign files, and what they hold."""


def load_network(path: str | Path) -> Network:
    """A network of any file: this project's ``.npz``, or a foreign one, imported on the way.

    Raises
    ------
    NetworkError, ImportFailure
        With the file, the place and what is legal.
    """
    path = Path(path)
    if path.suffix.lower() in FOREIGN:
        return import_network(path)
    return Network.load(path)


def import_network(path: str | Path, *, input_range: str | None = None, name: str | None = None) -> Network:
    """Import a foreign file.

    Parameters
    ----------
    path : path
        Its suffix says what it is: see `FOREIGN`.
    input_range : "unit", "byte" or None
        How a pixel 0..255 enters the foreign network: as 0..1, or as it is. None: as the file declares.
    name : str, optional
        Of the network; the file's name without suffix by default.

    Returns
    -------
    Network
        Its ``meta["import"]`` holds the origin: file, SHA-256, pixel rule, scale of the scores, notes.

    Raises
    ------
    ImportFailure
        Something that cannot be imported, by operation and place.
    OSError
        The file cannot be read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FOREIGN:
        legal = ", ".join(f"{s} ({what})" for s, what in FOREIGN.items())
        raise ImportFailure(f"{path}: cannot tell what it holds: must end in {legal}")
    content = path.read_bytes()
    from .onnx_graph import read_onnx

    chain = read_onnx(path, input_range)
    origin = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
    return to_network(chain, name or path.stem, origin)


def to_network(chain: Chain, name: str, origin: dict[str, Any]) -> Network:
    """The chain as a network of this project.

    Raises
    ------
    ImportFailure
        A layer has no counterpart.
    """
    meta = {
        "import": {
            **origin,
            "pixel_threshold": chain.pixel_threshold,
            "score_scale": chain.scores["scale"],
            "score_offset": chain.scores["offset"],
            "ties": "the lowest class",
            "notes": chain.notes,
        }
    }
    try:
        return Network(name=name, operations=tuple(_dense(layer) for layer in chain.layers), meta=meta)
    except NetworkError as error:
        raise ImportFailure(f"{name}: {error}") from None


def _dense(layer: BinaryLayer) -> Dense:
    if layer.is_convolution:
        raise ImportFailure(f"{layer.place}: convolutions are read, but have no counterpart in a network yet")
    n_out, n_in = layer.weights.shape
    found = layer.decisions
    thresholds = layer.score_thresholds if found is None else found.thresholds
    assert thresholds is not None
    return Dense(
        weights=layer.weights,
        thresholds=thresholds[None],
        polarity=np.ones((1, n_out), np.int8) if found is None else found.polarity[None],
        group_sizes=np.array([n_in]),
        combine=Combine.ADD,
        output="score" if found is None else "sign",
    )
