"""Counts on the pins what an inference costs in energy, for the ledger of the model to sum up."""

from __future__ import annotations

import numpy as np

from bridgebnn.hdl.spec.register_map import RegisterMap
from bridgebnn.model.flows.ledger import ReadLedger
from bridgebnn.model.macro.events import Events

__all__ = ["EnergyMonitor"]

_KEPT = 2048
"""Visits whose column data are kept before they are summed up."""

_READS = frozenset({"SCORES", "RESULT_BITS", "RESULT_INDEX", "RESULT_CLASS"})
_WRITES = frozenset({"INPUT", "INPUT_PUSH", "RESULT_POP"})


class EnergyMonitor:
    """What the pins show of an inference: which layer ran on which column data, and the words on the bus.

    Parameters
    ----------
    ledger : ReadLedger
        Of the chip behind the pins.
    registers : RegisterMap

    Attributes
    ----------
    polls : int
        Accesses beside those that move inputs and results: status, interrupts, set-up. How many, is up to the host.
    """

    def __init__(self, ledger: ReadLedger, registers: RegisterMap) -> None:
        self.ledger = ledger
        self.names = {register.offset: register.name for register in registers.registers}
        for window in registers.windows:
            self.names |= {window.offset + 4 * word: window.name for word in range(window.words)}
        self.reads = self.writes = self.polls = 0
        self._before = ledger.array.reads.copy()
        self._order: list[int] = []
        self._data: dict[int, list[list[np.ndarray]]] = {}

    def visited(self, layer: int, data: list[np.ndarray]) -> None:
        """A layer begins with these levels on the columns of its tiles, uint8 (C,) each."""
        self._order.append(layer)
        self._data.setdefault(layer, []).append(data)
        if len(self._order) == _KEPT:
            self._sum_up()

    def accessed(self, address: int, write: bool) -> None:
        """An access ended well; address in bytes."""
        if self.names.get(address) in (_WRITES if write else _READS):
            self.writes += write
            self.reads += not write
        else:
            self.polls += 1

    def _sum_up(self) -> None:
        levels = {
            layer: [np.array(tile, dtype=bool) for tile in zip(*visits, strict=True)]
            for layer, visits in self._data.items()
        }
        self.ledger.add(np.array(self._order, np.int64), levels)
        self._order, self._data = [], {}

    def close(self, *, read_cycles: int, cycles: int) -> Events:
        """All events, with what the controller's counters PERF_READ and PERF_BUSY say.

        Raises
        ------
        AssertionError
            The pins showed other evaluations of some row than the layers that were seen to begin explain.
        """
        self._sum_up()
        seen = self.ledger.array.reads - self._before
        if (seen != self.ledger.evaluated).any():
            tile, row = np.argwhere(seen != self.ledger.evaluated)[0].tolist()
            raise AssertionError(
                f"tile {tile}, row {row} was evaluated {seen[tile, row]} times, its layer explains "
                f"{self.ledger.evaluated[tile, row]}"
            )
        events = self.ledger.events
        return events.replace(
            read_cycles=read_cycles, cycles=cycles, bus_reads=self.reads, bus_writes=self.writes
        )
