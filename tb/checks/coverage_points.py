"""Points of functional coverage, made from what the controller is: the specification and its state machines."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

from bridgebnn.hdl.machines import machines
from bridgebnn.hdl.spec import Combine, Command, ErrorCode, Geometry, ProgOp, ProgSide, ReadMode, VerifyRef
from bridgebnn.hdl.spec.register_map import Access, Field, Register, Window, register_map

__all__ = ["GROUPS", "closable", "extremes", "named", "points", "seen_fields"]

GROUPS = {
    "states": "every state of every state machine",
    "arcs": "every arc of every state machine; a reset is none",
    "commands": "every command's end, as STATUS tells it",
    "errors": "every code of ERROR, read by the host",
    "interrupts": "every bit of IRQ_PENDING: seen, cleared, on the pin, masked",
    "phases": "what the pins of the macro do: read phases, verify reads, pulses, rails",
    "levels": "pulses, rows, columns and references at their limits, on the pins",
    "modes": "read modes, with all that goes with them, of layers that INFER has run to its end",
    "shapes": "descriptors, walks and spares at their limits, of layers that INFER has run to its end",
    "fields": "every field of every register and window: written at its least and greatest value, read as 0 and not 0",
    "refusals": "every kind of access that ends in wb_err",
}
"""Groups of points, and what each is about."""

LEVEL_PINS = {"prog_level": "PROG", "wl_level": "WL"}
"""Pins of stepped levels, and the end of the name of their registers."""


@functools.cache
def points(geometry: Geometry) -> dict[str, tuple[str, ...]]:
    """Every point of a controller of this geometry, by group."""
    found: dict[str, Iterable[str]] = {
        "states": [f"{m.name}.{state}" for m in machines(geometry) for state in m.states],
        "arcs": [f"{m.name}.{a} > {b}" for m in machines(geometry) for a, b in m.arcs],
        "commands": _commands(),
        "errors": [code.name for code in ErrorCode],
        "interrupts": [
            f"{field.name} {what}"
            for field in register_map(geometry).register("IRQ_PENDING").fields
            for what in ("pending", "cleared", "on the pin", "masked")
        ],
        "phases": _phases(geometry),
        "levels": _levels(geometry),
        "modes": _modes(geometry),
        "shapes": _shapes(geometry),
        "fields": _fields(geometry),
        "refusals": _refusals(geometry),
    }
    return {group: tuple(dict.fromkeys(found[group])) for group in GROUPS}


def _commands() -> Iterator[str]:
    for command in Command:
        if command not in (Command.NOP, Command.CLEAR_LOG, Command.ABORT):  # they cannot go wrong
            yield f"{command.name} error"
        if command is not Command.ABORT:  # ends the others; see ABORTED among the errors
            yield f"{command.name} done"
    yield "no opcode"


def _phases(geometry: Geometry) -> Iterator[str]:
    yield from ("precharge", "read of one tile", "sense", "bridge read")
    if geometry.tiles > 1:
        yield "read of several tiles"
    for side in ProgSide:
        for ref in VerifyRef:
            yield f"verify {ref.name} {side.name}"
            if ref is not VerifyRef.FORMED:  # REFRESH_ROW alone has margins, and never forms
                yield f"verify {ref.name} {side.name} with a margin"
        for op in ProgOp:
            yield f"pulse {op.name} {side.name}"
    yield from ("rails asked for", "rails up", "rails lost")


def _levels(geometry: Geometry) -> Iterator[str]:
    for op in ProgOp:
        for pin in LEVEL_PINS:
            yield from (f"{pin} of {op.name} at its {where}" for where in ("start", "limit"))
            yield f"{pin} of {op.name} in between"
        yield f"{op.name} pulse of one cycle"
        yield f"{op.name} pulse as long as programmed"
    for pin in LEVEL_PINS:
        yield from (f"{pin} at {code}" for code in (0, 255))
    yield from ("pulse of one column", "pulse of MAX_PARALLEL columns", "pulse of every column")
    for what in ("pulse", "verify", "read"):
        yield from (f"{what} in the {where} row" for where in ("first", "last"))
        yield from (f"{what} in the {where} tile" for where in ("first", "last"))
        yield from (f"{what} of the {where} column" for where in ("first", "last"))
    yield from (f"cmp_ref {sign}" for sign in ("negative", "0", "positive"))


def _modes(geometry: Geometry) -> Iterator[str]:
    for mode in ReadMode:
        yield from (f"{mode.name} {combine.name}" for combine in Combine)
        for what in ("use_threshold", "score"):
            yield from (f"{mode.name} {what} {bit}" for bit in (0, 1))
        yield f"{mode.name} in one tile"
        if geometry.tiles > 1:
            yield f"{mode.name} in several tiles"


def _shapes(geometry: Geometry) -> Iterator[str]:
    g = geometry
    yield from ("one layer", "every layer of the table", "one vector", "several vectors")
    yield from ("tile_first 0", "last tile used", "row_first 0", "last row used")
    yield from ("one row", "cols_last 1", "cols_last of every input", "bias_last 0", "threshold_base 0")
    if g.tiles > 1:
        yield from ("tile_first above 0", "every tile", "cols of every input", "bias 0")
    if g.bias:
        yield "bias_last of every bias column"
    yield "last threshold used"
    if g.map_words:
        yield from (f"reads_map {a} writes_map {b}" for a in (0, 1) for b in (0, 1))
        yield from (f"{name} 1" for name in ("kernel", "stride", "pool", "channels"))
        yield from (f"{name} above 1" for name in ("kernel", "stride", "pool", "channels"))
        yield from ("padding 0", "padding above 0")
    if g.spare_columns:
        yield from ("spare column used", "spare column not used")
    if g.spare_rows:
        yield from ("spare row used", "spare row not used")


def seen_fields(item: Register | Window, word: int) -> tuple[Field, ...]:
    """Fields of word ``word`` of a register or window."""
    return item.fields if isinstance(item, Register) else item.layout[word % len(item.layout)].fields


def named(item: Register | Window, field: Field) -> str:
    """Name of a field."""
    return f"{item.name}.{field.name}"


def extremes(field: Field) -> dict[int, str]:
    """Values at which a written field is looked at."""
    return {0: "written 0", (1 << field.width) - 1: f"written {(1 << field.width) - 1:#x}"}


def _fields(geometry: Geometry) -> Iterator[str]:
    regs = register_map(geometry)
    items: tuple[Register | Window, ...] = (*regs.registers, *regs.windows)
    for item in items:
        for word in range(len(item.layout) if isinstance(item, Window) else 1):
            for field in seen_fields(item, word):
                if item.access.writable:
                    yield from (f"{named(item, field)} {what}" for what in extremes(field).values())
                if item.access.readable:
                    read = ("read",) if field.constant else ("read as 0", "read as not 0")
                    yield from (f"{named(item, field)} {what}" for what in read)
        if isinstance(item, Window):
            yield from (f"{item.name}, {where} word" for where in ("first", "last"))


def closable(item: Register | Window) -> bool:
    """Whether a legal access of it is refused at times: while a command runs, or with no bank there."""
    always = isinstance(item, Register) and item.access is Access.RO
    open_ = ("COMMAND", "INPUT_PUSH", "RESULT_POP", "INPUT")
    return not always and (not item.while_busy or item.name in open_)


def _refusals(geometry: Geometry) -> Iterator[str]:
    regs = register_map(geometry)
    yield from ("a write without all lanes", "a read outside of the map", "a write outside of the map")
    items: tuple[Register | Window, ...] = (*regs.registers, *regs.windows)
    for item in items:
        if not item.access.writable:
            yield f"{item.name} written"
        if not item.access.readable:
            yield f"{item.name} read"
        if closable(item):
            yield f"{item.name} closed"
