"""Row commands on scripted devices: what the controller does on its pins, cycle by cycle, and what it tells the host.

The testbench plays one row whose devices are scripted (how many pulses each takes, and which never move), does
the job's steps one after the other, and records every pin in every cycle. It judges nothing: whoever wrote the
job knows what must come out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import (
    Event,
    FallingEdge,
    First,
    RisingEdge,
    SimTimeoutError,
    ValueChange,
    with_timeout,
)
from cocotb.utils import get_sim_time

from bridgebnn.hdl.spec import UNLOCK_KEYS, Command, Geometry, ProgOp, Timing, VerifyRef
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.bus.registers import BusError
from bridgebnn.tb.bus.wishbone import WishboneMaster
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import RowsJob
from bridgebnn.tb.runs.reports import RowsReport

__all__ = ["PINS", "Player", "ScriptedDevice", "ScriptedRow", "program_pins"]

PINS = (
    *("hv_en", "wl_en", "pulse", "verify", "precharge", "evaluate", "sense", "row", "prog_op", "prog_side"),
    *("wl_level", "prog_level", "verify_ref", "bl", "col_en", "hv_ready", "wb_ack", "irq"),
)
"""Pins that are recorded, in this order."""

PERIOD_NS = 20
SLEEP_CYC = 300  # longer than any answer, or the rails, take
COUNTERS = ("PROG_PULSES", "PROG_VERIFIES", "PROG_FAILURES")


@dataclass
class ScriptedDevice:
    """One device: its state, and how many pulses of each operation move it.

    Parameters
    ----------
    state : str
        ``pristine``, ``lrs`` or ``hrs``.
    need : list of int
        Pulses of FORM, SET, RESET until it moves.
    weak : bool
        It passes a verify read, but not with a margin.
    """

    state: str
    need: list[int]
    weak: bool = False
    got: int = 0

    def pulse(self, op: ProgOp) -> None:
        """FORM moves what is pristine to LRS; SET and RESET move what was formed."""
        if (op is ProgOp.FORM) is (self.state == "pristine"):
            self.got += 1
            if self.got >= self.need[op]:
                self.state, self.got, self.weak = "hrs" if op is ProgOp.RESET else "lrs", 0, False

    def passes(self, ref: VerifyRef, margin: int) -> bool:
        """Answer of a verify read."""
        if ref is VerifyRef.FORMED:
            return self.state != "pristine"
        right = self.state == "lrs" if ref is VerifyRef.LRS_MAX else self.state != "lrs"
        return right and not (self.weak and margin)


class ScriptedRow:
    """The devices of one row.

    Parameters
    ----------
    script : dict
        ``devices``: per column the P and the N device, each ``[state, need, weak]``. ``disturbs``: number of
        a pulse to ``[column, side, state]`` that it causes elsewhere. ``broken``: columns whose bridge reads
        inverted.
    """

    def __init__(self, script: dict[str, Any]):
        self.devices = [[ScriptedDevice(*d) for d in pair] for pair in script["devices"]]
        self.disturbs = {int(n): changes for n, changes in script.get("disturbs", {}).items()}
        self.broken = set(script.get("broken", ()))
        self.pulses = 0

    def pulse(self, op: ProgOp, side: int, select: str) -> None:
        """One pulse; ``select`` is a binary string, column 0 last."""
        for pair, bit in zip(self.devices, reversed(select), strict=True):
            if bit == "1":
                pair[side].pulse(op)
        for column, which, state in self.disturbs.get(self.pulses, ()):
            self.devices[column][which].state = state
        self.pulses += 1

    def answers(self, side: int, ref: VerifyRef, margin: int) -> str:
        """Verify answers, column 0 last."""
        return "".join(str(int(pair[side].passes(ref, margin))) for pair in reversed(self.devices))

    def weights(self) -> str:
        """Bridge read with all inputs at +1: 1 where P conducts and N does not. Column 0 last."""
        conducts = [p.state == "lrs" and n.state != "lrs" for p, n in self.devices]
        return "".join(str(int(bit ^ (c in self.broken))) for c, bit in reversed(list(enumerate(conducts))))


class Player:
    """Samples all pins at every clock edge, records them, and plays rails and ``sl``.

    Where nothing has moved for a while it sleeps until something does, so that long waits cost little.

    An answer is on ``sl`` from the cycle on in which the contract says that it is valid, for the columns asked;
    everything else is unknown there: X, or random bits where the simulator has no X.

    Attributes
    ----------
    trace : list
        ``[cycle, values]`` of every cycle in which a pin differs from the cycle before.
    cycle : int
        Number of the cycle that the last clock edge ended.
    """

    def __init__(self, dut: Any, geometry: Geometry, two_state: bool, seed: int = 1):
        self.dut, self.columns, self.tiles = dut, geometry.columns, geometry.tiles
        self.pins = [Pin(getattr(dut, name)) for name in PINS]
        self.sl, self.hv_ready = Pin(dut.sl), Pin(dut.hv_ready)
        self.two_state, self.rng = two_state, random.Random(seed)
        self.trace: list[Any] = []
        self.cycle = 0
        self._row: ScriptedRow | None = None
        self.ready_cyc, self.answer_cyc = 1, {"verify": 1, "evaluate": 1}
        self.awaited: tuple[str, int] | None = None
        self.seen, self.running = Event(), Event()

    @property
    def row(self) -> ScriptedRow:
        """The devices, of the last step that said something of them."""
        if self._row is None:
            raise ValueError("row is missing: the first step that touches devices must have one")
        return self._row

    def begin(self, step: dict[str, Any]) -> None:
        """Forget the record; take over what the step says of the macro."""
        self.trace = []
        if "row" in step:
            self._row = ScriptedRow(step["row"])
        self.ready_cyc = step.get("ready_cyc", 1)  # None: never
        self.answer_cyc = step.get("answer_cyc", self.answer_cyc)
        self.seen.clear()
        self.awaited = tuple(step["during"]["at"]) if "during" in step else None
        self.running.set()

    async def play(self) -> None:
        """Run for ever."""
        edge, high = RisingEdge(self.dut.clk), dict.fromkeys(("hv_en", "verify", "evaluate"), 0)
        was: dict[str, str] = dict.fromkeys(PINS, "0")
        pulsed: tuple | None = None
        was_ready = self.drop = False
        still = 0  # cycles without a change
        moves = [ValueChange(pin.handle) for pin in self.pins]
        self.answer(None, "")
        self.hv_ready.set(0)
        while True:
            if not self.running.is_set():  # between two steps
                await self.running.wait()
            await edge
            self.cycle = round(get_sim_time("ns") / PERIOD_NS)
            values = [pin.text() for pin in self.pins]
            still += 1
            if not self.trace or self.trace[-1][1] != values:
                self.trace.append([self.cycle, values])
                still = 0
            now = dict(zip(PINS, values, strict=True))
            for name in high:
                high[name] = high[name] + 1 if now[name] == "1" else 0
            if pulsed and now["pulse"] != "1":
                self.row.pulse(*pulsed)
                pulsed = None
            if now["pulse"] == "1" and not pulsed:
                pulsed = ProgOp(int(now["prog_op"], 2)), int(now["prog_side"]), self.selected(now)
            if high["verify"] == self.answer_cyc["verify"]:
                ref, margin = VerifyRef(int(now["verify_ref"], 2)), int(now["prog_level"], 2)
                self.answer(self.row.answers(int(now["prog_side"]), ref, margin), now["col_en"])
            elif high["evaluate"] == self.answer_cyc["evaluate"]:
                self.answer(self.row.weights(), now["col_en"])
            elif (was["verify"], was["evaluate"]) != (now["verify"], now["evaluate"]):
                self.answer(None, "")
            ready = self.ready_cyc is not None and high["hv_en"] >= max(1, self.ready_cyc) and not self.drop
            if ready != was_ready:
                self.hv_ready.set(int(ready))
                was_ready = ready
            if self.awaited and now[self.awaited[0]] == "1" and was[self.awaited[0]] == "0":
                self.awaited = (self.awaited[0], self.awaited[1] - 1)
                if self.awaited[1] == 0:
                    self.awaited = None
                    self.seen.set()
            was = now
            if still > SLEEP_CYC:
                await First(*moves)

    def selected(self, now: dict[str, str]) -> str:
        """``col_en`` of the tile whose word line is on."""
        tile = now["wl_en"][::-1].find("1")
        end = len(now["col_en"]) - tile * self.columns
        return now["col_en"][end - self.columns : end] if tile >= 0 else "0" * self.columns

    def answer(self, bits: str | None, asked: str) -> None:
        """Drive ``sl``: ``bits`` in every tile's columns asked, unknown elsewhere."""
        width = self.sl.width
        unknown = f"{self.rng.getrandbits(width):0{width}b}" if self.two_state else "x" * width
        if bits is not None:
            known = zip(bits * self.tiles, asked, unknown, strict=True)
            unknown = "".join(bit if ask == "1" else other for bit, ask, other in known)
        self.sl.set_text(unknown)


