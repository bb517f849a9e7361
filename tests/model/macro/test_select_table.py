"""select_table: the accuracy that it states, elementwise results, and the cost that made it."""

import numpy as np
import pytest

from bridgebnn.model.macro.select_table import select_table
from bridgebnn.model.macro.select_transistor import SelectTransistorParams, bridge_operating_point

PARAMS = SelectTransistorParams(temperature_K=300.0)
TABLE = select_table(1.8, 3.3, PARAMS)


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
    whole = TABLE.resistances(high, low)
    for k in (0, 1, 17, 998, 999):
        alone = TABLE.resistances(high[k : k + 1], low[k : k + 1])
        assert [part[0] for part in alone] == [part[k] for part in whole]
    square = TABLE.resistances(high.reshape(40, 25)[::3, ::2], low.reshape(40, 25)[::3, ::2])
    assert np.array_equal(square[0], whole[0].reshape(40, 25)[::3, ::2])


def test_both_ways_are_two_readings():
    ohm = np.array(pairs(1000, 2))
    for both, each in zip(TABLE.both_ways(ohm), TABLE.resistances(ohm, ohm[::-1]), strict=True):
        assert both.tobytes() == each.tobytes()


def test_a_table_is_kept_for_other_processes(tmp_path, monkeypatch):
    """Made, from the cache, with a spoilt cache and without one: the same."""
    places = [tmp_path / "cache", tmp_path / "cache", tmp_path / "cache", tmp_path / "file"]
    places[-1].write_text("no folder")
    assert select_table(1.8, 3.3, PARAMS) is select_table(1.8, 3.3, PARAMS)
    for number, place in enumerate(places):
        monkeypatch.setenv("BRIDGEBNN_BUILD", str(place))
        select_table.cache_clear()
        again = select_table(1.8, 3.3, PARAMS)
        assert again is not TABLE
        assert again.log_high.tobytes() == TABLE.log_high.tobytes()
        assert again.log_low.tobytes() == TABLE.log_low.tobytes()
        if place.is_dir():
            (kept,) = place.glob("tables/select-*/*")
            if number == 1:
                kept.write_bytes(kept.read_bytes()[:1000])


def test_only_the_last_tables_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path))
    monkeypatch.setattr("bridgebnn.model.macro.select_table._KEPT", 2)
    for wl_V in (3.0, 3.1, 3.2):
        select_table(1.7, wl_V, PARAMS)
    assert len(list(tmp_path.glob("tables/*"))) == 2


@pytest.mark.parametrize(("line_V", "wl_V"), [(0.0, 3.3), (1.8, 0.0), (5.0, 6.0)])
def test_edges_are_finite_and_positive(line_V, wl_V):
    ohm = np.array([1e-3, 1.0, 30.0, 3e10, 1e13])
    for high in ohm:
        for part in select_table(line_V, wl_V, PARAMS).resistances(np.full(5, high), ohm):
            assert np.isfinite(part).all()
            assert (part > 0).all()
