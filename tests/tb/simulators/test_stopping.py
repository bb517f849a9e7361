"""A simulator never outlives its command, and a command that is ended leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridgebnn.tb.runs import runner
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.simulators import build
from tests import ROOT

from .conftest import EACH

INFER = ["infer", "--preset", "paper23", "--program", "preload", "--sim"]


def processes(root: Path) -> list[str]:
    """Command lines of the processes that build or run under a build root."""
    found, mark = [], f"BRIDGEBNN_BUILD={root}\0".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes() and (entry / "cmdline").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def command(root: Path, *arguments: str) -> subprocess.Popen:
    env = os.environ | {"BRIDGEBNN_BUILD": str(root), "TMPDIR": str(root / "tmp")}
    return subprocess.Popen(
        [sys.executable, "-m", "bridgebnn", "tb", *arguments],
        cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=heeding,
    )  # fmt: skip


def heeding() -> None:
    """Heed the signals that a command heeds: nohup and a shell's `&` leave some of them ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def until(condition, limit_s: float = 120.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.fixture
def warm(tmp_path, request) -> Path:
    """A build root that holds the controller's Verilog and the simulator, as a finished run leaves them.

    The build is that of ``tests/cosim/test_infer.py``.
    """
    job = InferJob(preset="paper23", sim=request.node.callspec.params["sim"], images=1, program="preload")
    verilog = runner.generated(job.geometry, job.timing)
    folder, _ = build(
        runner.simulation(job.sim, job.attach, job.geometry, verilog, comparisons=job.most_comparisons)
    )
    root = tmp_path / "root"
    shutil.copytree(folder, root / "sim" / folder.name)
    shutil.copytree(verilog.parent, root / "generated" / verilog.parent.name)
    (root / "tmp").mkdir()
    return root


@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up"), (signal.SIGINT, "interrupted")],
)
@pytest.mark.parametrize("sim", EACH)
def test_a_signal_in_mid_run_leaves_no_process_and_no_file(sim, number, word, warm):
    # a first run, to its end: what it leaves (a cache of Verilator's tools, a log) may be there before
    first = command(warm, *INFER, sim, "--images", "1")
    first.communicate(timeout=300)
    assert first.returncode == 0
    before, target = tree(warm), warm / "result.json"
    running = command(warm, *INFER, sim, "--images", "1000", "--json", str(target))
    until(lambda: len(processes(warm)) >= 3)  # the command, its lifeline, the simulator
    until(lambda: list(warm.glob("runs/*/progress.json")))
    for _ in range(3):  # service managers and terminals do not send only one
        running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (128 + number, "")
    assert err.splitlines()[-1] == f"bridgebnn tb infer: {word}"
    assert "Traceback" not in err
    assert processes(warm) == []
    assert tree(warm) == before


@pytest.mark.parametrize("sim", EACH)
def test_a_killed_command_takes_the_simulator_along(sim, warm):
    running = command(warm, *INFER, sim, "--images", "1000")
    until(lambda: list(warm.glob("runs/*/progress.json")))
    running.kill()
    running.communicate(timeout=60)
    until(lambda: processes(warm) == [], 10)


@pytest.mark.verilator
def test_a_signal_in_mid_build_leaves_no_process_and_no_file(tmp_path):
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    running = command(root, *INFER, "verilator", "--images", "1")
    until(lambda: any("cc1plus" in text for text in processes(root)))
    running.terminate()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert err.splitlines()[-1] == "bridgebnn tb infer: terminated"
    assert processes(root) == []
    assert {path.name for path in root.iterdir()} == {"generated", "sim", "tmp", "tools"}  # caches
    assert not list((root / "sim").iterdir())
    assert not list((root / "tmp").iterdir())
