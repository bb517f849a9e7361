"""read_conditions: where reading works, where it wears, and the region that is named."""

import dataclasses
import json

import numpy as np
import pytest

from bridgebnn.hdl.spec import Timing
from bridgebnn.model.__main__ import main
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.read_conditions import (
    Grid,
    Limits,
    Population,
    ReadMap,
    disturb,
    populations,
    read_map,
)
from bridgebnn.model.studies.reports import ReadConditionsReport

GRID = Grid(v_read_V=(0.8, 1.2, 1.8), v_wl_V=(1.8, 2.4, 3.3), read_s=(0.1e-9, 40e-9))


def pairs(low_ohm, high_ohm, cells=200):
    """Pairs of equal devices, right for random weights."""
    bits = np.random.default_rng(0).integers(0, 2, (1, cells)).astype(bool)
    ohm = np.where(np.stack([bits, ~bits], axis=-1), low_ohm, high_ohm).astype(float)
    return Population("pairs", ohm, bits, np.ones_like(bits))


@pytest.fixture(scope="module")
def good():
    return read_map(pairs(1e4, 1e6), GRID, Limits(max_error=0.05), MacroParams.real(), 0)


def test_reading_needs_voltage_headroom_and_time(good):
    settled = good.errors[:, :, 1]
    assert settled[2, 2] == 0
    assert settled[0].min() > 0.3  # the high level never reaches the buffer's threshold
    assert settled[:, 0].min() > 0.3  # the word line leaves SL below it
    assert good.errors[2, 2, 0] > 0.3  # SL has no time to move
    assert good.safe[2, 2, 1]
    assert not good.safe[:, :, 0].any()


def test_disturb_is_the_devices_own(good):
    device = MacroParams.real().device
    fall = disturb([0.2, 0.35, 1.8], 1000, device)
    assert fall[0] == pytest.approx(1000 * device.read_disturb_log)
    assert fall[1] / fall[0] == pytest.approx(np.e)
    assert good.fall == pytest.approx(disturb(GRID.v_read_V, 1_000_000, device))
    worn = read_map(pairs(1e4, 1e6), GRID, Limits(max_error=0.05, reads=10**8), MacroParams.real(), 0)
    assert np.array_equal(worn.errors, good.errors)
    assert not worn.safe[2].any()
    assert worn.safe[1, 2, 1]


def test_close_pairs_are_not_safe():
    found = read_map(pairs(1e5, 1.05e5), GRID, Limits(max_error=0.05), MacroParams.real(), 0)
    assert found.errors[2, 2, 1] > 0.01
    assert not found.safe.any()
    assert found.region(GRID) is None


def test_few_cells_prove_little():
    few = read_map(pairs(1e4, 1e6, 10), GRID, Limits(max_error=0.05), MacroParams.real(), 0)
    assert few.errors[2, 2, 1] == 0
    assert not few.safe.any()  # ten cells without error may have a rate of a quarter


def test_stuck_cells_can_be_left_out():
    some = pairs(1e4, 1e6)
    ohm, free = some.ohm.copy(), some.free.copy()
    ohm[0, :20], free[0, :20] = ohm[0, :20, ::-1], False
    broken = dataclasses.replace(some, ohm=ohm, free=free)
    counted = read_map(broken, GRID, Limits(), MacroParams.real(), 0)
    assert counted.errors[2, 2, 1] == pytest.approx(0.1)
    assert counted.cells == 200
    left = read_map(broken, GRID, Limits(max_error=0.05), MacroParams.real(), 0, without_stuck=True)
    assert left.errors[2, 2, 1] == 0
    assert left.cells == 180


def test_region_is_the_largest_box():
    safe = np.zeros((4, 5, 2), bool)
    safe[1:3, 1:4, 1] = True
    safe[3, 0:2, 1] = True
    safe[1:3, 1:4, 0] = True
    safe[1, 1, 0] = False
    grid = Grid(v_read_V=(1.0, 1.1, 1.2, 1.3), v_wl_V=(1.0, 2.0, 3.0, 4.0, 5.0), read_s=(1e-9, 2e-9))
    found = ReadMap("box", 1, np.zeros((4, 5, 2)), np.zeros(4), safe).region(grid)
    assert found == {"v_read_V": [1.1, 1.2], "v_wl_V": [2.0, 4.0], "read_s": 2e-9, "points": 6}


def test_populations_follow_their_strength():
    names = ["verified", "weakest"]
    strong, weak = populations(names, 2300, MacroParams.real(), Timing(), 3)
    rates = [np.mean((p.ohm[..., 0] < p.ohm[..., 1]) != p.bits) for p in (strong, weak)]
    assert rates[0] < 0.002 < rates[1]
    with pytest.raises(ValueError, match="population 'medium': known are verified"):
        next(populations(["medium"], 10, MacroParams.real(), Timing(), 0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid(v_read_V=(1.0, 0.5)), "Grid.v_read_V = .*: must be positive and ascending"),
        (lambda: Grid(read_s=()), "Grid.read_s = .*: must be positive"),
        (lambda: Limits(max_error=0.0), "Limits.max_error = 0.0: must be above 0"),
        (lambda: Limits(max_fall=-1.0), "Limits.max_fall = -1.0: must be above 0"),
        (lambda: Limits(reads=0), "Limits.reads = 0: must be at least 1"),
    ],
)
def test_messages(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_command(tmp_path, monkeypatch, capsys):
    from bridgebnn.model.commands import read_conditions

    monkeypatch.setattr(read_conditions, "Grid", lambda: GRID)
    out, picture = tmp_path / "a.json", tmp_path / "a.png"
    arguments = ["read-conditions", "--cells", "2300", "--population", "verified", "--without-stuck"]
    assert main([*arguments, "--max-error", "0.01", "--json", str(out), "--out", str(picture)]) == 0
    report = json.loads(out.read_text())
    assert ReadConditionsReport.load(out).as_dict() == report
    assert report["populations"]["verified"]["region"]["v_wl_V"][-1] == 3.3
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "safe (error below 0.01" in capsys.readouterr().out
    assert main([*arguments, "--max-error", "1e-9"]) == 1
    assert "no safe read condition" in capsys.readouterr().out
    assert main(["read-conditions", "--population", "strange"]) == 2
