"""Counters over all of their 32 bits: carries, wraps and saturation (docs/architecture.md, section 7).

No run is long enough to count so far. On Icarus, which shows the registers, they are preset through their handles;
which registers those are is found by what they count, not by name. Verilator shows none, and is fast: there a run with
the longest phases counts past 17 bits by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cocotb.handle import HierarchyObject, LogicArrayObject, PackedObject
from cocotb.triggers import FallingEdge

from bridgebnn.hdl.spec import Command, ErrorCode
from bridgebnn.tb.checks.descriptor_rules import Raw, pack
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ControllerJob
from bridgebnn.tb.runs.reports import ControllerReport

from .interrupts import one_layer

__all__ = ["counters"]

ROWS, PHASE_CYC, GAP_CYC = 2, 3, 3
"""Of the layer that runs here: rows, cycles of one read (every phase 1), cycles between layers."""
WORD = 1 << 32
PERF = {"PERF_ROWS": ROWS, "PERF_READ": ROWS * PHASE_CYC, "PERF_BUSY": ROWS * PHASE_CYC + GAP_CYC}
"""What one vector adds."""


class Miscounted(AssertionError):
    """A counter does not hold what it must."""


def registers(handle: Any) -> Iterator[Any]:
    """Every packed signal of 32 bits below a handle."""
    for child in handle:
        if isinstance(child, HierarchyObject):
            yield from registers(child)
        elif isinstance(child, LogicArrayObject | PackedObject) and len(child) == 32:
            yield child


class Backdoor:
    """Registers below a handle, known by the values that they took one after the other."""

    def __init__(self, scope: Any):
        self._pins = [Pin(handle) for handle in registers(scope)]
        self._seen: list[list[int | None]] = []

    def look(self) -> None:
        """Note all values."""
        self._seen.append([int(t, 2) if set(t := pin.text()) <= {"0", "1"} else None for pin in self._pins])

    def find(self, *values: int) -> list[Pin]:
        """Those that had these values, look by look (the register, and wires that show it)."""
        histories = zip(*self._seen, strict=True)
        found = [pin for pin, seen in zip(self._pins, histories, strict=True) if seen == values]
        if not found:
            raise Miscounted(f"no register below the controller went through {values}")
        return found


class Bench:
    """One layer that runs vector after vector."""

    def __init__(self, env: Env):
        self.env, self.host, self.bus = env, env.host, env.bus
        self.judged = 0

    async def equal(self, name: str, value: int, what: str) -> None:
        """A register reads this value."""
        if (seen := await self.bus.read(name)) != value:
            raise Miscounted(f"{what}: {name} is {seen:#x}, not {value:#x}")
        self.judged += 1

    async def vector(self) -> None:
        """Push one vector of a running INFER and wait for its result; the host takes it later."""
        await self.host.push([1])
        for _ in range(200):
            if (await self.host.status())["result_valid"]:
                return
        raise Miscounted("no result")

    async def put(self, pins: list[Pin], value: int) -> None:
        """Preset a register in the middle of a cycle."""
        await FallingEdge(self.env.dut.clk)
        for pin in pins:
            pin.set_text(f"{value:032b}")

    async def abort(self) -> None:
        """End INFER."""
        await self.host.start(Command.ABORT)
        while (await self.host.status())["busy"]:
            pass


async def inference(b: Bench) -> None:
    """PERF_*, RESULT_INDEX and the vectors left, from each place at which a carry begins; all wrap at 2**32."""
    backdoor = Backdoor(b.env.dut)
    await b.bus.write("INFER_COUNT", 0x1000)
    await b.host.start(Command.INFER)
    for done in (1, 2):
        await b.vector()
        await b.bus.write("RESULT_POP")
        backdoor.look()
        for name, step in PERF.items():
            await b.equal(name, done * step, f"after vector {done}")
    perf = {name: backdoor.find(step, 2 * step) for name, step in PERF.items()}
    number, left = backdoor.find(1, 2), backdoor.find(0xFFF, 0xFFE)
    for bit in range(1, 33):
        start = (1 << bit) - 1
        for pins in perf.values():
            await b.put(pins, start)
        await b.put(number, start)
        await b.put(left, (1 << min(bit, 31)) % WORD)
        for name in PERF:
            await b.equal(name, start, "preset")
        await b.vector()
        await b.equal("RESULT_INDEX", start, "a vector after the preset")
        await b.bus.write("RESULT_POP")
        for name, step in PERF.items():
            await b.equal(name, (start + step) % WORD, f"a vector after {start:#x}")
        for pins, value, what in (
            (number, (start + 1) % WORD, "the number of the next vector"),
            (left, (1 << min(bit, 31)) - 1, "the vectors left"),
        ):
            if {pin.int() for pin in pins} != {value}:
                raise Miscounted(
                    f"{what} after {start:#x}: {[hex(pin.int()) for pin in pins]}, not {value:#x}"
                )
    for bit in range(1, 32):  # one is left where all bits but the lowest are 0
        await b.put(left, 1 << bit | 1)
        await b.vector()
        await b.bus.write("RESULT_POP")
        if {pin.int() for pin in left} != {1 << bit}:
            raise Miscounted(f"the vectors left after {1 << bit | 1:#x}: {[hex(pin.int()) for pin in left]}")
    if not (await b.host.status())["busy"]:
        raise Miscounted("INFER ended with vectors left")
    await b.put(left, 1)
    await b.vector()
    if not (await b.host.status())["done"]:
        raise Miscounted("INFER goes on after its last vector")
    await b.bus.write("RESULT_POP")
    for bit in range(32):
        await b.bus.write("INFER_COUNT", 1 << bit)
        await b.host.start(Command.INFER)
        await b.host.cycles(4)
        if {pin.int() for pin in left} != {1 << bit}:
            raise Miscounted(f"INFER_COUNT {1 << bit:#x} begins with {[hex(pin.int()) for pin in left]}")
        await b.abort()
        b.judged += 1


async def programming(b: Bench) -> None:
    """PROG_VERIFIES, PROG_FAILURES and PROG_PULSES carry, and stay at 2**32 - 1."""
    g = b.env.geometry
    once = {"width_cyc": 2, "attempts": 1}
    for op in ("FORM", "SET", "RESET"):
        await b.bus.set(f"{op}_PULSE", **once)
    await b.host.unlock()
    await b.host.run(Command.CLEAR_LOG)
    one = [1] + [0] * (g.columns - 1)
    await b.host.load_row(0, 0, one, one)
    Pin(b.env.dut.hv_ready).set(1)
    backdoor, names = Backdoor(b.env.dut), ("PROG_PULSES", "PROG_VERIFIES", "PROG_FAILURES")
    history: list[dict[str, int]] = []
    for _ in range(3):
        await _program(b)
        backdoor.look()
        history.append({name: await b.bus.read(name) for name in names})
    step = _steps(history)
    pins = {name: backdoor.find(*(seen[name] for seen in history)) for name in names}
    for bit in range(4, 33):
        start = (1 << bit) - 1 if bit < 32 else WORD - 2
        for name in names:
            await b.put(pins[name], start)
        for turn in (1, 2):
            await _program(b)
            for name in names:
                value = min(start + turn * step[name], WORD - 1)
                await b.equal(name, value, f"{turn} rows after {start:#x}")
    await b.host.run(Command.CLEAR_LOG)
    for name in names:
        await b.equal(name, 0, "CLEAR_LOG")


def _steps(history: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """What a row adds: of one column, three phases of two sides in which nothing passes."""
    # Section 4: FORM P and N, then the column's RESET and SET: four phases, each with a verify, one pulse and a
    # verify; two final reads. Both devices fail FORM, and then their SET or RESET.
    wanted = {"PROG_PULSES": 4, "PROG_VERIFIES": 10, "PROG_FAILURES": 4}
    for count, seen in enumerate(history, 1):
        if seen != {name: count * value for name, value in wanted.items()}:
            raise Miscounted(f"{count} rows gave {seen}, not {count} times {wanted}")
    return wanted


async def _program(b: Bench) -> None:
    try:
        await b.host.run(Command.PROGRAM_ROW)
    except CommandError as error:
        if error.code is not ErrorCode.NOT_CONVERGED:
            raise
    else:
        raise Miscounted("PROGRAM_ROW of devices that never pass ended in DONE")


async def long_run(b: Bench, layer: Raw) -> None:
    """The longest phases, as they count by themselves: past 17 bits."""
    g = b.env.geometry
    rows = min(30, g.rows - g.spare_rows)
    vectors = -(-90 // rows)
    await b.bus.write_burst("DESCRIPTOR", pack(layer | {"row_count": rows}))
    await b.bus.set("TIMING_READ", precharge_cyc=255, evaluate_cyc=255, sense_cyc=255)
    await b.bus.write("INFER_COUNT", vectors)
    await b.host.start(Command.INFER)
    for _ in range(vectors):
        await b.host.enable_interrupts(result=1)
        await b.host.push([1])
        await b.host.interrupt()
        await b.bus.write("RESULT_POP")
    read = vectors * rows * 3 * 255
    for name, value in (
        ("PERF_ROWS", vectors * rows),
        ("PERF_READ", read),
        ("PERF_BUSY", read + vectors * GAP_CYC),
    ):
        await b.equal(name, value, "long phases")


@testbench(ControllerJob)
async def counters(dut: Any, job: ControllerJob, progress: Progress) -> ControllerReport:
    """Presets where the simulator shows registers, long phases where it does not."""
    env = Env(dut, job.geometry, None, attach="none", sim=job.sim, limit_cyc=100_000)
    bench, layer = Bench(env), one_layer(ROWS)

    async def main() -> None:
        await env.start()
        await env.bus.write_burst("DESCRIPTOR", pack(layer))
        if job.sim == "verilator":
            await long_run(bench, layer)
        else:
            await inference(bench)
            await programming(bench)

    await env.run(main())
    return ControllerReport(sim=job.sim, compared={"counts": bench.judged})
