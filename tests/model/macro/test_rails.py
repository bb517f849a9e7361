"""rails: Kirchhoff's laws, bounds, and the same bits for one row and for many."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.model.macro.bridge import source_line, source_line_bounds
from bridgebnn.model.macro.rails import has_rails, rail_voltages
from bridgebnn.model.parameters.params import BridgeParams

WIRES = [(5.0, 2.0, 30.0), (5.0, 0.0, 0.0), (0.0, 3.0, 10.0), (0.0, 0.0, 200.0), (1e-6, 1e-6, 0.0)]


def params(supply, ground, feed, **more):
    return BridgeParams(r_supply_ohm=supply, r_ground_ohm=ground, r_feed_ohm=feed, **more)


@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("columns", [1, 2, 9])
def test_currents_and_voltages_obey_kirchhoff(wires, columns):
    supply, ground, feed = wires
    load = np.random.default_rng(columns).uniform(0, 1e-3, (4, columns))
    load[2] = 0
    high, low = rail_voltages(load, params(*wires, droop_V=0.3))
    current = load * (high - low)
    beyond = current[:, ::-1].cumsum(axis=1)[:, ::-1]
    assert high == pytest.approx(1.5 - feed * beyond[:, :1] - supply * beyond.cumsum(axis=1), abs=1e-12)
    assert low == pytest.approx(ground * beyond.cumsum(axis=1), abs=1e-12)


@pytest.mark.parametrize("wires", WIRES)
def test_a_row_alone_has_the_same_bits(wires):
    load = np.random.default_rng(1).uniform(0, 1e-4, (40, 61))
    together = rail_voltages(load, params(*wires))
    for row in (0, 17, 39):
        alone = rail_voltages(load[row : row + 1], params(*wires))
        assert all(np.array_equal(a[0], b[row]) for a, b in zip(alone, together, strict=True))


def test_without_resistance_nothing_drops():
    ideal = BridgeParams.ideal()
    assert not has_rails(ideal)
    high, low = rail_voltages(np.full((2, 3), 1.0), ideal)
    assert (high == 1.8).all()
    assert (low == 0).all()
    assert all(has_rails(params(*wires)) for wires in WIRES)


def test_more_columns_drop_more_and_the_bounds_hold():
    rng = np.random.default_rng(2)
    ohm = np.exp(rng.uniform(np.log(5e3), np.log(5e6), (6, 30, 2)))
    rows = np.arange(6)
    for wires in WIRES:
        p = params(*(50 * w for w in wires), c_sl_F=30e-15, read_s=5e-9)
        low, high = source_line_bounds(ohm, rows, p)
        for _ in range(20):
            enabled = rng.integers(0, 2, 30).astype(bool)
            found = source_line(ohm, rows, p, enabled)
            for name in ("v1_V", "v0_V"):
                assert (getattr(low, name) <= getattr(found, name) + 1e-12).all()
                assert (getattr(found, name) <= getattr(high, name) + 1e-12).all()
            assert (found.sigma1_V <= low.sigma1_V + 1e-15).all()
            load = rng.uniform(0, 1e-5, (1, 30))
            more = load + np.where(enabled, 1e-5, 0)
            assert (rail_voltages(more, p)[0] <= rail_voltages(load, p)[0]).all()
            assert (rail_voltages(more, p)[1] >= rail_voltages(load, p)[1]).all()


def test_the_drop_does_not_depend_on_the_input():
    """A + B is in series for either input: what a row takes from the rails is fixed by its cells."""
    ohm = np.exp(np.random.default_rng(3).uniform(np.log(5e3), np.log(5e6), (1, 8, 2)))
    p = dataclasses.replace(params(0.0, 0.0, 5e4), leak_S=0.0, c_sl_F=0.0, select="resistor")
    found = source_line(ohm, np.array([0]), p)
    assert found.v1_V + found.v0_V == pytest.approx(np.full((1, 8), (found.v1_V + found.v0_V)[0, 0]))
