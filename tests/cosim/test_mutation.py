"""Mutants in one build: the controller as it is passes, and what is noticed is told with who noticed."""

import json

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.campaign.mutation import SELECT, WIDTH, built, mutated
from bridgebnn.tb.runs.jobs import MutantsJob
from bridgebnn.tb.runs.runner import perform
from bridgebnn.tb.simulators import SimulationError

pytestmark = pytest.mark.icarus

TINY = Geometry(
    tiles=1, rows=4, inputs=3, bias=1, thresholds=4, layers=1, scores=2, count_width=4, log_depth=4
)
TEST = "interrupts"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A controller with ten mutants."""
    return mutated(TINY, 10, 2, tmp_path_factory.mktemp("mutants"))


def run(verilog, numbers, file):
    job = MutantsJob(sim="icarus", geometry=TINY, numbers=numbers, tests=(TEST,), outcomes=file)
    perform(job, built("icarus", verilog), timeout_s=300.0)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_mutant_is_told_and_none_reaches_the_next(made, tmp_path):
    verilog, changes = made
    numbers = tuple(change.number for change in changes)
    told = run(verilog, numbers, tmp_path / "all.jsonl")
    assert [record["number"] for record in told] == list(numbers) == [*range(1, 11)]
    assert all(bool(record["how"]) == (record["test"] == TEST) for record in told)
    killed = {record["number"]: record["how"] for record in told if record["test"]}
    assert 0 < len(killed) < len(told)
    one, other = max(killed), min(set(numbers) - set(killed))
    again = run(verilog, (one, other), tmp_path / "again.jsonl")  # the killed one first
    assert [(record["number"], record["how"]) for record in again] == [(one, killed[one]), (other, "")]
    # 0 is no mutant: where it is one, the test complains, and nothing is measured
    always = f"{WIDTH}'d{min(killed)}"
    (broken := tmp_path / "broken.v").write_text(
        verilog.read_text().replace(f".{SELECT}({SELECT})", f".{SELECT}({always})")
    )
    with pytest.raises(
        SimulationError, match=f"Complaint: test {TEST} complains of the controller without a mut"
    ):
        run(broken, numbers, tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_changes_are_those_of_the_seed(made, tmp_path):
    verilog, changes = made
    same, again = mutated(TINY, 10, 2, tmp_path / "same")
    assert again == changes
    assert same.read_text() == verilog.read_text()
    assert all("-cell" in change.text and str(tmp_path) not in change.text for change in changes)
    assert all(change.module and change.text.startswith(change.mode) for change in changes)
