"""Verilog of the kit: controller split into files, macro model and stub, the two together, the testbench."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np

from bridgebnn import __version__
from bridgebnn.hdl.spec.pins import BUS_PORTS, CLOCK_PORTS, MACRO_PINS, Flow, Port
from bridgebnn.model.mapping.mapping import Mapping

from .macro import DELAYS, POWER_PINS, Macro, verilog_range

__all__ = ["cell_lines", "macro_model", "modules", "render", "stub", "system"]

GENERATOR = f"bridgebnn kit {__version__}"


@cache
def _templates() -> jinja2.Environment:
    folder = files("bridgebnn.kit") / "templates"
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text()),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


def render(template: str, **values: Any) -> str:
    """Text of a template of ``kit/templates``."""
    return (
        _templates()
        .get_template(template)
        .render(generator=GENERATOR, power=list(POWER_PINS.items()), **values)
    )


def modules(text: str) -> dict[str, str]:
    """Verilog text by module: name to the text of that module, in order."""
    found = re.findall(r"^module (\w+)\b.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)
    bodies = re.findall(r"(?:^\(\*.*\*\)\n)*^module \w+\b.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)
    return dict(zip(found, bodies, strict=True))


def _declared(pin: Port, direction: str, span: str, kind: str = "") -> dict[str, str]:
    signed = "signed " if pin.signed else ""
    return {"declaration": f"{direction} {kind}{signed}{span}{pin.name}", "meaning": pin.meaning}


def _fixed(pin: Port, macro: Macro) -> str:
    """Range with the widths of this geometry; as `verilog_range`, a vector wherever the geometry could widen it."""
    return f"[{pin.width(macro.geometry) - 1}:0] " if verilog_range(pin) else ""


def macro_model(macro: Macro) -> str:
    """Behavioural model with ideal devices."""
    ports = [
        _declared(pin, "output", verilog_range(pin), "reg ")
        if pin.flow is Flow.IN
        else _declared(pin, "input", verilog_range(pin))
        for pin in MACRO_PINS
    ]
    delays = [(d.parameter, macro.delay_ns(d.parameter), d.meaning) for d in DELAYS]
    return render(
        "macro.v.j2",
        name=macro.name,
        ports=ports,
        delays=delays,
        **macro.parameters,
        **macro.margins,
        **macro.codes,
    )


def stub(macro: Macro) -> str:
    """Black box of the macro, with the widths of this geometry."""
    ways = {Flow.IN: "output", Flow.OUT: "input"}
    ports = [_declared(pin, ways[pin.flow], _fixed(pin, macro)) for pin in MACRO_PINS]
    return render("stub.v.j2", name=macro.name, ports=ports)


def system(macro: Macro) -> str:
    """Controller and macro connected."""
    ways = {Flow.IN: "input", Flow.OUT: "output"}
    ports = [_declared(p, ways[p.flow], _fixed(p, macro)) for p in (*CLOCK_PORTS, *BUS_PORTS)]
    wires = [f"{'signed ' if p.signed else ''}{_fixed(p, macro)}{p.name}" for p in MACRO_PINS]
    return render(
        "system.v.j2",
        name=macro.name,
        bus=ports,
        wires=wires,
        bus_names=[p.name for p in (*CLOCK_PORTS, *BUS_PORTS)],
        pin_names=[p.name for p in MACRO_PINS],
    )


def cell_lines(mapping: Mapping) -> list[str]:
    """The cells of a programmed ideal macro for ``$readmemh``, one line per row, tile by tile.

    Each word is, from the left, formed and LRS of N, formed and LRS of P, one bit per column.
    """
    used, ones = mapping.masks.astype(bool), mapping.images.astype(bool)
    planes = np.stack([used, used & ~ones, used, used & ones], axis=2)[..., ::-1]  # (T, R, 4, C), C downward
    nibbles = planes.reshape(-1, planes.shape[-1], 4) @ np.array([8, 4, 2, 1], np.uint8)
    return ["".join("0123456789abcdef"[n] for n in row) for row in nibbles.tolist()]
