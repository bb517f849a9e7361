"""select_transistor: the I-V law, and that the bridge solution satisfies it."""

import numpy as np
import pytest

from bridgebnn.model.macro.select_transistor import (
    SelectTransistorParams,
    _source_voltage,
    bridge_operating_point,
    drain_current,
    source_line_voltage,
)

PARAMS = SelectTransistorParams()


def random_bridges(seed, count=2000):
    rng = np.random.default_rng(seed)
    r_p, r_n = np.exp(rng.uniform(np.log(1e3), np.log(3e6), (2, count)))
    v_read, v_wl = rng.uniform(0.1, 2.5, count), rng.uniform(2.0, 5.0, count)
    forward = rng.integers(0, 2, count).astype(bool)
    return r_p, r_n, np.where(forward, v_read, 0.0), np.where(forward, 0.0, v_read), v_wl


def test_current_is_antisymmetric_and_rises_with_gate_and_drain():
    v = np.linspace(0.0, 2.5, 26)
    v_g, v_d, v_s = np.meshgrid(np.linspace(0.0, 5.0, 26), v, v, indexing="ij")
    i = drain_current(v_g, v_d, v_s, PARAMS)
    assert np.array_equal(i, -drain_current(v_g, v_s, v_d, PARAMS))
    assert np.all(np.isfinite(i))
    above = v_d > v_s
    assert np.all(np.diff(i, axis=0)[above[1:]] >= 0)
    peak = np.maximum.accumulate(np.where(above, i, 0.0), axis=1)
    assert np.all(i[above] >= 0.98 * peak[above])  # velocity saturation without a saturation voltage


def test_square_law_far_from_threshold():
    """Without secondary effects, saturated: i = n beta / 2 (V_P - v_s)^2."""
    p = SelectTransistorParams(theta_perV=0.0, lambda_perV=0.0, dibl=0.0, gamma_sqrtV=1e-6)
    assert drain_current(2.8338, 3.0, 0.0, p) == pytest.approx(0.5 * p.beta_A_V2 * 2.0**2, rel=1e-4)


def test_only_one_current_solves_a_bridge():
    rng = np.random.default_rng(11)
    r_h, r_l = np.exp(rng.uniform(np.log(100.0), np.log(1e7), (2, 500)))
    v, v_wl = rng.uniform(0.05, 4.0, 500), rng.uniform(0.5, 6.0, 500)
    i = np.linspace(0.0, 1.0, 200)[:, None] * v / (r_h + r_l)
    v_sl = _source_voltage(np.broadcast_to(v_wl, i.shape), v - i * r_h, i, PARAMS)
    excess = drain_current(v_wl, v_sl, i * r_l, PARAMS) - i
    assert np.all(np.sum(np.diff(np.sign(excess), axis=0) != 0, axis=0) == 1)


@pytest.mark.parametrize("seed", range(3))
def test_bridge_carries_one_current(seed):
    r_p, r_n, v_bl, v_blb, v_wl = random_bridges(seed)
    v_sl, i = bridge_operating_point(
        r_p, r_n, v_bl, v_blb, v_wl, PARAMS, r_wire_bl_ohm=50.0, r_wire_blb_ohm=70.0
    )
    i_p = drain_current(v_wl, v_bl - i * (r_p + 50.0), v_sl, PARAMS)
    i_n = drain_current(v_wl, v_sl, v_blb + i * (r_n + 70.0), PARAMS)
    scale = 2e-5 * np.abs(v_bl - v_blb) / np.minimum(r_p, r_n) + 1e-12
    assert np.all(np.abs(i_p - i) < scale + 1e-3 * np.abs(i))
    assert np.all(np.abs(i_n - i) < scale + 1e-3 * np.abs(i))
    assert np.all((v_sl >= 0) & (v_sl <= np.maximum(v_bl, v_blb)))
    assert np.all(np.sign(i) == np.sign(v_bl - v_blb))


def test_exchanging_lines_and_devices_changes_nothing():
    r_p, r_n, v_bl, v_blb, v_wl = random_bridges(7)
    v_sl, i = bridge_operating_point(r_p, r_n, v_bl, v_blb, v_wl, PARAMS, vt_shift_p_V=0.02)
    mirrored, i_mirrored = bridge_operating_point(r_n, r_p, v_blb, v_bl, v_wl, PARAMS, vt_shift_n_V=0.02)
    assert np.array_equal(v_sl, mirrored)
    assert np.array_equal(i, -i_mirrored)


def test_elements_do_not_depend_on_their_batch():
    r_p, r_n, v_bl, v_blb, v_wl = random_bridges(8, 50)
    whole = source_line_voltage(r_p, r_n, v_bl, v_blb, v_wl, PARAMS)
    alone = [
        float(source_line_voltage(*(x[k] for x in (r_p, r_n, v_bl, v_blb, v_wl)), PARAMS)) for k in range(50)
    ]
    assert np.allclose(whole, alone, rtol=0, atol=1e-12)
    assert source_line_voltage(r_p[:, None], r_n, 1.8, 0.0, 3.3, PARAMS).shape == (50, 50)


def test_high_word_line_gives_the_plain_divider_and_low_one_a_follower():
    divider = 1.8 * 1e6 / (1e6 + 1e5)
    assert source_line_voltage(1e5, 1e6, 1.8, 0.0, 5.0, PARAMS) == pytest.approx(divider, abs=0.01)
    follower = float(source_line_voltage(7e3, 3e6, 1.8, 0.0, 1.8, PARAMS))
    assert 0.6 < follower < 1.0  # v_wl - V_T with body effect, not the divider's 1.796


def test_equal_lines_carry_nothing():
    v_sl, i = bridge_operating_point(7e3, 1e5, 0.9, 0.9, 3.3, PARAMS)
    assert i == 0.0
    assert v_sl == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r_p_ohm": 0.0}, "r_p_ohm"),
        ({"r_n_ohm": -1.0}, "r_n_ohm"),
        ({"v_bl": -0.1}, "v_bl"),
        ({"v_wl": np.nan}, "v_wl"),
        ({"r_wire_bl_ohm": -1.0}, "r_wire_bl_ohm"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"r_p_ohm": 7e3, "r_n_ohm": 1e5, "v_bl": 1.8, "v_blb": 0.0, "v_wl": 3.3} | change
    with pytest.raises(ValueError, match=message):
        source_line_voltage(params=PARAMS, **arguments)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="dibl"):
        SelectTransistorParams(dibl=0.9)
