"""Each check passes on a sound kit, and refuses a broken one; what is absent is said."""

import shutil

import pytest

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.kit import checks
from bridgebnn.kit.build import write_kit
from bridgebnn.kit.check_command import main
from bridgebnn.kit.checks import CHECKS, check_kit, layout
from tests.kit.test_kit import request as kit_request


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """In a folder with a space in its name, which every tool must bear."""
    out = tmp_path_factory.mktemp("a kit")
    write_kit(kit_request(), out)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("name", [c.name for c in CHECKS])
def test_passes_and_refuses(kit, name):
    """Those that synthesise take a minute each: `make kit-check` runs them."""
    if name == "memories":
        pytest.skip("for kits with memories on macros: test_memories.py")
    if name in ("timing", "gate level"):
        pytest.skip("synthesis: make kit-check")
    (report,) = check_kit(kit, only=(name,)).checks
    if report.result == "missing":
        pytest.skip(report.found)
    assert report.result == "passed", report.found
    assert report.refuses_broken, report.broken


def test_every_way_to_break_changes_the_kit(kit, tmp_path):
    """But those of the layout, which is made first, and of macros, which this kit has not: others see them refused."""
    those = [c for c in CHECKS if not c.srams]
    of_the_kit = [(c, spoil) for c in those for spoil in c.spoils if spoil not in layout.LAYOUT_SPOILS]
    for number, (check, spoil) in enumerate(of_the_kit):
        copy = tmp_path / f"{number}"
        shutil.copytree(kit, copy)
        try:
            spoil(checks.Kit.open(copy, tmp_path))
        except checks.Missing:
            continue
        changed = [
            f
            for f in kit.rglob("*")
            if f.is_file() and f.read_bytes() != (copy / f.relative_to(kit)).read_bytes()
        ]
        assert 1 <= len(changed) <= 2, check.name


def test_the_wrapper_is_for_wishbone(tmp_path):
    write_kit(kit_request(bus=Bus.AXI4LITE), tmp_path)
    assert not (tmp_path / "flows").exists()
    with pytest.raises(
        ValueError, match="check 'wrapper' is for kits of bus wishbone, this one is of axi4lite"
    ):
        check_kit(tmp_path, only=("wrapper",))


def test_a_missing_tool_is_no_success(kit, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    report = check_kit(kit, only=("simulation",))
    assert report.checks[0].result == "missing"
    assert "iverilog" in report.checks[0].found
    assert not report.passed


def test_a_check_that_refuses_nothing_is_no_success(kit, monkeypatch):
    blind = checks.Check("blind", "Yosys", lambda kit: "all is well", (lambda kit: None,))
    monkeypatch.setattr(checks, "CHECKS", (blind,))
    report = check_kit(kit)
    assert report.checks[0].refuses_broken is False
    assert not report.passed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--only", "spelling"], "no check 'spelling': known are simulation"),
        ([], "has no manifest.json of a kit"),
    ],
)
def test_bad_input_is_one_line(kit, tmp_path, capsys, arguments, text):
    folder = kit if arguments else tmp_path
    assert main([str(folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("bus", list(Bus))
def test_blocks_of_the_controller_are_found(tmp_path, bus):
    """Behind AXI they are one level further down; what is not there is refused, and ends no other check."""
    (tmp_path / "manifest.json").write_text(f'{{"kit": "chip", "bus": "{bus}"}}')
    (tmp_path / "rtl").mkdir()
    inner = "chip" if bus is Bus.WISHBONE else "chip_controller"
    (tmp_path / "rtl" / f"{inner}_arbiter.v").write_text("")
    kit = checks.Kit.open(tmp_path, tmp_path)
    assert kit.block("arbiter") == f"{inner}_arbiter"
    with pytest.raises(checks.Refused, match="modules of the name unlock: none"):
        kit.block("unlock")
    (report,) = check_kit(tmp_path, only=("elaboration",), broken=False).checks
    assert (report.result, report.found) == ("refused", "no file rtl.f")
