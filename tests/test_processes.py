"""Processes end with whoever started them, and with all that they started themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridgebnn.processes import Ended, captured, started, workers
from tests import ROOT

TREE = "sleep 1000 & echo $! > child; echo begun; sleep 1000"


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def until(condition, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def child(folder: Path) -> int:
    until(lambda: (folder / "child").exists() and (folder / "child").read_text().strip())
    return int((folder / "child").read_text())


def test_what_a_command_writes_and_its_status(tmp_path):
    assert captured(["sh", "-c", "echo out; echo err >&2; exit 3"], cwd=tmp_path) == (3, "out\nerr\n")
    assert captured(["sh", "-c", "kill -9 $$"], cwd=tmp_path)[0] == 128 + signal.SIGKILL
    assert captured(["absent-program"], cwd=tmp_path) == (127, "absent-program: No such file or directory\n")
    assert captured(["sh", "-c", "pwd; cat"], cwd=tmp_path, env={"PATH": os.environ["PATH"]}) == (
        0,
        f"{tmp_path}\n",
    )


def test_a_limit_ends_the_whole_tree(tmp_path):
    assert captured(["sh", "-c", TREE], cwd=tmp_path, limit_s=1) == (None, "begun\n")
    assert not alive(child(tmp_path))


def test_an_exception_ends_the_whole_tree(tmp_path):

    def interrupted():
        with (
            (tmp_path / "log").open("wb") as log,
            started(["sh", "-c", TREE], cwd=tmp_path, env=os.environ, log=log),
        ):
            assert alive(child(tmp_path))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not alive(child(tmp_path))


def test_a_killed_parent_takes_the_whole_tree_along(tmp_path):
    code = (
        f"from bridgebnn.processes import captured; captured(['sh', '-c', {TREE!r}], cwd={str(tmp_path)!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as parent:
        grandchild = child(tmp_path)
        parent.kill()
    until(lambda: not alive(grandchild), 5)


def test_workers_give_up_what_runs_and_what_has_not_begun(tmp_path):
    ran = []

    def work(number):
        ran.append(number)
        captured(["sh", "-c", TREE], cwd=tmp_path)
        captured(["sh", "-c", "echo > second"], cwd=tmp_path)  # a worker that goes on gets no further

    waiting = []

    def interrupted():
        with workers(1) as pool:
            waiting.extend(pool.submit(work, number) for number in range(3))
            child(tmp_path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert isinstance(waiting[0].exception(), Ended)
    assert all(later.cancelled() for later in waiting[1:])
    assert ran == [0]
    assert not (tmp_path / "second").exists()
    assert captured(["true"], cwd=tmp_path) == (0, "")  # others start again
