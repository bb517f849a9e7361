"""Bad input and bad hardware: each ends in a clear error, and leaves weights and results as they were.

One run goes through the scenarios of the job, one after the other on the same chip. After each, the
programmed devices must be in the state they were in, and an inference must give golden's results. On a chip
with spares, some of them are in use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import (
    UNLOCK_KEYS,
    Combine,
    Command,
    Descriptor,
    ErrorCode,
    Geometry,
    ReadMode,
    Repairs,
    Timing,
)
from bridgebnn.hdl.spec.register_map import layout
from bridgebnn.model.flows import inference
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks import golden
from bridgebnn.names import check_names
from bridgebnn.tb.agents.array_agent import MacroFaults
from bridgebnn.tb.bus.registers import BusError
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError, HostDriver
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ScenariosJob
from bridgebnn.tb.runs.reports import ScenariosReport

from .infer import environment, fresh_chip

__all__ = ["SCENARIOS", "faults"]

Scenario = Callable[["Bench"], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}


class Wrong(AssertionError):
    """A scenario did not end as it must."""


class Bench:
    """What a scenario has at hand."""

    def __init__(self, env: Env, mapping: Any, images: np.ndarray):
        self.env, self.mapping, self.images = env, mapping, images
        if env.agent is None:
            raise ValueError(f"attach = {env.attach!r}: the scenarios need an agent")
        self.agent = env.agent
        self.host: HostDriver = env.host
        self.bus = env.bus
        self.vectors = mapping.pack_inputs(images)
        self.expected = golden.forward(mapping.network, images)
        self.used = mapping.masks

    def state(self) -> dict[str, np.ndarray]:
        """State of the programmed devices."""
        devices = self.env.array.devices.snapshot()
        return {n: v[self.used] for n, v in devices.items() if v.shape[:3] == self.used.shape}

    async def load(self, table: Sequence[Descriptor] | None = None) -> None:
        """Write the network, or another descriptor table in its place."""
        m = self.mapping
        await self.host.load_network(table or m.descriptors, m.thresholds, m.repairs)

    async def infer(self) -> None:
        """All images give golden's results."""
        got: list[Any] = []
        await self.load()
        await self.host.infer(self.mapping.descriptors, self.vectors, got.append)
        check(len(got) == len(self.images) > 0, f"{len(got)} results for {len(self.images)} vectors")
        for index, result in enumerate(got):
            check(result.index == index, f"result {index} calls itself {result.index}")
            check((result.scores == self.expected.scores[index]).all(), f"scores of vector {index} differ")
            check(result.label == self.expected.classes[index], f"class of vector {index} differs")

    async def refused(self, access: Awaitable[Any], what: str) -> None:
        """The access ends in wb_err."""
        try:
            await access
        except BusError:
            return
        raise Wrong(f"{what} was accepted")

    async def ends(self, command: Awaitable[Any], code: ErrorCode, detail: int | None = None) -> None:
        """The command ends in ERROR with this code."""
        try:
            await command
        except CommandError as error:
            check(error.code == code, f"ended in {error}, not in {code.name}")
            check(detail is None or error.detail == detail, f"detail {error.detail}, not {detail}")
            return
        raise Wrong(f"ended in DONE, not in {code.name}")

    async def safe(self) -> None:
        """All pins that could hurt are low."""
        for name in ("hv_en", "pulse", "verify", "precharge", "evaluate", "sense", "wl_en"):
            value = self.agent.pin[name].text()
            check(set(value) == {"0"}, f"{name} = {value} after the command")


def check(holds: Any, message: str) -> None:
    """Raise `Wrong` unless it holds."""
    if not holds:
        raise Wrong(message)


def scenario(function: Scenario) -> Scenario:
    """Enter a scenario under its name."""
    SCENARIOS[function.__name__] = function
    return function


@scenario
async def nothing(b: Bench) -> None:
    """The chip works at all."""


@scenario
async def unmapped_address(b: Bench) -> None:
    spares = b.mapping.geometry.repair_entries
    for address in (0x0AC if spares else 0x0A8, 0x0FC, 0x7FFC, 0x1FFFC):
        await b.refused(b.bus.access(address), f"read of 0x{address:x}")
        await b.refused(b.bus.access(address, 1), f"write to 0x{address:x}")
    await b.refused(b.bus.read("ROW_IMAGE", b.mapping.geometry.row_words), "read past ROW_IMAGE")
    await b.refused(b.bus.write("ID", 0), "write to a read-only register")
    await b.refused(b.bus.read("COMMAND"), "read of a write-only register")


