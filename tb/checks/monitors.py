"""Monitors: they only watch, and hand what they saw to a scoreboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cocotb.triggers import ValueChange

from bridgebnn.hdl.spec import Descriptor, ReadMode
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.tb.agents.pins import Pin, bits_of, string_of

__all__ = ["LayerMonitor", "comparisons", "first_rows", "sl_rows"]


def comparisons(descriptor: Descriptor) -> int:
    """Evaluations of a row of the layer's first tile for each vector."""
    return descriptor.enabled(0).bit_length() if descriptor.mode is ReadMode.SEARCH else 1


def first_rows(mapping: Mapping) -> dict[tuple[int, int], int]:
    """(first tile, first word line) of each layer, with the layer's number."""
    return {(d.tile_first, int(mapping.rows(i)[0])): i for i, d in enumerate(mapping.descriptors)}


def sl_rows(mapping: Mapping) -> set[tuple[int, int]]:
    """(tile, word line) of every row that is read through ``sl``: those of the COUNT layers."""
    return {
        (tile, row)
        for i, d in enumerate(mapping.descriptors)
        if d.mode is ReadMode.COUNT
        for tile in range(d.tile_first, d.tile_first + d.tile_count)
        for row in mapping.rows(i).tolist()
    }


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
        self._first = first_rows(mapping)
        self._seen = [0] * len(mapping.descriptors)
        self._columns = mapping.geometry.columns
        zeros = [np.zeros((1, d.inputs), np.uint8) for d in mapping.descriptors]
        self._slices = [
            [self._slice(tile, wanted) for tile, _, wanted in mapping.tile_inputs(i, z)]
            for i, z in enumerate(zeros)
        ]

    def _slice(self, tile: int, wanted: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
        """What ``col_en`` of a tile must read, and the columns of its enabled inputs and bias cells, in order."""
        g = self.mapping.geometry
        plain = np.array(self.mapping.repairs.physical_columns(g, tile))
        kept = plain[wanted[plain]]
        inputs = int(wanted[plain[: g.inputs]].sum())
        return string_of(wanted), kept[:inputs], kept[inputs:]

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
        descriptor = self.mapping.descriptors[layer]
        turn, self._seen[layer] = self._seen[layer], self._seen[layer] + 1
        if turn % comparisons(descriptor):
            return
        bl, en = self._pins["bl"].text(), self._pins["col_en"].text()
        n = self._columns
        parts = []
        for k in range(descriptor.tile_count):
            end = len(bl) - (descriptor.tile_first + k) * n
            wanted, inputs, bias = self._slices[layer][k]
            if (enabled := en[end - n : end]) != wanted:
                column = n - 1 - max(i for i in range(n) if enabled[i] != wanted[i])
                raise AssertionError(f"layer {layer}, tile {k}: column {column} is enabled wrongly")
            bits = bits_of(bl[end - n : end])
            if not bits[bias].all():
                raise AssertionError(f"layer {layer}, tile {k}: an enabled bias column is 0")
            parts.append(bits[inputs])
        self.observe(layer, np.concatenate(parts))
