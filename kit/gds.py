"""Frame GDS of the macro, made from its LEF: outline, pins and their names on the layers of SKY130, and nothing inside.

KLayout reads the LEF and writes the GDS. It is an optional extra (``bridgebnn[kit]``): a kit that is written without it
has no GDS, and its manifest says so.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

__all__ = ["DRAWN", "LABELS", "OUTLINE", "PINS", "available", "frame_gds"]

PINS = {"met2": (69, 16), "met4": (71, 16)}
"""Layer and datatype of pin shapes by routing layer (SkyWater SKY130 PDK, GDS layers; purpose pin)."""

LABELS = {"met2": (69, 5), "met4": (71, 5)}
"""Of pin names (purpose label)."""

DRAWN = {"met2": (69, 20), "met4": (71, 20)}
"""Of the metal itself (purpose drawing)."""

OUTLINE = (235, 4)
"""prBoundary, boundary."""


def available() -> bool:
    """KLayout is installed."""
    return importlib.util.find_spec("klayout") is not None


def frame_gds(lef: str, cell: str) -> bytes:
    """The GDS file of a LEF file's macro ``cell``; the same bytes from the same LEF."""
    import klayout.db as db

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "macro.lef", Path(folder) / "macro.gds"
        source.write_text(lef)
        read, written = db.Layout(), db.Layout()
        read.read(str(source), db.LoadLayoutOptions())
        written.dbu = read.dbu
        shapes, frame = read.cell(cell), written.create_cell(cell)
        for index in read.layer_indexes():
            layer, _, purpose = read.get_info(index).name.partition(".")
            for number, datatype in _targets(layer, purpose):
                frame.shapes(written.layer(number, datatype)).insert(shapes.shapes(index))
        options = db.SaveLayoutOptions()
        options.format = "GDS2"
        options.gds2_write_timestamps = False
        written.write(str(target), options)
        return target.read_bytes()


def _targets(layer: str, purpose: str) -> list[tuple[int, int]]:
    """Where the shapes of a layer of KLayout's LEF reader go: obstructions nowhere, there is no metal yet."""
    if layer == "OUTLINE":
        return [OUTLINE]
    return (
        {"PIN": [PINS[layer], DRAWN[layer]], "LABEL": [LABELS[layer]]}.get(purpose, [])
        if layer in PINS
        else []
    )
