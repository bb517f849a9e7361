"""``bridgebnn tb``, the examples and the waveform: what a user calls."""

import json
import os
import re
import subprocess
import sys

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.__main__ import main
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.simulators import Simulation, SimulationError, run
from tests import ROOT

from . import small


def call(*arguments: str, **env: str) -> subprocess.CompletedProcess:
    """Run Python with these arguments in the checkout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | env,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["infer", "--preset", "nope"], "unknown preset 'nope'"),
        (["infer", "--images", "0"], "must be an integer from 1 to 10000"),
        (["infer", "--sim", "modelsim"], "invalid choice"),
        (["infer", "--network", "absent.npz"], "absent.npz"),
        (["infer", "--network", "pyproject.toml"], "pyproject.toml"),
        (
            ["infer", "--preset", "paper23", "--network", "data/mnist-784-512-512-10.npz"],
            "1034 would fit",
        ),
        (["infer", "--preset", "paper23", "--waves", "x.vcd", "--attach", "prefetch"], "waves"),
        (["infer", "--macro-params", "absent.json"], "absent.json"),
        (["infer", "--macro-params", "pyproject.toml"], "pyproject.toml: "),
        (["infer", "--macro-params", "{}/unknown.json"], "BridgeParams has no field 'r_rail'"),
        (["infer", "--macro-params", "{}/range.json"], "r_feed_ohm = -1: must be from 0.0 to 1000000.0 ohm"),
        (["infer", "--macro-params", "x.json", "--macro", "real"], "not allowed with"),
        (["frobnicate"], "invalid choice"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, capsys):
    (tmp_path / "unknown.json").write_text('{"bridge": {"r_rail": 1}}')
    (tmp_path / "range.json").write_text('{"bridge": {"r_feed_ohm": -1}}')
    try:
        status = main([argument.format(tmp_path) for argument in arguments])
    except SystemExit as end:
        status = end.code
    assert status == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said


def test_bad_input_of_a_whole_command():
    done = call("-m", "bridgebnn", "tb", "infer", "--preset", "nope")
    assert done.returncode == 2
    assert "unknown preset 'nope'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help():
    done = call("-m", "bridgebnn", "tb", "infer", "--help")
    assert done.returncode == 0
    assert "--attach" in done.stdout


@pytest.mark.icarus
def test_infer_command(tmp_path):
    target = tmp_path / "r.json"
    done = call(
        "-m",
        "bridgebnn",
        "tb",
        "infer",
        "--preset",
        "paper23",
        "--images",
        "1",
        "--sim",
        "icarus",
        "--json",
        str(target),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(target.read_text())
    wanted = "images accuracy golden_mismatches model_mismatches chip seed sim wall_s"
    wanted += " cycles_per_image row_reads cycles_per_s"
    assert set(wanted.split()) <= set(report)
    assert {"pulses", "verify_reads", "failures", "cycles"} <= set(report["programming"])
    assert report["golden_mismatches"] == report["model_mismatches"] == 0


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("my_network", r"mismatches: +0 of"),
        ("one_neuron", r"ideal -{12}\+{12} flips at popcount 12"),
        ("own_testbench", r"refused: PROGRAM_ROW ended in LOCKED(?s:.*)PASS=1 FAIL=0"),
    ],
)
def test_example(name, wanted):
    done = call("-m", f"examples.{name}")
    assert done.returncode == 0, done.stderr
    assert re.search(wanted, done.stdout + done.stderr)
    assert "Warning" not in done.stdout + done.stderr


@pytest.mark.icarus
def test_waveform_holds_pins_and_analog_nodes(tmp_path):
    path = tmp_path / "w.vcd"
    small.run("icarus", "strobe", count=1, program="bus", waves=path, waves_program=True)
    text = path.read_text()
    assert "$timescale 1 ns $end" in text
    real = dict(re.findall(r"\$var real 64 (\S+) (\S+) \$end", text))
    assert {"VP_V", "VN_V", "dV_V", "SL0_V", "VPROG_V", "VWL_V", "RAILS_V"} == set(real.values())
    wires = set(re.findall(r"\$var wire \d+ \S+ (\S+)", text))
    assert {"clk", "row", "wl_en", "bl", "precharge", "evaluate", "sense", "pulse", "cmp", "sl"} <= wires
    for code, name in real.items():
        values = {v for v, c in re.findall(r"^r(\S+) (\S+)$", text, re.MULTILINE) if c == code}
        assert len(values) > 1, f"{name} never moves"
    times = [int(t) for t in re.findall(r"^#(\d+)$", text, re.MULTILINE)]
    assert times == sorted(times)


@pytest.mark.icarus
def test_crash_and_errors_are_one_line(tmp_path):
    source = tmp_path / "bridgebnn.v"
    source.write_text("module bridgebnn(input clk); endmodule\n")
    simulation = Simulation(sim="icarus", top="bridgebnn", sources=[source])
    for module, pattern in (
        ("bridgebnn.tb.testbenches.absent", r"^Crash: icarus ended without a result: ModuleNotFoundError"),
        ("bridgebnn.tb.testbenches.infer", r"^ValueError: InferJob without 'folder': must come from"),
    ):
        with pytest.raises(SimulationError, match=pattern) as caught:
            run(simulation, module, {})
        assert "\n" not in str(caught.value)
        assert caught.value.log.exists()
    source.write_text("module bridgebnn(input clk; endmodule\n")
    with pytest.raises(SimulationError, match=r"^Build: icarus could not build") as caught:
        run(Simulation(sim="icarus", top="bridgebnn", sources=[source]), "bridgebnn.tb.testbenches.infer", {})
    assert "\n" not in str(caught.value)


@pytest.mark.icarus
def test_silence_ends_in_a_timeout():
    with pytest.raises(SimulationError, match=r"^Timeout: no end after 0\.5 s"):
        infer(small.job("icarus", "strobe", 200, comparisons=None, program="bus"), timeout_s=0.5)


def test_unknown_simulator():
    with pytest.raises(ValueError, match="unknown simulator 'modelsim'"):
        Simulation(sim="modelsim", top="x", sources=[])


def test_vectors_that_do_not_fit():
    with pytest.raises(ValueError, match="must be"):
        small.job("icarus", "strobe", images=small.vectors(2, 39))
    with pytest.raises(ValueError, match="no input vectors"):
        small.job("icarus", "strobe", count=0)
    with pytest.raises(ValueError, match="tiles = 2 would fit"):
        infer(small.job("icarus", "strobe", geometry=Geometry()))
