"""Verilog of memories on SRAM macros: the technology file, and each macro's black box and stand-in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridgebnn.hdl.output.verilog import MemoryModule

from .memories import FLIP_FLOPS, Bank, MacroMemory, Role, Slice, SramMacro, Technology, on_macros
from .verilog import render

__all__ = ["EXAMPLE", "memories_toml", "memory_module", "sram_model", "sram_stub", "technology_verilog"]

EXAMPLE = {
    "sky130_sram_1kbyte_1rw1r_32x256_8": SramMacro(
        width=32,
        depth=256,
        mask_bits=8,
        read_edge="fall",
        holds=False,
        split=True,
        pins={
            "clk0": "clock",
            "csb0": "not write",
            "web0": "not write",
            "wmask0": "mask",
            "addr0": "write address",
            "din0": "write data",
            "dout0": "open",
            "clk1": "clock",
            "csb1": "not read",
            "addr1": "read address",
            "dout1": "read data",
            "vccd1": "supply VDD",
            "vssd1": "supply VSS",
        },
    )
}
"""A macro of SKY130 by OpenRAM, as the published black box names its pins: one port writes and reads, one reads. Its
answer comes after the falling edge and is gone with the next rising one (OpenRAM's issue 135)."""


def span(width: int) -> str:
    """``[7:0] ``, or nothing for one bit."""
    return f"[{width - 1}:0] " if width > 1 else ""


def technology_verilog(
    name: str, memories: tuple[MemoryModule, ...], texts: Mapping[str, str], placed: Mapping[str, MacroMemory]
) -> str:
    """The Verilog of every memory of a controller in one file.

    Parameters
    ----------
    name : str
        Of the controller.
    memories : tuple of MemoryModule
    texts : mapping
        Their modules as flip-flops, by name.
    placed : mapping
        Those on macros, by name.
    """
    modules = [
        memory_module(placed[m.name]) if m.name in placed else f"// Flip-flops.\n{texts[m.name]}"
        for m in memories
    ]
    return render("memories.v.j2", name=name, modules=modules)


def memory_module(on: MacroMemory) -> str:
    """The module of a memory on macros."""
    shape, macro = on.memory.shape, on.macro
    banks = [Bank(number=number, of=on.banks) for number in range(on.banks)]
    places = [(bank, part) for bank in banks for part in on.slices]
    words = [
        {
            "name": word,
            "pins": [(pin, _wired(on, pin, word, bank, part)) for pin in macro.signals],
            "open": [f"{word}_{pin}" for pin, (role, _) in macro.signals.items() if role is Role.OPEN],
        }
        for word, (bank, part) in zip(on.words, places, strict=True)
    ]
    return render(
        "memory_on_macros.v.j2",
        module=on.memory.name,
        macro=on.name,
        span=span,
        depth=shape.depth,
        width=shape.width,
        lanes=shape.lanes,
        address=shape.addr_width,
        macro_width=macro.width,
        words=words,
        banks=on.banks,
        bank_width=_bank_width(on),
        answer=_answer(on),
        holds=macro.holds,
    )


def _bank_width(on: MacroMemory) -> int:
    return max(0, on.memory.shape.addr_width - on.macro.address_width) if on.banks > 1 else 0


def _answer(on: MacroMemory) -> str:
    rows = []
    for bank in range(on.banks):
        parts = [f"word_{bank}_{i}_q{_bits(0, s.bits, on.macro.width)}" for i, s in enumerate(on.slices)]
        rows.append(parts[0] if len(parts) == 1 else "{" + ", ".join(reversed(parts)) + "}")
    text = rows[-1]
    for bank in reversed(range(on.banks - 1)):
        text = f"bank == {_bank_width(on)}'d{bank} ? {rows[bank]} : {text}"
    return text


def _bits(low: int, count: int, of: int) -> str:
    """Part of a vector, ``[7:4]``; nothing where that is all of it."""
    if count == of:
        return ""
    return f"[{low}]" if count == 1 else f"[{low + count - 1}:{low}]"


def _padded(text: str, width: int, wanted: int) -> str:
    return text if width == wanted else f"{{{wanted - width}'d0, {text}}}"


def _wired(on: MacroMemory, pin: str, word: str, bank: Bank, part: Slice) -> str:
    """What drives a pin of one macro, or what it drives."""
    role, low = on.macro.role(pin)
    if role is Role.OPEN:
        return f"{word}_{pin}"
    if role in (Role.LOW, Role.HIGH):
        return f"1'b{role}"
    if role is Role.CLOCK:
        return "clk"
    if role is Role.READ_DATA:
        return f"{word}_q"
    shape, macro = on.memory.shape, on.macro
    if role is Role.WRITE_DATA:
        return _padded(f"w_data{_bits(part.low, part.bits, shape.width)}", part.bits, macro.width)
    if role in (Role.WRITE_ADDRESS, Role.READ_ADDRESS):
        port = "w_addr" if role is Role.WRITE_ADDRESS else "r_addr"
        used = min(shape.addr_width, macro.address_width)
        return _padded(f"{port}{_bits(0, used, shape.addr_width)}", used, macro.address_width)
    if role is Role.MASK:
        return f"~{_mask(on, part)}" if low else _mask(on, part)
    active = _enable(on, role, bank, part)
    if not low:
        return active
    return f"!{active}" if re.fullmatch(r"[\w\[\]]+", active) else f"!({active})"


def _enable(on: MacroMemory, role: Role, bank: Bank, part: Slice) -> str:
    """Write or read enable of one macro, active high."""
    lanes = on.memory.shape.lanes
    if role is Role.WRITE:
        lane = _bits(part.lanes[0], len(part.lanes), lanes)
        enable, port = f"{'|' if len(part.lanes) > 1 else ''}w_en{lane}", "w_addr"
    else:
        enable, port = "r_en", "r_addr"
    if bank.of == 1:
        return enable
    width, address = _bank_width(on), on.memory.shape.addr_width
    bits = _bits(address - width, width, address)
    return f"({enable}) && {port}{bits} == {width}'d{bank.number}"


def _mask(on: MacroMemory, part: Slice) -> str:
    """Write mask of one macro: the enables of the lanes that its bits belong to; bits of no lane are not written."""
    shape, granule = on.memory.shape, on.macro.mask_bits or on.macro.width
    groups = on.macro.width // granule
    used = -(-part.bits // granule)
    if len(part.lanes) == 1 or shape.lanes == 1:
        return f"{groups}'b{'0' * (groups - used)}{'1' * used}"
    lane = shape.width // shape.lanes
    bits = ["1'b0"] * (groups - used)
    bits += [f"w_en[{(part.low + i * granule) // lane}]" for i in reversed(range(used))]
    return "{" + ", ".join(bits) + "}"


def _ports(macro: SramMacro) -> list[str]:
    """Declarations of a macro's ports; supplies under ``USE_POWER_PINS``."""
    outputs = (Role.READ_DATA, Role.OPEN)
    return [
        f"{'output' if role in outputs else 'input'} {span(macro.pin_width(role))}{pin}"
        for pin, (role, _) in macro.signals.items()
    ]


def sram_stub(name: str, macro: SramMacro) -> str:
    """Black box of a macro; supplies are the layout's business, see ``PDN_MACRO_CONNECTIONS``."""
    return render("sram_stub.v.j2", macro=name, ports=_ports(macro))


def sram_model(name: str, macro: SramMacro) -> str:
    """A macro that keeps what its description promises, and nothing else."""

    def on(role: Role, default: str = "1'b1") -> str:
        """Where all pins of a role are active."""
        named = [f"{'!' if low else ''}{pin}" for pin, (kind, low) in macro.signals.items() if kind is role]
        return " && ".join(named) or default

    def pin(role: Role) -> str:
        return next(pin for pin, (kind, _) in macro.signals.items() if kind is role)

    masks = macro.pin_width(Role.MASK)
    mask = on(Role.MASK, f"{{{masks}{{1'b1}}}}").replace("!", "~")
    return render(
        "sram.v.j2",
        macro=name,
        span=span,
        ports=_ports(macro),
        depth=macro.depth,
        width=macro.width,
        address=macro.address_width,
        edge=macro.read_edge,
        holds=macro.holds,
        clock=pin(Role.CLOCK),
        writes=on(Role.WRITE),
        reads=on(Role.READ),
        masks=masks,
        mask=mask,
        granule=macro.width // masks,
        write_address=pin(Role.WRITE_ADDRESS),
        write_data=pin(Role.WRITE_DATA),
        read_address=pin(Role.READ_ADDRESS),
        out=pin(Role.READ_DATA),
        open=[name for name, (kind, _) in macro.signals.items() if kind is Role.OPEN],
    )


def memories_toml(technology: Technology, memories: tuple[MemoryModule, ...]) -> str:
    """The technology file of a kit: each memory with its size, its ports and the macros that it takes.

    Files of a macro are named as the kit has them.
    """
    shown = technology.macros or EXAMPLE
    lines = []
    for m in memories:
        takes = [f"{_takes(m, name, macro)} x {name}" for name, macro in shown.items()]
        lines.append(
            {
                "name": m.shape.name,
                "choice": technology.memories.get(m.shape.name, FLIP_FLOPS),
                "depth": m.shape.depth,
                "width": m.shape.width,
                "lanes": m.shape.lanes,
                "instances": m.instances,
                "takes": ", or ".join(takes),
            }
        )
    return render(
        "memories.toml.j2",
        memories=lines,
        macros=shown,
        comment="" if technology.macros else "# ",
        ends={name: {end: f"macro/{name}{end}" for end in macro.files} for name, macro in shown.items()},
    )


def _takes(memory: MemoryModule, name: str, macro: SramMacro) -> str:
    try:
        return str(on_macros(memory, name, macro.replace(split=True)).count)
    except ValueError:
        return "does not fit on"
