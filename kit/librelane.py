"""``config.json`` of LibreLane 3: controller and macro hardened together on SKY130 by its flow Classic."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from bridgebnn.hdl.output.verilog import MemoryModule

from .lef import outline
from .liberty import Corner
from .macro import POWER_PINS, Macro
from .memories import MacroMemory, lef_size_um

__all__ = ["librelane_config"]

BIT_UM2, COLUMN_UM2, REST_UM2 = 32.0, 1500.0, 50_000.0
"""Area of a memory bit as a flip-flop with its multiplexers, of what each column adds, and of everything else [ours]:
guesses in sky130_fd_sc_hd, for a first floorplan."""

UTILISATION = 0.35
MARGIN_UM = 50.0
"""Free around the macro."""

GRID_UM = 10.0

SKY130_CORNERS = {"tt": "*_tt_025C_1v80", "ss": "*_ss_100C_1v60", "ff": "*_ff_n40C_1v95"}
"""LibreLane's corners of SKY130 by the first two letters of ours, the nearest in voltage and temperature."""


def librelane_config(
    macro: Macro,
    sources: list[str],
    memories: tuple[MemoryModule, ...],
    corners: tuple[Corner, ...],
    on_macros: Mapping[str, MacroMemory] | None = None,
    views: Mapping[str, bytes] | None = None,
) -> str:
    """The file, for the kit's top folder.

    Parameters
    ----------
    macro : Macro
    sources : list of str
        Verilog of the controller and of the system, in order.
    memories : tuple of MemoryModule
        Of the controller: their bits make the floorplan.
    corners : tuple of Corner
        Of the macro's Liberty files.
    on_macros : mapping of str to MacroMemory, optional
        Memories on SRAM macros, by name; a macro without LEF, GDS and Liberty has no entry of its own.
    views : mapping of str to bytes, optional
        Files of these macros, by their path in the kit.

    Raises
    ------
    ValueError
        The LEF file of an SRAM macro does not say its size.
    """
    name, cell = macro.name, macro.cell
    width, height = outline(macro)
    block = (width + 2 * MARGIN_UM) * (height + 2 * MARGIN_UM)
    on_macros, views = on_macros or {}, views or {}
    srams = _sram_sizes_um(on_macros, views)
    sram_area = sum(
        (srams[m.name][0] + MARGIN_UM) * (srams[m.name][1] + MARGIN_UM) * len(m.instances)
        for m in on_macros.values()
        if m.name in srams
    )
    flip_flops = tuple(m for m in memories if m.name not in on_macros)
    area = block + sram_area + _logic_um2(macro, flip_flops) / UTILISATION
    die_width = _grid(max(width + 2 * MARGIN_UM, math.sqrt(area)))
    die_height = _grid(max(height + 2 * MARGIN_UM, area / die_width))
    places = _sram_places(on_macros, srams, die_width, height + 2 * MARGIN_UM)
    for x, y, (wide, high) in places.values():
        die_width, die_height = (
            max(die_width, _grid(x + wide + MARGIN_UM)),
            max(die_height, _grid(y + high + MARGIN_UM)),
        )
    ground = "VSS"
    supplies = [pin for pin in POWER_PINS if pin != ground]
    config = {
        "meta": {"version": 2, "flow": "Classic"},
        "//": "LibreLane 3, PDK sky130A. PLACEHOLDER until a layout exists: the macro's views, DIE_AREA and its place.",
        "DESIGN_NAME": f"{name}_system",
        "PDK": "sky130A",
        "STD_CELL_LIBRARY": "sky130_fd_sc_hd",
        "VERILOG_FILES": [f"dir::{file}" for file in sources],
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": macro.period_ns,
        "PNR_SDC_FILE": f"dir::constraints/{name}.sdc",
        "SIGNOFF_SDC_FILE": f"dir::constraints/{name}.sdc",
        "VDD_NETS": supplies,
        "GND_NETS": [ground] * len(supplies),
        "MACROS": {
            cell: {
                "gds": [f"dir::macro/{cell}.gds"],
                "lef": [f"dir::macro/{cell}.lef"],
                "vh": [f"dir::macro/{cell}_stub.v"],
                "lib": {SKY130_CORNERS[c.name[:2]]: [f"dir::macro/{cell}_{c.name}.lib"] for c in corners},
                "instances": {"macro": {"location": [MARGIN_UM, MARGIN_UM], "orientation": "N"}},
            },
            **_sram_entries(on_macros, srams, places),
        },
        "PDN_MACRO_CONNECTIONS": [f"macro {pin} {ground} {pin} {ground}" for pin in supplies]
        + _sram_supplies(on_macros, srams, ground),
        "FP_SIZING": "absolute",
        "DIE_AREA": [0, 0, die_width, die_height],
    }
    return json.dumps(config, indent=2) + "\n"


