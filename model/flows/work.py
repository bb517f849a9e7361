"""What is to be programmed: the rows of a chip, from a preset, at random, or from a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.model.draws import Purpose, draw
from bridgebnn.model.mapping.fit import FITTED, choose
from bridgebnn.model.mapping.mapping import map_preset
from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.records import Record

__all__ = ["Work", "load_work", "save_work", "work_of", "work_of_network", "work_of_size"]

FORMAT = "bridgebnn-work"
VERSION = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What is to be programmed.

    Parameters
    ----------
    name : str
    geometry : Geometry
    timing : Timing
    images, masks : bool, (T, R, C)
    """

    name: str
    geometry: Geometry
    timing: Timing
    images: NDArray[np.bool_]
    masks: NDArray[np.bool_]

    def program_order(self) -> Iterator[tuple[int, int]]:
        """(tile, row) of every row to be programmed: tile by tile, rows upward."""
        yield from map(tuple, np.argwhere(self.masks.any(axis=2)).tolist())


def work_of(preset_name: str | None, size: str | None, chip: int, network: str | Path | None = None) -> Work:
    """One tile of ``size`` where it is given, else a network, as ``bridgebnn.model.mapping.fit.choose`` takes it."""
    return work_of_size(size, chip) if size else work_of_network(preset_name, network)


def work_of_network(preset_name: str | None, network: str | Path | None = None) -> Work:
    """A network on the chip of a preset, or on one made for it; ``ValueError`` as of ``fit.choose``."""
    chosen, loaded = choose(preset_name, network)
    mapping = map_preset(chosen, loaded)
    return Work(
        name=f"{loaded.name} on a chip made for it" if chosen.name == FITTED else f"preset {chosen.name}",
        geometry=chosen.geometry,
        timing=chosen.timing,
        images=mapping.images.astype(bool),
        masks=mapping.masks,
    )


def work_of_size(text: str, chip: int) -> Work:
    """One tile of ``ROWSxCOLUMNS`` with random weights, drawn for ``chip``; ``ValueError`` with the form."""
    try:
        rows, columns = (int(n) for n in text.lower().split("x"))
    except ValueError:
        raise ValueError(f"--random {text!r}: must be ROWSxCOLUMNS, like 512x800") from None
    geometry = Geometry(tiles=1, rows=rows, inputs=columns, bias=0)
    images = draw(chip, Purpose.STIMULUS, 0).integers(0, 2, (1, rows, columns)).astype(bool)
    return Work(
        name=f"random {rows}x{columns}",
        geometry=geometry,
        timing=Timing(),
        images=images,
        masks=np.ones_like(images),
    )


class _About(Record, frozen=True, kw_only=True):
    name: str
    geometry: Geometry
    timing: Timing


def save_work(work: Work, path: str | Path) -> None:
    """Write it as ``.npz``: JSON ``about`` (name, geometry, timing), packed bits of images and masks."""
    about = _About(name=work.name, geometry=work.geometry, timing=work.timing)
    write_npz(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "about": json.dumps(about.as_dict(), sort_keys=True),
            "images": np.packbits(work.images, axis=2),
            "masks": np.packbits(work.masks, axis=2),
        },
    )


def load_work(path: str | Path) -> Work:
    """Inverse of `save_work`; ``ValueError`` for a foreign or damaged file."""
    entries = read_npz(path, format=FORMAT, version=VERSION, error=ValueError)
    about = _About.from_dict(json.loads(entries.text("about")))
    g = about.geometry
    shape = g.tiles, g.rows, -(-g.columns // 8)
    bits = {}
    for key in ("images", "masks"):
        packed = entries.array(key)
        if packed.dtype != np.uint8 or packed.shape != shape:
            raise ValueError(
                f"{path}: {key} are {packed.dtype} of shape {packed.shape}: must be uint8, {shape}"
            )
        bits[key] = np.unpackbits(packed, axis=2, count=g.columns).astype(bool)
    return Work(name=about.name, geometry=g, timing=about.timing, **bits)
