"""Monitors: they only watch, and hand what they saw to a scoreboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cocotb.triggers import ValueChange

from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import first_rows
from bridgebnn.tb.pins import Pin, bits_of, string_of

__all__ = ["LayerMonitor"]


class LayerMonitor:
    """What stands on ``bl`` and ``col_en`` when a layer begins: the layer's input bits.

    The bits that layer ``i`` computed are seen as the inputs of layer ``i + 1``; those of layer 0 must be the
    image. Disabled columns carry nothing; bias columns must be 1. A spare column is seen as the one that it
    stands in for.

    Parameters
    ----------
    env : bridgebnn.tb.env.Env
    mapping : Mapping
    observe : callable
        ``observe(layer, bits)``, bits uint8 (inputs of the layer,).

    Raises
    ------
    AssertionError
        Into the environment: wrong columns enabled, or a bias column at 0.
    """

    def __init__(self, env: Any, mapping: Mapping, observe: Callable[[int, np.ndarray], None]):
        self.env, self.mapping, self.observe = env, mapping, observe
        dut = env.dut
        self._pins = {name: Pin(getattr(dut, name)) for name in ("row", "wl_en", "bl", "col_en")}
        self.programs = mapping.programs
        self._first = first_rows(self.programs)
        self._seen = [0] * len(self.programs)
        self._wanted = [[string_of(read.col_en) for read in program.reads] for program in self.programs]

    def start(self) -> None:
        """Start to watch."""
        if self.env.attach == "strobe":
            self.env.agent.on_evaluate.append(self._evaluated)
        else:
            self.env.agent.mark(list(self._first))
            self.env.spawn(self._watch())

    def restart(self) -> None:
        """A new INFER begins: vectors are counted anew."""
        self._seen = [0] * len(self._seen)

    async def _watch(self) -> None:
        changed = ValueChange(self.env.dut.layer_count)
        while True:
            await changed
            wl_en, row = self._pins["wl_en"].int(), self._pins["row"].int()
            self._evaluated([t for t in range(self.mapping.geometry.tiles) if wl_en >> t & 1], row)

    def _evaluated(self, tiles: list[int], row: int) -> None:
        layer = self._first.get((tiles[0], row))
        if layer is None:
            return
        program = self.programs[layer]
        turn, self._seen[layer] = self._seen[layer], self._seen[layer] + 1
        if turn % program.comparisons:
            return
        bl, en = self._pins["bl"].text(), self._pins["col_en"].text()
        n = self.mapping.geometry.columns
        parts = []
        for read, wanted in zip(program.reads, self._wanted[layer], strict=True):
            end = len(bl) - read.tile * n
            if (enabled := en[end - n : end]) != wanted:
                column = n - 1 - max(i for i in range(n) if enabled[i] != wanted[i])
                raise AssertionError(f"layer {layer}, tile {read.tile}: column {column} is enabled wrongly")
            bits = bits_of(bl[end - n : end])
            if not bits[read.bias].all():
                raise AssertionError(f"layer {layer}, tile {read.tile}: an enabled bias column is 0")
            parts.append(bits[read.columns])
        self.observe(layer, np.concatenate(parts))
