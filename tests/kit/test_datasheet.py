"""The datasheets: whole, and their diagrams are what a simulation showed."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from bridgebnn.hdl.spec import Timing
from bridgebnn.hdl.spec.pins import MACRO_PINS, Bus, host_ports
from bridgebnn.kit import build, datasheet_command
from bridgebnn.kit.datasheet import measured
from bridgebnn.kit.diagrams import OPERATIONS
from tests.kit.test_kit import request as kit_request

FOUND = "1.18 mm2 of cells, slack 3.54 ns (setup), 0.09 ns (hold)"


def report(found: str = FOUND, result: str = "passed", kit: str = "chip") -> dict:
    return {"kit": kit, "checks": [{"name": "timing", "result": result, "found": found}]}


@pytest.fixture(scope="module")
def kit(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("a kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridgebnn.kit.diagrams.available", lambda: False)
        build.write_kit(kit_request(), out)
    return out


def test_every_pin_and_register_is_there(kit):
    shown = {
        block: set(re.findall(r"<code>(\w+)</code>", (kit / "datasheet" / f"{block}.html").read_text()))
        for block in ("controller", "macro")
    }
    pins = {p.name for p in MACRO_PINS}
    registers = json.loads((kit / "geometry.json").read_text())["registers"]
    assert {*registers, *pins, *(p.name for p in host_ports(Bus.WISHBONE))} <= shown["controller"]
    assert {*pins, "VDD", "VPP", "VSS"} <= shown["macro"]
    assert "No diagrams" in (kit / "datasheet" / "macro.html").read_text()


def test_measured_figures_are_put_in_and_listed(kit, tmp_path):
    check = tmp_path / "check.json"
    check.write_text(json.dumps(report()))
    assert datasheet_command.main([str(kit), "--check", str(check), "--no-pdf"]) == 0
    page = (kit / "datasheet" / "controller.html").read_bytes()
    assert b"16.46 ns of 20 ns" in page
    listed = json.loads((kit / "manifest.json").read_text())["files"]
    assert listed["datasheet/controller.html"] == hashlib.sha256(page).hexdigest()


def test_figures_of_a_check():
    assert measured(report(), 20.0)["Longest path, set-up"] == "16.46 ns of 20 ns"
    assert measured(report(result="refused"), 20.0) == {}
    with pytest.raises(ValueError, match="must be the JSON of"):
        measured({"checks": 3}, 20.0)


@pytest.mark.parametrize(
    ("text", "told"), [("[", "must be what"), (json.dumps(report(kit="other")), "is of kit 'other'")]
)
def test_a_wrong_check_is_one_line(kit, tmp_path, capsys, text, told):
    check = tmp_path / "check.json"
    check.write_text(text)
    assert datasheet_command.main([str(kit), "--check", str(check), "--no-pdf"]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.icarus
@pytest.mark.parametrize("bus", list(Bus))
def test_diagrams_show_the_operations(bus):
    waves = build._waves(bus, Timing())
    assert set(waves) == {key for key, o in OPERATIONS.items() if o.bus in (None, bus.registers)}
    for key, wave in waves.items():
        assert len({len(s["wave"]) for s in wave["signal"]}) == 1, key
        assert [s["name"] for s in wave["signal"]] == ["clk", *OPERATIONS[key].pins]
    levels = {key: {s["name"]: _levels(s["wave"]) for s in w["signal"]} for key, w in waves.items()}
    assert set(levels["pulse"]["hv_en"]) == set(levels["pulse"]["hv_ready"]) == {"1"}
    assert "1" in levels["pulse"]["pulse"]
    read = levels["decision"]
    assert "11" not in {a + b for a, b in zip(read["precharge"], read["evaluate"], strict=True)}
    assert "10" not in {a + b for a, b in zip(read["sense"], read["evaluate"], strict=True)}
    assert levels["rails"]["hv_ready"].index("1") > levels["rails"]["hv_en"].index("1")


def _levels(wave: str) -> str:
    """Each cycle's level, repeats written out."""
    levels = wave[0]
    for now in wave[1:]:
        levels += levels[-1] if now in ".|" else now
    return levels
