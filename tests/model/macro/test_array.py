"""array: one row, one vector, a batch and any order give the same bits; state and its copies."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef
from bridgebnn.model.draws import Purpose, draw
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.bridge import source_line
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams

GEOMETRY = Geometry(tiles=2, rows=12, inputs=40, bias=5)
ALL = slice(0, 12)
NOISY = dataclasses.replace(
    MacroParams.real(),
    name="noisy",
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
"""Spreads and rails far beyond any chip, so that many cells are live and many bits change read to read."""


def chip(params=NOISY, seed=1, geometry=GEOMETRY):
    array = Array(geometry, params, seed)
    rng = np.random.default_rng(seed)
    for tile in range(geometry.tiles):
        for row in range(geometry.rows):
            array.preload(tile, row, rng.integers(0, 2, geometry.columns), np.ones(geometry.columns, bool))
    return array


def vectors(count, seed=0, geometry=GEOMETRY):
    rng = np.random.default_rng([seed, 99])
    col_en = rng.integers(0, 4, geometry.columns) > 0
    return rng.integers(0, 2, (count, geometry.columns)).astype(bool), col_en


@pytest.mark.parametrize("params", [MacroParams.ideal(), NOISY], ids=["ideal", "noisy"])
def test_counts_by_what_changed_are_the_counts(params):
    """To the last bit, however many columns changed, and not across a change of cells or of enabled columns."""
    array, rng = chip(params), np.random.default_rng(5)
    part, every = array._tiles[0], slice(0, GEOMETRY.rows)
    before = vectors(1)[0][0]
    for share in (0.0, 0.02, 0.3, 1.0):
        enabled = rng.random(GEOMETRY.columns) < 0.8
        after = before ^ (rng.random(GEOMETRY.columns) < share)
        x = part.counts_after(after, enabled, before, part.counts(before, enabled, every))
        assert np.array_equal(x, part.counts(after, enabled, every))
        for bl in (before, after, before):
            assert np.array_equal(array._static(0, bl, enabled), part.counts(bl, enabled, every))
        array.preload(0, 1, rng.integers(0, 2, GEOMETRY.columns), np.ones(GEOMETRY.columns, bool))


def test_batch_equals_vectors_equals_single_rows_in_any_order():
    inputs, col_en = vectors(9)
    array = chip()
    assert array.live_rows(1).sum() > 6
    first = array.reads[1] + 1
    batch = array.min_refs_batch(1, ALL, inputs, col_en, first)
    ones = array.popcounts(1, ALL, inputs, col_en, first)
    assert len({batch[:, r].tobytes() for r in range(12)}) > 6  # not a constant

    array = chip()
    for i, bl in enumerate(inputs):
        assert np.array_equal(array.min_refs(1, bl, col_en), batch[i])
        for row in np.random.default_rng(i).permutation(12):
            array.begin_read([1], row)
            assert array.min_ref(1, row, bl, col_en) == batch[i, row]
            assert array.compare(1, row, bl, col_en, batch[i, row])
            assert not array.compare(1, row, bl, col_en, batch[i, row] - 1)
            assert array.source_lines(1, row, bl, col_en).sum() == ones[i, row]

    array = chip()
    parts = [array.min_refs_batch(1, slice(3, 7), inputs[i : i + 4], col_en, first[3:7] + i) for i in (4, 0)]
    assert np.array_equal(parts[0], batch[4:8, 3:7])
    assert np.array_equal(parts[1], batch[0:4, 3:7])


def test_source_lines_and_the_neuron_see_the_same_bits():
    """dV of a read is the weighted sum of the very bits on sl."""
    inputs, col_en = vectors(20)
    params = dataclasses.replace(NOISY, neuron=NeuronParams.ideal())
    array = chip(params)
    for bl in inputs:
        for row in range(12):
            array.begin_read(0, row)
            ones = int(array.source_lines(0, row, bl, col_en).sum())
            assert array.min_ref(0, row, bl, col_en) == np.ceil((int(col_en.sum()) - 2 * ones) / 2)
            volts = array.analog(0, row, bl, col_en, 3)
            assert volts["dV_V"] == pytest.approx((2 * ones - col_en.sum()) / 2 * array.lsb_V(0), abs=1e-12)
            assert volts["ref_V"] == pytest.approx(3 * array.lsb_V(0))
            assert np.array_equal(np.isnan(volts["V_SL_V"]), ~col_en)


def test_noise_is_that_of_the_contract():
    """Read number n of tile t: a vector over all rows, of which row r takes element r."""
    params = dataclasses.replace(NOISY, bridge=BridgeParams.ideal())
    array = chip(params, seed=6)
    inputs, col_en = vectors(1)
    neuron = array.neuron(1)
    array.reads[1, 4] = 16
    array.begin_read([1], 4)
    z = draw(6, Purpose.COMPARATOR_NOISE, 1, 17).standard_normal(12)[4]
    x = array.counts(1, slice(4, 5), inputs, col_en)[0]
    expected = np.ceil(-(x + neuron.offset + neuron.noise * z) / neuron.ref_gain)
    assert array.min_ref(1, 4, inputs[0], col_en) == expected


def test_rows_at_different_read_numbers():
    inputs, col_en = vectors(4)
    array = chip()
    array.reads[0] = np.random.default_rng(3).integers(0, 4, 12)
    first = array.reads[0] + 1
    batch = array.min_refs_batch(0, ALL, inputs, col_en, first, stride=2)
    for i, bl in enumerate(inputs):
        assert np.array_equal(array.min_refs(0, bl, col_en, reads=first + 2 * i), batch[i])
    ahead = array.min_refs_ahead(0, inputs[0], col_en, 5)
    assert ahead.shape == (12, 5)
    for k in range(5):
        assert np.array_equal(ahead[:, k], array.min_refs(0, inputs[0], col_en, reads=first + k))


def test_begin_read_forms():
    array = chip(MacroParams.ideal())
    array.begin_read(1, 3)
    array.begin_read([0, 1], 3)
    array.begin_read(np.array([True, False]), 3)
    assert array.reads[:, 3].tolist() == [2, 2]
    assert array.reads.sum() == 4


def test_ideal_chip_is_the_xnor_popcount():
    array = chip(MacroParams.ideal())
    bits = chip(MacroParams.ideal()).planes(0)[0]
    assert np.array_equal(array.planes(0)[1], ~bits)
    assert not array.live_rows(0).any()
    inputs, col_en = vectors(10)
    agree = (inputs[:, None, :] == bits) & col_en
    assert np.array_equal(array.popcounts(0, ALL, inputs, col_en, array.reads[0]), agree.sum(2))
    cmp = array.decide(0, ALL, inputs, col_en, np.full(12, 2), array.reads[0])
    assert np.array_equal(cmp, 2 * agree.sum(2) - col_en.sum() + 4 >= 0)


def test_planes_follow_the_devices_and_pulses_invalidate_one_row():
    array = chip(MacroParams.ideal())
    inputs, col_en = vectors(1)
    columns = np.zeros(45, bool)
    columns[7] = True
    before = [array.planes(t)[0] for t in (0, 1)]
    refs = array.min_refs(0, inputs[0], col_en)
    bit = bool(before[0][5, 7])
    for side, op in (
        (ProgSide.P, ProgOp.RESET if bit else ProgOp.SET),
        (ProgSide.N, ProgOp.SET if bit else ProgOp.RESET),
    ):
        array.pulse(0, 5, columns, op, side, 85, 120, 1e-6)
    after = [array.planes(t)[0] for t in (0, 1)]
    assert np.argwhere(before[0] != after[0]).tolist() == [[5, 7]]
    assert np.array_equal(before[1], after[1])
    assert array.verify(0, 5, columns, ProgSide.P, VerifyRef.HRS_MIN if bit else VerifyRef.LRS_MAX)[7]
    moved = np.flatnonzero(array.min_refs(0, inputs[0], col_en) != refs)
    assert moved.tolist() == ([5] if col_en[7] else [])


def test_row_refreshed_alone_equals_all_rows():
    inputs, col_en = vectors(1)
    one, all_rows = chip(), chip()
    all_rows.planes(0)
    for array in (one, all_rows):
        array.begin_read(0, 4)
    assert np.array_equal(
        one.source_lines(0, 4, inputs[0], col_en), all_rows.source_lines(0, 4, inputs[0], col_en)
    )


def test_live_rows_of_the_columns_in_use():
    bridge = dataclasses.replace(NOISY.bridge, r_supply_ohm=0.0, r_ground_ohm=0.0, r_feed_ohm=0.0)
    array = chip(dataclasses.replace(NOISY, bridge=bridge))
    for row in range(12):
        assert not array.live_rows(0, np.zeros(45, bool))[row]
    single = [array.live_rows(0, np.arange(45) == c) for c in range(45)]
    assert np.array_equal(np.any(single, axis=0), array.live_rows(0))
    assert 0 < np.sum(single) < 12 * 45
    mask = np.zeros((12, 45), bool)
    mask[3] = [one[3] for one in single]
    assert np.flatnonzero(array.live_rows(0, mask)).tolist() == [3]
    assert not array.live_rows(0, np.array(single).T == 0).any()


def test_live_cells_read_one_with_their_probability():
    array = chip()
    col_en = np.ones(45, bool)
    inputs = np.ones((4000, 45), bool)
    found = array.decisions(0, np.array([2]))
    reads = np.zeros(45)
    for bl in inputs:
        array.begin_read(0, 2)
        reads += array.source_lines(0, 2, bl, col_en)
    sigma = np.sqrt(found.p1[0] * (1 - found.p1[0]) / 4000)
    assert (np.abs(reads / 4000 - found.p1[0]) <= 5 * sigma + 1e-9).all()


def test_enabled_columns_load_the_rails_and_rows_that_care_are_live():
    """Without a mask, live rows are all rows whose bits could depend on it; with one, planes are exact."""
    array = chip(dataclasses.replace(NOISY, bridge=dataclasses.replace(NOISY.bridge, read_noise=0.0)))
    everything, rng, moved = array.planes(0), np.random.default_rng(5), 0
    sure = ~array.live_rows(0)
    for share in (0.02, 0.1, 0.5):
        col_en = rng.random(45) < share
        some = array.planes(0, col_en)
        differs = [(a != b)[:, col_en].any(axis=1) for a, b in zip(everything, some, strict=True)]
        moved += int(np.sum(differs))
        assert not (np.any(differs, axis=0) & sure).any()
        found = array.decisions(0, np.arange(12), col_en)
        assert np.array_equal(found.s1, some[0])
        masks = np.broadcast_to(col_en, (12, 45))
        assert np.array_equal(array.live_rows(0, masks), array.live_rows(0, col_en))
        assert np.array_equal(array.live_rows(0, col_en), (found.live & col_en).any(axis=1))
    assert moved > 0


def test_many_masks_forget_nothing():
    """More sets of enabled columns than are kept: the bits stay those of a fresh chip."""
    inputs, _ = vectors(1)
    rng, array = np.random.default_rng(6), chip()
    masks = [rng.integers(0, 2, 45).astype(bool) for _ in range(20)]
    for col_en in [*masks, *masks[::-1]]:
        assert np.array_equal(array.min_refs(0, inputs[0], col_en), chip().min_refs(0, inputs[0], col_en))


def test_thresholds_of_the_buffers_belong_to_columns():
    params = dataclasses.replace(MacroParams.ideal(), bridge=BridgeParams(buffer_sigma_V=1.0))
    array = chip(params)
    decisions = array.decisions(0, np.arange(12))
    voltages = source_line(array.devices.resistance_ohm[0], np.arange(12), params.bridge)
    threshold = 0.9 + 1.0 * draw(1, Purpose.BUFFER_THRESHOLD, 0).standard_normal(45)
    assert np.array_equal(decisions.s1, voltages.v1_V >= threshold)
    assert not np.array_equal(decisions.s1, ~decisions.s0)  # columns stuck at a level


def test_resolve_cyc():
    array = chip(
        dataclasses.replace(
            MacroParams.ideal(), neuron=dataclasses.replace(NeuronParams.ideal(), regeneration_tau_s=1e-8)
        )
    )
    inputs, _ = vectors(1)
    col_en = np.ones(45, bool)
    need = array.min_ref(0, 0, inputs[0], col_en)
    near, far = (array.resolve_cyc(0, 0, inputs[0], col_en, need + d, 20e-9) for d in (0, 20))
    assert near > far >= 0
    even = col_en & (np.arange(45) > 0)
    tie = array.min_ref(0, 0, inputs[0], even)
    assert array.resolve_cyc(0, 0, inputs[0], even, tie, 20e-9) == 1 << 20
    assert chip(MacroParams.ideal()).resolve_cyc(0, 0, inputs[0], col_en, need, 20e-9) == 0


def test_snapshot_restores_everything(tmp_path):
    inputs, col_en = vectors(3)
    array, columns = chip(), np.ones(45, bool)
    array.pulse(0, 0, columns, ProgOp.RESET, ProgSide.P, 125, 120, 1e-6)
    array.begin_read([0], 0)
    array.snapshot(tmp_path / "a.npz")
    digest = array.state_hash()
    expected = array.min_refs(0, inputs[0], col_en)
    array.pulse(0, 0, columns, ProgOp.SET, ProgSide.P, 85, 110, 1e-6)
    array.begin_read([0], 1)
    assert array.state_hash() != digest
    for again in (array, Array(GEOMETRY, NOISY, 1)):
        again.restore(tmp_path / "a.npz")
        assert again.state_hash() == digest
        assert np.array_equal(again.min_refs(0, inputs[0], col_en), expected)
        again.snapshot(tmp_path / "b.npz")
    for other, what in (
        (Array(GEOMETRY, NOISY, 2), "its chip is 1, this chip's 2"),
        (Array(GEOMETRY, MacroParams.ideal(), 1), "its params is"),
        (Array(dataclasses.replace(GEOMETRY, bias=4), NOISY, 1), "its geometry is"),
    ):
        with pytest.raises(ValueError, match=what):
            other.restore(tmp_path / "a.npz")


def test_states_are_the_same_when_every_part_is():
    one, other = (Array(GEOMETRY, NOISY, 1) for _ in range(2))
    assert one.same_state(other)
    parts = {name: getattr(other.devices, name) for name in other.devices.snapshot()} | {"reads": other.reads}
    assert len(parts) == 8
    for name, part in parts.items():
        kept = part.flat[-1]
        part.flat[-1] = not kept if part.dtype == bool else kept + 1
        assert not one.same_state(other), name
        assert one.devices.differences(other.devices) == [name] * (name != "reads")
        assert one.state_hash() != other.state_hash()
        part.flat[-1] = kept
        assert one.same_state(other)


def test_same_pulses_same_state():
    def programmed(order):
        array = Array(GEOMETRY, MacroParams.real(), 4)
        for row in order:
            for side in ProgSide:
                array.pulse(1, row, np.ones(45, bool), ProgOp.FORM, side, 85, 150, 1e-6)
        return array.state_hash()

    assert programmed([0, 1, 2]) == programmed([2, 0, 1])
    assert programmed([0, 1, 2]) != programmed([0, 1])


@pytest.mark.parametrize("broken", ["order", "offset", "element"])
def test_a_broken_draw_is_noticed(broken, monkeypatch):
    """Batch and single rows differ if noise depends on the order of calls or on the wrong key."""
    import bridgebnn.model.macro.comparator as module

    inputs, col_en = vectors(6)
    expected = chip().min_refs_batch(0, ALL, inputs, col_en, np.ones(12, int))
    rng, real = np.random.default_rng(0), module.many_normal

    def many_normal(chip, purpose, tile, numbers, size):
        if broken == "order":
            return rng.standard_normal((len(numbers), size))
        if broken == "offset":
            return real(chip, purpose, tile, [number + 1 for number in numbers], size=size)
        return real(chip, purpose, tile, numbers, size=size)[:, ::-1]

    monkeypatch.setattr(module, "many_normal", many_normal)
    array = chip()
    rows = [array.min_refs(0, bl, col_en, reads=np.full(12, i + 1)) for i, bl in enumerate(inputs)]
    assert not np.array_equal(rows, expected)
