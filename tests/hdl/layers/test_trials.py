"""The comparisons of a row: the first one of each mode, and how SEARCH goes on."""

import random

import pytest

from bridgebnn.hdl.layers.trials import FirstTrial, Trials
from bridgebnn.hdl.spec import Geometry, ReadMode
from tests.hdl.clocked import clocked

GEOMETRY = Geometry(tiles=3, rows=4, inputs=9, bias=2, thresholds=1)  # C = 11


def plan_of(ctx, plan, *, mode, first, last, enabled, enabled_last, use_threshold=0):
    """Set the fields of ``plan`` that a comparison depends on."""
    tops = {"top": enabled, "top_last": enabled_last}
    values = {name: 1 << value.bit_length() - 1 for name, value in tops.items()}
    values |= {f"ref_{name}": (value + 1) // 2 - values[name] for name, value in tops.items()}
    values |= {"mode": mode, "use_threshold": use_threshold, "enabled": enabled, "enabled_last": enabled_last}
    values |= {"first": 1 << first, "last": 1 << last, "used": (2 << last) - (1 << first)}
    for name, value in values.items():
        ctx.set(plan[name], value)


@pytest.mark.parametrize("one_tile", [True, False])
def test_the_first_comparison(one_tile):
    dut, rng = FirstTrial(GEOMETRY), random.Random(7)

    async def scenario(ctx):
        for _ in range(60):
            mode, use = rng.choice(list(ReadMode)), rng.getrandbits(1)
            first, enabled, enabled_last = rng.randrange(2), rng.randint(1, 11), rng.randint(1, 11)
            last = first if one_tile else rng.randint(first + 1, 2)
            threshold = rng.choice((0, 1, -1, 5, -5, 10, 11, 12, -10, -11, -12, 32767, -32768))
            fields = {"first": first, "last": last, "enabled": enabled, "enabled_last": enabled_last}
            plan_of(ctx, dut.plan, mode=mode, use_threshold=use, **fields)
            ctx.set(dut.threshold, threshold)
            trial = dut.trial
            assert ctx.get(dut.searches) == (mode == ReadMode.SEARCH)
            of_first = enabled_last if one_tile else enabled
            top = 1 << of_first.bit_length() - 1
            wanted = ((2 << last) - (1 << first), 0)
            if mode == ReadMode.SIGN and use:
                wanted = (wanted[0], max(-11, min(11, threshold)))
            elif mode == ReadMode.SEARCH:
                wanted = (1 << first, (of_first + 1) // 2 - top)
                assert (ctx.get(trial.at), ctx.get(trial.step)) == (top, top)
            assert (ctx.get(trial.wl_en), ctx.get(trial.cmp_ref)) == wanted

    clocked(dut, scenario)


@pytest.mark.parametrize("enabled", [1, 2, 5, 8, 11])
@pytest.mark.parametrize("enabled_last", [1, 4, 11])
def test_search_adds_up_to_the_popcount_of_every_tile(enabled, enabled_last):
    dut, rng = Trials(GEOMETRY), random.Random(8)
    counts = [enabled, enabled, enabled_last]

    async def scenario(ctx):
        plan_of(
            ctx, dut.plan, mode=ReadMode.SEARCH, first=0, last=2, enabled=enabled, enabled_last=enabled_last
        )
        for number in range(12):
            pops = [rng.choice((0, count, rng.randint(0, count))) for count in counts]
            top = 1 << enabled.bit_length() - 1
            values = {"wl_en": 1, "at": top, "step": top, "cmp_ref": (enabled + 1) // 2 - top}
            for name, value in values.items():
                ctx.set(dut.first[name], value)
            ctx.set(dut.searches, 1)
            ctx.set(dut.begin, 1)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            found, asked, complete = [0, 0, 0], 0, False
            while not complete:
                tile = ctx.get(dut.wl_en).bit_length() - 1
                assert ctx.get(dut.wl_en) == 1 << tile
                yes = 2 * pops[tile] - counts[tile] + 2 * ctx.get(dut.cmp_ref) >= 0
                ctx.set(dut.cmp, yes << tile | rng.getrandbits(3) & ~(1 << tile))
                for _ in range(rng.randrange(2)):  # the pins hold until the answer is taken
                    before = ctx.get(dut.cmp_ref)
                    await ctx.tick()
                    assert ctx.get(dut.cmp_ref) == before
                found[tile] += ctx.get(dut.hit)
                asked += 1
                complete = bool(ctx.get(dut.complete))
                ctx.set(dut.proceed, not complete)
                ctx.set(dut.rest, complete and number % 2)
                await ctx.tick()
                ctx.set(dut.proceed, 0)
                ctx.set(dut.rest, 0)
            assert found == pops
            assert asked == sum(count.bit_length() for count in counts)
            if number % 2:
                assert ctx.get(dut.wl_en) == 0

    clocked(dut, scenario)


@pytest.mark.parametrize("mode", [ReadMode.SIGN, ReadMode.COUNT])
def test_other_modes_have_one_comparison(mode):
    dut = Trials(GEOMETRY)

    async def scenario(ctx):
        plan_of(ctx, dut.plan, mode=mode, first=0, last=2, enabled=11, enabled_last=3)
        ctx.set(dut.first.wl_en, 0b111)
        ctx.set(dut.first.cmp_ref, -4)
        ctx.set(dut.begin, 1)
        await ctx.tick()
        assert ctx.get(dut.complete)
        assert (ctx.get(dut.wl_en), ctx.get(dut.cmp_ref)) == (0b111, -4)

    clocked(dut, scenario)
