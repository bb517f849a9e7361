"""Wishbone B4 classic: an initiator with registers and windows by their names, and a monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cocotb.triggers import ReadWrite, RisingEdge

from bridgebnn.hdl.spec.register_map import RegisterMap
from bridgebnn.tb.context import Dut
from bridgebnn.tb.pins import Pin

from .registers import BusError, BusTimeout, NamedRegisters

__all__ = ["WishboneMaster", "WishboneMonitor"]


class WishboneMaster(NamedRegisters):
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
        self, dut: Dut, registers: RegisterMap, *, limit_cyc: int = 64, idle: Iterator[int] | None = None
    ):
        super().__init__(registers)
        self.limit_cyc = limit_cyc
        self.idle = idle
        self.accesses = 0
        self._clk = dut.clk
        self._edge = RisingEdge(dut.clk)
        names = ("cyc", "stb", "we", "adr", "dat_w", "sel", "dat_r", "ack", "err")
        self._pin = {name: Pin(getattr(dut, f"wb_{name}")) for name in names}
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
        if data is not None:
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


class WishboneMonitor:
    """Sees every access that ends in ``wb_ack``, whoever made it, and drives nothing.

    Parameters
    ----------
    dut : Dut
        With the ``wb_`` ports.
    listener : callable
        ``listener(address, write, data)``, the address in bytes.
    """

    def __init__(self, dut: Dut, listener: Callable[[int, bool, int], None]):
        self.listener = listener
        self._ended = RisingEdge(dut.wb_ack)
        self._we, self._adr = Pin(dut.wb_we), Pin(dut.wb_adr)
        self._written, self._read = Pin(dut.wb_dat_w), Pin(dut.wb_dat_r)

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await self._ended
            await ReadWrite()  # every pin of this clock edge has its value
            self.ended()

    def ended(self) -> None:
        """``wb_ack`` is high: tell what it ended."""
        write = self._we.text() == "1"
        self.listener(self._adr.int() << 2, write, (self._written if write else self._read).int())
