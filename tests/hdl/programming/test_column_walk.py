"""The walks over a row's columns: targets, groups, answers, log and bridge read."""

import random

import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.programming.column_walk import ColumnWalk, Walk
from bridgebnn.hdl.spec import ProgOp, ProgSide, words
from bridgebnn.tb.checks.row_reference import bits, lowest


class Walker:
    def __init__(self, columns: int):
        self.dut, self.words = ColumnWalk(columns), words(columns)
        self.rng = random.Random(columns + 1)

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
        """One walk: its cycles, how it ended, what it pushed; then what it staged is loaded."""
        answered = walk in (Walk.DROP, Walk.CAPTURE)
        ctx.set(self.dut.walk.payload, walk)
        ctx.set(self.dut.walk.valid, 1)
        if answered:  # it waits for them
            for _ in range(self.rng.randrange(3)):
                assert not ctx.get(self.dut.walk.ready)
                await ctx.tick()
            ctx.set(self.dut.answers.valid, 1)
        select = ctx.get(self.dut.select)
        pushed, differs = [], []
        cycles = last = 0
        while not last:
            cycles += 1
            assert cycles < 2000
            if ctx.get(self.dut.failed.valid):
                pushed.append(ctx.get(self.dut.failed.payload))
            if ctx.get(self.dut.differing.valid):
                differs.append(ctx.get(self.dut.differing.payload))
            last, left = ctx.get(self.dut.walk.ready), ctx.get(self.dut.any_pending)
            ahead = ctx.get(self.dut.any_ahead)
            assert ctx.get(self.dut.answers.ready) == (last and answered)
            await ctx.tick()
            assert ctx.get(self.dut.select) == select  # only ``load`` changes it
        ctx.set(self.dut.walk.valid, 0)
        ctx.set(self.dut.answers.valid, 0)
        seen = {"cycles": cycles, "left": left, "ahead": ahead, "pushed": pushed, "differs": differs}
        if walk is not Walk.CAPTURE:
            ctx.set(self.dut.load, 1)
            await ctx.tick()
            ctx.set(self.dut.load, 0)
            seen["select"] = ctx.get(self.dut.select)
            seen["more"] = ctx.get(self.dut.group_follows)
        return seen


def targets(image: int, mask: int, op: ProgOp, side: ProgSide) -> int:
    wants_lrs = image if side == ProgSide.P else ~image
    return {ProgOp.FORM: mask, ProgOp.SET: mask & wants_lrs, ProgOp.RESET: mask & ~wants_lrs}[op]


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 64, 110])
def test_walks(columns):
    walker, rng = Walker(columns), random.Random(columns)
    dut, w = walker.dut, walker.words

    async def testbench(ctx):
        ctx.set(dut.forget_logged, 1)  # of what the memory holds from reset on
        for n in range(12):
            image, mask = rng.getrandbits(columns), rng.getrandbits(columns)
            side, op = rng.choice(list(ProgSide)), rng.choice(list(ProgOp))
            ahead_side, ahead_op = rng.choice(list(ProgSide)), rng.choice(list(ProgOp))
            parallel = rng.choice([0, 1, 3, 31, 32, 33, columns])
            await walker.fill(ctx, dut.image, image)
            await walker.fill(ctx, dut.mask, mask)
            ctx.set(dut.max_parallel, parallel)
            for phase, of_op, of_side in ((dut.now, op, side), (dut.ahead, ahead_op, ahead_side)):
                ctx.set(phase.op, of_op)
                ctx.set(phase.side, of_side)
            ahead = targets(image, mask, ahead_op, ahead_side)
            found = await walker.walk(ctx, Walk.FIND)
            assert (found["select"], found["ahead"], found["cycles"]) == (ahead, ahead != 0, w + 1)
            ctx.set(dut.forget_logged, n % 2)

            asked = targets(image, mask, op, side)
            pending = asked
            ctx.set(dut.drop_logged, 1)  # nothing is
            for first in (1, 0, 0):  # attempts; few or none are left in the end
                ctx.set(dut.first_verify, first)
                # the lowest columns answer: words without a pending column come before others
                sl = rng.getrandbits(columns) | (1 << rng.randrange(columns + 1)) - 1
                ctx.set(dut.answers.payload, sl)
                rest = pending = pending & ~sl
                group = await walker.walk(ctx, Walk.DROP)
                assert (group["left"], group["ahead"]) == (rest != 0, ahead != 0)
                assert group["cycles"] == w + 1
                if not pending:
                    assert group["select"] == ahead
                    continue
                while True:
                    assert group["select"] == lowest(rest, max(1, parallel))
                    rest &= ~group["select"]
                    assert group["more"] == (rest != 0)
                    if not rest:
                        break
                    group = await walker.walk(ctx, Walk.CHOOSE)
                    assert group["cycles"] == w + 1
                everything = await walker.walk(ctx, Walk.SELECT)
                assert (everything["select"], everything["cycles"]) == (pending, w + 1)
            if pending:
                log = await walker.walk(ctx, Walk.LOG)
                assert log["pushed"] == bits(pending)
                counts = [(pending >> 32 * i & 0xFFFFFFFF).bit_count() for i in range(w)]
                assert log["cycles"] == 1 + sum(max(1, n) for n in counts)
                assert (log["select"], log["ahead"]) == (ahead, ahead != 0)
                assert not (await walker.walk(ctx, Walk.DROP))["left"]  # all that fail are known now
                ctx.set(dut.now.side, 1 - side)  # the other side is not
                ctx.set(dut.first_verify, 1)
                others = targets(image, mask, op, ProgSide(1 - side)) & ~sl
                assert (await walker.walk(ctx, Walk.DROP))["left"] == (others != 0)
                ctx.set(dut.now.side, side)
                forgets = n % 2
                await walker.walk(ctx, Walk.FIND)
                again = asked & ~sl & ~(0 if forgets else pending)
                assert (await walker.walk(ctx, Walk.DROP))["left"] == (again != 0)
            ctx.set(dut.forget_logged, 1)

            ctx.set(dut.drop_logged, 0)
            asked = await walker.walk(ctx, Walk.ASK)
            assert (asked["select"], asked["ahead"]) == (mask, mask != 0)
            differing = mask & (image ^ sl)
            captured = await walker.walk(ctx, Walk.CAPTURE)
            firsts = [bits(differing >> 32 * i & 0xFFFFFFFF) for i in range(w)]
            assert captured["differs"] == [32 * i + word[0] for i, word in enumerate(firsts) if word]
            ctx.set(dut.whole_row, 1)
            assert (await walker.walk(ctx, Walk.ASK))["select"] == (1 << columns) - 1
            await walker.walk(ctx, Walk.CAPTURE)
            assert not (await walker.walk(ctx, Walk.CAPTURE))["differs"]  # the image is what was read
            ctx.set(dut.whole_row, 0)

    walker.run(testbench)
