"""Every bit of the windows, the reserved bits of everything, every bit of the keys and of the address.

Beside `bridgebnn.tb.testbenches.registers`, which walks the map once; the same bus master, which this project did not
write. What is expected comes from ``registers.rdl`` and docs/architecture.md, section 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from bridgebnn.hdl.spec import Command, Geometry, Timing
from bridgebnn.hdl.spec.register_map import Access, RegisterMap, Window, register_map
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ControllerJob
from bridgebnn.tb.runs.reports import ControllerReport

from .registers import (
    ADDRESS_SPACE,
    UNLOCK_KEYS,
    WORD_MASK,
    Bus,
    Mismatch,
    check_terminations,
    reset,
    settle,
    start,
)

__all__ = ["windows"]

SMALL = 16
"""Windows up to so many words may be flip-flops: a one walks through every bit of each."""
WHOLE = ("WALK",)
"""Windows that keep every bit, also those of no field."""
SIGNED = ("THRESHOLD",)
"""Windows that read sign-extended."""


def read_back(window: Window, word: int, written: int) -> int:
    """What a read gives after a write: fields as written, every other bit 0, or the sign."""
    if window.name in SIGNED:
        return written & 0xFFFF | (0xFFFF_0000 if written & 0x8000 else 0)
    if window.name in WHOLE:
        return written
    return written & window.layout[word % len(window.layout)].mask


def patterns(window: Window) -> Iterator[list[int]]:
    """Words to fill the window with, one list after the other."""
    count = window.words
    address = [window.offset + 4 * word for word in range(count)]
    yield [WORD_MASK] * count
    yield [0] * count
    yield address
    yield [~value & WORD_MASK for value in address]
    yield [value << 16 & WORD_MASK for value in address]
    yield [(0xAAAA_AAAA, 0x5555_5555)[word % 2] for word in range(count)]
    for shift in range(32) if count <= SMALL else (0, 11, 22):
        walking = [1 << (word + shift) % 32 for word in range(count)]
        yield walking
        if count > SMALL:
            yield [~value & WORD_MASK for value in walking]


async def check_patterns(dut: Any, bus: Bus, regs: RegisterMap) -> None:
    """All RW windows at once, pattern after pattern; a shorter list of patterns begins again."""
    open_windows = [w for w in regs.windows if w.access is Access.RW]
    lists = {w.name: list(patterns(w)) for w in open_windows}
    for turn in range(max(map(len, lists.values()))):
        filled = [(w, lists[w.name][turn]) for w in open_windows if turn < len(lists[w.name])]
        for window, values in filled:
            for word, value in enumerate(values):
                await bus.write(window.address(word), value, f"{window.name}[{word}]")
        for window, values in filled:
            for word, value in enumerate(values):
                expected, what = read_back(window, word, value), f"{window.name}[{word}] after {value:#x}"
                await bus.read(window.address(word), expected, what)
                if window.words <= SMALL:
                    # Twice more, one of them an odd number of cycles later: a bit that toggles is then wrong once.
                    await bus.read(window.address(word), expected, what)
                    await ClockCycles(dut.clk, 1)
                    await bus.read(window.address(word), expected, what)


async def check_reserved(bus: Bus, regs: RegisterMap) -> None:
    """Bits of no field: ignored when written, 0 when read, whatever has happened."""
    command, pending, lock = regs.register("COMMAND"), regs.register("IRQ_PENDING"), regs.register("LOCK")
    status = regs.register("STATUS")
    for opcode in (Command.NOP, 9):  # leaves done and error pending
        await bus.write(command.offset, ~command.mask & WORD_MASK | opcode, "COMMAND")
        word = await settle(bus, regs)
        if status.field("command").extract(word) != opcode:
            raise Mismatch(f"STATUS is {word:#x} after opcode {opcode} with reserved bits")
    both = pending.field("done").mask | pending.field("error").mask
    await bus.write(pending.offset, ~pending.mask & WORD_MASK, "IRQ_PENDING")
    await bus.read(pending.offset, both, "IRQ_PENDING after ones in reserved bits")
    await bus.write(pending.offset, WORD_MASK, "IRQ_PENDING")
    await bus.read(pending.offset, 0, "IRQ_PENDING after ones everywhere")
    await bus.write(lock.offset, ~lock.mask & WORD_MASK, "LOCK")
    await bus.read(lock.offset, 0, "LOCK after ones in reserved bits")
    for value in (0, WORD_MASK):
        await bus.write(regs.address("INPUT_PUSH"), value, "INPUT_PUSH")
    for register in regs.registers:
        if register.access.readable:
            word = await bus.peek(register.offset)
            if word & ~register.mask:
                raise Mismatch(f"{register.name} reads {word:#x}: bits of no field")


async def check_keys(bus: Bus, regs: RegisterMap) -> None:
    """One wrong bit in either key does not unlock."""
    status, unlock = regs.register("STATUS"), regs.address("UNLOCK")
    unlocked = status.field("unlocked").mask
    for place in range(2):
        for bit in range(32):
            keys = list(UNLOCK_KEYS)
            keys[place] ^= 1 << bit
            for key in keys:
                await bus.write(unlock, key, "UNLOCK")
            await bus.read(status.offset, 0, f"STATUS after keys {[hex(key) for key in keys]}", unlocked)
    for key in UNLOCK_KEYS:
        await bus.write(unlock, key, "UNLOCK")
    await bus.read(status.offset, unlocked, "STATUS after the keys", unlocked)


async def check_addresses(bus: Bus, regs: RegisterMap) -> None:
    """An address with one bit wrong, that belongs to nothing, is refused: nothing answers in two places."""
    spans = [(r.offset, r.offset + 4) for r in regs.registers]
    spans += [(w.offset, w.offset + 4 * w.words) for w in regs.windows]
    tried = set()
    for begin, end in spans:
        for address in {begin, end - 4}:
            for bit in range(2, ADDRESS_SPACE.bit_length() - 1):
                other = address ^ 1 << bit
                if other not in tried and not any(low <= other < high for low, high in spans):
                    tried.add(other)
                    await bus.refused(other, None, f"0x{other:05x}, of no register or window")


@testbench(ControllerJob)
async def windows(dut: Any, job: ControllerJob, progress: Progress) -> ControllerReport:
    """Patterns, reserved bits, keys, addresses."""
    geometry: Geometry = job.geometry
    regs = register_map(geometry, Timing())
    bus, seen = await start(dut), {"terminations": 0}
    monitor = cocotb.start_soon(check_terminations(dut, regs, seen))
    await check_patterns(dut, bus, regs)
    await reset(dut)
    await check_reserved(bus, regs)
    await check_keys(bus, regs)
    await check_addresses(bus, regs)
    monitor.cancel()
    compared = {"sent": bus.sent, "compared": bus.compared, "terminations": seen["terminations"]}
    return ControllerReport(sim=job.sim, compared=compared)
