"""Verilog and ``geometry.json`` of a controller."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from amaranth.back import verilog

from .config import Geometry, Timing
from .controller import Controller
from .register_map import RegisterMap, register_map

__all__ = ["TOP", "description", "generate", "verilog_text"]

TOP = "bridgebnn"
"""Name of the top module."""


def verilog_text(geometry: Geometry, timing: Timing | None = None) -> str:
    """Verilog 2005 of the controller, module ``bridgebnn``.

    Carries no source locations: the text depends on the geometry, the timing and the versions of Amaranth
    and Yosys alone.
    """
    controller = Controller(geometry, timing)
    return verilog.convert(controller, name=TOP, emit_src=False, strip_internal_attrs=True)


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
    text = verilog_text(geometry, timing)
    out.mkdir(parents=True, exist_ok=True)
    verilog_file = out / f"{TOP}.v"
    verilog_file.write_text(text)
    facts = description(
        geometry, timing, preset=preset, sha256=hashlib.sha256(verilog_file.read_bytes()).hexdigest()
    )
    (json_file or out / "geometry.json").write_text(json.dumps(facts, indent=2) + "\n")
    return verilog_file
