"""Hostile bus traffic: what a bus master that is not the host might do."""

from __future__ import annotations

import numpy as np

from bridgebnn.hdl.spec import UNLOCK_KEYS, Command
from bridgebnn.hdl.spec.register_map import Access
from bridgebnn.tb.bus.registers import BusError
from bridgebnn.tb.bus.wishbone import WishboneMaster

__all__ = ["Attack"]


class Attack:
    """Random accesses of one kind, past the host's memory of what it wrote.

    Parameters
    ----------
    bus : WishboneMaster
    kind : str
        ``random``: any address, data, lanes; ``commands``: opcodes; ``keys``: pieces of the unlock sequence,
        and row commands; ``settings``: writable registers and windows; ``streams``: inputs, pushes and pops;
        ``reads``: everything.
    rng : numpy.random.Generator
    """

    def __init__(self, bus: WishboneMaster, kind: str, rng: np.random.Generator):
        self.bus, self.rng = bus, rng
        self._next = getattr(self, f"_{kind}")
        self._where = {r.name: r.offset for r in bus.map.registers} | {
            w.name: w.offset for w in bus.map.windows
        }

    async def run(self, accesses: int) -> int:
        """Do so many accesses; how many of them were refused."""
        refused = 0
        for _ in range(accesses):
            address, data, sel = self._next()
            try:
                await self.bus.access(address, data, sel=sel)
            except BusError:
                refused += 1
        return refused

    def _word(self) -> int:
        """Data: any word, or one with few bits."""
        rng = self.rng
        return int(rng.integers(1 << 32)) if rng.random() < 0.6 else 1 << int(rng.integers(32))

    def _random(self) -> tuple[int, int | None, int]:
        rng = self.rng
        address = 4 * int(rng.integers(1 << 15)) if rng.random() < 0.5 else 4 * int(rng.integers(0x30))
        data = self._word() if rng.random() < 0.6 else None
        return address, data, 15 if rng.random() < 0.8 else int(rng.integers(16))

    def _commands(self) -> tuple[int, int | None, int]:
        rng = self.rng
        opcode = int(rng.integers(16)) if rng.random() < 0.6 else int(rng.choice(list(Command)))
        return self._where["COMMAND"], opcode | int(rng.integers(1 << 20)) << 8, 15

    def _keys(self) -> tuple[int, int | None, int]:
        rng = self.rng
        if rng.random() < 0.3:
            return (
                self._where["COMMAND"],
                int(rng.choice([Command.PROGRAM_ROW, Command.VERIFY_ROW, Command.READ_ROW])),
                15,
            )
        key = UNLOCK_KEYS[int(rng.integers(2))]
        if rng.random() < 0.4:
            key ^= 1 << int(rng.integers(32))
        return self._where["UNLOCK"], key, 15 if rng.random() < 0.9 else int(rng.integers(15))

    def _settings(self) -> tuple[int, int | None, int]:
        rng = self.rng
        kept = [r.offset for r in self.bus.map.registers if r.access in (Access.RW, Access.RW1S, Access.W1C)]
        windows = [w.offset + 4 * int(rng.integers(w.words)) for w in self.bus.map.windows]
        return int(rng.choice(kept if rng.random() < 0.6 else windows)), self._word(), 15

    def _streams(self) -> tuple[int, int | None, int]:
        rng = self.rng
        name = str(rng.choice(["INPUT", "INPUT_PUSH", "RESULT_POP", "SCORES", "IRQ_PENDING"]))
        return self._where[name], None if name == "SCORES" else self._word(), 15

    def _reads(self) -> tuple[int, int | None, int]:
        return int(self.rng.choice(list(self._where.values()))) + 4 * int(self.rng.integers(4)), None, 15
