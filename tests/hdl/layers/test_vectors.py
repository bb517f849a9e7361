"""Column registers, result writer, input banks."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.column_registers import ColumnRegisters
from bridgebnn.hdl.layers.vectors import InputBanks, ResultWriter
from bridgebnn.hdl.spec import Geometry

GEOMETRY = Geometry(tiles=3, rows=150, inputs=70, bias=5, layers=2)


def simulate(dut, testbench):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def set_plan(ctx, plan, tile_first, tile_count, **fields):
    end = tile_first + tile_count
    ctx.set(plan.tile_first, tile_first)
    ctx.set(plan.tile_last, end - 1)
    ctx.set(plan.used, (1 << end) - (1 << tile_first))
    ctx.set(plan.first, 1 << tile_first)
    ctx.set(plan.last, 1 << end - 1)
    for name, value in fields.items():
        ctx.set(getattr(plan, name), value)


async def strobe(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def write(ctx, window, addr, value):
    ctx.set(window.addr, addr)
    ctx.set(window.w_data, value)
    await strobe(ctx, window.w_en)


def test_columns_move_in_one_cycle_and_only_then():
    g = GEOMETRY
    dut = ColumnRegisters(g)
    rng = random.Random(0)
    bias = ((1 << g.bias) - 1) << g.inputs

    async def testbench(ctx):
        back, front = [0] * 3, [0] * 3
        for _ in range(20):
            for tile in range(3):
                for word in range(g.row_words):
                    bits = rng.getrandbits(32)
                    ctx.set(dut.write.tile, tile)
                    ctx.set(dut.write.word, word)
                    ctx.set(dut.write.bits, bits)
                    before = ctx.get(dut.bl)
                    ctx.set(dut.write.en, 1)
                    await ctx.tick()
                    ctx.set(dut.write.en, 0)
                    assert ctx.get(dut.bl) == before
                    mask = 0xFFFFFFFF << 32 * word
                    back[tile] = (back[tile] & ~mask | bits << 32 * word) & (1 << g.inputs) - 1
            first = rng.randrange(3)
            count = rng.randint(1, 3 - first)
            shape = [(rng.randint(1, g.inputs), rng.randint(0, g.bias)) for _ in range(2)]
            set_plan(ctx, dut.plan, first, count, cols=shape[0][0], bias=shape[0][1])
            set_plan(ctx, dut.plan, first, count, cols_last=shape[1][0], bias_last=shape[1][1])
            await strobe(ctx, dut.move)
            enables = 0
            for tile in range(first, first + count):
                front[tile] = back[tile]
                cols, bias_count = shape[tile == first + count - 1]
                enables |= ((1 << cols) - 1 | (1 << bias_count) - 1 << g.inputs) << tile * g.columns
            assert ctx.get(dut.bl) == sum((f | bias) << t * g.columns for t, f in enumerate(front))
            assert ctx.get(dut.col_en) == enables
        await strobe(ctx, dut.clear)
        assert ctx.get(dut.col_en) == 0

    simulate(dut, testbench)


@pytest.mark.parametrize("pause", [0, 1])
@pytest.mark.parametrize(
    ("tile_first", "cols", "cols_last", "tile_count"),
    [(0, 70, 70, 1), (2, 1, 1, 1), (0, 32, 31, 3), (1, 33, 64, 2), (0, 1, 2, 3), (0, 64, 64, 2)],
)
def test_bits_go_to_tiles_and_words(tile_first, cols, cols_last, tile_count, pause):
    dut = ResultWriter(GEOMETRY)
    rng = random.Random(cols)
    bits = [rng.getrandbits(1) for _ in range(cols * (tile_count - 1) + cols_last)]
    wanted = []
    for tile in range(tile_count):
        low = tile * cols
        part = bits[low:] if tile == tile_count - 1 else bits[low : low + cols]
        for word in range(0, len(part), 32):
            value = sum(bit << i for i, bit in enumerate(part[word : word + 32]))
            wanted.append((tile_first + tile, word // 32, value))

    async def testbench(ctx):
        set_plan(ctx, dut.plan, tile_first, tile_count, cols=cols, cols_last=cols_last)
        for _ in range(2):  # the second run finds the writer as the first one left it
            got = []
            await strobe(ctx, dut.begin)
            for index, bit in enumerate(bits):
                ctx.set(dut.bit, bit)
                ctx.set(dut.last, index == len(bits) - 1)
                for valid in [1] + [0] * pause:
                    ctx.set(dut.valid, valid)
                    await ctx.tick()
                    if ctx.get(dut.write.en):
                        got.append(tuple(ctx.get(getattr(dut.write, n)) for n in ("tile", "word", "bits")))
            ctx.set(dut.valid, 0)
            await ctx.tick()
            assert not ctx.get(dut.write.en)
            assert got == wanted

    simulate(dut, testbench)


def test_final_bits_are_one_run():
    dut = ResultWriter(GEOMETRY)
    bits = [random.Random(4).getrandbits(1) for _ in range(150)]

    async def testbench(ctx):
        set_plan(ctx, dut.plan, 1, 2, cols=3, cols_last=4)
        ctx.set(dut.final, 1)
        await strobe(ctx, dut.begin)
        got = {}
        for index, bit in enumerate(bits):
            ctx.set(dut.bit, bit)
            ctx.set(dut.last, index == 149)
            await strobe(ctx, dut.valid)
            if ctx.get(dut.write.en):
                got[ctx.get(dut.write.word)] = ctx.get(dut.write.bits)
        value = sum(bit << i for i, bit in enumerate(bits))
        assert got == {w: value >> 32 * w & 0xFFFFFFFF for w in range(5)}

    simulate(dut, testbench)


class Loader:
    """Input banks in front of column registers; ``fill`` pushes a vector and knows what must arrive."""

    def __init__(self):
        g = GEOMETRY
        self.banks, self.columns = InputBanks(g), ColumnRegisters(g)
        self.m = Module()
        self.m.submodules.banks, self.m.submodules.columns = self.banks, self.columns
        self.m.d.comb += [self.columns.write.eq(self.banks.write), self.columns.plan.eq(self.banks.plan)]
        self.m.d.comb += self.columns.move.eq(self.banks.take)
        self.rng = random.Random(9)
        self.tile_first, self.tile_count = 1, 2

    async def fill(self, ctx):
        g = GEOMETRY
        words = [self.rng.getrandbits(32) for _ in range(self.tile_count * g.row_words)]
        for addr, value in enumerate(words):
            await write(ctx, self.banks.window, addr, value)
        await strobe(ctx, self.banks.push)
        out = []
        for tile in range(self.tile_count):
            value = sum(words[tile * g.row_words + w] << 32 * w for w in range(g.row_words))
            out.append(value & (1 << g.inputs) - 1)
        return out

    async def wait_loaded(self, ctx):
        cycles = 0
        while not ctx.get(self.banks.loaded):
            await ctx.tick()
            cycles += 1
            assert cycles < 100
        return cycles

    async def take(self, ctx):
        await strobe(ctx, self.banks.take)
        g = GEOMETRY
        bl = ctx.get(self.columns.bl)
        return [bl >> (self.tile_first + t) * g.columns & (1 << g.inputs) - 1 for t in range(self.tile_count)]


def test_banks_hand_over_in_order():
    loader = Loader()
    banks = loader.banks

    async def testbench(ctx):
        set_plan(ctx, banks.plan, loader.tile_first, loader.tile_count)
        assert ctx.get(banks.ready)
        wanted = [await loader.fill(ctx), await loader.fill(ctx)]
        assert not ctx.get(banks.ready)
        # no bank: neither words nor a push do anything
        await write(ctx, banks.window, 0, 0xFFFFFFFF)
        await strobe(ctx, banks.push)
        assert not ctx.get(banks.loaded)
        ctx.set(banks.enable, 1)
        compared = 0
        for _ in range(6):
            assert await loader.wait_loaded(ctx) == loader.tile_count * GEOMETRY.row_words + 2
            assert await loader.take(ctx) == wanted.pop(0)
            compared += 1
            assert ctx.get(banks.ready)
            ctx.set(banks.enable, 0)
            wanted.append(await loader.fill(ctx))
            ctx.set(banks.enable, 1)
        assert compared == 6

    simulate(loader.m, testbench)


def test_halt_in_every_cycle_leaves_the_banks():
    loader = Loader()
    banks = loader.banks

    async def testbench(ctx):
        set_plan(ctx, banks.plan, loader.tile_first, loader.tile_count)
        for cycle in range(12):
            wanted = [await loader.fill(ctx), await loader.fill(ctx)]
            ctx.set(banks.enable, 1)
            for _ in range(cycle):
                await ctx.tick()
            ctx.set(banks.halt, 1)
            await ctx.tick()
            assert not ctx.get(banks.loaded)
            assert not ctx.get(banks.ready)
            ctx.set(banks.halt, 0)
            for vector in wanted:
                await loader.wait_loaded(ctx)
                assert await loader.take(ctx) == vector
            ctx.set(banks.enable, 0)

    simulate(loader.m, testbench)


def test_push_and_take_in_the_same_cycle():
    loader = Loader()
    banks = loader.banks

    async def testbench(ctx):
        set_plan(ctx, banks.plan, loader.tile_first, loader.tile_count)
        ctx.set(banks.enable, 1)
        first = await loader.fill(ctx)
        await loader.wait_loaded(ctx)
        for addr in range(6):
            await write(ctx, banks.window, addr, addr + 1)
        ctx.set(banks.push, 1)
        assert await loader.take(ctx) == first
        ctx.set(banks.push, 0)
        assert ctx.get(banks.ready)
        await loader.wait_loaded(ctx)
        mask = (1 << GEOMETRY.inputs) - 1
        assert await loader.take(ctx) == [(1 | 2 << 32 | 3 << 64) & mask, (4 | 5 << 32 | 6 << 64) & mask]

    simulate(loader.m, testbench)
