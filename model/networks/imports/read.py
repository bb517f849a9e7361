"""A foreign file into a `Network`: which reader takes it, and what the network says of its origin."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.encoding import DEFAULT, Encoding, parse_rule
from bridgebnn.model.networks.network import Network, NetworkError
from bridgebnn.model.networks.operations import Operation

from .layers import BITS, RANGES, BinaryLayer, Chain
from .real_layers import RealLayer
from .values import ImportFailure

__all__ = ["FOREIGN", "import_network", "load_network", "to_network"]

FOREIGN = {".onnx": "ONNX, QONNX", ".h5": "Keras, Larq"}
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


def import_network(
    path: str | Path,
    *,
    input_range: str | None = None,
    binarize: str | None = None,
    name: str | None = None,
) -> Network:
    """Import a foreign file.

    Parameters
    ----------
    path : path
        Its suffix says what it is: see `FOREIGN`.
    input_range : str, optional
        What enters the foreign network, one of `layers.RANGES`: pixels 0..255 as 0..1 ("unit"), as they are ("byte") or
        as -1..1 ("symmetric"); bits as -1 and +1 ("bipolar") or as 0 and 1 ("bit"). None: as the file declares.
    binarize : str, optional
        Where bits enter: how an image becomes them, see ``encoding.parse_rule``; "threshold" by default.
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
    if input_range is not None and input_range not in RANGES:
        raise ImportFailure(f"input range {input_range!r}: must be one of {', '.join(RANGES)}")
    suffix = path.suffix.lower()
    if suffix not in FOREIGN:
        legal = ", ".join(f"{s} ({what})" for s, what in FOREIGN.items())
        raise ImportFailure(f"{path}: cannot tell what it holds: must end in {legal}")
    content = path.read_bytes()
    if suffix == ".h5":
        from .keras_file import read_keras as reader
    else:
        from .onnx_graph import read_onnx as reader
    chain = reader(path, input_range)
    origin = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
    try:
        return to_network(
            chain, name or path.stem, origin, None if binarize is None else parse_rule(binarize)
        )
    except ImportFailure as error:
        raise ImportFailure(f"{path}: {error}") from None


def to_network(
    chain: Chain, name: str, origin: dict[str, Any], thresholds: tuple[int, ...] | None = None
) -> Network:
    """The chain as a network of this project.

    Parameters
    ----------
    thresholds : tuple of int, optional
        How an image becomes the bits that the foreign network takes, where it takes bits; by default one of 128. Where
        it binarizes pixels itself, only what it does itself is legal.

    Raises
    ------
    ImportFailure
        A layer has no counterpart, or ``thresholds`` are not what the foreign network does.
    """
    meta = {
        "import": {
            **origin,
            "input_range": chain.range,
            "pixel_threshold": chain.pixel_threshold,
            "score_scale": chain.scores["scale"],
            "score_offset": chain.scores["offset"],
            "ties": "the lowest class",
            "notes": chain.notes,
        }
    }
    try:
        operations = tuple(_operation(layer) for layer in chain.layers)
        return Network(name=name, operations=operations, meta=meta, encoding=_encoding(chain, thresholds))
    except NetworkError as error:
        raise ImportFailure(f"{name}: {error}") from None


def _encoding(chain: Chain, thresholds: tuple[int, ...] | None) -> Encoding:
    """From an image to what the first layer reads."""
    if chain.range in BITS:
        found = DEFAULT if thresholds is None else thresholds
    elif chain.planes:
        found = ()
        if thresholds is not None:
            raise ImportFailure(
                "binarize: the first layer reads pixels as they are, and the host evaluates it: leave it out, or say "
                f"that bits come in (input range {' or '.join(BITS)})"
            )
    else:
        assert chain.pixel_threshold is not None
        found = (min(max(chain.pixel_threshold, 0), 256),)
        if thresholds is not None and thresholds != found:
            raise ImportFailure(
                f"binarize: the network itself has a threshold of {found[0]} on its pixels: leave it out, or say that "
                f"bits come in (input range {' or '.join(BITS)})"
            )
    shape = chain.input_shape
    if len(shape) == 3:
        shape = (*shape[1:], shape[0])
    levels = max(1, len(found))
    if shape[-1] % levels:
        raise ImportFailure(f"binarize: {shape[-1]} channels come of no code of {levels} levels: no multiple")
    shape = (*shape[:-1], shape[-1] // levels)
    shape = shape if len(shape) <= 3 else (int(np.prod(shape)),)
    return Encoding(shape=shape, thresholds=found, planes=chain.planes)


def _operation(layer: BinaryLayer | RealLayer) -> Operation:
    if isinstance(layer, RealLayer):
        return layer.operation()
    return _convolution(layer) if layer.is_convolution else _dense(layer)


def _convolution(layer: BinaryLayer) -> Convolution:
    channels, height, width = layer.shape
    window = _dense(replace(layer, weights=layer.weights.reshape(len(layer.weights), -1)))
    return Convolution(
        window=window,
        width=width,
        height=height,
        channels=channels,
        kernel=layer.weights.shape[1],
        stride=layer.stride,
        padding=layer.padding,
        pool=layer.pool,
    )


def _dense(layer: BinaryLayer) -> Dense:
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
