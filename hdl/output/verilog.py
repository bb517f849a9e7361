"""Verilog and ``geometry.json`` of a controller."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.back.verilog import find_yosys
from amaranth.hdl import ClockDomain, Fragment
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Component

from bridgebnn import __version__
from bridgebnn.hdl.control.axi_controller import AxiController
from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.memory import LATENCY_CYC, MemoryModules, MemoryShape, SyncMemory
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.hdl.spec.register_map import RegisterMap, register_map

from .plain_names import plain, plain_rtlil

__all__ = [
    "TOP",
    "Generated",
    "MemoryModule",
    "component_verilog",
    "controller_name",
    "controller_verilog",
    "description",
    "generate",
    "header",
    "verilog_text",
]

TOP = "bridgebnn"
"""Name of the top module, unless another is asked for."""

EMPTY = re.compile(r"^  (?:wire|reg) \[-1:0\] \w+;\n", re.MULTILINE)
"""Declarations of no bits, which are unused."""

ATTRIBUTES = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")
"""Amaranth's own, which say nothing to others."""

START = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ ")
"""The register of each module that makes Yosys's processes run once at time 0: the one name it does not number."""

START_VALUE = ("  reg at_start_ = 0;\n", "  reg at_start_;\n  initial at_start_ = 0;\n")
"""Its value, as Yosys writes it and as we do. A value in a declaration is there before any process begins where a tool
reads the file as SystemVerilog (``iverilog -g2012``, which cocotb's flows use): no event, and ``always @*`` of constant
inputs stays X. The value of an ``initial`` is an event in both languages."""


def controller_name(name: str) -> str:
    """``name``, where it may be the name of a controller and the beginning of the names of its modules.

    Raises
    ------
    ValueError
        It is no plain identifier, or a keyword of Verilog or SystemVerilog.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        raise ValueError(f"name = {name!r}: must be letters, digits and underscores, and start with no digit")
    if plain(name) != name:
        raise ValueError(f"name = {name!r}: is a keyword of SystemVerilog; must be another word")
    return name


@dataclass(frozen=True, kw_only=True)
class MemoryModule:
    """A memory of the generated Verilog: its module, and where that is used.

    Parameters
    ----------
    name : str
        Of the module.
    shape : MemoryShape
    instances : tuple of str
        Paths inside the controller.
    """

    name: str
    shape: MemoryShape
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Verilog 2005 of a controller, and the memories in it."""

    text: str
    memories: tuple[MemoryModule, ...]


def verilog_text(
    geometry: Geometry,
    timing: Timing | None = None,
    *,
    name: str = TOP,
    init: bool = True,
    bus: Bus = Bus.WISHBONE,
) -> str:
    """Verilog 2005 of the controller, see `controller_verilog`."""
    return controller_verilog(geometry, timing, name=name, init=init, bus=bus).text


def controller_verilog(
    geometry: Geometry,
    timing: Timing | None = None,
    *,
    name: str = TOP,
    init: bool = True,
    bus: Bus = Bus.WISHBONE,
) -> Generated:
    """Verilog 2005 of the controller.

    Every name in it is a plain identifier, and no keyword of SystemVerilog either. Carries no source
    locations: the text depends on the arguments and the versions of this project, Amaranth and Yosys alone.

    Parameters
    ----------
    geometry : Geometry
    timing : Timing, optional
    name : str
        Of the top module; every other module is ``<name>_...``.
    init : bool
        Initial values of registers and memories, which simulators take and silicon has not.
    bus : Bus
        In front of the registers.

    Raises
    ------
    ValueError
        The name is none, see `controller_name`; no such bus.
    """
    timing = timing or Timing()
    kinds: dict[Bus, Callable[[Geometry, Timing], Component]] = {
        Bus.WISHBONE: Controller,
        Bus.AXI4LITE: AxiController,
        Bus.AXI4STREAM: functools.partial(AxiController, streams=True),
    }
    made = component_verilog(kinds[Bus(bus)](geometry, timing), name=name, init=init)
    return dataclasses.replace(made, text=header(geometry, timing, name=name, init=init, bus=bus) + made.text)


def component_verilog(component: Component, *, name: str, init: bool = True) -> Generated:
    """Verilog 2005 of any component, as `controller_verilog` writes it, without the header."""
    memories = MemoryModules(controller_name(name))
    texts = [rtlil.convert(component, name=name, platform=memories, emit_src=False)]
    texts += [_memory_module(module, shape) for module, shape in sorted(memories.shapes.items())]
    design = plain_rtlil("".join(texts), (name, *memories.shapes))
    used = _instances(design, name)
    found = [
        MemoryModule(name=module, shape=shape, instances=tuple(sorted(used[module])))
        for module, shape in sorted(memories.shapes.items())
    ]
    return Generated(text=_through_yosys(design, init), memories=tuple(found))


def _memory_module(name: str, shape: MemoryShape) -> str:
    """RTLIL of one kind of memory; its clock domain has no reset."""
    part = SyncMemory(**dataclasses.asdict(shape))
    domain = ClockDomain("sync", reset_less=True)
    fragment = Fragment.get(part, None)
    fragment.add_domains(domain)
    ports = {"clk": (domain.clk, PortDirection.Input)}
    ports |= {port: (getattr(part, port), PortDirection.Input) for port in shape.inputs}
    ports |= {port: (getattr(part, port), PortDirection.Output) for port in shape.outputs}
    return rtlil.convert_fragment(fragment, ports, name, emit_src=False)[0]


