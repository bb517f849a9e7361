"""The register map as plain data, compiled from ``registers.rdl``.

Imports neither Amaranth nor cocotb: the bank of ``hdl.bus.register_bank``, the drivers of ``tb`` and the
documents read the same object.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode

from . import Geometry, Timing, words

__all__ = [
    "RDL_FILE",
    "Access",
    "Field",
    "Register",
    "RegisterMap",
    "Window",
    "rdl_parameters",
    "rdl_root",
    "register_map",
]

RDL_FILE = Path(__file__).with_name("registers.rdl")
BYTES_PER_WORD = 4


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


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits ``lsb .. lsb+width-1`` of a register; ``constant`` when no hardware drives them."""

    name: str
    lsb: int
    width: int
    access: Access
    reset: int
    desc: str
    constant: bool = False

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
    """

    name: str
    offset: int
    access: Access
    fields: tuple[Field, ...]
    desc: str
    while_busy: bool
    network: bool = False

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


def _by_name(items: tuple, name: str, kind: str):
    for item in items:
        if item.name == name:
            return item
    raise ValueError(f"unknown {kind} {name!r}: known are {', '.join(i.name for i in items)}")


def rdl_parameters(geometry: Geometry, timing: Timing) -> dict[str, int]:
    """Values of the parameters of ``registers.rdl``, by name."""
    parameters = {
        "GEO_TILES": geometry.tiles,
        "GEO_ROWS": geometry.rows,
        "GEO_INPUTS": geometry.inputs,
        "GEO_BIAS": geometry.bias,
        "GEO_THRESHOLDS": geometry.thresholds,
        "GEO_LAYERS": geometry.layers,
        "GEO_SCORES": geometry.scores,
        "GEO_LOG_DEPTH": geometry.log_depth,
        "GEO_ROW_WORDS": geometry.row_words,
        "GEO_RESULT_WORDS": words(geometry.rows),
        "GEO_SPARE_COLUMNS": geometry.spare_columns,
        "GEO_SPARE_ROWS": geometry.spare_rows,
        "GEO_MAP_WORDS": geometry.map_words,
        "GEO_INPUT_WORDS": geometry.input_words,
    }
    for field in dataclasses.fields(timing):
        value = getattr(timing, field.name)
        if field.name == "clock_s":
            continue
        if isinstance(value, int):
            parameters[f"INIT_{field.name}".upper()] = value
        else:
            for name, part in dataclasses.asdict(value).items():
                parameters[f"INIT_{field.name}_{name}".upper()] = part
    return parameters


@functools.cache
def _compiler() -> RDLCompiler:
    compiler = RDLCompiler()
    compiler.compile_file(str(RDL_FILE))
    return compiler


def rdl_root(parameters: Mapping[str, int]) -> AddrmapNode:
    """Elaborated address map, for the exporters of PeakRDL."""
    return _compiler().elaborate(parameters=dict(parameters)).top


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
        When the file breaks a rule of this project: fields of different access in one register, or an access
        that the bank cannot build.
    systemrdl.RDLCompileError
        When it breaks a rule of SystemRDL.
    """
    nodes = list(rdl_root(rdl_parameters(geometry, timing or Timing())).children())  # in order of address
    return RegisterMap(
        registers=tuple(_register(n) for n in nodes if not n.external),
        windows=tuple(_window(n) for n in nodes if n.external),
    )


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
        desc=node.get_property("desc", default=""),
        while_busy=bool(node.get_property("while_busy")),
        network=bool(node.get_property("network")),
    )


def _field(node: FieldNode) -> Field:
    return Field(
        name=node.inst_name,
        lsb=node.lsb,
        width=node.width,
        access=_field_access(node),
        reset=node.get_property("reset") or 0,
        desc=node.get_property("desc", default=""),
        constant=node.get_property("hw").name == "na",
    )


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
        desc=node.get_property("desc", default=""),
        while_busy=bool(node.get_property("while_busy")),
        layout=layout,
        network=bool(node.get_property("network")),
    )
