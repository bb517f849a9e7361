"""AXI4-Lite masters of cocotbext-axi on the controller, with random pauses of every channel."""

from __future__ import annotations

import random
from collections.abc import Iterator

from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from bridgebnn.tb.bus.registers import BusError


def pauses(seed: int, share: float) -> Iterator[bool]:
    """Whether a channel pauses, cycle after cycle."""
    rng = random.Random(seed)
    while True:
        yield rng.random() < share


class AxiAccess:
    """``access(address, data)`` of one word, as `bridgebnn.tb.Registers` wants it; ``master`` for everything else."""

    def __init__(self, dut, *, seed: int = 1, share: float = 0.0):
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        write, read = self.master.write_if, self.master.read_if
        channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        if share:
            for k, channel in enumerate(channels):
                channel.set_pause_generator(pauses(seed + k, share))

    async def access(self, address: int, data: int | None = None) -> int:
        if data is None:
            got = await self.master.read(address, 4)
            word = int.from_bytes(got.data, "little")
        else:
            got = await self.master.write(address, data.to_bytes(4, "little"))
            word = 0
        if got.resp != AxiResp.OKAY:
            raise BusError(address, data is not None, ending="SLVERR")
        return word
