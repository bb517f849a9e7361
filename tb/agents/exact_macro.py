"""A macro that answers reads from the pins alone, exactly when it must and wrongly or not at all before.

Weights are integers, one bit per column; nothing of ``bridgebnn.model`` is in it. It notes what the read pins show
in every cycle, for `bridgebnn.tb.checks.read_trace`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from cocotb.triggers import FallingEdge

from bridgebnn.tb.checks.read_trace import Chip, Cycle, Phases
from bridgebnn.tb.context import MacroContext
from bridgebnn.tb.pins import Pin

__all__ = ["ExactMacro"]

PINS = ("precharge", "evaluate", "sense", "row", "wl_en", "cmp_ref", "bl", "col_en")


@dataclass
class ExactMacro:
    """Answers reads from the pins alone: right when the phases are over, wrong or noise before.

    ``late``: cycles by which the answer of a comparison comes after the sense phase, over and over; one tile of the
    read is then not valid. ``deaf``: tiles that never answer on the word lines ``deaf_rows``.
    """

    env: MacroContext
    rng: random.Random
    phases: Phases = field(default=Phases(1, 1, 1))
    late: Sequence[int] = (0,)
    deaf: int = 0
    deaf_rows: frozenset[int] = frozenset()
    trace: list[Cycle | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        dut = self.env.dut
        self._out = {name: Pin(getattr(dut, name)) for name in PINS}
        self._in = {name: Pin(getattr(dut, name)) for name in ("cmp", "cmp_valid", "sl")}
        self.cells: list[list[int]] = []
        self._turn = -1

    def load(self, chip: Chip) -> None:
        """Hold the weights of a chip."""
        g = self.env.geometry
        self.cells = [[chip.cells(tile, line) for line in range(g.rows)] for tile in range(g.tiles)]

    def begin(self) -> None:
        """A new course: forget the cycles, and begin with the first lateness."""
        self.trace.clear()
        self._turn = -1

    async def run(self) -> None:
        """Note every cycle from the first read on, and answer; a cycle is seen in its middle."""
        clk, evaluated, sensed = FallingEdge(self.env.dut.clk), 0, 0
        phases = [self._out[name] for name in ("precharge", "evaluate", "sense")]
        while True:
            await clk
            precharge, evaluate, sense = (pin.int() for pin in phases)
            if not (precharge or evaluate or sense):
                if self.trace:
                    self.trace.append(None)
                if self._out["wl_en"].int():
                    raise AssertionError("wl_en is not 0 between reads")
                evaluated = sensed = 0
                continue
            row, wl_en, bl, col_en = (self._out[name].int() for name in ("row", "wl_en", "bl", "col_en"))
            ref = self._out["cmp_ref"].signed()
            self.trace.append(Cycle(precharge, evaluate, sense, row, wl_en, ref, bl & col_en, col_en))
            evaluated, sensed = (evaluated + 1) * evaluate, (sensed + 1) * sense
            self._turn += sensed == 1
            late = self.late[max(0, self._turn) % len(self.late)]
            self._answer(row, wl_en, ref, bl, col_en, evaluated, sensed, late)

    def _answer(
        self, row: int, wl_en: int, ref: int, bl: int, col_en: int, evaluated: int, sensed: int, late: int
    ) -> None:
        """Drive ``cmp``, ``cmp_valid`` and ``sl`` up to the next cycle."""
        g = self.env.geometry
        ones, cmp, sl = (1 << g.columns) - 1, 0, 0
        for tile in range(g.tiles):
            low = tile * g.columns
            enables = col_en >> low & ones
            match = ~(bl >> low ^ self.cells[tile][row]) & ones
            sl |= match << low
            pop, enabled = (match & enables).bit_count(), enables.bit_count()
            cmp |= (2 * pop - enabled + 2 * ref >= 0) << tile
        every = (1 << g.tiles) - 1
        valid = every
        if sensed < self.phases.sense:
            cmp ^= every
        elif sensed < self.phases.sense + late:
            # All but one of those that are read answer; one of them, or the others, wrongly.
            used = [tile for tile in range(g.tiles) if wl_en >> tile & 1]
            valid, cmp = every & ~(1 << self.rng.choice(used)), cmp ^ every
        if row in self.deaf_rows:
            valid &= ~self.deaf
        valid &= wl_en | self.rng.getrandbits(g.tiles)
        self._in["cmp"].set(cmp)
        self._in["cmp_valid"].set(valid)
        settled = evaluated >= self.phases.evaluate
        sl = sl if settled else self.rng.getrandbits(g.tiles * g.columns)
        self._in["sl"].set_text(f"{sl:0{g.tiles * g.columns}b}")
