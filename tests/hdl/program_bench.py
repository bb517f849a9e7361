"""Drives a program sequencer, plays the row on its pins, and watches the rules of every cycle."""

from __future__ import annotations

import dataclasses
import itertools
import random

from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.sim import Simulator

from hdl.config import Command, ErrorCode, Geometry, ProgOp, ProgSide, Timing, VerifyRef
from hdl.program_sequencer import ProgramSequencer
from tests.hdl.program_row import Outcome, Row, reference

PINS = (
    *(
        "active",
        "tile",
        "row",
        "wl_en",
        "precharge",
        "evaluate",
        "hv_en",
        "op",
        "side",
        "wl_level",
        "prog_level",
    ),
    *("pulse", "verify", "verify_ref", "select"),
)
STROBES = ("wl_en", "pulse", "verify", "precharge", "evaluate", "hv_en", "active")


class Watched(Elaboratable):
    """The device under test, with everything that is sampled every cycle in one signal."""

    def __init__(self, dut):
        self.dut = dut
        watched = {name: getattr(dut.pins, name) for name in PINS}
        watched |= {name: getattr(dut.cmd, name) for name in ("busy", "done", "code", "detail")}
        watched |= {"log_push": dut.log_push, "log_entry": dut.log_entry}
        self.fields, low = {}, 0
        for name, value in watched.items():
            self.fields[name] = (low, (1 << len(value)) - 1)
            low += len(value)
        self.watched, self.bundle = watched, Signal(low)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        m.d.comb += self.bundle.eq(Cat(*self.watched.values()))
        return m

    def unpack(self, value: int) -> dict[str, int]:
        return {name: value >> low & ones for name, (low, ones) in self.fields.items()}