@scenario
async def bad_size(b: Bench) -> None:
    await b.bus.write("IRQ_ENABLE", 3)
    for sel in (1, 2, 3, 8, 12, 14, 0):
        await b.refused(b.bus.access(0x020, 0, sel=sel), f"a write with sel = {sel}")
        check(await b.bus.access(0x020, sel=sel) == 3, f"a read with sel = {sel} is not the whole word")
    check(await b.bus.read("IRQ_ENABLE") == 3, "a refused write changed IRQ_ENABLE")


@scenario
async def command_while_busy(b: Bench) -> None:
    await b.load()
    await b.bus.write("INFER_COUNT", 1)
    await b.host.enable_interrupts()
    await b.host.start(Command.INFER)  # waits for its vector
    for command in (Command.INFER, Command.PROGRAM_ROW, Command.CLEAR_LOG, Command.NOP):
        await b.refused(b.host.start(command), f"{command.name} while busy")
    names = ("ROW_IMAGE", "ROW_MASK", "DESCRIPTOR", "THRESHOLD", "TIMING_READ", "INFER_COUNT")
    for name in (*names, *repair_windows(b)):
        await b.refused(b.bus.write(name, 0), f"a write to {name} while busy")
    pending = await b.bus.fields("IRQ_PENDING")
    check(pending["rejected"] == 1, "no interrupt for the refused command")
    check((await b.host.status())["busy"] == 1, "the running command was disturbed")
    await b.host.push(b.vectors[0])
    while not (await b.host.status())["done"]:
        pass
    result = await b.host.pop(b.mapping.descriptors[-1])
    check((result.scores == b.expected.scores[0]).all(), "scores differ")


@scenario
async def unknown_command(b: Bench) -> None:
    for opcode in sorted(set(range(15)) - {c.value for c in Command}):
        await b.host.enable_interrupts(done=1, error=1)
        await b.bus.set("COMMAND", opcode=opcode)
        await b.ends(b.host.finish(Command.NOP), ErrorCode.BAD_COMMAND)


@scenario
async def bad_descriptor(b: Bench) -> None:
    g, good = b.mapping.geometry, b.mapping.descriptors
    first, last = good[0], len(good) - 1
    bad: list[tuple[int, Descriptor]] = [
        (0, replace(first, tile_first=g.tiles)),
        (0, replace(first, tile_count=g.tiles + 1)),
        (0, replace(first, row_first=g.rows)),
        (0, replace(first, row_count=g.rows + 1)),
        (0, replace(first, cols=g.inputs + 1)),
        (0, replace(first, cols_last=g.inputs + 1)),
        (0, replace(first, bias_last=g.bias + 1)),
        (0, replace(first, threshold_base=g.thresholds, use_threshold=True)),
        (0, replace(first, score=True)),
        (0, replace(first, mode=ReadMode.COUNT, combine=Combine.VOTE)),
        (last, replace(good[last], row_first=0xFFFF)),
        (last, replace(good[last], threshold_base=0xFFFF, use_threshold=True)),
    ]
    reads = b.agent.row_reads
    await b.bus.write("INFER_COUNT", 1)
    for index, descriptor in bad:
        table = list(good)
        table[index] = descriptor
        await b.load(table)
        await b.ends(b.host.run(Command.INFER), ErrorCode.BAD_DESCRIPTOR, index)
    check(b.agent.row_reads == reads, "a row was read for a table that is bad")
    await b.safe()


@scenario
async def bad_repair(b: Bench) -> None:
    g = b.mapping.geometry
    plain = {"REPAIR_COLUMN": g.plain_columns, "REPAIR_ROW": g.plain_rows}
    first = {"REPAIR_COLUMN": 0, "REPAIR_ROW": g.tiles * g.spare_columns}
    await b.load()
    reads = b.agent.row_reads
    for name in repair_windows(b):
        for entry, words in ((0, (plain[name], 0)), (1, (0, 0xFFFF)), (0, (1, 1))):
            table = [layout(name).pack(line=line, valid=1)[0] if line else 0 for line in words]
            await b.bus.write_burst(name, table)
            await b.ends(b.host.run(Command.INFER), ErrorCode.BAD_SETTING, 3 | first[name] + entry << 8)
        await b.bus.write_burst(name, (0, 0))
    check(b.agent.row_reads == reads, "a row was read for a repair table that is bad")
    await b.safe()


@scenario
async def program_without_unlock(b: Bench) -> None:
    await b.bus.write("UNLOCK", 0)
    await b.host.load_row(0, b.mapping.geometry.rows - 1, *spare(b))
    pulses = b.agent.pulses
    first, second = UNLOCK_KEYS
    for keys in (
        (),
        (first,),
        (second, first),
        (first, first),
        (first, 1, second),
    ):
        for key in keys:
            await b.bus.write("UNLOCK", key)
        await b.ends(b.host.run(Command.PROGRAM_ROW), ErrorCode.LOCKED)
    check(b.agent.pulses == pulses, "a locked controller gave a pulse")
    await b.safe()


