"""Named geometries with the networks that run on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codes import Combine, ReadMode
from .geometry import Geometry, bias_columns
from .timing import Timing


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named geometry with the network that runs on it.

    Parameters
    ----------
    network : str
        File name under ``data/`` of the network in the bridgebnn ``.npz`` format.
    combine : Combine
        How a layer that needs several tiles is split when the network itself does not say.
    final_mode : ReadMode
        Read mode of the score layer.
    """

    name: str
    geometry: Geometry
    network: str
    timing: Timing = field(default_factory=Timing)
    combine: Combine = Combine.ADD
    final_mode: ReadMode = ReadMode.COUNT
    summary: str = ""


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset(
            name="paper23",
            geometry=Geometry(tiles=35, rows=544, inputs=23, bias=2, thresholds=576),
            network="mnist-paper23.npz",
            summary="23 inputs + 2 bias columns a tile, as in the published silicon; groups of 23 vote",
        ),
        Preset(
            name="mnist",
            geometry=Geometry(tiles=3, rows=512, inputs=784, bias=bias_columns(784), thresholds=1040),
            network="mnist-784-512-512-10.npz",
            summary="784-512-512-10, one tile a layer",
        ),
        Preset(
            name="mnist-spares",
            geometry=Geometry(
                tiles=3,
                rows=520,
                inputs=784,
                bias=bias_columns(784),
                thresholds=1040,
                spare_columns=2,
                spare_rows=8,
            ),
            network="mnist-784-512-512-10.npz",
            summary="preset mnist with two spare columns and eight spare rows a tile",
        ),
        Preset(
            name="split",
            geometry=Geometry(tiles=4, rows=1040, inputs=234, bias=bias_columns(234), thresholds=1040),
            network="mnist-784-512-512-10.npz",
            summary="784-512-512-10 on 256-column tiles, partial popcounts added",
        ),
        Preset(
            name="split-vote",
            geometry=Geometry(tiles=4, rows=1040, inputs=234, bias=bias_columns(234), thresholds=1040),
            network="mnist-split-vote.npz",
            combine=Combine.VOTE,
            summary="784-512-512-10 trained for tiles of 196 inputs whose signs vote",
        ),
        Preset(
            name="fashion-conv",
            geometry=Geometry(rows=192, inputs=576, bias=bias_columns(576), thresholds=192, map_words=294),
            network="fashion-conv.npz",
            summary="Fashion-MNIST, three convolutions and a dense layer on one tile; activation maps of 9408 bits",
        ),
        Preset(
            name="mnist-conv",
            geometry=Geometry(rows=104, inputs=288, bias=bias_columns(288), thresholds=104, map_words=147),
            network="mnist-conv.npz",
            summary="MNIST, three convolutions and a dense layer on one small tile",
        ),
        Preset(
            name="cifar-conv",
            geometry=Geometry(rows=272, inputs=2048, bias=bias_columns(2048), thresholds=272, map_words=768),
            network="cifar-conv.npz",
            summary="CIFAR-10, three convolutions and a dense layer on one tile; its images have to be given (--data)",
        ),
        Preset(
            name="mnist1025",
            geometry=Geometry(tiles=2, rows=1025, inputs=1025, bias=bias_columns(1025), thresholds=2064),
            network="mnist1025.npz",
            summary="784-1025-1025-1025-10 as published: hidden layers on the macro, first and last on the host",
        ),
        Preset(
            name="digits",
            geometry=Geometry(rows=144, inputs=192, bias=bias_columns(192), thresholds=144),
            network="digits.npz",
            summary="192-64-64-10 on scikit-learn's 8 x 8 digits, one small tile: the quickest",
        ),
    )
}


def preset(name: str) -> Preset:
    """Return the preset ``name``; ``ValueError`` lists the known ones."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"unknown preset {name!r}: known are {', '.join(PRESETS)}") from None
