"""Lowest bits within a budget, and the walk over the words."""

import random

import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.programming.group_scan import LowestBits, WordScan
from bridgebnn.tb.checks.row_reference import bits, lowest
from tests.hdl.programming.program_bench import refuses


def simulate(dut, testbench, *, clock=False):
    sim = Simulator(dut)
    if clock:
        sim.add_clock(20e-9)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("width", [1, 3, 8, 32])
def test_lowest_bits(width):
    dut, rng = LowestBits(width, 16), random.Random(width)
    words = [0, (1 << width) - 1, 1 << width - 1, *(rng.getrandbits(width) for _ in range(100))]
    budgets = [0, 1, width - 1, width, width + 1, 65535]

    async def testbench(ctx):
        for word in words:
            ctx.set(dut.offered, word)
            for budget in (*budgets, rng.randrange(width + 1)):
                ctx.set(dut.budget, budget)
                taken = lowest(word, budget)
                assert ctx.get(dut.taken) == taken, (word, budget)
                assert ctx.get(dut.left) == budget - taken.bit_count()
                assert ctx.get(dut.short) == (taken != word)
                if taken.bit_count() == 1:
                    assert ctx.get(dut.position) == bits(taken)[0]

    simulate(dut, testbench)


@pytest.mark.parametrize("words", [1, 2, 3, 5])
def test_walk_visits_every_word_once(words):
    dut, rng = WordScan(words), random.Random(words)

    async def walk(ctx, held, stop_at=None):
        """Words seen, and cycles of the walk; ``held`` maps a word to its extra cycles."""
        seen, memory, left = [], None, dict(held)
        ctx.set(dut.run, 1)
        for cycle in range(1, 100):
            hold = False
            assert ctx.get(dut.begins) == (cycle == 1)
            if ctx.get(dut.valid):
                index = ctx.get(dut.index)
                assert memory == index
                hold = left.get(index, 0) > 0
                left[index] = left.get(index, 0) - 1
                if not hold:
                    seen.append(index)
            ctx.set(dut.hold, hold)
            if ctx.get(dut.fetch):
                memory = ctx.get(dut.addr)
            if ctx.get(dut.last) or cycle == stop_at:
                if cycle == stop_at:
                    ctx.set(dut.run, 0)
                await ctx.tick()
                ctx.set(dut.hold, 0)
                assert not ctx.get(dut.valid)
                return seen, cycle
            await ctx.tick()
        raise AssertionError("the walk does not end")

    async def testbench(ctx):
        for _ in range(3):  # at once after each other
            assert await walk(ctx, {}) == (list(range(words)), words + 1)
            held = {w: rng.randrange(3) for w in range(words)}
            assert await walk(ctx, held) == (list(range(words)), words + 1 + sum(held.values()))
            for stop_at in range(1, words + 1):
                assert await walk(ctx, {}, stop_at) == (list(range(stop_at - 1)), stop_at)
                if rng.randrange(2):
                    await ctx.tick()

    simulate(dut, testbench, clock=True)


def test_parameters_are_checked():
    refuses(ValueError, "LowestBits.width = 65: must be an integer from 1 to 64", lambda: LowestBits(65))
    refuses(ValueError, "budget_width = 0: must be an integer from 1 to 32", lambda: LowestBits(32, 0))
    refuses(ValueError, "WordScan.words = 0: must be an integer of at least 1", lambda: WordScan(0))
