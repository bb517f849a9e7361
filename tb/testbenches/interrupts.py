"""Interrupts on the pin: what sets each bit of IRQ_PENDING, what masks it, what clears it.

docs/architecture.md, section 7. The controller stands bare: comparators that always answer, source lines at 0, so
that every verify fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from cocotb.triggers import RisingEdge

from bridgebnn.hdl.spec import Command, ErrorCode, Geometry
from bridgebnn.tb.bus.wishbone import BusError
from bridgebnn.tb.checks.descriptor_rules import Raw, pack
from bridgebnn.tb.env import Env
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ControllerJob
from bridgebnn.tb.runs.reports import ControllerReport

__all__ = ["interrupts", "one_layer"]

BITS = {"done": 1, "error": 2, "result": 4, "input_ready": 8, "rejected": 16, "log_overflow": 32}


class WrongInterrupt(AssertionError):
    """A bit is pending, or the pin is high, when it must not, or the other way round."""


def one_layer(rows: int) -> Raw:
    """One SIGN layer of some rows on one input of the first tile."""
    zeros = ("tile_first", "row_first", "threshold_base", "bias", "bias_last", "mode", "combine")
    layer = dict.fromkeys((*zeros, "use_threshold", "score"), 0)
    return layer | {"tile_count": 1, "row_count": rows, "cols": 1, "cols_last": 1}


class Bench:
    """Judges what is pending after each event."""

    def __init__(self, env: Env):
        self.env, self.host, self.bus = env, env.host, env.bus
        self.irq = Pin(env.dut.irq)
        self.judged = 0
        self.rises = 0

    async def watch(self) -> None:
        """Count the rises of the pin."""
        while True:
            await RisingEdge(self.env.dut.irq)
            self.rises += 1

    async def pending(self, names: Iterable[str], what: str) -> None:
        """Exactly these bits are pending; each reaches the pin only when enabled, and only a 1 clears it."""
        word = sum(BITS[name] for name in names)
        await self._is(word, what)
        for enable in (0, *BITS.values(), 0x3F):
            await self.bus.write("IRQ_ENABLE", enable)
            if self.irq.int() != bool(word & enable):
                raise WrongInterrupt(
                    f"{what}: irq is {self.irq.int()}, pending {word:#x}, enabled {enable:#x}"
                )
        await self.bus.write("IRQ_PENDING", ~word & 0xFFFF_FFFF)
        await self._is(word, f"{what}, then ones in the other bits")
        for name in names:
            await self.bus.write("IRQ_PENDING", BITS[name])
            word &= ~BITS[name]
            await self._is(word, f"{what}, then {name} cleared")
            if self.irq.int() != bool(word):
                raise WrongInterrupt(f"{what}: irq is {self.irq.int()} with {word:#x} pending, all enabled")
        await self.bus.write("IRQ_ENABLE", 0)
        self.judged += 1

    async def _is(self, word: int, what: str) -> None:
        if (seen := await self.bus.read("IRQ_PENDING")) != word:
            raise WrongInterrupt(f"{what}: pending {seen:#x}, not {word:#x}")

    async def refused(self, access: Awaitable[Any], what: str) -> None:
        """The access ends in wb_err."""
        try:
            await access
        except BusError:
            return
        raise WrongInterrupt(f"{what} was accepted")

    async def idle(self) -> None:
        """Wait for the end of a command."""
        for _ in range(500):
            if not (await self.host.status())["busy"]:
                return
        raise WrongInterrupt("the command does not end")


async def commands(b: Bench) -> None:
    """``done``, ``error``, ``rejected`` of commands."""
    await b.pending((), "reset")
    await b.host.start(Command.NOP)
    await b.pending(["done"], "NOP")
    await b.host.start(Command.PROGRAM_ROW)
    await b.pending(["error"], "PROGRAM_ROW while locked")
    await b.host.start(Command.ABORT)
    await b.pending((), "ABORT while idle")
    await b.host.start(Command.INFER)  # waits for a vector
    await b.pending((), "INFER that runs")
    await b.refused(b.host.start(Command.NOP), "NOP while busy")
    await b.pending(["rejected"], "a command while busy")
    await b.host.start(Command.ABORT)
    await b.idle()
    await b.pending(["error"], "ABORT")


async def vectors(b: Bench) -> None:
    """``input_ready`` and ``result``: the host has one, again after each that it took."""
    await b.refused(b.bus.write("RESULT_POP"), "RESULT_POP with no result")
    await b.pending((), "RESULT_POP with no result")
    await b.host.push([1])
    await b.pending(["input_ready"], "one bank pushed, another free")
    await b.host.push([0])
    await b.pending((), "both banks pushed")
    await b.refused(b.bus.write("INPUT_PUSH"), "INPUT_PUSH with no bank free")
    await b.pending(["rejected"], "INPUT_PUSH with no bank free")
    await b.bus.write("INFER_COUNT", 3)
    await b.host.start(Command.INFER)
    await b.host.cycles(100)
    await b.pending(["result", "input_ready"], "two vectors ran, one is missing")
    await b.bus.write("RESULT_POP")
    await b.pending(["result"], "one result taken, another there")
    await b.bus.write("RESULT_POP", 0xFFFF_FFFF)
    await b.pending((), "both results taken")
    await b.host.push([1])
    await b.idle()
    await b.pending(["done", "result", "input_ready"], "the last vector")
    await b.bus.write("RESULT_POP")
    await b.pending((), "the last result taken")
    await b.bus.write("INFER_COUNT", 1)


async def log(b: Bench) -> None:
    """``log_overflow``: one failure more than the log holds."""
    g: Geometry = b.env.geometry
    for failures in (g.log_depth - 1, g.log_depth, g.log_depth + 1):
        await b.host.start(Command.CLEAR_LOG)
        await b.pending(["done"], "CLEAR_LOG")
        # Source lines at 0: both devices of a masked column fail.
        count = -(-failures // 2)
        mask = [1] * count + [0] * (g.columns - count)
        await b.host.load_row(0, 0, mask, mask)
        await b.host.start(Command.VERIFY_ROW)
        await b.idle()
        error = await b.bus.fields("ERROR")
        if error != {"code": ErrorCode.NOT_CONVERGED, "detail": 2 * count}:
            raise WrongInterrupt(f"VERIFY_ROW of {count} columns that all fail ended in {error}")
        over = ["log_overflow"] if 2 * count > g.log_depth else []
        await b.pending(["error", *over], f"{2 * count} failures in a log of {g.log_depth}")
        if (await b.bus.fields("LOG_STATUS"))["overflow"] != len(over):
            raise WrongInterrupt(f"LOG_STATUS.overflow with {2 * count} failures")


async def clearing_in_the_same_cycle(b: Bench) -> None:
    """An event in the cycle of the clearing write is kept: the pin rises whenever that write comes."""
    await b.bus.write("IRQ_ENABLE", BITS["done"])
    # Section 6 and 10: how long INFER judges its tables before the vector runs.
    most = b.env.geometry.repair_entries + (80 if b.env.geometry.map_words else 40)
    late = False
    for wait in range(most):
        await b.bus.write("IRQ_PENDING", 0x3F)
        await b.host.push([1])
        before = b.rises
        await b.host.start(Command.INFER)
        await b.host.cycles(wait)
        late = b.rises > before
        await b.bus.write("IRQ_PENDING", BITS["done"])
        await b.idle()
        if b.rises == before:
            raise WrongInterrupt(f"done was lost with a clearing write {wait} cycles after INFER")
        await b.bus.write("RESULT_POP")
    if not late:
        raise WrongInterrupt(
            f"INFER takes longer than {most} cycles: the clearing writes did not reach its end"
        )
    b.judged += 1


@testbench(ControllerJob)
async def interrupts(dut: Any, job: ControllerJob, progress: Progress) -> ControllerReport:
    """Commands, vectors, log, clearing."""
    env = Env(dut, job.geometry, None, attach="none", sim=job.sim, limit_cyc=2_000)
    bench = Bench(env)

    async def main() -> None:
        await env.start()
        env.spawn(bench.watch())
        await env.bus.write_burst("DESCRIPTOR", pack(one_layer(1)))
        for part in (commands, vectors, log, clearing_in_the_same_cycle):
            await part(bench)

    await env.run(main())
    return ControllerReport(sim=job.sim, compared={"events": bench.judged, "rises": bench.rises})
