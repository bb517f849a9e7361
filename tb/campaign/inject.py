"""Putting a fault in: into devices and lines before the work, into registers and commands while it runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from bridgebnn.hdl.spec import Command, ProgSide
from bridgebnn.model.devices.device import Stuck
from bridgebnn.model.macro.broken_lines import LINE_KINDS, FaultyArray, LineFault
from bridgebnn.tb.env import Env
from bridgebnn.tb.pins import Pin

from .agent import CampaignAgent
from .attack import Attack
from .faults import GEOMETRY, Fault
from .host import CarefulHost, Hook, Interrupted
from .watch import SEQUENCERS, codes, targets

__all__ = ["Injector"]

_STUCK = ("LRS", "HRS", "UNFORMED")
_SHAPED = ("FORM_PULSE", "SET_PULSE", "RESET_PULSE", "MAX_PARALLEL")
_PINS: tuple[str, ...] = (
    "watch_clear",
    "watch_shape",
    "flip_go",
    "flip_target",
    "flip_word",
    "flip_bit",
    "broken",
    "busy",
)
_PINS += ("struck", *(f"{name}_{what}" for name in SEQUENCERS for what in ("state", "struck")))


class Injector:
    """The means of putting faults in, on one environment.

    Attributes
    ----------
    fault : Fault
        The one under way.
    array : FaultyArray
        Its chip.
    moment : int
        Cycles from the command to it.
    """

    agent: CampaignAgent
    array: FaultyArray
    fault: Fault

    def __init__(self, env: Env):
        self.env = env
        self.host = CarefulHost(env)
        self.edge = RisingEdge(env.dut.clk)
        self.pin = {name: Pin(getattr(env.dut, name)) for name in _PINS}
        self.codes = codes(GEOMETRY)
        self.fall = FallingEdge(env.dut.clk)
        self.moment = 0

    def stick(self, places: list[tuple[int, int, np.ndarray]]) -> None:
        """Stuck devices of the fault, in one of the rows (tile, row, columns in use)."""
        rng, options = self.fault.rng(0), self.fault.options
        rng.random(16)
        for _ in range(options["count"]):
            tile, row, mask = places[rng.integers(len(places))]
            columns = np.flatnonzero(mask)
            if options["pattern"] == "bias" and mask[GEOMETRY.inputs :].any():
                columns = columns[columns >= GEOMETRY.inputs]
            column = int(rng.choice(columns))
            sides = list(ProgSide) if options["pattern"] == "pair" else [ProgSide(int(rng.integers(2)))]
            for side in sides:
                kind = options.get("stuck", self.fault.kind)
                kind = kind if kind in _STUCK else str(rng.choice(_STUCK))
                self.array.devices.stick(tile, row, [column], side, Stuck[kind])

    def break_lines(self, tile: int, row: int, beside: int | None = None) -> None:
        """Broken lines of the fault, through the row that is worked on, and ``beside`` it or any other."""
        rng, lines = self.fault.rng(0), []
        rng.random(16)
        for number in range(self.fault.options["count"]):
            kind = self.fault.kind if number == 0 else str(rng.choice(LINE_KINDS))
            column = int(rng.integers(GEOMETRY.columns - 1))
            columns = (column, column + 1) if kind.endswith("short") else (column,)
            side, value = int(rng.integers(2)), int(rng.integers(2))
            broken = LineFault(kind=kind, tile=tile, row=row, columns=columns, side=side, value=value)
            other = int(rng.integers(GEOMETRY.rows - 1))
            lines.append(
                dataclasses.replace(broken, other=other + (other >= row) if beside is None else beside)
            )
        self.array.lines = lines

    def options(self, kind: type) -> Any:
        """`Rails` or `Comparator` of the fault."""
        names = {f.name for f in dataclasses.fields(kind)}
        return kind(kind=self.fault.kind, **{k: v for k, v in self.fault.options.items() if k in names})

    async def flip(self, target: int, word: int, bit: int) -> None:
        """Flip one bit of the controller in the middle of a cycle."""
        await self.edge
        for name, value in (("flip_target", target), ("flip_word", word), ("flip_bit", bit), ("flip_go", 1)):
            self.pin[name].set(value)
        await self.edge
        self.pin["flip_go"].set(0)

    def states(self) -> dict[str, str]:
        """States of the sequencers when a command was interrupted first; empty where none was."""
        if not self.pin["struck"].int():
            return {}
        return {name: self.codes[name][self.pin[f"{name}_struck"].int()] for name in SEQUENCERS}

    async def _reach(self, sequencer: str, state: str, visit: int) -> bool:
        """Wait for the middle of the first cycle in which a sequencer is in ``state``, past earlier visits.

        False when the command ended before.
        """
        there = False
        while True:
            await self.fall
            await Timer(round(self.env.period_ns / 10), "ns")
            was, there = there, self.codes[sequencer][self.pin[f"{sequencer}_state"].int()] == state
            if there and not was:
                if visit == 0:
                    return True
                visit -= 1
            if not self.pin["busy"].int():
                return False

    async def _interrupt(self) -> None:
        """Reset, abort, power loss or relock, now."""
        kind, options = self.fault.kind, self.fault.options
        if kind == "abort":
            await self.host.driver.start(Command.ABORT)
        elif kind == "relock":
            await self.host.bus.write("UNLOCK", 0)
        elif kind == "reset":
            await self.env.reset(options["length_cyc"])
            raise Interrupted("reset")
        else:
            rng = self.fault.rng(2)
            if "aim" not in options:
                await self.agent.cycles(float(rng.uniform(0.05, 0.95)))
            self.agent.hv_ready.set(0)
            self.env._rst.set(1)
            memories = [i for i, t in enumerate(targets(GEOMETRY)) if t.memory]
            for number in rng.choice(memories, 6):  # memories come up with anything in them
                target = targets(GEOMETRY)[number]
                await self.flip(int(number), int(rng.integers(target.words)), int(rng.choice(target.bits)))
            await self.env.reset(options["length_cyc"])
            raise Interrupted("power loss")

    def hooks(self, length: int) -> dict[str, Hook]:
        """Hooks that put a fault in before, in or after a command of so many cycles."""
        fault, options = self.fault, self.fault.options
        if fault.name not in ("flips", "interrupts", "bus"):
            return {}
        self.moment = int(options["at"] * 1.04 * (length + 3))

        async def act() -> None:
            if fault.name == "flips":
                if targets(GEOMETRY)[options["target"]].name in _SHAPED:
                    self.pin["watch_shape"].set(0)
                await self.flip(options["target"], options["word"], options["bit"])
            elif fault.name == "interrupts":
                await self._interrupt()
            else:
                await Attack(self.host.bus, fault.kind, fault.rng(2)).run(options["accesses"])

        async def later() -> None:
            if "aim" in options:
                begin = self.env.cycle()
                sequencer, state = options["aim"]
                if not await self._reach(sequencer, state, options["visit"]):
                    return
                self.moment = self.env.cycle() - begin
            elif self.moment:
                await self.env.cycles(self.moment)
            await act()

        when = options.get("when", "during")
        return {when: later if when == "during" else act}
