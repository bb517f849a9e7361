"""Each non-ideality of the macro has its effect, and its opposite or absence has none.

Those of the devices are in test_device.py, of wires in test_rails.py, of mismatch, noise, settling and
metastability of the neuron in test_neuron.py.
"""

import dataclasses
import math

import numpy as np
import pytest

from hdl.config import Geometry, ProgSide
from model.array import Array
from model.bridge import decide, source_line
from model.device_params import Stuck
from model.neuron import Neuron
from model.params import BridgeParams, MacroParams, NeuronParams
from model.select_transistor import SelectTransistorParams, source_line_voltage

PAIR = np.array([[[1e4, 1e6], [1e6, 1e4]]])
"""One row of two cells, weights +1 and -1."""


def read(ohm=PAIR, row=0, **changes):
    """Voltages of cells without other non-idealities than those named."""
    return source_line(
        np.asarray(ohm, float), np.array([row]), dataclasses.replace(BridgeParams.ideal(), **changes)
    )


def test_droop_of_the_read_supply_lowers_the_high_level():
    whole, less = read(), read(droop_V=0.4)
    assert less.v1_V == pytest.approx(whole.v1_V * 1.4 / 1.8)
    found = decide(read(droop_V=1.0), np.full(2, 0.9))
    assert not found.s1.any()  # 0.8 V of supply never reach the threshold


def test_source_resistance_is_shared_by_the_columns():
    ohm = np.repeat(PAIR, 50, axis=1)
    one = read(r_feed_ohm=1e4).v1_V[0, 0]
    many = read(ohm, r_feed_ohm=1e4).v1_V[0, 0]
    share = 1.01e6 / 100  # hundred bridges in parallel
    assert many == pytest.approx(read().v1_V[0, 0] * share / (share + 1e4))
    assert many < one


def test_wires_along_the_column_grow_with_the_row():
    levels = [read(row=row, r_bl_ohm=1e3).v1_V[0, 0] for row in (0, 10, 500)]
    assert levels[0] > levels[1] > levels[2]
    for row, level in zip((0, 10, 500), levels, strict=True):
        assert level == pytest.approx(1.8 * 1e6 / (1.01e6 + 1e3 * (row + 1)))


def test_leakage_of_unselected_cells_closes_the_window():
    clean, leaky = read(), read(leak_S=1e-5)
    assert (clean.v1_V[0, 0] - clean.v0_V[0, 0]) > (leaky.v1_V[0, 0] - leaky.v0_V[0, 0]) + 0.1
    above, below = 1 / (1e-4 + 1e-5), 1 / (1e-6 + 1e-5)
    assert leaky.v1_V[0, 0] == pytest.approx(1.8 * below / (above + below))


def test_too_short_a_read_leaves_the_other_level():
    tau_s = 30e-15 / (1 / 1e4 + 1 / 1e6)
    full = read()
    for times in (0.01, 0.5, 1.0, 3.0):
        short = read(c_sl_F=30e-15, read_s=times * tau_s)
        expected = full.v1_V + (full.v0_V - full.v1_V) * math.exp(-times)
        assert short.v1_V == pytest.approx(expected)
    assert read(c_sl_F=30e-15, read_s=40e-9).v1_V == pytest.approx(full.v1_V)
    wrong = decide(read(c_sl_F=30e-15, read_s=0.1 * tau_s), np.full(2, 0.9))
    assert wrong.s1.tolist() == [[False, True]]


def test_timing_registers_reach_the_buffers():
    """A clock far too fast turns bits of the array."""
    from hdl.config import Timing

    def bits(params):
        array = Array(Geometry(rows=4, inputs=30, bias=0), params, 0)
        for row in range(4):
            array.preload(0, row, np.arange(30) % 2, np.ones(30, bool))
        return array.planes(0)[0]

    real = MacroParams.real()
    assert np.array_equal(bits(real), bits(real.at_timing(Timing(clock_s=10e-9))))
    assert not np.array_equal(bits(real), bits(real.at_timing(Timing(clock_s=20e-12))))


def test_heat_lowers_the_hrs_and_leaves_the_lrs():
    hot = read(PAIR, temperature_K=400.0, hrs_activation_eV=0.2)
    factor = math.exp(0.2 / 8.617333262e-5 * (1 / 400 - 1 / 300))
    assert factor < 0.2
    assert hot.v1_V[0, 0] == pytest.approx(1.8 * 1e6 * factor / (1e4 + 1e6 * factor))
    cold = read(PAIR, temperature_K=250.0, hrs_activation_eV=0.2)
    assert cold.v1_V[0, 0] > read().v1_V[0, 0] > hot.v1_V[0, 0]
    assert np.array_equal(read(PAIR, hrs_activation_eV=0.2).v1_V, read().v1_V)


def test_word_line_headroom_limits_the_source_line():
    levels = {v_wl: read(select="transistor", v_wl_V=v_wl).v1_V[0, 0] for v_wl in (1.5, 2.0, 2.5, 3.3, 5.0)}
    assert list(levels.values()) == sorted(levels.values())
    assert levels[1.5] < 0.9 < levels[3.3]
    assert levels[5.0] == pytest.approx(1.8 * 1e6 / 1.01e6, rel=0.01)


