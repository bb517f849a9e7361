"""The technology file of a kit: each memory of the controller is flip-flops or a named SRAM macro.

A TOML file names the choice for each memory (``mem_144x16``, without the controller's name before it) and describes the
macros by what each of their pins is wired to. From it follow, for every memory on macros, how many stand side by side
and one above the other, and what drives each of their pins. The contract that a memory keeps is that of
docs/integration.md: one write port, one read port, the answer one cycle after ``r_en``, held until the next.
"""

from __future__ import annotations

import enum
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from bridgebnn.hdl.memory import MemoryShape
from bridgebnn.hdl.output.verilog import MemoryModule, controller_name
from bridgebnn.names import UnknownName, check_names
from bridgebnn.records import Record

from .macro import POWER_PINS

__all__ = ["FLIP_FLOPS", "Bank", "MacroMemory", "Role", "Slice", "SramMacro", "Technology"]
__all__ += ["lef_size_um", "on_macros", "views"]

FLIP_FLOPS = "flip-flops"
"""What a memory is unless the file says otherwise."""

CORNERS = ("tt", "ss", "ff")
"""Corners of a macro's Liberty files, as the kit's own begin."""


class Role(enum.StrEnum):
    """What a pin of a macro is wired to; an enable or mask that is active low has ``not`` before it."""

    CLOCK = "clock"
    WRITE = "write"
    MASK = "mask"
    WRITE_ADDRESS = "write address"
    WRITE_DATA = "write data"
    READ = "read"
    READ_ADDRESS = "read address"
    READ_DATA = "read data"
    LOW = "0"
    HIGH = "1"
    OPEN = "open"


NEEDED = (
    Role.CLOCK,
    Role.WRITE,
    Role.WRITE_ADDRESS,
    Role.WRITE_DATA,
    Role.READ,
    Role.READ_ADDRESS,
    Role.READ_DATA,
)
"""What every memory has, and a macro without cannot stand in for."""

INVERTIBLE = (Role.WRITE, Role.READ, Role.MASK)
ONCE = (Role.WRITE_ADDRESS, Role.WRITE_DATA, Role.READ_ADDRESS, Role.READ_DATA, Role.MASK)
SUPPLY = "supply "


