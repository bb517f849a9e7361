"""The geometry that holds a network, for those who bring a network and have no macro in mind yet."""

from __future__ import annotations

from bridgebnn.hdl.spec import Geometry, bias_columns
from bridgebnn.model.networks.network import Network

__all__ = ["geometry_for"]


def geometry_for(network: Network, *, inputs: int | None = None) -> Geometry:
    """A geometry with a set of tiles of its own for each layer.

    The tiles are as wide as the widest layer and as high as the largest one; bias columns follow the published
    rule of 5 % [data]. A layer wider than ``inputs`` takes several tiles, and so does each voting group.

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
    layers = network.layers
    widest = max(max(layer.group_sizes) if layer.n_groups > 1 else layer.n_in for layer in layers)
    width = min(int(widest), 4064) if inputs is None else inputs
    tiles = sum(layer.n_groups if layer.n_groups > 1 else -(-layer.n_in // width) for layer in layers)
    rows = max(layer.n_out for layer in layers)
    neurons = sum(layer.n_out for layer in layers)
    return Geometry(
        tiles=tiles,
        rows=rows,
        inputs=width,
        bias=min(bias_columns(width), 1024),
        thresholds=max(64, neurons),
        layers=max(8, len(network.operations)),
        scores=max(16, network.n_out),
    )
