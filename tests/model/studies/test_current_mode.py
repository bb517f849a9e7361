"""current_mode: node voltages against an independent package, and both solutions against each other."""

import importlib
import logging
import warnings

import numpy as np
import pytest

from bridgebnn.model.studies import current_mode
from bridgebnn.model.studies.current_mode import (
    CurrentParams,
    fed_inputs,
    node_voltages,
    tiled_transfer,
    transfer,
)


@pytest.fixture(scope="module")
def badcrossbar():
    """An independent solver of resistive crossbars: Joksas, Mehonic, SoftwareX 12, 100617 (2020)."""
    with warnings.catch_warnings(record=True):  # it says that it cannot draw without cairo
        package = importlib.import_module("badcrossbar")
    logging.getLogger().setLevel(logging.WARNING)
    return package


def resistances(rows, columns, seed=0):
    """Devices in LRS or HRS with spread, behind their transistor."""
    rng = np.random.default_rng(seed)
    state = np.where(rng.integers(0, 2, (rows, columns)) > 0, 10e3, 1.28e6)
    return 3000 + state * np.exp(0.3 * rng.standard_normal((rows, columns)))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (7, 4), (12, 20)])
@pytest.mark.parametrize(("r_row", "r_column"), [(0.5, 0.5), (5.0, 2.0), (0.01, 400.0), (1e3, 1e3)])
def test_node_voltages_agree_with_badcrossbar(badcrossbar, rows, columns, r_row, r_column):
    ohm = resistances(rows, columns)
    volts = np.random.default_rng(1).uniform(-0.2, 0.2, (3, rows))
    theirs = badcrossbar.compute(volts.T, ohm, r_i_word_line=r_row, r_i_bit_line=r_column)
    ours = node_voltages(1 / ohm, volts, r_row, r_column)
    shape = (rows, columns, 3)
    assert np.moveaxis(ours.row_V, 0, -1) == pytest.approx(theirs.voltages.word_line.reshape(shape), rel=1e-6)
    assert np.moveaxis(ours.column_V, 0, -1) == pytest.approx(
        theirs.voltages.bit_line.reshape(shape), rel=1e-6
    )
    output = theirs.currents.output.reshape(3, columns)
    assert ours.current_A == pytest.approx(output, rel=1e-6)
    currents, _ = transfer(1 / ohm, r_row, r_column)
    assert volts @ currents.T == pytest.approx(output, rel=1e-6)


@pytest.mark.parametrize(
    ("r_row", "r_column"), [(0.5, 0.5), (20.0, 0.0), (0.0, 20.0), (0.0, 0.0), (1e3, 3e3)]
)
def test_elimination_agrees_with_sparse_lu(r_row, r_column):
    conductance = 1 / resistances(60, 40)
    volts = np.random.default_rng(2).choice([-0.2, 0.2], (5, 60))
    nodes = node_voltages(conductance, volts, max(r_row, 1e-9), max(r_column, 1e-9))
    currents, drawn = transfer(conductance, r_row, r_column)
    assert volts @ currents.T == pytest.approx(nodes.current_A, rel=1e-7)
    assert drawn == pytest.approx(drawn.T, rel=1e-9)
    rest = max(r_row, 1e-9)
    into = (volts - nodes.row_V[:, :, 0]) / rest
    tolerance = 1e-2 if r_row == 0 else 1e-7  # a difference of voltages over a nano-ohm
    assert volts @ drawn == pytest.approx(into, rel=tolerance)


def test_no_wires_is_the_sum_of_conductances():
    ohm = np.stack([resistances(6, 9), resistances(6, 9, 1)], axis=-1)
    ideal = CurrentParams(r_row_ohm=0.0, r_column_ohm=0.0)
    currents, drawn = tiled_transfer(ohm, ideal)
    each = 1 / (3000 + ohm)
    assert currents == pytest.approx(each[..., 0] - each[..., 1])
    assert drawn == pytest.approx(each.sum(axis=(0, 2)))
    nearly = tiled_transfer(ohm, CurrentParams(r_row_ohm=1e-7, r_column_ohm=1e-7))
    assert nearly[0] == pytest.approx(currents, rel=1e-6)
    assert nearly[1] == pytest.approx(drawn, rel=1e-4)  # a difference of conductances of 10 MS


