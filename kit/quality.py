"""Quality of a controller: cells, flip-flops, memory bits, area by module and longest path, in OSU 0.18.

Memories are black boxes, as a compiled memory would be: their bits are counted, and a Liberty file of this module's
times stands for them. Wires cost nothing: there is no layout.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn import __version__
from bridgebnn.hdl.output.verilog import MemoryModule, controller_verilog
from bridgebnn.hdl.spec import PRESETS, Geometry
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.records import Document, Record
from bridgebnn.synthesis import CONSTRAINT, OSU018, area_mm2, cells_of, flip_flops
from bridgebnn.yosys import command

from .checks.kit import Missing, call, tool
from .verilog import modules

__all__ = ["MEMORY_NS", "History", "Law", "Quality", "Snapshot", "area_law", "flow_input", "measure", "table"]

MEMORY_NS = {"output": 2.0, "setup": 0.5, "hold": 0.1}
"""Times of a memory [ours]: from the clock to its output, and before and after the clock at its inputs, ns."""

TARGET_PS = 5000
"""Delay that ABC is asked for (``-D``): below what can be had, so that it works for speed."""

TOP = "bridgebnn"


class Quality(Record, frozen=True, kw_only=True):
    """What one controller costs.

    Parameters
    ----------
    name : str
        Of the preset, or the words of the geometry.
    tiles, columns : int
        T and C.
    bus : str
    cells, flip_flops : int
        Standard cells, flip-flops among them, without memories.
    memory_bits : int
        Of all memories.
    area_um2 : float
        Of the cells.
    path_ns : float
        Longest path between registers (flip-flops and memories), set-up time included.
    path_from, path_to : str
        Where it begins and ends: instance path, as far as synthesis keeps it.
    modules_um2 : dict of str to float
        Area of each module with all that is in it, synthesised on its own; empty where that was left out.
    """

    name: str
    tiles: int
    columns: int
    bus: str
    cells: int
    flip_flops: int
    memory_bits: int
    area_um2: float
    path_ns: float
    path_from: str
    path_to: str
    modules_um2: dict[str, float] = {}

    @property
    def path_MHz(self) -> float:
        """Clock that the longest path allows, without wires."""
        return 1e3 / self.path_ns

    @property
    def column_um2(self) -> float:
        """Area for each of the T*C columns, everything included."""
        return self.area_um2 / (self.tiles * self.columns)


class Snapshot(Record, frozen=True, kw_only=True):
    """Figures of one version of the sources.

    Parameters
    ----------
    version : str
        Of the package.
    change : str
        What the sources have that those before had not.
    controllers : list of Quality
    """

    version: str = __version__
    change: str
    controllers: list[Quality]


class Law(Record, frozen=True, kw_only=True):
    """Area of controllers, memories left out: ``fixed + tile * T + wide * C + each * T * C``.

    Parameters
    ----------
    fixed_um2, tile_um2, wide_um2, each_um2 : float
        Of the controller, of a tile, of a column of a row (C), of a column of a tile (T*C).
    worst : float
        Largest deviation from it, as a part of the area.
    """

    fixed_um2: float
    tile_um2: float
    wide_um2: float
    each_um2: float
    worst: float


def area_law(controllers: Sequence[Quality]) -> Law | None:
    """The law that fits best, by least squares of the relative deviations; none for fewer than six shapes.

    With as many shapes as coefficients every law fits; six leave two to judge it by.
    """
    shapes = {(q.tiles, q.columns) for q in controllers}
    terms = np.array([[1.0, q.tiles, q.columns, q.tiles * q.columns] for q in controllers])
    if len(shapes) < 6 or np.linalg.matrix_rank(terms) < 4:
        return None
    areas = np.array([q.area_um2 for q in controllers])
    found = np.linalg.lstsq(terms / areas[:, None], np.ones(len(areas)), rcond=None)[0]
    worst = float(np.abs(terms @ found / areas - 1).max())
    fixed, tile, wide, each = (float(value) for value in found)
    return Law(fixed_um2=fixed, tile_um2=tile, wide_um2=wide, each_um2=each, worst=worst)


class History(Document, frozen=True, kw_only=True):
    """Figures over time, the newest last."""

    snapshots: list[Snapshot] = []


def measure(
    name: str,
    geometry: Geometry,
    *,
    bus: Bus = Bus.WISHBONE,
    by_module: bool = True,
    progress: Callable[[str], None] = lambda stage: None,
) -> Quality:
    """Synthesise and time a controller.

    Raises
    ------
    ValueError
        A tool or the cell library is not installed, or refuses the netlist.
    """
    if not OSU018.is_file():
        raise ValueError(f"{OSU018} not found: install Debian's qflow-tech-osu018")
    progress(f"{name}: Verilog")
    made = controller_verilog(geometry, name=TOP, init=False, bus=bus)
    with tempfile.TemporaryDirectory(prefix="bridgebnn-quality-") as folder:
        work = Path(folder)
        for file, text in flow_input(made.text, made.memories).items():
            (work / file).write_text(text)
        areas: dict[str, float] = {}
        if by_module:
            progress(f"{name}: modules")
            areas = _module_areas(_yosys(work, "", "stat -hierarchy"))
        progress(f"{name}: flat")
        said = _yosys(work, " -flatten", "stat")
        progress(f"{name}: timing")
        path = _timing(work)
    cells = cells_of(said)
    return Quality(
        name=name,
        tiles=geometry.tiles,
        columns=geometry.columns,
        bus=str(bus),
        cells=sum(cells.values()),
        flip_flops=flip_flops(cells),
        memory_bits=sum(m.shape.depth * m.shape.width * len(m.instances) for m in made.memories),
        area_um2=round(area_mm2(said) * 1e6, 1),
        modules_um2=areas,
        **path,
    )


def flow_input(text: str, memories: Sequence[MemoryModule]) -> dict[str, str]:
    """Files of the flow: the controller with its memories as black boxes, and the Liberty of these."""
    boxes = {m.name: m for m in memories}
    parts = modules(text)
    verilog = "".join(_black_box(boxes[name]) if name in boxes else body for name, body in parts.items())
    return {"controller.v": verilog, "memories.lib": _liberty(memories), "abc.constr": CONSTRAINT}


def _black_box(memory: MemoryModule) -> str:
    shape = memory.shape
    ports = [
        f"input [{w - 1}:0] {n}" if w > 1 else f"input {n}" for n, w in ({"clk": 1} | shape.inputs).items()
    ]
    ports += [f"output [{w - 1}:0] {n}" if w > 1 else f"output {n}" for n, w in shape.outputs.items()]
    return f"(* blackbox *)\nmodule {memory.name}({', '.join(ports)});\nendmodule\n"


def _liberty(memories: Sequence[MemoryModule]) -> str:
    """Memories with the times of `MEMORY_NS`; inputs of 10 fF, the clock of 20 fF [ours]."""
    widths = sorted({w for m in memories for w in (*m.shape.inputs.values(), *m.shape.outputs.values())})
    types = "".join(
        f"  type (b{w}) {{ base_type : array; data_type : bit; bit_width : {w}; bit_from : {w - 1}; bit_to : 0; "
        "downto : true; }\n"
        for w in widths
    )
    cells = "".join(_liberty_cell(memory) for memory in memories)
    limits = "".join(
        f"  {kind}_threshold_pct_{edge} : 50;\n" for kind in ("input", "output") for edge in ("rise", "fall")
    )
    limits += "".join(
        f"  slew_{end}_threshold_pct_{edge} : {share};\n"
        for end, share in (("lower", 20), ("upper", 80))
        for edge in ("rise", "fall")
    )
    return (
        'library (memories) {\n  delay_model : table_lookup;\n  time_unit : "1ns";\n  voltage_unit : "1V";\n'
        '  current_unit : "1mA";\n  pulling_resistance_unit : "1kohm";\n  capacitive_load_unit (1, pf);\n'
        f"  nom_voltage : 1.8;\n  nom_temperature : 25;\n  nom_process : 1;\n{limits}{types}{cells}}}\n"
    )


def _liberty_cell(memory: MemoryModule) -> str:
    def values(names: Sequence[str], ns: float) -> str:
        return " ".join(f'{name} (scalar) {{ values ("{ns}"); }}' for name in names)

    check = "".join(
        f'timing () {{ related_pin : "clk"; timing_type : {kind}_rising; '
        f"{values(('rise_constraint', 'fall_constraint'), MEMORY_NS[kind])} }} "
        for kind in ("setup", "hold")
    )
    arc = (
        f'timing () {{ related_pin : "clk"; timing_type : rising_edge; '
        f"{values(('cell_rise', 'cell_fall'), MEMORY_NS['output'])} "
        f"{values(('rise_transition', 'fall_transition'), 0.2)} }}"
    )
    lines = [
        f"  cell ({memory.name}) {{",
        "    pin (clk) { direction : input; clock : true; capacitance : 0.02; }",
    ]
    for way, ports, inner in (
        ("input", memory.shape.inputs, f"capacitance : 0.01; {check}"),
        ("output", memory.shape.outputs, arc),
    ):
        for name, width in ports.items():
            kind = f"bus ({name}) {{ bus_type : b{width};" if width > 1 else f"pin ({name}) {{"
            lines.append(f"    {kind} direction : {way}; {inner} }}")
    return "\n".join([*lines, "  }", ""])


def _yosys(work: Path, flatten: str, stat: str) -> str:
    """What Yosys says of the synthesised controller; its netlist is ``netlist.v``."""
    try:
        import pyosys  # noqa: F401
    except ImportError:
        raise Missing("pyosys not found: pip install 'bridgebnn[formal]'") from None
    passes = [
        "read_verilog controller.v",
        f"hierarchy -check -top {TOP}",
        f"synth{flatten} -top {TOP}",
        f"dfflibmap -liberty {OSU018}",
        f"abc -liberty {OSU018} -constr abc.constr -D {TARGET_PS}",
        "opt_clean -purge",
        f"tee -o stat.txt {stat} -liberty {OSU018}",
        "splitnets",
        "write_verilog -noattr -noexpr -simple-lhs netlist.v",
    ]
    call(command(passes), work, name="Yosys")
    return (work / "stat.txt").read_text()


def _module_areas(said: str) -> dict[str, float]:
    found = re.findall(rf"Chip area for module '\\{TOP}(\w*)': ([\d.]+)", said)
    return dict(sorted(((n.lstrip("_") or "all", float(a)) for n, a in found), key=lambda item: -item[1]))


def _timing(work: Path) -> dict[str, Any]:
    (work / "sta.tcl").write_text(f"""read_liberty {OSU018}
