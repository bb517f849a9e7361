"""Hosts that do what no host should, against the whole controller and a row of behavioural devices."""

from amaranth.hdl import ResetInserter, Signal

from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.spec import (
    UNLOCK_KEYS,
    Command,
    ErrorCode,
    Geometry,
    ProgOp,
    ProgSide,
    PulseConditions,
    Timing,
    VerifyRef,
)
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.checks.row_reference import Row
from tests.hdl.clocked import clocked

GEOMETRY = Geometry(tiles=1, rows=2, inputs=3, bias=1, thresholds=2, layers=1, scores=2, log_depth=4)
SHORT = PulseConditions(
    width_cyc=2, attempts=2, prog_start=1, prog_step=1, prog_limit=9, wl_start=1, wl_step=0, wl_limit=9
)
TIMING = Timing(
    wl_setup_cyc=1, verify_cyc=1, rail_settle_cyc=1, max_parallel=2, form=SHORT, set=SHORT, reset=SHORT
)
REGS = register_map(GEOMETRY, TIMING)
IMAGE, MASK = 0b0110, 0b1111
ZEROED = ("FORM_PULSE", "SET_PULSE", "RESET_PULSE", "TIMING_PROGRAM", "MAX_PARALLEL")


class Bench:
    """Bus master, devices, and the rules of the pins, one clock cycle at a time."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def fresh(self):
        """Reset, and a row that was never formed."""
        self.ctx.set(self.dut.rst, 1)
        await self.ctx.tick()
        self.ctx.set(self.dut.rst, 0)
        self.row = Row(GEOMETRY.columns)
        self.widths: list[int] = []
        self.high = 0

    def pin(self, name):
        return self.ctx.get(getattr(self.dut, name))

    async def tick(self):
        """One cycle: rails and devices answer, and no rule may be broken."""
        ctx, dut, pin = self.ctx, self.dut, self.pin
        await ctx.tick()
        ctx.set(dut.hv_ready, pin("hv_en"))
        side = ProgSide(pin("prog_side"))
        if pin("verify"):
            ctx.set(dut.sl, self.row.answers(side, VerifyRef(pin("verify_ref"))))
        elif pin("evaluate"):
            ctx.set(dut.sl, self.row.weights())
        if pin("pulse"):
            assert pin("hv_en")
            assert pin("wl_en")
            assert not pin("verify")
            if not self.high:
                self.row.pulse(ProgOp(pin("prog_op")), side, pin("col_en"))
            self.high += 1
        elif self.high:
            self.widths.append(self.high)
            self.high = 0
        assert not (pin("hv_en") and (pin("precharge") or pin("evaluate") or pin("sense")))

    def quiet(self) -> bool:
        return not any(self.pin(n) for n in ("pulse", "hv_en", "verify", "precharge", "evaluate", "wl_en"))

    async def access(self, name, data=None, *, sel=15, watch=None):
        """Word, or None when refused; ``watch()`` looks at the pins in the cycle after the request."""
        ctx, dut = self.ctx, self.dut
        for signal, value in (("adr", REGS.address(name, 0) // 4), ("we", data is not None), ("sel", sel)):
            ctx.set(getattr(dut, f"wb_{signal}"), value)
        ctx.set(dut.wb_dat_w, data or 0)
        ctx.set(dut.wb_cyc, 1)
        ctx.set(dut.wb_stb, 1)
        for number in range(4):
            await self.tick()
            if watch and not number:
                watch()
            if self.pin("wb_ack") or self.pin("wb_err"):
                word = self.pin("wb_dat_r") if self.pin("wb_ack") else None
                ctx.set(dut.wb_cyc, 0)
                ctx.set(dut.wb_stb, 0)
                await self.tick()
                return word
        raise TimeoutError(name)

    async def fields(self, name):
        return REGS.register(name).unpack(await self.access(name))

    async def unlocked(self, *keys):
        for key in keys:
            await self.access("UNLOCK", key)
        return bool((await self.fields("STATUS"))["unlocked"])

    async def prepare(self):
        """Row 1 is to be programmed, and may be."""
        assert await self.unlocked(*UNLOCK_KEYS)
        for name, value in (("PROG_ADDRESS", 1), ("ROW_IMAGE", IMAGE), ("ROW_MASK", MASK)):
            assert await self.access(name, value) is not None

    async def ended(self, limit=1000):
        """Cycles until nothing runs, and the code."""
        for cycles in range(limit):
            if not self.ctx.get(self.dut.busy_for_test):
                return cycles, ErrorCode((await self.fields("ERROR"))["code"])
            await self.tick()
        raise TimeoutError("the command does not end")

    async def programs(self):
        """PROGRAM_ROW ends in DONE, and the devices hold the image."""
        await self.access("COMMAND", Command.PROGRAM_ROW)
        assert (await self.ended())[1] is ErrorCode.NONE
        assert self.row.weights() == IMAGE
        assert self.quiet()


class Watched(Controller):
    """The controller, with a reset and with its busy flag to look at between bus accesses."""

    def __init__(self):
        super().__init__(GEOMETRY, TIMING)
        self.rst = Signal()

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self.busy_for_test = m.submodules.arbiter.busy
        return ResetInserter(self.rst)(m)


def play(scenario, cycles):
    dut = Watched()

    async def body(ctx):
        bench = Bench(ctx, dut)
        await bench.fresh()
        await scenario(bench)

    clocked(dut, body, cycles=cycles)


async def each_cycle(b, scenario):
    """``scenario(moment)`` at every fifth cycle of PROGRAM_ROW of a fresh row."""
    await b.prepare()
    await b.access("COMMAND", Command.PROGRAM_ROW)
    total, _ = await b.ended()
    for moment in range(0, total, 5):
        await b.fresh()
        await b.prepare()
        await b.access("COMMAND", Command.PROGRAM_ROW)
        for _ in range(moment):
            await b.tick()
        await scenario()


def test_settings_of_zero_act_as_one():
    async def scenario(b):
        await b.prepare()
        for name in ZEROED:
            register = REGS.register(name)
            assert await b.access(name, 0) is not None
            assert not any(register.unpack(await b.access(name)).values())
        await b.programs()
        assert set(b.widths) == {1}
        assert len(b.widths) >= 2 * GEOMETRY.columns  # FORM alone pulses each device by itself

    play(scenario, cycles=1500)


def test_lock_in_any_cycle_of_programming():
    codes = set()

    async def scenario(b):
        async def lock():
            def no_pulse():
                assert not b.pin("pulse")

            await b.access("LOCK", 1, watch=no_pulse)
            assert not b.pin("hv_en")
            codes.add((await b.ended())[1])
            assert b.quiet()
            assert not await b.unlocked(*UNLOCK_KEYS)
            await b.access("LOCK", 0)
            await b.access("COMMAND", Command.PROGRAM_ROW)
            assert (await b.ended())[1] is ErrorCode.LOCKED

        await each_cycle(b, lock)

    play(scenario, cycles=15000)
    assert ErrorCode.LOCKED in codes
    assert codes <= {ErrorCode.LOCKED, ErrorCode.NONE}


def test_keys_interleaved_with_other_writes():
    first, second = UNLOCK_KEYS

    async def scenario(b):
        assert not await b.unlocked(second)
        assert not await b.unlocked(second, first)
        assert not await b.unlocked(first, 0, second)
        assert not await b.unlocked(first, second ^ 1, second)
        assert await b.unlocked(first, first, second)
        assert not await b.unlocked(second)  # any other write locks again
        await b.access("UNLOCK", first)
        await b.access("IRQ_ENABLE", second)  # another register is nothing to the keys
        assert await b.access("UNLOCK", second, sel=7) is None  # and neither is half a word
        assert await b.access("UNLOCK") is None
        assert await b.unlocked(second)

    play(scenario, cycles=500)


def test_command_in_every_cycle_around_the_end_of_another():
    seen = {True: 0, False: 0}

    async def scenario(b):
        for gap in range(40):
            await b.fresh()
            await b.prepare()
            await b.access("COMMAND", Command.VERIFY_ROW)
            for _ in range(gap):
                await b.tick()
            taken = await b.access("COMMAND", Command.NOP) is not None
            await b.ended()
            status, pending = await b.fields("STATUS"), await b.fields("IRQ_PENDING")
            assert status["command"] == (Command.NOP if taken else Command.VERIFY_ROW)
            assert (status["done"], status["error"]) == ((1, 0) if taken else (0, 1))
            assert pending["rejected"] == (not taken)
            assert pending["error"] == 1  # the pristine row does not verify: that is told in both cases
            seen[taken] += 1

    play(scenario, cycles=8000)
    assert all(seen.values())


def test_abort_in_any_cycle():
    codes = set()

    async def scenario(b):
        async def abort():
            def quiet():
                assert b.quiet()

            await b.access("COMMAND", Command.ABORT, watch=quiet)
            cycles, code = await b.ended()
            assert cycles == 0
            codes.add(code)
            await b.prepare()
            await b.programs()

        await each_cycle(b, abort)

    play(scenario, cycles=15000)
    assert ErrorCode.ABORTED in codes
    assert codes <= {ErrorCode.ABORTED, ErrorCode.NONE}
