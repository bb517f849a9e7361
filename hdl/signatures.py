"""Interfaces between the blocks of the controller, and the controller's macro pins."""

from amaranth.hdl import Shape
from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out, Signature

from .spec import WORD_WIDTH, Geometry, ProgOp
from .spec.pins import AXI_PORTS, BUS_PORTS, MACRO_PINS, STREAM_PORTS, Flow, Port
from .spec.register_map import WHOLE, Settings, layout, register_map

__all__ = [
    "AXI",
    "WISHBONE",
    "AxiPorts",
    "BusPorts",
    "CommandPort",
    "MacroPins",
    "ProgramPins",
    "ProgramSettings",
    "PulseSettings",
    "ReadPins",
    "ReadSettings",
    "StreamPorts",
    "WindowPort",
    "entry_layout",
    "port_member",
]

WISHBONE = "wb_"
"""Prefix of the bus ports of the controller."""

AXI = "s_axi_"
"""Prefix of the bus ports of the controller behind AXI4-Lite."""


def port_member(port: Port, geometry: Geometry) -> Member:
    """Member of a signature for a port of the specification, seen from the controller."""
    way = In if port.flow is Flow.IN else Out
    return way(Shape(port.width(geometry), signed=port.signed))


def _members(*which: Settings, op: ProgOp | None = None) -> dict[str, int]:
    return {setting.name: setting.field.width for setting in register_map(WHOLE).settings(*which, op=op)}


PulseSettings = data.StructLayout(_members(Settings.PULSE, op=ProgOp.FORM))
"""Registers of one operation: FORM, SET or RESET."""

ReadSettings = data.StructLayout(_members(Settings.READ))
"""Registers that set the length of the read phases, in cycles; 0 acts as 1."""

ProgramSettings = data.StructLayout(
    {"ops": data.ArrayLayout(PulseSettings, len(ProgOp))} | _members(Settings.PROGRAM, Settings.ADDRESS)
)
"""Registers of the program sequencer; ``ops`` is indexed by ProgOp; lengths in cycles, 0 acts as 1."""


def entry_layout(window: str) -> data.FlexibleLayout:
    """One entry of a window as the host sees it, fields by name; its first word is the lowest."""
    whole = layout(window)
    fields = {
        name: data.Field(field.width, word * WORD_WIDTH + field.lsb)
        for name, (word, field) in whole.fields.items()
    }
    return data.FlexibleLayout(len(whole.layout) * WORD_WIDTH, fields)


class WindowPort(Signature):
    """Host access to a memory window, one word at a time; the block that owns the memory is the responder.

    Parameters
    ----------
    addr_width : int
        Bits of the word address inside the window.

    Members
    -------
    addr : Out(addr_width)
        Word address. In range: the bus side checks it before.
    w_en, w_data : Out
        Write strobe, one cycle, and data.
    r_en : Out(1)
        Read strobe, one cycle; ``r_data`` is valid in the next cycle and holds until the next strobe.
    r_data : In(32)
    """

    def __init__(self, addr_width: int):
        super().__init__(
            {
                "addr": Out(addr_width),
                "w_en": Out(1),
                "w_data": Out(WORD_WIDTH),
                "r_en": Out(1),
                "r_data": In(WORD_WIDTH),
            }
        )


class CommandPort(Signature):
    """A command to a sequencer, seen from the arbiter.

    Members
    -------
    start : Out(1)
        One cycle, only while the sequencer is idle; ``command`` is valid with it.
    command : Out(4)
        ``bridgebnn.hdl.spec.Command``.
    abort : Out(1)
        One cycle; the sequencer ends in ERROR ABORTED, every pin safe in the next cycle.
    busy : In(1)
        High from the cycle after ``start`` until the cycle of ``done``, inclusive.
    done : In(1)
        One cycle, the last of the command; ``code`` and ``detail`` are valid with it.
    code : In(8)
        ``bridgebnn.hdl.spec.ErrorCode``; NONE when the command succeeded.
    detail : In(24)
    """

    def __init__(self):
        super().__init__(
            {
                "start": Out(1),
                "command": Out(4),
                "abort": Out(1),
                "busy": In(1),
                "done": In(1),
                "code": In(8),
                "detail": In(24),
            }
        )


class BusPorts(Signature):
    """The Wishbone B4 classic ports, seen from the controller, without their prefix ``wb_``.

    Members
    -------
    cyc, stb, we, adr, dat_w, sel : In; dat_r, ack, err : Out
        docs/architecture.md, section 2.
    """

    def __init__(self):
        ports = [port for port in BUS_PORTS if port.name.startswith(WISHBONE)]
        super().__init__({p.name.removeprefix(WISHBONE): port_member(p, Geometry()) for p in ports})


class AxiPorts(Signature):
    """The AXI4-Lite ports, seen from the subordinate, without their prefix ``s_axi_``: `AXI_PORTS`."""

    def __init__(self):
        super().__init__({p.name.removeprefix(AXI): port_member(p, Geometry()) for p in AXI_PORTS})


class StreamPorts(Signature):
    """The ports of the two AXI4-Streams, seen from the controller: `STREAM_PORTS`."""

    def __init__(self):
        super().__init__({p.name: port_member(p, Geometry()) for p in STREAM_PORTS})


class MacroPins(Signature):
    """Every pin of the macro, seen from the controller: `bridgebnn.hdl.spec.pins.MACRO_PINS`.

    Members
    -------
    row .. verify_ref : Out; cmp, cmp_valid, sl, hv_ready : In
        docs/architecture.md, section 2. Packed, tile ``t`` in bits ``[t*w +: w]``.
    """

    def __init__(self, geometry: Geometry):
        super().__init__({pin.name: port_member(pin, geometry) for pin in MACRO_PINS})


class ReadPins(Signature):
    """Macro pins of a read, seen from the sequencer that drives them; all outputs are registers.

    ``bl`` and ``col_en`` are not among them: they come from the column registers (``hdl/layers/vectors``).
    """

    def __init__(self, geometry: Geometry):
        pins = MacroPins(geometry).members
        names = ("row", "wl_en", "precharge", "evaluate", "sense", "cmp_ref", "cmp", "cmp_valid", "sl")
        super().__init__({name: pins[name] for name in names})


class ProgramPins(Signature):
    """Macro pins of programming, verify and read-back, seen from the program sequencer.

    ``pulse`` here is the sequencer's register; the controller's safety gate ANDs it with ``hv_en``,
    ``hv_ready``, ``wl_en`` and the unlocked state. While ``verify`` is high ``prog_level`` is the margin of
    its reference. ``select`` are the columns of tile ``tile``; the controller copies them to ``bl`` and
    ``col_en`` of that tile while ``active`` is high and holds the other tiles at 0. For the bridge read-
    back ``select`` is the mask: all asked columns at input +1.
    """

    def __init__(self, geometry: Geometry):
        pins, columns = MacroPins(geometry).members, geometry.columns
        super().__init__(
            {"active": Out(1), "tile": Out(geometry.tile_width), "row": pins["row"]}
            | {"wl_en": Out(1), "select": Out(columns)}
            | {name: pins[name] for name in ("precharge", "evaluate", "hv_en", "hv_ready")}
            | {"op": pins["prog_op"], "side": pins["prog_side"]}
            | {name: pins[name] for name in ("wl_level", "prog_level", "pulse", "verify", "verify_ref")}
            | {"sl": In(columns)}
        )
