"""``config.json`` of LibreLane 3: controller and macro hardened together on SKY130 by its flow Classic."""

from __future__ import annotations

import json
import math

from bridgebnn.hdl.output.verilog import MemoryModule

from .lef import outline
from .liberty import Corner
from .macro import POWER_PINS, Macro

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
    macro: Macro, sources: list[str], memories: tuple[MemoryModule, ...], corners: tuple[Corner, ...]
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
    """
    name, cell = macro.name, macro.cell
    width, height = outline(macro)
    block = (width + 2 * MARGIN_UM) * (height + 2 * MARGIN_UM)
    area = block + _logic_um2(macro, memories) / UTILISATION
    die_width = _grid(max(width + 2 * MARGIN_UM, math.sqrt(area)))
    die_height = _grid(max(height + 2 * MARGIN_UM, area / die_width))
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
            }
        },
        "PDN_MACRO_CONNECTIONS": [f"macro {pin} {ground} {pin} {ground}" for pin in supplies],
        "FP_SIZING": "absolute",
        "DIE_AREA": [0, 0, die_width, die_height],
    }
    return json.dumps(config, indent=2) + "\n"


def _logic_um2(macro: Macro, memories: tuple[MemoryModule, ...]) -> float:
    g = macro.geometry
    bits = sum(m.shape.depth * m.shape.width * len(m.instances) for m in memories)
    return bits * BIT_UM2 + g.tiles * g.columns * COLUMN_UM2 + REST_UM2


def _grid(value_um: float) -> float:
    return math.ceil(value_um / GRID_UM) * GRID_UM
