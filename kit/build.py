"""Everything that ``bridgebnn kit`` writes, and the manifest that lists it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn import __version__
from bridgebnn.hdl.output.verilog import controller_name, controller_verilog, description
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.pins import Bus, host_ports
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.golden import forward

from . import bus_script, diagrams
from .constraints import constraints
from .datasheet import datasheets
from .gds import available, frame_gds
from .lef import lef
from .liberty import CORNERS, liberty
from .librelane import librelane_config
from .macro import Macro
from .memories import FLIP_FLOPS, Technology
from .memory_verilog import memories_toml, sram_model, sram_stub, technology_verilog
from .registers import register_views
from .software import software
from .verilog import cell_lines, macro_model, modules, netlist, render, stub, system, waivers

__all__ = ["PROGRAMMED_ROWS", "KitRequest", "write_kit"]

PROGRAMMED_ROWS = 64
"""Up to so many rows, the testbench programs them over the bus unless told otherwise; above, it preloads them."""


BUS_NAMES = {Bus.WISHBONE: "Wishbone", Bus.AXI4LITE: "AXI4-Lite", Bus.AXI4STREAM: "AXI4-Lite and AXI4-Stream"}

TIMESCALE = "`timescale 1ns / 1ps\n\n"


@dataclass(frozen=True, kw_only=True, eq=False)
class KitRequest:
    """What a kit is made of.

    Parameters
    ----------
    name : str
        Of the controller; every other name begins with it.
    mapping : Mapping
        A network on the geometry, for the testbench.
    timing : Timing
    images : {0, 1}, (n, n_in)
        Input vectors of the testbench, at least one.
    bus : Bus
        In front of the controller's registers.
    init : bool
        Initial values in the controller's Verilog.
    command : str
        The command that makes the same kit again.
    technology : Technology
        Which memories are on SRAM macros; none by default.
    views : mapping of str to bytes
        Files of these macros by their path in the kit, of `bridgebnn.kit.memories.views`.

    Raises
    ------
    ValueError
        The name is none, or there is no image.
    """

    name: str
    mapping: Mapping
    timing: Timing
    images: np.ndarray
    bus: Bus = Bus.WISHBONE
    init: bool = True
    command: str = ""
    technology: Technology = field(default_factory=Technology)
    views: Lookup[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        controller_name(self.name)
        if not len(self.images):
            raise ValueError("images = 0: the testbench needs at least 1")


def write_kit(request: KitRequest, out: Path) -> Path:
    """Write the kit's folder; the same request gives the same bytes.

    Parameters
    ----------
    request : KitRequest
    out : Path
        Made when absent. Files that another kit has left there are removed, whatever else lies there stays.

    Returns
    -------
    Path
        ``manifest.json``.
    """
    contents = _contents(request)
    facts = json.loads(contents["geometry.json"])
    waves = _waves(request.bus, request.timing) if diagrams.available() else {}
    contents |= datasheets(facts, request.mapping.geometry, request.timing, waves)
    _remove_former(out)
    for name, text in contents.items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_bytes(text))
    manifest = out / "manifest.json"
    manifest.write_text(json.dumps(_manifest(request, contents), indent=2) + "\n")
    return manifest


SMALL = Geometry(tiles=1, rows=8, inputs=7, bias=0, thresholds=8, layers=2, scores=4, log_depth=4)
"""Of the kit that is simulated for the diagrams."""


@functools.cache
def _waves(bus: Bus, timing: Timing) -> dict[str, dict[str, Any]]:
    """Diagrams of every operation, from a small kit of this bus and timing."""
    network, images = diagrams.example()
    small = KitRequest(
        name="example", mapping=map_network(network, SMALL), timing=timing, images=images, bus=bus
    )
    return diagrams.diagrams(_contents(small), small.name, bus)


def _contents(request: KitRequest) -> dict[str, str | bytes]:
    """Every file by its path in the kit."""
    name, mapping, timing, bus = request.name, request.mapping, request.timing, request.bus
    geometry = mapping.geometry
    macro = Macro(name=name, geometry=geometry, timing=timing)
    made = controller_verilog(geometry, timing, name=name, init=request.init, bus=bus)
    head = "".join(f"{line}\n" for line in made.text.splitlines() if line.startswith("// ")) + TIMESCALE
    on_macros, texts = request.technology.placed(made.memories), modules(made.text)
    technology = {}
    if on_macros:
        memories = {m.name: texts.pop(m.name) for m in made.memories}
        technology[f"rtl/{name}_memories.v"] = technology_verilog(name, made.memories, memories, on_macros)
    parts = {f"rtl/{module}.v": head + text for module, text in texts.items()} | technology
    parts[f"rtl/{name}_system.v"] = system(macro, bus)
    srams = {m.name: m.macro for m in on_macros.values()}
    stubs = {f"macro/{sram}_stub.v": sram_stub(sram, which) for sram, which in sorted(srams.items())}
    stubs = {f"macro/{name}_macro_stub.v": stub(macro)} | stubs
    models = {f"macro/{sram}.v": sram_model(sram, which) for sram, which in sorted(srams.items())}
    models = {f"macro/{name}_macro.v": macro_model(macro)} | models
    golden = forward(mapping.network, request.images)
    registers = register_map(geometry, timing)
    program, infer = bus_script.Script(registers), bus_script.Script(registers)
    bus_script.programming(program, mapping)
    bus_script.inference(infer, mapping, request.images, golden)
    scripts = {"program": program.lines(), "infer": infer.lines()}
    bench = render(
        "testbench.v.j2",
        name=name,
        bus=str(bus),
        ports=[(p, p.width(geometry)) for p in host_ports(bus)],
        network=mapping.network.name,
        images=len(request.images),
        rows=mapping.rows_used,
        programmed=mapping.rows_used <= PROGRAMMED_ROWS,
        period=macro.period_ns,
        kinds={kind.name: kind.value for kind in bus_script.Kind},
        program_entries=len(scripts["program"]),
        infer_entries=len(scripts["infer"]),
        patience=1_000_000,
    )
    facts = description(geometry, timing, name=name, init=request.init, bus=bus, memories=made.memories)
    abstract, wrappers = lef(macro), {}
    if bus is Bus.WISHBONE:  # the bus of that harness
        wrappers[f"flows/{name}_user_project_wrapper.v"] = render("wrapper.v.j2", name=name)
    sources = [*parts, *models, f"sim/{name}_tb.v"]
    return {
        **parts,
        **models,
        **stubs,
        **request.views,
        "memories.toml": memories_toml(request.technology, made.memories),
        f"sim/{name}_tb.v": bench,
        **{f"sim/{kind}.mem": _lines(lines) for kind, lines in scripts.items()},
        "sim/cells.mem": _lines(cell_lines(mapping)),
        **{f"macro/{macro.cell}_{c.name}.lib": liberty(macro, c) for c in CORNERS},
        f"macro/{macro.cell}.lef": abstract,
        **({f"macro/{macro.cell}.gds": frame_gds(abstract, macro.cell)} if available() else {}),
        f"macro/{macro.cell}.cdl": netlist(macro),
        **{f"software/{file}": text for file, text in software(name, mapping).items()},
        "config.json": librelane_config(macro, list(parts), made.memories, CORNERS, on_macros, request.views),
        **register_views(geometry, timing),
        "lint/waivers.vlt": waivers(
            macro, [file for file in parts if file != f"rtl/{name}_system.v"], list(technology), list(stubs)
        ),
        f"constraints/{name}.sdc": constraints(macro, bus),
        **wrappers,
        f"{name}.core": render(
            "fusesoc.core.j2",
            name=name,
            version=__version__,
            tiles=geometry.tiles,
            rows=geometry.rows,
            columns=geometry.columns,
            bus=BUS_NAMES[bus],
            rtl=list(parts),
            stubs=list(stubs),
            models=list(models),
            vectors=[f"sim/{kind}.mem" for kind in ("program", "infer", "cells")],
        ),
        "geometry.json": json.dumps(facts, indent=2) + "\n",
        "files.f": _lines(sources),
        "rtl.f": _lines([*parts, *stubs]),
    }


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _manifest(request: KitRequest, contents: dict[str, str | bytes]) -> dict[str, object]:
    parts = ["amaranth"] + ["klayout"] * available() + ["wavedrom"] * diagrams.available()
    memories = [m["name"] for m in json.loads(contents["geometry.json"])["memories"]]
    chosen = request.technology.memories
    return {
        "kit": request.name,
        "bus": str(request.bus),
        "command": request.command,
        "versions": {"bridgebnn": __version__} | {p: importlib.metadata.version(p) for p in parts},
        "geometry": request.mapping.geometry.as_dict(),
        "memories": {m: chosen.get(m.removeprefix(f"{request.name}_"), FLIP_FLOPS) for m in memories},
        "files": {name: hashlib.sha256(_bytes(text)).hexdigest() for name, text in sorted(contents.items())},
    }


def _remove_former(out: Path) -> None:
    """Remove what the manifest of a former kit lists, where it is unchanged in name; nothing else."""
    manifest = out / "manifest.json"
    if not manifest.is_file():
        return
    try:
        former = json.loads(manifest.read_text())["files"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{manifest}: is no manifest of a kit; choose another folder") from None
    for name in former:
        file = (out / name).resolve()
        if file.is_relative_to(out.resolve()) and file.is_file():
            file.unlink()
