"""docs/testplan.toml names tests and properties that exist, and leaves nothing of the controller out."""

import subprocess
import sys
import tomllib
from pathlib import Path

from bridgebnn.hdl.machines import machines, stream_machines
from bridgebnn.hdl.spec import ErrorCode, Geometry
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.proofs.rules import SUBJECTS

ROOT = Path(__file__).resolve().parents[1]
PLAN = tomllib.loads((ROOT / "docs" / "testplan.toml").read_text())
SPARED = Geometry(spare_columns=1, spare_rows=1, map_words=2)
"""With every option, so that every state is there."""


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
    every = (*machines(SPARED), *stream_machines(SPARED))
    states = [f"{machine.name}.{state}" for machine in every for state in machine.states]
    assert sorted(PLAN["leaves"]) == sorted(states)


def test_every_error_code_and_interrupt_has_a_point():
    assert sorted(PLAN["errors"]) == sorted(code.name for code in ErrorCode)
    (pending,) = (r for r in register_map(SPARED).registers if r.name == "IRQ_PENDING")
    assert sorted(PLAN["interrupts"]) == sorted(field.name for field in pending.fields)
