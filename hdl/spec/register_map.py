"""The register map as plain data, compiled from ``registers.rdl``.

The bank of ``hdl.bus.register_bank``, the structures of ``hdl.signatures``, the drivers of ``tb`` and the
documents read the same object.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from systemrdl.node import FieldNode, RegfileNode, RegNode

from .codes import WORD_WIDTH, ProgOp
from .geometry import Geometry
from .rdl import BYTES_PER_WORD, member_of, rdl_root
from .timing import Timing

__all__ = [
    "WHOLE",
    "Access",
    "Field",
    "Register",
    "RegisterMap",
    "Setting",
    "Settings",
    "Window",
    "layout",
    "register_map",
]

WHOLE = Geometry(spare_columns=1, spare_rows=1, map_words=1)
"""The default geometry with spares and activation maps: the map of it has every register and window."""


class Access(enum.StrEnum):
    """What the host may do with a register or a window."""

    RO = "RO"  # read; a write ends in wb_err
    RW = "RW"
    W1C = "W1C"  # hardware sets, the host clears by writing 1
    RW1S = "RW1S"  # the host sets by writing 1; only reset clears
    WO = "WO"  # write; a read ends in wb_err

    @property
    def readable(self) -> bool:
        """Whether a read is acknowledged."""
        return self is not Access.WO

    @property
    def writable(self) -> bool:
        """Whether a write is acknowledged."""
        return self is not Access.RO


class Settings(enum.StrEnum):
    """Structure whose members the fields of a register are; see ``registers.rdl``."""

    READ = "read"
    PROGRAM = "program"
    PULSE = "pulse"  # one structure for each ProgOp
    ADDRESS = "address"  # what a command works on, not how: no part of ``Timing``


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits ``lsb .. lsb+width-1`` of a register.

    ``constant``: no hardware drives them. ``minimum``: least value that software accepts. ``setting``: the
    member of its structure of settings, where it has another name than the field.
    """

    name: str
    lsb: int
    width: int
    access: Access
    reset: int
    desc: str
    constant: bool = False
    minimum: int = 0
    setting: str | None = None

    @property
    def msb(self) -> int:
        """Highest bit."""
        return self.lsb + self.width - 1

    @property
    def mask(self) -> int:
        """The field's bits inside the word."""
        return ((1 << self.width) - 1) << self.lsb

    def extract(self, word: int) -> int:
        """Value of the field in ``word``."""
        return (word & self.mask) >> self.lsb

    def insert(self, value: int) -> int:
        """Word with the field at ``value`` and zeros elsewhere; ``ValueError`` when it does not fit."""
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"field {self.name} = {value}: must be from 0 to {(1 << self.width) - 1}")
        return value << self.lsb


@dataclass(frozen=True, kw_only=True)
class Register:
    """One 32-bit word.

    ``offset`` is in bytes from the base of the map (inside an entry's layout: from the entry).
    ``while_busy``: writable while a command runs. ``network``: not writable under the read-back lock.
    ``settings``: the fields are members of that structure of settings.
    """

    name: str
    offset: int
    access: Access
    fields: tuple[Field, ...]
    desc: str
    while_busy: bool
    network: bool = False
    settings: Settings | None = None

    @property
    def reset(self) -> int:
        """Word after reset; 0 for a WO register."""
        return functools.reduce(int.__or__, (f.insert(f.reset) for f in self.fields), 0)

    @property
    def mask(self) -> int:
        """Bits that belong to a field."""
        return functools.reduce(int.__or__, (f.mask for f in self.fields), 0)

    @property
    def constant(self) -> bool:
        """Whether no hardware drives any field."""
        return all(f.constant for f in self.fields)

    def field(self, name: str) -> Field:
        """Field ``name``; ``ValueError`` lists the known ones."""
        return _by_name(self.fields, name, f"field of {self.name}")

    def pack(self, **values: int) -> int:
        """Word with the named fields set and the others at 0."""
        return functools.reduce(int.__or__, (self.field(n).insert(v) for n, v in values.items()), 0)

    def unpack(self, word: int) -> dict[str, int]:
        """Fields of ``word`` by name."""
        return {f.name: f.extract(word) for f in self.fields}


