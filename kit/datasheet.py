"""Datasheets of controller and macro: one HTML page each, and PDF where Chromium is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, Timing, VerifyRef
from bridgebnn.hdl.spec.pins import MACRO_PINS, Bus, Flow, host_ports
from bridgebnn.hdl.spec.register_map import register_map

from .constraints import CLOCK_SKEW_NS
from .diagrams import OPERATIONS, svg
from .lef import outline
from .liberty import CAPACITANCE_PF, CORNERS, MAX_TRANSITION_NS, area_um2
from .macro import DELAYS, STROBES, Macro
from .verilog import render

__all__ = ["BLOCKS", "datasheets", "measured"]

BLOCKS = ("controller", "macro")
"""Pages, by the names of their files."""


CODES = {
    name: f"{what}: " + ", ".join(f"{code.value} {code.name}" for code in codes)
    for name, what, codes in (
        ("prog_op", "operation", ProgOp),
        ("prog_side", "device of each bridge", ProgSide),
        ("verify_ref", "reference", VerifyRef),
    )
}
"""Meaning of the pins that carry a code."""


def datasheets(
    facts: Mapping[str, Any],
    geometry: Geometry,
    timing: Timing,
    waves: Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The pages, and the sources of their diagrams, by their path in the kit.

    Parameters
    ----------
    facts : mapping
        Of ``geometry.json``.
    geometry, timing : Geometry, Timing
        The same, as objects.
    waves : mapping
        WaveJSON by the name of an operation, of `diagrams`; none where nothing could be simulated.
    figures : mapping, optional
        What `measured` found.
    """
    macro = Macro(name=facts["top"], geometry=geometry, timing=timing)
    bus = Bus(facts["bus"])
    width, height = outline(macro)
    memories = [(m["name"], m["depth"], m["width"], len(m["instances"])) for m in facts["memories"]]
    common = {
        "name": macro.name,
        "bus": {
            Bus.WISHBONE: "Wishbone B4 classic",
            Bus.AXI4LITE: "AXI4-Lite",
            Bus.AXI4STREAM: "AXI4-Lite and AXI4-Stream",
        }[bus],
        "geometry": geometry,
        "period": macro.period_ns,
        "megahertz": round(1e3 / macro.period_ns, 3),
        "figures": dict(figures or {}),
    }
    pages = {}
    for block in BLOCKS:
        ports = host_ports(bus) if block == "controller" else ()
        seen = Flow.OUT if block == "controller" else Flow.IN
        pins = [
            (
                p.name,
                "out" if p.flow is seen else "in",
                p.width(geometry),
                p.valid,
                CODES.get(p.name, p.meaning),
            )
            for p in (*ports, *MACRO_PINS)
        ]
        drawn = [svg(waves[key]) for key, o in OPERATIONS.items() if key in waves and o.block == block]
        pages[f"datasheet/{block}.html"] = render(
            "datasheet.html.j2",
            **common,
            block=block,
            pins=pins,
            drawings=drawn,
            registers=register_map(geometry, timing).registers,
            windows=register_map(geometry, timing).windows,
            memories=memories,
            memory_bits=sum(depth * wide * count for _, depth, wide, count in memories),
            delays=[(d.meaning, macro.delay_ns(d.parameter)) for d in DELAYS],
            strobes=STROBES,
            corners=CORNERS,
            outline=(width, height),
            area=area_um2(macro),
            capacitance=CAPACITANCE_PF,
            transition=MAX_TRANSITION_NS,
        )
    return pages | {f"datasheet/waves/{key}.json": json.dumps(w, indent=1) + "\n" for key, w in waves.items()}


def measured(report: Mapping[str, Any], period_ns: float) -> dict[str, str]:
    """Area and paths from the JSON of ``bridgebnn kit-check``; empty where its synthesis did not pass.

    Raises
    ------
    ValueError
        It is no such file.
    """
    try:
        found = {c["name"]: c["found"] for c in report["checks"] if c["result"] == "passed"}
    except (KeyError, TypeError):
        raise ValueError("must be the JSON of `bridgebnn kit-check --json`") from None
    pattern = r"([\d.]+) mm2 of cells, slack (-?[\d.]+) ns \(setup\), (-?[\d.]+) ns \(hold\)"
    match = re.match(pattern, found.get("timing", ""))
    if match is None:
        return {}
    return {
        "Area of the cells in OSU 0.18, memories as flip-flops": f"{match[1]} mm²",
        "Longest path, set-up": f"{period_ns - float(match[2]):.2f} ns of {period_ns:g} ns",
        f"Least slack, hold, {CLOCK_SKEW_NS:g} ns set aside for the skew of a clock tree": f"{match[3]} ns",
    }
