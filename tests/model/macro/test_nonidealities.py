"""Each non-ideality of bridges, wires and buffers has its effect, and its opposite or absence has none.

Those of the neuron are in test_nonidealities_neuron.py, of the devices in test_device.py. That no parameter is
without effect: test_parameters_count.py.
"""

import dataclasses
import math

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ProgSide, VerifyRef
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.bridge import decide, legs_of, source_line, voltages_of
from bridgebnn.model.macro.select_transistor import SelectTransistorParams, source_line_voltage
from bridgebnn.model.parameters.device_params import Stuck
from bridgebnn.model.parameters.params import BridgeParams, MacroParams

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
    from bridgebnn.hdl.spec import Timing

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
    tabulated, solved = source_line(ohm, rows, p), voltages_of(legs_of(ohm, rows, p, exact=True), p)
    wires = {"r_wire_bl_ohm": 200 + 3 * (rows[:, None] + 1), "r_wire_blb_ohm": 200 + 5 * (rows[:, None] + 1)}
    transistor = SelectTransistorParams(temperature_K=300.0)
    for name, (bl, blb) in (("v1_V", (1.8, 0.0)), ("v0_V", (0.0, 1.8))):
        exact = source_line_voltage(ohm[..., 0], ohm[..., 1], bl, blb, 2.4, transistor, **wires)
        assert getattr(solved, name) == pytest.approx(exact, abs=2e-5)
        assert getattr(tabulated, name) == pytest.approx(exact, abs=2e-4 * 1.8)


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


def test_resistance_of_select_transistors_and_drivers_closes_the_window():
    for changes in ({"r_on_ohm": 2e5}, {"r_driver_ohm": 2e5}):
        found = read(**changes)
        assert found.v1_V[0] == pytest.approx([1.8 * 1.2e6 / 1.41e6, 1.8 * 2.1e5 / 1.41e6])
        assert found.v0_V[0] == pytest.approx([1.8 * 2.1e5 / 1.41e6, 1.8 * 1.2e6 / 1.41e6])


def test_a_resistive_select_transistor_does_not_run_out_of_headroom():
    assert read(select="resistor", v_wl_V=1.5).v1_V == pytest.approx(read(select="resistor").v1_V, abs=0)
    assert read(select="transistor", v_wl_V=1.5).v1_V[0, 0] < 0.7


def test_wire_of_the_other_line_lifts_the_low_level():
    levels = [read(row=row, r_blb_ohm=1e3).v1_V[0, 1] for row in (0, 500)]
    assert levels == pytest.approx(
        [1.8 * (1e4 + 1e3) / (1.01e6 + 1e3), 1.8 * (1e4 + 501e3) / (1.01e6 + 501e3)]
    )


def test_wire_along_the_drivers_starves_the_far_columns():
    ohm = np.repeat(PAIR, 50, axis=1)
    supply, ground = read(ohm, r_supply_ohm=50.0), read(ohm, r_ground_ohm=50.0)
    clean = read(ohm)
    highs = supply.v1_V[0, ::2]  # columns of weight +1
    assert (np.diff(highs) < 0).all()
    assert highs[-1] < clean.v1_V[0, 0] - 0.1
    lows = ground.v0_V[0, ::2]
    assert (np.diff(lows) > 0).all()
    assert lows[-1] > clean.v0_V[0, 0] + 0.1


def test_threshold_spread_of_a_chip_turns_bits_of_weak_cells():
    """Along columns, the same for every row: it belongs to the buffer."""
    wrong = []
    for sigma in (0.0, 0.05, 0.5):
        bridge = dataclasses.replace(BridgeParams.ideal(), buffer_sigma_V=sigma)
        geometry = Geometry(rows=2, inputs=400, bias=0)
        array = Array(geometry, dataclasses.replace(MacroParams.ideal(), bridge=bridge), 0)
        for row in (0, 1):
            array.preload(0, row, np.ones(400, int), np.ones(400, bool))
        array.devices.resistance_ohm[0, ...] = (1e5, 1.2e5)
        array.devices.row_version[0] += 1
        s1, _ = array.planes(0)
        assert np.array_equal(s1[0], s1[1])
        wrong.append(int((~s1[0]).sum()))
    assert wrong[0] == 0
    assert wrong[0] < wrong[1] < wrong[2]