read_liberty memories.lib
read_verilog netlist.v
link_design {TOP}
create_clock -name clk -period 10 [get_ports clk]
set path [lindex [find_timing_paths -path_delay max] 0]
puts "SLACK [get_property $path slack]"
puts "FROM [get_property [get_property $path startpoint] full_name]"
puts "TO [get_property [get_property $path endpoint] full_name]"
""")
    printed = call([tool("sta", "Debian's opensta"), "-no_splash", "-exit", "sta.tcl"], work)
    found = dict(re.findall(r"^(SLACK|FROM|TO) (\S+)$", printed, re.M))
    if set(found) != {"SLACK", "FROM", "TO"}:
        raise ValueError(f"OpenSTA finds no path: {printed.strip().splitlines()[-1:]}")
    names = _nets(work / "netlist.v")
    ends = {
        f"path_{way.lower()}": names.get(found[way].rsplit("/", 1)[0], found[way]) for way in ("FROM", "TO")
    }
    return {"path_ns": round(10 - float(found["SLACK"]), 3), **ends}


def _nets(netlist: Path) -> dict[str, str]:
    """The register that a flip-flop is, by the name of its cell: that of the net at its output."""
    cells = re.findall(r"DFF\w+ (\S+) \(([^;]*)\);", netlist.read_text())
    outputs = ((cell, re.search(r"\.Q\(\\?([^\s)]+)", pins)) for cell, pins in cells)
    return {cell: output[1] for cell, output in outputs if output}


def table(history: History) -> str:
    """Markdown of the newest snapshot beside the last one before it that has the same controller."""
    if not history.snapshots:
        return "Nothing measured yet.\n"
    newest = history.snapshots[-1]
    before = {(q.name, q.bus): q for s in history.snapshots[:-1] for q in s.controllers}
    lines = [
        f"Version {newest.version}: {newest.change}. In brackets: the last figures before.\n",
        "| controller | T x C | cells | flip-flops | memory bits | area, mm2 | um2 per column | longest path, ns | MHz "
        "| from, to |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]

    def with_former(q: Quality, text: Callable[[Quality], str]) -> str:
        old = before.get((q.name, q.bus))
        return text(q) + (f" ({text(old)})" if old else "")

    for q in newest.controllers:
        columns = [
            f"`{q.name}`" + ("" if q.bus == Bus.WISHBONE else f", {q.bus}"),
            f"{q.tiles} x {q.columns}",
            with_former(q, lambda q: f"{q.cells:,}"),
            with_former(q, lambda q: f"{q.flip_flops:,}"),
            with_former(q, lambda q: f"{q.memory_bits:,}"),
            with_former(q, lambda q: f"{q.area_um2 / 1e6:.2f}"),
            with_former(q, lambda q: f"{q.column_um2:.0f}"),
            with_former(q, lambda q: f"{q.path_ns:.2f}"),
            with_former(q, lambda q: f"{q.path_MHz:.0f}"),
            f"`{q.path_from}`, `{q.path_to}`",
        ]
        lines.append(f"| {' | '.join(columns)} |")
    # presets differ in more than T and C: maps, thresholds, spares
    law = area_law([q for q in newest.controllers if q.name not in PRESETS])
    if law:
        lines.append(
            f"\nArea of those that differ in T and C alone, fitted: {law.fixed_um2 / 1e6:.2f} mm2 + "
            f"{law.tile_um2:.0f} um2 x T + {law.wide_um2:.0f} um2 x C + {law.each_um2:.0f} um2 x T x C, at most "
            f"{law.worst:.1%} off."
        )
    for q in newest.controllers:
        if q.modules_um2:
            parts = [f"{n} {a / 1e6:.3f}" for n, a in list(q.modules_um2.items())[:12]]
            lines.append(
                f"\nLargest modules of `{q.name}`, each with what is in it, mm2: {', '.join(parts)}."
            )
    return "\n".join(lines) + "\n"
