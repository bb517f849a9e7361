"""Registers and windows by their names: what the host driver asks of a bus, whatever the bus is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.register_map import RegisterMap, register_map

__all__ = ["BusError", "BusTimeout", "NamedRegisters", "RegisterAccess", "Registers"]


class BusError(Exception):
    """An access ended in the bus's error.

    Attributes
    ----------
    address : int
        Byte address.
    write : bool
    ending : str
        What said so.
    """

    def __init__(self, address: int, write: bool, name: str = "", ending: str = "wb_err"):
        self.address, self.write, self.ending = address, write, ending
        what = "write to" if write else "read of"
        super().__init__(f"{what} {name or 'address'} (0x{address:05x}) ended in {ending}")


class BusTimeout(Exception):
    """No termination came within the limit."""


class RegisterAccess(Protocol):
    """Access to one controller's registers and windows.

    Members
    -------
    map : RegisterMap
        The names, and what their fields are.
    """

    @property
    def map(self) -> RegisterMap: ...

    async def read(self, name: str, word: int = 0) -> int:
        """Read a register, or one word of a window; `BusError` where the bus refuses."""
        ...

    async def write(self, name: str, value: int = 0, word: int = 0) -> None:
        """Write a register, or one word of a window."""
        ...

    async def read_burst(self, name: str, count: int, word: int = 0) -> list[int]:
        """Read consecutive words of a window."""
        ...

    async def write_burst(self, name: str, values: Iterable[int], word: int = 0) -> None:
        """Write consecutive words of a window."""
        ...

    async def set(self, name: str, **fields: int) -> None:
        """Write a register from its fields; those not named are 0."""
        ...

    async def fields(self, name: str) -> dict[str, int]:
        """Read a register and take it apart."""
        ...


class NamedRegisters(ABC):
    """`RegisterAccess` over single accesses at byte addresses; a bus adds `access`.

    Parameters
    ----------
    registers : RegisterMap
    base : int
        Byte address of the controller on the bus.
    """

    def __init__(self, registers: RegisterMap, *, base: int = 0):
        self.map = registers
        self._where = {r.name: base + r.offset for r in registers.registers}
        self._where |= {w.name: base + w.offset for w in registers.windows}
        self._names = {offset: name for name, offset in self._where.items()}

    @abstractmethod
    async def access(self, address: int, data: int | None = None) -> int:
        """One access at a byte address; a write where ``data`` is given. Returns the data read, 0 of a write."""

    async def read(self, name: str, word: int = 0) -> int:
        return await self.access(self._where[name] + 4 * word)

    async def write(self, name: str, value: int = 0, word: int = 0) -> None:
        await self.access(self._where[name] + 4 * word, value)

    async def write_burst(self, name: str, values: Iterable[int], word: int = 0) -> None:
        base = self._where[name] + 4 * word
        for index, value in enumerate(values):
            await self.access(base + 4 * index, int(value))

    async def read_burst(self, name: str, count: int, word: int = 0) -> list[int]:
        base = self._where[name] + 4 * word
        return [await self.access(base + 4 * index) for index in range(count)]

    async def set(self, name: str, **fields: int) -> None:
        await self.write(name, self.map.register(name).pack(**fields))

    async def fields(self, name: str) -> dict[str, int]:
        return self.map.register(name).unpack(await self.read(name))


class Registers(NamedRegisters):
    """The registers of one controller behind a bus of your own.

    Parameters
    ----------
    access : callable
        ``await access(address, data)`` does one access of 32 bits at a byte address: a write where ``data`` is an
        integer, a read where it is None. Returns the word read (of a write: anything). Where the bus answers
        with an error it raises; `BusError` says it best.
    geometry : Geometry
    base : int
        Byte address of the controller on your bus, a multiple of 4.
    timing : Timing, optional
        As the Verilog was generated with.

    Raises
    ------
    ValueError
        A base that is no address of a word.
    """

    def __init__(
        self,
        access: Callable[[int, int | None], Awaitable[int | None]],
        geometry: Geometry,
        *,
        base: int = 0,
        timing: Timing | None = None,
    ):
        if base < 0 or base % 4:
            raise ValueError(f"base = {base:#x}: must be a byte address, a multiple of 4")
        super().__init__(register_map(geometry, timing or Timing()), base=base)
        self._access = access

    async def access(self, address: int, data: int | None = None) -> int:
        try:
            return await self._access(address, data) or 0
        except BusError as error:
            name = self._names.get(address, "")
            raise BusError(address, data is not None, name, error.ending) from None
