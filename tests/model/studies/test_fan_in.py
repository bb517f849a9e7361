"""The fan-in study: ADD changes no result, votes do; rows, tiles and cycles are those of the mapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.commands.fan_in import markdown
from bridgebnn.model.networks.data import Data
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.networks.network import Network
from bridgebnn.model.studies.fan_in import WHOLE, FanInReport, narrow, study
from bridgebnn.sections import read_section
from tests.model.networks.convolutions import random_network as random_maps
from tests.model.networks.hosted import random_hosted
from tests.model.reference import random_network

RNG = np.random.default_rng(1)
DOCS = Path(__file__).resolve().parents[3] / "docs"


def data_of(network: Network) -> Data:
    """Random bits, labelled as the network itself classifies them."""
    bits = RNG.integers(0, 2, (40, network.n_in), dtype=np.uint8)
    return Data(name="own", images=bits, labels=forward(network, bits).classes, thresholds=())


@pytest.mark.parametrize("kind", ["dense", "maps", "hosted"])
def test_add_changes_nothing_and_votes_do(kind: str) -> None:
    network = {
        "dense": lambda: random_network(RNG, [60, 20, 6], spread=4),
        "maps": lambda: random_maps(RNG, padding=1),
        "hosted": lambda: random_hosted(RNG, (9, 40, 33, 11, 4)),
    }[kind]()
    points = study([(network, data_of(network))], [7, 16, WHOLE])
    added = [point for point in points if point.combine == "ADD"]
    voted = [point for point in points if point.combine == "VOTE"]
    assert [point.accuracy for point in added] == [1.0] * 3
    assert [point.whole for point in added] == [False, False, True]
    assert len(voted) == 2
    assert min(point.accuracy for point in voted) < 1.0
    widest = max(layer.n_in for layer in network.layers)
    assert [point.tiles for point in added] == [-(-widest // 7), -(-widest // 16), 1]
    for point in points:
        tiles = [-(-layer.n_in // point.inputs) for layer in network.layers]
        assert point.rows == sum(t * layer.n_out for t, layer in zip(tiles, network.layers, strict=True))
    assert all(len(point.host_layers) == (2 if kind == "hosted" else 0) for point in points)


def test_a_network_of_groups_is_taken_as_it_is() -> None:
    network = random_network(RNG, [23, 9], output="sign", combine=Combine.VOTE, groups=3, spread=0)
    points = study([(network, data_of(network))], [4, WHOLE])
    assert [(point.inputs, point.combine, point.trained, point.accuracy) for point in points] == [
        (max(network.layers[0].group_sizes), "VOTE", True, 1.0)
    ]
    assert narrow(network, 8).tiles == 3


def test_no_labels() -> None:
    network = random_network(RNG, [6, 3])
    images = np.zeros((2, 6), np.uint8)
    with pytest.raises(ValueError, match="own: no labels, which an accuracy needs"):
        study([(network, Data(name="own", images=images, thresholds=()))], [WHOLE])


def test_the_page_has_the_table() -> None:
    """Its head is the command's; its whole-layer accuracies are the files' own."""
    table = read_section(DOCS / "fan-in.md", "fan-in").strip().splitlines()
    empty = FanInReport(images={}, points=[], versions={})
    assert table[:2] == markdown(empty).splitlines()
    whole = {line.split("`")[1]: line for line in table if "(whole)" in line}
    for name, line in whole.items():
        stated = Network.load(DOCS.parent / "data" / f"{name}.npz").meta["test_accuracy"]
        assert "| 1,000 |" in line or f"{stated:.2%}".replace("%", " %") in line
    assert whole
