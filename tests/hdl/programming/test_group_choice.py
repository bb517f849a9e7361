"""Groups of columns within a budget, and columns one by one."""

import random

import pytest

from bridgebnn.hdl.programming.group_choice import GroupChoice
from bridgebnn.tb.checks.row_reference import bits, lowest
from tests.hdl.clocked import clocked


class Walked:
    def __init__(self, words: int):
        self.dut, self.words = GroupChoice(words), words

    async def walk(self, ctx, columns: int, **kind: int) -> tuple[int, list[int], int]:
        """One walk over ``columns``: what was taken, one by one where that is asked, and its cycles."""
        dut = self.dut
        for name in ("grouping", "after_group", "singly"):
            ctx.set(getattr(dut, name), kind.get(name, 0))
        await ctx.tick()  # the first cycle of a walk: no word yet
        taken, single, cycles = 0, [], 0
        ctx.set(dut.valid, 1)
        for w in range(self.words):
            ctx.set(dut.index, w)
            ctx.set(dut.offered, columns >> 32 * w & 0xFFFFFFFF)
            hold = 1
            while hold:
                cycles += 1
                assert cycles < 500
                hold = ctx.get(dut.hold)
                ctx.set(dut.last, w == self.words - 1 and not hold)
                now = ctx.get(dut.taken)
                assert not taken >> 32 * w & now
                taken |= now << 32 * w
                if now:
                    single.append(ctx.get(dut.column))
                await ctx.tick()
        ctx.set(dut.valid, 0)
        ctx.set(dut.last, 0)
        return taken, single, cycles


@pytest.mark.parametrize("words", [1, 2, 3])
def test_groups_and_single_columns(words):
    walked, rng = Walked(words), random.Random(words)
    dut, width = walked.dut, 32 * words

    async def scenario(ctx):
        for n in range(25):
            columns = rng.getrandbits(width) & rng.getrandbits(width) if n else 0
            most = rng.choice([0, 1, 2, 7, 31, 32, 33, 65535])
            ctx.set(dut.max_parallel, most)
            rest = columns
            group, _, cycles = await walked.walk(ctx, columns, grouping=1)
            while True:
                assert cycles == words
                assert group == lowest(rest, max(1, most))
                rest &= ~group
                assert ctx.get(dut.group_follows) == (rest != 0)
                if not rest:
                    break
                group, _, cycles = await walked.walk(ctx, columns, grouping=1, after_group=1)
            counts = [(columns >> 32 * w & 0xFFFFFFFF).bit_count() for w in range(words)]
            taken, single, cycles = await walked.walk(ctx, columns, singly=1)
            assert (taken, single, cycles) == (columns, bits(columns), sum(max(1, n) for n in counts))
            taken, single, cycles = await walked.walk(ctx, columns)
            firsts = [32 * w + bits(columns >> 32 * w & 0xFFFFFFFF)[0] for w in range(words) if counts[w]]
            assert (single, cycles) == (firsts, words)

    clocked(dut, scenario, cycles=100_000)
