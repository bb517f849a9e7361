"""Convolutional networks on a chip: mapped, evaluated in batches and row by row, beside golden."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode
from bridgebnn.model.flows import inference
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.fit import geometry_for
from bridgebnn.model.mapping.mapping import MappingError, map_network
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from tests.model.networks.convolutions import random_dense, random_network

GEOMETRY = Geometry(tiles=3, rows=40, inputs=60, bias=6, map_words=16)


def chip(params: MacroParams, mapping, seed: int = 1) -> Array:
    array = Array(mapping.geometry, params, chip=seed)
    inference.load(mapping, array)
    return array


@pytest.mark.parametrize("final_mode", [ReadMode.COUNT, ReadMode.SEARCH])
@pytest.mark.parametrize("inputs", [60, 20])
def test_ideal_chip_computes_golden(inputs, final_mode):
    rng = np.random.default_rng(1)
    network = random_network(rng, hidden=7)
    mapping = map_network(network, dataclasses.replace(GEOMETRY, inputs=inputs), final_mode=final_mode)
    images = rng.integers(0, 2, (6, network.n_in))
    found = inference.run(mapping, chip(MacroParams.ideal(), mapping), images)
    assert found.differences(golden.forward(network, images))["images"] == 0
    assert [d.windows for d in mapping.descriptors] == [30, 24, 1, 1]


def test_split_by_votes_is_the_effective_network():
    rng = np.random.default_rng(2)
    network = random_network(rng)
    mapping = map_network(network, dataclasses.replace(GEOMETRY, inputs=20), combine=Combine.VOTE)
    images = rng.integers(0, 2, (6, network.n_in))
    found = inference.run(mapping, chip(MacroParams.ideal(), mapping), images)
    assert found.differences(golden.forward(mapping.network, images))["images"] == 0
    assert golden.forward(network, images).hidden[0].shape == found.hidden[0].shape


def test_real_chip_in_batches_and_row_by_row():
    rng = np.random.default_rng(3)
    network = random_network(rng)
    mapping = map_network(network, GEOMETRY)
    images = rng.integers(0, 2, (3, network.n_in))
    batches = inference.run(mapping, chip(MacroParams.real(), mapping, 5), images, batch=20)
    singly = inference.run_row_by_row(mapping, chip(MacroParams.real(), mapping, 5), images)
    assert batches.differences(singly)["images"] == 0


def test_input_words_of_a_map():
    rng = np.random.default_rng(4)
    network = random_network(rng)
    mapping = map_network(network, GEOMETRY)
    image = rng.integers(0, 2, (1, network.n_in))
    words = mapping.pack_inputs(image)
    assert words.shape == (1, 3)
    assert [int(words[0, i // 32]) >> i % 32 & 1 for i in range(network.n_in)] == image[0].tolist()


def test_what_does_not_fit():
    rng = np.random.default_rng(5)
    network = random_network(rng)
    with pytest.raises(MappingError, match=r"layer 0: a map of 120 bits goes out.*map_words = 4 would fit"):
        map_network(network, dataclasses.replace(GEOMETRY, map_words=3))
    with pytest.raises(MappingError, match=r"layer 0: a map of 90 bits goes in.*map_words = 3 would fit"):
        map_network(network, dataclasses.replace(GEOMETRY, map_words=0))
    dense = random_dense(rng, network.n_in, 50)
    with pytest.raises(MappingError, match=r"layer 1: a convolution behind a dense layer"):
        map_network(
            Network(name="x", operations=(dense, *network.operations)),
            dataclasses.replace(GEOMETRY, rows=200),
        )
    with pytest.raises(MappingError, match=r"layer 1: the last layer is a convolution"):
        map_network(Network(name="x", operations=network.operations[:2]), GEOMETRY)


def test_geometry_that_fits():
    network = random_network(np.random.default_rng(6), hidden=7)
    geometry = geometry_for(network)
    assert (geometry.map_words, geometry.tiles, geometry.inputs) == (
        4,
        4,
        36,
    )  # 120 bits, windows of 3 * 3 * 4
    for made in (geometry, geometry_for(network, inputs=20)):
        mapping = map_network(network, made)
        images = np.random.default_rng(7).integers(0, 2, (4, network.n_in))
        found = inference.run(mapping, chip(MacroParams.ideal(), mapping), images)
        assert found.differences(golden.forward(network, images))["images"] == 0
