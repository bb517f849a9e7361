"""One block of the controller, placed and routed: by Debian's qflow, to a layout that holds.

The cells are abstract: qflow-tech-osu018 has LEF, Liberty and SPICE of them, and no layout. What is checked is
therefore everything above them: placement, wires, vias and supplies.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bridgebnn.synthesis import OSU018, synthesis_passes

from . import same_logic
from .kit import Kit, Missing, Refused, call, edit, ports, tool, yosys

__all__ = ["LAYOUT_SPOILS", "layout"]

BLOCK = "program_rails"
"""Raises and lowers the programming supplies. The same in every geometry, some 260 cells, no memory."""

LEF = OSU018.with_suffix(".lef")
SUPPLIES = ("vdd", "gnd")

QFLOW_OPTIONS = "set graywolf_options = -n\n"
"""Of a project: no window of the placer, whether or not there is a display."""


def layout(kit: Kit) -> str:
    """Controller block `program_rails`, placed and routed: DRC 0, circuit and logic are those of the Verilog."""
    folder, name = _own(kit), _name(kit)
    _geometry(folder, name)
    cells = _circuit(folder, name, kit)
    same_logic.prove(kit, _source(kit), name, folder / "netlist.v")
    x0, y0, x1, y1 = _outline(folder / "routed.def")
    size = f"{x1 - x0:.0f} x {y1 - y0:.0f} um"
    return f"{name}: {cells} abstract cells, {size}; DRC 0, circuits match uniquely, logic of the Verilog"


def _name(kit: Kit) -> str:
    return kit.block(BLOCK)


def _source(kit: Kit) -> str:
    return f"rtl/{_name(kit)}.v"


def _own(kit: Kit) -> Path:
    """The layout of this kit's block: ``routed.def`` and ``netlist.v``; a copy, which can be broken."""
    own = kit.work / f"layout-of-{kit.folder.name.replace(' ', '-')}"  # Yosys writes to no path with a space
    if not own.is_dir():
        made = _routed(kit)
        own.mkdir()
        for file in ("routed.def", "netlist.v"):
            shutil.copy(made / file, own)
    return own


def _routed(kit: Kit) -> Path:
    """Folder with the block placed and routed; kits with the same Verilog of it share one."""
    if not LEF.is_file():
        raise Missing(f"{LEF} not found: install Debian's qflow-tech-osu018")
    qflow = tool("qflow", "Debian's qflow")
    name = _name(kit)
    made = kit.work / f"layout-{hashlib.sha256((kit.folder / _source(kit)).read_bytes()).hexdigest()[:16]}"
    if not (made / "routed.def").is_file():
        shutil.rmtree(made, ignore_errors=True)
        for part in ("source", "synthesis", "layout"):
            (made / part).mkdir(parents=True)
        (made / "project_vars.sh").write_text(QFLOW_OPTIONS)
        gates = made / "source" / f"{name}.v"
        yosys(kit, *synthesis_passes([_source(kit)], name, gates, made / "drivers.constr"))
        # cells alone come in, so that its synthesis only adds buffers: of the clock, and at the outputs
        said = call([qflow, "-T", OSU018.parent.name, "synthesize", "place", "route", name], made)
        # qflow is content with what qrouter leaves
        if left := re.search(r"^Final: Failed net routes: (\d+)", said, re.MULTILINE):
            raise Refused(f"qrouter leaves {left[1]} nets open")
        shutil.copy(made / "synthesis" / f"{name}.rtlnopwr.v", made / "netlist.v")
        shutil.copy(made / "layout" / f"{name}.def", made / "routed.def")
    return made


def _geometry(folder: Path, name: str) -> None:
    """Magic reads the routed layout, finds no error of the design rules, and extracts ``NAME.spice``."""
    (folder / "read.tcl").write_text(
        f"""drc off
snap int
lef read {LEF}
def read routed
load {name}
select top cell
expand
drc on
drc check
drc catchup
puts "DRC [drc list count total] [lindex [drc listall why] 0]"
extract all
ext2spice hierarchy on
ext2spice format ngspice
ext2spice scale off
ext2spice renumber off
ext2spice cthresh infinite
ext2spice rthresh infinite
ext2spice blackbox on
ext2spice subcircuit top auto
ext2spice global off
ext2spice
quit -noprompt
"""
    )
    rules = OSU018.with_name("osu018.magicrc")
    magic = tool("magic", "Debian's magic")
    printed = call([magic, "-dnull", "-noconsole", "-rcfile", str(rules), "read.tcl"], folder)
    counted = re.search(r"^DRC (\d+) ?(.*)$", printed, re.MULTILINE)
    if counted is None:
        raise Refused("magic counts no errors of the design rules")
    if counted[1] != "0":
        raise Refused(f"DRC {counted[1]}: {counted[2]}")


