"""The phases on the pins: their lengths, and steps that come early or late."""

import random

from bridgebnn.hdl.layers.read_phases import ReadPhases, ReadStep
from tests.hdl.clocked import clocked

LENGTHS = {
    ReadStep.PRECHARGE: "precharge_cyc",
    ReadStep.EVALUATE: "evaluate_cyc",
    ReadStep.SENSE: "sense_cyc",
    ReadStep.RESOLVE: "resolve_limit_cyc",
}
PINS = {
    ReadStep.PRECHARGE: (1, 0, 0),
    ReadStep.EVALUATE: (0, 1, 0),
    ReadStep.SENSE: (0, 1, 1),
    ReadStep.RESOLVE: (0, 1, 1),
    ReadStep.REST: (0, 0, 0),
}
FOLLOWS = {
    ReadStep.PRECHARGE: [ReadStep.EVALUATE],
    ReadStep.EVALUATE: [ReadStep.SENSE],
    ReadStep.SENSE: [ReadStep.PRECHARGE, ReadStep.RESOLVE, ReadStep.REST],
    ReadStep.RESOLVE: [ReadStep.PRECHARGE, ReadStep.REST],
    ReadStep.REST: [ReadStep.PRECHARGE],
}


def test_each_step_shows_its_pins_for_its_length():
    dut, rng = ReadPhases(), random.Random(1)

    async def scenario(ctx):
        step = ReadStep.REST
        for _ in range(150):
            cycles = {name: rng.choice((0, 1, 2, 3, 7)) for name in LENGTHS.values()}
            for name, value in cycles.items():
                ctx.set(getattr(dut.settings, name), value)
            step = rng.choice(FOLLOWS[step])
            ctx.set(dut.step, step)
            await ctx.tick()
            ctx.set(dut.step, ReadStep.NONE)
            for name in cycles:  # the length was taken with the step
                ctx.set(getattr(dut.settings, name), rng.randrange(8))
            length = max(1, cycles[LENGTHS[step]]) if step in LENGTHS else 1
            early = step == ReadStep.RESOLVE and rng.random() < 0.5  # the answers come before the limit
            for cycle in range(rng.randint(1, length) if early else length):
                if cycle:
                    await ctx.tick()
                assert tuple(ctx.get(pin) for pin in (dut.precharge, dut.evaluate, dut.sense)) == PINS[step]
                if step in LENGTHS:
                    assert ctx.get(dut.over) == (cycle == length - 1)
            for _ in range(rng.choice((0, 0, 2)) if not early else 0):  # COUNT goes on after EVALUATE
                await ctx.tick()
                assert tuple(ctx.get(pin) for pin in (dut.precharge, dut.evaluate, dut.sense)) == PINS[step]
                assert ctx.get(dut.over) or step == ReadStep.REST

    clocked(dut, scenario)


def test_the_longest_phases_fit():
    dut = ReadPhases()

    async def scenario(ctx):
        for step, name in LENGTHS.items():
            width = len(getattr(dut.settings, name))
            longest = min((1 << width) - 1, 300)
            ctx.set(getattr(dut.settings, name), longest)
            ctx.set(dut.step, step)
            await ctx.tick()
            ctx.set(dut.step, ReadStep.NONE)
            await ctx.tick().repeat(longest - 2)
            assert not ctx.get(dut.over)
            await ctx.tick()
            assert ctx.get(dut.over)
            ctx.set(getattr(dut.settings, name), (1 << width - 1) + 1)  # a narrower timer is over at once
            ctx.set(dut.step, step)
            await ctx.tick()
            ctx.set(dut.step, ReadStep.NONE)
            assert not ctx.get(dut.over)

    clocked(dut, scenario)
