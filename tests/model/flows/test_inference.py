"""inference: ideal chips equal golden, and any chip equals itself read row by row."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.programming import program
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import MappingError, map_network
from bridgebnn.model.networks import golden
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from tests.model.reference import random_network

NOISY = dataclasses.replace(
    MacroParams.real(),
    name="noisy",
    bridge=BridgeParams(buffer_sigma_V=0.4, buffer_noise_V=0.06, read_noise=0.3),
    neuron=NeuronParams(cu_sigma=0.05, noise_V=0.05),
)
MODES = [(c, f) for c in Combine for f in (ReadMode.SEARCH, ReadMode.COUNT)]


def case(seed, combine, final_mode, voting=False):
    """A random network that fits a random geometry."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        sizes = [int(n) for n in rng.integers(1, 60, rng.integers(2, 5))]
        geometry = Geometry(
            tiles=int(rng.integers(1, 6)),
            rows=int(rng.integers(60, 150)),
            inputs=int(rng.integers(5, 60)),
            bias=int(rng.choice([0, 1, 2, 3, 20])),
            thresholds=200,
            scores=64,
        )
        kwargs = {"groups": 3, "combine": Combine.VOTE} if voting else {}
        network = random_network(rng, sizes, spread=[None, 6][seed % 2], **kwargs)
        try:
            return rng, map_network(network, geometry, combine=combine, final_mode=final_mode)
        except MappingError:
            continue
    raise AssertionError("no geometry fits")


def chip(mapping, params, seed):
    array = Array(mapping.geometry, params, seed)
    inference.load(mapping, array)
    return array


def same(a, b):
    return a.differences(b)["images"] == 0


@pytest.mark.parametrize(("combine", "final_mode"), MODES)
@pytest.mark.parametrize("voting", [False, True])
def test_ideal_equals_golden(combine, final_mode, voting):
    for seed in range(12):
        rng, mapping = case(seed, combine, final_mode, voting)
        images = rng.integers(0, 2, (30, mapping.network.n_in))
        result = inference.run(mapping, chip(mapping, MacroParams.ideal(), seed), images)
        expected = golden.forward(mapping.network, images)
        assert same(result, expected)
        assert np.array_equal(result.classes, expected.classes)


@pytest.mark.parametrize(("combine", "final_mode"), MODES)
def test_noisy_chip_equals_itself_row_by_row(combine, final_mode):
    different = 0
    for seed in range(5):
        rng, mapping = case(seed, combine, final_mode)
        images = rng.integers(0, 2, (6, mapping.network.n_in))
        arrays = [chip(mapping, NOISY, seed) for _ in range(3)]
        whole = inference.run(mapping, arrays[0], images)
        parts = inference.run(mapping, arrays[1], images, batch=4)
        rows = inference.run_row_by_row(mapping, arrays[2], images)
        assert same(whole, parts)
        assert same(whole, rows)
        assert len({array.state_hash() for array in arrays}) == 1
        different += not same(whole, golden.forward(mapping.network, images))
        again = inference.run(mapping, arrays[0], images)  # later read numbers, other noise
        assert again.scores.shape == whole.scores.shape
    assert different > 0  # the chips were bad enough for the comparison to mean something


def test_read_numbers_are_those_of_the_controller():
    network = random_network(np.random.default_rng(0), [30, 12, 10], spread=4)
    geometry = Geometry(tiles=3, rows=24, inputs=10, bias=1, thresholds=64)
    mapping = map_network(network, geometry, final_mode=ReadMode.SEARCH)
    array = Array(geometry, MacroParams.real(), 0)
    program(array, mapping.images, mapping.masks, Timing())
    before = mapping.masks.any(axis=2).astype(int)  # one read-back a programmed row
    assert np.array_equal(array.reads, before)
    inference.run(mapping, array, np.zeros((5, 30), int))
    expected = before.copy()
    for d in mapping.descriptors:
        for k in range(d.tile_count):
            steps = int(np.ceil(np.log2(d.enabled(k) + 1)))
            expected[d.tile_first + k, d.row_first : d.row_first + d.row_count] += 5 * steps
    assert np.array_equal(array.reads, expected)


def test_programmed_by_pulses_equals_golden():
    network = random_network(np.random.default_rng(1), [40, 20, 10])
    mapping = map_network(network, Geometry(tiles=2, rows=40, inputs=48, bias=8))
    array = Array(mapping.geometry, MacroParams.ideal(), 0)
    report = program(array, mapping.images, mapping.masks, Timing())
    assert report.ok
    images = np.random.default_rng(2).integers(0, 2, (50, 40))
    assert same(inference.run(mapping, array, images), golden.forward(network, images))


def test_sign_network():
    network = random_network(np.random.default_rng(3), [20, 9], output="sign")
    mapping = map_network(network, Geometry(tiles=3, rows=40, inputs=8, bias=1))
    images = np.random.default_rng(4).integers(0, 2, (50, 20))
    result = inference.run(mapping, chip(mapping, MacroParams.ideal(), 0), images)
    assert same(result, golden.forward(network, images))
    assert set(np.unique(result.scores)) == {-1, 1}


def test_progress_and_empty_batch():
    network = random_network(np.random.default_rng(5), [20, 9])
    mapping = map_network(network, Geometry())
    array, seen = chip(mapping, MacroParams.ideal(), 0), []
    inference.run(mapping, array, np.zeros((10, 20), int), batch=4, progress=lambda *a: seen.append(a))
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert inference.run(mapping, array, np.zeros((0, 20), int)).scores.shape == (0, 9)


@pytest.mark.parametrize("broken", ["reads", "cell", "threshold", "layer order"])
def test_a_broken_chip_is_noticed(broken):
    rng = np.random.default_rng(6)
    network = random_network(rng, [23, 20, 10], spread=5)
    mapping = map_network(network, Geometry(rows=64))
    images = rng.integers(0, 2, (100, 23))
    if broken == "reads":  # a read that is not counted shifts all noise
        arrays = [chip(mapping, NOISY, 1) for _ in range(2)]
        arrays[1].reads += 1
        assert not same(*(inference.run(mapping, array, images) for array in arrays))
        return
    array = chip(mapping, MacroParams.ideal(), 1)
    if broken == "cell":
        array.preload(0, 3, 1 - mapping.images[0, 3], np.arange(25) == 4)
    elif broken == "threshold":
        mapping.thresholds[-1] += 1
    else:
        for row in (0, 1):
            array.preload(0, row, mapping.images[0, 1 - row], mapping.masks[0, row])
    assert not same(inference.run(mapping, array, images), golden.forward(network, images))


def test_messages():
    network = random_network(np.random.default_rng(7), [20, 9])
    mapping = map_network(network, Geometry())
    with pytest.raises(
        ValueError, match=r"the chip has .*rows=33.*, the mapping .*rows=32.*: must be the same"
    ):
        inference.run(mapping, Array(Geometry(rows=33), MacroParams.ideal()), np.zeros((1, 20), int))
    with pytest.raises(ValueError, match=r"shape \(1, 21\): must be \(batch, 20\)"):
        inference.run(mapping, chip(mapping, MacroParams.ideal(), 0), np.zeros((1, 21), int))
