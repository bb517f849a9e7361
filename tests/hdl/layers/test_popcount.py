"""Popcounts and scores."""

import random

import pytest
from amaranth.hdl import Const
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.popcount import ScoreAdder, SliceCounter, adder_tree
from bridgebnn.hdl.layers.slice_order import count_slices
from bridgebnn.hdl.spec import Geometry, ReadMode


def simulate(dut, testbench, clock=True):
    sim = Simulator(dut)
    if clock:
        sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("count", range(1, 9))
def test_adder_tree_is_wide_enough(count):
    total = adder_tree([Const(1, 1)] * count)
    assert (1 << len(total)) - 1 >= count


@pytest.mark.parametrize(
    ("inputs", "bias", "width"), [(1, 0, 1), (7, 2, 64), (23, 2, 7), (64, 0, 32), (70, 6, 32)]
)
def test_slices_of_every_tile(inputs, bias, width):
    g = Geometry(tiles=3, inputs=inputs, bias=bias, count_width=width)
    dut = SliceCounter(g)
    rng = random.Random(inputs)
    c = g.columns

    async def testbench(ctx):
        for _ in range(5):
            sl, enable = rng.getrandbits(3 * c), rng.getrandbits(3 * c)
            ctx.set(dut.sl, sl)
            ctx.set(dut.col_en, enable)
            ctx.set(dut.enable, 1)
            totals = [0, 0, 0]
            for index in range(count_slices(g)):
                ctx.set(dut.slice, index)
                totals = [total + ctx.get(dut.counts[tile]) for tile, total in enumerate(totals)]
            assert totals == [(sl & enable & ((1 << c) - 1 << t * c)).bit_count() for t in range(3)]
            ctx.set(dut.enable, 0)
            assert [ctx.get(dut.counts[tile]) for tile in range(3)] == [0, 0, 0]

    simulate(dut, testbench, clock=False)


@pytest.mark.parametrize("mode", ReadMode)
@pytest.mark.parametrize("tiles", [1, 5])
def test_scores_of_rows_without_a_bubble(mode, tiles):
    g = Geometry(tiles=tiles, inputs=40, bias=4, count_width=32)
    dut = ScoreAdder(g)
    rng = random.Random(tiles)
    compared = 0

    async def testbench(ctx):
        nonlocal compared
        ctx.set(dut.mode, mode)
        ctx.set(dut.wl_en, (1 << tiles) - 1)
        ctx.set(dut.tile_count, tiles)
        wanted = None
        for row in range(30):
            samples = 1 if mode == ReadMode.SIGN else rng.randint(1, 4)
            use, threshold = rng.getrandbits(1), rng.randint(-200, 100)
            ctx.set(dut.use_threshold, use)
            ctx.set(dut.threshold, threshold)
            total = -tiles if mode == ReadMode.SIGN else threshold * use
            for cycle in range(2 + samples):  # precharge, evaluate, samples
                ctx.set(dut.row_first, cycle == 0)
                ctx.set(dut.sample, cycle >= 2)
                ctx.set(dut.sample_last, cycle == 1 + samples)
                ctx.set(dut.layer_last, row == 29)
                cmp, hit = rng.getrandbits(tiles), rng.getrandbits(6)
                counts = [rng.randint(0, 32) for _ in range(tiles)]
                ctx.set(dut.cmp, cmp)
                ctx.set(dut.hit, hit)
                for tile, count in enumerate(counts):
                    ctx.set(dut.counts[tile], count)
                if cycle >= 2:
                    total += 2 * {0: cmp.bit_count(), 1: hit, 2: sum(counts)}[mode]
                assert ctx.get(dut.valid) == (cycle == 0 and row > 0)
                if ctx.get(dut.valid):
                    assert (ctx.get(dut.score), ctx.get(dut.bit)) == (wanted, wanted >= 0)
                    compared += 1
                await ctx.tick()
            wanted = total
        ctx.set(dut.sample, 0)
        assert (ctx.get(dut.valid), ctx.get(dut.last), ctx.get(dut.score)) == (1, 1, wanted)
        await ctx.tick()
        assert (ctx.get(dut.valid), ctx.get(dut.last)) == (0, 0)

    simulate(dut, testbench)
    assert compared == 29


def test_the_score_holds_its_extremes():
    g = Geometry(tiles=2, inputs=1000, bias=24, count_width=64)
    low, high = -32768, 2 * g.tiles * g.columns + 32767
    assert -(1 << g.score_width - 1) <= low
    assert high < 1 << g.score_width - 1