class SramMacro(Record, frozen=True, kw_only=True):
    """A macro: its size, and what each of its pins is wired to.

    Parameters
    ----------
    width : int
        Bits of a word.
    depth : int
        Words.
    mask_bits : int, optional
        Bits of a word for each bit of the write mask; none where it has no mask.
    read_edge : str
        Edge of the clock after which the answer appears, in the cycle that follows the read's rising edge.
    holds : bool
        The answer stays until the next read; else it is gone after one cycle, and the memory keeps it in flip-flops.
    split : bool
        Take several where one has too few bits or words.
    pins : dict of str to str
        What each pin is wired to: a `Role`, with ``not`` before an enable or a mask that is active low, or ``supply
        VDD``. Pins are as wide as what they are wired to; an ``open`` one is an output as wide as the word.
    verilog, lef, gds : str, optional
        Files, relative to the technology file. Without a model the kit writes a stand-in of these pins.
    lib : dict of str to str
        Liberty by corner: ``tt``, ``ss``, ``ff``.
    """

    width: Annotated[int, Meta(ge=1)]
    depth: Annotated[int, Meta(ge=2)]
    pins: dict[str, str]
    mask_bits: Annotated[int, Meta(ge=1)] | None = None
    read_edge: Literal["rise", "fall"] = "rise"
    holds: bool = False
    split: bool = False
    verilog: str | None = None
    lef: str | None = None
    gds: str | None = None
    lib: dict[str, str] = {}

    @property
    def address_width(self) -> int:
        """Bits of an address."""
        return (self.depth - 1).bit_length()

    @property
    def supplies(self) -> dict[str, str]:
        """Supply pins, and the supply of the kit that each is on."""
        return {pin: what.removeprefix(SUPPLY) for pin, what in self.pins.items() if what.startswith(SUPPLY)}

    @property
    def placed(self) -> bool:
        """It has the views that place and route needs."""
        return bool(self.lef and self.gds and self.lib)

    @property
    def files(self) -> dict[str, str]:
        """Files to take along, by their end in the kit: ``.v``, ``.lef``, ``.gds``, ``_tt.lib``."""
        views = {".v": self.verilog, ".lef": self.lef, ".gds": self.gds}
        return {end: file for end, file in views.items() if file} | {
            f"_{corner}.lib": file for corner, file in self.lib.items()
        }

    def role(self, pin: str) -> tuple[Role, bool]:
        """What a signal pin is wired to, and whether it is active low."""
        word = self.pins[pin]
        low = word.startswith("not ")
        return Role(word.removeprefix("not ")), low

    @property
    def signals(self) -> dict[str, tuple[Role, bool]]:
        """`role` of every pin but supplies."""
        return {pin: self.role(pin) for pin in self.pins if pin not in self.supplies}

    def pin_width(self, role: Role) -> int:
        """Bits of a pin of this role."""
        if role in (Role.WRITE_DATA, Role.READ_DATA, Role.OPEN):
            return self.width
        if role in (Role.WRITE_ADDRESS, Role.READ_ADDRESS):
            return self.address_width
        if role is Role.MASK:
            return self.width // (self.mask_bits or self.width)
        return 1

    def check(self, name: str) -> None:
        """Refuse a description that cannot be wired.

        Raises
        ------
        ValueError
            One sentence with the macro's name.
        """
        controller_name(name)
        legal = [
            *(f"not {r}" if low else str(r) for r in Role for low in (False, True)[: 1 + (r in INVERTIBLE)])
        ]
        legal += [f"{SUPPLY}{s}" for s in POWER_PINS]
        for pin, word in self.pins.items():
            controller_name(pin)
            if word not in legal:
                raise ValueError(f"macro {name}, pin {pin} = {word!r}: must be one of {', '.join(legal)}")
        roles = [role for role, _ in self.signals.values()]
        for role in NEEDED:
            if role not in roles:
                raise ValueError(
                    f"macro {name} has no pin for {str(role)!r}: every memory writes one word and reads another in the "
                    "same cycle, so a macro needs a write port and a read port of its own"
                )
        for role in ONCE:
            if roles.count(role) > 1:
                raise ValueError(f"macro {name} has {roles.count(role)} pins for {str(role)!r}: must be 1")
        if (self.mask_bits is None) != (Role.MASK not in roles):
            raise ValueError(f"macro {name}: mask_bits and a pin for 'mask' go together, one is missing")
        if self.mask_bits and self.width % self.mask_bits:
            raise ValueError(
                f"macro {name}: mask_bits = {self.mask_bits}: must divide the width, {self.width}"
            )
        check_names(f"macro {name}", self.lib, CORNERS, "corner")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Bits of a word that one macro holds.

    Parameters
    ----------
    low, bits : int
        The lowest, and how many.
    lanes : tuple of int
        Of the memory, that are in it.
    """

    low: int
    bits: int
    lanes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Bank:
    """Words that one row of macros holds: its number, and how many banks there are."""

    number: int
    of: int


@dataclass(frozen=True, kw_only=True)
class MacroMemory:
    """A memory on macros.

    Parameters
    ----------
    memory : MemoryModule
    name : str
        Of the macro.
    macro : SramMacro
    slices : tuple of Slice
        Side by side.
    banks : int
        One above the other.
    """

    memory: MemoryModule
    name: str
    macro: SramMacro
    slices: tuple[Slice, ...]
    banks: int

    @property
    def count(self) -> int:
        """Macros for one memory."""
        return self.banks * len(self.slices)

    @property
    def words(self) -> list[str]:
        """Names of the instances inside of the memory's module, bank by bank."""
        return [f"word_{bank}_{part}" for bank in range(self.banks) for part in range(len(self.slices))]

    @property
    def instances(self) -> list[str]:
        """Paths of all its macros inside of the controller."""
        return [f"{path}.{word}" for path in self.memory.instances for word in self.words]