def _through_yosys(design: str, init: bool) -> str:
    """Verilog of RTLIL. The steps are those of `amaranth.back.verilog`, but for the names and ``init``.

    Without initial values decisions become multiplexers: processes that wait for a change of their inputs
    would need a first event, which Yosys makes with an initial value.
    """
    gone = " ".join(f"-remove {name}" for name in ATTRIBUTES)
    script = [f"read_rtlil <<rtlil\n{design}\nrtlil"]
    script += [] if init else ["attrmap -remove init", "delete t:$meminit_v2"]
    script += ["proc -nomux -norom" if init else "proc -norom", "memory_collect"]
    script += [f"attrmap {gone}", f"attrmap -modattr {gone}", "write_verilog"]
    yosys = find_yosys(lambda version: version >= (0, 40))
    text = yosys.run(["-q", "-"], "\n".join(script), ignore_warnings=True)
    return EMPTY.sub("", START.sub("at_start_", text)).replace(*START_VALUE)


def _instances(design: str, top: str) -> dict[str, list[str]]:
    """Paths of the instances of every module."""
    cells: dict[str, list[tuple[str, str]]] = {}
    for line in design.splitlines():
        if found := re.match(r"module \\(\w+)", line):
            inside = cells.setdefault(found[1], [])
        elif found := re.match(r"  cell \\(\w+) \\(\w+)", line):
            inside.append((found[1], found[2]))
    paths: dict[str, list[str]] = {}

    def walk(module: str, path: str) -> None:
        for kind, instance in cells[module]:
            here = f"{path}.{instance}" if path else instance
            paths.setdefault(kind, []).append(here)
            walk(kind, here)

    walk(top, "")
    return paths


def header(
    geometry: Geometry, timing: Timing, *, name: str = TOP, init: bool = True, bus: Bus = Bus.WISHBONE
) -> str:
    """The comment at the head of the Verilog: what this is, how to make it again, what reset covers.

    Of what the text depends on alone, whatever preset named it: equal controllers are equal files.
    """
    options = " ".join(f"--{n.replace('_', '-')} {v}" for n, v in dataclasses.asdict(geometry).items())
    options = f"--name {name} {options}" + ("" if init else " --no-init")
    options += "" if bus is Bus.WISHBONE else f" --bus {bus}"
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
        f"reset; nothing is used of them before it was written. Each is a module {name}_mem_*.",
    ]
    lines += ["Initial values are for simulators only."] if init else ["No initial values."]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines)


def description(
    geometry: Geometry,
    timing: Timing,
    *,
    preset: str | None = None,
    name: str = TOP,
    init: bool = True,
    bus: Bus = Bus.WISHBONE,
    memories: tuple[MemoryModule, ...] = (),
    sha256: str | None = None,
) -> dict[str, object]:
    """What software and testbenches need to know of a generated controller; plain JSON types."""
    registers = register_map(geometry, timing)
    return {
        "top": name,
        "preset": preset,
        "init": init,
        "bus": str(bus),
        "geometry": geometry.as_dict(),
        "timing": dataclasses.asdict(timing),
        "registers": _registers(registers),
        "windows": {
            w.name: {"address": w.offset, "words": w.words, "access": str(w.access)}
            for w in registers.windows
        },
        "memories": [_memory(m) for m in memories],
        "verilog_sha256": sha256,
    }


def _memory(module: MemoryModule) -> dict[str, object]:
    shape = module.shape
    ports = {"clk": ("input", 1)} | {n: ("input", w) for n, w in shape.inputs.items()}
    ports |= {n: ("output", w) for n, w in shape.outputs.items()}
    return {
        "name": module.name,
        "depth": shape.depth,
        "width": shape.width,
        "lanes": shape.lanes,
        "latency_cyc": LATENCY_CYC,
        "ports": {n: {"direction": way, "width": width} for n, (way, width) in ports.items()},
        "instances": list(module.instances),
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
    name: str = TOP,
    init: bool = True,
    bus: Bus = Bus.WISHBONE,
    preset: str | None = None,
    json_file: Path | None = None,
) -> Path:
    """Write ``<name>.v`` and ``geometry.json``.

    Parameters
    ----------
    out : Path
        Directory; made when absent.
    geometry : Geometry
    timing : Timing, optional
    name : str
        Of the top module; the names of all others begin with it.
    init : bool
        False leaves out every initial value of registers and memories.
    bus : Bus
        In front of the registers: Wishbone, or AXI4-Lite; or that and streams.
    preset : str, optional
        Name to record.
    json_file : Path, optional
        Where the description goes instead of ``out/geometry.json``.

    Returns
    -------
    Path
        The Verilog file.

    Raises
    ------
    ValueError
        The name is no plain identifier, or a file to be written is a folder.
    """
    timing = timing or Timing()
    verilog_file, target = out / f"{controller_name(name)}.v", json_file or out / "geometry.json"
    for file in (verilog_file, target):  # before the work, which takes seconds
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise ValueError(f"{file}: must be the name of a file, this is a folder")
    made = controller_verilog(geometry, timing, name=name, init=init, bus=bus)
    verilog_file.write_text(made.text)
    facts = description(
        geometry,
        timing,
        preset=preset,
        name=name,
        init=init,
        bus=bus,
        memories=made.memories,
        sha256=hashlib.sha256(verilog_file.read_bytes()).hexdigest(),
    )
    target.write_text(json.dumps(facts, indent=2) + "\n")
    return verilog_file