def _sram_sizes_um(
    on_macros: Mapping[str, MacroMemory], views: Mapping[str, bytes]
) -> dict[str, tuple[float, float]]:
    """Width and height of the SRAM macros that can be placed, by name."""
    sizes = {}
    for memory in on_macros.values():
        if not memory.macro.placed:
            continue
        size = lef_size_um(views[f"macro/{memory.name}.lef"].decode())
        if size is None:
            raise ValueError(f"macro {memory.name}: its LEF file {memory.macro.lef} has no SIZE ... BY ... ;")
        sizes[memory.name] = size
    return sizes


def _sram_places(
    on_macros: Mapping[str, MacroMemory],
    srams: Mapping[str, tuple[float, float]],
    width: float,
    bottom: float,
) -> dict[str, tuple[float, float, tuple[float, float]]]:
    """A place for every SRAM macro above the first one, in rows from the left: x, y and size by its path."""
    places = {}
    x, y, row = MARGIN_UM, bottom, 0.0
    for memory in on_macros.values():
        if memory.name not in srams:
            continue
        wide, high = srams[memory.name]
        for path in memory.instances:
            if x > MARGIN_UM and x + wide + MARGIN_UM > width:
                x, y, row = MARGIN_UM, y + row + MARGIN_UM, 0.0
            places[f"controller.{path}"] = (round(x, 3), round(y, 3), (wide, high))
            x, row = x + wide + MARGIN_UM, max(row, high)
    return places


def _sram_entries(
    on_macros: Mapping[str, MacroMemory],
    srams: Mapping[str, tuple[float, float]],
    places: Mapping[str, tuple[float, float, Any]],
) -> dict[str, Any]:
    """Of ``MACROS``."""
    entries: dict[str, Any] = {}
    for memory in (m for m in on_macros.values() if m.name in srams):
        entry = entries.setdefault(
            memory.name,
            {
                "gds": [f"dir::macro/{memory.name}.gds"],
                "lef": [f"dir::macro/{memory.name}.lef"],
                "vh": [f"dir::macro/{memory.name}_stub.v"],
                "lib": {
                    SKY130_CORNERS[corner]: [f"dir::macro/{memory.name}_{corner}.lib"]
                    for corner in memory.macro.lib
                },
                "instances": {},
            },
        )
        for path in (f"controller.{p}" for p in memory.instances):
            entry["instances"][path] = {"location": list(places[path][:2]), "orientation": "N"}
    return entries


def _sram_supplies(
    on_macros: Mapping[str, MacroMemory], srams: Mapping[str, tuple[float, float]], ground: str
) -> list[str]:
    """Of ``PDN_MACRO_CONNECTIONS``: a pattern for the instances, and nets and pins of each supply."""
    lines = []
    for memory in (m for m in on_macros.values() if m.name in srams):
        pins = memory.macro.supplies
        grounds = [pin for pin, net in pins.items() if net == ground]
        for path in memory.instances:
            pattern = f"controller.{path}".replace(".", r"\.")
            lines += [
                f"{pattern} {net} {ground} {pin} {grounds[0]}"
                for pin, net in pins.items()
                if net != ground and grounds
            ]
    return lines


def _logic_um2(macro: Macro, memories: tuple[MemoryModule, ...]) -> float:
    g = macro.geometry
    bits = sum(m.shape.depth * m.shape.width * len(m.instances) for m in memories)
    return bits * BIT_UM2 + g.tiles * g.columns * COLUMN_UM2 + REST_UM2


def _grid(value_um: float) -> float:
    return math.ceil(value_um / GRID_UM) * GRID_UM