class Session:
    """Does the steps of a job.

    A step has ``command`` and any of: ``reset``; ``before``, ``during``: accesses ``[register, value]`` (a window's
    word: ``[window, value, word]``); ``during.at``: pin and how many of its rises to wait for, ``during.delay``
    cycles more, ``during.drop_ready``: the rails fall; ``image``, ``mask`` (integers), ``address`` (tile, row);
    ``row`` (`ScriptedRow`), ``ready_cyc`` (cycles of ``hv_en`` before ``hv_ready``; None: never), ``answer_cyc``
    (cycles of ``verify`` and ``evaluate`` before ``sl`` is valid); ``enable`` (IRQ_ENABLE); ``preset`` (counters to
    values, through the simulator).
    """

    def __init__(self, dut: Any, job: RowsJob):
        self.dut, self.geometry = dut, job.geometry
        self.words = self.geometry.row_words
        self.map = register_map(self.geometry, Timing())
        self.bus = WishboneMaster(dut, self.map)
        self.player = Player(dut, self.geometry, job.sim == "verilator", job.seed)
        self.edge = RisingEdge(dut.clk)
        self.backdoors = job.backdoors

    async def start(self) -> None:
        """Start clock and player; a reset."""
        for name in ("cmp", "cmp_valid"):
            Pin(getattr(self.dut, name)).set(0)
        self.dut.rst.value = 1
        Clock(self.dut.clk, PERIOD_NS, "ns", impl="gpi").start()
        cocotb.start_soon(self.player.play())
        await self.reset()

    async def reset(self) -> None:
        """Three cycles of reset."""
        self.dut.rst.value = 1
        for _ in range(3):
            await self.edge
        self.dut.rst.value = 0
        await self.edge

    async def write_row(self, name: str, value: int) -> None:
        """All words of ROW_IMAGE or ROW_MASK, bits past the last column included."""
        await self.bus.write_burst(name, [value >> 32 * w & 0xFFFFFFFF for w in range(self.words)])

    async def accesses(self, accesses: Sequence[Sequence[Any]]) -> list[str]:
        """Writes; "ok" or "refused" of each."""
        outcomes = []
        for access in accesses:
            try:
                await self.bus.write(*access)
                outcomes.append("ok")
            except BusError:
                outcomes.append("refused")
        return outcomes

    async def do(self, step: dict[str, Any]) -> dict[str, Any]:
        """One step; what was seen."""
        bus, player, pending = self.bus, self.player, self.map.register("IRQ_PENDING")
        if step.get("reset"):
            await self.reset()
        if step.get("unlock", True):
            await self.accesses([("UNLOCK", key) for key in UNLOCK_KEYS])
        await self.accesses(step.get("before", ()))
        for name in ("image", "mask"):
            if name in step:
                await self.write_row(f"ROW_{name.upper()}", step[name])
        if "address" in step:
            await bus.set("PROG_ADDRESS", tile=step["address"][0], row=step["address"][1])
        await bus.write("IRQ_PENDING", pending.mask)
        await bus.write("IRQ_ENABLE", step.get("enable", pending.pack(done=1, error=1)))
        for name, value in step.get("preset", {}).items():
            await self.preset(name, value)
        player.begin(step)
        await bus.set("COMMAND", opcode=int(Command[step["command"]]))
        outcomes: list[str] = []
        if "during" in step:
            await with_timeout(player.seen.wait(), 100_000 * PERIOD_NS, "ns")
            for _ in range(step["during"].get("delay", 0)):
                await self.edge
            player.drop = step["during"].get("drop_ready", False)
            outcomes = await self.accesses(step["during"].get("writes", ()))
        await self.end(step)
        player.drop = False
        player.running.clear()
        trace, irq = player.trace, int(player.pins[-1].text())
        log = await bus.read_burst("FAIL_LOG", 2 * self.geometry.log_depth)
        hidden = (await bus.fields("STATUS"))["read_locked"]
        return {
            "outcomes": outcomes,
            "trace": trace,
            "irq": irq,
            "status": await bus.fields("STATUS"),
            "error": await bus.fields("ERROR"),
            "counters": [await bus.read(name) for name in COUNTERS],
            "pending": await bus.fields("IRQ_PENDING"),
            "log": log,
            "log_status": await bus.read("LOG_STATUS"),
            "image": None if hidden else await self.read_row("ROW_IMAGE"),
            "mask": await self.read_row("ROW_MASK"),
        }

    async def end(self, step: dict[str, Any]) -> None:
        """Wait for the interrupt, or where it is not enabled for the end of the command; a few cycles more."""
        for _ in range(4):
            await self.edge
        if "enable" in step:
            while (await self.bus.fields("STATUS"))["busy"]:
                pass
        elif self.player.pins[-1].text() != "1":
            try:
                await with_timeout(RisingEdge(self.dut.irq), 200_000 * PERIOD_NS, "ns")
            except SimTimeoutError:
                raise TimeoutError(f"{step['command']} does not end") from None
        for _ in range(4):
            await self.edge

    async def read_row(self, name: str) -> int:
        """All words of a window as one integer."""
        return sum(word << 32 * w for w, word in enumerate(await self.bus.read_burst(name, self.words)))

    async def preset(self, name: str, value: int) -> None:
        """Put a value into a counter, between two clock edges."""
        handle = self.dut
        for part in self.backdoors[name].split("."):
            handle = handle[part]
        await FallingEdge(self.dut.clk)  # else the clock edge of this moment would still write the old value
        Pin(handle).set(value)
        await self.edge


@testbench(RowsJob)
async def program_pins(dut: Any, job: RowsJob, progress: Progress) -> RowsReport:
    """Do the steps, one after the other."""
    session = Session(dut, job)
    await session.start()
    records = []
    for number, step in enumerate(job.steps, 1):
        records.append(await session.do(step))
        progress("steps", number, len(job.steps))
    return RowsReport(sim=job.sim, pins=list(PINS), records=records)
