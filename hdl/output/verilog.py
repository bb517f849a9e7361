"""Verilog and ``geometry.json`` of a controller."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from pathlib import Path

from amaranth.back import verilog

from bridgebnn import __version__
from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.register_map import RegisterMap, register_map

__all__ = ["TOP", "description", "generate", "header", "verilog_text"]

TOP = "bridgebnn"
"""Name of the top module."""


def verilog_text(geometry: Geometry, timing: Timing | None = None) -> str:
    """Verilog 2005 of the controller, module ``bridgebnn``.

    Carries no source locations: the text depends on the geometry, the timing and the versions of this
    project, Amaranth and Yosys alone.
    """
    timing = timing or Timing()
    controller = Controller(geometry, timing)
    text = verilog.convert(controller, name=TOP, emit_src=False, strip_internal_attrs=True)
    return header(geometry, timing) + text


def header(geometry: Geometry, timing: Timing) -> str:
    """The comment at the head of the Verilog: what this is, how to make it again, what reset covers.

    Of the geometry and the timing alone, whatever preset named them: equal controllers are equal files.
    """
    options = " ".join(f"--{n.replace('_', '-')} {v}" for n, v in dataclasses.asdict(geometry).items())
    cycles = {n: v for n, v in dataclasses.asdict(timing).items() if isinstance(v, int)}
    pulses = {op: dataclasses.asdict(getattr(timing, op)) for op in ("form", "set", "reset")}
    lines = [
        f"{TOP} {__version__}: controller of ReRAM bridge macros. SPDX-License-Identifier: Apache-2.0",
        "Generated, do not edit. Amaranth " + importlib.metadata.version("amaranth") + "; again with",
        f"  bridgebnn hdl generate --out DIR {options}",
        "Reset values of the timing registers (cycles; pulses: cycles, DAC codes):",
        "  " + ", ".join(f"{name} {value}" for name, value in cycles.items()),
        *(f"  {op}: " + ", ".join(f"{n} {v}" for n, v in f.items()) for op, f in pulses.items()),
        "One clock, synchronous reset of every flip-flop but the read registers of the memories. Memories are not",
        "reset: their `initial` blocks are for simulators; nothing is used of them before it was written.",
    ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines)


def description(
    geometry: Geometry, timing: Timing, *, preset: str | None = None, sha256: str | None = None
) -> dict[str, object]:
    """What software and testbenches need to know of a generated controller; plain JSON types."""
    registers = register_map(geometry, timing)
    return {
        "top": TOP,
        "preset": preset,
        "geometry": geometry.as_dict(),
        "timing": dataclasses.asdict(timing),
        "registers": _registers(registers),
        "windows": {
            w.name: {"address": w.offset, "words": w.words, "access": str(w.access)}
            for w in registers.windows
        },
        "verilog_sha256": sha256,
    }


def _registers(registers: RegisterMap) -> dict[str, object]:
    return {
        r.name: {
            "address": r.offset,
            "access": str(r.access),
            "reset": r.reset,
            "fields": {f.name: {"lsb": f.lsb, "width": f.width} for f in r.fields},
        }
        for r in registers.registers
    }


def generate(
    out: Path,
    geometry: Geometry,
    timing: Timing | None = None,
    *,
    preset: str | None = None,
    json_file: Path | None = None,
) -> Path:
    """Write ``bridgebnn.v`` and ``geometry.json``.

    Parameters
    ----------
    out : Path
        Directory; made when absent.
    geometry : Geometry
    timing : Timing, optional
    preset : str, optional
        Name to record.
    json_file : Path, optional
        Where the description goes instead of ``out/geometry.json``.

    Returns
    -------
    Path
        The Verilog file.
    """
    timing = timing or Timing()
    verilog_file, target = out / f"{TOP}.v", json_file or out / "geometry.json"
    for file in (verilog_file, target):  # before the work, which takes seconds
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise ValueError(f"{file}: must be the name of a file, this is a folder")
    verilog_file.write_text(verilog_text(geometry, timing))
    facts = description(
        geometry, timing, preset=preset, sha256=hashlib.sha256(verilog_file.read_bytes()).hexdigest()
    )
    target.write_text(json.dumps(facts, indent=2) + "\n")
    return verilog_file
