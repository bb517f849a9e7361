"""The attempts of a phase, with columns and pins played by the test: the order of walks, steps and levels."""

import dataclasses
import itertools
import random

import pytest

from bridgebnn.hdl.programming.attempts import Attempts
from bridgebnn.hdl.programming.column_walk import Walk
from bridgebnn.hdl.programming.pin_driver import PinStep
from tests.hdl.clocked import clocked


@dataclasses.dataclass
class Planned:
    """A phase: whether it has columns, and how many groups are pulsed in each of its attempts.

    ``left`` says that devices remain after the last attempt.
    """

    columns: bool
    final: bool
    groups: list[int]
    left: bool


def planned(rng: random.Random, most: int) -> list[Planned]:
    """Up to ten phases, the last ones final; ``most`` attempts at most."""
    phases = []
    for n in range(rng.randrange(11)):
        final = n >= 6
        left = rng.random() < 0.4
        attempts = 0 if final else most if left else rng.randint(0, most)
        groups = [rng.randint(1, 3) for _ in range(attempts)]
        phases.append(Planned(rng.random() < 0.7, final, groups, left))
    return phases


def expected(phases: list[Planned]) -> list:
    """Walks, steps and phases in the order in which they are offered and taken."""
    events = ["FIND"]
    for phase in phases:
        events.append("phase")
        if not phase.columns:
            events.append("FIND")
            continue
        for groups in phase.groups:
            events += ["VERIFY", "DROP", "PULSE"] + ["CHOOSE", "PULSE"] * (groups - 1) + ["SELECT"]
        events += ["VERIFY", "DROP"] + ["LOG"] * phase.left
    return events


class Played:
    """Columns and pins as the plan says; records what the block does, and checks its levels.

    A walk takes two cycles, a verify four, a pulse six. Nothing is to be walked in the first cycle of a step.
    """

    def __init__(self, seed: int):
        self.dut, self.rng = Attempts(), random.Random(seed)

    async def run(self, ctx, phases: list[Planned], attempts: int, stop: int | None = None) -> list | None:
        """All events of a command; None when it was stopped in its cycle ``stop``."""
        dut = self.dut
        for name, value in {"attempts": attempts, "prog_start": 10, "prog_step": 7, "prog_limit": 30}.items():
            ctx.set(getattr(dut.settings, name), value)
        events, pins, since, walking, rails = [], None, 0, 0, self.rng.randrange(6)
        taken = attempt = group = 0
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for cycle in itertools.count():
            assert cycle < 3000
            phase = phases[taken - 1] if taken else None
            ahead = phases[taken] if taken < len(phases) else None
            ctx.set(dut.rails_pending, cycle < rails)
            ctx.set(dut.phase.valid, ahead is not None)
            ctx.set(dut.any_ahead, ahead is not None and ahead.columns)
            ctx.set(dut.now.final, phase is not None and phase.final)
            ctx.set(dut.load, pins is not None and since == 0)
            walk = Walk(ctx.get(dut.walk.payload)) if ctx.get(dut.walk.valid) else None
            waits = walk is None or (walk is Walk.DROP and since < 3)
            walking = 0 if waits else walking + 1
            walked = walking == 2
            if walk in (Walk.CHOOSE, Walk.SELECT):
                assert pins is PinStep.PULSE
                assert since > 0
            if phase:
                ctx.set(dut.any_pending, attempt < len(phase.groups) or phase.left)
                ctx.set(dut.group_follows, attempt > 0 and group < phase.groups[attempt - 1])
            free = pins is None or (walk is Walk.DROP and walked) or (pins is PinStep.PULSE and since >= 5)
            ctx.set(dut.step.ready, free)
            ctx.set(dut.walk.ready, walked)
            outputs = (dut.walk.valid, dut.step.valid, dut.phase.ready, dut.done)
            if cycle == stop:
                ctx.set(dut.stop, 1)
                assert not any(ctx.get(output) for output in outputs)
                await ctx.tick()
                for signal in (dut.stop, dut.walk.ready, dut.load):
                    ctx.set(signal, 0)
                assert not any(ctx.get(output) for output in outputs)
                return None
            if walked:
                events.append(walk.name)
                walking = 0
            step = PinStep(ctx.get(dut.step.payload)) if ctx.get(dut.step.valid) else None
            assert step is None or free or pins is PinStep.PULSE  # no step is lost
            if ctx.get(dut.phase.ready):
                assert cycle >= rails
                events.append("phase")
                taken, attempt = taken + 1, 0
            done = ctx.get(dut.done)
            since += 1
            if walked and walk is Walk.DROP:
                pins = None
            if step is not None and free:
                events.append(step.name)
                if step is PinStep.PULSE:
                    attempt, group = (attempt, group + 1) if pins is PinStep.PULSE else (attempt + 1, 1)
                    assert ctx.get(dut.prog_level) == min(10 + 7 * (attempt - 1), 30)
                pins, since = step, 0
            await ctx.tick()
            if done:
                ctx.set(dut.walk.ready, 0)
                assert not any(ctx.get(output) for output in outputs)
                return events


@pytest.mark.parametrize("seed", range(4))
def test_phases_as_the_algorithm_says(seed):
    played = Played(seed)
    kinds = set()

    async def scenario(ctx):
        for _ in range(8):
            most = played.rng.randint(1, 4)
            phases = planned(played.rng, most)
            seen = await played.run(ctx, phases, most)
            assert seen == expected(phases)
            kinds.update(seen)

    clocked(played.dut, scenario, cycles=20_000)
    assert kinds == {"phase", "FIND", "VERIFY", "DROP", "PULSE", "CHOOSE", "SELECT", "LOG"}


def test_stop_in_any_cycle():
    played = Played(7)
    phases = [
        Planned(False, False, [], False),
        Planned(True, False, [2, 1], True),
        Planned(True, True, [], True),
    ]

    async def scenario(ctx):
        for cycle in itertools.count():
            seen = await played.run(ctx, phases, 2, stop=cycle)
            if seen is not None:
                break
        assert seen == expected(phases)
        assert cycle > 40

    clocked(played.dut, scenario, cycles=20_000)


@pytest.mark.parametrize("cycles", [0, 1, 2, 5])
def test_rails_that_do_not_come(cycles):
    dut = Attempts()

    async def scenario(ctx):
        for name in ("rails_pending", "any_ahead", "start"):
            ctx.set(getattr(dut, name), 1)
        ctx.set(dut.phase.valid, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for cycle in range(cycles):
            ctx.set(dut.walk.ready, cycle == 2)
            assert ctx.get(dut.walk.valid) == (cycle <= 2)
            await ctx.tick()
        ctx.set(dut.rails_failed, 1)
        assert not ctx.get(dut.phase.ready)
        assert not ctx.get(dut.step.valid)
        await ctx.tick()
        ctx.set(dut.rails_failed, 0)
        ctx.set(dut.rails_pending, 0)
        for _ in range(4):
            assert not any(ctx.get(s) for s in (dut.walk.valid, dut.step.valid, dut.phase.ready, dut.done))
            await ctx.tick()

    clocked(dut, scenario)
