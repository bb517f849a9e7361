"""What becomes of mutants, without a simulator: rounds, the solver's word, going on where a run has ended."""

import argparse
import json
from pathlib import Path

import pytest

from bridgebnn.command_line import guarded
from bridgebnn.tb.campaign import arguments as written
from bridgebnn.tb.campaign import measure as subject
from bridgebnn.tb.campaign import mutation_report
from bridgebnn.tb.campaign.equivalent import Sorted
from bridgebnn.tb.campaign.mutation import GEOMETRIES, MAPS, TESTS, Change
from bridgebnn.tb.commands import mutation as command
from bridgebnn.tb.runs.summaries import MutationReport

LINE = r"mutate -mode inv -ctrl mutant 16 1 -module m -cell $flatten\layer.\reader.$procmux${n} -port B -portbit 2"
WHOLE = (
    "module bridgebnn_layer(a);\n  assign a = 1;\nendmodule\nmodule bridgebnn(b);\n  layer l(b);\nendmodule\n"
)
ARGUMENTS = Path(__file__).resolve().parents[3] / "docs" / "mutants.toml"
ON_SPARES = tuple(test for test in TESTS if test not in MAPS)


@pytest.fixture
def runs(monkeypatch):
    """Five mutants: 1 falls to `reads`, 2 to the counters on Icarus, 3 is equivalent, 4 and 5 survive."""
    asked = []

    def mutated(geometry, count, seed, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "whole.v").write_text(WHOLE)
        return folder / "none.v", [Change.of(LINE.replace("{n}", str(n)), n) for n in range(1, count + 1)]

    def tested(stage, job, verilog, show, heard):
        asked.append((job.sim, job.numbers, job.tests))
        for number in job.numbers:
            test = {("verilator", 1): "reads", ("icarus", 2): "counters"}.get((job.sim, number), "")
            heard({"number": number, "test": test, "how": "a strobe" if test else "", "seconds": 1.0})

    class Solver:
        def __init__(self, folder):
            pass

        def sort(self, number, *, path, limit_s):
            assert path == "layer.reader"
            verdict = "equivalent" if number == 3 else "different"
            return Sorted(verdict=verdict, why="irq in cycle 3")

    monkeypatch.setattr(subject, "mutated", mutated)
    monkeypatch.setattr(subject, "_tested", tested)
    monkeypatch.setattr(subject, "Sorter", Solver)
    return asked


def run(file, *options):
    argv = ["--mutants", "5", "--geometry", "spares", "--json", str(file), *options]
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return guarded("mutation", lambda: command.run(parser.parse_args(argv)))


def test_each_goes_through_tests_then_the_other_simulator_then_the_solver(runs, tmp_path, capsys):
    file = tmp_path / "mutation.json"
    assert run(file) == 0
    assert runs == [("verilator", (1, 2, 3, 4, 5), ON_SPARES), ("icarus", (2, 3, 4, 5), ("counters",))]
    report = MutationReport.load(file)
    assert (report.total, report.killed, report.equivalent) == (5, 2, 1)
    assert report.killed_by == {"reads": 1, "counters, icarus": 1}
    assert report.survived == ["spares:4", "spares:5"]
    assert [record["seconds"] for record in report.records] == [1.0, 2.0, 2.0, 2.0, 2.0]
    assert {record["module"] for record in report.records} == {"layer.reader"}
    said = capsys.readouterr().out
    assert "2 of 5 killed, 1 proven equivalent, 0 equivalent by written argument, 2 survived" in said
    assert "Killed of those that are not proven equivalent: 2 of 4, 50.0 %." in said
    assert "spares:1   killed by reads" in said
    assert json.loads(file.read_text())["schema_version"] == 1


def test_a_run_goes_on_with_what_is_open(runs, tmp_path):
    assert run(file := tmp_path / "mutation.json") == 0
    runs.clear()
    assert run(file, "--resume") == 0
    assert runs == [("verilator", (4, 5), ON_SPARES), ("icarus", (4, 5), ("counters",))]
    assert MutationReport.load(file).killed == 2
    assert run(file, "--resume", "--seed", "2") == 2


def test_a_run_of_one_controller_goes_on_from_a_file_of_both(runs, tmp_path, monkeypatch):
    file = tmp_path / "mutation.json"
    assert run(file) == 0
    both = json.loads(file.read_text())
    both["records"] += [record | {"geometry": "maps"} for record in both["records"]]
    file.write_text(json.dumps(both))
    monkeypatch.setattr(command, "KEEP_S", -1.0)  # the file is written with each outcome
    assert run(file, "--resume") == 0
    assert {record["geometry"] for record in MutationReport.load(file).records} == {"spares"}


