"""comparator: what it does when its time is over, the same whoever asks; the default waits and knows none of it."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.macro import comparator
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams

GEOMETRY = Geometry(tiles=2, rows=12, inputs=40, bias=5)
ALL = slice(0, 12)
CLOCKED = NeuronParams(
    decide_s=1e-9, regeneration_tau_s=0.2e-9, hysteresis_V=0.05, noise_V=0.03, kickback_C=1e-14
)
"""A window of 68 mV, beside 81 mV a count."""


def chip(neuron=CLOCKED, seed=1):
    array = Array(GEOMETRY, dataclasses.replace(MacroParams.real(), neuron=neuron), seed)
    rng = np.random.default_rng(seed)
    for tile in range(2):
        for row in range(12):
            array.preload(tile, row, rng.integers(0, 2, 45), np.ones(45, bool))
    return array


def vectors(count):
    rng = np.random.default_rng([0, 99])
    col_en = rng.integers(0, 4, 45) > 0
    return rng.integers(0, 2, (count, 45)).astype(bool), col_en


def test_the_default_is_what_it_was():
    """Decisions of two chips, as they were before the comparator had a clock."""
    digest = hashlib.sha256()
    inputs, col_en = vectors(8)
    noisy = MacroParams(
        bridge=BridgeParams(
            buffer_sigma_V=0.4,
            buffer_noise_V=0.06,
            read_noise=0.3,
            r_supply_ohm=600.0,
            r_ground_ohm=200.0,
            r_feed_ohm=5e3,
        ),
        neuron=NeuronParams(cu_sigma=0.05, noise_V=0.05, offset_sigma_V=0.05),
    )
    for params in (MacroParams.real(), noisy):
        array, rng = Array(GEOMETRY, params, 1), np.random.default_rng(1)
        for tile in range(2):
            for row in range(12):
                array.preload(tile, row, rng.integers(0, 2, 45), np.ones(45, bool))
        for tile in range(2):
            digest.update(array.min_refs_batch(tile, ALL, inputs, col_en, np.ones(12, int)).tobytes())
    assert digest.hexdigest() == "109f3f02e2a2941a046f794834425f3c481f9a05af5848d688ddb9b719cb779c"
    assert Neuron.of(NeuronParams(), 45, 1, 0).window == comparator.window_V(NeuronParams()) == 0


def test_window_shrinks_by_e_per_time_constant():
    at = [comparator.undecided_V(dataclasses.replace(CLOCKED, decide_s=t)) for t in (1e-9, 1.2e-9, 5e-9)]
    assert at[0] == pytest.approx(1.8 * math.exp(-(1e-9 - 80e-12) / 0.2e-9))
    assert at[0] / at[1] == pytest.approx(math.e)
    assert at[2] < 1e-9
    assert comparator.undecided_V(dataclasses.replace(CLOCKED, decide_s=50e-12)) == 1.8  # not even the delay
    assert comparator.undecided_V(dataclasses.replace(CLOCKED, decide_s=0.0)) == 0  # it is waited for
    sharp = dataclasses.replace(CLOCKED, regeneration_tau_s=0.0)
    assert comparator.undecided_V(sharp) == 0
    assert comparator.undecided_V(dataclasses.replace(sharp, decide_s=50e-12)) == 1.8


def test_undecided_exactly_where_it_takes_longer():
    """The window of the decisions and the law of the decision time are one."""
    params = dataclasses.replace(CLOCKED, hysteresis_V=0.0)
    seen_V = np.geomspace(1e-3, 1.0, 400)
    waited = comparator.resolve_s(dataclasses.replace(params, decide_s=0.0), seen_V)
    assert np.array_equal(waited > params.decide_s, seen_V < comparator.undecided_V(params))
    assert np.array_equal(comparator.resolve_s(params, seen_V), np.minimum(waited, params.decide_s))


def test_within_the_window_a_fair_side_decides_and_outside_the_input():
    params = dataclasses.replace(
        NeuronParams.ideal(), decide_s=1e-9, regeneration_tau_s=0.2e-9, hysteresis_V=0.05
    )
    neuron = Neuron.of(params, 45, 3, 0)
    inside, outside = 0.99 * neuron.window, 1.01 * neuron.window
    drawn = np.concatenate([neuron.drawn(3, 0, number, size=50) for number in range(400)])
    for sign in (1, -1):
        ones = neuron.min_ref(np.full(drawn.size, sign * inside), drawn) <= 0
        assert abs(ones.mean() - 0.5) < 4 * 0.5 / math.sqrt(drawn.size)
        assert (neuron.min_ref(np.full(drawn.size, sign * outside), drawn) <= 0).all() == (sign > 0)
        assert (neuron.min_ref(np.full(drawn.size, sign * outside), drawn) <= 0).any() == (sign > 0)


def test_sides_are_independent_of_the_noise_of_rows_and_of_reads():
    drawn = np.stack([comparator.drawn_counts(0.0, 1.0, 3, 0, number, 50) for number in range(400)])
    noise = np.stack([comparator.drawn_counts(1.0, 0.0, 3, 0, number, 50) for number in range(400)])
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    bound = 4 / math.sqrt(drawn.size)
    for other in (noise, np.roll(drawn, 1, axis=0), np.roll(drawn, 1, axis=1)):
        assert abs((drawn * other).mean()) < bound
    assert np.array_equal(drawn[7, :5], comparator.drawn_counts(0.0, 1.0, 3, 0, 7, 5))


def test_one_row_one_vector_and_a_batch_are_the_same():
    inputs, col_en = vectors(6)
    array = chip()
    batch = array.min_refs_batch(1, ALL, inputs, col_en, np.ones(12, int), 2)
    for i, bl in enumerate(inputs):
        assert np.array_equal(array.min_refs(1, bl, col_en, np.full(12, 1 + 2 * i)), batch[i])
        assert np.array_equal(
            array.min_refs_ahead(1, bl, col_en, 3)[:, 1], array.min_refs(1, bl, col_en, array.reads[1] + 2)
        )
        for row in (5, 0, 11):
            single = chip()
            single.reads[1, row] = 1 + 2 * i
            assert single.min_ref(1, row, bl, col_en) == batch[i, row]


@pytest.mark.parametrize("broken", ["order", "offset", "element"])
def test_a_side_drawn_wrongly_is_noticed(broken, monkeypatch):
    inputs, col_en = vectors(6)
    expected = chip().min_refs_batch(0, ALL, inputs, col_en, np.ones(12, int))
    rng, real = np.random.default_rng(0), comparator.many_uniform

    def many_uniform(chip, purpose, tile, numbers, size):
        if broken == "order":
            return rng.random((len(numbers), size))
        if broken == "offset":
            return real(chip, purpose, tile, [number + 1 for number in numbers], size=size)
        return real(chip, purpose, tile, numbers, size=size)[:, ::-1]

    monkeypatch.setattr(comparator, "many_uniform", many_uniform)
    array = chip()
    rows = [array.min_refs(0, bl, col_en, reads=np.full(12, i + 1)) for i, bl in enumerate(inputs)]
    assert not np.array_equal(rows, expected)


def test_kickback_shows_by_the_difference_of_the_loads():
    params = dataclasses.replace(NeuronParams.ideal(), kickback_C=1e-14)
    assert comparator.kickback_V(params, 50.0, 50.0) == 0
    # the lighter line rises farther
    assert comparator.kickback_V(params, 40.0, 50.0) == pytest.approx(1e-14 / 5e-15 * (1 / 40 - 1 / 50))
    assert comparator.kickback_V(params, 50.0, 40.0) < 0
    assert Neuron.of(params, 45, 3, 0).offset == 0
    uneven = Neuron.of(dataclasses.replace(params, cu_sigma=0.05), 45, 3, 0)
    assert uneven.offset == pytest.approx(
        comparator.kickback_V(params, uneven.load_p, uneven.load_n) / uneven.lsb_V
    )
    assert uneven.offset != 0
