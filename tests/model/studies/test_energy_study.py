"""Energy against size, mode, activity and timing, and its projection: what each is made of."""

import json
import math

import pytest

from bridgebnn.__main__ import main
from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.studies.energy import EnergyStudyReport, energy_point
from bridgebnn.model.studies.energy_projection import STEPS, changes, project

POINT = {"inputs": 23, "rows": 8, "mode": ReadMode.SIGN, "activity": 0.5, "clock_s": 20e-9, "chip": 1}


def point(**other):
    return energy_point(**(POINT | other))


def test_only_the_bridges_take_less_with_a_faster_clock():
    slow, fast = point().energy, point(clock_s=8e-9).energy
    assert fast.parts.bridges_J == pytest.approx(0.4 * slow.parts.bridges_J, rel=1e-3)
    for name in slow.parts:
        if name != "bridges_J":
            assert fast.parts[name] == pytest.approx(slow.parts[name], rel=1e-3), name


def test_a_search_pays_for_every_comparison_and_a_count_for_none():
    sign, search, count = (point(mode=mode).energy for mode in ReadMode)
    search, count = (count, search) if count.events.comparisons else (search, count)
    assert search.events.comparisons == 5 * sign.events.comparisons  # 23 inputs and a bias column
    assert search.parts.bridges_J == pytest.approx(5 * sign.parts.bridges_J)
    assert count.parts.comparator_J == 0.0


def test_activity_moves_lines_and_an_image_that_stays_moves_none():
    still, busy = point(activity=0.0).energy, point(activity=1.0).energy
    assert still.events.line_changes == 0
    assert busy.events.line_changes == 32 * 23
    assert still.parts.bit_lines_J == 0.0 < busy.parts.bit_lines_J


def test_the_projection_is_the_product_of_its_steps():
    found = point()
    for name in found.energy.parts:
        factor = math.prod(step.factor for step in STEPS if name in step.parts)
        factor *= 6 / 20 if name == "bridges_J" else 1
        assert found.projected.parts[name] == pytest.approx(factor * found.energy.parts[name]), name
    assert found.projected.tops_per_w == pytest.approx(1e-12 / found.projected.per_operation_J)
    assert project(found.energy, 2e-9).clock_s == 2e-9
    assert all(step.why.startswith(("[std]", "[ours]", "[data]", "[pub]")) for step in STEPS)


def test_changes_save_shares_and_the_largest_is_first():
    found = changes(point().energy)
    assert [c.saves for c in found] == sorted((c.saves for c in found), reverse=True)
    assert all(0 <= c.macro_saves < 1 for c in found)


def test_the_command_writes_what_it_shows(tmp_path, capsys):
    report, picture = tmp_path / "e.json", tmp_path / "e.png"
    small = ["--inputs", "23", "--rows", "4", "--mode", "sign", "count", "--activity", "0.5", "--clock", "20"]
    assert main(["model", "energy", *small, "--json", str(report), "--png", str(picture)]) == 0
    found = EnergyStudyReport.from_dict(json.loads(report.read_text()))
    assert [p.mode for p in found.points] == ["SIGN", "COUNT"]
    assert picture.stat().st_size > 10_000
    assert "from SKY130 to 22 nm" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["model", "energy", "--activity", "1.5"])
    with pytest.raises(ValueError, match="activity = 2: must be from 0 to 1"):
        point(activity=2)
