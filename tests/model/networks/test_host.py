"""Host layers: golden against exact fractions, files, places in a network, mapping, the model around the chip."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.repair import repair
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.fit import geometry_for
from bridgebnn.model.mapping.mapping import MappingError, map_network
from bridgebnn.model.mapping.mapping_file import load_mapping, save_mapping
from bridgebnn.model.mapping.program_log import Failure
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.host import HostDense, host_layers
from bridgebnn.model.networks.network import Network
from bridgebnn.model.networks.operations import NetworkError
from bridgebnn.model.parameters.params import MacroParams
from tests.model.networks.convolutions import random_dense, random_network
from tests.model.networks.hosted import (
    convolved,
    encoding_of,
    random_host,
    random_host_convolution,
    random_hosted,
    real_sums,
)

GEOMETRY = Geometry(tiles=2, rows=24, inputs=20, bias=2)


def images_of(network: Network, count: int = 30) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 2, (count, network.n_in), dtype=np.uint8)


def test_golden_is_the_definition():
    network = random_hosted(np.random.default_rng(1))
    images = images_of(network)
    result = golden.forward(network, images)
    first, last = network.operations[0], network.operations[-1]
    for i, image in enumerate(images.tolist()):
        assert result.hidden[0][i].tolist() == [value >= 0 for value in real_sums(first, image)]
        scores = [value * 2**last.fraction for value in real_sums(last, result.hidden[-1][i].tolist())]
        assert result.scores[i].tolist() == scores
        assert result.classes[i] == int(np.argmax(scores))


def test_a_sum_at_the_threshold_is_plus_one():
    layer = HostDense(weights=[[3, -2, 1]], thresholds=[2], fraction=12, output="sign")
    network = Network(name="x", operations=(layer, random_dense(np.random.default_rng(0), 2, 1, "score")))
    bits = [[1, 1, 1], [1, 1, 0], [1, 0, 0]]  # sums 2, 0, 4
    assert golden.forward(network, bits).hidden[0].tolist() == [[1], [0], [1]]


def test_largest_sums_are_exact():
    n = 2000
    weights = np.full((1, n), 32767)
    layer = HostDense(weights=weights, thresholds=[n * 32767 - 1], fraction=15, output="score")
    network = Network(name="x", operations=(layer,))
    bits = np.ones((2, n), np.uint8)
    bits[1, 5] = 0
    assert golden.forward(network, bits).scores[:, 0].tolist() == [1, 1 - 2 * 32767]


def test_values_of_eight_bits_are_numbers():
    rng = np.random.default_rng(12)
    weights = rng.integers(-(1 << 40), 1 << 40, (6, 5))
    layer = HostDense(weights=weights, thresholds=weights[:, 0], fraction=40, output="score", planes=8)
    network = Network(name="x", operations=(layer,), encoding=Encoding(shape=(5,), thresholds=(), planes=8))
    images = rng.integers(0, 256, (20, 5))
    found = golden.forward(network, network.encoding(images))
    for image, scores in zip(images.tolist(), found.scores.tolist(), strict=True):
        wanted = [
            sum(int(w) * (2 * v - 255) for w, v in zip(row, image, strict=True)) - int(row[0])
            for row in weights
        ]
        assert scores == wanted


@pytest.mark.parametrize(("planes", "pad"), [(1, -1), (1, 0), (8, -255), (8, 0), (8, 17)])
def test_a_convolution_is_its_definition(planes, pad):
    layer = random_host_convolution(np.random.default_rng(planes), planes, pad)
    network = Network(name="x", operations=(layer,), encoding=encoding_of(layer))
    images = images_of(network, 5)
    found = golden.forward(network, images).hidden[0]
    for bits, signs in zip(images, found, strict=True):
        assert signs.tolist() == convolved(layer, bits)


def test_file_of_a_convolution(tmp_path):
    layer = random_host_convolution(np.random.default_rng(3), 8, 0)
    network = Network(name="x", operations=(layer,), encoding=encoding_of(layer))
    network.save(tmp_path / "n.npz")
    again = Network.load(tmp_path / "n.npz")
    images = images_of(network)
    assert again.encoding == network.encoding
    assert (golden.forward(again, images).hidden[0] == golden.forward(network, images).hidden[0]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 17}, "channels = 17: must be a multiple of 8"),
        ({"kernel": 2}, "window has 18 values: must be 8, 2 x 2 pixels of 2"),
        ({"pad": 256}, "pad = 256: must be from -255 to 255"),
        ({"kernel": 9}, "too small for kernel 9"),
    ],
)
def test_convolutions_refused(changes, message):
    with pytest.raises(NetworkError, match=message):
        dataclasses.replace(random_host_convolution(np.random.default_rng(3), 8, 0), **changes)


def test_file(tmp_path):
    network = random_hosted(np.random.default_rng(2))
    network.save(tmp_path / "n.npz")
    again = Network.load(tmp_path / "n.npz")
    images = images_of(network)
    assert (golden.forward(again, images).scores == golden.forward(network, images).scores).all()
    again.save(tmp_path / "m.npz")
    assert (tmp_path / "n.npz").read_bytes() == (tmp_path / "m.npz").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [[0.5]], "thresholds": [0]}, r"weights are float64: must be integers, stored as int64"),
        ({"weights": [1, 2]}, r"weights have shape \(2,\): must be \(n_out, n_in\)"),
        ({"thresholds": [1]}, r"thresholds have shape \(1,\): must be \(3,\), one per neuron"),
        ({"fraction": 1075}, r"fraction = 1075: must be from -64 to 1074"),
        ({"planes": 2}, r"planes = 2: must be 1 or 8"),
        ({"output": "bits"}, r"output = 'bits': must be 'sign' or 'score'"),
        (
            {"weights": [[1 << 51, 1 << 51]], "thresholds": [0]},
            r"neuron 0: its score reaches 4503599627370496: must stay below 4503599627370496",
        ),
        (
            {"weights": [[1 << 45]], "thresholds": [0], "planes": 8},
            r"neuron 0: its score reaches 8972014882652160: must stay below",
        ),
    ],
)
def test_refused(changes, message):
    with pytest.raises(NetworkError, match=message):
        dataclasses.replace(random_host(np.random.default_rng(3), 3, 5), **changes)


def test_places_in_a_network():
    rng = np.random.default_rng(4)
    chip = [random_dense(rng, 6, 6) for _ in range(2)]
    with pytest.raises(NetworkError, match=r"operation 1: kind = 'host': must stand before, or behind, all"):
        Network(name="x", operations=(chip[0], random_host(rng, 6, 6), chip[1]))
    two = Network(name="x", operations=(random_host(rng, 5, 4), random_host(rng, 6, 5), *chip))
    assert two.chip == (2, 3)
    assert [len(part) for part in two.host] == [2, 0]
    alone = Network(name="x", operations=(random_host(rng, 5, 4),))
    assert alone.chip == ()
    with pytest.raises(MappingError, match="all 1 operations are host layers: a chip has nothing to do"):
        map_network(alone, GEOMETRY)


def test_host_layers_take_no_rows(tmp_path):
    network = random_hosted(np.random.default_rng(5))
    mapping = map_network(network, GEOMETRY)
    assert [report.rows for report in mapping.report] == [10, 11]
    assert [(p.operation, p.source) for p in mapping.programs] == [(1, 0), (2, 1)]
    images = images_of(network)
    bits = golden.forward(network, images).hidden[0]
    assert (mapping.pack_inputs(images)[:, 0] == bits @ (1 << np.arange(12))).all()
    save_mapping(mapping, tmp_path / "m.npz")
    again = load_mapping(tmp_path / "m.npz", network)
    assert again.descriptors == mapping.descriptors
    assert (again.pack_inputs(images) == mapping.pack_inputs(images)).all()


@pytest.mark.parametrize("sizes", [(9, 12, 10, 11, 4), (9, 33, 12, 4)])
def test_model_is_golden_on_an_ideal_chip(sizes):
    network = random_hosted(np.random.default_rng(6), sizes)
    mapping, images = map_network(network, GEOMETRY), images_of(network)
    expected = golden.forward(network, images)
    for run in (inference.run, inference.run_row_by_row):
        array = Array(GEOMETRY, MacroParams.ideal(), 1)
        inference.load(mapping, array)
        found = run(mapping, array, images)
        assert not any(found.differences(expected)["hidden"])
        assert (found.scores == expected.scores).all()
        assert (found.classes == expected.classes).all()
    assert inference.run(mapping, array, images[:0]).scores.shape == (0, 4)


def test_a_map_behind_a_host_layer():
    rng = np.random.default_rng(8)
    maps = random_network(rng)
    network = Network(name="x", operations=(random_host(rng, maps.n_in, 7), *maps.operations))
    geometry = Geometry(tiles=3, rows=24, inputs=40, bias=6, map_words=16)
    mapping, images = map_network(network, geometry), images_of(network, 4)
    array = Array(geometry, MacroParams.ideal(), 1)
    inference.load(mapping, array)
    assert inference.run(mapping, array, images).differences(golden.forward(network, images))["images"] == 0
    small = dataclasses.replace(geometry, map_words=2, tiles=1, rows=40)
    with pytest.raises(
        MappingError, match=r"layer 1: a map of 90 bits goes in, 26 more .* map_words = 3 would"
    ):
        map_network(network, small)


def test_neurons_move_around_stuck_cells_in_front_of_a_host_layer():
    network = random_hosted(np.random.default_rng(9))
    mapping, images = map_network(network, GEOMETRY), images_of(network)
    for program in mapping.programs:
        read = program.reads[0]
        cell = read.tile, int(read.rows[0]), int(read.columns[0])
        op = ProgOp.SET if mapping.images[cell] else ProgOp.RESET
        found = repair(network, GEOMETRY, [Failure(*cell, ProgSide.P, op)])
        assert len(found.wrong_before) == 1
        assert not found.wrong
        assert (
            golden.forward(found.mapping.network, images).scores == golden.forward(network, images).scores
        ).all()


def test_host_layers_have_names():
    assert host_layers(random_hosted(np.random.default_rng(1)).operations) == [
        "operation 0: 9 inputs, 12 signs, weights in steps of 2^-4",
        "operation 3: 11 inputs, 4 scores, weights in steps of 2^-4",
    ]


def test_layers_are_what_a_chip_holds():
    network = random_hosted(np.random.default_rng(3))
    assert network.layers == network.operations[1:-1]
    folded = random_network(np.random.default_rng(3))
    assert [layer.n_in for layer in folded.layers[:2]] == [
        op.walk.window_bits for op in folded.operations[:2]
    ]
    geometry = geometry_for(network)
    assert geometry.tiles == len(network.layers)
    map_network(network, geometry)
