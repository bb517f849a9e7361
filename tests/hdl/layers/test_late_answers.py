"""Who has answered, and who never did."""

import random

from bridgebnn.hdl.layers.late_answers import LateAnswers
from bridgebnn.hdl.spec import Geometry
from tests.hdl.clocked import clocked


def test_only_tiles_that_compare_are_waited_for_and_the_first_missing_one_is_named():
    dut, rng = LateAnswers(Geometry(tiles=5, rows=4, inputs=4, bias=0, thresholds=1)), random.Random(5)

    async def scenario(ctx):
        for _ in range(300):
            wl_en, valid = rng.getrandbits(5), rng.getrandbits(5)
            missing = [tile for tile in range(5) if wl_en >> tile & ~valid >> tile & 1]
            ctx.set(dut.wl_en, wl_en)
            ctx.set(dut.cmp_valid, valid)
            assert ctx.get(dut.resolved) == (not missing)
            give_up = bool(missing) and rng.getrandbits(1)
            ctx.set(dut.give_up, give_up)
            await ctx.tick()
            ctx.set(dut.give_up, 0)
            ctx.set(dut.wl_en, rng.getrandbits(5))
            assert ctx.get(dut.timeout) == give_up
            if give_up:
                assert ctx.get(dut.tile) == missing[0]
                await ctx.tick()
                assert not ctx.get(dut.timeout)

    clocked(dut, scenario)
