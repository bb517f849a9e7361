"""Entries of the failure log, and how a command ends."""

import random

from amaranth.hdl import unsigned

from bridgebnn.hdl.programming.row_log import RowLog
from bridgebnn.hdl.spec import ErrorCode, ProgOp, ProgSide
from tests.hdl.clocked import clocked


def test_entries_and_the_end():
    dut, rng = RowLog(unsigned(4), unsigned(9)), random.Random(4)

    async def scenario(ctx):
        for _ in range(40):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            assert (ctx.get(dut.code), ctx.get(dut.detail)) == (ErrorCode.NONE, 0)
            tile, row, compared = rng.randrange(16), rng.randrange(512), rng.randrange(2)
            ctx.set(dut.tile, tile)
            ctx.set(dut.row, row)
            ctx.set(dut.compared, compared)
            failed, first = 0, None
            for _ in range(rng.randrange(6)):
                column, op, side = (
                    rng.randrange(1 << 13),
                    rng.choice(list(ProgOp)),
                    rng.choice(list(ProgSide)),
                )
                kind = rng.choice(("failed", "differing", None))
                ctx.set(dut.phase.op, op)
                ctx.set(dut.phase.side, side)
                for name in ("failed", "differing"):
                    ctx.set(getattr(dut, name).payload, column)
                    ctx.set(getattr(dut, name).valid, name == kind)
                assert ctx.get(dut.push) == (kind == "failed")
                if kind == "failed":
                    failed += 1
                    low = 1 << 31 | op << 26 | side << 25 | row << 13 | column
                    assert ctx.get(dut.entry) == tile << 32 | low
                if kind == "differing" and compared and first is None:
                    first = column
                await ctx.tick()
                ctx.set(dut.failed.valid, 0)
                ctx.set(dut.differing.valid, 0)
                wanted = (ErrorCode.NONE, 0)
                if first is not None:
                    wanted = (ErrorCode.READBACK_MISMATCH, first)
                if failed:
                    wanted = (ErrorCode.NOT_CONVERGED, failed)
                assert (ctx.get(dut.code), ctx.get(dut.detail)) == wanted

    clocked(dut, scenario)
