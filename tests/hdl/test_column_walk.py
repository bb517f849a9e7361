"""The walks over a row's columns: targets, groups, answers, log and bridge read."""

import random

import pytest
from amaranth.sim import Simulator

from hdl.column_walk import ColumnWalk, Walk
from hdl.config import ProgOp, ProgSide, words
from tests.hdl.program_row import bits, lowest


class Walker:
    def __init__(self, columns: int):
        self.dut, self.words = ColumnWalk(columns), words(columns)

    def run(self, testbench) -> None:
        sim = Simulator(self.dut)
        sim.add_clock(20e-9)
        sim.add_testbench(testbench)
        sim.run()

    async def fill(self, ctx, window, value: int) -> None:
        ctx.set(self.dut.busy, 0)
        for w in range(self.words):
            ctx.set(window.addr, w)
            ctx.set(window.w_data, value >> 32 * w & 0xFFFFFFFF)
            ctx.set(window.w_en, 1)
            await ctx.tick()
        ctx.set(window.w_en, 0)
        ctx.set(self.dut.busy, 1)
        await ctx.tick()

    async def walk(self, ctx, walk: Walk) -> dict:
        """One walk: its cycles, how it ended, what it pushed; then NONE for two cycles."""
        ctx.set(self.dut.walk, walk)
        pushed, differs = [], []
        cycles = 0
        while True:
            cycles += 1
            assert cycles < 2000
            if ctx.get(self.dut.push):
                pushed.append(ctx.get(self.dut.column))
            if ctx.get(self.dut.differs):
                differs.append(ctx.get(self.dut.column))
            last, more = ctx.get(self.dut.last), ctx.get(self.dut.more)
            any_found = ctx.get(self.dut.any_found)
            await ctx.tick()
            if last or more:
                break
        ctx.set(self.dut.walk, Walk.NONE)
        assert ctx.get(self.dut.left) == any_found
        seen = {"cycles": cycles, "more": more, "found": any_found, "pushed": pushed, "differs": differs}
        seen["select"] = ctx.get(self.dut.select)
        await ctx.tick().repeat(2)
        return seen


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 64, 110])
def test_walks(columns):
    walker, rng = Walker(columns), random.Random(columns)
    dut, w = walker.dut, walker.words

    async def testbench(ctx):
        for _ in range(6):
            image, mask = rng.getrandbits(columns), rng.getrandbits(columns)
            side, op = rng.choice(list(ProgSide)), rng.choice(list(ProgOp))
            parallel = rng.choice([0, 1, 3, 31, 32, 33, columns])
            await walker.fill(ctx, dut.image, image)
            await walker.fill(ctx, dut.mask, mask)
            ctx.set(dut.side, side)
            ctx.set(dut.op, ProgOp.FORM)  # forgets what is logged
            assert (await walker.walk(ctx, Walk.FIND))["select"] == mask
            ctx.set(dut.op, op)
            ctx.set(dut.max_parallel, parallel)
            wants_lrs = image if side == ProgSide.P else ~image
            asked = {ProgOp.FORM: mask, ProgOp.SET: mask & wants_lrs, ProgOp.RESET: mask & ~wants_lrs}[op]
            found = await walker.walk(ctx, Walk.FIND)
            assert (found["select"], found["found"], found["cycles"]) == (asked, asked != 0, w + 1)

            sl = rng.getrandbits(columns)
            ctx.set(dut.sl, sl)
            ctx.set(dut.known, 1)  # nothing is
            pending = asked & ~sl
            assert (await walker.walk(ctx, Walk.DROP))["found"] == (pending != 0)
            if pending:
                for _ in range(2):  # attempts
                    rest, cycles, groups = pending, 0, 0
                    while rest:
                        group = await walker.walk(ctx, Walk.CHOOSE)
                        assert group["select"] == lowest(rest, max(1, parallel))
                        rest &= ~group["select"]
                        assert group["more"] == (rest != 0)
                        cycles, groups = cycles + group["cycles"], groups + 1
                    assert cycles == w + 2 * groups - 1
                assert (await walker.walk(ctx, Walk.SELECT))["select"] == pending
                log = await walker.walk(ctx, Walk.LOG)
                assert log["pushed"] == bits(pending)
                counts = [(pending >> 32 * i & 0xFFFFFFFF).bit_count() for i in range(w)]
                assert log["cycles"] == 1 + sum(max(1, n) for n in counts)
                assert not (await walker.walk(ctx, Walk.DROP))["found"]  # all that fail are known now

            ctx.set(dut.known, 0)
            assert (await walker.walk(ctx, Walk.ASK))["select"] == mask
            differing = mask & (image ^ sl)
            captured = await walker.walk(ctx, Walk.CAPTURE)
            assert captured["found"] == (differing != 0)
            firsts = [bits(differing >> 32 * i & 0xFFFFFFFF) for i in range(w)]
            assert captured["differs"] == [32 * i + word[0] for i, word in enumerate(firsts) if word]
            ctx.set(dut.whole, 1)
            assert (await walker.walk(ctx, Walk.ASK))["select"] == (1 << columns) - 1
            await walker.walk(ctx, Walk.CAPTURE)
            assert not (await walker.walk(ctx, Walk.CAPTURE))["found"]  # the image is what was read
            ctx.set(dut.whole, 0)

    walker.run(testbench)
