"""The rows of a layer, once or for each window, and the word lines of rows with a spare."""

import random

import pytest

from bridgebnn.hdl.layers.row_order import RowOrder, SpareLine, WindowRows
from bridgebnn.hdl.spec import Geometry
from tests.hdl.clocked import clocked

GEOMETRY = Geometry(
    tiles=1, rows=13, inputs=8, bias=0, layers=2, thresholds=1, spare_rows=3, map_words=4, scores=2
)


async def begin(ctx, dut, first, last):
    """The layer's first row is taken."""
    ctx.set(dut.first_row, first)
    ctx.set(dut.start, 1)
    ctx.set(dut.begin, 1)
    assert ctx.get(dut.taken)
    assert ctx.get(dut.ahead) == first
    await ctx.tick()
    ctx.set(dut.start, 0)
    ctx.set(dut.begin, 0)
    ctx.set(dut.last_row, last)
    ctx.set(dut.first_row, first)


async def at_row(ctx, dut, row, last, rng):
    """``row`` is read for some cycles; only the first one says that it begins."""
    for cycle in range(rng.randint(1, 3)):
        if cycle:
            await ctx.tick()
        shown = (ctx.get(dut.row), ctx.get(dut.last), ctx.get(dut.begun), ctx.get(dut.taken))
        assert shown == (row, row == last, cycle == 0, 0)


@pytest.mark.parametrize("block", [RowOrder, WindowRows])
def test_every_row_once(block):
    dut, rng = block(GEOMETRY), random.Random(2)

    async def scenario(ctx):
        for _ in range(20):
            first = rng.randrange(13)
            last = rng.randrange(first, 13)
            await begin(ctx, dut, first, last)
            for row in range(first, last + 1):
                await at_row(ctx, dut, row, last, rng)
                ctx.set(dut.proceed, 1)
                assert ctx.get(dut.taken) == (row != last)
                if row != last:
                    assert ctx.get(dut.ahead) == row + 1
                if block is WindowRows:
                    assert not ctx.get(dut.awaits)
                    assert not ctx.get(dut.window_next)
                await ctx.tick()
                ctx.set(dut.proceed, 0)
            assert ctx.get(dut.row) == last
            assert not ctx.get(dut.begun)

    clocked(dut, scenario)


def test_the_rows_of_every_window():
    dut, rng = WindowRows(GEOMETRY), random.Random(3)

    async def scenario(ctx):
        for _ in range(15):
            first = rng.randrange(10)
            last = rng.randrange(first, min(10, first + 3))
            windows = rng.randint(1, 4)
            await begin(ctx, dut, first, last)
            for window in range(windows):
                ctx.set(dut.again, window + 1 < windows)
                for row in range(first, last + 1):
                    ctx.set(
                        dut.window_ready, rng.getrandbits(1)
                    )  # is there early, yet waits for the last row
                    await at_row(ctx, dut, row, last, rng)
                    assert not ctx.get(dut.window_next)
                    if row != last:
                        ctx.set(dut.proceed, 1)
                        assert ctx.get(dut.taken)
                        assert ctx.get(dut.ahead) == row + 1
                        assert not ctx.get(dut.window_next)
                        assert not ctx.get(dut.awaits)
                        await ctx.tick()
                        ctx.set(dut.proceed, 0)
                wait = rng.randrange(3)
                ctx.set(dut.window_ready, wait == 0)
                ctx.set(dut.proceed, 1)
                follows = window + 1 < windows
                assert ctx.get(dut.awaits) == (follows and wait > 0)
                assert ctx.get(dut.taken) == ctx.get(dut.window_next) == (follows and wait == 0)
                if follows and wait:
                    await ctx.tick()
                    ctx.set(dut.proceed, 0)
                    ctx.set(dut.awaiting, 1)
                    for _ in range(wait):
                        assert not ctx.get(dut.taken)
                        await ctx.tick()
                    ctx.set(dut.window_ready, 1)
                    assert ctx.get(dut.taken)
                    assert ctx.get(dut.window_next)
                if follows:
                    assert ctx.get(dut.ahead) == first
                await ctx.tick()
                ctx.set(dut.proceed, 0)
                ctx.set(dut.awaiting, 0)
                ctx.set(dut.window_ready, 0)

    clocked(dut, scenario)


def test_a_spare_stands_in_for_the_row_that_it_names_and_no_other():
    dut, rng = SpareLine(GEOMETRY), random.Random(4)

    async def scenario(ctx):
        for _ in range(30):
            named = rng.sample(range(10), 3)
            valid = [rng.getrandbits(1) for _ in named]
            for spare, (line, on) in enumerate(zip(named, valid, strict=True)):
                ctx.set(dut.spares[spare].line, line)
                ctx.set(dut.spares[spare].valid, on)
            for row in range(10):
                ctx.set(dut.row, row)
                spare = named.index(row) if row in named else None
                wanted = 10 + spare if spare is not None and valid[spare] else row
                assert ctx.get(dut.line) == wanted
        ctx.set(dut.spares[0].line, 0)
        ctx.set(dut.spares[0].valid, 1)
        ctx.set(dut.row, 16)  # one past the highest address is not row 0
        assert ctx.get(dut.line) == 0

    clocked(dut, scenario)
