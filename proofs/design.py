"""The design under proof: Verilog of the small controller, and of deliberately broken copies of it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bridgebnn.hdl.output.verilog import TOP
from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.paths import PACKAGE
from bridgebnn.processes import captured

__all__ = ["GEOMETRY", "TINY", "WITH_MAPS", "Design", "Patch", "generate"]

GEOMETRY = Geometry(
    tiles=2,
    rows=4,
    inputs=5,
    bias=1,
    spare_columns=2,
    spare_rows=1,
    thresholds=8,
    layers=2,
    scores=4,
    count_width=4,
    log_depth=2,
)
"""Small, yet with several tiles, two slices of COUNT, groups of columns, spares and a log that overflows."""

WITH_MAPS = replace(GEOMETRY, map_words=1)
"""The same with activation maps: the input bank has a word more than they."""

TINY = Geometry(
    tiles=1, rows=2, inputs=3, bias=0, thresholds=2, layers=2, scores=2, count_width=4, log_depth=2
)
"""For the rules of buses, which see nothing of what is behind the registers."""

SHORT = {"rail_settle_cyc": 1, "wl_setup_cyc": 1, "verify_cyc": 1, "max_parallel": 1}
"""Reset values that make runs to a pulse short. The proofs hold for all values: the host may write any."""

GENERATE = """
import dataclasses, json, sys
from bridgebnn.hdl.control.arbiter import CommandArbiter, UnlockSequence
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.layers.descriptor_table import DescriptorCheck
from bridgebnn.hdl.layers.layer_sequencer import LayerSequencer
from bridgebnn.hdl.programming.activity import BLOCKS
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer
from bridgebnn.hdl.layers.repair_table import RepairTable
from bridgebnn.hdl.layers.vectors import InputBanks
from bridgebnn.hdl.layers.walk_table import WalkCheck
from bridgebnn.hdl.layers.window_gather import WindowGather
from bridgebnn.hdl.output.verilog import verilog_text
from bridgebnn.hdl.bus.axi4lite import AxiLiteBridge
from bridgebnn.hdl.bus.frames import FrameRunner
from bridgebnn.hdl.bus.wishbone import WishboneResponder
from bridgebnn.hdl.spec.pins import Bus

geometry, text, states = Geometry(**json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]
usual = Timing()
ops = {op: dataclasses.replace(getattr(usual, op), width_cyc=2, attempts=1) for op in ("form", "set", "reset")}
timing = dataclasses.replace(usual, **ops, **json.loads(sys.argv[4]))
bus = Bus(sys.argv[5])
open(text, "w").write(verilog_text(geometry, timing, bus=bus))
blocks = {
    "layer.fsm_state": LayerSequencer(geometry),
    "layer.reader.fsm_state": ReadSequencer(geometry),
    "layer.check.fsm_state": DescriptorCheck(geometry),
    "layer.inputs.fsm_state": InputBanks(geometry),
    "arbiter.arbiter_state": CommandArbiter(),
    "unlock.unlock_state": UnlockSequence(),
    "wishbone.responder_state": WishboneResponder(),
}
if geometry.repair_entries:
    blocks["layer.repairs.fsm_state"] = RepairTable(geometry)
if geometry.map_words:
    blocks |= {
        "layer.walk_check.fsm_state": WalkCheck(geometry),
        "layer.maps.gather.fsm_state": WindowGather(geometry),
    }
for name, block in BLOCKS.items():
    blocks[".".join(filter(None, ("program", name, "fsm_state")))] = block(geometry)
if bus is not Bus.WISHBONE:
    blocks = {f"controller.{path}": block for path, block in blocks.items()}
    blocks["bridge.bridge_state"] = AxiLiteBridge()
if bus is Bus.AXI4STREAM:
    blocks["frames.frames_state"] = FrameRunner(geometry)
machines = {}
for path, block in blocks.items():
    machine, = block.elaborate(None)._generated.values()
    machines[path] = {state.name: code for state, code in machine.encoding.items()}
json.dump(machines, open(states, "w"))
"""
"""Runs in the (perhaps patched) source tree; the codes of the states come from Amaranth's own modules."""


@dataclass(frozen=True)
class Patch:
    """One replacement in one source file of ``hdl``; ``old`` has to occur exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Design:
    """Generated Verilog, its ports (direction, width) and the width of every wire by hierarchical name."""

    name: str
    verilog: Path
    ports: dict[str, tuple[str, int]]
    widths: dict[str, int]
    states: dict[str, dict[str, int]]


def generate(
    folder: Path,
    geometry: Geometry,
    name: str = "design",
    patches: tuple[Patch, ...] = (),
    bus: Bus = Bus.WISHBONE,
) -> Design:
    """Write ``<name>.v`` into ``folder``, from the sources of the checkout with ``patches`` applied.

    Raises
    ------
    ValueError
        A patch does not fit the source: the design changed under it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources: Path = PACKAGE.parent
    if patches:
        sources = folder / f"{name}.src"
        shutil.rmtree(sources, ignore_errors=True)
        package = sources / "bridgebnn"
        shutil.copytree(PACKAGE / "hdl", package / "hdl", ignore=shutil.ignore_patterns("__pycache__"))
        for module in ("__init__.py", "paths.py"):
            shutil.copy(PACKAGE / module, package)
    for patch in patches:
        file = sources / "bridgebnn" / patch.file
        text = file.read_text()
        if text.count(patch.old) != 1:
            raise ValueError(f"{patch.file} has {text.count(patch.old)} times {patch.old!r}: must be 1")
        file.write_text(text.replace(patch.old, patch.new))
    status, text = captured(
        [
            *(sys.executable, "-W", "ignore", "-c", GENERATE, json.dumps(asdict(geometry))),
            *(str((folder / f"{name}{suffix}").resolve()) for suffix in (".v", ".states.json")),
            json.dumps(SHORT),
            str(bus),
        ],
        cwd=sources,
    )
    if status:
        raise RuntimeError(f"generation of {name} failed:\n{text}")
    if patches:
        shutil.rmtree(sources)
    return read(folder / f"{name}.v")


def read(verilog: Path) -> Design:
    """Describe a file that ``generate`` has written."""
    text = verilog.read_text()
    states = json.loads(verilog.with_suffix(".states.json").read_text())
    return Design(name=verilog.stem, verilog=verilog, ports=_ports(text), widths=_widths(text), states=states)


def _ports(text: str) -> dict[str, tuple[str, int]]:
    """Ports of the top module, without clock and reset."""
    top = text[text.index(f"module {TOP}(") :]
    top = top[: top.index("endmodule")]
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?\\?(\w+) *;", top, re.MULTILINE)
    return {name: (way, int(high or 0) + 1) for way, high, name in found if name not in ("clk", "rst")}


def _widths(text: str) -> dict[str, int]:
    """Width of each wire and of the words of each memory, as ``<instance path>.<name>``."""
    own: dict[str, dict[str, int]] = {}
    inside: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if found := re.match(r"module (\w+)", line):
            name = found[1]
            own[name], inside[name] = {}, {}
        elif found := re.match(r"  (?:wire|reg) (?:\[(\d+):0\] )?\\?(\w+)", line):
            own[name][found[2]] = int(found[1] or 0) + 1
        elif found := re.match(rf"  ({TOP}_\w+) (\w+) \(", line):
            inside[name][found[2]] = found[1]
    widths: dict[str, int] = {}

    def walk(module: str, prefix: str) -> None:
        widths.update({prefix + wire: width for wire, width in own[module].items()})
        for instance, kind in inside[module].items():
            walk(kind, f"{prefix}{instance}.")

    walk(TOP, "")
    return widths
