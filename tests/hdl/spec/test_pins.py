"""The list of ports against everything that is written by hand: Verilog of the testbenches, documents."""

import re
from pathlib import Path

import pytest
from amaranth.hdl import Fragment, Shape
from amaranth.lib.wiring import In

from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.spec import Geometry, ProgOp
from bridgebnn.hdl.spec.pins import MACRO_PINS, PORTS, Flow, Group, Port, macro_pin
from bridgebnn.hdl.spec.register_map import WHOLE, register_map
from bridgebnn.hdl.spec.tables import TABLES, renewed
from bridgebnn.tb.agents import shell

ROOT = Path(__file__).parents[3]
GEOMETRIES = [Geometry(), Geometry(tiles=3, rows=40, inputs=70, bias=6, spare_columns=2), Geometry(rows=1)]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=["small", "tiles", "one_row"])
def test_the_controller_has_these_ports(geometry):
    controller = Controller(geometry)
    Fragment.get(controller, None)  # Amaranth warns of components that nothing elaborates
    members = controller.signature.members
    found = {
        name: (member.flow == In, Shape.cast(member.shape).width, Shape.cast(member.shape).signed)
        for name, member in members.items()
    }
    wanted = {
        p.name: (p.flow is Flow.IN, p.width(geometry), p.signed) for p in PORTS if p.group is not Group.CLOCK
    }
    assert found == wanted


REGISTERED = {f"wb_{n}": f"{n}_n" for n in ("cyc", "stb", "we", "adr", "dat_w", "sel")}
REGISTERED |= {"rst": "rst_n", "hv_ready": "hv_ready_n"}  # the shell has a register before each

HAND_WRITTEN = {
    # module, its source, text of the instance, nets that are connected under another name
    "shell": (shell.SOURCE, r"`BRIDGEBNN_TOP controller \((.*?)\);", REGISTERED),
    "watch": (ROOT / "tb" / "campaign" / "watch.v", r"bridgebnn dut\((.*?)\);", {}),
}


def connections(text: str, instance: str) -> dict[str, str]:
    """Nets of the instance's ports, by port."""
    return dict(re.findall(r"\.(\w+)\((\w+)\)", re.search(instance, text, re.DOTALL)[1]))


def declared(text: str, geometry: Geometry) -> dict[str, int]:
    """Width of every net of the module, by name; the parameters take their values from the geometry."""
    values = {"T": geometry.tiles, "C": geometry.columns, "AW": geometry.row_width, "FW": geometry.ref_width}
    text = re.sub(r"//.*", "", text)
    found = {}
    kind, bounds = r"\b(?:input|output|wire|reg)(?: reg)?(?: signed)?", r"(\[[^:\]]*:0\])?"
    declaration = rf"{kind} *{bounds} *(\w+(?: *= *\w+)?(?:, *(?!input|output)\w+(?: *= *\w+)?)*)"
    for bounds, names in re.findall(declaration, text):
        try:
            width = eval(bounds[1:-3], {}, dict(values)) + 1 if bounds else 1
        except NameError:
            continue  # a local constant of the module: none of the ports has one
        for name in re.sub(r" *= *\w+", "", names).split(","):
            found.setdefault(name.strip(), width)
    return found


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=["small", "tiles", "one_row"])
@pytest.mark.parametrize("module", HAND_WRITTEN)
def test_hand_written_verilog_connects_every_port(module, geometry):
    source, instance, other = HAND_WRITTEN[module]
    text = source.read_text()
    nets, widths = connections(text, instance), declared(text, geometry)
    assert nets == {port.name: other.get(port.name, port.name) for port in PORTS}
    assert {port.name: widths[nets[port.name]] for port in PORTS} == {
        p.name: p.width(geometry) for p in PORTS
    }


def test_the_watch_looks_at_the_right_registers():
    """Its Verilog names word addresses; which register each is stands here."""
    meant = {"unlock": "UNLOCK", "begin": "LOCK", "budget": "MAX_PARALLEL", "aborted": "COMMAND"}
    meant |= {f"width_{op.name.lower()}": f"{op.name}_PULSE" for op in ProgOp}
    text = HAND_WRITTEN["watch"][0].read_text()
    found = {name: int(address, 16) for address, name in re.findall(r"15'h([0-9a-f]+): (\w+)", text)}
    found["aborted"] = int(re.search(r"aborted = write & wb_adr == 15'h([0-9a-f]+) ", text)[1], 16)
    registers = register_map(WHOLE)
    assert found == {name: registers.address(register) // 4 for name, register in meant.items()}
    assert text.count("15'h") == len(found)


def test_tables_of_the_architecture_are_current():
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert all(f"<!-- generated: {name} -->" in page for name in TABLES)
    assert page == renewed(page), "run: make docs"


def test_an_unknown_table_or_pin_is_refused():
    with pytest.raises(ValueError, match="unknown table 'pin': known are pins, "):
        renewed("<!-- generated: pin -->\n<!-- end -->")
    with pytest.raises(ValueError, match=r"unknown macro pin 'ref': known are row, wl_en, .*, cmp_ref, "):
        macro_pin("ref")


def test_formulas_are_what_the_widths_are():
    geometry = GEOMETRIES[1]
    values = {"T": geometry.tiles, "C": geometry.columns}

    def number(port: Port) -> int:
        formula = port.formula.removesuffix(", signed")
        named = {"ceil(log2 R), at least 1": 6, "`Geometry.ref_width`": geometry.ref_width}
        return named[formula] if formula in named else eval(formula, {}, dict(values))

    assert {p.name: number(p) for p in MACRO_PINS} == {p.name: p.width(geometry) for p in MACRO_PINS}
