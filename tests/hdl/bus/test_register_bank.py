"""RegisterBank: decode, refusals, access kinds and windows, on a small map and on the real one."""

import dataclasses
import itertools
import random

import pytest

from bridgebnn.hdl.bus.register_bank import RegisterBank
from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.register_map import (
    Access,
    Field,
    Register,
    RegisterMap,
    Window,
    register_map,
)
from tests.hdl.clocked import clocked, refuses


def register(name, offset, access, *, while_busy=False, constant=False):
    fields = (
        Field(name="low", lsb=0, width=8, access=access, reset=0x5A, desc="", constant=constant),
        Field(name="high", lsb=20, width=4, access=access, reset=0x3, desc="", constant=constant),
    )
    return Register(name=name, offset=offset, access=access, fields=fields, desc="", while_busy=while_busy)


def window(name, offset, words, access, *, while_busy=False):
    return Window(name=name, offset=offset, words=words, access=access, desc="", while_busy=while_busy)


SMALL = RegisterMap(
    registers=(
        register("FIXED", 0x00, Access.RO, constant=True),
        register("SEEN", 0x04, Access.RO),
        register("KEPT", 0x08, Access.RW),
        register("OPEN", 0x0C, Access.RW, while_busy=True),
        register("FLAGS", 0x10, Access.W1C, while_busy=True),
        register("LATCH", 0x14, Access.RW1S, while_busy=True),
        register("ACT", 0x1C, Access.WO, while_busy=True),
    ),
    windows=(
        window("MEMORY", 0x1000, 6, Access.RW),
        window("LOOK", 0x2000, 1, Access.RO, while_busy=True),
        window("FILL", 0x4000, 32, Access.WO, while_busy=True),
    ),
)
MASK, RESET = 0x00F000FF, 0x0030005A


