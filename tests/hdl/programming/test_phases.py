"""The order of the phases, and that it waits for who takes them."""

import random

import pytest

from bridgebnn.hdl.programming.phases import REFERENCES, PhaseOrder
from bridgebnn.hdl.spec import ProgOp, ProgSide
from tests.hdl.clocked import clocked

PULSED = [ProgOp.FORM, ProgOp.RESET, ProgOp.SET]
FINAL = [ProgOp.RESET, ProgOp.SET]


@pytest.mark.parametrize(
    ("pulses", "forms", "ops"), [(1, 1, PULSED), (1, 0, PULSED[1:]), (0, 0, []), (0, 1, [])]
)
def test_phases_of_each_command(pulses, forms, ops):
    dut, rng = PhaseOrder(), random.Random(len(ops))
    wanted = [
        (op, side, REFERENCES[op], final)
        for ops_, final in ((ops, 0), (FINAL, 1))
        for op in ops_
        for side in ProgSide
    ]

    def phase(ctx, value):
        return tuple(ctx.get(getattr(value, name)) for name in ("op", "side", "verify_ref", "final"))

    async def scenario(ctx):
        ctx.set(dut.pulses, pulses)
        ctx.set(dut.forms, forms)
        for _ in range(3):  # one command after the other, from where the last one has ended
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            assert ctx.get(dut.fresh)
            seen = []
            while ctx.get(dut.ahead.valid):
                before = phase(ctx, dut.ahead.payload)
                for _ in range(rng.randrange(3)):
                    await ctx.tick()
                    assert phase(ctx, dut.ahead.payload) == before
                    assert ctx.get(dut.ahead.valid)
                ctx.set(dut.ahead.ready, 1)
                await ctx.tick()
                ctx.set(dut.ahead.ready, 0)
                assert phase(ctx, dut.now) == before
                assert not ctx.get(dut.fresh)
                seen.append(before)
                assert len(seen) <= 10
            assert seen == wanted

    clocked(dut, scenario)
