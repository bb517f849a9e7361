"""What a limit on the inputs of an analog neuron costs: accuracy, rows and cycles, by width of a tile.

A layer wider than a tile falls into slices. Their popcounts are added (ADD, which changes no result and reads the
columns digitally), or their signs vote (VOTE): with the thresholds of the whole layer shared out, on a network that was
not trained for it, or on a network whose file has the groups (trained).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing, bias_columns
from bridgebnn.hdl.spec.latency import vector_cycles
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.data import Data
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.networks.host import host_layers
from bridgebnn.model.networks.network import Network
from bridgebnn.records import Record

__all__ = ["WHOLE", "FanInReport", "Point", "narrow", "study"]

WHOLE = 0
"""Stands for the whole layer where a number of inputs is asked for."""

MAP_WORDS = 4096


class Point(Record, frozen=True, kw_only=True):
    """One network on tiles of one width.

    Parameters
    ----------
    network : str
    inputs : int
        Inputs of a tile; of a whole layer, those of the widest.
    whole : bool
        No layer is split.
    combine : "ADD" or "VOTE"
    trained : bool
        The network was trained for this split.
    accuracy : float
        0..1, golden: a chip without errors.
    tiles : int
        In step for the widest layer.
    rows : int
        Word lines in use, over all tiles.
    cycles_per_image : int
        Of the controller, with the default timing.
    host_layers : list of str
        Layers that are the host's, whatever the width.
    """

    network: str
    inputs: int
    whole: bool
    combine: Literal["ADD", "VOTE"]
    trained: bool
    accuracy: float
    tiles: int
    rows: int
    cycles_per_image: int
    host_layers: list[str] = []


class FanInReport(Record, frozen=True, kw_only=True):
    """The study: ``bridgebnn model fan-in``.

    Parameters
    ----------
    schema_version : int
    images : dict of int
        Test images by network.
    points : list of Point
    versions : dict of str
    command : str, optional
        Command line that gives this report.
    """

    schema_version: Literal[1] = 1
    images: dict[str, int]
    points: list[Point]
    versions: dict[str, str]
    command: str | None = None


def narrow(network: Network, inputs: int) -> Geometry:
    """A geometry of tiles of ``inputs`` columns, as many as the widest layer takes and as high as all together."""
    tiles = max(
        layer.n_groups if layer.n_groups > 1 else -(-layer.n_in // inputs) for layer in network.layers
    )
    rows = sum(layer.n_out for layer in network.layers)
    maps = any(operation.kind == "convolution" for operation in network.operations)
    return Geometry(
        tiles=tiles,
        rows=rows,
        inputs=inputs,
        bias=max(2, bias_columns(inputs)),  # slices of one neuron differ by a step or two
        thresholds=max(64, rows),
        layers=max(8, len(network.layers)),
        scores=max(16, network.n_out),
        map_words=MAP_WORDS if maps else 0,
    )


def study(
    networks: Sequence[tuple[Network, Data]],
    widths: Iterable[int],
    progress: Callable[[int, int], None] | None = None,
) -> list[Point]:
    """Every network on tiles of every width, by ADD and by VOTE; those trained for a split on their own width alone.

    Parameters
    ----------
    networks : sequence of (Network, Data)
        The data have labels.
    widths : iterable of int
        Inputs of a tile, `WHOLE` for the widest layer's. A width that splits no layer is left out.
    progress : callable, optional
        ``progress(done, total)``.

    Raises
    ------
    ValueError
        Data without labels, or a network that fits no geometry of a width (a `MappingError` says why).
    """
    work = [(network, data, *case) for network, data in networks for case in _cases(network, widths)]
    points = []
    for done, (network, data, inputs, combine, trained) in enumerate(work):
        if progress is not None:
            progress(done, len(work))
        points.append(_point(network, data, inputs, combine, trained))
    if progress is not None:
        progress(len(work), len(work))
    return points


def _cases(network: Network, widths: Iterable[int]) -> list[tuple[int, Combine, bool]]:
    """Width, combine and whether it was trained for it."""
    widest = max(layer.n_in for layer in network.layers)
    if any(layer.n_groups > 1 for layer in network.layers):
        return [(max(int(max(layer.group_sizes)) for layer in network.layers), Combine.VOTE, True)]
    split = [width for width in widths if width != WHOLE and width < widest]
    cases = [(width, combine, False) for width in split for combine in (Combine.ADD, Combine.VOTE)]
    return [*cases, *([(widest, Combine.ADD, True)] if WHOLE in tuple(widths) else [])]


def _point(network: Network, data: Data, inputs: int, combine: Combine, trained: bool) -> Point:
    if data.labels is None:
        raise ValueError(f"{data.name}: no labels, which an accuracy needs")
    geometry = narrow(network, inputs)
    mapping = map_network(network, geometry, combine=combine, final_mode=ReadMode.COUNT)
    classes = Golden(mapping.network)(data.bits(network)).classes
    return Point(
        network=network.name,
        inputs=inputs,
        whole=all(layer.n_in <= inputs for layer in network.layers),
        combine="VOTE" if combine is Combine.VOTE else "ADD",
        trained=trained,
        accuracy=float((classes == data.labels).mean()),
        tiles=geometry.tiles,
        rows=mapping.rows_used,
        cycles_per_image=vector_cycles(mapping.descriptors, Timing(), geometry),
        host_layers=host_layers(network.operations),
    )
