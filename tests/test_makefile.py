"""The Makefile: every target takes ``OUT`` with spaces, and prints its help."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from bridgebnn.hdl.spec import PRESETS, preset
from tests import ROOT

STUB = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    print(json.dumps([os.environ["BRIDGEBNN_BUILD"], *sys.argv[1:]]), file=log)
"""


@pytest.fixture
def folder(tmp_path):
    """The Makefile in a folder whose virtual environment writes down how it was called."""
    place = tmp_path / "check out"
    programs = place / ".venv" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", place)
    for name in ("bridgebnn", "python", "ruff", "lint-imports", "pyright", "mypy"):
        (programs / name).write_text(STUB.format(python=sys.executable, log=str(tmp_path / "log")))
        (programs / name).chmod(0o755)
    (place / "scripts").mkdir()
    (place / "scripts" / "setup.sh").write_text("true\n")
    return place


def make(folder, *arguments, status=0):
    command = ["make", "-o", ".venv/.ready", *arguments]
    outer = ("BRIDGEBNN_BUILD", "OUT", "ARGS", "JOBS", "MAKEFLAGS", "MAKELEVEL")  # of `make test` itself
    env = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    log = folder.parent / "log"
    return done.stdout, [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def targets():
    return [
        line.split()[1] for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY")
    ]


@pytest.mark.parametrize("target", sorted(set(targets()) - {"help", "setup", "clean"}))
@pytest.mark.parametrize("out", ["out dir", "/abs olute/out dir"])
def test_a_folder_with_spaces(target, out, folder):
    _, calls = make(folder, target, f"OUT={out}")
    assert calls
    whole = out if out.startswith("/") else f"{folder}/{out}"
    for build, *arguments in calls:
        assert build == whole
        assert not {"out", "dir", "olute/out", "/abs"} & set(arguments)  # no path fell apart
        assert all(f"{out}" in text for text in arguments if "out" in text and "dir" in text)


def test_clean_takes_the_folder_and_no_other(folder):
    for name in ("out", "dir", "out dir"):
        (folder / name).mkdir()
    make(folder, "clean", "OUT=out dir")
    assert {item.name for item in folder.iterdir()} >= {"out", "dir"}
    assert not (folder / "out dir").exists()


def test_help_names_every_target(folder):
    text, _ = make(folder)
    assert not [name for name in targets() if f"  make {name} " not in text and name != "help"]


def test_the_slowest_tests_are_printed(folder):
    _, calls = make(folder, "test")
    assert "--durations=20" in calls[0]


@pytest.mark.parametrize("tool", ["ruff", "lint-imports", "mypy"])
def test_what_a_checker_finds_ends_lint(tool, folder):
    make(folder, "lint")
    checker = folder / ".venv" / "bin" / tool
    checker.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    make(folder, "lint", status=2)


def test_verilog_makes_every_array_of_the_presets(folder):
    make(folder, "verilog")
    called = [json.loads(line) for line in (folder.parent / "log").read_text().splitlines()]
    names = [words[words.index("--preset") + 1] for words in called]
    assert len(names) == len(set(names))
    made = {preset(name).geometry for name in names}
    assert made == {p.geometry for p in PRESETS.values()}