class Bench:
    """One simulation: ``run(scenario)`` calls ``await scenario(bench)`` after a reset.

    A scenario sets ``row``, ``timing`` and the like, calls `fill` and `command`, and compares with `reference`.
    """

    def __init__(self, geometry: Geometry, timing: Timing, *, dut=None, seed: int = 1, strict: bool = True):
        self.geometry, self.timing, self.strict = geometry, timing, strict
        self.dut = ProgramSequencer(geometry) if dut is None else dut
        self.top = Watched(self.dut)
        self.rng = random.Random(seed)
        self.row = Row(geometry.columns)
        self.ready_cyc = 2
        self.rails = True  # False: hv_ready stays low
        self.unlocked = True
        self.address = (0, 0)
        self.events: list = []
        self.cycle = 0
        self.now = None
        self._fresh()

    def _fresh(self):
        self.was, self.inputs = None, {"abort": 0, "start": 0, "unlocked": 1, "hv_ready": 0}
        self.high = dict.fromkeys((*STROBES, "steady"), 0)
        self.rails_settled = self.armed = False

    def run(self, scenario) -> None:
        async def bench(ctx):
            self.ctx = ctx
            await self.configure()
            await scenario(self)

        sim = Simulator(self.top)
        sim.add_clock(20e-9)
        sim.add_testbench(bench)
        sim.run()

    # --- drivers ----------------------------------------------------------------------------------------------

    async def configure(self, **overrides: int) -> None:
        """Settings from ``timing`` and ``address``; overrides are raw fields, ``SET_width_cyc`` for one of an op."""
        t, s, ctx = self.timing, self.dut.settings, self.ctx
        for op, conditions in ((ProgOp.FORM, t.form), (ProgOp.SET, t.set), (ProgOp.RESET, t.reset)):
            for name, value in dataclasses.asdict(conditions).items():
                ctx.set(getattr(s.ops[op], name), overrides.pop(f"{op.name}_{name}", value))
        for name in ("wl_setup_cyc", "verify_cyc", "rail_settle_cyc", "rail_limit_cyc", "max_parallel"):
            ctx.set(getattr(s, name), overrides.pop(name, getattr(t, name)))
        ctx.set(s.tile, self.address[0])
        ctx.set(s.row, self.address[1])
        assert not overrides, overrides

    async def write(self, window, value: int) -> None:
        for w in range(self.geometry.row_words):
            self.ctx.set(window.addr, w)
            self.ctx.set(window.w_data, value >> 32 * w & 0xFFFFFFFF)
            self.ctx.set(window.w_en, 1)
            await self.step()
        self.ctx.set(window.w_en, 0)

    async def read(self, window) -> int:
        value = 0
        for w in range(self.geometry.row_words):
            self.ctx.set(window.addr, w)
            self.ctx.set(window.r_en, 1)
            await self.step()
            self.ctx.set(window.r_en, 0)
            await self.step()
            value |= self.ctx.get(window.r_data) << 32 * w
        return value

    async def fill(self, image: int, mask: int) -> None:
        await self.write(self.dut.image, image)
        await self.write(self.dut.mask, mask)

    async def start(self, command: Command) -> None:
        """The cycle of ``start``; the command is busy from the next cycle on."""
        self.events = []
        await self.step(start=command)

    async def command(self, command: Command, *, cap: int = 100_000, abort_at: int | None = None) -> Outcome:
        """Runs a command to its end; ``abort_at`` counts cycles from ``start``."""
        await self.start(command)
        for cycle in range(1, cap):
            seen = await self.step(abort=cycle == abort_at)
            if seen["done"]:
                outcome = Outcome(self.events, ErrorCode(seen["code"]), seen["detail"], cycle)
                await self.step()
                assert not self.now["busy"]
                return outcome
        raise AssertionError(f"{command!r} is still busy after {cap} cycles")

    # --- the macro, and the rules -------------------------------------------------------------------------------

    async def step(self, *, abort: bool = False, start: Command | None = None, reset: bool = False):
        """One cycle: the macro answers on the pins of this cycle, the rules are checked, then the clock ticks."""
        ctx, dut = self.ctx, self.dut
        pins = self.top.unpack(ctx.get(self.top.bundle))
        self.was_high = dict(self.high)
        for name in STROBES:
            self.high[name] = self.high[name] + 1 if pins[name] else 0
        inputs = {
            "abort": int(abort),
            "unlocked": int(self.unlocked),
            "hv_ready": int(self.rails and self.high["hv_en"] > self.ready_cyc),
            "start": int(start is not None),
        }
        ctx.set(dut.cmd.abort, inputs["abort"])
        ctx.set(dut.cmd.start, inputs["start"])
        ctx.set(dut.cmd.command, 0 if start is None else int(start))
        ctx.set(dut.unlocked, inputs["unlocked"])
        ctx.set(dut.pins.hv_ready, inputs["hv_ready"])
        ctx.set(dut.pins.sl, self._answers(pins))
        now = self.top.unpack(ctx.get(self.top.bundle))
        assert all(now[name] == pins[name] for name in PINS), "a pin follows an input combinationally"
        self.now = now
        if self.was is not None:
            self._check(self.was, now, self.inputs)
            self._record(self.was, now)
        if now["log_push"]:
            self._record_log(now)
        self.was, self.inputs = now, inputs
        self.cycle += 1
        if reset:
            await self.reset()
        else:
            await ctx.tick()
        return now

    async def reset(self):
        self._fresh()
        await self.ctx.tick()

    def _lengths(self) -> tuple[int, int]:
        s = self.dut.settings
        return max(1, self.ctx.get(s.wl_setup_cyc)), max(1, self.ctx.get(s.verify_cyc))

    def _answers(self, pins) -> int:
        """``sl``: valid in the columns asked once the read has lasted long enough, random elsewhere and before."""
        setup_cyc, verify_cyc = self._lengths()
        noise = self.rng.getrandbits(self.geometry.columns)
        if self.high["verify"] > verify_cyc:
            answers = self.row.answers(ProgSide(pins["side"]), VerifyRef(pins["verify_ref"]))
        elif self.high["evaluate"] > setup_cyc:
            answers = self.row.weights()
        else:
            return noise
        return (answers & pins["select"]) | (noise & ~pins["select"])

    def _check(self, was, now, inputs) -> None:
        held = ("tile", "row", "select", "op", "side", "wl_level", "prog_level")
        steady = all(was[name] == now[name] for name in held)
        running = was["busy"] and not was["done"]
        stopped = running and (
            inputs["abort"]
            or (was["hv_en"] and not inputs["unlocked"])
            or (self.rails_settled and was["hv_en"] and not inputs["hv_ready"])
        )
        if stopped:
            assert not any(now[name] for name in STROBES), f"cycle {self.cycle}: still driving {now}"
            assert now["done"], f"cycle {self.cycle}: stopped but not done"
        assert now["busy"] == int(inputs["start"] or running), f"cycle {self.cycle}: busy"
        setup_cyc, verify_cyc = self._lengths()
        if now["verify"] or now["pulse"]:
            self.rails_settled = bool(now["hv_en"])
        elif not now["hv_en"]:
            self.rails_settled = False
        if now["pulse"]:
            assert now["hv_en"] and now["wl_en"] and now["active"], "pulse without rails or word line"
            assert inputs["hv_ready"] and inputs["unlocked"], "pulse without ready rails or unlock"
            assert not now["verify"], "pulse and verify"
            assert now["select"], "pulse without columns"
            assert steady, "row, columns, op, side or levels move at a pulse"
            width_cyc = max(1, self.ctx.get(self.dut.settings.ops[ProgOp(now["op"])].width_cyc))
            assert self.high["pulse"] <= width_cyc, "pulse too long"
        if now["pulse"] and not was["pulse"]:
            assert self.high["wl_en"] == setup_cyc + 1, "word-line set-up"
            assert self.high["steady"] >= setup_cyc, "columns or levels late"
        if was["pulse"] and not now["pulse"] and not stopped:
            assert now["wl_en"] and steady, "nothing holds past the pulse"
        if now["verify"]:
            assert now["wl_en"] and now["select"], "verify without word line or columns"
            assert not was["verify"] or (steady and now["verify_ref"] == was["verify_ref"]), "verify moves"
        if was["verify"] and not now["verify"] and not stopped:
            assert self.was_high["verify"] > verify_cyc, "verify too short"
        assert not (now["precharge"] and now["evaluate"]), "precharge and evaluate"
        if now["precharge"] or now["evaluate"]:
            assert not now["hv_en"] and not was["hv_en"], "rails while reading"
            assert now["wl_en"] and not now["verify"] and not now["pulse"]
            assert steady or (now["precharge"] and not was["precharge"]), "columns move while reading"
        if now["evaluate"] and not was["evaluate"]:
            assert was["precharge"] and self.was_high["precharge"] == setup_cyc, "precharge"
        if not now["active"]:
            assert not any(now[name] for name in STROBES if name != "hv_en")
        self.high["steady"] = self.high["steady"] + 1 if steady else 0

    def _record(self, was, now) -> None:
        if now["verify"] and not was["verify"]:
            ref, side = VerifyRef(now["verify_ref"]), ProgSide(now["side"])
            self.events.append(("verify", side, ref, now["select"]))
        if was["pulse"] and not now["pulse"]:
            op, side = ProgOp(was["op"]), ProgSide(was["side"])
            width_cyc = self.was_high["pulse"]
            self.events.append(
                ("pulse", op, side, was["wl_level"], was["prog_level"], was["select"], width_cyc)
            )
            if not now["done"]:
                self.row.pulse(op, side, was["select"])
        if now["evaluate"] and not was["evaluate"]:
            self.events.append(("read", now["select"]))

    def _record_log(self, now) -> None:
        entry = now["log_entry"]
        assert entry >> 31 & 1 and not entry >> 28 & 7
        assert (entry >> 32, entry >> 13 & 0xFFF) == self.address
        self.events.append(("log", entry & 0x1FFF, ProgSide(entry >> 25 & 1), ProgOp(entry >> 26 & 3)))

    # --- the scoreboard -------------------------------------------------------------------------------------------

    async def compare(
        self, command: Command, image: int, mask: int, *, timing: Timing | None = None
    ) -> Outcome:
        """Runs ``command`` and compares every event, the end, the counters and the cycles with the reference."""
        await self.fill(image, mask)
        want = reference(
            command, self.geometry, timing or self.timing, self.row, image, mask, ready_cyc=self.ready_cyc
        )
        before = self.counters()
        seen = await self.command(command)
        for n, (got, expected) in enumerate(itertools.zip_longest(seen.events, want.events)):
            assert got == expected, f"event {n}: {got}, expected {expected}"
        for name in ("code", "detail", "cycles"):
            got, expected = getattr(seen, name), getattr(want, name)
            assert got == expected, f"{name}: {got}, expected {expected}"
        gained = [b - a for a, b in zip(before, self.counters(), strict=True)]
        assert gained == [want.count(kind) for kind in ("pulse", "verify", "log")]
        stored = await self.read(self.dut.image)
        assert stored == (want.image if command == Command.READ_ROW else image)
        assert await self.read(self.dut.mask) == mask
        assert want.events or not mask
        return seen

    def counters(self) -> list[int]:
        return [self.ctx.get(getattr(self.dut, name)) for name in ("pulses", "verifies", "failures")]
