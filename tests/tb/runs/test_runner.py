"""Runs with a stand-in for the simulator: what is built, what is sent, what comes of the result."""

import json

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.mapping.mapping import MappingError
from bridgebnn.tb.runs import runner
from bridgebnn.tb.runs.jobs import InferJob, ProgramJob, RegistersJob, ScenariosJob
from bridgebnn.tb.runs.layers import run_layers
from bridgebnn.tb.runs.reports import Programming, RunReport, verdict
from bridgebnn.tb.runs.runner import infer, program, run_scenarios, walk_registers
from bridgebnn.tb.runs.tables import show_reports
from bridgebnn.tb.simulators import Simulation

from .stand_in import GEOMETRY, RESULT, job, network, stand_in

LEGACY = """sim attach macro ideal chip seed images accuracy classes scores golden_mismatches golden_first golden_images
model_mismatches model_first model_images cycles_per_image row_reads read_cycles cycles cycles_per_s row_reads_per_s
wall_s cpu_s programming model_programming state_equal state_equal_after read_numbers_equal agent build_s log preset
waves ok"""


def test_infer_sends_the_job_and_gives_a_report(monkeypatch):
    simulator = stand_in(monkeypatch)
    report = infer(job(chip=7, seed=9, plus_args=["+mutant=3"]), timeout_s=5.0)
    (call,), (received,) = simulator.calls, simulator.received
    assert call["module"] == "bridgebnn.tb.testbenches.infer"
    assert (call["timeout_s"], call["plus_args"]) == (5.0, ("+mutant=3",))
    assert (received.chip, received.seed) == (7, 9)
    assert call["built"].top == "bridgebnn_shell"
    assert not call["folder"].exists()  # nothing stays behind
    assert isinstance(report, RunReport)
    assert report.schema_version == 1
    assert report.ok is True
    assert isinstance(report.programming, Programming)
    assert report["programming"]["pulses"] == 5


def test_what_is_built(monkeypatch):
    simulator = stand_in(monkeypatch)
    for fields, top in (
        ({}, "bridgebnn_shell"),
        ({"attach": "strobe"}, "bridgebnn"),
        ({"attach": "none"}, "bridgebnn"),
        ({"attach": "none", "tied": 2}, "bridgebnn_shell"),
    ):
        infer(job(**fields))
        assert simulator.calls[-1]["built"].top == top
    infer(job(verilog="mine.v", comparisons=5))
    assert simulator.calls[-1]["built"].sources[-1].name == "mine.v"


def test_the_folder_goes_when_the_run_fails(monkeypatch):
    simulator = stand_in(monkeypatch, {"sim": "icarus"})
    with pytest.raises(ValueError, match="RunReport needs attach, macro, ideal"):
        infer(job())
    assert not simulator.calls[0]["folder"].exists()


def test_a_report_holds_all_that_it_held_and_goes_through_json():
    report = RunReport.from_dict(RESULT)
    assert set(LEGACY.split()) <= set(report.as_dict())
    assert RunReport.from_dict(json.loads(json.dumps(report.as_dict()))) == report
    with pytest.raises(ValueError, match="did you mean 'chip'"):
        RunReport.from_dict(RESULT | {"chips": 3})
    with pytest.raises(ValueError, match=r"RunReport\.schema_version = 2: must be 1"):
        RunReport.from_dict(RESULT | {"schema_version": 2})


@pytest.mark.parametrize(
    ("ideal", "golden", "model", "ok"),
    [
        (True, 0, 0, True), (True, 1, 0, False), (True, 0, 1, False), (False, 1, 0, True), (False, 0, 1, False),
        (True, None, None, None), (False, 0, None, None),
    ],
)  # fmt: skip
def test_verdict(ideal, golden, model, ok):
    assert verdict(ideal=ideal, golden=golden, model=model) is ok
    values = {"ideal": ideal, "golden_mismatches": golden, "model_mismatches": model}
    assert RunReport.from_dict(RESULT | values | {"ok": True}).ok is ok  # computed, never believed


def test_other_runs(monkeypatch):
    counts = dict.fromkeys(
        ("pulses", "verify_reads", "failures", "failed_rows", "cycles", "busy_cycles", "rows"), 1
    )
    done = counts | {"failed": [], "listed_rows": 0, "unlisted_rows": [[0, 1]], "state": "x"}
    simulator = stand_in(monkeypatch, done, ProgramJob)
    assert program(ProgramJob(random="2x3")).unlisted_rows == [[0, 1]]
    assert simulator.received[0].geometry == Geometry(rows=2, inputs=3, bias=0)
    stand_in(monkeypatch, {"outcomes": {"nothing": "ok"}}, ScenariosJob)
    assert run_scenarios(ScenariosJob(**job(program="preload"))).outcomes == {"nothing": "ok"}
    stand_in(monkeypatch, {"sent": 3, "compared": 3, "terminations": 3}, RegistersJob)
    built = Simulation(sim="icarus", top="x", sources=[])
    assert walk_registers(RegistersJob(geometry=GEOMETRY), built).compared == 3


def test_run_layers_asks_for_what_it_was_told(monkeypatch):
    simulator = stand_in(monkeypatch, RESULT | {"compared": 9 * 3})
    weights = [np.ones((3, 9), int), [[1, -1, 1]]]
    report = run_layers(
        weights,
        np.eye(9, dtype=int),
        thresholds=[[0.5, 1, -2], [3]],
        inputs=4,
        bias=1,
        macro="real",
        chip=3,
        seed=5,
    )
    (sent,) = simulator.received
    assert (sent.macro.name, sent.chip, sent.seed) == ("real", 3, 5)
    assert (sent.geometry.tiles, sent.geometry.inputs, sent.geometry.bias, sent.geometry.rows) == (3, 4, 1, 4)
    assert sent.network.operations[0].thresholds.tolist() == [[1, 1, -2]]
    assert sent.network.operations[1].output == "score"
    assert len(report.golden_scores) == 9


def test_tables(capsys):
    repaired = {"columns": [[0, 0, 3]], "rows": [], "moved_neurons": 2, "wrong_cells": 0, "passes": 2}
    programming = RESULT["programming"] | {"repair": repaired}
    reports = [
        RunReport.from_dict(RESULT),
        RunReport.from_dict(RESULT | {"programming": programming, "preset": "p"}),
    ]
    show_reports(reports)
    out = capsys.readouterr().out
    for text in ("p, ideal, 1", "cycles per image", "1, 0", "2, 0"):
        assert text in out
    assert network().n_in == 6
    assert InferJob.TESTBENCH.endswith("infer")


def test_a_network_that_does_not_fit_ends_before_anything_is_built(monkeypatch):
    simulator, built = stand_in(monkeypatch), []
    monkeypatch.setattr(runner, "generated", lambda *shape: built.append(shape))
    with pytest.raises(MappingError, match="would fit"):
        infer(job(network=network(20), images=[[0] * 20]))
    assert built == simulator.calls == []
