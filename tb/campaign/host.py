"""The careful host: firmware that trusts no result before it has looked at what could have gone wrong.

After every command it compares the whole configuration with what it wrote (*scrub*). A row counts as
programmed when PROGRAM_ROW ended in DONE, the scrub found nothing, and the *line test* passed: even and odd
columns verified alone (neighbours that are shorted cannot answer for one another), the inverse image of either
failing on both devices of every pair (a source line that is stuck passes any verify), and READ_ROW agreeing.
A network's results count when INFER ended in DONE, the scrub found nothing, every row verifies, one row of
each tile passes the line test, rows count patterns of inputs as their weights say, and each comparator gives
both answers at the ends of its reference.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from cocotb.triggers import First, RisingEdge, Timer

from bridgebnn.hdl.spec import Command, Descriptor, ErrorCode, ReadMode
from bridgebnn.hdl.spec.register_map import Access
from bridgebnn.model.mapping.host_words import bus_words
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.tb.bus.registers import BusError
from bridgebnn.tb.bus.wishbone import WishboneMaster
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import HostDriver, VectorResult

__all__ = ["CarefulHost", "Claim", "Hook", "Interrupted", "ShadowBus"]

PATIENCE_CYC = 2500
"""Longer than any sound command of the campaign."""

Hook = Callable[[], Awaitable[None]]


class Interrupted(Exception):
    """The controller was reset while a command ran; the host knows, and waits for nothing."""


@dataclass(eq=False)
class Claim:
    """A row that the host holds for programmed."""

    tile: int
    row: int
    image: np.ndarray
    mask: np.ndarray


class ShadowBus(WishboneMaster):
    """A bus master that remembers the configuration it wrote.

    Attributes
    ----------
    shadow : dict of (name, word) to int
        What every writable register, and every word written of a window, should hold.
    unknown : int
        Reads that gave X.
    """

    def __init__(self, dut: Any, registers: Any):
        super().__init__(dut, registers)
        kept = [r for r in registers.registers if r.access in (Access.RW, Access.RW1S)]
        self._reset = {(r.name, 0): r.reset for r in kept}
        self.kept = {r.name: r.mask for r in kept}
        self.kept |= {
            "ROW_IMAGE": 0xFFFFFFFF,
            "ROW_MASK": 0xFFFFFFFF,
            "DESCRIPTOR": 0xFFFFFFFF,
            "WALK": 0xFFFFFFFF,
            "THRESHOLD": 0xFFFF,
        }
        for window in registers.windows:
            if window.name.startswith("REPAIR_"):
                self.kept[window.name] = 0x8000FFFF
                self._reset |= {(window.name, word): 0 for word in range(window.words)}
        self.shadow = dict(self._reset)
        self.unknown = 0

    async def access(self, address: int, data: int | None = None, *, sel: int = 15) -> int:
        try:
            return await super().access(address, data, sel=sel)
        except ValueError:
            self.unknown += 1
            self.release()
            return 0

    def forget(self) -> None:
        """The controller was reset."""
        self.shadow = dict(self._reset)

    async def write(self, name: str, value: int = 0, word: int = 0) -> None:
        await super().write(name, value, word)
        if name in self.kept:
            self.shadow[name, word] = value & self.kept[name]

    async def write_burst(self, name: str, values: Any, word: int = 0) -> None:
        for index, value in enumerate(values):
            await self.write(name, int(value), word + index)


class CarefulHost:
    """Firmware with checks; it notes what it finds in ``reports``.

    Attributes
    ----------
    reports : list of str
        What the controller or a check reported since `renew`, in order: names of error codes, ``scrub NAME``,
        ``line test``, ``comparator test``, ``timeout``.
    stuck : bool
        A command did not end, not even by an abort.
    """

    def __init__(self, env: Env):
        if not isinstance(env.bus, ShadowBus):
            raise TypeError(f"env.bus is a {type(env.bus).__name__}: must be a ShadowBus")
        self.env, self.bus = env, env.bus
        self.driver = HostDriver(env.bus, env.dut, env.geometry, period_ns=env.period_ns)
        self.reports: list[str] = []
        self.stuck = False
        self._rise = RisingEdge(env.dut.irq)
        self._all = env.bus.map.register("IRQ_PENDING").mask

    async def renew(self) -> None:
        """After a reset: interrupts, unlock, an empty log."""
        self.bus.forget()
        await self.bus.set("IRQ_ENABLE", done=1, error=1)
        await self.driver.unlock()
        await self.command(Command.CLEAR_LOG)

    # -- commands -----------------------------------------------------------------------------------------

    async def command(self, command: Command, during: Hook | None = None) -> tuple[ErrorCode | None, int]:
        """Run a command; (code, detail), the code None where it was refused or did not end."""
        try:
            await self.bus.write("IRQ_PENDING", self._all)
            await self.driver.start(command)
            if during is not None:
                await during()
        except BusError as error:
            self.reports.append(f"refused: {error}")
            return None, 0
        except Interrupted as event:
            self.bus.forget()
            self.reports.append(str(event))
            return None, 0
        return await self.outcome(command)

    async def outcome(self, command: Command | None = None) -> tuple[ErrorCode | None, int]:
        """Wait for the end of the running command; abort it when it takes too long.

        What ended must be ``command``, where that is given: another master may have started something else.
        """
        if self.driver._irq.text() != "1":
            await First(self._rise, Timer(round(PATIENCE_CYC * self.env.period_ns), "ns"))
        status = await self.driver.status()
        if status["busy"]:
            self.reports.append("timeout")
            await self.driver.start(Command.ABORT)
            await self.env.cycles(4)
            self.stuck |= bool((await self.driver.status())["busy"])
            return None, 0
        if command is not None and status["command"] != command:
            self.reports.append("another command")
            return None, 0
        if status["error"]:
            error = await self.bus.fields("ERROR")
            return ErrorCode(error["code"]), error["detail"]
        return (ErrorCode.NONE, 0) if status["done"] else (None, 0)

    def note(self, outcome: tuple[ErrorCode | None, int]) -> bool:
        """Whether a command ended in DONE; else its code is a report."""
        if outcome[0] is not ErrorCode.NONE:
            self.reports.append("no outcome" if outcome[0] is None else outcome[0].name)
        return outcome[0] is ErrorCode.NONE

    # -- checks -------------------------------------------------------------------------------------------

    async def scrub(self) -> bool:
        """Whether the whole configuration is as it was written; what is not is a report."""
        clean = True
        for (name, word), value in list(self.bus.shadow.items()):
            try:
                held = await self.bus.read(name, word)
            except BusError:
                held = None
            if held is None or held & self.bus.kept[name] != value:
                self.reports.append(f"scrub {name}")
                clean = False
        return clean

    async def verified(self, claim: Claim, mask: np.ndarray | None = None) -> bool:
        """VERIFY_ROW finds nothing."""
        await self.driver.load_row(claim.tile, claim.row, claim.image, claim.mask if mask is None else mask)
        code, _ = await self.command(Command.VERIFY_ROW)
        return code is ErrorCode.NONE

    async def line_test(self, claim: Claim) -> bool:
        """Even and odd columns alone: they verify, and the inverse image fails on both devices of every pair."""
        passed = True
        columns = np.arange(len(claim.mask)) % 2
        for parity in (0, 1):
            part = claim.mask & (columns == parity)
            if part.any():
                passed &= await self.verified(claim, part)
                await self.driver.load_row(claim.tile, claim.row, 1 - claim.image, part)
                code, detail = await self.command(Command.VERIFY_ROW)
                passed &= code is ErrorCode.NOT_CONVERGED and detail == 2 * int(part.sum())
        await self.command(Command.CLEAR_LOG)
        bits = await self.read_row(claim)
        passed &= bits is not None and not (bits != claim.image)[claim.mask].any()
        if not passed:
            self.reports.append("line test")
        return passed

    # -- programming --------------------------------------------------------------------------------------

    async def program(
        self,
        claim: Claim,
        before: Hook | None = None,
        during: Hook | None = None,
        after: Hook | None = None,
        failed: Callable[[list[Any], bool], None] | None = None,
        done: Callable[[Claim], None] | None = None,
    ) -> bool:
        """Program a row and check it; hooks run before the command, in it and after it.

        ``failed(log, overflow)`` is called with the failure log when the row did not converge, and
        ``done(claim)`` when the controller reports it as programmed and its configuration is intact.
        """
        await self.driver.load_row(claim.tile, claim.row, claim.image, claim.mask)
        if before is not None:
            await before()
        outcome = await self.command(Command.PROGRAM_ROW, during)
        if after is not None:
            await after()
        good = self.note(outcome)
        if outcome[0] is ErrorCode.NOT_CONVERGED and failed is not None:
            overflow = (await self.bus.fields("LOG_STATUS"))["overflow"]
            failed(await self.driver.failure_log(), bool(overflow))
        good &= await self.scrub()
        if good and done is not None:
            done(claim)
        return good and await self.line_test(claim)

    async def read_row(self, claim: Claim) -> np.ndarray | None:
        """Weights by READ_ROW; None when that failed."""
        await self.driver.load_row(claim.tile, claim.row, claim.image, claim.mask)
        if not self.note(await self.command(Command.READ_ROW)):
            return None
        return self.bits(await self.bus.read_burst("ROW_IMAGE", self.env.geometry.row_words))

    def bits(self, words: list[int]) -> np.ndarray:
        """Weights that READ_ROW left in ROW_IMAGE; what the host knows of that window from now on."""
        for word, value in enumerate(words):
            self.bus.shadow["ROW_IMAGE", word] = value
        return np.array([words[c // 32] >> c % 32 & 1 for c in range(self.env.geometry.columns)], np.uint8)

    # -- inference ----------------------------------------------------------------------------------------

    async def infer(
        self,
        mapping: Mapping,
        vectors: np.ndarray,
        before: Hook | None = None,
        during: Hook | None = None,
        after: Hook | None = None,
    ) -> list[VectorResult] | None:
        """Run INFER over at most two packed vectors; the results, or None when it did not end well."""
        await self.driver.load_network(mapping.descriptors, mapping.thresholds, mapping.repairs)
        await self.bus.write("INFER_COUNT", len(vectors))
        try:
            for vector in vectors:
                await self.driver.push(vector)
        except BusError as error:
            self.reports.append(f"refused: {error}")
            return None
        if before is not None:
            await before()
        good = self.note(await self.command(Command.INFER, during))
        if after is not None:
            await after()
        results = []
        while good and (await self.driver.status())["result_valid"]:
            results.append(await self.driver.pop(mapping.descriptors[-1]))
        if good and [r.index for r in results] != list(range(len(vectors))):
            self.reports.append("results missing")
            good = False
        return results if good & await self.scrub() else None

    async def trial(self, layer: Descriptor, vectors: list[np.ndarray]) -> list[VectorResult] | None:
        """INFER of one layer over at most two bit vectors; None when it did not end well."""
        await self.bus.write_burst("DESCRIPTOR", layer.words())
        await self.bus.write_burst("WALK", layer.walk_words())
        await self.bus.set("LAYER_COUNT", layers=1)
        await self.bus.write("INFER_COUNT", len(vectors))
        for vector in vectors:
            await self.driver.push(np.array(bus_words(vector)))
        code, _ = await self.command(Command.INFER)
        if code is not ErrorCode.NONE:
            return None
        return [await self.driver.pop(layer) for _ in vectors]

    async def comparators_work(self) -> bool:
        """Each tile's comparator gives 1 at the upper and 0 at the lower end of the reference."""
        g = self.env.geometry
        good = True
        await self.bus.write_burst("THRESHOLD", (g.columns, -g.columns & 0xFFFF))
        for tile in range(g.tiles):
            layer = Descriptor(
                tile_first=tile,
                row_count=2,
                cols=g.inputs,
                cols_last=g.inputs,
                mode=ReadMode.SIGN,
                use_threshold=True,
            )
            results = await self.trial(layer, [np.zeros(g.inputs, np.uint8)])
            good &= results is not None and results[0].bits.tolist() == [1, 0]
        if not good:
            self.reports.append("comparator test")
        return good

    async def columns_work(self, mapping: Mapping) -> bool:
        """A row of every layer and tile, counted for four patterns of inputs, gives what its weights say.

        Neighbours are driven alike and differently, so that no two joined lines go unnoticed.
        """
        good, g = True, self.env.geometry
        lines = mapping.repairs.physical_rows(g)
        for d in mapping.descriptors:
            for k in range(d.tile_count):
                last = k == d.tile_count - 1
                size, bias = (d.cols_last, d.bias_last) if last else (d.cols, d.bias)
                layer = Descriptor(
                    tile_first=d.tile_first + k,
                    row_first=d.row_first,
                    row_count=1,
                    cols=size,
                    cols_last=size,
                    bias=bias,
                    bias_last=bias,
                    mode=ReadMode.COUNT,
                    score=True,
                )
                plain = mapping.repairs.physical_columns(g, d.tile_first + k)
                image = mapping.images[d.tile_first + k, lines[d.row_first]][plain]
                odd = (np.arange(size) % 2).astype(np.uint8)
                for pair in ((odd, 1 - odd), (odd * 0, odd * 0 + 1)):
                    n = g.inputs
                    wanted = [2 * int((v == image[:size]).sum() + image[n : n + bias].sum()) for v in pair]
                    results = await self.trial(layer, list(pair))
                    good &= results is not None and [int(r.scores[0]) for r in results] == wanted
        if not good:
            self.reports.append("pattern test")
        return good
