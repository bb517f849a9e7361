"""The steps on the pins, cycle by cycle, against a drawing of what each step is."""

import itertools
import random

import pytest

from bridgebnn.hdl.programming.pin_driver import PinDriver, PinStep
from tests.hdl.clocked import clocked

STROBES = ("wl_en", "pulse", "verify", "precharge", "evaluate")
NOTHING = dict.fromkeys(STROBES, 0)


def drawn(step: PinStep, s: dict[str, int], waits: int) -> list[dict[str, int]]:
    """Strobes that the driver asks for in each cycle of a step; its last part lasts ``waits`` cycles more."""
    setup, verify, width = (max(1, s[name]) for name in ("wl_setup_cyc", "verify_cyc", "width_cyc"))
    parts = {
        PinStep.VERIFY: [(verify + waits, {"wl_en": 1, "verify": 1}), (1, {})],
        PinStep.PULSE: [(setup, {"wl_en": 1}), (width, {"wl_en": 1, "pulse": 1}), (1 + waits, {"wl_en": 1})],
        PinStep.READ: [
            (setup, {"wl_en": 1, "precharge": 1}),
            (setup + waits + 1, {"wl_en": 1, "evaluate": 1}),
        ],
    }
    return [NOTHING | strobes for cycles, strobes in parts[step] for _ in range(cycles)]


class Driven:
    """Offers steps, takes answers after some cycles, and compares the strobes with the drawing."""

    def __init__(self, seed: int):
        self.dut, self.rng = PinDriver(7), random.Random(seed)

    async def settings(self, ctx) -> dict[str, int]:
        values = {name: self.rng.choice([0, 1, 2, 5]) for name in ("wl_setup_cyc", "verify_cyc", "width_cyc")}
        values |= {"margin": self.rng.randrange(256), "level": self.rng.randrange(256)}
        for name, value in values.items():
            ctx.set(getattr(self.dut, name), value)
        return values

    async def step(self, ctx, step: PinStep, s: dict, follows: PinStep | None, waits: int, stop=None) -> bool:
        """A step that has been taken in the cycle before; False when it was stopped in its cycle ``stop``."""
        dut = self.dut
        ctx.set(dut.step.valid, 0)
        drawing = drawn(step, s, waits)
        for cycle, wanted in enumerate(drawing):
            last = cycle + 1 == len(drawing)
            ctx.set(dut.answers.ready, last and step != PinStep.PULSE)
            if last and follows is not None:
                ctx.set(dut.step.payload, follows)
                ctx.set(dut.step.valid, 1)
            if cycle == stop:
                ctx.set(dut.step.valid, 0)
                ctx.set(dut.stop, 1)
                await ctx.tick()
                ctx.set(dut.stop, 0)
                assert not any(ctx.get(getattr(dut, name)) for name in STROBES)
                assert ctx.get(dut.step.ready)
                assert not ctx.get(dut.answers.valid)
                return False
            answering = step != PinStep.PULSE and cycle >= len(drawing) - 1 - waits
            assert ctx.get(dut.answers.valid) == answering
            assert ctx.get(dut.load) == (cycle == 0)
            holding = step == PinStep.PULSE and cycle >= len(drawing) - 1 - waits
            assert ctx.get(dut.step.ready) == (holding or (last and step == PinStep.VERIFY))
            rises = {name: wanted[name] and not ctx.get(getattr(dut, name)) for name in ("pulse", "verify")}
            assert [ctx.get(dut.pulse_rises), ctx.get(dut.verify_rises)] == [rises["pulse"], rises["verify"]]
            await ctx.tick()
            assert {name: ctx.get(getattr(dut, name)) for name in STROBES} == wanted, (step, cycle)
            if wanted["verify"]:
                assert ctx.get(dut.prog_level) == s["margin"]
            if wanted["pulse"]:
                assert ctx.get(dut.prog_level) == s["level"]
        return True


FOLLOWS = {
    PinStep.VERIFY: [PinStep.VERIFY, PinStep.PULSE, None],
    PinStep.PULSE: [PinStep.PULSE, PinStep.VERIFY],
}
"""What may follow at once; a pulse holds until something does."""


@pytest.mark.parametrize("seed", range(3))
def test_steps_on_the_pins(seed):
    driven = Driven(seed)
    dut, rng = driven.dut, driven.rng

    async def scenario(ctx):
        step = None
        for _ in range(60):
            s = await driven.settings(ctx)
            sl = rng.getrandbits(7)
            ctx.set(dut.sl, sl)
            assert ctx.get(dut.answers.payload) == sl
            if step is None:
                for _ in range(rng.randrange(3)):
                    await ctx.tick()
                    assert not any(ctx.get(getattr(dut, name)) for name in STROBES)
                step = rng.choice(list(PinStep))
                ctx.set(dut.step.payload, step)
                ctx.set(dut.step.valid, 1)
                assert ctx.get(dut.step.ready)
                await ctx.tick()
            follows = rng.choice(FOLLOWS.get(step, [None]))
            assert await driven.step(ctx, step, s, follows, rng.randrange(4))
            step = follows

    clocked(dut, scenario, cycles=5000)


@pytest.mark.parametrize("step", list(PinStep), ids=lambda step: step.name)
def test_stop_in_any_cycle(step):
    driven = Driven(9)
    dut = driven.dut

    async def scenario(ctx):
        s = await driven.settings(ctx)
        for cycle in itertools.count():
            ctx.set(dut.step.payload, step)
            ctx.set(dut.step.valid, 1)
            await ctx.tick()
            if await driven.step(ctx, step, s, None if step != PinStep.PULSE else PinStep.PULSE, 2, cycle):
                break
        assert cycle == len(drawn(step, s, 2))

    clocked(dut, scenario)