def test_without_a_solver_all_that_is_left_survives(runs, tmp_path):
    outcomes = subject.measure(
        "maps", GEOMETRIES["maps"], 3, 1, sim="icarus", tests=TESTS, proofs=False,
        show=lambda record: None, told=lambda outcome: None,
    )  # fmt: skip
    assert [outcome.verdict for outcome in outcomes] == ["survived", "killed", "survived"]
    ((sim, numbers, tests),) = runs  # no second simulator, and no test of dense layers alone
    assert (sim, numbers, tests) == ("icarus", (1, 2, 3), tuple(test for test in TESTS if test != "faults"))


def test_the_section_of_the_page(runs, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- generated: mutants -->\n<!-- end: mutants -->\n")
    assert run(file := tmp_path / "mutation.json", "--write", str(page)) == 0
    text = page.read_text()
    assert "2 of 5 killed, 1 proven equivalent" in text
    assert "| `layer.reader` | 5 | 2 | 1 | 0 | 2 | 50.0 % |" in text
    assert "| `reads` | 1 |" in text
    assert "| spares:4 | `layer.reader` |" in text
    assert run(file, "--results", str(file), "--write", str(page)) == 0
    assert page.read_text() == text
    assert mutation_report.score(mutation_report.tally([], "module")["all"]) is None


def argument(**changed):
    """An argument for mutant 4, as TOML."""
    fields = {
        "controller": "spares",
        "seed": 1,
        "change": Change.of(LINE.replace("{n}", "4"), 4).text,
        "modules": ["layer", ""],
        "sha256": written.checksum(WHOLE, ["layer", ""]),
        "reason": "The bit is never 1 | because the counter, which the check has limited, is below eight.",
    } | changed
    # a JSON array or string is one in TOML, too
    return "[[argued]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


def test_an_argument_counts_apart(runs, tmp_path, capsys):
    (arguments := tmp_path / "mutants.toml").write_text(argument())
    page = tmp_path / "page.md"
    page.write_text("<!-- generated: mutants -->\n<!-- end: mutants -->\n")
    file = tmp_path / "mutation.json"
    assert run(file, "--arguments", str(arguments), "--write", str(page)) == 0
    report = MutationReport.load(file)
    assert (report.killed, report.equivalent, report.argued, report.survived) == (2, 1, 1, ["spares:5"])
    said = capsys.readouterr().out
    assert (
        "not proven equivalent: 2 of 4, 50.0 %; leaving out those by argument, too: 2 of 3, 66.7 %." in said
    )
    text = page.read_text()
    assert "| `layer.reader` | 5 | 2 | 1 | 1 | 1 | 50.0 % |" in text
    assert "| The bit is never 1 \\| because the counter" in text
    assert "| spares:5 | `layer.reader` |" in text


@pytest.mark.parametrize(
    "changed",
    [
        {"change": Change.of(LINE.replace("{n}", "44"), 4).text},
        {"seed": 2},
        {"controller": "maps"},
        {"sha256": written.checksum(WHOLE.replace("a = 1", "a = 0"), ["layer", ""])},
        {"modules": ["layer"]},
        {"modules": ["layer", "gone"], "sha256": ""},
        {"modules": [], "sha256": ""},
    ],
)
def test_an_argument_for_something_else_does_not_count(runs, tmp_path, capsys, changed):
    (arguments := tmp_path / "mutants.toml").write_text(argument(**changed))
    assert run(file := tmp_path / "mutation.json", "--arguments", str(arguments)) == 0
    assert MutationReport.load(file).survived == ["spares:4", "spares:5"]
    assert ("stands for no mutant of this run" in capsys.readouterr().out) == ("controller" not in changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": "never 1"}, "'never 1': must be a reason, of 12 words at least"),
        ({"seed": "1"}, "argument 1: seed: must have controller, seed, change"),
        ({"verdict": "fine"}, "argument 1: verdict: must have"),
    ],
)
def test_arguments_that_are_none_are_refused(tmp_path, capsys, changed, said):
    (arguments := tmp_path / "mutants.toml").write_text(argument(**changed))
    assert run(tmp_path / "mutation.json", "--arguments", str(arguments)) == 2
    assert said in capsys.readouterr().err


def test_the_arguments_that_we_have_are_some():
    assert {argument.controller for argument in written.read_arguments(ARGUMENTS)} <= set(GEOMETRIES)
