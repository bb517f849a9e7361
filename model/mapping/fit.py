"""The geometry that holds a network, for those who bring a network and have no macro in mind yet."""

from __future__ import annotations

from pathlib import Path

from bridgebnn.hdl.spec import WORD_WIDTH, Geometry, Preset, bias_columns, preset
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.imports import load_network
from bridgebnn.model.networks.network import Network
from bridgebnn.paths import network_file

__all__ = ["DEFAULT_PRESET", "FITTED", "choose", "geometry_for"]

DEFAULT_PRESET = "mnist"
"""Where neither a preset nor a network is named."""

FITTED = "fitted"
"""Name, in reports, of a geometry made by `geometry_for`."""


def choose(preset_name: str | None, network: str | Path | None) -> tuple[Preset, Network]:
    """The network, and the chip for it, that a command line names.

    Parameters
    ----------
    preset_name : str, optional
        None: the network's own geometry where a network is given, else `DEFAULT_PRESET`.
    network : path, optional
        A network file, or a foreign one. None: the preset's.

    Raises
    ------
    ValueError
        An unknown preset, a network that cannot be read, or one that no geometry holds.
    """
    if network is not None and preset_name is None:
        loaded = load_network(network)
        name = str(network)
        return Preset(
            name=FITTED, geometry=geometry_for(loaded), network=name, summary=f"made for {name}"
        ), loaded
    chosen = preset(preset_name or DEFAULT_PRESET)
    return chosen, load_network(network_file(chosen.network) if network is None else network)


def geometry_for(network: Network, *, inputs: int | None = None) -> Geometry:
    """A geometry with a set of tiles of its own for each layer.

    The tiles are as wide as the widest layer, or window, and as high as the largest one; bias columns follow the
    published rule of 5 % [data]. A layer wider than ``inputs`` takes several tiles, and so does each voting group.
    The activation memories hold the largest map.

    Parameters
    ----------
    network : Network
    inputs : int, optional
        Most input columns of a tile; by default the widest layer's, at most 4064.

    Raises
    ------
    ValueError
        No legal geometry holds the network; the message is that of `Geometry`.
    """
    layers = [operation for operation in network.operations if isinstance(operation, (Dense, Convolution))]
    if not layers:
        raise ValueError(f"{network.name}: no operation that a chip computes")
    windows = [layer.window if isinstance(layer, Convolution) else layer for layer in layers]
    widest = max(int(max(window.group_sizes)) for window in windows)
    width = min(widest, 4064) if inputs is None else inputs
    tiles = sum(window.n_groups if window.n_groups > 1 else -(-window.n_in // width) for window in windows)
    maps = [max(layer.n_in, layer.n_out) for layer in layers if isinstance(layer, Convolution)]
    return Geometry(
        tiles=tiles,
        rows=max(window.n_out for window in windows),
        inputs=width,
        bias=min(bias_columns(width), 1024),
        thresholds=max(64, sum(window.n_out for window in windows)),
        layers=max(8, len(layers)),
        scores=max(16, network.n_out),
        map_words=-(-max(maps, default=0) // WORD_WIDTH),
    )
