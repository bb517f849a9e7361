"""Ports of the controller as plain data: the bus, and the pins of the macro.

One list, from which come the Amaranth signatures (``hdl.signatures``), the ports of controller and safety
gate, the pin lists of agents and simulations, and the table in docs/architecture.md; the two hand-written
Verilog modules of the testbenches are checked against it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .codes import WORD_WIDTH
from .geometry import Geometry

__all__ = [
    "ADDRESS_WIDTH",
    "AXI_PORTS",
    "BUS_PORTS",
    "CLOCK_PORTS",
    "MACRO_INPUTS",
    "MACRO_OUTPUTS",
    "MACRO_PINS",
    "PORTS",
    "STREAM_PORTS",
    "Bus",
    "Flow",
    "Group",
    "Port",
    "host_ports",
    "macro_pin",
]

ADDRESS_WIDTH = 15
"""Bits of a word address on the bus: 128 KiB."""


class Bus(enum.StrEnum):
    """The bus in front of the registers."""

    WISHBONE = "wishbone"
    AXI4LITE = "axi4lite"
    AXI4STREAM = "axi4stream"  # registers as AXI4LITE; input vectors and results as streams

    @property
    def registers(self) -> Bus:
        """The bus over which the registers are reached."""
        return Bus.AXI4LITE if self is Bus.AXI4STREAM else self


class Flow(enum.StrEnum):
    """Direction of a port, seen from the controller."""

    IN = "in"
    OUT = "out"


class Group(enum.StrEnum):
    """What a port belongs to."""

    CLOCK = "clock"
    BUS = "bus"
    ADDRESS = "address"  # row and columns, of reads and of programming
    READ = "read"
    PROGRAM = "programming"


@dataclass(frozen=True, kw_only=True)
class Port:
    """One port of the controller.

    Parameters
    ----------
    name : str
        Name in the generated Verilog.
    flow : Flow
        Seen from the controller.
    size : int or str
        Bits, or the property of ``Geometry`` that holds them. Of one tile, if ``per_tile``.
    signed : bool
    per_tile : bool
        One copy for each tile, packed with tile ``t`` in bits ``[t*size +: size]``; else shared by all.
    group : Group
    valid : str
        When its value means something, and how long it holds.
    meaning : str
    """

    name: str
    flow: Flow
    size: int | str = 1
    signed: bool = False
    per_tile: bool = False
    group: Group
    valid: str
    meaning: str

    def width(self, geometry: Geometry) -> int:
        """Bits of the port."""
        size: int = getattr(geometry, self.size) if isinstance(self.size, str) else self.size
        return size * geometry.tiles if self.per_tile else size

    @property
    def formula(self) -> str:
        """Width as documents write it, with T tiles, R rows and C columns."""
        size = _FORMULAS[self.size] if isinstance(self.size, str) else str(self.size)
        width = size if not self.per_tile else "T" if self.size == 1 else f"T*{size}"
        return f"{width}, signed" if self.signed else width


_FORMULAS = {
    "row_width": "ceil(log2 R), at least 1",
    "columns": "C",
    "ref_width": "`Geometry.ref_width`",
}


def _group(group: Group, flow: Flow, valid: str, **ports: tuple[int | str, str]) -> tuple[Port, ...]:
    return tuple(
        Port(name=name, flow=flow, size=size, group=group, valid=valid, meaning=meaning)
        for name, (size, meaning) in ports.items()
    )


CLOCK_PORTS = _group(
    Group.CLOCK,
    Flow.IN,
    "always",
    clk=(1, "clock; everything is taken at its rising edge"),
    rst=(1, "synchronous reset, active high"),
)

BUS_PORTS = (
    *_group(
        Group.BUS,
        Flow.IN,
        "Wishbone B4 classic",
        wb_cyc=(1, "bus cycle"),
        wb_stb=(1, "access"),
        wb_we=(1, "the access is a write"),
        wb_adr=(ADDRESS_WIDTH, "word address (byte address / 4)"),
        wb_dat_w=(WORD_WIDTH, "write data"),
        wb_sel=(4, "byte lanes; a write selects every one, reads ignore them"),
    ),
    *_group(
        Group.BUS,
        Flow.OUT,
        "Wishbone B4 classic",
        wb_dat_r=(WORD_WIDTH, "read data, valid with `wb_ack`"),
        wb_ack=(1, "normal termination, one cycle"),
        wb_err=(1, "error termination, one cycle"),
    ),
    *_group(Group.BUS, Flow.OUT, "always", irq=(1, "level: an enabled interrupt is pending")),
)

_TAKEN = "while its `valid`, and until its `ready`"

AXI_PORTS = (
    *_group(
        Group.BUS,
        Flow.IN,
        _TAKEN,
        s_axi_awaddr=(ADDRESS_WIDTH + 2, "byte address of a write; bits 1:0 are ignored"),
        s_axi_awprot=(3, "ignored"),
        s_axi_awvalid=(1, "write address"),
        s_axi_wdata=(WORD_WIDTH, "write data"),
        s_axi_wstrb=(4, "byte lanes; a write selects every one"),
        s_axi_wvalid=(1, "write data"),
        s_axi_bready=(1, "write response"),
        s_axi_araddr=(ADDRESS_WIDTH + 2, "byte address of a read; bits 1:0 are ignored"),
        s_axi_arprot=(3, "ignored"),
        s_axi_arvalid=(1, "read address"),
        s_axi_rready=(1, "read data"),
    ),
    *_group(
        Group.BUS,
        Flow.OUT,
        _TAKEN,
        s_axi_awready=(1, "write address, in the same cycle as write data"),
        s_axi_wready=(1, "write data, in the same cycle as write address"),
        s_axi_bresp=(2, "OKAY, or SLVERR where Wishbone would have `wb_err`"),
        s_axi_bvalid=(1, "write response"),
        s_axi_arready=(1, "read address"),
        s_axi_rdata=(WORD_WIDTH, "read data; 0 with SLVERR"),
        s_axi_rresp=(2, "OKAY or SLVERR"),
        s_axi_rvalid=(1, "read data"),
    ),
)
"""In place of the Wishbone ports where the bus is AXI4-Lite; clock and reset are `clk` and `rst`, active high."""


STREAM_PORTS = (
    *_group(
        Group.BUS,
        Flow.IN,
        _TAKEN,
        s_axis_tdata=(WORD_WIDTH, "a word of the input vector, in the order of window INPUT"),
        s_axis_tvalid=(1, "input word"),
        s_axis_tlast=(1, "the last word of the vector"),
        m_axis_tready=(1, "result word"),
    ),
    *_group(
        Group.BUS,
        Flow.OUT,
        _TAKEN,
        s_axis_tready=(1, "input word"),
        m_axis_tdata=(WORD_WIDTH, "a word of the result: scores, then the class; or an error"),
        m_axis_tvalid=(1, "result word"),
        m_axis_tlast=(1, "the last word of the result"),
        m_axis_tuser=(1, "the word is an error, as register ERROR; the only one of its frame"),
    ),
)
"""Beside the AXI4-Lite ports where the bus is AXI4STREAM: `bridgebnn.hdl.spec.streams` has the frames."""


def host_ports(bus: Bus) -> tuple[Port, ...]:
    """Ports of a controller that are not the macro's: clock, reset, bus, interrupt."""
    if bus is Bus.WISHBONE:
        return (*CLOCK_PORTS, *BUS_PORTS)
    streams = STREAM_PORTS if bus is Bus.AXI4STREAM else ()
    return (*CLOCK_PORTS, *AXI_PORTS, *streams, *(port for port in BUS_PORTS if port.name == "irq"))


