"""Functional coverage without a simulator: what is not hit, left out without a reason or against the facts fails."""

import argparse
import json
from pathlib import Path

import pytest

from bridgebnn.command_line import guarded
from bridgebnn.hdl.spec import ErrorCode, ProgOp
from bridgebnn.sections import read_section
from bridgebnn.tb.campaign.coverage import excluded
from bridgebnn.tb.campaign.mutation import GEOMETRIES, MAPS, TESTS
from bridgebnn.tb.checks.coverage_points import GROUPS, points
from bridgebnn.tb.commands import coverage as command
from bridgebnn.tb.runs.summaries import CoverageReport

PLAN = Path(__file__).resolve().parents[3] / "docs" / "testplan.toml"
SPARES = points(GEOMETRIES["spares"])
MISSED = "program.driver.VERIFY > IDLE"


def plan(file, **left_out):
    """A plan that leaves points of some groups out: ``group={reason: [points]}``."""
    lines = [f"[[coverage]]\ngroup = {g!r}\nexcluded = {{{table(left_out.get(g, {}))}}}" for g in GROUPS]
    file.write_text("\n".join(lines))
    return file


def table(reasons):
    return ", ".join(f"{json.dumps(reason)} = {json.dumps(names)}" for reason, names in reasons.items())


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command, over testbenches that hit all points of `spares` but these."""

    def call(*options, but=(), also=()):
        every = {g: {name: 2 for name in names if name not in but} for g, names in SPARES.items()}
        for group, name in also:
            every[group][name] = 1
        monkeypatch.setattr(
            command, "collect", lambda name, geometry, tests, *_: ({t: every for t in tests}, {})
        )
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        asked = [*options] if "--plan" in options else ["--plan", str(plan(tmp_path / "plan.toml")), *options]
        return guarded("coverage", lambda: command.run(parser.parse_args(["--geometry", "spares", *asked])))

    return call


def test_points_are_those_of_design_and_specification():
    assert SPARES["errors"] == tuple(code.name for code in ErrorCode)
    assert MISSED in SPARES["arcs"]
    assert {f"pulse {op.name} P" for op in ProgOp} < set(SPARES["phases"])
    assert "TIMING_READ.precharge_cyc written 0xff" in SPARES["fields"]
    more = set(points(GEOMETRIES["maps"])["states"]) - set(SPARES["states"])
    assert {"layer.maps.gather.GATHER", "layer.walk_check.PIXELS", "layer.reader.AWAIT_WINDOW"} < more
    assert all(len(set(names)) == len(names) > 2 for names in SPARES.values())


def test_all_points_hit_is_0(run, tmp_path, capsys):
    file = tmp_path / "coverage.json"
    assert run("--json", str(file)) == 0
    report = CoverageReport.load(file)
    assert report.total == sum(map(len, SPARES.values()))
    assert report.unhit == []
    assert report.tests == [
        f"spares/{test}" for test in (*(t for t in TESTS if t not in (*MAPS, "counters")), "counters")
    ]
    assert "0 are not" in capsys.readouterr().out


def test_an_unhit_point_is_1_and_named(run, tmp_path, capsys):
    file = tmp_path / "coverage.json"
    assert run("--json", str(file), but=(MISSED,)) == 1
    assert CoverageReport.load(file).unhit == [f"arcs: {MISSED}"]
    assert f"UNHIT            arcs: {MISSED}" in capsys.readouterr().out


def test_a_reason_lets_a_point_go_and_only_where_it_is_true(run, tmp_path, capsys):
    file = plan(tmp_path / "reasons.toml", arcs={"nobody can get there": [MISSED]})
    assert run("--plan", str(file), but=(MISSED,)) == 0
    assert run("--plan", str(file)) == 1  # it is hit
    assert f"WRONGLY EXCLUDED arcs: {MISSED} by spares/" in capsys.readouterr().out


def test_a_point_that_nobody_declared_fails(run, capsys):
    assert run(also=[("arcs", "layer.READ > CHECK")]) == 1
    assert "NOT DECLARED     arcs: layer.READ > CHECK" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ({"arcs": {"nobody can get there": ["layer.NOWHERE"]}}, "do not exist: arcs: layer.NOWHERE"),
        ({"arcs": {"hard": [MISSED]}}, "is no reason to leave out"),
    ],
)
def test_a_bad_plan_is_2(run, tmp_path, capsys, left_out, said):
    assert run("--plan", str(plan(tmp_path / "bad.toml", **left_out))) == 2
    assert said in capsys.readouterr().err


def test_a_plan_has_every_group(run, tmp_path, capsys):
    (file := tmp_path / "short.toml").write_text('[[coverage]]\ngroup = "arcs"\n')
    assert run("--plan", str(file)) == 2
    assert "[[coverage]] has groups arcs: must be states, arcs," in capsys.readouterr().err


def test_the_section_is_written(run, tmp_path):
    (page := tmp_path / "page.md").write_text("<!-- generated: coverage -->\n<!-- end: coverage -->\n")
    assert run("--write", str(page), but=(MISSED,)) == 1
    text = read_section(page, "coverage")
    assert f"| arcs | {MISSED} | unhit |" in text
    assert f"| errors | {len(ErrorCode)} | {len(ErrorCode)} | 0 | 0 |" in text


def test_earlier_hits_count(run, tmp_path):
    file = tmp_path / "coverage.json"
    assert run("--json", str(file)) == 0
    assert run("--merge", str(file), "--test", "reads", but=(MISSED,)) == 0


def test_the_plan_leaves_out_points_that_are_there():
    declared = {
        (group, name) for g in GEOMETRIES.values() for group, names in points(g).items() for name in names
    }
    assert set(excluded(PLAN)) <= declared
