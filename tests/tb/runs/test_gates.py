"""Netlists in the controller's place: what is reported, and what is refused before anything is built."""

from pathlib import Path

import pytest

from bridgebnn import synthesis
from bridgebnn.hdl.spec import Geometry
from bridgebnn.names import UnknownName
from bridgebnn.tb.__main__ import main
from bridgebnn.tb.runs import gates
from bridgebnn.tb.runs.netlists import netlist
from bridgebnn.tb.simulators import SimulationError

PRINTED = """
3. Printing statistics.
       20      960 cells
        2      192   DFFPOSX1
       18     4.3e+05   NAND2X1

   Chip area for module '\\bridgebnn': 960.000000
"""


def failing(kind):
    def part(job, verilog, show):
        raise SimulationError(kind, "no")

    return part


def test_what_yosys_printed():
    assert synthesis.cells_of(PRINTED) == {"DFFPOSX1": 2, "NAND2X1": 18}
    assert synthesis.area_mm2(PRINTED) == pytest.approx(0.00096)


def test_a_run_that_fails_is_told_and_the_next_runs(monkeypatch):
    parts = {"first": failing("Mismatch"), "second": lambda *_: "3 things"}
    monkeypatch.setattr(gates, "PARTS", parts)
    runs = gates.check_netlist(None, Path("netlist.v"), list(parts))
    assert [(run.passed, run.found) for run in runs] == [(False, "Mismatch: no"), (True, "3 things")]
    report = gates.GateReport(sim="icarus", network="n", runs=runs)
    assert not report.passed
    assert report.replace(runs=runs[1:]).passed
    assert not report.replace(runs=()).passed


def test_a_missing_simulator_is_no_result(monkeypatch):
    monkeypatch.setattr(gates, "PARTS", {"one": failing("Missing")})
    with pytest.raises(SimulationError, match="Missing"):
        gates.check_netlist(None, Path("netlist.v"), ["one"])
    with pytest.raises(UnknownName, match="no testbench 'two'"):
        gates.check_netlist(None, Path("netlist.v"), ["two"])


def test_missing_cells_are_told(monkeypatch):
    monkeypatch.setattr(synthesis, "OSU018", Path("/nowhere/cells.lib"))
    with pytest.raises(SimulationError, match="apt-get install qflow-tech-osu018"):
        netlist(Geometry())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--netlist", "/nowhere/n.v"], "/nowhere/n.v: no such file"),
        (["--netlist", __file__, "--out", "kept.v"], "--out: keeps what is synthesised"),
    ],
)
def test_bad_options_are_one_line(options, text, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["gates", "--preset", "digits", "--images", "1", *options]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
