"""Which columns a phase is for."""

import random

from bridgebnn.hdl.programming.phase_targets import PhaseTargets
from bridgebnn.hdl.spec import ProgOp, ProgSide
from tests.hdl.clocked import clocked


def test_targets_of_every_phase():
    dut, rng = PhaseTargets(), random.Random(2)

    async def scenario(ctx):
        for op in ProgOp:
            for side in ProgSide:
                image, asked = rng.getrandbits(32), rng.getrandbits(32)
                ctx.set(dut.image, image)
                ctx.set(dut.asked, asked)
                ctx.set(dut.phase.op, op)
                ctx.set(dut.phase.side, side)
                found = ctx.get(dut.targets)
                for column in range(32):
                    plus = image >> column & 1
                    conducts = plus == (side == ProgSide.P)
                    wanted = {ProgOp.FORM: True, ProgOp.SET: conducts, ProgOp.RESET: not conducts}[op]
                    assert found >> column & 1 == (wanted and asked >> column & 1)

    clocked(dut, scenario)
