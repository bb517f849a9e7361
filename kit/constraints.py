"""SDC of controller and macro."""

from __future__ import annotations

import math

from bridgebnn.hdl.spec.pins import Bus, Flow, host_ports

from .macro import STROBES, Macro
from .verilog import render

__all__ = ["BUS_SHARE", "CLOCK_SKEW_NS", "constraints"]

CLOCK_SKEW_NS = 0.1
"""What hold sets aside for the skew of the clock tree to come [ours]."""


BUS_SHARE = {Bus.WISHBONE: 0.5, Bus.AXI4LITE: 0.5, Bus.AXI4STREAM: 0.4}
"""Of the period, what the other side of the bus takes before an input and after an output [ours]. A word of the input
stream goes through the shared bus to the controller's registers in one cycle, which needs more than half of it."""


def constraints(macro: Macro, bus: Bus) -> str:
    """Clock, bus delays, the one multicycle path, and the checks between the macro's strobes and its other inputs."""
    pins = {pin.name: pin for pin in macro.pins}
    rails_ns = macro.delay_ns("RAILS_NS")
    return render(
        "constraints.sdc.j2",
        name=macro.name,
        period=macro.period_ns,
        skew_of_clock=CLOCK_SKEW_NS,
        skew=macro.delay_ns("SETTLE_NS"),
        rails=rails_ns,
        rail_cycles=math.ceil(rails_ns / macro.period_ns * 1.1) + 1,  # the slowest corner
        bus=str(bus),
        share=BUS_SHARE[bus],
        bus_in=[p.name for p in host_ports(bus) if p.flow is Flow.IN and p.name != "clk"],
        bus_out=[p.name for p in host_ports(bus) if p.flow is Flow.OUT],
        checks=[(s.pin, pins[name], ahead) for s in STROBES for name, ahead in s.looks_at.items()],
    )
