"""docs/testplan.toml names tests and properties that exist, and leaves nothing of the controller out."""

import functools
import gc
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

from amaranth.hdl import UnusedElaboratable

from bridgebnn.hdl.bus.wishbone import WishboneResponder
from bridgebnn.hdl.control.arbiter import CommandArbiter, UnlockSequence
from bridgebnn.hdl.layers.descriptor_table import DescriptorCheck
from bridgebnn.hdl.layers.layer_sequencer import LayerSequencer
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer
from bridgebnn.hdl.layers.repair_table import RepairTable
from bridgebnn.hdl.layers.vectors import InputBanks
from bridgebnn.hdl.layers.walk_table import WalkCheck
from bridgebnn.hdl.layers.window_gather import WindowGather
from bridgebnn.hdl.programming.activity import BLOCKS
from bridgebnn.hdl.spec import ErrorCode, Geometry
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.proofs.rules import SUBJECTS

ROOT = Path(__file__).resolve().parents[1]
PLAN = tomllib.loads((ROOT / "docs" / "testplan.toml").read_text())
SPARED = Geometry(spare_columns=1, spare_rows=1, map_words=2)
"""With every option, so that every state is there."""
MACHINES = {
    **{f"program.{name}".rstrip("."): functools.partial(make, SPARED) for name, make in BLOCKS.items()},
    "layer": lambda: LayerSequencer(SPARED),
    "layer.reader": lambda: ReadSequencer(SPARED),
    "layer.check": lambda: DescriptorCheck(SPARED),
    "layer.repairs": lambda: RepairTable(SPARED),
    "layer.walk_check": lambda: WalkCheck(SPARED),
    "layer.maps.gather": lambda: WindowGather(SPARED),
    "layer.inputs": lambda: InputBanks(SPARED),
    "arbiter": CommandArbiter,
    "unlock": UnlockSequence,
    "wishbone": WishboneResponder,
}


def named_tests() -> list[str]:
    """Node ids of all tests of the plan."""
    lists = [entry["tests"] for entry in PLAN["rule"] + PLAN["point"]]
    lists += [tests for part in ("leaves", "errors", "interrupts") for tests in PLAN[part].values()]
    assert all(lists), "a point without a test"
    split = [test.split("::") for tests in lists for test in tests]
    return [f"{PLAN['files'][file]}::{name}" for file, name in split]


def test_every_named_test_is_collected():
    wanted = set(named_tests())
    files = sorted(set(PLAN["files"].values()))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    found = {line.split("[")[0] for line in run.stdout.splitlines() if "::" in line}
    assert wanted - found == set()
    assert {test.split("::")[0] for test in wanted} == set(files)


def test_every_property_belongs_to_a_rule():
    planned = {proof: rule["number"] for rule in PLAN["rule"] for proof in rule["proofs"]}
    checks = [check for subject in SUBJECTS.values() for check in subject.properties]
    assert planned == {check.name: check.rule for check in checks if check.rule != "-"}


def test_every_state_has_a_point():
    states = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        for name, make in MACHINES.items():
            (machine,) = make().elaborate(None)._generated.values()
            states += [f"{name}.{state.name}" for state in machine.encoding]
        gc.collect()
    assert sorted(PLAN["leaves"]) == sorted(states)


def test_every_error_code_and_interrupt_has_a_point():
    assert sorted(PLAN["errors"]) == sorted(code.name for code in ErrorCode)
    (pending,) = (r for r in register_map(SPARED).registers if r.name == "IRQ_PENDING")
    assert sorted(PLAN["interrupts"]) == sorted(field.name for field in pending.fields)
