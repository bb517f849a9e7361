"""The bridge read: its walks and its step, with and without a column, and stopped in any cycle."""

import itertools

import pytest

from bridgebnn.hdl.programming.bridge_read import BridgeRead
from bridgebnn.hdl.programming.column_walk import Walk
from bridgebnn.hdl.programming.pin_driver import PinStep
from tests.hdl.clocked import clocked


async def read(ctx, dut, cycles: int, asked: bool, stop: int | None = None) -> list | None:
    """What was offered in a read whose walks take ``cycles`` each; None when it was stopped."""
    seen, done = [], False
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    for cycle in itertools.count():
        assert cycle < 50
        ready = cycle % cycles == cycles - 1
        ctx.set(dut.walk.ready, ready)
        ctx.set(dut.any_ahead, asked and ready)
        if cycle == stop:
            ctx.set(dut.stop, 1)
            assert not any(ctx.get(s) for s in (dut.walk.valid, dut.step.valid, dut.done))
            await ctx.tick()
            ctx.set(dut.stop, 0)
            assert not ctx.get(dut.walk.valid)
            return None
        assert ctx.get(dut.walk.valid)
        if ready:
            seen.append(Walk(ctx.get(dut.walk.payload)))
        if ctx.get(dut.step.valid):
            seen.append(PinStep(ctx.get(dut.step.payload)))
        done = ctx.get(dut.done)
        await ctx.tick()
        if done:
            ctx.set(dut.walk.ready, 0)
            assert not ctx.get(dut.walk.valid)
            assert not ctx.get(dut.done)
            assert cycle + 1 == (2 if asked else 1) * cycles
            return seen


@pytest.mark.parametrize("cycles", [1, 2, 5])
def test_reads_what_is_asked(cycles):
    dut = BridgeRead()

    async def scenario(ctx):
        for _ in range(2):
            assert await read(ctx, dut, cycles, True) == [Walk.ASK, PinStep.READ, Walk.CAPTURE]
            assert await read(ctx, dut, cycles, False) == [Walk.ASK]

    clocked(dut, scenario)


def test_stop_in_any_cycle():
    dut = BridgeRead()

    async def scenario(ctx):
        for cycle in range(6):
            assert await read(ctx, dut, 3, True, stop=cycle) is None
        assert await read(ctx, dut, 3, True, stop=6) is not None

    clocked(dut, scenario)