_READ_HOLD = "`precharge` to the end of sense; around a pulse and through a verify"
_COLUMN_HOLD = "`evaluate`; around a pulse and through a verify"
_PULSE_HOLD = "`wl_setup_cyc` before a pulse to one cycle past it"

MACRO_PINS = (
    Port(
        name="row",
        flow=Flow.OUT,
        size="row_width",
        group=Group.ADDRESS,
        valid=_READ_HOLD,
        meaning="word-line address",
    ),
    Port(
        name="wl_en",
        flow=Flow.OUT,
        per_tile=True,
        group=Group.ADDRESS,
        valid=_READ_HOLD,
        meaning="word-line enable of each tile",
    ),
    Port(
        name="bl",
        flow=Flow.OUT,
        size="columns",
        per_tile=True,
        group=Group.ADDRESS,
        valid=_COLUMN_HOLD,
        meaning="column data: 1 is input +1; a selected column while programming",
    ),
    Port(
        name="col_en",
        flow=Flow.OUT,
        size="columns",
        per_tile=True,
        group=Group.ADDRESS,
        valid=_COLUMN_HOLD,
        meaning="column enables",
    ),
    Port(
        name="precharge",
        flow=Flow.OUT,
        group=Group.READ,
        valid="always",
        meaning="read phase: the neuron's lines are precharged",
    ),
    Port(
        name="evaluate",
        flow=Flow.OUT,
        group=Group.READ,
        valid="always",
        meaning="read phase: the row's bridges decide, the neuron's lines move",
    ),
    Port(
        name="sense",
        flow=Flow.OUT,
        group=Group.READ,
        valid="always",
        meaning="read phase, within `evaluate`: the comparators decide",
    ),
    Port(
        name="cmp_ref",
        flow=Flow.OUT,
        size="ref_width",
        signed=True,
        group=Group.READ,
        valid="`precharge` to the end of sense",
        meaning="comparison reference, popcount counts",
    ),
    Port(
        name="cmp",
        flow=Flow.IN,
        per_tile=True,
        group=Group.READ,
        valid="end of sense, with `cmp_valid`",
        meaning="decision of each tile",
    ),
    Port(
        name="cmp_valid",
        flow=Flow.IN,
        per_tile=True,
        group=Group.READ,
        valid="last cycle of sense on",
        meaning="the comparator has resolved",
    ),
    Port(
        name="sl",
        flow=Flow.IN,
        size="columns",
        per_tile=True,
        group=Group.READ,
        valid="E cycles into `evaluate`, or `verify_cyc` into `verify`, to its end",
        meaning="regenerated XNOR bits; while `verify` is high its answers, 1: the device passes",
    ),
    Port(
        name="hv_en",
        flow=Flow.OUT,
        group=Group.PROGRAM,
        valid="always",
        meaning="request for the programming rails",
    ),
    Port(
        name="hv_ready",
        flow=Flow.IN,
        group=Group.PROGRAM,
        valid="while `hv_en` is high",
        meaning="the programming rails are up",
    ),
    Port(
        name="prog_op",
        flow=Flow.OUT,
        size=2,
        group=Group.PROGRAM,
        valid=_PULSE_HOLD,
        meaning="`bridgebnn.hdl.spec.ProgOp`",
    ),
    Port(
        name="prog_side",
        flow=Flow.OUT,
        group=Group.PROGRAM,
        valid=_PULSE_HOLD + "; `verify`",
        meaning="`ProgSide`",
    ),
    Port(
        name="wl_level",
        flow=Flow.OUT,
        size=8,
        group=Group.PROGRAM,
        valid=_PULSE_HOLD,
        meaning="DAC code of the word line, `DAC_LSB_V` per code",
    ),
    Port(
        name="prog_level",
        flow=Flow.OUT,
        size=8,
        group=Group.PROGRAM,
        valid=_PULSE_HOLD + "; `verify`",
        meaning="DAC code of the pulse, `DAC_LSB_V` per code; while `verify` is high the margin `m` of the "
        "reference: LRS_MAX divided by `1 + m/256`, HRS_MIN multiplied, FORMED as it is, 0 nominal [ours]",
    ),
    Port(
        name="pulse",
        flow=Flow.OUT,
        group=Group.PROGRAM,
        valid="always",
        meaning="programming pulse",
    ),
    Port(
        name="verify",
        flow=Flow.OUT,
        group=Group.PROGRAM,
        valid="always",
        meaning="verify read",
    ),
    Port(
        name="verify_ref",
        flow=Flow.OUT,
        size=2,
        group=Group.PROGRAM,
        valid="`verify`",
        meaning="`VerifyRef`",
    ),
)

PORTS = (*CLOCK_PORTS, *BUS_PORTS, *MACRO_PINS)
"""Every port of the generated Verilog."""

MACRO_OUTPUTS = tuple(pin.name for pin in MACRO_PINS if pin.flow is Flow.OUT)
"""Names of the pins that the controller drives."""

MACRO_INPUTS = tuple(pin.name for pin in MACRO_PINS if pin.flow is Flow.IN)
"""Names of the pins that the macro drives."""


def macro_pin(name: str) -> Port:
    """Pin ``name`` of the macro; ``ValueError`` lists the known ones."""
    for pin in MACRO_PINS:
        if pin.name == name:
            return pin
    raise ValueError(f"unknown macro pin {name!r}: known are {', '.join(p.name for p in MACRO_PINS)}")
