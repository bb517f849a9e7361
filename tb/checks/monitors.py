"""Monitors: they only watch, and hand what they saw to a scoreboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from bridgebnn.hdl.spec.register_map import RegisterMap
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import first_rows
from bridgebnn.tb.context import Dut
from bridgebnn.tb.pins import Pin, bits_of, string_of

from .scoreboard import Result

__all__ = ["LayerMonitor", "ResultMonitor", "RowWatcher"]


class RowWatcher(Protocol):
    """Who sees evaluations on the pins; the agents of both attachments do."""

    def watch_rows(self, rows: Iterable[tuple[int, int]], listener: Callable[[int, int], None], /) -> None:
        """Call ``listener(tile, row)`` in every evaluation of one of these (lowest tile, word line)."""
        ...


class LayerMonitor:
    """What stands on ``bl`` and ``col_en`` when a layer begins: the layer's input bits.

    The bits that layer ``i`` computed are seen as the inputs of layer ``i + 1``; those of layer 0 must be the
    image. Disabled columns carry nothing; bias columns must be 1. A spare column is seen as the one that it
    stands in for.

    Parameters
    ----------
    dut : Dut
    rows : RowWatcher
        Who tells when a row is evaluated: the agent.
    mapping : Mapping
    observe : callable
        ``observe(layer, bits)``, bits uint8 (inputs of the layer,).
    visited : callable, optional
        ``visited(layer, data)``: column data as it stands on the pins of each of the layer's tiles, uint8 (C,).

    Raises
    ------
    AssertionError
        Into the environment: wrong columns enabled, or a bias column at 0.
    """

    def __init__(
        self,
        dut: Dut,
        rows: RowWatcher,
        mapping: Mapping,
        observe: Callable[[int, np.ndarray], None],
        visited: Callable[[int, list[np.ndarray]], None] | None = None,
    ):
        self.mapping, self.observe, self.visited = mapping, observe, visited
        self._bl, self._en = Pin(dut.bl), Pin(dut.col_en)
        self.programs = mapping.programs
        self._rows, self._first = rows, first_rows(self.programs)
        self._seen = [0] * len(self.programs)
        self._wanted = [[string_of(read.col_en) for read in program.reads] for program in self.programs]

    def start(self) -> None:
        """Start to watch."""
        self._rows.watch_rows(self._first, self.evaluated)

    def evaluated(self, tile: int, row: int) -> None:
        """A row with which a program begins is being evaluated; ``tile`` is the lowest of its tiles."""
        layer = self._first[tile, row]
        program = self.programs[layer]
        turn, self._seen[layer] = self._seen[layer], self._seen[layer] + 1
        if turn % program.comparisons:
            return
        bl, en = self._bl.text(), self._en.text()
        n = self.mapping.geometry.columns
        parts, data = [], []
        for read, wanted in zip(program.reads, self._wanted[layer], strict=True):
            end = len(bl) - read.tile * n
            if (enabled := en[end - n : end]) != wanted:
                column = n - 1 - max(i for i in range(n) if enabled[i] != wanted[i])
                raise AssertionError(f"layer {layer}, tile {read.tile}: column {column} is enabled wrongly")
            bits = bits_of(bl[end - n : end])
            if not bits[read.bias].all():
                raise AssertionError(f"layer {layer}, tile {read.tile}: an enabled bias column is 0")
            parts.append(bits[read.columns])
            data.append(bits)
        self.observe(layer, np.concatenate(parts))
        if self.visited is not None:
            self.visited(layer, data)


class ResultMonitor:
    """What is read from the result bank, and freed: one result per RESULT_POP.

    Parameters
    ----------
    registers : RegisterMap
    observe : callable
        ``observe(result)``.
    outputs : int
        Rows of the last program.
    """

    def __init__(self, registers: RegisterMap, observe: Callable[[Result], None], *, outputs: int):
        self.observe, self._outputs = observe, outputs
        self._class = registers.register("RESULT_CLASS")
        places = {register.name: register.offset for register in registers.registers}
        places |= {window.name: window.offset for window in registers.windows}
        words = {window.name: window.words for window in registers.windows}
        self._names = {
            places[name] + 4 * word: name
            for name in ("SCORES", "RESULT_BITS", "RESULT_INDEX", "RESULT_CLASS", "RESULT_POP")
            for word in range(words.get(name, 1))
        }
        self._read: dict[str, list[int]] = {}

    def accessed(self, address: int, write: bool, data: int) -> None:
        """An access ended well; addresses in bytes."""
        name = self._names.get(address)
        if name == "RESULT_POP" and write:
            self._finish()
        elif name is not None and not write:
            self._read.setdefault(name, []).append(data)

    def _finish(self) -> None:
        """The words were read in order; what was not read at all is missing, and differs."""
        read, self._read = self._read, {}
        bits = np.array(read.get("RESULT_BITS", []), "<u4").view(np.uint8)
        scores = np.array(read.get("SCORES", []), np.uint32).view(np.int32)
        self.observe(
            Result(
                index=read.get("RESULT_INDEX", [-1])[-1],
                label=self._class.unpack(read["RESULT_CLASS"][-1])["class"] if "RESULT_CLASS" in read else -1,
                scores=scores.astype(np.int64),
                bits=np.unpackbits(bits, bitorder="little")[: self._outputs],
            )
        )