@scenario
async def lock_bit(b: Bench) -> None:
    await b.host.unlock()
    await b.bus.set("LOCK", lock=1)
    await b.bus.write("LOCK", 0)
    await b.host.unlock()
    await b.host.load_row(0, b.mapping.geometry.rows - 1, *spare(b))
    await b.ends(b.host.run(Command.PROGRAM_ROW), ErrorCode.LOCKED)
    await b.env.reset()


@scenario
async def read_back_lock(b: Bench) -> None:
    await b.bus.set("LOCK", read_lock=1)
    await b.bus.set("PROG_ADDRESS", row=0, tile=0)
    await b.host.unlock()
    for command in (Command.READ_ROW, Command.VERIFY_ROW, Command.PROGRAM_ROW, Command.REFRESH_ROW):
        await b.ends(b.host.run(command), ErrorCode.READ_LOCKED)
    await b.refused(b.bus.read("ROW_IMAGE"), "a read of the hidden window")
    for name in ("DESCRIPTOR", "THRESHOLD", "LAYER_COUNT", *repair_windows(b)):
        await b.refused(b.bus.write(name, 1), f"a write of {name}")
    await b.env.reset()


@scenario
async def bad_address(b: Bench) -> None:
    g = b.mapping.geometry
    await b.host.unlock()
    for tile, row in ((g.tiles, 0), (0, g.rows), (255, 65535)):
        await b.host.load_row(tile, row, *spare(b))
        await b.ends(b.host.run(Command.PROGRAM_ROW), ErrorCode.BAD_ADDRESS)
    await b.safe()


@scenario
async def rails_never_up(b: Bench) -> None:
    await b.host.unlock()
    await b.host.load_timing(Timing(rail_limit_cyc=200))
    b.agent.misbehave(MacroFaults(rails_never=True))
    await b.host.load_row(0, b.mapping.geometry.rows - 1, *spare(b))
    await b.ends(b.host.run(Command.PROGRAM_ROW), ErrorCode.RAILS_TIMEOUT)
    await b.safe()


@scenario
async def rails_lost(b: Bench) -> None:
    await b.host.unlock()
    b.agent.misbehave(MacroFaults(rails_drop_after=b.agent.pulses))
    pulses = b.agent.pulses
    await b.host.load_row(0, b.mapping.geometry.rows - 1, *spare(b))
    await b.ends(b.host.run(Command.PROGRAM_ROW), ErrorCode.RAILS_LOST)
    check(b.agent.pulses == pulses + 1, "pulses went on without rails")
    await b.safe()


@scenario
async def devices_that_do_not_converge(b: Bench) -> None:
    await b.host.unlock()
    await b.host.run(Command.CLEAR_LOG)
    b.agent.misbehave(MacroFaults(pulses_lost=True))
    tile, row = b.mapping.geometry.tiles - 1, b.mapping.geometry.rows - 2
    await b.host.load_row(tile, row, *spare(b))
    await b.ends(b.host.run(Command.PROGRAM_ROW), ErrorCode.NOT_CONVERGED)
    counters, log = await b.host.program_counters(), await b.host.failure_log()
    check(counters["failures"] > 0 and len(log) > 0, f"{counters} with {len(log)} lines of log")
    check(all((e.tile, e.row) == (tile, row) for e in log), "the log names another row")
    await b.host.run(Command.CLEAR_LOG)
    check(not await b.host.failure_log(), "CLEAR_LOG left something")
    await b.safe()


@scenario
async def comparator_never_resolves(b: Bench) -> None:
    b.agent.misbehave(MacroFaults(resolve_never=True))
    await b.ends(b.infer(), ErrorCode.COMPARATOR_TIMEOUT)
    await b.safe()
    b.agent.misbehave(MacroFaults())
    await drain(b)


@scenario
async def comparator_resolves_late(b: Bench) -> None:
    b.agent.misbehave(MacroFaults(resolve_cyc=7))
    await b.infer()


@scenario
async def result_bank_empty_and_input_banks_full(b: Bench) -> None:
    await b.refused(b.bus.write("RESULT_POP"), "RESULT_POP without a result")
    pushed = 0
    while (await b.host.status())["input_ready"]:
        await b.host.push(b.vectors[0])
        pushed += 1
        check(pushed < 5, "the input banks never fill")
    await b.refused(b.bus.write("INPUT_PUSH"), "INPUT_PUSH without a free bank")
    check((await b.bus.fields("IRQ_PENDING"))["rejected"] == 1, "no interrupt for the refused push")
    await b.env.reset()


