"""Testbench: registers over AXI4-Lite, many transfers under way, refused ones, and a reset in the middle."""

from __future__ import annotations

import random

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp

from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.records import Record
from bridgebnn.tb.runs.job import testbench
from bridgebnn.tb.runs.jobs import Job

from .axi_master import AxiAccess


class AxiJob(Job, frozen=True, kw_only=True):
    """``share``: of the cycles in which each channel pauses."""

    geometry: dict[str, int]
    share: float
    transfers: int = 300


class AxiReport(Record, frozen=True, kw_only=True):
    """What was compared."""

    reads: int
    writes: int
    refused: int
    wrong: int
    most_responses: int


@testbench(AxiJob)
async def over_axi(dut, job, progress):
    geometry, rng = Geometry(**job.geometry), random.Random(job.seed)
    registers = register_map(geometry)
    for name in ("cmp", "cmp_valid", "sl", "hv_ready"):
        getattr(dut, name).value = 0
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)  # without it the master would see X
    bus = AxiAccess(dut, seed=job.seed, share=job.share)
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    master, count = bus.master, dict.fromkeys(("reads", "writes", "refused", "wrong"), 0)
    base = registers.address("THRESHOLD")
    held = {base + 4 * i: 0 for i in range(geometry.thresholds)}
    for address in held:
        await bus.access(address, 0)

    async def one_round() -> None:
        """Writes to some words, all at once; then reads of them, all at once, refused ones between."""
        places = rng.sample(sorted(held), 8)
        writes = []
        for address in places:
            value = rng.randrange(1 << 15)
            held[address] = value
            writes.append(master.init_write(address, value.to_bytes(4, "little")))
        for event in writes:
            await event.wait()
            count["wrong"] += event.data.resp != AxiResp.OKAY
            count["writes"] += 1
        nowhere = registers.address("ID") + 0x700  # no register
        partial = master.init_write(places[0], b"\x55\x55")  # two byte lanes
        absent, denied = master.init_read(nowhere, 4), master.init_write(registers.address("ID"), b"abcd")
        reads = [(address, master.init_read(address, 4)) for address in places]
        for event in (partial, absent, denied):
            await event.wait()
            count["wrong"] += event.data.resp != AxiResp.SLVERR
            count["refused"] += 1
        for address, event in reads:
            await event.wait()
            word = int.from_bytes(event.data.data, "little")
            count["wrong"] += event.data.resp != AxiResp.OKAY or word != held[address]
            count["reads"] += 1

    for done in range(job.transfers // 16):
        await one_round()
        progress("rounds", done + 1, job.transfers // 16)

    # A reset in the middle of a transfer: nothing hangs, nothing is answered twice, the bus works again.
    for wait in range(8):
        event = master.init_read(base, 4)
        await ClockCycles(dut.clk, 1 + wait)
        dut.rst.value = 1
        await ClockCycles(dut.clk, 4)
        for name in ("s_axi_bvalid", "s_axi_rvalid", "s_axi_awready", "s_axi_wready"):
            count["wrong"] += str(getattr(dut, name).value) != "0"
        dut.rst.value = 0
        await ClockCycles(dut.clk, 4)
        del event
        count["wrong"] += await bus.access(registers.address("ID")) != registers.register("ID").reset

    # Responses wait for a master that does not take them.
    most = 0
    master.read_if.r_channel.clear_pause_generator()
    master.read_if.r_channel.pause = True
    event = master.init_read(registers.address("ID"), 4)
    for _ in range(50):
        await RisingEdge(dut.clk)
        most += str(dut.s_axi_rvalid.value) == "1"
    master.read_if.r_channel.pause = False
    await event.wait()
    count["wrong"] += int.from_bytes(event.data.data, "little") != registers.register("ID").reset
    return AxiReport(**count, most_responses=most)
