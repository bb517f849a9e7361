"""Runs: a result or one line that says why not; nothing of the caller's environment reaches in."""

import os

import pytest

from bridgebnn.paths import build_root
from bridgebnn.tb.simulators import SimulationError, run
from bridgebnn.tb.simulators.environment import run_environment

OURS = "tests.tb.simulators.counting"


def job(cycles):
    return {"cycles": cycles, "folder": "."}


def test_a_result_and_a_log_are_what_is_left(counter, tmp_path):
    seen = []
    result = run(counter, OURS, job(cycles=40), progress=seen.append)
    assert result["count"] in (42, 43)  # from 3; whether the last edge is seen is the simulator's
    assert seen[-1] == {"stage": "counting", "done": 40, "total": 40}
    run_folder = build_root() / "runs" / os.path.basename(result["here"])
    assert [item.name for item in run_folder.iterdir()] == ["run.log"]
    again = run(counter, OURS, job(cycles=40), folder=tmp_path / "a b")
    assert again["build_s"] == 0
    assert (tmp_path / "a b" / "result.json").exists()


def test_exported_variables_do_not_reach_into_runs(counter, monkeypatch):
    for name, value in {
        "COCOTB_TESTCASE": "absent", "COCOTB_TEST_FILTER": "absent", "COCOTB_TEST_MODULES": "absent",
        "COCOTB_TOPLEVEL": "absent", "COCOTB_RANDOM_SEED": "x", "COCOTB_PLUSARGS": "+absent", "PLUSARGS": "+absent",
        "COCOTB_MAX_FAILURES": "0", "COCOTB_RESULTS_FILE": "/dev/null/x", "COCOTB_SCHEDULER_DEBUG": "1",
        "MODULE": "absent", "TESTCASE": "absent", "TOPLEVEL": "absent", "SIM": "modelsim", "WAVES": "1",
        "GPI_USERS": "/absent.so", "GPI_EXTRA": "/absent.so", "PYGPI_PYTHON_BIN": "/absent", "LIBPYTHON_LOC": "/absent",
        "PYTHONHOME": "/absent", "VERILATOR_ROOT": "/absent", "MAKEFLAGS": "n", "MAKEFILES": "/absent.mk",
        "CXXFLAGS": "-fabsent", "IVERILOG_DUMPER": "none",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    object.__setattr__(
        counter, "defines", ["OTHER"]
    )  # not the build of the other tests: building is meant, too
    result = run(counter, OURS, job(cycles=3))
    foreign = {"COCOTB_TESTCASE", "COCOTB_TEST_FILTER", "COCOTB_PLUSARGS", "MODULE", "SIM", "PYTHONHOME"}
    assert not foreign & set(result["variables"])


def test_products_take_one_thread_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert run_environment("top", "module", None, tmp_path)["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert run_environment("top", "module", None, tmp_path)["OPENBLAS_NUM_THREADS"] == "3"


def test_an_ordinary_cocotb_test_is_told_what_is_missing(counter):
    with pytest.raises(SimulationError, match=r"decorator bridgebnn\.tb\.runs\.job\.testbench") as caught:
        run(counter, "tests.tb.simulators.plain", {})
    assert "waits of tests.tb.simulators.plain" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.log.exists()


def test_a_filter_that_leaves_nothing_is_a_crash(counter):
    with pytest.raises(SimulationError, match=r"^Crash: \w+ ended without a result"):
        run(counter, OURS, job(cycles=3), testcase="absent")


def test_limits(counter):
    with pytest.raises(SimulationError, match=r"^Timeout: no end after 1 s"):
        run(counter, OURS, job(cycles=10**9), timeout_s=1)