@dataclass(frozen=True, kw_only=True)
class Window:
    """A memory of ``words`` 32-bit words at byte ``offset``.

    ``layout`` names the fields of an entry of several words, where the memory has such entries.
    ``while_busy``: open to the host while a command runs. ``network``: not writable under the read-back lock.
    """

    name: str
    offset: int
    words: int
    access: Access
    desc: str
    while_busy: bool
    layout: tuple[Register, ...] = ()
    network: bool = False

    def address(self, word: int = 0) -> int:
        """Byte address of a word; ``ValueError`` outside the window."""
        if not 0 <= word < self.words:
            raise ValueError(f"word {word} of window {self.name}: must be from 0 to {self.words - 1}")
        return self.offset + BYTES_PER_WORD * word

    @functools.cached_property
    def fields(self) -> dict[str, tuple[int, Field]]:
        """Fields of one entry by name, each with the number of its word."""
        return {f.name: (word, f) for word, register in enumerate(self.layout) for f in register.fields}

    def pack(self, **values: int) -> list[int]:
        """Words of one entry with the named fields set and the others at 0; ``ValueError`` lists the known ones."""
        fields, entry = self.fields, [0] * len(self.layout)
        for name, value in values.items():
            if name not in fields:
                raise ValueError(f"unknown field of {self.name} {name!r}: known are {', '.join(fields)}")
            word, field = fields[name]
            entry[word] |= field.insert(value)
        return entry

    def unpack(self, entry: Sequence[int]) -> dict[str, int]:
        """Fields of one entry by name; ``ValueError`` for words of another number or beyond 32 bits."""
        if len(entry) != len(self.layout) or not all(0 <= word < 1 << WORD_WIDTH for word in entry):
            raise ValueError(f"{list(entry)!r}: must be {len(self.layout)} words of {WORD_WIDTH} bits")
        return {name: field.extract(entry[word]) for name, (word, field) in self.fields.items()}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One member of a structure of settings, and the field that sets it.

    Parameters
    ----------
    name : str
        Of the member; the same in ``Timing``, or for PULSE in its conditions of ``op``.
    settings : Settings
    op : ProgOp or None
        Of PULSE.
    register : str
    field : Field
    """

    name: str
    settings: Settings
    op: ProgOp | None
    register: str
    field: Field


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """Registers and windows of one geometry, in the order of their addresses."""

    registers: tuple[Register, ...]
    windows: tuple[Window, ...]

    def register(self, name: str) -> Register:
        """Register ``name``; ``ValueError`` lists the known ones."""
        return _by_name(self.registers, name, "register")

    def window(self, name: str) -> Window:
        """Window ``name``; ``ValueError`` lists the known ones."""
        return _by_name(self.windows, name, "window")

    def address(self, name: str, word: int = 0) -> int:
        """Byte address of a register, or of word ``word`` of a window."""
        if any(w.name == name for w in self.windows):
            return self.window(name).address(word)
        if word:
            raise ValueError(f"word {word} of register {name}: must be 0")
        return self.register(name).offset

    def field(self, register: str, name: str) -> Field:
        """Field ``name`` of a register."""
        return self.register(register).field(name)

    def settings(self, *which: Settings, op: ProgOp | None = None) -> Iterator[Setting]:
        """Members of these structures of settings, in the order of their registers; of PULSE all, or one ``op``'s."""
        for register in self.registers:
            if register.settings in which:
                for field in register.fields:
                    of, name = member_of(register.name, register.settings, field.name, field.setting)
                    if op is None or of is op:
                        yield Setting(
                            name=name, settings=register.settings, op=of, register=register.name, field=field
                        )


_Named = TypeVar("_Named", Field, Register, Window)


