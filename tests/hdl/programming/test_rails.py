"""The programming rails: settled and late ones, lost ones, and that they fall in any cycle."""

import random

import pytest

from bridgebnn.hdl.programming.rails import Rails
from tests.hdl.clocked import clocked


async def begin(ctx, dut, *, settle_cyc=3, limit_cyc=9):
    ctx.set(dut.settle_cyc, settle_cyc)
    ctx.set(dut.limit_cyc, limit_cyc)
    ctx.set(dut.unlocked, 1)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    assert not ctx.get(dut.hv_en)
    await ctx.tick()
    assert ctx.get(dut.hv_en)  # the first cycle of the limit


@pytest.mark.parametrize("seed", range(4))
def test_settling_rails(seed):
    dut, rng = Rails(), random.Random(seed)

    async def scenario(ctx):
        for _ in range(20):
            settle, limit = rng.choice([0, 1, 2, 5]), rng.choice([0, 1, 4, 9])
            ready = [rng.random() < 0.8 for _ in range(limit + 1)]
            await begin(ctx, dut, settle_cyc=settle, limit_cyc=limit)
            high = 0
            for cycle in range(max(1, limit)):
                ctx.set(dut.hv_ready, ready[cycle])
                high = high + 1 if ready[cycle] else 0
                settled = high >= max(1, settle)
                assert ctx.get(dut.pending) == (not settled)
                assert ctx.get(dut.timeout) == (not settled and cycle + 1 >= max(1, limit))
                assert not ctx.get(dut.lost)
                await ctx.tick()
                if settled:
                    break
            assert ctx.get(dut.hv_en) == settled
            assert not ctx.get(dut.pending)
            assert not ctx.get(dut.timeout)
            if settled:
                for level in (1, 0):
                    ctx.set(dut.hv_ready, level)
                    assert ctx.get(dut.lost) == 1 - level
                    assert not ctx.get(dut.locked)
                ctx.set(dut.lower, 1)
                await ctx.tick()
                ctx.set(dut.lower, 0)
            ctx.set(dut.hv_ready, 0)
            assert not ctx.get(dut.hv_en)
            assert not ctx.get(dut.lost)

    clocked(dut, scenario)


def test_lowered_in_any_cycle():
    dut = Rails()

    async def scenario(ctx):
        for cycle in range(8):
            await begin(ctx, dut)
            ctx.set(dut.hv_ready, 1)
            for _ in range(cycle):
                await ctx.tick()
            ctx.set(dut.lower, 1)
            assert not ctx.get(dut.timeout)
            await ctx.tick()
            ctx.set(dut.lower, 0)
            ctx.set(dut.hv_ready, 0)
            ctx.set(dut.unlocked, 0)
            quiet = ("hv_en", "pending", "lost", "locked", "timeout")
            assert not any(ctx.get(getattr(dut, name)) for name in quiet), cycle

    clocked(dut, scenario)


def test_lost_unlock_is_told_from_the_start_to_the_end():
    dut = Rails()

    async def scenario(ctx):
        assert not ctx.get(dut.locked)
        await begin(ctx, dut)
        ctx.set(dut.hv_ready, 1)
        for _ in range(6):
            ctx.set(dut.unlocked, 0)
            assert ctx.get(dut.locked)
            ctx.set(dut.unlocked, 1)
            assert not ctx.get(dut.locked)
            await ctx.tick()

    clocked(dut, scenario)