class Technology(Record, frozen=True, kw_only=True):
    """The technology file.

    Parameters
    ----------
    memories : dict of str to str
        ``flip-flops`` or the name of a macro, by ``mem_<depth>x<width>``; those that are not named are flip-flops.
    macros : dict of str to SramMacro
        By name.
    """

    memories: dict[str, str] = {}
    macros: dict[str, SramMacro] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, macro in self.macros.items():
            macro.check(name)
        for memory, choice in self.memories.items():
            if choice != FLIP_FLOPS and choice not in self.macros:
                known = ", ".join([repr(FLIP_FLOPS), *self.macros])
                raise ValueError(f"memory {memory} = {choice!r}: must be one of {known}")

    @classmethod
    def load(cls, path: str | Path) -> Technology:
        """A technology file; an error's message starts with the path.

        Raises
        ------
        ValueError
            No TOML, or not of this form, or a file that it names is not there.
        """
        try:
            given = tomllib.loads(Path(path).read_text())
            macros = given.get("macros", {})
            if isinstance(macros, dict):
                given["macros"] = {name: _described(name, fields) for name, fields in macros.items()}
            found = cls.from_dict(given)
        except UnknownName as error:
            raise UnknownName(f"{path}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        for name, macro in found.macros.items():
            for file in macro.files.values():
                if not (Path(path).parent / file).is_file():
                    raise ValueError(f"{path}: macro {name}: no file {file}")
        return found

    def placed(self, memories: tuple[MemoryModule, ...]) -> dict[str, MacroMemory]:
        """The memories that are on macros, by the name of their module.

        Raises
        ------
        ValueError
            No such memory in this controller, or a macro that is too small for it.
        """
        by_shape = {m.shape.name: m for m in memories}
        check_names("the controller", self.memories, by_shape, "memory")
        chosen = {name: by_shape[name] for name, choice in self.memories.items() if choice != FLIP_FLOPS}
        return {
            memory.name: on_macros(memory, self.memories[name], self.macros[self.memories[name]])
            for name, memory in sorted(chosen.items(), key=lambda item: item[1].name)
        }


def _described(name: str, fields: object) -> SramMacro:
    """The macro of this name; an error's message starts with it."""
    try:
        return SramMacro.from_dict(fields)
    except ValueError as error:
        raise type(error)(f"macro {name}: {error}") from None


def on_macros(memory: MemoryModule, name: str, macro: SramMacro) -> MacroMemory:
    """A memory on macros of one kind, as few as its bits and words need.

    Lanes lie next to each other where the macro's mask can tell them apart; else each lane has macros of its own.

    Raises
    ------
    ValueError
        The macro is too small and must not be split, or cannot be stacked.
    """
    shape = memory.shape
    slices, banks = _slices(shape, macro), -(-shape.depth // macro.depth)
    made = MacroMemory(memory=memory, name=name, macro=macro, slices=slices, banks=banks)
    if made.count > 1 and not macro.split:
        lanes = f" in {shape.lanes} lanes" if shape.lanes > 1 else ""
        raise ValueError(
            f"memory {shape.name} has {shape.depth} words of {shape.width} bits{lanes}, macro {name} {macro.depth} of "
            f"{macro.width}: split = true takes {made.count} of them"
        )
    if banks > 1 and macro.depth & (macro.depth - 1):
        raise ValueError(
            f"memory {shape.name} has {shape.depth} words, macro {name} {macro.depth}: only macros whose depth is a "
            "power of two can be stacked"
        )
    return made


def _slices(shape: MemoryShape, macro: SramMacro) -> tuple[Slice, ...]:
    lane = shape.width // shape.lanes
    together = shape.lanes == 1 or (macro.mask_bits is not None and lane % macro.mask_bits == 0)
    if not together:
        return tuple(
            Slice(low=number * lane + low, bits=min(macro.width, lane - low), lanes=(number,))
            for number in range(shape.lanes)
            for low in range(0, lane, macro.width)
        )
    return tuple(
        Slice(
            low=low,
            bits=(bits := min(macro.width, shape.width - low)),
            lanes=tuple(range(low // lane, (low + bits - 1) // lane + 1)),
        )
        for low in range(0, shape.width, macro.width)
    )


def lef_size_um(text: str) -> tuple[float, float] | None:
    """Width and height of the macro of a LEF file; None where it says none."""
    found = re.search(r"\bSIZE\s+([\d.]+)\s+BY\s+([\d.]+)\s*;", text)
    return (float(found[1]), float(found[2])) if found else None


def views(technology: Technology, folder: Path) -> dict[str, bytes]:
    """The files of the macros that memories are on, by their path in a kit.

    Parameters
    ----------
    technology : Technology
    folder : Path
        Of the technology file.
    """
    return {
        f"macro/{name}{end}": (folder / file).read_bytes()
        for name, macro in technology.macros.items()
        if name in technology.memories.values()
        for end, file in macro.files.items()
    }
