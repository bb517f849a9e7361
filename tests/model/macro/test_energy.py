"""energy: each part of a row read against the charge it stands for."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ProgOp, Timing, VerifyRef
from bridgebnn.model.macro.energy import VERIFY_V, EnergyParams, ReadPoint, price_program, row_read_energy
from bridgebnn.model.macro.program_events import ProgramCounts
from bridgebnn.model.parameters.params import MacroParams, NeuronParams

NEURON = dataclasses.replace(NeuronParams(), vdd_V=1.8, cu_F=5e-15, cpar_F=20e-15, cpar_column_F=0.0)
PARAMS = EnergyParams()
POINT = ReadPoint(v_read_V=1.8, v_wl_V=3.3, current_s=24e-9, rows=64)


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
        "point": POINT,
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
    assert energy.bridges_J == pytest.approx(1.8 * 24e-9 * 23e-5)


def test_changes_are_counted_by_direction():
    before = np.arange(23) >= 11
    energy = read(q_before=before, x_before=before, v_sl_before_V=np.where(before, 1.6, 0.1))
    assert energy.buffers_J == pytest.approx(1.8**2 * (11 * PARAMS.c_rise_F + 12 * PARAMS.c_fall_F))
    assert energy.bit_lines_J == pytest.approx(23 * 64 * PARAMS.c_bl_row_F * 1.8**2)
    assert energy.source_lines_J == pytest.approx(11 * 64 * PARAMS.c_sl_row_F * 1.8 * 1.5)


def test_disabled_columns_move_nothing_and_load_the_word_line():
    enabled = np.arange(23) < 20
    energy, less = read(), read(enabled=enabled, x_before=~enabled)
    assert less.bridges_J == pytest.approx(energy.bridges_J * 20 / 23)
    assert less.word_line_J == energy.word_line_J
    assert less.clocks_J < energy.clocks_J


def test_every_comparison_of_a_search_moves_plates_clocks_and_bridges():
    before = np.arange(23) >= 11
    one, five = (read(comparisons=k, q_before=before, x_before=before) for k in (1, 5))
    for part in ("bridges_J", "comparator_J", "clocks_J"):
        assert getattr(five, part) == pytest.approx(5 * getattr(one, part))
    change_J = 23 * PARAMS.c_change_F * 1.8**2  # the buffers decide once
    assert five.plates_J - change_J == pytest.approx(5 * (one.plates_J - change_J))
    for part in ("bit_lines_J", "source_lines_J", "word_line_J", "buffers_J"):
        assert getattr(five, part) == getattr(one, part)
    with pytest.raises(ValueError, match="comparisons=-1"):
        read(comparisons=-1)


def test_a_count_is_a_read_without_the_comparator():
    one, none = read(), read(comparisons=0)
    assert none.comparator_J == 0.0
    assert one.total_J - none.total_J == pytest.approx(one.comparator_J)


def test_lines_load_as_long_as_they_are():
    before = np.arange(23) >= 11
    changes = {"x_before": before, "v_sl_before_V": np.zeros(23)}
    short, long = (read(point=dataclasses.replace(POINT, rows=n), **changes) for n in (64, 512))
    assert long.bit_lines_J == pytest.approx(8 * short.bit_lines_J)
    assert long.source_lines_J == pytest.approx(8 * short.source_lines_J)


def test_batches_lead():
    rng = np.random.default_rng(0)
    q = rng.integers(0, 2, (4, 7, 23)).astype(bool)
    shape = {name: np.ones((4, 7, 23)) for name in ("current_A", "v_sl_V", "v_sl_before_V")}
    energy = read(q=q, q_before=~q, x=q, x_before=~q, **shape)
    assert energy.total_J.shape == (4, 7)
    parts = [getattr(energy, f.name) for f in dataclasses.fields(energy)]
    assert all(part.shape == (4, 7) for part in parts)
    assert np.allclose(np.sum(parts, axis=0), energy.total_J)


def test_programming_is_the_sum_of_its_pulses_verifies_and_read_backs():
    geometry, timing, macro = Geometry(tiles=1, rows=16, inputs=7, bias=1), Timing(), MacroParams.real()
    counts, more = ProgramCounts(), ProgramCounts()
    counts.pulse(ProgOp.SET, 3, 85, 120, pulses=2)  # three columns in two groups
    more.pulse(ProgOp.RESET, 1, 125, 135)
    more.verify(VerifyRef.LRS_MAX, 5)
    more.read_back(8)
    counts.add(more)
    events = counts.events()
    assert events.pulses == {"RESET": 1, "SET": 2}
    assert events.pulsed_columns == {"RESET": 1, "SET": 3}
    found = price_program(events, (1e-9, 2e-9, 3e-9), 10, macro, geometry, timing)
    line_F, word_F = 16 * PARAMS.c_bl_row_F, 8 * (2 * PARAMS.c_select_F + PARAMS.c_wl_column_F)
    row_J = word_F * 3.3**2
    bridge_ohm = macro.device.lrs_nominal_ohm + macro.device.hrs_nominal_ohm
    assert (found.form_J, found.set_J, found.reset_J) == (1e-9, 2e-9, 3e-9)
    assert found.lines_J == pytest.approx(line_F * (3 * 2.4**2 + 2.7**2))
    assert found.word_lines_J == pytest.approx(word_F * (2 * 1.7**2 + 2.5**2))
    verify_J = 5 * VERIFY_V**2 * (3 * 20e-9 / macro.device.lrs_max_ohm + line_F)
    assert found.verify_J == pytest.approx(verify_J + row_J)
    assert found.read_back_J == pytest.approx(8 * 1.8**2 * (3 * 20e-9 / bridge_ohm + line_F) + row_J)
    assert found.controller_J == pytest.approx(10 * (PARAMS.c_controller_F + 8 * 36e-15) * 1.8**2)
    assert found.total_J == pytest.approx(sum(found[name] for name in found))
