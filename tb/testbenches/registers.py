"""Register testbench: a bus master that this project did not write walks the whole register map.

Job: ``geometry`` (fields of `bridgebnn.hdl.spec.Geometry`). What is expected comes from ``registers.rdl`` alone,
through `bridgebnn.hdl.spec.register_map`; nothing of the RTL is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.wishbone.driver import WBOp

from bridgebnn.hdl.spec import UNLOCK_KEYS, Command, ErrorCode, Timing
from bridgebnn.hdl.spec.register_map import Access, Register, RegisterMap, Window, register_map
from bridgebnn.tb.bus.wishbone_master import master
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import RegistersJob
from bridgebnn.tb.runs.reports import RegistersReport

ACK, ERR = 1, 2
FULL = 0xF
ADDRESS_SPACE = 0x20000
WORD_MASK = 0xFFFF_FFFF


class Mismatch(AssertionError):
    """The device answered other than ``registers.rdl`` says."""


class Bus:
    """Byte-addressed accesses through the Wishbone master, each compared with what is expected.

    ``sent`` counts the accesses asked for, ``compared`` those whose answer was judged.
    """

    def __init__(self, dut: Any):
        self.master = master(dut)
        self.sent = self.compared = 0

    async def access(self, address: int, data: int | None, sel: int = FULL, idle: int = 0) -> tuple[int, int]:
        """One access, ``idle`` cycles later than it could be; how it ended (``ACK`` or ``ERR``) and the word read."""
        self.sent += 1
        operation = WBOp(adr=address // 4, dat=data, idle=idle, sel=sel, acktimeout=20)
        (result,) = await self.master.send_cycle([operation])
        return int(result.ack), int(result.datrd) if data is None and result.ack == ACK else 0

    async def read(
        self,
        address: int,
        expected: int,
        what: str,
        mask: int = WORD_MASK,
        sel: int = FULL,
        idle: int = 0,
    ) -> None:
        """A read that must be acknowledged and give ``expected`` in the bits of ``mask``."""
        end, word = await self.access(address, None, sel, idle)
        self._judge(
            end == ACK and word & mask == expected & mask, f"{what}: read {end}/{word:#x}, not {expected:#x}"
        )

    async def write(self, address: int, data: int, what: str) -> None:
        """A write that must be acknowledged."""
        end, _ = await self.access(address, data)
        self._judge(end == ACK, f"{what}: write of {data:#x} not acknowledged")

    async def refused(self, address: int, data: int | None, what: str, sel: int = FULL) -> None:
        """An access that must end in ``wb_err``."""
        end, _ = await self.access(address, data, sel)
        kind = "read" if data is None else f"write of {data:#x}"
        self._judge(end == ERR, f"{what}: {kind} with lanes {sel:#x} at {address:#x} not refused")

    async def peek(self, address: int) -> int:
        """A read that must be acknowledged, whatever its word."""
        end, word = await self.access(address, None)
        self._judge(end == ACK, f"read at {address:#x} not acknowledged")
        return word

    def _judge(self, good: bool, message: str) -> None:
        self.compared += 1
        if not good:
            raise Mismatch(message)


async def start(dut: Any) -> Bus:
    """Quiet macro, running clock, reset."""
    for pin in (dut.cmp, dut.cmp_valid, dut.sl, dut.hv_ready):
        pin.value = 0
    bus = Bus(dut)
    Clock(dut.clk, 20, unit="ns").start()
    await reset(dut)
    return bus


async def reset(dut: Any) -> None:
    """Three cycles of reset."""
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


async def check_terminations(dut: Any, regs: RegisterMap, seen: dict[str, int]) -> None:
    """Count terminations for the whole run; ack and err never together, single cycles, never unasked.

    And acknowledged accesses of one kind all take as long.
    """
    before = waited = 0
    usual: dict[str, int] = {}
    windows = min(window.offset for window in regs.windows)
    while True:
        await RisingEdge(dut.clk)
        ack, err = int(dut.wb_ack.value), int(dut.wb_err.value)
        if ack and err:
            raise Mismatch("wb_ack and wb_err together")
        if (ack or err) and before:
            raise Mismatch("a termination longer than one cycle")
        if (ack or err) and not (int(dut.wb_cyc.value) and int(dut.wb_stb.value)):
            raise Mismatch("a termination without an access")
        before = ack or err
        waited += 1 if int(dut.wb_cyc.value) and int(dut.wb_stb.value) else -waited
        if ack:
            kind = "read of a window" if 4 * int(dut.wb_adr.value) >= windows else "read of a register"
            kind = "write" if int(dut.wb_we.value) else kind
            if waited != usual.setdefault(kind, waited):
                raise Mismatch(f"a {kind} ends after {waited} cycles, another after {usual[kind]}")
        if before:
            waited = 0
        seen["terminations"] += before


async def check_reset_values(bus: Bus, registers: Sequence[Register]) -> None:
    """Every readable register holds its reset value."""
    for register in registers:
        if register.access.readable:
            await bus.read(register.offset, register.reset, f"reset value of {register.name}")


async def check_refusals(bus: Bus, regs: RegisterMap) -> None:
    """Wrong direction, wrong size, outside the map: ``wb_err``, and nothing changes."""
    for register in regs.registers:
        if register.access is Access.RO:
            await bus.refused(register.offset, ~register.reset & WORD_MASK, register.name)
        if register.access is Access.WO:
            await bus.refused(register.offset, None, register.name)
        for sel in range(FULL):
            await bus.refused(register.offset, WORD_MASK, register.name, sel)
            if register.access.readable:
                what = f"{register.name} with lanes {sel:#x}"
                await bus.read(register.offset, register.reset, what, sel=sel)
    for window in regs.windows:
        for word in (0, window.words - 1):
            if window.access is Access.RO:
                await bus.refused(window.address(word), 1, window.name)
            if window.access is Access.WO:
                await bus.refused(window.address(word), None, window.name)
            await bus.refused(window.address(word), WORD_MASK, window.name, 0x3)
    for address in _outside(regs):
        await bus.refused(address, None, "outside the map")
        await bus.refused(address, WORD_MASK, "outside the map")
    await check_reset_values(bus, regs.registers)


def _outside(regs: RegisterMap) -> list[int]:
    """Byte addresses that belong to nothing: every gap of the register page, and the rims of every window."""
    taken = {r.offset for r in regs.registers}
    outside = [a for a in range(0, 0x200, 4) if a not in taken] + [0x7FC, 0xFFC, ADDRESS_SPACE - 4]
    spans = [(w.offset, w.offset + 4 * w.words) for w in regs.windows]
    for _, end in spans:
        outside += [a for a in (end, end + 4, (end + 0xFFF) & ~0xFFF) if a < ADDRESS_SPACE]
    outside += [begin - 4 for begin, _ in spans]
    return [a for a in outside if not any(b <= a < e for b, e in spans)]


async def check_read_write(bus: Bus, regs: RegisterMap) -> None:
    """A one walks through every RW register, which holds it; then all hold different words at once.

    Each word is read twice, an odd number of cycles apart: a bit that does not hold may come back after an even one.
    """
    writable = [r for r in regs.registers if r.access is Access.RW]
    for register in writable:
        for word in [1 << bit for bit in range(32)] + [WORD_MASK, 0]:
            await bus.write(register.offset, word, register.name)
            for idle in (0, 1):
                await bus.read(register.offset, word & register.mask, register.name, idle=idle)
        await bus.write(register.offset, register.reset, register.name)
    words = {r.name: (0x9E3779B9 * (i + 1)) & WORD_MASK for i, r in enumerate(writable)}
    for register in writable:
        await bus.write(register.offset, words[register.name], register.name)
    for register in writable:
        await bus.read(register.offset, words[register.name] & register.mask, register.name)
        await bus.write(register.offset, register.reset, register.name)
    await check_reset_values(bus, regs.registers)


async def check_windows(bus: Bus, windows: Sequence[Window]) -> None:
    """Every word of every RW window keeps its own value."""
    open_windows = [w for w in windows if w.access is Access.RW]
    for window in open_windows:
        for word in range(window.words):
            await bus.write(window.address(word), _pattern(window, word), window.name)
    for window in open_windows:
        for word in range(window.words):
            mask = window.layout[word % len(window.layout)].mask
            await bus.read(window.address(word), _pattern(window, word), f"{window.name}[{word}]", mask)


def _pattern(window: Window, word: int) -> int:
    return (0x9E3779B9 * (window.offset + word + 1)) & WORD_MASK


async def settle(bus: Bus, regs: RegisterMap) -> int:
    """Wait for the end of a command; the last STATUS."""
    status = regs.register("STATUS")
    for _ in range(200):
        word = await bus.peek(status.offset)
        if not status.field("busy").extract(word):
            return word
    raise Mismatch("the command does not end")


async def check_events(dut: Any, bus: Bus, regs: RegisterMap) -> None:
    """IRQ_PENDING: set by events, cleared bit by bit by ones alone; the irq line follows IRQ_ENABLE."""
    pending, enable = regs.register("IRQ_PENDING"), regs.address("IRQ_ENABLE")
    command, status, error = regs.address("COMMAND"), regs.register("STATUS"), regs.register("ERROR")
    done, failed, rejected, ready = (
        pending.field(n).mask for n in ("done", "error", "rejected", "input_ready")
    )

    await bus.write(command, Command.NOP, "COMMAND")
    await bus.read(status.offset, status.pack(done=1, input_ready=1, command=Command.NOP), "STATUS after NOP")
    await bus.write(command, 9, "COMMAND")
    await bus.read(
        status.offset, status.pack(error=1, input_ready=1, command=9), "STATUS after a bad command"
    )
    await bus.read(error.offset, error.pack(code=ErrorCode.BAD_COMMAND), "ERROR")
    await bus.read(pending.offset, done | failed, "IRQ_PENDING")
    await bus.write(command, Command.PROGRAM_ROW, "COMMAND")
    await bus.read(error.offset, error.pack(code=ErrorCode.LOCKED), "ERROR while locked")

    for word in (WORD_MASK, 0):
        await bus.write(regs.address("INPUT"), word, "INPUT")
        await bus.write(regs.address("INPUT_PUSH"), word, "INPUT_PUSH")
    await bus.refused(regs.address("INPUT_PUSH"), 0, "INPUT_PUSH with no bank free")
    await bus.refused(regs.address("INPUT"), 0, "INPUT with no bank free")
    await bus.refused(regs.address("RESULT_POP"), 0, "RESULT_POP with no result")
    word = done | failed | rejected | ready
    await bus.read(pending.offset, word, "IRQ_PENDING")

    _expect_irq(dut, 0)
    for mask in (failed, rejected, done, ready):
        await bus.write(enable, mask, "IRQ_ENABLE")
        await bus.read(enable, mask, "IRQ_ENABLE")
        _expect_irq(dut, 1)
        await bus.write(pending.offset, 0, "IRQ_PENDING")
        await bus.read(pending.offset, word, "IRQ_PENDING after writing 0")
        await bus.write(pending.offset, mask, "IRQ_PENDING")
        word &= ~mask
        await bus.read(pending.offset, word, "IRQ_PENDING after clearing one bit")
        _expect_irq(dut, 0)
    await bus.write(enable, 0, "IRQ_ENABLE")


def _expect_irq(dut: Any, level: int) -> None:
    if int(dut.irq.value) != level:
        raise Mismatch(f"irq is {int(dut.irq.value)}, not {level}")


async def check_busy(bus: Bus, regs: RegisterMap) -> None:
    """While a command waits for the rails, settings and windows are closed; ABORT ends it."""
    command, status, error = regs.address("COMMAND"), regs.register("STATUS"), regs.register("ERROR")
    pending = regs.register("IRQ_PENDING")
    for key in UNLOCK_KEYS:
        await bus.write(regs.address("UNLOCK"), key, "UNLOCK")
    await bus.write(regs.address("ROW_MASK"), 1, "ROW_MASK")
    await bus.write(command, Command.PROGRAM_ROW, "COMMAND")
    running = status.pack(busy=1, unlocked=1, command=Command.PROGRAM_ROW)
    await bus.read(status.offset, running, "STATUS while busy", ~status.field("input_ready").mask)
    for register in regs.registers:
        if register.access is Access.RW and not register.while_busy:
            await bus.refused(register.offset, 0, f"{register.name} while busy")
            await bus.read(register.offset, register.reset, f"{register.name} while busy")
    for window in regs.windows:
        if not window.while_busy:
            await bus.refused(window.address(0), 0, f"{window.name} while busy")
            await bus.refused(window.address(0), None, f"{window.name} while busy")
    await bus.refused(command, Command.INFER, "COMMAND while busy")
    await bus.read(pending.offset, WORD_MASK, "IRQ_PENDING", pending.field("rejected").mask)
    await bus.read(status.offset, running, "STATUS while busy", ~status.field("input_ready").mask)
    await bus.write(command, Command.ABORT, "COMMAND ABORT")
    await settle(bus, regs)
    await bus.read(error.offset, error.pack(code=ErrorCode.ABORTED), "ERROR after ABORT")
    await bus.read(regs.address("ROW_MASK"), 1, "ROW_MASK after ABORT")


async def check_locks(dut: Any, bus: Bus, regs: RegisterMap) -> None:
    """LOCK: ones set, zeros keep, reset clears; it ends the unlocked state and hides the weights."""
    lock, status, error = regs.register("LOCK"), regs.register("STATUS"), regs.register("ERROR")
    unlocked = status.field("unlocked").mask
    for keys, opens in (
        ((UNLOCK_KEYS[1], UNLOCK_KEYS[0]), False),
        ((UNLOCK_KEYS[0], 0, UNLOCK_KEYS[1]), False),
        (UNLOCK_KEYS, True),
        ((0,), False),
        (UNLOCK_KEYS, True),
        ((WORD_MASK,), False),
        ((UNLOCK_KEYS[0], *UNLOCK_KEYS), True),
    ):
        for key in keys:
            await bus.write(regs.address("UNLOCK"), key, "UNLOCK")
        await bus.read(status.offset, unlocked * opens, f"STATUS after keys {keys}", unlocked)
    await bus.write(lock.offset, lock.pack(lock=1), "LOCK")
    await bus.write(lock.offset, 0, "LOCK")
    await bus.read(lock.offset, lock.pack(lock=1), "LOCK after writing 0")
    for key in UNLOCK_KEYS:
        await bus.write(regs.address("UNLOCK"), key, "UNLOCK")
    await bus.read(
        status.offset, status.pack(locked=1), "STATUS when locked", unlocked | status.field("locked").mask
    )
    await bus.read(regs.address("ROW_IMAGE"), 0, "ROW_IMAGE before the read lock", 0)
    await bus.write(lock.offset, lock.pack(read_lock=1), "LOCK")
    await bus.read(lock.offset, lock.pack(lock=1, read_lock=1), "LOCK")
    await bus.refused(regs.address("ROW_IMAGE"), None, "ROW_IMAGE under the read lock")
    await bus.write(regs.address("ROW_IMAGE"), 1, "ROW_IMAGE under the read lock")
    items: tuple[Register | Window, ...] = (*regs.registers, *regs.windows)
    for item in items:
        if item.network:
            await bus.refused(item.offset, 1, f"{item.name} under the read lock")
    for opcode in (Command.READ_ROW, Command.VERIFY_ROW):
        await bus.write(regs.address("COMMAND"), opcode, "COMMAND")
        await settle(bus, regs)
        await bus.read(error.offset, error.pack(code=ErrorCode.READ_LOCKED), f"ERROR after {opcode.name}")
    await reset(dut)
    await check_reset_values(bus, regs.registers)


@testbench(RegistersJob)
async def register_walk(dut: Any, job: RegistersJob, progress: Progress) -> RegistersReport:
    """Reset values, walks, refusals, events, busy rules and locks of the whole map."""
    regs = register_map(job.geometry, Timing())
    bus = await start(dut)
    seen = {"terminations": 0}
    monitor = cocotb.start_soon(check_terminations(dut, regs, seen))
    await bus.read(regs.address("ID"), int.from_bytes(b"BBN1", "big"), "ID")
    await check_reset_values(bus, regs.registers)
    await check_refusals(bus, regs)
    await check_read_write(bus, regs)
    await check_windows(bus, regs.windows)
    await check_events(dut, bus, regs)
    await check_busy(bus, regs)
    await check_locks(dut, bus, regs)
    monitor.cancel()
    return RegistersReport(
        sim=job.sim, sent=bus.sent, compared=bus.compared, terminations=seen["terminations"]
    )
