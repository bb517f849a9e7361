"""Memories on SRAM macros, each beside its contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bridgebnn.kit.memories import FLIP_FLOPS
from bridgebnn.kit.verilog import render

from .kit import Kit, Refused, call, tool, verdict

__all__ = ["a_late_answer", "memories"]

CYCLES = 2000
"""Of random reads and writes of each memory."""


def memories(kit: Kit) -> str:
    """Each memory on macros, driven at random in Icarus, answers as docs/integration.md promises."""
    manifest = json.loads((kit.folder / "manifest.json").read_text())
    facts = json.loads((kit.folder / "geometry.json").read_text())["memories"]
    chosen = [m for m in facts if manifest["memories"][m["name"]] != FLIP_FLOPS]
    missing = {m["name"] for m in chosen} - set(re.findall(r"^module (\w+)", _text(kit), re.MULTILINE))
    if missing:
        raise Refused(f"{sorted(missing)[0]} is not in {_file(kit).name}")
    for memory in chosen:
        _beside_contract(kit, memory)
    return f"{len(chosen)} memories, {CYCLES} cycles each; macros {', '.join(sorted(kit.srams))}"


def _file(kit: Kit) -> Path:
    return kit.folder / "rtl" / f"{kit.name}_memories.v"


def _text(kit: Kit) -> str:
    return _file(kit).read_text()


def _beside_contract(kit: Kit, memory: dict[str, Any]) -> None:
    bench, binary = kit.work / "memory_bench.v", str(kit.work / "memory_bench.vvp")
    bench.write_text(render("memory_bench.v.j2", memory=memory, cycles=CYCLES))
    models = [f"macro/{name}.v" for name in kit.srams]
    words = [tool("iverilog", "iverilog"), "-g2005", "-Wall", "-s", "bench", "-o", binary]
    said = call([*words, f"rtl/{kit.name}_memories.v", *models, str(bench)], kit.folder)
    if said.strip():
        raise Refused(said.splitlines()[0])
    try:
        verdict(call([tool("vvp", "iverilog"), binary], kit.folder))
    except Refused as error:
        raise Refused(f"{memory['name']}: {error}") from None


def a_late_answer(kit: Kit, memory: str = "") -> None:
    """The macros of every memory, or of one, answer a cycle late."""
    late = r"reg \1answer;\n    always @(posedge clk) answer <= \2;"
    before, name, after = _text(kit).partition(f"module {memory}")
    after = re.sub(r"wire (\[\d+:0\] )?answer = (.*);", late, after, count=1 if memory else 0)
    _file(kit).write_text(f"{before}{name}{after}")
