"""When thresholds are read, and from which base: beside the threshold memory, and for windows."""

import random

import pytest
from amaranth.hdl import Module

from bridgebnn.hdl.layers.descriptor_table import ThresholdMemory
from bridgebnn.hdl.layers.threshold_fetch import LayerThresholds, ThresholdFetch
from bridgebnn.hdl.spec import Geometry
from tests.hdl.clocked import clocked

GEOMETRY = Geometry(tiles=1, rows=8, inputs=8, bias=0, thresholds=40, layers=4, map_words=2, scores=2)


@pytest.mark.parametrize("seed", range(4))
def test_each_row_finds_its_threshold(seed):
    """Layers of several rows, with and without thresholds, back to back and with gaps."""
    fetch, memory, rng = ThresholdFetch(GEOMETRY), ThresholdMemory(GEOMETRY), random.Random(seed)
    m = Module()
    m.submodules.fetch, m.submodules.memory = fetch, memory
    m.d.comb += [
        memory.base.eq(fetch.base),
        memory.restart.eq(fetch.restart),
        memory.fetch.eq(fetch.fetch),
    ]
    layers = [(rng.randrange(34), rng.randint(1, 6), rng.getrandbits(1)) for _ in range(12)]

    def ahead(ctx, number):
        """What the descriptor table shows: the layer after ``number``."""
        base, _, uses = layers[(number + 1) % len(layers)]
        ctx.set(fetch.next_base, base)
        ctx.set(fetch.next_uses, uses)

    async def scenario(ctx):
        for index in range(40):
            ctx.set(memory.window.addr, index)
            ctx.set(memory.window.w_data, 100 + index)
            ctx.set(memory.window.w_en, 1)
            await ctx.tick()
        ctx.set(memory.window.w_en, 0)
        ahead(ctx, -1)
        ctx.set(fetch.first, 1)
        await ctx.tick()
        ctx.set(fetch.first, 0)
        for number, (base, rows, uses) in enumerate(layers):
            for row in range(rows):
                if uses:
                    assert ctx.get(memory.value) == 100 + base + row
                before = ctx.get(memory.value)
                ctx.set(fetch.uses, uses)
                if row == 0:
                    await ctx.tick()  # the layer has begun, the table shows the next one
                    ahead(ctx, number)
                ctx.set(fetch.row_last, row == rows - 1)
                ctx.set(fetch.row_first, 1)
                await ctx.tick()
                ctx.set(fetch.row_first, 0)
                if not (layers[(number + 1) % len(layers)][2] if row == rows - 1 else uses):
                    assert ctx.get(memory.value) == before
                for _ in range(rng.randrange(3)):
                    await ctx.tick()
            ctx.set(fetch.row_last, 0)

    clocked(m, scenario)


def test_a_window_that_follows_begins_at_the_base_of_its_own_layer():
    dut, rng = LayerThresholds(GEOMETRY), random.Random(9)

    async def scenario(ctx):
        running = 0
        for _ in range(100):
            base, uses, of_running = rng.randrange(40), rng.getrandbits(1), rng.getrandbits(1)
            last_window, first, start = (rng.getrandbits(1) for _ in range(3))
            ctx.set(dut.plan.threshold_base, base)
            ctx.set(dut.plan.use_threshold, uses)
            ctx.set(dut.uses, of_running)
            ctx.set(dut.last_window, last_window)
            ctx.set(dut.first, first)
            ctx.set(dut.start_layer, start)
            found = (ctx.get(dut.next_base), ctx.get(dut.next_uses))
            assert found == ((base, uses) if last_window or first else (running, of_running))
            await ctx.tick()
            running = base if start else running

    clocked(dut, scenario)
