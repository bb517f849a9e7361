"""C of the kit: the header of the register map, the driver, and a network as constants."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter

from bridgebnn.hdl.spec import UNLOCK_KEYS, Command, ErrorCode, Timing
from bridgebnn.hdl.spec.rdl import rdl_root
from bridgebnn.hdl.spec.register_map import WHOLE
from bridgebnn.model.mapping.host_words import bus_words
from bridgebnn.model.mapping.mapping import Mapping

from .verilog import render

__all__ = ["software"]


def software(name: str, mapping: Mapping) -> dict[str, str]:
    """The C files by their names."""
    facts = {"name": name, "network": mapping.network.name}
    codes = [(code.name, code.value) for code in ErrorCode]
    return {
        "bridgebnn.h": header(),
        "bridgebnn_driver.h": render("driver.h.j2", errors=codes),
        "bridgebnn_driver.c": render(
            "driver.c.j2", errors=codes, keys=UNLOCK_KEYS, commands={c.name: c.value for c in Command}
        ),
        "network.h": render("network.h.j2", **facts),
        "network.c": render("network.c.j2", **facts, **_network(mapping)),
    }


def header() -> str:
    """C99 header of the register map, with every window that any geometry has; written by PeakRDL."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bridgebnn.h"
        CHeaderExporter().export(
            rdl_root(WHOLE, Timing()), str(file), reuse_typedefs=False, std=CStandard.gnu99
        )
        return file.read_text()


def _network(mapping: Mapping) -> dict[str, object]:
    g = mapping.geometry
    masks: dict[bytes, int] = {}
    mask_words: list[int] = []
    order, images = [], []
    for tile, row in mapping.program_order():
        mask = mapping.masks[tile, row]
        if mask.tobytes() not in masks:
            masks[mask.tobytes()] = len(masks)
            mask_words += bus_words(mask)
        order.append((tile, row, masks[mask.tobytes()]))
        images += bus_words(mapping.images[tile, row])
    walks = [w for d in mapping.descriptors for w in d.walk_words()] if g.map_words else []
    last = mapping.descriptors[-1]
    empty = np.zeros((1, mapping.network.n_in), np.uint8)
    thresholds = [int(t) for t in mapping.thresholds] or [0]
    arrays = [
        ("uint32_t", "images", _hex(images), 8),
        ("uint32_t", "masks", _hex(mask_words), 8),
        ("uint32_t", "descriptors", _hex([w for d in mapping.descriptors for w in d.words()]), 4),
        ("int16_t", "thresholds", thresholds, 16),
    ]
    if walks:
        arrays.append(("uint32_t", "walks", _hex(walks), 4))
    return {
        "order": order,
        "arrays": arrays,
        "walks": bool(walks),
        "tiles": g.tiles,
        "rows": g.rows,
        "columns": g.plain_columns,
        "spare_columns": g.spare_columns,
        "layers": len(mapping.descriptors),
        "threshold_count": len(mapping.thresholds),
        "input_words": mapping.pack_inputs(empty).shape[1],
        "outputs": last.row_count,
        "scores": int(last.score),
    }


def _hex(words: list[int]) -> list[str]:
    return [f"0x{w:08x}" for w in words]
