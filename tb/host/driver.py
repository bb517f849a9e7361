"""The host: what firmware does over the bus, from unlocking to the last result."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cocotb
import numpy as np
from cocotb.triggers import Event, RisingEdge, Timer
from cocotb.utils import get_sim_time

from bridgebnn.hdl.spec import (
    UNLOCK_KEYS,
    Command,
    Descriptor,
    ErrorCode,
    Geometry,
    ProgOp,
    ProgSide,
    Repairs,
    Timing,
    words,
)
from bridgebnn.hdl.spec.register_map import Access, Settings, layout, register_map
from bridgebnn.model.mapping.host_words import bits_from_words, bus_words, network_writes
from bridgebnn.model.mapping.program_log import Failure, ProgramLog
from bridgebnn.tb.bus.registers import RegisterAccess
from bridgebnn.tb.context import Dut
from bridgebnn.tb.pins import Pin

__all__ = ["CommandError", "HostDriver", "HostTimeout", "VectorResult", "WrongController"]


Bits = np.ndarray | Sequence[int]
"""Bits 0 and 1 of a row, one for each column."""


class Cells(Protocol):
    """What is to be programmed, as ``model.mapping.mapping.Mapping`` and ``model.studies.chip_map.Work`` have it."""

    @property
    def images(self) -> np.ndarray: ...

    @property
    def masks(self) -> np.ndarray: ...

    def program_order(self) -> Iterator[tuple[int, int]]: ...


class CommandError(Exception):
    """A command ended in ERROR.

    Attributes
    ----------
    code : ErrorCode
    detail : int
    """

    def __init__(self, command: Command, code: int, detail: int):
        self.command = command
        self.code = ErrorCode(code) if code in set(ErrorCode) else code
        self.detail = detail
        super().__init__(f"{command.name} ended in {getattr(self.code, 'name', self.code)} (detail {detail})")


class WrongController(Exception):
    """What answers on the bus is not the controller that the host was told of."""


class HostTimeout(Exception):
    """The controller did not end a command, or give a result, in the host's patience."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorResult:
    """What the host reads for one input vector.

    Parameters
    ----------
    index : int
        Number of the vector since INFER, as the controller counts it.
    label : int
        CLASS.
    scores : int64, (rows of the last layer,)
        Empty where the last layer has no scores.
    bits : uint8, (rows of the last layer,)
    """

    index: int
    label: int
    scores: np.ndarray
    bits: np.ndarray