def test_tiles_side_by_side_are_arrays_of_their_own():
    ohm = np.stack([resistances(10, 13), resistances(10, 13, 1)], axis=-1)
    params = CurrentParams(r_row_ohm=30.0, r_column_ohm=10.0, tile_rows=5, tile_columns=8)
    currents, _ = tiled_transfer(ohm, params)
    one = tiled_transfer(ohm[4:8, 5:10], params)[0]
    assert currents[4:8, 5:10] == pytest.approx(one, rel=1e-12)
    lines = (1 / (3000 + ohm[4:8, 5:10])).transpose(1, 0, 2).reshape(5, 8)
    whole = node_voltages(lines, np.eye(5), 30.0, 10.0).current_A
    assert one == pytest.approx((whole[:, 0::2] - whole[:, 1::2]).T, rel=1e-9)


def test_effect_of_wires_grows_and_hits_far_inputs_and_columns_most():
    """Row lines lose along the columns, columns lose most for the rows farthest from the virtual ground."""
    same = np.full((32, 32), 1 / 13e3)
    kept = [transfer(same, r, r)[0].sum() / same.sum() for r in (0.01, 0.1, 1.0, 10.0)]
    assert np.all(np.diff(kept) < 0)
    assert kept[0] > 0.998
    assert kept[-1] < 0.7
    row_only = transfer(same, 10.0, 0.0)[0]
    assert np.all(np.diff(row_only[:, 0]) < 0)
    column_only = transfer(same, 0.0, 10.0)[0]
    assert np.all(np.diff(column_only[0]) > 0)


def test_source_resistance_divides_with_the_rows_in_parallel():
    signs = np.array([[1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    drawn = np.array([1e-3, 2e-3, 4e-3])
    volts = fed_inputs(signs, drawn, CurrentParams(r_feed_ohm=100.0))
    assert volts[0] == pytest.approx([0.2 / 1.3, 0.2 / 1.3, -0.2 / 1.4])
    assert volts[1] == pytest.approx([-0.2 / 1.7] * 3)


def test_a_wire_without_resistance_has_no_nodes():
    with pytest.raises(ValueError, match=r"r_row_ohm = 0, r_column_ohm = 1.0: must be above 0"):
        node_voltages(np.ones((2, 2)), np.ones((1, 2)), 0, 1.0)


def test_broken_elimination_is_noticed(monkeypatch):
    """Leaving out the wire between the driver and the first crossing shows."""
    conductance = 1 / resistances(6, 5)
    right = node_voltages(conductance, np.eye(6), 50.0, 50.0).current_A.T
    assert transfer(conductance, 50.0, 50.0)[0] == pytest.approx(right, rel=1e-9)
    assert transfer(conductance, 50.0, 51.0)[0] != pytest.approx(right, rel=1e-4)
    shorter = transfer(conductance[:, 1:], 50.0, 50.0)[0]
    assert shorter != pytest.approx(right[1:], rel=1e-4)


@pytest.mark.parametrize("r_row", [0.0, 1e4])
def test_long_columns_of_high_resistance(r_row):
    """Far rows pass next to nothing, and products of hundreds of pivots leave the range of float64."""
    rows, r_column = 512, 1e4
    conductance = np.random.default_rng(1).uniform(1 / 4e3, 1 / 2e3, (rows, 2))
    currents, drawn = transfer(conductance, r_row, r_column)
    assert np.isfinite(currents).all()
    assert np.isfinite(drawn).all()
    assert (currents >= 0).all()
    driven = [0, 255, 500, 509, 510, 511]
    right = node_voltages(conductance, np.eye(rows)[driven], max(r_row, 1e-5), r_column).current_A.T
    assert currents[:, driven] == pytest.approx(right, rel=1e-5, abs=1e-12 * right.max())
    assert (currents[:, -1] > 5 * currents[:, 500]).all()
    assert (currents[:, 500] > 1e6 * currents[:, 255]).all()


def test_both_ways_of_a_column_agree(monkeypatch):
    conductance = 1 / resistances(40, 3)
    quick = transfer(conductance, 20.0, 300.0)
    monkeypatch.setattr(current_mode, "_SPLIT", 0.0)
    slow = transfer(conductance, 20.0, 300.0)
    for a, b in zip(quick, slow, strict=True):
        assert a == pytest.approx(b, rel=1e-10)
