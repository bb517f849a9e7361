"""The one kind of memory in the controller: synchronous, one write port, one read port."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import ClockSignal, Instance, Module, unsigned
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

__all__ = ["MemoryModules", "MemoryShape", "SyncMemory"]

LATENCY_CYC = 1
"""From ``r_en`` to ``r_data``."""


@dataclass(frozen=True, kw_only=True)
class MemoryShape:
    """Size and ports of a memory; equal shapes are one module in the generated Verilog.

    Parameters
    ----------
    depth : int, at least 2
        Words.
    width : int, at least 1
        Bits of a word.
    lanes : int
        Parts of a word that are written on their own, all of the same width, part 0 in the lowest bits.

    Raises
    ------
    ValueError
        With the value and its legal range.
    """

    depth: int
    width: int
    lanes: int = 1

    def __post_init__(self):
        if self.depth < 2:
            raise ValueError(f"MemoryShape.depth = {self.depth}: must be at least 2")
        if self.width < 1:
            raise ValueError(f"MemoryShape.width = {self.width}: must be at least 1")
        if self.lanes < 1 or self.width % self.lanes:
            raise ValueError(f"MemoryShape.lanes = {self.lanes}: must divide the width, {self.width}")

    @property
    def name(self) -> str:
        """Name of the module, without the prefix of the controller: ``mem_<depth>x<width>`` and what is special."""
        lanes = f"_{self.lanes}lanes" if self.lanes > 1 else ""
        return f"mem_{self.depth}x{self.width}{lanes}"

    @property
    def addr_width(self) -> int:
        """Bits of an address."""
        return bits_for(self.depth - 1)

    @property
    def inputs(self) -> dict[str, int]:
        """Input ports and their widths, without the clock."""
        write = {"w_en": self.lanes, "w_addr": self.addr_width, "w_data": self.width}
        return write | {"r_en": 1, "r_addr": self.addr_width}

    @property
    def outputs(self) -> dict[str, int]:
        """Output ports and their widths."""
        return {"r_data": self.width}


class SyncMemory(Component):
    """Memory with one write port and one read port, both on the rising edge of one clock.

    Nothing is reset. A word that was not written yet is undefined, and so is ``r_data`` before the first
    read. A read of the word that is written in the same cycle gives the old word here; no user relies on it, so
    that a compiled memory may answer anything.

    In the generated Verilog it is a module of its own with exactly these ports and ``clk``, see
    `MemoryModules`; docs/integration.md is its contract for those who put a compiled memory there.

    *Latency*: 1 cycle from ``r_en`` to ``r_data``, which then holds until the next ``r_en``; a
    write is seen by reads from the next cycle on. *Throughput*: one write and one read per cycle.

    Parameters
    ----------
    depth : int, at least 1
        Words asked for; at least two are there, so that there is an address.
    width, lanes : int
        As in :class:`MemoryShape`.

    Members
    -------
    w_en : In(lanes)
        Write the lanes whose bit is set.
    w_addr, w_data : In
        Below ``depth``; valid with any bit of ``w_en``.
    r_en, r_addr : In
        Read; the address is below ``depth``.
    r_data : Out(width)
    """

    def __init__(self, *, depth: int, width: int, lanes: int = 1):
        self.shape = shape = MemoryShape(depth=max(2, depth), width=width, lanes=lanes)
        ports = {name: In(bits) for name, bits in shape.inputs.items()}
        super().__init__(ports | {name: Out(bits) for name, bits in shape.outputs.items()})

    def elaborate(self, platform):
        shape = self.shape
        if isinstance(platform, MemoryModules):
            return platform.instance(self)
        m = Module()
        m.submodules.words = words = memory.Memory(shape=unsigned(shape.width), depth=shape.depth, init=[])
        lane = shape.width // shape.lanes if shape.lanes > 1 else None
        write = words.write_port(granularity=lane)
        read = words.read_port()
        m.d.comb += [
            *(write.en.eq(self.w_en), write.addr.eq(self.w_addr), write.data.eq(self.w_data)),
            *(read.en.eq(self.r_en), read.addr.eq(self.r_addr), self.r_data.eq(read.data)),
        ]
        return m


class MemoryModules:
    """Amaranth platform for which every `SyncMemory` is an instance of a module of its own.

    Parameters
    ----------
    prefix : str
        What the names of the modules start with.

    Attributes
    ----------
    shapes : dict of MemoryShape
        What was asked for, by the name of the module.
    """

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.shapes: dict[str, MemoryShape] = {}

    def instance(self, part: SyncMemory) -> Instance:
        """The instance that stands for ``part``."""
        shape = part.shape
        name = f"{self.prefix}_{shape.name}"
        self.shapes[name] = shape
        ports = {f"i_{port}": getattr(part, port) for port in shape.inputs}
        ports |= {f"o_{port}": getattr(part, port) for port in shape.outputs}
        return Instance(name, i_clk=ClockSignal(), **ports)
