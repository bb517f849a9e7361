"""The chip's bus master: 32-bit accesses at byte addresses."""

from cocotb.triggers import RisingEdge

from bridgebnn.tb import BusError


class Master:
    """Drives the bus of ``dut``, one access at a time."""

    def __init__(self, dut):
        self.dut = dut
        for pin in (dut.cyc, dut.stb, dut.we, dut.adr, dut.dat_w):
            pin.value = 0

    async def access(self, address: int, data: int | None = None) -> int:
        """Write ``data``, or read where it is None; returns what was read."""
        dut = self.dut
        dut.cyc.value = dut.stb.value = 1
        dut.we.value = int(data is not None)
        dut.adr.value = address
        dut.dat_w.value = data or 0
        for _ in range(16):
            await RisingEdge(dut.clk)
            if dut.ack.value == 1 or dut.err.value == 1:
                break
        else:
            raise TimeoutError(f"nobody answers at 0x{address:08x}")
        failed, word = dut.err.value == 1, dut.dat_r.value
        dut.cyc.value = dut.stb.value = 0
        if failed:
            raise BusError(address, data is not None, ending="err")
        return int(word) if data is None else 0