async def write(ctx, bank, address, data):
    """One write; whether it was refused."""
    ctx.set(bank.bus.addr, address // 4)
    ctx.set(bank.bus.w_data, data)
    ctx.set(bank.bus.write, 1)
    ctx.set(bank.bus.request, 1)
    error = ctx.get(bank.bus.error)
    await ctx.tick()
    ctx.set(bank.bus.request, 0)
    return error


async def read(ctx, bank, address):
    """One read of a register; None when refused."""
    ctx.set(bank.bus.addr, address // 4)
    ctx.set(bank.bus.write, 0)
    ctx.set(bank.bus.request, 1)
    error, word = ctx.get(bank.bus.error), ctx.get(bank.bus.r_data)
    late = ctx.get(bank.bus.late)
    await ctx.tick()
    ctx.set(bank.bus.request, 0)
    if late and not error:
        word = ctx.get(bank.bus.window_data)
    return None if error else word


def test_access_kinds():
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        assert await read(ctx, bank, 0x00) == RESET
        ctx.set(bank.seen.value, {"low": 0x11, "high": 0x2})
        assert await read(ctx, bank, 0x04) == 0x00200011
        for address in (0x00, 0x04):
            assert await write(ctx, bank, address, 0) == 1
        for address in (0x08, 0x0C):
            assert await read(ctx, bank, address) == RESET
            assert await write(ctx, bank, address, 0xFFFFFFFF) == 0
            assert await read(ctx, bank, address) == MASK
            assert await write(ctx, bank, address, 0x00A00000) == 0
            assert await read(ctx, bank, address) == 0x00A00000
        assert ctx.get(bank.kept.value.high) == 0xA

        assert await read(ctx, bank, 0x14) == RESET
        await write(ctx, bank, 0x14, 0x81)
        await write(ctx, bank, 0x14, 0)
        assert await read(ctx, bank, 0x14) == RESET | 0x81
        assert await read(ctx, bank, 0x1C) is None

    clocked(bank, scenario)


def test_write_one_to_clear_loses_no_event():
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        await write(ctx, bank, 0x10, 0)
        assert await read(ctx, bank, 0x10) == RESET
        await write(ctx, bank, 0x10, 0x2)
        assert await read(ctx, bank, 0x10) == RESET & ~0x2
        await write(ctx, bank, 0x10, 0xFFFFFFFF)
        assert await read(ctx, bank, 0x10) == 0
        ctx.set(bank.flags.set.low, 0x81)
        await write(ctx, bank, 0x10, 0xFF)  # event and clearing write in the same cycle
        ctx.set(bank.flags.set.low, 0)
        assert await read(ctx, bank, 0x10) == 0x81

    clocked(bank, scenario)


def test_write_only_strobes_and_rejects():
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        strobes = []
        for address, reject in itertools.product((0x18, 0x1C, 0x20), (0, 1)):
            ctx.set(bank.act.reject, reject)
            ctx.set(bank.bus.addr, address // 4)
            ctx.set(bank.bus.w_data, 0xFFFFFFFF)
            ctx.set(bank.bus.write, 1)
            ctx.set(bank.bus.request, 1)
            strobes.append((ctx.get(bank.act.strobe), ctx.get(bank.bus.error)))
            assert ctx.get(bank.act.value.as_value()) == MASK
            ctx.set(bank.bus.request, 0)
            assert ctx.get(bank.act.strobe) == 0
            await ctx.tick()
        assert strobes == [(0, 1), (0, 1), (1, 0), (1, 1), (0, 1), (0, 1)]

    clocked(bank, scenario)


def test_busy_closes_settings_and_windows():
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        ctx.set(bank.busy, 1)
        assert await write(ctx, bank, 0x08, 0) == 1
        assert await read(ctx, bank, 0x08) == RESET
        for address in (0x0C, 0x10, 0x14, 0x1C):
            assert await write(ctx, bank, address, 0) == 0
        assert await write(ctx, bank, 0x1000, 0) == 1
        assert await read(ctx, bank, 0x1000) is None
        assert await read(ctx, bank, 0x2000) is not None
        assert await write(ctx, bank, 0x4000, 0) == 0

    clocked(bank, scenario)


def test_windows_see_exactly_their_accesses():
    bank = RegisterBank(SMALL)
    expected, seen = [], []

    def watch(ctx):
        for name in ("memory", "look", "fill"):
            port = getattr(bank, name).port
            for kind in ("w_en", "r_en"):
                if ctx.get(getattr(port, kind)):
                    seen.append((name, kind, ctx.get(port.addr), ctx.get(port.w_data)))

    async def scenario(ctx):
        rng = random.Random(1)
        for w in SMALL.windows:
            for word in [*range(w.words + 3), (1 << 10) - 1]:
                for is_write in (0, 1):
                    data = rng.getrandbits(32)
                    allowed = word < w.words and (w.access.writable if is_write else w.access.readable)
                    ctx.set(bank.bus.addr, w.offset // 4 + word)
                    ctx.set(bank.bus.w_data, data)
                    ctx.set(bank.bus.write, is_write)
                    ctx.set(bank.bus.request, 1)
                    assert ctx.get(bank.bus.error) == (not allowed), (w.name, word, is_write)
                    watch(ctx)
                    if allowed:
                        expected.append((w.name.lower(), "w_en" if is_write else "r_en", word, data))
                    await ctx.tick()
                    ctx.set(bank.bus.request, 0)
                    watch(ctx)

    clocked(bank, scenario)
    assert seen == expected
    assert len(seen) == 6 * 2 + 1 + 32


def test_windows_leave_the_registers_alone():
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        for w in SMALL.windows:
            for word in range(w.words):
                ctx.set(bank.bus.addr, w.offset // 4 + word)
                ctx.set(bank.bus.w_data, 0xFFFFFFFF)
                ctx.set(bank.bus.write, 1)
                ctx.set(bank.bus.request, 1)
                assert ctx.get(bank.act.strobe) == 0
                await ctx.tick()
                ctx.set(bank.bus.request, 0)
        assert [await read(ctx, bank, a) for a in (0x08, 0x0C, 0x10, 0x14)] == [RESET] * 4

    clocked(bank, scenario)


@pytest.mark.parametrize(("denied", "reads", "writes"), [("deny_read", 0, 1), ("deny_write", 1, 0)])
def test_denied_windows(denied, reads, writes):
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        ctx.set(getattr(bank.memory, denied), 1)
        assert (await read(ctx, bank, 0x1004) is not None) == reads
        assert (await write(ctx, bank, 0x1004, 0) == 0) == writes

    clocked(bank, scenario)


def test_window_answers_come_from_the_window_read_last():
    bank = RegisterBank(SMALL)

    async def scenario(ctx):
        ctx.set(bank.memory.port.r_data, 0x11111111)
        ctx.set(bank.look.port.r_data, 0x22222222)
        assert await read(ctx, bank, 0x1000) == 0x11111111
        assert await read(ctx, bank, 0x2000) == 0x22222222
        assert await read(ctx, bank, 0x1014) == 0x11111111

    clocked(bank, scenario)


def test_whole_address_space_of_the_real_map():
    regs = register_map(Geometry())
    bank = RegisterBank(regs)
    mapped = {r.offset: r.access.readable for r in regs.registers}
    mapped |= {w.address(i): w.access.readable for w in regs.windows for i in range(w.words)}

    async def scenario(ctx):
        ctx.set(bank.bus.request, 1)
        for word in range(1 << 15):
            ctx.set(bank.bus.addr, word)
            assert ctx.get(bank.bus.error) == (not mapped.get(4 * word, False)), hex(4 * word)

    clocked(bank, scenario)


def shifted(**changes):
    first, *rest = SMALL.windows
    return lambda: RegisterBank(
        dataclasses.replace(SMALL, windows=(dataclasses.replace(first, **changes), *rest))
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (shifted(offset=0x1010), "window MEMORY at 0x1010: must be a multiple of 0x20"),
        (shifted(offset=0x2000), "LOOK at 0x2000 overlaps MEMORY: must be at 0x2020 or above"),
        (shifted(offset=0x0), "MEMORY at 0x0 overlaps FIXED: must be at 0x4 or above"),
        (shifted(offset=0x20000), "MEMORY ends at 0x20020: must end at 0x20000 or below"),
    ],
)
def test_maps_that_do_not_fit(make, message):
    refuses(make, message)
