"""energy: each part of a row read against the charge it stands for."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.model.macro.energy import EnergyParams, row_read_energy
from bridgebnn.model.parameters.params import NeuronParams

NEURON = dataclasses.replace(NeuronParams(), vdd_V=1.8, cu_F=5e-15, cpar_F=20e-15, cpar_column_F=0.0)
PARAMS = EnergyParams()


def read(columns=23, pop=11, **changes):
    q = np.arange(columns) < pop
    arguments = {
        "current_A": np.full(columns, 1e-5),
        "v_sl_V": np.where(q, 1.6, 0.1),
        "v_sl_before_V": np.where(q, 1.6, 0.1),
        "x": q,
        "x_before": q,
        "q": q,
        "q_before": q,
        "params": PARAMS,
        "neuron": NEURON,
    }
    return row_read_energy(**(arguments | changes))


@pytest.mark.parametrize("pop", [0, 5, 23])
def test_plates_deliver_the_charge_of_every_rising_plate(pop):
    columns, none = 23, dataclasses.replace(PARAMS, c_plate_F=0.0, c_change_F=0.0)
    total_F = columns * NEURON.cu_F + NEURON.cpar_F
    charge = 0.0
    for plates in (pop, columns - pop):
        line_V = NEURON.vdd_V * plates * NEURON.cu_F / total_F
        charge += plates * NEURON.cu_F * (NEURON.vdd_V - line_V)
    assert read(pop=pop, params=none).plates_J == pytest.approx(charge * NEURON.vdd_V)


def test_nothing_changed_moves_no_bit_line_source_line_or_buffer():
    energy = read()
    assert energy.bit_lines_J == energy.source_lines_J == energy.buffers_J == 0.0
    assert energy.bridges_J == pytest.approx(1.8 * PARAMS.read_s * 23e-5)


def test_changes_are_counted_by_direction():
    before = np.arange(23) >= 11
    energy = read(q_before=before, x_before=before, v_sl_before_V=np.where(before, 1.6, 0.1))
    assert energy.buffers_J == pytest.approx(1.8**2 * (11 * PARAMS.c_rise_F + 12 * PARAMS.c_fall_F))
    assert energy.bit_lines_J == pytest.approx(23 * PARAMS.c_bl_F * 1.8**2)
    assert energy.source_lines_J == pytest.approx(11 * PARAMS.c_sl_F * 1.8 * 1.5)


def test_disabled_columns_move_nothing_and_load_the_word_line():
    enabled = np.arange(23) < 20
    energy, less = read(), read(enabled=enabled, x_before=~enabled)
    assert less.bridges_J == pytest.approx(energy.bridges_J * 20 / 23)
    assert less.word_line_J == energy.word_line_J
    assert less.clocks_J < energy.clocks_J


def test_comparisons_scale_the_comparator_alone():
    one, five = read(), read(comparisons=5)
    assert five.comparator_J == pytest.approx(5 * one.comparator_J)
    assert five.total_J - one.total_J == pytest.approx(4 * one.comparator_J)
    with pytest.raises(ValueError, match="comparisons=-1"):
        read(comparisons=-1)


def test_batches_lead():
    rng = np.random.default_rng(0)
    q = rng.integers(0, 2, (4, 7, 23)).astype(bool)
    shape = {name: np.ones((4, 7, 23)) for name in ("current_A", "v_sl_V", "v_sl_before_V")}
    energy = read(q=q, q_before=~q, x=q, x_before=~q, **shape)
    assert energy.total_J.shape == (4, 7)
    parts = [getattr(energy, f.name) for f in dataclasses.fields(energy)]
    assert all(part.shape == (4, 7) for part in parts)
    assert np.allclose(np.sum(parts, axis=0), energy.total_J)
