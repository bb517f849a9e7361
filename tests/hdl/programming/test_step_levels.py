"""Levels and attempts of incremental step pulse programming."""

import random

import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.programming.step_levels import StepLevels


@pytest.mark.parametrize("seed", range(4))
def test_levels_and_attempts(seed):
    dut, rng = StepLevels(), random.Random(seed)
    corners = [0, 1, 127, 128, 254, 255]

    def value():
        return rng.choice(corners) if rng.random() < 0.5 else rng.randrange(256)

    async def testbench(ctx):
        for _ in range(30):
            names = ("prog_start", "prog_step", "prog_limit", "wl_start", "wl_step", "wl_limit")
            fields = {name: value() for name in names}
            for name, field in fields.items():
                ctx.set(getattr(dut.settings, name), field)
            attempts = rng.choice([0, 1, 2, 5, 255])
            ctx.set(dut.settings.attempts, attempts)
            ctx.set(dut.start, 1)
            await ctx.tick().repeat(rng.randint(1, 3))
            ctx.set(dut.start, 0)
            for attempt in range(max(1, attempts)):
                await ctx.tick().repeat(rng.randint(1, 2))
                for kind in ("prog", "wl"):
                    start, step, limit = (fields[f"{kind}_{part}"] for part in ("start", "step", "limit"))
                    level = ctx.get(getattr(dut, f"{kind}_level"))
                    assert level == min(start + attempt * step, limit), (kind, attempt, fields)
                assert not ctx.get(dut.exhausted)
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)
            assert ctx.get(dut.exhausted)

    sim = Simulator(dut)
    sim.add_clock(20e-9)
    sim.add_testbench(testbench)
    sim.run()