class HostDriver:
    """Firmware's part, over one bus master.

    Parameters
    ----------
    bus : RegisterAccess
    dut : cocotb handle
        With ``clk`` and ``irq``.
    geometry : Geometry
    period_ns : float
        Clock period.
    limit_cyc : int
        Patience for one command or result.
    push_gap, pop_gap : iterator of int, optional
        Cycles to wait before each vector is pushed, and before each result is taken.

    Attributes
    ----------
    busy_cyc : int
        Cycles from the start of each command of `run` to its interrupt, summed up.
    """

    def __init__(
        self,
        bus: RegisterAccess,
        dut: Dut,
        geometry: Geometry,
        *,
        period_ns: float = 20.0,
        limit_cyc: int = 2_000_000,
        push_gap: Iterator[int] | None = None,
        pop_gap: Iterator[int] | None = None,
    ):
        self.bus, self.geometry, self.limit_cyc = bus, geometry, limit_cyc
        self.push_gap, self.pop_gap, self.period_ns = push_gap, pop_gap, period_ns
        self._clk, self._irq = dut.clk, Pin(dut.irq)
        self._irq_rise = RisingEdge(dut.irq)
        self._woken = Event()
        self._listening = False
        self._waits_since_ns = math.inf
        status = bus.map.register("STATUS")
        self._status = {f.name: f for f in status.fields}
        self.busy_cyc = 0

    # -- commands -----------------------------------------------------------------------------------------

    async def identify(self) -> None:
        """Compare ID and the geometry's registers with what this host was told.

        Raises
        ------
        WrongController
            With the first register that differs.
        """
        for register in self.bus.map.registers:
            if register.access is Access.RO and register.constant:
                word = await self.bus.read(register.name)
                if word != register.reset:
                    raise WrongController(
                        f"{register.name} reads 0x{word:08x}, must be 0x{register.reset:08x}: another base address, or "
                        f"a controller of another geometry than {self.geometry}"
                        if register.name != "ID"
                        else f"ID reads 0x{word:08x}, must be 0x{register.reset:08x}: no controller is at this address"
                    )

    async def cycles(self, count: int) -> None:
        """Let clock cycles pass."""
        edge = RisingEdge(self._clk)
        for _ in range(count):
            await edge

    async def status(self) -> dict[str, int]:
        """Fields of STATUS."""
        return await self.bus.fields("STATUS")

    async def enable_interrupts(self, **which: int) -> None:
        """Set IRQ_ENABLE to the named bits and clear what is pending."""
        await self.bus.set("IRQ_ENABLE", **which)
        await self.bus.write("IRQ_PENDING", self.bus.map.register("IRQ_PENDING").mask)

    async def interrupt(self) -> None:
        """Wait until ``irq`` is high."""
        if self._irq.text() == "1":
            return
        if not self._listening:  # two tasks for good: a timeout of its own would cost each wait three
            self._listening = True
            cocotb.start_soon(self._listen())
            cocotb.start_soon(self._lose_patience())
        self._waits_since_ns = get_sim_time("ns")
        self._woken.clear()
        await self._woken.wait()
        self._waits_since_ns = math.inf
        if self._irq.text() != "1":
            status = await self.status()
            raise HostTimeout(f"no interrupt within {self.limit_cyc} cycles; STATUS {status}")

    async def _listen(self) -> None:
        while True:
            await self._irq_rise
            self._woken.set()

    async def _lose_patience(self) -> None:
        """Wake who has waited for `limit_cyc` cycles, or up to an eighth more."""
        limit_ns = self.limit_cyc * self.period_ns
        while True:
            await Timer(round(max(limit_ns / 8, self.period_ns), 3), "ns")
            if get_sim_time("ns") - self._waits_since_ns >= limit_ns:
                self._woken.set()

    async def start(self, command: Command) -> None:
        """Write COMMAND; ``BusError`` when it is refused."""
        await self.bus.set("COMMAND", opcode=int(command))

    async def run(self, command: Command) -> None:
        """Start a command and wait for its end.

        Raises
        ------
        CommandError
            It ended in ERROR.
        HostTimeout
            It did not end.
        """
        await self.enable_interrupts(done=1, error=1)
        await self.start(command)
        begin_ns = get_sim_time("ns")
        await self.interrupt()
        self.busy_cyc += round((get_sim_time("ns") - begin_ns) / self.period_ns)
        await self.finish(command)

    async def finish(self, command: Command) -> None:
        """Wait for the end of the running command."""
        await self.interrupt()
        status = await self.status()
        if status["error"]:
            error = await self.bus.fields("ERROR")
            raise CommandError(command, error["code"], error["detail"])
        if not status["done"]:
            raise HostTimeout(f"{command.name}: irq, yet neither done nor error in STATUS {status}")

    # -- programming --------------------------------------------------------------------------------------

    async def unlock(self) -> None:
        """Write the two keys."""
        for key in UNLOCK_KEYS:
            await self.bus.write("UNLOCK", key)

    async def load_timing(self, timing: Timing) -> None:
        """Write every timing and programming register: what a controller of this timing has after reset."""
        registers = register_map(self.geometry, timing)
        names = {s.register for s in registers.settings(Settings.READ, Settings.PROGRAM, Settings.PULSE)}
        for register in registers.registers:
            if register.name in names:
                await self.bus.write(register.name, register.reset)

    async def load_row(self, tile: int, row: int, image: Bits, mask: Bits | None) -> None:
        """Write ROW_IMAGE, ROW_MASK (None: it stays) and PROG_ADDRESS."""
        await self.bus.write_burst("ROW_IMAGE", bus_words(image))
        if mask is not None:
            await self.bus.write_burst("ROW_MASK", bus_words(mask))
        await self.bus.set("PROG_ADDRESS", row=row, tile=tile)

    async def program_row(self, tile: int, row: int, image: Bits, mask: Bits) -> None:
        """Form and program one row; ``CommandError`` when devices did not converge."""
        await self.load_row(tile, row, image, mask)
        await self.run(Command.PROGRAM_ROW)

    async def program(
        self,
        mapping: Cells,
        progress: Callable[[int, int], None] | None = None,
        rows: np.ndarray | None = None,
    ) -> tuple[dict[str, int], ProgramLog]:
        """Program every row of a mapping; rows that do not converge are logged, everything else raises.

        The failure log is read and cleared after each row that did not converge, so that its depth limits
        what is known of one row, not of the chip.

        Parameters
        ----------
        mapping : Cells
            A ``Mapping``, or other images and masks.
        progress : callable, optional
            Called with (rows done, rows in all).
        rows : bool, (T, R), optional
            Only these word lines.

        Returns
        -------
        dict
            ``pulses, verify_reads, failures, failed_rows``.
        ProgramLog
        """
        await self.unlock()
        await self.run(Command.CLEAR_LOG)
        order = [place for place in mapping.program_order() if rows is None or rows[place]]
        log, loaded = ProgramLog.empty(self.geometry), None
        total = Counter({"pulses": 0, "verify_reads": 0, "failures": 0, "failed_rows": 0})
        for done, (tile, row) in enumerate(order, 1):
            mask = log.asked[tile, row] = mapping.masks[tile, row]
            same = loaded is not None and np.array_equal(loaded, mask)  # rows of a layer have one mask
            await self.load_row(tile, row, mapping.images[tile, row], None if same else mask)
            loaded = mask
            try:
                await self.run(Command.PROGRAM_ROW)
            except CommandError as error:
                if error.code is ErrorCode.READBACK_MISMATCH:
                    log.mismatches.append((tile, row, error.detail))
                elif error.code is ErrorCode.NOT_CONVERGED:
                    log.counts[tile, row] = error.detail
                    log.failures += await self.failure_log()
                    total.update(await self.program_counters())
                    await self.run(Command.CLEAR_LOG)
                else:
                    raise
                total["failed_rows"] += 1
            if progress is not None:
                progress(done, len(order))
        total.update(await self.program_counters())
        return dict(total), log

    async def program_counters(self) -> dict[str, int]:
        """Pulses, verify reads and failures since CLEAR_LOG."""
        names = {"pulses": "PROG_PULSES", "verify_reads": "PROG_VERIFIES", "failures": "PROG_FAILURES"}
        return {key: await self.bus.read(name) for key, name in names.items()}

    async def failure_log(self) -> list[Failure]:
        """Entries of the failure log, oldest first."""
        count = (await self.bus.fields("LOG_STATUS"))["count"]
        window = layout("FAIL_LOG")
        entries: list[Failure] = []
        size = len(window.layout)
        for index in range(count):
            entry: dict[str, Any] = dict(
                window.unpack(await self.bus.read_burst("FAIL_LOG", size, size * index))
            )
            del entry["valid"]
            entries.append(Failure(**entry | {"side": ProgSide(entry["side"]), "op": ProgOp(entry["op"])}))
        return entries

    async def read_row(self, tile: int, row: int) -> np.ndarray:
        """Weights of one row through ``sl``, uint8 (C,)."""
        await self.bus.set("PROG_ADDRESS", row=row, tile=tile)
        await self.run(Command.READ_ROW)
        return bits_from_words(
            await self.bus.read_burst("ROW_IMAGE", self.geometry.row_words), self.geometry.columns
        )

    # -- inference ----------------------------------------------------------------------------------------

    async def load_network(
        self, descriptors: Sequence[Descriptor], thresholds: np.ndarray, repairs: Repairs | None = None
    ) -> None:
        """Write descriptors and thresholds and, where the chip has them, the walks over maps and the repair table."""
        for name, values, word in network_writes(descriptors, thresholds, self.geometry, repairs):
            await self.bus.write_burst(name, values, word)

    async def push(self, vector: Iterable[int]) -> None:
        """Write one input vector and commit it."""
        await self.bus.write_burst("INPUT", vector)
        await self.bus.write("INPUT_PUSH")

    async def pop(self, last: Descriptor) -> VectorResult:
        """Read the oldest result and free it."""
        bus, n = self.bus, last.row_count
        scores = await bus.read_burst("SCORES", n) if last.score else []
        bits = await bus.read_burst("RESULT_BITS", words(n))
        result = VectorResult(
            index=await bus.read("RESULT_INDEX"),
            label=(await bus.fields("RESULT_CLASS"))["class"],
            scores=np.array(scores, np.uint32).view(np.int32).astype(np.int64),
            bits=bits_from_words(bits, n),
        )
        await bus.write("RESULT_POP")
        return result

    async def infer(
        self,
        descriptors: Sequence[Descriptor],
        vectors: np.ndarray,
        on_result: Callable[[VectorResult], None],
        on_push: Callable[[int], None] | None = None,
    ) -> None:
        """Run INFER over packed input vectors, the next pushed while the present one runs.

        Parameters
        ----------
        vectors : uint32, (n, words)
            ``Mapping.pack_inputs``.
        on_result : callable
            Called with each result, in order.

        Raises
        ------
        CommandError, HostTimeout
        """
        bus, count, pushed, got = self.bus, len(vectors), 0, 0
        await bus.write("INFER_COUNT", count)
        await self.enable_interrupts(done=1, error=1, result=1, input_ready=1)
        await self.start(Command.INFER)
        pending = bus.map.register("IRQ_PENDING").mask
        field = self._status
        while got < count:
            status = await bus.read("STATUS")
            if field["error"].extract(status):
                error = await bus.fields("ERROR")
                raise CommandError(Command.INFER, error["code"], error["detail"])
            if pushed < count and field["input_ready"].extract(status):
                if self.push_gap is not None:
                    await self.cycles(next(self.push_gap))
                if on_push is not None:
                    on_push(pushed)
                await self.push(vectors[pushed])
                pushed += 1
            elif field["result_valid"].extract(status):
                if self.pop_gap is not None:
                    await self.cycles(next(self.pop_gap))
                on_result(await self.pop(descriptors[-1]))
                got += 1
            else:
                await self.interrupt()
                await bus.write("IRQ_PENDING", pending)
        while not field["done"].extract(status := await bus.read("STATUS")):
            if field["error"].extract(status):
                error = await bus.fields("ERROR")
                raise CommandError(Command.INFER, error["code"], error["detail"])
            await self.interrupt()
            await bus.write("IRQ_PENDING", pending)
