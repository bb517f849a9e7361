"""Chips programmed through the RTL: every row verified or listed, counts beside the least, same as the model."""

import json

import pytest

from bridgebnn.tb.__main__ import main
from bridgebnn.tb.runs.programs import differences
from bridgebnn.tb.runs.summaries import RtlMapReport


@pytest.mark.parametrize(
    ("sim", "chip"), [pytest.param(s, 3, marks=getattr(pytest.mark, s)) for s in ("icarus", "verilator")]
)
def test_a_chip_is_programmed_near_the_least(sim, chip, tmp_path, capsys):
    assert (
        main(["program", "--random", "12x160", "--chip", str(chip), "--sim", sim, "--out", str(tmp_path)])
        == 0
    )
    report = json.loads((tmp_path / "program-map.json").read_text())
    assert RtlMapReport.load(tmp_path / "program-map.json").as_dict() == report
    rtl, alone = report["rtl"], report["programming"]
    assert rtl["pulses"] == alone["lower_bound"]["pulses"] > 0
    assert rtl["rows"] == 12
    assert rtl["events"] == alone["events"]
    assert sum(rtl["events"]["pulses"].values()) == rtl["pulses"]
    for part, joule in alone["energy_by_part_J"].items():
        if part != "controller_J":  # whose cycles are the host's, too
            assert rtl["energy"][part] == joule, part
    assert rtl["energy"]["form_J"] > 0
    # the model's count of cycles is the RTL's, but for the host's start and interrupt
    assert abs(rtl["busy_cycles"] - alone["cycles"]) <= 4 * (rtl["rows"] + rtl["failed_rows"] + 1)
    assert rtl["busy_cycles"] < 1.1 * alone["lower_bound"]["cycles"]
    for name in ("map.png", "resistances.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "cycles in commands" in capsys.readouterr().out


def test_differences_are_told():
    alone = {"rows": 2, "pulses": {"SET": 3}, "verifies": {"SET": 4}, "failures": [1], "failed_rows": 1}
    rtl = {"rows": 2, "pulses": 3, "verify_reads": 4, "failures": 1, "failed_rows": 1, "state": "a"}
    assert differences(rtl | {"unlisted_rows": []}, alone, "a") == []
    wrong = differences(rtl | {"pulses": 5, "unlisted_rows": [(0, 1)]}, alone, "b")
    assert wrong[0] == "pulses: RTL 5, model 3"
    assert wrong[1] == "state: RTL a, model b"
    assert "1 rows neither verified nor listed" in wrong[2]


def test_bad_size_is_one_line(capsys, tmp_path):
    assert main(["program", "--random", "8", "--out", str(tmp_path)]) == 2
    assert "must be ROWSxCOLUMNS" in capsys.readouterr().err
