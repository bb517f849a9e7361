"""WishboneResponder in front of a bank played here."""

import pytest

from bridgebnn.hdl.bus.wishbone import WishboneResponder
from tests.hdl.clocked import clocked


async def access(ctx, dut, *, write, sel=0xF, error=0, late=0, addr=0x123, data=0xCAFE0001, early=0, after=0):
    """One access; (cycles to the termination, ack, err, dat_r, number of requests)."""
    ctx.set(dut.cyc, 1)
    ctx.set(dut.stb, 1)
    ctx.set(dut.we, write)
    ctx.set(dut.sel, sel)
    ctx.set(dut.adr, addr)
    ctx.set(dut.dat_w, data)
    ctx.set(dut.bus.error, error)
    ctx.set(dut.bus.late, late)
    ctx.set(dut.bus.r_data, early)
    requests = 0
    for cycle in range(1, 10):
        if ctx.get(dut.bus.request):
            requests += 1
            assert (ctx.get(dut.bus.addr), ctx.get(dut.bus.write)) == (addr, write)
            assert ctx.get(dut.bus.w_data) == data
        await ctx.tick()
        ctx.set(dut.bus.window_data, after if cycle == 1 else 0xDEAD)
        if ctx.get(dut.ack) or ctx.get(dut.err):
            result = (cycle, ctx.get(dut.ack), ctx.get(dut.err), ctx.get(dut.dat_r), requests)
            assert ctx.get(dut.bus.request) == 0
            return result
    raise TimeoutError("no termination")


async def idle(ctx, dut, cycles=3):
    ctx.set(dut.cyc, 0)
    ctx.set(dut.stb, 0)
    for _ in range(cycles):
        await ctx.tick()
        assert not ctx.get(dut.ack)
        assert not ctx.get(dut.err)
        assert not ctx.get(dut.bus.request)


@pytest.mark.parametrize("gap", [0, 1, 3])
def test_terminations(gap):
    dut = WishboneResponder()

    async def between(ctx):
        if gap:
            await idle(ctx, dut, gap)
        else:
            await ctx.tick()

    async def scenario(ctx):
        for _ in range(3):
            assert await access(ctx, dut, write=0, early=0x1234) == (1, 1, 0, 0x1234, 1)
            await between(ctx)
            assert (await access(ctx, dut, write=1))[:3] == (1, 1, 0)
            await between(ctx)
            assert await access(ctx, dut, write=0, late=1, after=0x5678) == (2, 1, 0, 0x5678, 1)
            await between(ctx)
            for write in (0, 1):
                assert (await access(ctx, dut, write=write, error=1))[:3] == (1, 0, 1)
                await between(ctx)
                assert (await access(ctx, dut, write=write, error=1, late=1))[:3] == (1, 0, 1)
                await between(ctx)

    clocked(dut, scenario)


@pytest.mark.parametrize("sel", range(15))
def test_a_write_needs_every_byte_lane_and_a_read_none(sel):
    dut = WishboneResponder()

    async def between(ctx):
        ctx.set(dut.stb, 0)
        await ctx.tick()

    async def scenario(ctx):
        cycles, ack, err, _, requests = await access(ctx, dut, write=1, sel=sel)
        assert (cycles, ack, err, requests) == (1, 0, 1, 0)
        await between(ctx)
        assert await access(ctx, dut, write=0, sel=sel, early=0x1234) == (1, 1, 0, 0x1234, 1)
        await between(ctx)
        assert await access(ctx, dut, write=0, sel=sel, late=1, after=0x5678) == (2, 1, 0, 0x5678, 1)

    clocked(dut, scenario)


@pytest.mark.parametrize("line", ["cyc", "stb"])
def test_nothing_happens_without_both_cyc_and_stb(line):
    dut = WishboneResponder()

    async def scenario(ctx):
        ctx.set(dut.sel, 0xF)
        ctx.set(getattr(dut, line), 1)
        for _ in range(5):
            assert not ctx.get(dut.bus.request)
            await ctx.tick()
            assert not ctx.get(dut.ack) | ctx.get(dut.err)

    clocked(dut, scenario)


def test_withdrawn_window_read_does_not_answer_the_next_access():
    dut = WishboneResponder()

    async def scenario(ctx):
        ctx.set(dut.cyc, 1)
        ctx.set(dut.stb, 1)
        ctx.set(dut.sel, 0xF)
        ctx.set(dut.bus.late, 1)
        await ctx.tick()
        ctx.set(dut.stb, 0)
        await ctx.tick()
        assert not ctx.get(dut.ack) | ctx.get(dut.err)
        cycles, ack, *_ = await access(ctx, dut, write=1)
        assert (cycles, ack) == (2, 1)

    clocked(dut, scenario)


@pytest.mark.parametrize("error", [0, 1])
@pytest.mark.parametrize("write", [0, 1])
def test_withdrawn_write_or_register_read_is_done_and_ends_all_the_same(write, error):
    """Only the read of a window waits, and gets no answer."""
    dut = WishboneResponder()

    async def scenario(ctx):
        for signal, value in (("cyc", 1), ("stb", 1), ("we", write), ("sel", 0xF)):
            ctx.set(getattr(dut, signal), value)
        ctx.set(dut.bus.error, error)
        assert ctx.get(dut.bus.request)
        await ctx.tick()
        ctx.set(dut.cyc, 0)
        ctx.set(dut.stb, 0)
        assert (ctx.get(dut.ack), ctx.get(dut.err)) == (1 - error, error)
        assert not ctx.get(dut.bus.request)
        await ctx.tick()
        assert not ctx.get(dut.ack) | ctx.get(dut.err)

    clocked(dut, scenario)
