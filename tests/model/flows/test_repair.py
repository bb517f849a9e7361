"""Repair by placement: the function stays, the wrong cells go, what cannot be repaired is said."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ProgOp, ProgSide, Timing
from bridgebnn.model.devices.device import DeviceArray, DeviceParams
from bridgebnn.model.flows.programming import program
from bridgebnn.model.flows.repair import RepairError, needed_weights, repair
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.mapping.program_log import Failure
from bridgebnn.model.networks import golden
from tests.model.reference import random_network

P, N = ProgSide.P, ProgSide.N
GEOMETRY = Geometry(tiles=3, rows=64, inputs=48, bias=6, thresholds=200, scores=16)


def random_failures(rng, mapping, count):
    cells = rng.permutation(np.argwhere(mapping.masks))[:count]
    sides, ops = rng.choice(list(ProgSide), count), rng.choice(list(ProgOp), count)
    return [Failure(*map(int, c), ProgSide(s), ProgOp(o)) for c, s, o in zip(cells, sides, ops, strict=True)]


def wrong_cells(mapping, failures):
    """By hand: the state that the device is stuck in is not the one that the weight wants."""
    wrong = set()
    for tile, row, column, side, op in failures:
        wants_lrs = bool(mapping.images[tile, row, column]) == (side is P)
        if mapping.masks[tile, row, column] and wants_lrs != (op is ProgOp.RESET):
            wrong.add((tile, row, column))
    return wrong


def same_function(network, repaired, orders, rng):
    images = rng.integers(0, 2, (50, network.n_in)).astype(np.uint8)
    expected, found = golden.forward(network, images), golden.forward(repaired, images)
    np.testing.assert_array_equal(found.scores, expected.scores)
    for order, ours, theirs in zip(orders, found.hidden, expected.hidden, strict=False):
        np.testing.assert_array_equal(ours, theirs[:, order])


@pytest.mark.parametrize("seed", range(4))
def test_scattered_failures_are_placed_away(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, (40, 48, 48, 10), spread=6)
    failures = random_failures(rng, map_network(network, GEOMETRY), 25)
    found = repair(network, GEOMETRY, failures)
    same_function(network, found.network, found.orders, rng)
    before = wrong_cells(map_network(network, GEOMETRY), failures)
    assert set(found.wrong_before) == before
    assert set(found.wrong) == wrong_cells(found.mapping, failures)
    assert len(found.wrong) == 0 < len(before)
    moved = sum(int((order != np.arange(order.size)).sum()) for order in found.orders)
    assert moved <= 3 * len(before)  # others stay


@pytest.mark.parametrize("combine", list(Combine))
def test_layers_of_several_tiles(combine):
    rng = np.random.default_rng(7)
    network = random_network(rng, (48, 60, 30, 5), spread=4)
    failures = random_failures(rng, map_network(network, GEOMETRY, combine=combine), 20)
    found = repair(network, GEOMETRY, failures, combine=combine)
    same_function(
        map_network(network, GEOMETRY, combine=combine).network, found.mapping.network, found.orders, rng
    )
    assert len(found.wrong) == 0 < len(found.wrong_before)
    if combine is Combine.VOTE:  # the second layer's halves vote apart: no neuron changes sides
        half = found.mapping.descriptors[1].cols
        assert ((found.orders[0] < half) == (np.arange(60) < half)).all()


def test_without_failures_nothing_moves():
    network = random_network(np.random.default_rng(1), (20, 30, 10), spread=4)
    found = repair(network, GEOMETRY, [])
    assert all((order == np.arange(order.size)).all() for order in found.orders)
    one = [Failure(0, 3, 2, P, ProgOp.RESET), Failure(2, 60, 2, P, ProgOp.SET)]  # the second in no used row
    found = repair(network, GEOMETRY, one)
    assert sum(int((order != np.arange(order.size)).sum()) for order in found.orders) in (0, 2)
    assert not found.wrong


def test_states_that_a_failed_device_leaves():
    log = [
        Failure(0, 0, 0, P, ProgOp.RESET),  # P in LRS: +1
        Failure(0, 0, 1, N, ProgOp.RESET),  # N in LRS: -1
        Failure(0, 0, 2, P, ProgOp.FORM),
        Failure(0, 0, 2, P, ProgOp.SET),  # P never conducts: -1
        Failure(0, 0, 3, N, ProgOp.SET),  # N never conducts: +1
        Failure(0, 0, 4, P, ProgOp.RESET),
        Failure(0, 0, 4, N, ProgOp.RESET),  # both conduct: neither
    ]
    assert list(needed_weights(log).values()) == [{1}, {0}, {0}, {1}, set()]


def test_what_cannot_be_repaired_is_refused():
    network = random_network(np.random.default_rng(2), (20, 30, 10), spread=4)
    broken = [Failure(0, row, 7, side, ProgOp.RESET) for row in range(30) for side in ProgSide]  # a column
    found = repair(network, GEOMETRY, broken)
    assert len(found.wrong) == 30
    with pytest.raises(RepairError, match=r"30 cells cannot hold .* at most 3 may: .* \(0, 0, 7\), .* \.\."):
        repair(network, GEOMETRY, broken, most=3)


def test_a_chip_is_programmed_around_its_failures():
    """Devices that were stuck in the state first asked for show up later: the logs add up."""
    rng = np.random.default_rng(3)
    stuck = {f"stuck_{kind}_probability": 1e-3 for kind in ("lrs", "hrs", "unformed")}
    devices = DeviceArray(GEOMETRY, DeviceParams(**{**vars(DeviceParams.real()), **stuck}), 5)
    network = random_network(rng, (40, 48, 48, 10), spread=6)
    mapping, log, wrong = map_network(network, GEOMETRY), [], []
    for _ in range(4):
        log += program(devices, mapping.images, mapping.masks, Timing()).failures
        wrong.append(len(wrong_cells(mapping, log)))
        mapping = repair(network, GEOMETRY, log).mapping
    assert wrong[0] > 5
    assert wrong[-1] == 0