def _by_name(items: tuple[_Named, ...], name: str, kind: str) -> _Named:
    for item in items:
        if item.name == name:
            return item
    raise ValueError(f"unknown {kind} {name!r}: known are {', '.join(i.name for i in items)}")


@functools.cache
def register_map(geometry: Geometry, timing: Timing | None = None) -> RegisterMap:
    """Compile ``registers.rdl`` for a geometry; the answer is cached.

    Parameters
    ----------
    geometry : Geometry
    timing : Timing, optional
        Reset values of the timing and programming registers; ``Timing()`` when absent.

    Raises
    ------
    ValueError
        When the file breaks a rule of this project: fields of different access in one register, an access
        that the bank cannot build, a setting without a reset value, or with two.
    systemrdl.RDLCompileError
        When it breaks a rule of SystemRDL.
    """
    registers, windows = [], []
    for node in rdl_root(geometry, timing or Timing()).children():  # in order of address
        if node.external and isinstance(node, (RegNode, RegfileNode)):
            windows.append(_window(node))
        elif isinstance(node, RegNode):
            registers.append(_register(node))
        else:
            raise ValueError(f"{node.get_path()} is neither a register nor an external array of registers")
    return RegisterMap(registers=tuple(registers), windows=tuple(windows))


@functools.cache
def layout(window: str) -> Window:
    """Window ``window`` of the whole map: for the layout of its entries, which is that of every geometry."""
    return register_map(WHOLE).window(window)


def _register(node: RegNode) -> Register:
    fields = tuple(_field(f) for f in node.fields())
    access = {f.access for f in fields}
    if len(access) != 1:
        raise ValueError(
            f"register {node.inst_name} mixes {', '.join(sorted(access))}: its fields must have one access"
        )
    return Register(
        name=node.inst_name,
        offset=node.raw_address_offset if not node.is_array else 0,
        access=access.pop(),
        fields=fields,
        desc=node.get_property("desc") or "",
        while_busy=bool(node.get_property("while_busy")),
        network=bool(node.get_property("network")),
        settings=Settings(settings) if (settings := node.get_property("settings")) else None,
    )


def _field(node: FieldNode) -> Field:
    return Field(
        name=node.inst_name,
        lsb=node.lsb,
        width=node.width,
        access=_field_access(node),
        reset=_reset(node),
        desc=node.get_property("desc") or "",
        constant=node.get_property("hw").name == "na",
        minimum=node.get_property("minimum") or 0,
        setting=node.get_property("setting"),
    )


def _reset(node: FieldNode) -> int:
    reset = node.get_property("reset") or 0
    if not isinstance(reset, int):
        raise ValueError(f"field {node.get_path()} has reset = {reset!r}: must be a number, no other signal")
    return reset


def _field_access(node: FieldNode) -> Access:
    key = (node.get_property("sw").name, getattr(node.get_property("onwrite"), "name", None))
    known = {
        ("r", None): Access.RO,
        ("w", None): Access.WO,
        ("rw", None): Access.RW,
        ("rw", "woclr"): Access.W1C,
        ("rw", "woset"): Access.RW1S,
    }
    if key not in known:
        raise ValueError(
            f"field {node.get_path()} has sw, onwrite = {key}: must be one of {', '.join(map(str, known))}"
        )
    return known[key]


def _window(node: RegNode | RegfileNode) -> Window:
    parts = [node] if isinstance(node, RegNode) else node.registers()
    layout = tuple(_register(part) for part in parts)
    access = {r.access for r in layout}
    if len(access) != 1:
        raise ValueError(f"window {node.inst_name} mixes {', '.join(sorted(access))}: must have one access")
    return Window(
        name=node.inst_name,
        offset=node.raw_absolute_address,
        words=node.total_size // BYTES_PER_WORD,
        access=access.pop(),
        desc=node.get_property("desc") or "",
        while_busy=bool(node.get_property("while_busy")),
        layout=layout,
        network=bool(node.get_property("network")),
    )
