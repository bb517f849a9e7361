"""Ordinary cocotb tests, which leave no result of our route."""

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def waits(dut):
    await Timer(1, "ns")
    dut.count.value  # noqa: B018
