"""Drives a program sequencer, plays the row on its pins, and watches the rules of every cycle."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import random
import warnings

from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, Signal, UnusedElaboratable
from amaranth.sim import Simulator

from bridgebnn.hdl.programming.program_sequencer import ProgramSequencer
from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ProgOp, ProgSide, Timing, VerifyRef
from bridgebnn.tb.checks.row_reference import Outcome, Row, reference

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


def refuses(error: type[Exception], message: str, build) -> None:
    """``build()`` raises ``error`` with ``message``; Amaranth does not complain about the unused object."""
    said = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        try:
            build()
        except error as caught:
            said = str(caught)
        gc.collect()
    assert message in str(said), f"said {said!r}"


class Watched(Elaboratable):
    """The device under test, with everything that is sampled every cycle in one signal."""

    def __init__(self, dut):
        self.dut, self.domain = dut, ClockDomain("sync")
        watched = {name: getattr(dut.pins, name) for name in PINS}
        watched |= {name: getattr(dut.cmd, name) for name in ("busy", "done", "code", "detail")}
        watched |= {"log_push": dut.log_push, "log_entry": dut.log_entry}
        self.fields, low = {}, 0
        for name, value in watched.items():
            self.fields[name] = (low, (1 << len(value)) - 1)
            low += len(value)
        self.watched, self.bundle = watched, Signal(low)
        self.stimulus = Signal(8 + len(dut.pins.sl))

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.domain
        m.submodules.dut = self.dut
        m.d.comb += self.bundle.eq(Cat(*self.watched.values()))
        dut = self.dut
        m.d.comb += Cat(
            *(dut.cmd.abort, dut.cmd.start, dut.cmd.command, dut.unlocked, dut.pins.hv_ready, dut.pins.sl)
        ).eq(self.stimulus)
        return m

    def unpack(self, value: int) -> dict[str, int]:
        return {name: value >> low & ones for name, (low, ones) in self.fields.items()}


class Bench:
    """One simulation: ``run(scenario)`` calls ``await scenario(bench)`` after a reset.

    A scenario sets ``row``, ``timing`` and the like, calls `fill` and `command`, and compares with
    `reference`.
    """

    def __init__(self, geometry: Geometry, timing: Timing, *, dut=None, seed: int = 1):
        self.geometry, self.timing = geometry, timing
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
        self.rails_used = False

    def run(self, scenario) -> None:
        async def bench(ctx):
            self.ctx = ctx
            await self.configure()
            await scenario(self)

        sim = Simulator(self.top)
        sim.add_clock(20e-9)
        sim.add_testbench(bench)
        sim.run()
        assert self.cycle > 0

    # --- drivers ----------------------------------------------------------------------------------

    async def configure(self, **overrides: int) -> None:
        """Settings from ``timing`` and ``address``; overrides are raw, such as ``SET_width_cyc``."""
        t, s, ctx = self.timing, self.dut.settings, self.ctx
        for op, conditions in ((ProgOp.FORM, t.form), (ProgOp.SET, t.set), (ProgOp.RESET, t.reset)):
            for name, value in dataclasses.asdict(conditions).items():
                ctx.set(getattr(s.ops[op], name), overrides.pop(f"{op.name}_{name}", value))
        for name in (
            "wl_setup_cyc",
            "verify_cyc",
            "rail_settle_cyc",
            "rail_limit_cyc",
            "max_parallel",
            "verify_margin",
        ):
            ctx.set(getattr(s, name), overrides.pop(name, getattr(t, name)))
        ctx.set(s.tile, self.address[0])
        ctx.set(s.row, self.address[1])
        assert not overrides, overrides
        self.setup_cyc = max(1, ctx.get(s.wl_setup_cyc))
        self.verify_cyc = max(1, ctx.get(s.verify_cyc))
        self.width_cyc = [max(1, ctx.get(s.ops[op].width_cyc)) for op in ProgOp]

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

    async def command(
        self, command: Command, *, faults: dict[int, str] | None = None, cap: int = 100_000
    ) -> Outcome | None:
        """Runs a command to its end, or to a reset (None).

        ``faults`` maps a cycle, counted from that of ``start``, to what happens in it alone: ``abort``,
        ``rails`` (hv_ready low), ``lock`` (unlocked low), ``reset``. ``trace`` keeps the pins of every cycle.
        """
        faults = faults or {}
        await self.start(command)
        self.trace = [self.now]
        rails, unlocked = self.rails, self.unlocked
        for cycle in range(1, cap):
            fault = faults.get(cycle)
            self.rails, self.unlocked = rails and fault != "rails", unlocked and fault != "lock"
            seen = await self.step(abort=fault == "abort", reset=fault == "reset")
            self.rails, self.unlocked = rails, unlocked
            self.trace.append(seen)
            if fault == "reset":
                return None
            if seen["done"]:
                outcome = Outcome(self.events, ErrorCode(seen["code"]), seen["detail"], cycle)
                await self.step()
                assert not self.now["busy"]
                return outcome
        raise AssertionError(f"{command!r} is still busy after {cap} cycles")

    # --- the macro, and the rules -----------------------------------------------------------------

    async def step(self, *, abort: bool = False, start: Command | None = None, reset: bool = False):
        """One cycle: the macro answers on its pins, the rules are checked, then the clock ticks."""
        ctx = self.ctx
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
        stimulus = (inputs["abort"], inputs["start"] << 1, int(start or 0) << 2, inputs["unlocked"] << 6)
        ctx.set(self.top.stimulus, sum(stimulus) | inputs["hv_ready"] << 7 | self._answers(pins) << 8)
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
            ctx.set(self.top.domain.rst, 1)
        await ctx.tick()
        if reset:
            ctx.set(self.top.domain.rst, 0)
            self._fresh()
            pins = self.top.unpack(ctx.get(self.top.bundle))
            assert not any(pins[name] for name in (*STROBES, "busy", "done")), f"after a reset: {pins}"
        return now

    def _answers(self, pins) -> int:
        """``sl``: valid in the columns asked once the read has lasted long enough, else random."""
        noise = self.rng.getrandbits(self.geometry.columns)
        if self.high["verify"] > self.verify_cyc:
            answers = self.row.answers(
                ProgSide(pins["side"]), VerifyRef(pins["verify_ref"]), pins["prog_level"]
            )
        elif self.high["evaluate"] > self.setup_cyc:
            answers = self.row.weights()
        else:
            return noise
        return (answers & pins["select"]) | (noise & ~pins["select"])

    def _check(self, was, now, inputs) -> None:
        def must(condition, rule):
            assert condition, f"cycle {self.cycle}: {rule}; before {was}, now {now}"

        held = ("tile", "row", "select", "op", "side", "wl_level", "prog_level")
        steady = all(was[name] == now[name] for name in held)
        running = was["busy"] and not was["done"]
        stopped = running and (
            inputs["abort"]
            or (was["hv_en"] and not inputs["unlocked"])
            or (self.rails_used and was["hv_en"] and not inputs["hv_ready"])
        )
        setup_cyc, verify_cyc = self.setup_cyc, self.verify_cyc
        must(now["busy"] == int(inputs["start"] or running), "busy")
        if stopped:
            must(not any(now[name] for name in STROBES), "safe in the cycle after a stop")
            must(now["done"], "done in the cycle after a stop")
        if not now["active"]:
            must(not any(now[name] for name in STROBES if name != "hv_en"), "inactive means quiet")
        self.rails_used = bool(now["hv_en"] and (self.rails_used or now["verify"] or now["pulse"]))

        if now["pulse"]:
            must(
                now["hv_en"] and now["wl_en"] and now["active"] and now["select"],
                "pulse needs rails and a row",
            )
            must(inputs["hv_ready"] and inputs["unlocked"], "pulse needs ready rails and an unlock")
            must(not now["verify"], "pulse or verify")
            must(steady, "nothing moves with a pulse")
            must(self.high["pulse"] <= self.width_cyc[now["op"]], "pulse at most width_cyc")
        if now["pulse"] and not was["pulse"]:
            must(self.high["wl_en"] > setup_cyc, "word line up wl_setup_cyc before")
            must(self.high["steady"] + steady >= setup_cyc, "columns and levels wl_setup_cyc before")
        if was["pulse"] and not now["pulse"] and not stopped:
            must(now["wl_en"] and steady, "one cycle of hold")
        if now["verify"]:
            must(now["wl_en"] and now["select"], "verify needs a row")
            must(not was["verify"] or steady, "nothing moves with verify")
            must(not was["verify"] or now["verify_ref"] == was["verify_ref"], "verify_ref moves")
        if was["verify"] and not now["verify"] and not stopped:
            must(self.was_high["verify"] > verify_cyc, "verify at least verify_cyc")

        must(not (now["precharge"] and now["evaluate"]), "precharge or evaluate")
        if now["precharge"] or now["evaluate"]:
            must(not now["hv_en"] and not was["hv_en"], "no rails while reading")
            must(now["wl_en"] and not now["verify"] and not now["pulse"], "a read is alone")
        if was["precharge"] or now["evaluate"]:
            must(steady or stopped, "nothing moves while reading")
        if now["evaluate"] and not was["evaluate"]:
            must(self.was_high["precharge"] == setup_cyc, "precharge of wl_setup_cyc")
        self.high["steady"] = self.high["steady"] + 1 if steady else 0

    def _record(self, was, now) -> None:
        if now["verify"] and not was["verify"]:
            ref, side = VerifyRef(now["verify_ref"]), ProgSide(now["side"])
            self.events.append(("verify", side, ref, now["prog_level"], now["select"]))
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
        assert entry >> 28 & 0xF == 0x8  # valid, and what is not used is 0
        assert (entry >> 32, entry >> 13 & 0xFFF) == self.address
        self.events.append(("log", entry & 0x1FFF, ProgSide(entry >> 25 & 1), ProgOp(entry >> 26 & 3)))

    # --- the scoreboard ---------------------------------------------------------------------------

    async def compare(
        self, command: Command, image: int, mask: int, *, timing: Timing | None = None
    ) -> Outcome:
        """Runs ``command`` and compares events, end, counters and cycles with the reference."""
        await self.fill(image, mask)
        want = reference(
            command, self.geometry, timing or self.timing, self.row, image, mask, ready_cyc=self.ready_cyc
        )
        before = self.counters()
        seen = await self.command(command, cap=want.cycles + 10)
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
        assert want.events or not mask & (1 << self.geometry.columns) - 1
        return seen

    def counters(self) -> list[int]:
        return [self.ctx.get(getattr(self.dut, name)) for name in ("pulses", "verifies", "failures")]