@pytest.mark.parametrize("changes", [{"read_noise": 0.2}, {"buffer_noise_V": 0.1}])
def test_read_to_read_spread_changes_a_weak_cell_between_reads(changes):
    def ones(**bridge):
        bridge = dataclasses.replace(BridgeParams.ideal(), **bridge)
        array = Array(
            Geometry(rows=1, inputs=2, bias=0), dataclasses.replace(MacroParams.ideal(), bridge=bridge)
        )
        array.preload(0, 0, np.ones(2, int), np.ones(2, bool))
        array.devices.resistance_ohm[0, 0] = [(1e5, 1.1e5), (1e4, 1e6)]
        array.devices.row_version[0] += 1
        seen = []
        for _ in range(500):
            array.begin_read([True], 0)
            seen.append(array.source_lines(0, 0, np.ones(2, bool), np.ones(2, bool)))
        return np.mean(seen, axis=0), array.decisions(0, np.array([0])).p1[0]

    seen, expected = ones(**changes)
    assert 0.5 < expected[0] < 0.95
    assert seen[0] == pytest.approx(expected[0], abs=4 * math.sqrt(0.25 / 500))
    assert seen[1] == 1.0  # the strong cell stays
    assert ones()[0].tolist() == [1.0, 1.0]


def test_heat_softens_the_word_line_headroom():
    """The thermal voltage of the select transistors: near their threshold the follower gives way earlier."""
    cold, hot = (
        read(select="transistor", v_wl_V=1.6, temperature_K=kelvin, hrs_activation_eV=0.0).v1_V[0, 0]
        for kelvin in (250.0, 400.0)
    )
    assert abs(hot - cold) > 0.01


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -7e3, 0.0])
@pytest.mark.parametrize("macro", ["ideal", "real"])
def test_a_resistance_that_is_none_is_refused(wrong, macro):
    """Wherever it would be read: source lines, decisions, batches, verify."""
    geometry = Geometry(tiles=2, rows=4, inputs=6, bias=2)
    array, every = Array(geometry, MacroParams.named(macro), 1), np.ones(8, bool)
    for row in range(4):
        array.preload(1, row, np.ones(8), every)
    array.devices.resistance_ohm[1, 2, 5, 1] = wrong
    array.devices.row_version[1, 2] += 1
    place = f"device N of row 2, column 5 has {wrong} ohm: must be positive and finite"
    array.begin_read([1], 2)
    for read in (
        lambda: array.source_lines(1, 2, every, every),
        lambda: array.min_ref(1, 2, every, every),
        lambda: array.counts(1, slice(0, 4), every[None], every),
        lambda: array.live_rows(1),
    ):
        with pytest.raises(ValueError, match=place):
            read()
    with pytest.raises(ValueError, match=f"device N of tile 1, row 2, column 5 has {wrong} ohm"):
        array.verify(1, 2, every, ProgSide.N, VerifyRef.LRS_MAX)
    assert array.source_lines(0, 2, every, every).shape == (8,)  # the other tile is read


def test_a_word_line_that_is_off_reads_nothing():
    for volt in (0.0, 0.2, 0.4):
        with pytest.raises(
            ValueError, match=rf"v_wl_V = {volt}: the select transistors stay off, so nothing"
        ):
            read(select="transistor", v_wl_V=volt)
    assert read(select="transistor", v_wl_V=1.0).v1_V.shape == (1, 2)
    assert read(select="resistor", v_wl_V=0.0).v1_V.shape == (1, 2)  # knows no word line
