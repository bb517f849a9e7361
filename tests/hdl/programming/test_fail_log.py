"""FailLog: entries, overflow, clearing."""

import pytest

from bridgebnn.hdl.programming.fail_log import FailLog
from tests.hdl.clocked import clocked, refuses


async def push(ctx, log, entry):
    ctx.set(log.entry, entry)
    ctx.set(log.push, 1)
    await ctx.tick()
    ctx.set(log.push, 0)


async def read(ctx, log, address):
    ctx.set(log.window.addr, address)
    ctx.set(log.window.r_en, 1)
    await ctx.tick()
    ctx.set(log.window.r_en, 0)
    return ctx.get(log.window.r_data)


def entry(i):
    return (0x1000_0000 + i) << 32 | (0x8000_0000 | i)


@pytest.mark.parametrize("depth", [1, 2, 5, 64])
def test_first_entries_stay_and_the_rest_overflows(depth):
    log = FailLog(depth)

    async def scenario(ctx):
        for i in range(depth):
            assert ctx.get(log.count) == i
            await push(ctx, log, entry(i))
        assert (ctx.get(log.count), ctx.get(log.overflow)) == (depth, 0)
        ctx.set(log.push, 1)
        ctx.set(log.entry, entry(99))
        assert ctx.get(log.lost) == 1
        await push(ctx, log, entry(99))
        assert (ctx.get(log.count), ctx.get(log.overflow)) == (depth, 1)
        for i in range(depth):
            assert await read(ctx, log, 2 * i) == 0x8000_0000 | i
            assert await read(ctx, log, 2 * i + 1) == 0x1000_0000 + i

    clocked(log, scenario)


def test_entries_of_before_the_clear_read_zero():
    log = FailLog(4)

    async def scenario(ctx):
        for i in range(5):
            await push(ctx, log, entry(i))
        ctx.set(log.clear, 1)
        await push(ctx, log, entry(7))
        ctx.set(log.clear, 0)
        assert (ctx.get(log.count), ctx.get(log.overflow)) == (0, 0)
        assert [await read(ctx, log, a) for a in range(8)] == [0] * 8
        await push(ctx, log, entry(8))
        words = [await read(ctx, log, a) for a in range(8)]
        assert words == [0x8000_0008, 0x1000_0008, 0, 0, 0, 0, 0, 0]

    clocked(log, scenario)


@pytest.mark.parametrize("depth", [0, 1025])
def test_depth(depth):
    refuses(lambda: FailLog(depth), f"FailLog.depth = {depth}: must be an integer from 1 to 1024")
