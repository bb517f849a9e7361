"""Maps written bit by bit, with pooling, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.map_writer import MapWriter
from bridgebnn.hdl.spec import Geometry

GEOMETRY = Geometry(rows=40, map_words=8)


def run(scenario):
    dut = MapWriter(GEOMETRY)
    memory = [0xDEADBEEF] * GEOMETRY.map_words

    async def tick(ctx):
        enable, address = ctx.get(dut.enable), ctx.get(dut.address)
        write = ctx.get(dut.write_enable), ctx.get(dut.write_address), ctx.get(dut.write_word)
        await ctx.tick()
        if write[0]:
            memory[write[1]] = write[2]
        if enable:
            ctx.set(dut.word, memory[address])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def testbench(ctx):
        await scenario(ctx, dut, memory, tick)

    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("gap", [1, 4])
@pytest.mark.parametrize(
    ("rows", "pool", "width", "height"),
    [(1, 1, 5, 4), (7, 1, 3, 3), (40, 2, 2, 3), (5, 3, 4, 2), (32, 1, 4, 2)],
)
def test_map_and_pooling(rows, pool, width, height, gap):
    rng = np.random.default_rng(rows)

    async def scenario(ctx, dut, memory, tick):
        for _ in range(2):  # a second layer overwrites what was there
            bits = (rng.random((height, width, pool, pool, rows)) < 0.4).astype(np.uint8)
            ctx.set(dut.walk.pool, pool)
            ctx.set(dut.rows, rows)
            ctx.set(dut.begin, 1)
            await tick(ctx)
            ctx.set(dut.begin, 0)
            for bit in bits.ravel():
                ctx.set(dut.valid, 1)
                ctx.set(dut.bit, int(bit))
                await tick(ctx)
                ctx.set(dut.valid, 0)
                for _ in range(gap):
                    await tick(ctx)
            await tick(ctx)
            assert not ctx.get(dut.busy)
            expected = bits.max(axis=(2, 3)).ravel()
            got = [memory[at // 32] >> at % 32 & 1 for at in range(len(expected))]
            assert got == expected.tolist()

    run(scenario)


def test_bits_past_the_end_are_dropped():
    async def scenario(ctx, dut, memory, tick):
        ctx.set(dut.walk.pool, 1)
        ctx.set(dut.rows, 40)
        ctx.set(dut.begin, 1)
        await tick(ctx)
        ctx.set(dut.begin, 0)
        for index in range(32 * GEOMETRY.map_words + 20):
            ctx.set(dut.valid, 1)
            ctx.set(dut.bit, index < 32 * GEOMETRY.map_words)
            await tick(ctx)
            ctx.set(dut.valid, 0)
            await tick(ctx)
        assert memory == [0xFFFFFFFF] * GEOMETRY.map_words

    run(scenario)
