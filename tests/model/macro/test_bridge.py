"""bridge: against a nodal solution of the same circuit, and the decisions' probabilities."""

import dataclasses
import math

import numpy as np
import pytest

from bridgebnn.model.macro.bridge import decide, source_line
from bridgebnn.model.parameters.params import BridgeParams

ALONE = {"r_supply_ohm": 0.0, "r_ground_ohm": 0.0, "r_feed_ohm": 0.0, "leak_S": 0.0, "c_sl_F": 0.0}
ALONE |= {"select": "resistor"}
"""Nothing but the series path of a column, at once, of resistors."""

PARAMS = BridgeParams(r_bl_ohm=3.0, r_blb_ohm=7.0, **ALONE)


def nodal(bl_V, blb_V, above, below):
    """SL voltage by Kirchhoff's current law at SL."""
    conductance = np.array([[1 / above + 1 / below]])
    return np.linalg.solve(conductance, np.array([bl_V / above + blb_V / below])).item()


def test_source_line_against_nodal_analysis():
    rng = np.random.default_rng(0)
    ohm = np.exp(rng.uniform(np.log(1e3), np.log(1e8), (5, 7, 2)))
    rows = np.array([0, 1, 10, 100, 511])
    found = source_line(ohm, rows, PARAMS)
    for i, row in enumerate(rows):
        for c in range(7):
            above = PARAMS.r_driver_ohm + (row + 1) * PARAMS.r_bl_ohm + PARAMS.r_on_ohm + ohm[i, c, 0]
            below = PARAMS.r_driver_ohm + (row + 1) * PARAMS.r_blb_ohm + PARAMS.r_on_ohm + ohm[i, c, 1]
            assert found.v1_V[i, c] == pytest.approx(nodal(PARAMS.v_read_V, 0, above, below), rel=1e-12)
            assert found.v0_V[i, c] == pytest.approx(nodal(0, PARAMS.v_read_V, above, below), rel=1e-12)


@pytest.mark.parametrize("leak_S", [0.0, 1e-6])
def test_noise_is_the_derivative_of_the_voltage(leak_S):
    rng = np.random.default_rng(1)
    ohm = np.exp(rng.uniform(np.log(1e3), np.log(1e7), (1, 20, 2)))
    params = BridgeParams(buffer_noise_V=0.0, read_noise=0.01, **ALONE | {"leak_S": leak_S})
    found = source_line(ohm, np.array([3]), params)
    slopes = []
    for side in (0, 1):
        step = np.ones(2)
        step[side] = math.exp(1e-6)
        slopes.append((source_line(ohm * step, np.array([3]), params).v1_V - found.v1_V) / 1e-6)
    assert found.sigma1_V == pytest.approx(0.01 * np.hypot(*slopes), rel=1e-4)


def test_probability_follows_noise_around_the_threshold():
    params = dataclasses.replace(BridgeParams.ideal(), buffer_noise_V=0.01)
    z = np.array([-9.0, -5.6, -3.0, -1.0, 0.0, 1.0, 3.0, 5.6, 9.0])
    v = 0.9 + 0.01 * z
    ohm = np.stack([1.8 - v, v], axis=-1)[None] * 1e4
    found = decide(source_line(ohm, np.array([0]), params), np.full(9, 0.9))
    exact = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z])
    assert found.p1[0] == pytest.approx(exact, abs=2e-7)
    assert found.p1[0, [0, 1, 7, 8]].tolist() == [0, 0, 1, 1]
    assert found.live[0].tolist() == [False, False, True, True, True, True, True, False, False]
    assert found.margin_V[0] == pytest.approx(np.abs(0.01 * z), abs=1e-12)
    assert found.s1[0].tolist() == [False] * 4 + [bool(found.s1[0, 4])] + [True] * 4


def test_bridge_is_the_xnor():
    ohm = np.array([[[1e4, 1e6], [1e6, 1e4]]])
    found = decide(source_line(ohm, np.array([0]), BridgeParams()), np.full(2, 0.9))
    assert found.s1[0].tolist() == [True, False]
    assert found.s0[0].tolist() == [False, True]
    assert not found.live.any()
    swapped = decide(source_line(ohm[..., ::-1], np.array([0]), BridgeParams()), np.full(2, 0.9))
    assert swapped.s1[0].tolist() == [False, True]


def test_without_noise_nothing_is_live():
    rng = np.random.default_rng(2)
    ohm = np.exp(rng.uniform(np.log(1e4), np.log(1.1e4), (50, 50, 2)))
    found = decide(source_line(ohm, np.arange(50), BridgeParams.ideal()), np.full(50, 0.9))
    assert not found.live.any()
    assert np.array_equal(found.p1, found.s1)
    assert np.array_equal(found.p0, found.s0)
