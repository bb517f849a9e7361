"""Wishbone B4 classic initiator: registers and windows by their names in the register map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cocotb.triggers import RisingEdge

from bridgebnn.hdl.spec.register_map import RegisterMap
from bridgebnn.tb.agents.pins import Pin

__all__ = ["BusError", "BusTimeout", "WishboneMaster"]


class BusError(Exception):
    """An access ended in ``wb_err``.

    Attributes
    ----------
    address : int
        Byte address.
    write : bool
    """

    def __init__(self, address: int, write: bool, name: str = ""):
        self.address, self.write = address, write
        what = "write to" if write else "read of"
        super().__init__(f"{what} {name or 'address'} (0x{address:05x}) ended in wb_err")


class BusTimeout(Exception):
    """Neither ``wb_ack`` nor ``wb_err`` came within the limit."""


class WishboneMaster:
    """One access at a time; what firmware does.

    *Throughput*: an access takes the responder's cycles, none is lost between two.

    Parameters
    ----------
    dut : cocotb handle
        With ``clk`` and the ``wb_`` ports.
    registers : RegisterMap
    limit_cyc : int
        Cycles to wait for a termination.
    idle : iterator of int, optional
        Cycles to leave the bus idle before each access.
    """

    def __init__(
        self, dut: Any, registers: RegisterMap, *, limit_cyc: int = 64, idle: Iterator[int] | None = None
    ):
        self.map = registers
        self.limit_cyc = limit_cyc
        self.idle = idle
        self.accesses = 0
        self._clk = dut.clk
        self._edge = RisingEdge(dut.clk)
        names = ("cyc", "stb", "we", "adr", "dat_w", "sel", "dat_r", "ack", "err")
        self._pin = {name: Pin(getattr(dut, f"wb_{name}")) for name in names}
        self._where = {r.name: r.offset for r in registers.registers}
        self._where |= {w.name: w.offset for w in registers.windows}
        self._names = {offset: name for name, offset in self._where.items()}
        self.release()

    def release(self) -> None:
        """Drive the bus idle."""
        for name in ("cyc", "stb", "we", "adr", "dat_w"):
            self._pin[name].set(0)
        self._pin["sel"].set(15)

    async def access(self, address: int, data: int | None = None, *, sel: int = 15) -> int:
        """One bus cycle at a byte address; a write where ``data`` is given.

        Returns
        -------
        int
            Data read; 0 of a write.

        Raises
        ------
        BusError
            ``wb_err``.
        BusTimeout
            No termination within ``limit_cyc`` cycles.
        """
        pin, edge = self._pin, self._edge
        if self.idle is not None:
            for _ in range(next(self.idle)):
                await edge
        write = data is not None
        pin["adr"].set(address >> 2)
        pin["we"].set(int(write))
        if write:
            pin["dat_w"].set_text(f"{data & 0xFFFFFFFF:032b}")
        if sel != 15:
            pin["sel"].set(sel)
        pin["cyc"].set(1)
        pin["stb"].set(1)
        await edge  # the responder has not seen the access before this edge
        ack, err = pin["ack"].text, pin["err"].text
        for _ in range(self.limit_cyc):
            await edge
            if ack() == "1":
                break
            if err() == "1":
                break
        else:
            self.release()
            raise BusTimeout(f"no answer at 0x{address:05x} within {self.limit_cyc} cycles")
        failed = err() == "1"
        if failed and ack() == "1":
            raise BusTimeout(f"wb_ack and wb_err together at 0x{address:05x}")
        value = 0 if write or failed else pin["dat_r"].int()
        pin["cyc"].set(0)
        pin["stb"].set(0)
        if sel != 15:
            pin["sel"].set(15)
        self.accesses += 1
        if failed:
            raise BusError(address, write, self._names.get(address, ""))
        return value

    async def read(self, name: str, word: int = 0) -> int:
        """Read a register, or one word of a window."""
        return await self.access(self._where[name] + 4 * word)

    async def write(self, name: str, value: int = 0, word: int = 0) -> None:
        """Write a register, or one word of a window."""
        await self.access(self._where[name] + 4 * word, value)

    async def write_burst(self, name: str, values: Iterable[int], word: int = 0) -> None:
        """Write consecutive words of a window."""
        base = self._where[name] + 4 * word
        for index, value in enumerate(values):
            await self.access(base + 4 * index, int(value))

    async def read_burst(self, name: str, count: int, word: int = 0) -> list[int]:
        """Read consecutive words of a window."""
        base = self._where[name] + 4 * word
        return [await self.access(base + 4 * index) for index in range(count)]

    async def set(self, name: str, **fields: int) -> None:
        """Write a register from its fields; those not named are 0."""
        await self.write(name, self.map.register(name).pack(**fields))

    async def fields(self, name: str) -> dict[str, int]:
        """Read a register and take it apart."""
        return self.map.register(name).unpack(await self.read(name))
