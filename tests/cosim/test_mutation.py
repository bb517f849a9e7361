"""Mutants in one build: the controller as it is passes, and what is noticed is told with who noticed."""

import json

import pytest

from bridgebnn.tb.__main__ import main
from bridgebnn.tb.campaign import mutation
from bridgebnn.tb.runs.summaries import MutationReport

pytestmark = pytest.mark.icarus


def test_each_mutant_is_told(tmp_path, capsys):
    file = tmp_path / "mutation.json"
    options = ["--mutants", "3", "--seed", "2", "--sim", "icarus", "--test", "infer", "--json", str(file)]
    assert main(["mutation", *options]) == 0
    report = MutationReport.load(file)
    assert (report.total, report.tests, report.geometry) == (3, ["infer"], mutation.GEOMETRIES["spares"])
    assert [record["number"] for record in report.records] == [1, 2, 3]
    assert (
        report.killed == sum(bool(record["test"]) for record in report.records) == report.killed_by["infer"]
    )
    assert report.survived == [record["number"] for record in report.records if not record["test"]]
    assert all(bool(record["how"]) == bool(record["test"]) for record in report.records)
    assert f"{report.killed} of 3 killed" in capsys.readouterr().out
    assert json.loads(file.read_text())["schema_version"] == 1


def test_a_test_that_complains_of_the_controller_as_it_is_measures_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(mutation, "mutated", lambda *_: (tmp_path / "none.v", ["inv"]))
    monkeypatch.setattr(mutation, "noticed", lambda *_: "a complaint")
    with pytest.raises(ValueError, match="complains of the controller without a mutant: a complaint"):
        mutation.measure(
            mutation.GEOMETRIES["spares"], 1, 1, tmp_path, tests=("infer",), show=print, told=print
        )


def test_changes_are_those_of_the_seed(tmp_path):
    chosen = (("spares", 1), ("spares", 1), ("maps", 2))
    made = [
        mutation.mutated(mutation.GEOMETRIES[name], 5, seed, tmp_path / str(number))
        for number, (name, seed) in enumerate(chosen)
    ]
    assert made[0][1] == made[1][1] != made[2][1]
    assert made[0][0].read_text() == made[1][0].read_text()
    for _, changes in made:
        assert len(changes) == 5
        assert all("-cell" in change and str(tmp_path) not in change for change in changes)
