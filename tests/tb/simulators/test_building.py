"""Builds: cached whole or not at all, in any folder; what is missing or wrong is one line."""

import dataclasses
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridgebnn.paths import build_root
from bridgebnn.tb.simulators import Simulation, SimulationError, build, building, run, verilator

OURS = "tests.tb.simulators.counting"


@pytest.mark.parametrize("name", ["a b", "it's $HOME #1; 100%"])
def test_any_path_will_do(counter, name, monkeypatch, tmp_path):
    """Build folder, source and run folder."""
    before = set(verilator.plain_folder().glob("part-*"))  # what others have left
    shared = building._runtime()
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path / name))
    if counter.sim == "verilator" and name == "a b" and shared.is_dir():  # once is enough to compile it
        shutil.copytree(shared, building._runtime())
    source = tmp_path / f"{name}.d" / f"{name}.v"
    source.parent.mkdir()
    source.write_bytes(counter.sources[0].read_bytes())
    moved = Simulation(sim=counter.sim, top="counter", sources=[source], written=["clk"], read=["count"])
    assert run(moved, OURS, {"cycles": 5, "folder": "."})["count"] in (7, 8)
    folder, seconds = build(moved)
    assert seconds == 0
    kept = {"build.log", building.BINARY[counter.sim]}
    kept |= {"source0.v", "timescale.f"} if counter.sim == "icarus" else set()
    assert {item.name for item in folder.iterdir()} == kept
    assert not list(tmp_path.rglob("part-*"))
    assert set(verilator.plain_folder().glob("part-*")) <= before


def test_several_at_once_build_once(counter, monkeypatch, tmp_path):
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(build, [counter] * 3))
    assert len({folder for folder, _ in done}) == 1
    assert sum(seconds > 0 for _, seconds in done) == 1
    if counter.sim == "verilator":  # its own runtime is compiled once for all designs
        assert "verilated_vpi.cpp" in (done[0][0] / "build.log").read_text()
        other, _ = build(dataclasses.replace(counter, defines=["ANOTHER"]))
        assert "verilated_vpi.cpp" not in (other / "build.log").read_text()
    assert not [
        item for item in (tmp_path / "sim").iterdir() if item.name.startswith("part-") or item.is_file()
    ]


def test_a_failed_build_leaves_its_log(counter, monkeypatch, tmp_path):
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path))
    source = tmp_path / "bad.v"
    source.write_text("module counter(input clk; endmodule\n")
    for _ in range(2):
        with pytest.raises(
            SimulationError, match=rf"^Build: {counter.sim} could not build counter"
        ) as caught:
            build(Simulation(sim=counter.sim, top="counter", sources=[source]))
        assert "bad.v" in caught.value.log.read_text()
        assert "\n" not in str(caught.value)
    assert not [item for item in (tmp_path / "sim").iterdir() if not item.name.startswith("runtime-")]


def test_the_digest_knows_everything(counter, tmp_path):
    first = building.digest(counter)
    source = tmp_path / "counter.v"
    source.write_bytes(counter.sources[0].read_bytes() + b"\n")
    for change in (
        {"sources": [source]}, {"defines": ["A"]}, {"parameters": {"START": 4}},
        {"written": []}, {"read": []}, {"top": "x"},
    ):  # fmt: skip
        assert building.digest(Simulation(**(vars(counter) | change))) != first
    assert building.digest(Simulation(**vars(counter))) == first


def test_missing_simulators_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    verilator._package.cache_clear()
    for sim, text in (("icarus", "Icarus Verilog is not installed"), ("verilator", r"Verilator needs g\+\+")):
        with pytest.raises(SimulationError, match=f"^Missing: {text}"):
            build(Simulation(sim=sim, top="x", sources=[]))


def test_a_folder_that_may_not_be_used_is_refused(monkeypatch, tmp_path):
    """Someone else's folder of our name among temporary files."""
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path / "a b"))
    monkeypatch.setattr(verilator.tempfile, "gettempdir", lambda: str(tmp_path))
    assert verilator.plain_folder().parent == tmp_path
    verilator.plain_folder().rmdir()
    (tmp_path / "else").mkdir()
    (tmp_path / f"bridgebnn-{verilator.os.getuid()}").symlink_to(tmp_path / "else")
    assert verilator.plain_folder().parent != tmp_path
    assert build_root() == tmp_path / "a b"


@pytest.mark.verilator
def test_no_program_but_those_that_debian_has():
    """The package's makefile names its tools twice, the second time `python`, which Debian has not."""
    makefile = (verilator.root() / "include" / "verilated.mk").read_text()
    for name, value in verilator._CORRECTED.items():
        assert {line.split("=", 1)[1].strip() for line in re.findall(rf"(?m)^{name} *=.*$", makefile)} == {
            value
        }