@scenario
async def abort_inference(b: Bench) -> None:
    await b.load()
    await b.bus.write("INFER_COUNT", 3)
    await b.host.enable_interrupts(done=1, error=1)
    await b.host.start(Command.INFER)
    await b.host.push(b.vectors[0])
    await b.host.cycles(20)
    await b.host.start(Command.ABORT)
    await b.ends(b.host.finish(Command.INFER), ErrorCode.ABORTED)
    await b.safe()
    await drain(b)


@scenario
async def abort_programming(b: Bench) -> None:
    await b.host.unlock()
    await b.host.load_row(0, b.mapping.geometry.rows - 1, *spare(b))
    await b.host.enable_interrupts(done=1, error=1)
    await b.host.start(Command.PROGRAM_ROW)
    while b.agent.pin["pulse"].text() != "1":
        await b.host.cycles(1)
    await b.host.start(Command.ABORT)
    await b.ends(b.host.finish(Command.PROGRAM_ROW), ErrorCode.ABORTED)
    await b.safe()


@scenario
async def reset_in_inference(b: Bench) -> None:
    for wait in (3, 11, 26, 47):
        await b.load()
        await b.bus.write("INFER_COUNT", 2)
        await b.host.start(Command.INFER)
        await b.host.push(b.vectors[0])
        await b.host.cycles(wait)
        await b.env.reset(1)
        await b.safe()
        check((await b.host.status())["busy"] == 0, "busy after reset")
        await b.infer()


@scenario
async def reset_in_programming(b: Bench) -> None:
    await b.host.unlock()
    await b.host.load_row(0, b.mapping.geometry.rows - 1, *spare(b))
    await b.host.start(Command.PROGRAM_ROW)
    while b.agent.pin["pulse"].text() != "1":
        await b.host.cycles(1)
    await b.env.reset(1)
    await b.safe()
    check((await b.host.status())["unlocked"] == 0, "unlocked after reset")


def some_repairs(geometry: Geometry) -> Repairs:
    """The first spare column of each tile and the first spare row in use; the other spares are free."""
    g = geometry
    lines = (1, g.inputs, g.inputs - 1)
    columns = tuple((tile, 0, lines[tile % 3]) for tile in range(g.tiles if g.spare_columns else 0))
    return Repairs(columns=columns, rows=((0, 2),) if g.spare_rows else ())


def repair_windows(b: Bench) -> list[str]:
    """Windows of the repair table; none on a chip without spares."""
    g = b.mapping.geometry
    return ["REPAIR_COLUMN"] * bool(g.spare_columns) + ["REPAIR_ROW"] * bool(g.spare_rows)


async def drain(b: Bench) -> None:
    """Take what an ended INFER left; banks still filled are dropped by a reset."""
    while (await b.host.status())["result_valid"]:
        await b.bus.write("RESULT_POP")
    await b.env.reset()


def spare(b: Bench) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask for a row that no layer uses."""
    columns = b.mapping.geometry.columns
    return np.arange(columns) % 2, np.ones(columns, np.uint8)


@testbench(ScenariosJob)
async def faults(dut: Any, job: ScenariosJob, progress: Progress) -> ScenariosReport:
    """Run the job's scenarios (default all); the report has an outcome for each, "ok" or what was wrong."""
    check_names("ScenariosJob.scenarios", job.scenarios, SCENARIOS, "scenario")
    mapping = job.mapping
    if job.geometry.repair_entries:
        mapping = map_network(
            job.network,
            job.geometry,
            combine=job.combine,
            final_mode=job.final_mode,
            repairs=some_repairs(job.geometry),
        )
    array = fresh_chip(job)
    env = environment(dut, job, array)
    bench = Bench(env, mapping, job.images)
    outcomes: dict[str, str] = {}

    async def main() -> None:
        await env.start()
        inference.load(mapping, array)
        bench.agent.load(mapping, every_sl=True)
        before = bench.state()
        for name in job.scenarios or SCENARIOS:
            try:
                await SCENARIOS[name](bench)
                bench.agent.misbehave(MacroFaults())
                await bench.host.load_timing(env.timing)
                await bench.infer()
                after = bench.state()
                check(all((before[n] == after[n]).all() for n in before), "weights are not as they were")
            except (Wrong, BusError, CommandError) as error:
                outcomes[name] = f"{type(error).__name__}: {error}"
                bench.agent.misbehave(MacroFaults())
                await env.reset()
            else:
                outcomes[name] = "ok"

    await env.run(main())
    return ScenariosReport(sim=job.sim, outcomes=outcomes)
