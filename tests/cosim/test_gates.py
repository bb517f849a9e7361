"""The testbenches on the controller's netlist, on Icarus Verilog with every flip-flop unknown at first."""

import re

import pytest

from bridgebnn import synthesis
from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.runs.gates import check_netlist
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.netlists import netlist

from . import small

GEOMETRY = Geometry(tiles=1, rows=8, inputs=7, bias=0, thresholds=8, layers=2, scores=4, log_depth=4)


@pytest.fixture(scope="module")
def gates():
    if not synthesis.OSU018.is_file():
        pytest.skip("qflow-tech-osu018 is not installed: make kit-check does it")
    return netlist(GEOMETRY, quick=True)


def job():
    """Pulses over the bus into a real macro, then two vectors."""
    return InferJob(
        sim="icarus",
        attach="strobe",
        program="bus",
        macro="real",
        geometry=GEOMETRY,
        network=small.network(0, (7, 5, 3), limit=2),
        images=small.vectors(2, 7),
    )


@pytest.mark.icarus
def test_programming_and_inference_on_the_netlist(gates):
    assert gates.cells["DFFPOSX1"] > 1000
    assert set(gates.cells) <= set(
        re.findall(r"^module (\w+)", synthesis.CELL_MODELS.read_text(), re.MULTILINE)
    )
    text = gates.verilog["icarus"].read_text()
    assert not re.search(r"\b(initial|always)\b", text), "something else than cells is in it"
    (run,) = check_netlist(job(), gates.verilog["icarus"], ["infer"])
    assert run.passed, run.found
    assert re.match(
        r"programmed over the bus, [1-9]\d* pulses and [1-9]\d* verify reads; 2 images", run.found
    )


@pytest.mark.icarus
def test_one_broken_cell_is_seen(gates, tmp_path):
    text, count = re.subn(
        r"NOR2X1( _\w+_ \((?:(?!;)[\s\S])*?\.Y\(precharge\))",
        r"OR2X2\1",
        gates.verilog["icarus"].read_text(),
        count=1,
    )
    assert count == 1
    broken = tmp_path / "broken.v"
    broken.write_text(text)
    (run,) = check_netlist(job(), broken, ["infer"])
    assert not run.passed