def _circuit(folder: Path, name: str, kit: Kit) -> int:
    """Netgen finds the circuit that was extracted equal to the netlist; how many cells they have."""
    netgen = tool("netgen-lvs", "Debian's netgen-lvs")
    cells = list(_cells((folder / "netlist.v").read_text()))
    extracted = (folder / f"{name}.spice").read_text()
    of = ports((kit.folder / _source(kit)).read_text())
    (folder / "netlist.spice").write_text(_spice(name, of, cells, extracted))
    sides = (f"{name}.spice {name}", f"netlist.spice {name}")
    setup = str(OSU018.with_name("osu018_setup.tcl"))
    printed = call([netgen, "-batch", "lvs", *sides, setup, "lvs.out", "-blackbox"], folder, name="netgen")
    verdict = re.search(r"^(?:Final r|R)esult: (.*)$", printed, re.MULTILINE)
    if verdict is None or verdict[1].strip() != "Circuits match uniquely.":
        raise Refused(f"netgen: {verdict[1].strip() if verdict else 'no result'}")
    pins = (folder / "lvs.out").read_text().rpartition("Subcircuit pins:")[2]
    if "Cell pin lists are equivalent." not in pins:
        raise Refused("netgen: the pins of the block differ")
    if wrong := re.search(
        r"^(\S+) *\|(\S+) \*\*Mismatch\*\*", pins, re.MULTILINE
    ):  # nothing that netgen ends with
        raise Refused(f"netgen: pin {wrong[1]} of the layout is {wrong[2]} of the netlist")
    return len(cells)


def _cells(netlist: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Kind, name and nets by pin of every cell but fillers."""
    for kind, name, pins in re.findall(r"^(\w+) (\w+) \( (\..*) \);$", netlist, re.MULTILINE):
        yield kind, name, dict(re.findall(r"\.(\w+)\(([^)]*)\)", pins))


def _spice(
    name: str, of: dict[str, tuple[str, int]], cells: list[tuple[str, str, dict[str, str]]], extracted: str
) -> str:
    """The netlist in SPICE; its cells are boxes with their pins in the order that was extracted, as netgen wants it."""
    boxes = {
        kind: pins.split() for kind, pins in re.findall(r"^\.subckt (\w+) (.*)$", extracted, re.MULTILINE)
    }
    del boxes[name]
    bits = [
        f"{port}[{bit}]" if width > 1 else port for port, (_, width) in of.items() for bit in range(width)
    ]
    lines = [line for kind, pins in boxes.items() for line in (f".subckt {kind} {' '.join(pins)}", ".ends")]
    lines.append(f".subckt {name} {' '.join([*bits, *SUPPLIES])}")
    for kind, cell, nets in cells:
        if kind not in boxes:
            raise Refused(f"no {kind} in the layout")
        nets = nets | {supply: supply for supply in SUPPLIES}
        lines.append(f"X{cell} {' '.join(nets[pin] for pin in boxes[kind])} {kind}")
    return "\n".join(["* Netlist for netgen", *lines, ".ends", ".end", ""])


def _outline(routed: Path) -> tuple[float, float, float, float]:
    """Corners of the die, um."""
    text = routed.read_text()
    unit = re.search(r"UNITS DISTANCE MICRONS (\d+)", text)
    found = re.search(r"DIEAREA \( (\S+) (\S+) \) \( (\S+) (\S+) \)", text)
    if unit is None or found is None:
        raise Refused("the layout has no outline")
    x0, y0, x1, y1 = (float(x) / int(unit[1]) for x in found.groups())
    return x0, y0, x1, y1


def a_close_wire(kit: Kit) -> None:
    """A wire a fifth of a micrometre beside another."""
    file = _own(kit) / "routed.def"
    text = file.read_text()
    wires = re.compile(r"NEW metal2 \( (\d+) (\d+) \) \( \* (\d+) \)[^\n;]*")
    wire = next(w for w in wires.finditer(text, text.index("\nNETS")) if abs(int(w[2]) - int(w[3])) >= 300)
    beside = f"\n  NEW metal2 ( {int(wire[1]) + 50} {wire[2]} ) ( * {wire[3]} ) "
    file.write_text(text[: wire.end()] + beside + text[wire.end() :])


def a_supply_stripe(kit: Kit) -> None:
    """The stripe that joins the rows of one supply is not there."""
    file = _own(kit) / "routed.def"
    text, stripes = re.subn(
        r"(\n- vdd\n.*?)\n  NEW metal6 160 [^\n]*", r"\1", file.read_text(), count=1, flags=re.DOTALL
    )
    if stripes != 1:
        raise AssertionError(f"{file.name} has no stripe to be broken")
    file.write_text(text)


def two_pins(kit: Kit) -> None:
    """Two pins of the layout have each other's names."""
    file = _own(kit) / "routed.def"
    pin = "- {0} + NET {0}\n".format
    edit(file, pin("lost"), "- ? + NET ?\n")
    edit(file, pin("timeout"), pin("lost"))
    edit(file, "- ? + NET ?\n", pin("timeout"))


def two_nets(kit: Kit) -> None:
    """Two gates of different kinds have their outputs exchanged in the netlist."""
    file = _own(kit) / "netlist.v"
    text = file.read_text()
    first, second = (
        re.search(rf"^{kind} .*\.Y\((\w+)\)", text, re.MULTILINE) for kind in ("NAND2X1", "NOR2X1")
    )
    if first is None or second is None:
        raise AssertionError(f"{file.name} has no two gates to be broken")
    for gate, net in ((first[0], second[1]), (second[0], first[1])):
        edit(file, gate, re.sub(r"\.Y\(\w+\)", f".Y({net})", gate))


def another_block(kit: Kit) -> None:
    """The Verilog is not what the layout was made of."""
    _own(kit)
    edit(kit.folder / _source(kit), "= ~ hv_ready;", "= hv_ready;")


LAYOUT_SPOILS: tuple[Callable[[Kit], None], ...] = (
    a_close_wire,
    a_supply_stripe,
    two_pins,
    two_nets,
    another_block,
)
"""Each breaks the layout that was made of a kit, or the kit after that was made."""
