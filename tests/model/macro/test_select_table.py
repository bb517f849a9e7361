"""select_table: the accuracy that it states, elementwise results, and the cost that made it."""

import numpy as np
import pytest

from bridgebnn.model.macro.select_table import select_table
from bridgebnn.model.macro.select_transistor import SelectTransistorParams, bridge_operating_point

PARAMS = SelectTransistorParams(temperature_K=300.0)


def pairs(count, seed=0):
    return np.exp(np.random.default_rng(seed).uniform(np.log(300), np.log(2e8), (2, count)))


@pytest.mark.parametrize(
    ("line_V", "wl_V", "bound"), [(1.8, 3.3, 1e-5), (0.9, 3.6, 1e-5), (1.8, 2.4, 2e-4), (1.8, 1.8, 1e-3)]
)
def test_accuracy_is_as_stated(line_V, wl_V, bound):
    high, low = pairs(20_000)
    exact_V, exact_A = bridge_operating_point(high, low, line_V, 0.0, wl_V, PARAMS)
    above, below = select_table(line_V, wl_V, PARAMS).resistances(high, low)
    a, b = high + above, low + below
    assert np.abs(line_V * b / (a + b) - exact_V).max() < bound * line_V
    assert np.abs(line_V / (a + b) / exact_A - 1).max() < 4 * bound


def test_elements_do_not_depend_on_their_batch():
    high, low = pairs(1000, 1)
    table = select_table(1.8, 3.3, PARAMS)
    whole = table.resistances(high, low)
    for k in (0, 1, 17, 998, 999):
        alone = table.resistances(high[k : k + 1], low[k : k + 1])
        assert [part[0] for part in alone] == [part[k] for part in whole]
    square = table.resistances(high.reshape(40, 25)[::3, ::2], low.reshape(40, 25)[::3, ::2])
    assert np.array_equal(square[0], whole[0].reshape(40, 25)[::3, ::2])


def test_a_table_made_again_is_the_same():
    first = select_table(1.7, 3.1, PARAMS)
    assert select_table(1.7, 3.1, PARAMS) is first
    select_table.cache_clear()
    again = select_table(1.7, 3.1, PARAMS)
    assert again is not first
    assert np.array_equal(again.log_high, first.log_high)
    assert np.array_equal(again.log_low, first.log_low)


@pytest.mark.parametrize(("line_V", "wl_V"), [(0.0, 3.3), (1.8, 0.0), (5.0, 6.0)])
def test_edges_are_finite_and_positive(line_V, wl_V):
    ohm = np.array([1e-3, 1.0, 30.0, 3e10, 1e13])
    for high in ohm:
        for part in select_table(line_V, wl_V, PARAMS).resistances(np.full(5, high), ohm):
            assert np.isfinite(part).all()
            assert (part > 0).all()
