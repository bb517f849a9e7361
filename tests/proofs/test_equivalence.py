"""The comparison of two circuits, and what stands on it: without initial values a block is the same circuit."""

import dataclasses
import json
import shutil

import pytest

from bridgebnn.hdl.bus.wishbone import WishboneResponder
from bridgebnn.hdl.control.arbiter import CommandArbiter, UnlockSequence
from bridgebnn.hdl.layers.descriptor_table import DescriptorCheck
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer
from bridgebnn.hdl.layers.repair_table import RepairTable
from bridgebnn.hdl.output.verilog import component_verilog
from bridgebnn.hdl.programming.fail_log import FailLog
from bridgebnn.hdl.programming.program_sequencer import ProgramSequencer
from bridgebnn.hdl.spec import Geometry
from bridgebnn.paths import PACKAGE
from bridgebnn.proofs.__main__ import main
from bridgebnn.proofs.equivalence import Side, compare

pytestmark = pytest.mark.formal

TINY = Geometry(
    tiles=2, rows=4, inputs=5, bias=1, thresholds=4, layers=2, scores=2, count_width=3, log_depth=2,
    spare_columns=1, spare_rows=1,
)  # fmt: skip
BLOCKS = {
    "arbiter": CommandArbiter,
    "check": lambda: DescriptorCheck(TINY),
    "log": lambda: FailLog(2),
    "program": lambda: ProgramSequencer(TINY),
    "reader": lambda: ReadSequencer(TINY),
    "repairs": lambda: RepairTable(TINY),
    "unlock": UnlockSequence,
    "wishbone": WishboneResponder,
}


def side(folder, block, name, **options):
    file = folder / f"{name}.v"
    file.write_text(component_verilog(block(), name=name, **options).text)
    return Side(file=file, top=name, renamed={})


@pytest.mark.parametrize("block", BLOCKS)
def test_without_initial_values_it_is_the_same_circuit(block, tmp_path):
    usual = side(tmp_path, BLOCKS[block], "usual")
    bare = side(tmp_path, BLOCKS[block], "bare", init=False)
    assert compare(tmp_path, usual, bare).status == "proven"


def changed(side, old, new):
    """A side with one replacement in its text."""
    text = side.file.read_text()
    assert old in text
    file = side.file.with_name(f"changed_{side.file.name}")
    file.write_text(text.replace(old, new))
    return dataclasses.replace(side, file=file)


def test_a_renamed_port_is_compared(tmp_path):
    usual = side(tmp_path, WishboneResponder, "usual")
    other = dataclasses.replace(changed(usual, "dat_r", "answer"), renamed={"answer": "dat_r"})
    assert compare(tmp_path, usual, other).status == "proven"


def test_a_difference_is_found_unless_its_input_is_tied(tmp_path):
    """A bus for which no byte lane counts differs, but not for hosts that select all of them."""
    usual = side(tmp_path, WishboneResponder, "usual")
    deaf = changed(usual, "= & sel;", "= 1'h1;")
    assert compare(tmp_path, usual, deaf).status == "violated"
    assert compare(tmp_path, usual, deaf, tied={"sel": 15}).status == "proven"


def test_a_difference_in_the_memory_is_found(tmp_path):
    usual = side(tmp_path, lambda: FailLog(2), "usual")
    assert compare(tmp_path, usual, changed(usual, ".w_en(store)", ".w_en(push)")).status == "violated"


def test_other_ports_are_told(tmp_path):
    usual = side(tmp_path, WishboneResponder, "usual")
    with pytest.raises(ValueError, match="ports answer, dat_r differ"):
        compare(tmp_path, usual, changed(usual, "dat_r", "answer"))


@pytest.fixture
def other(tmp_path):
    """Other sources: a copy of these, in which scores of 0 count as negative."""
    tree = tmp_path / "other sources"
    shutil.copytree(PACKAGE / "hdl", tree / "bridgebnn" / "hdl")
    for name in ("__init__.py", "paths.py"):
        shutil.copy(PACKAGE / name, tree / "bridgebnn")
    file = tree / "bridgebnn" / "hdl" / "layers" / "popcount.py"
    text = file.read_text()
    assert "self.bit.eq(self.score >= 0)" in text
    file.write_text(text.replace("self.bit.eq(self.score >= 0)", "self.bit.eq(self.score > 0)"))
    return tree


def test_the_command_names_what_differs_from_other_sources(tmp_path, other, capsys):
    out, found = tmp_path / "out", tmp_path / "found.json"
    blocks = ["--block", "adder", "--block", "rails", "--geometry", "plain"]
    assert main(["equivalence", str(other), *blocks, "--out", str(out), "--json", str(found)]) == 1
    results = json.loads(found.read_text())["results"]
    assert [(r["block"], r["status"], r["outputs"]) for r in results] == [
        ("adder", "violated", ["bit"]),
        ("rails", "proven", []),
    ]
    assert "differs   adder" in capsys.readouterr().out
    assert (out / "adder-plain" / "difference.vcd").stat().st_size > 0


@pytest.mark.parametrize("block", ["nosuch", "adder"])
def test_the_command_refuses_what_it_cannot_compare(tmp_path, block, capsys):
    with pytest.raises((ValueError, SystemExit)) as refused:
        main(["equivalence", str(tmp_path), "--block", block, "--out", str(tmp_path / "out")])
    told = str(refused.value) + capsys.readouterr().err
    assert ("has no bridgebnn/hdl" if block == "adder" else "invalid choice: 'nosuch'") in told


def test_no_such_revision(tmp_path):
    with pytest.raises(ValueError, match="nosuch is neither a folder nor a git revision"):
        main(["equivalence", "nosuch", "--out", str(tmp_path / "out")])
