"""Counters of events, cleared by the command."""

import random

from bridgebnn.hdl.layers.run_counters import RunCounters
from tests.hdl.clocked import clocked


def test_each_counts_its_own_events_and_clear_wins():
    dut, rng = RunCounters(), random.Random(10)
    counters = {"rows": "row", "read": "reading", "cycles": "busy"}

    async def scenario(ctx):
        counted = dict.fromkeys(counters, 0)
        for _ in range(300):
            clear = rng.random() < 0.02
            ctx.set(dut.clear, clear)
            for counter, event in counters.items():
                happens = rng.getrandbits(1)
                ctx.set(getattr(dut, event), happens)
                counted[counter] = 0 if clear else counted[counter] + happens
            await ctx.tick()
            assert {name: ctx.get(getattr(dut, name)) for name in counters} == counted

    clocked(dut, scenario)
