"""The row's memories and column registers."""

import random

import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.programming.row_memory import ColumnWords, RowMemory
from bridgebnn.hdl.spec import words


def simulate(dut, testbench):
    sim = Simulator(dut)
    sim.add_clock(20e-9)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_host_and_sequencer_share_the_memory(depth):
    dut, rng = RowMemory(depth), random.Random(depth)
    model = [rng.getrandbits(32) for _ in range(depth)]

    async def testbench(ctx):
        for addr, word in enumerate(model):
            ctx.set(dut.host.addr, addr)
            ctx.set(dut.host.w_data, word)
            ctx.set(dut.host.w_en, 1)
            await ctx.tick()
        ctx.set(dut.busy, 1)  # the host writes on, in vain
        ctx.set(dut.host.w_data, 0)
        ctx.set(dut.w_en, 1)
        ctx.set(dut.w_addr, depth - 1)
        ctx.set(dut.w_data, 0x12345678)
        model[depth - 1] = 0x12345678
        await ctx.tick()
        ctx.set(dut.w_en, 0)
        for addr, word in enumerate(model):
            ctx.set(dut.addr, addr)
            ctx.set(dut.fetch, 1)
            await ctx.tick()
            ctx.set(dut.fetch, 0)
            ctx.set(dut.addr, 0)
            await ctx.tick()
            assert ctx.get(dut.data) == word
        ctx.set(dut.host.w_en, 0)
        ctx.set(dut.busy, 0)
        for addr, word in enumerate(model):
            ctx.set(dut.host.addr, addr)
            ctx.set(dut.host.r_en, 1)
            await ctx.tick()
            ctx.set(dut.host.r_en, 0)
            ctx.set(dut.host.addr, 0)
            await ctx.tick()
            assert ctx.get(dut.host.r_data) == word

    simulate(dut, testbench)


@pytest.mark.parametrize("columns", [1, 5, 32, 33, 96, 110])
def test_column_words(columns):
    dut, rng = ColumnWords(columns), random.Random(columns)
    everything = (1 << columns) - 1

    async def testbench(ctx):
        select = stage = 0
        for _ in range(80):
            w, word, sl = rng.randrange(words(columns)), rng.getrandbits(32), rng.getrandbits(columns)
            ctx.set(dut.index, w)
            ctx.set(dut.w_data, word)
            ctx.set(dut.sl, sl)
            assert ctx.get(dut.answer) == sl >> 32 * w & 0xFFFFFFFF
            assert ctx.get(dut.exists) == everything >> 32 * w & 0xFFFFFFFF
            blank = rng.randrange(words(columns)) if rng.randrange(2) else 0
            ctx.set(dut.blank, blank)
            if rng.random() < 0.3:
                ctx.set(dut.load, 1)
                select = stage >> 32 * blank << 32 * blank
            elif rng.random() < 0.8:
                ctx.set(dut.w_en, 1)
                stage = (stage & ~(0xFFFFFFFF << 32 * w) | word << 32 * w) & everything
            await ctx.tick()
            ctx.set(dut.load, 0)
            ctx.set(dut.w_en, 0)
            assert ctx.get(dut.select) == select

    simulate(dut, testbench)