def test_transistors_are_those_of_select_transistor():
    ohm = np.exp(np.random.default_rng(0).uniform(np.log(5e3), np.log(5e6), (3, 20, 2)))
    rows = np.array([0, 7, 100])
    p = dataclasses.replace(
        BridgeParams.ideal(), select="transistor", v_wl_V=2.4, r_driver_ohm=200.0, r_bl_ohm=3.0, r_blb_ohm=5.0
    )
    found = source_line(ohm, rows, p)
    wires = {"r_wire_bl_ohm": 200 + 3 * (rows[:, None] + 1), "r_wire_blb_ohm": 200 + 5 * (rows[:, None] + 1)}
    transistor = SelectTransistorParams(temperature_K=300.0)
    for volts, (bl, blb) in ((found.v1_V, (1.8, 0.0)), (found.v0_V, (0.0, 1.8))):
        exact = source_line_voltage(ohm[..., 0], ohm[..., 1], bl, blb, 2.4, transistor, **wires)
        assert volts == pytest.approx(exact, abs=2e-5)


def test_array_with_transistors_keeps_its_bits_in_any_order():
    bridge = BridgeParams(select="transistor", v_wl_V=2.2, buffer_sigma_V=0.2, read_noise=0.1, r_feed_ohm=3e3)
    geometry = Geometry(rows=6, inputs=24, bias=1)
    rng = np.random.default_rng(1)
    inputs, col_en = rng.integers(0, 2, (5, 25)).astype(bool), rng.integers(0, 4, 25) > 0

    def chip():
        array = Array(geometry, dataclasses.replace(MacroParams.real(), bridge=bridge), 2)
        for row in range(6):
            array.preload(0, row, np.random.default_rng(row).integers(0, 2, 25), np.ones(25, bool))
        return array

    array = chip()
    batch = array.min_refs_batch(0, slice(0, 6), inputs, col_en, array.reads[0] + 1)
    single = chip()
    for i, bl in enumerate(inputs):
        for row in (3, 0, 5, 1, 4, 2):
            single.begin_read(0, row)
            assert single.min_ref(0, row, bl, col_en) == batch[i, row]


def test_a_stuck_device_turns_one_input_of_its_cell():
    array = Array(Geometry(rows=1, inputs=2, bias=0), MacroParams.ideal(), 0)
    array.preload(0, 0, np.array([1, 0]), np.ones(2, bool))
    right = array.planes(0)
    array.devices.stick(0, 0, [0], ProgSide.P, Stuck.UNFORMED)
    stuck = array.planes(0)
    assert [(a != b).tolist() for a, b in zip(right, stuck, strict=True)] == [[[True, False]]] * 2


def test_threshold_spread_and_noise_of_the_buffer():
    close = np.repeat([[[1e5, 1.2e5]]], 2000, axis=1)
    volts = read(close)
    z = np.random.default_rng(0).standard_normal(2000)
    wrong = [np.mean(~decide(volts, 0.9 + sigma * z).s1) for sigma in (0.0, 0.05, 0.5)]
    assert wrong[0] == 0
    assert wrong[0] < wrong[1] < wrong[2]
    assert not decide(volts, np.full(2000, 0.9)).live.any()
    assert decide(read(close, buffer_noise_V=0.1), np.full(2000, 0.9)).live.all()


def test_plate_droop_shrinks_the_signal_and_not_the_reference():
    full, less = (Neuron.of(NeuronParams(plate_droop=d), 25, 0, 0) for d in (0.0, 0.2))
    assert less.lsb_V / full.lsb_V == pytest.approx(0.8)
    assert less.ref_gain / full.ref_gain == pytest.approx(1.25)
    assert less.ref_gain * less.lsb_V == pytest.approx(full.ref_gain * full.lsb_V)
    assert less.offset / full.offset == pytest.approx(1.25)


def test_leakage_doubles_every_ten_kelvin():
    def kept(kelvin):
        params = NeuronParams(leak_tau_s=1e-6, evaluate_s=1e-7, settle_tau_s=0.0, temperature_K=kelvin)
        return math.log(Neuron.of(params, 25, 0, 0).lsb_V)

    none = math.log(Neuron.of(NeuronParams(leak_tau_s=1e9, settle_tau_s=0.0), 25, 0, 0).lsb_V)
    assert none - kept(300.0) == pytest.approx(0.1)
    assert none - kept(310.0) == pytest.approx(0.2)
    assert none - kept(340.0) == pytest.approx(1.6)


def test_parasitics_and_charge_injection():
    small, large = (Neuron.of(NeuronParams(cpar_F=c), 25, 0, 0) for c in (0.0, 125e-15))
    assert large.lsb_V / small.lsb_V == pytest.approx(0.5)
    quiet = NeuronParams(offset_sigma_V=0.0, injection_sigma_V=0.0)
    assert Neuron.of(quiet, 25, 3, 0).offset == 0
    injected = dataclasses.replace(quiet, injection_sigma_V=1e-2)
    volts = [Neuron.of(injected, 25, chip, 0) for chip in range(400)]
    assert np.std([n.offset * n.lsb_V for n in volts]) == pytest.approx(1e-2, rel=0.15)
