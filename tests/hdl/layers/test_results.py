"""Result banks."""

import random

import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.results import ResultBanks
from bridgebnn.hdl.spec import Geometry

GEOMETRY = Geometry(tiles=2, rows=70, inputs=30, bias=2, scores=11)


class Driver:
    """Plays the adder and the writer on one side, the host on the other."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def strobe(self, signal):
        self.ctx.set(signal, 1)
        await self.ctx.tick()
        self.ctx.set(signal, 0)

    async def vector(self, scores, words, index, scored=1, keep=1, gap=0):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.index, index)
        await self.strobe(dut.begin)
        ctx.set(dut.keep, keep)
        ctx.set(dut.scored, scored)
        for place, score in enumerate(scores):
            last = place == len(scores) - 1
            ctx.set(dut.score, score)
            ctx.set(dut.last, last)
            await self.strobe(dut.valid)
            assert ctx.get(dut.commit) == (last and keep)
            for _ in range(0 if last else gap):
                await ctx.tick()
            word = place if not last else len(words) - 1
            if word < len(words):
                ctx.set(dut.write.word, word)
                ctx.set(dut.write.bits, words[word])
                ctx.set(dut.write.en, 1)
            if last:
                ctx.set(dut.last, 0)
                await ctx.tick()
                ctx.set(dut.write.en, 0)
        ctx.set(dut.keep, 0)

    async def read(self, window, addr):
        self.ctx.set(window.addr, addr)
        await self.strobe(window.r_en)
        return self.ctx.get(window.r_data)


def run(scenario):
    dut = ResultBanks(GEOMETRY)

    async def testbench(ctx):
        await scenario(ctx, dut, Driver(ctx, dut))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("gap", [0, 3])
def test_two_results_first_in_first_out(gap):
    rng = random.Random(gap)
    vectors = [
        ([rng.randint(-5, 5) * 1000 for _ in range(11)], [rng.getrandbits(32) for _ in range(3)])
        for _ in range(8)
    ]
    compared = 0

    async def check(ctx, dut, driver, index):
        scores, words = vectors[index]
        assert ctx.get(dut.result_valid)
        assert ctx.get(dut.result_index) == index
        assert ctx.get(dut.result_class) == scores.index(max(scores))
        assert [await driver.read(dut.scores, i) for i in range(11)] == [s & 0xFFFFFFFF for s in scores]
        assert [await driver.read(dut.bits, w) for w in range(3)] == words
        await driver.strobe(dut.pop)

    async def scenario(ctx, dut, driver):
        nonlocal compared
        for index, (scores, words) in enumerate(vectors):
            assert ctx.get(dut.free)
            await driver.vector(scores, words, index, gap=gap)
            if index:
                assert not ctx.get(dut.free)
                await check(ctx, dut, driver, index - 1)
                compared += 1
        await check(ctx, dut, driver, len(vectors) - 1)
        assert not ctx.get(dut.result_valid)
        await driver.strobe(dut.pop)
        assert not ctx.get(dut.result_valid)
        assert ctx.get(dut.free)

    run(scenario)
    assert compared == len(vectors) - 1


@pytest.mark.parametrize(
    ("scores", "winner"),
    [([-3], 0), ([-3, -3, -3], 0), ([-32768, -3, -2, -2], 2), ([5, 5, 6, 6, -1], 2), ([1] * 10 + [2], 10)],
)
def test_class_is_the_lowest_index_of_the_largest(scores, winner):
    async def scenario(ctx, dut, driver):
        await driver.vector([9, 8], [0], 0)
        await driver.strobe(dut.pop)
        await driver.vector(scores, [0], 1)
        assert ctx.get(dut.result_class) == winner

    run(scenario)


def test_nothing_is_kept_of_other_layers_or_cut_vectors():
    async def scenario(ctx, dut, driver):
        await driver.vector([5, 6], [7], 0, keep=0)
        assert not ctx.get(dut.result_valid)
        # cut short: begins, never ends; the next one starts anew
        await driver.strobe(dut.begin)
        ctx.set(dut.keep, 1)
        ctx.set(dut.scored, 1)
        ctx.set(dut.score, 100)
        await driver.strobe(dut.valid)
        ctx.set(dut.keep, 0)
        await ctx.tick().repeat(2)
        await driver.vector([1, 2], [3], 1)
        assert ctx.get(dut.result_class) == 1
        assert [await driver.read(dut.scores, i) for i in range(2)] == [1, 2]

    run(scenario)


def test_without_scores_the_class_is_zero():
    async def scenario(ctx, dut, driver):
        await driver.vector([1, 2], [3], 4, scored=0)
        assert (ctx.get(dut.result_valid), ctx.get(dut.result_class), ctx.get(dut.result_index)) == (1, 0, 4)
        assert await driver.read(dut.bits, 0) == 3

    run(scenario)
