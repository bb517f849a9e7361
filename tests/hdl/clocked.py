"""Runs one Amaranth component against a coroutine, with a cap on the cycles; checks refused parameters."""

import gc
import warnings

import pytest
from amaranth.hdl import Module, Signal, UnusedElaboratable
from amaranth.sim import Simulator


def clocked(dut, scenario, *, cycles=2000):
    """Simulate ``dut`` until ``scenario(ctx)`` returns; ``TimeoutError`` after ``cycles`` clock cycles.

    Inputs change, and outputs are looked at, just after a clock edge.
    """
    finished = []

    async def body(ctx):
        await scenario(ctx)
        finished.append(True)

    m = Module()
    m.submodules.dut = dut
    m.d.sync += Signal().eq(1)  # a component without registers gets a clock too
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(body)
    simulator.run_until((cycles + 0.5) * 1e-6)
    if not finished:
        raise TimeoutError(f"the scenario did not end within {cycles} cycles")


def refuses(make, message):
    """Check that ``make()`` raises ValueError with ``message``; collect the half-made component quietly."""
    with pytest.raises(ValueError, match=message):
        make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        gc.collect()
