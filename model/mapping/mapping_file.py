"""A mapping as a file, so that it is made once and used by another process.

Keys of the ``.npz`` archive:

===============  =======  ====================================================================
key              dtype    value
===============  =======  ====================================================================
``format``       str      ``bridgebnn-mapping``
``version``      int      2
``about``        str      JSON: geometry, repairs, one report per layer
``descriptors``  uint32   (layers, 4): the words of window DESCRIPTOR
``walks``        uint32   (layers, 4): the words of window WALK
``thresholds``   int16    (entries,): the used part of the threshold memory
``images``       uint8    (T, R, ceil(C / 8)): bits of all cells, first column in bit 0
``masks``        uint8    the same of the cells that are programmed
===============  =======  ====================================================================

The network is not in it: it has a file format of its own.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Descriptor, Geometry, MapWalk, Repairs, check_descriptors
from bridgebnn.model.networks.network import Network
from bridgebnn.model.npz import Entries, read_npz, write_npz
from bridgebnn.records import Record

from .mapping import LayerReport, Mapping
from .placement import MappingError

__all__ = ["load_mapping", "save_mapping"]

FORMAT = "bridgebnn-mapping"
VERSION = 2


class _About(Record, frozen=True, kw_only=True):
    geometry: Geometry
    repairs: Repairs
    report: tuple[LayerReport, ...]


def save_mapping(mapping: Mapping, path: str | Path) -> None:
    """Write a mapping, without its network; equal mappings give equal bytes."""
    about = _About(geometry=mapping.geometry, repairs=mapping.repairs, report=mapping.report)
    write_npz(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "about": json.dumps(about.as_dict(), sort_keys=True),
            "descriptors": np.array([d.words() for d in mapping.descriptors], np.uint32),
            "walks": np.array([d.walk_words() for d in mapping.descriptors], np.uint32),
            "thresholds": mapping.thresholds,
            "images": np.packbits(mapping.images, axis=2, bitorder="little"),
            "masks": np.packbits(mapping.masks, axis=2, bitorder="little"),
        },
    )


def load_mapping(path: str | Path, network: Network) -> Mapping:
    """Read a mapping of ``network``, which must be the effective one.

    Raises
    ------
    MappingError
        The file is missing, foreign, damaged or of another network; the message starts with the path.
    """
    entries = read_npz(path, format=FORMAT, version=VERSION, error=MappingError)
    try:
        return _mapping(entries, network)
    except ValueError as error:
        raise MappingError(f"{path}: {error}") from None


def _mapping(entries: Entries, network: Network) -> Mapping:
    about = _About.from_dict(json.loads(entries.text("about")))
    geometry = about.geometry
    table = _array(entries, "descriptors", np.uint32, (len(network.chip), 4))
    walks = _array(entries, "walks", np.uint32, (len(network.chip), 4))
    descriptors = tuple(
        replace(Descriptor.from_words(words), walk=MapWalk.from_words(walk))
        for words, walk in zip(table.tolist(), walks.tolist(), strict=True)
    )
    check_descriptors(descriptors, geometry)
    about.repairs.check(geometry)
    for i, descriptor in zip(network.chip, descriptors, strict=True):
        layer = network.operations[i]
        walk = descriptor.walk
        n_in = walk.map_bits if walk is not None and walk.reads_map else descriptor.inputs
        found = n_in, descriptor.n_out
        if found != (layer.n_in, layer.n_out):
            raise MappingError(
                f"layer {i}: {found[0]} inputs and {found[1]} outputs, must be "
                f"{layer.n_in} and {layer.n_out} as in the network"
            )
    packed = (geometry.tiles, geometry.rows, -(-geometry.columns // 8))
    images, masks = (
        np.unpackbits(
            _array(entries, key, np.uint8, packed), axis=2, count=geometry.columns, bitorder="little"
        )
        for key in ("images", "masks")
    )
    thresholds = entries.array("thresholds")
    return Mapping(
        geometry=geometry,
        network=network,
        descriptors=descriptors,
        thresholds=_array(entries, "thresholds", np.int16, (thresholds.size,)),
        images=images,
        masks=masks.astype(bool),
        report=about.report,
        repairs=about.repairs,
    )


def _array(entries: Entries, key: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    array = entries.array(key)
    if array.dtype != dtype or array.shape != shape:
        raise MappingError(
            f"{key} are {array.dtype} of shape {array.shape}: must be {np.dtype(dtype)} of shape {shape}"
        )
    return array
