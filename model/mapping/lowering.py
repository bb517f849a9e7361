"""From an operation to what it asks of a chip: slices, read mode, bias cells, threshold entries, cells.

``lower`` has one implementation per kind of operation; whatever it gives is placed and written alike by
``mapping.py``. Choices of a dense operation:

* inputs over more than N columns split over tiles in nearly equal slices; ``ADD`` counts (COUNT or SEARCH)
  and adds, the network stays what it was; ``VOTE`` turns a sign layer into one of group votes, with the
  threshold shared out over the groups in proportion to their inputs: the *effective* operation, on which
  golden is run.
  A score layer is always added, as votes of few groups are too coarse a score;
* a layer that the network itself splits into voting groups keeps its groups, one tile each;
* one tile reads SIGN, a score COUNT (or SEARCH);
* a neuron of polarity -1 is stored negated: ``dot <= t`` is ``-dot >= -t``.

See ``placement.py`` for thresholds and places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import WORD_WIDTH, Combine, Descriptor, Geometry, MapWalk, ReadMode
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.operations import Operation

from .placement import MappingError, count_bias, sign_thresholds, split

__all__ = ["Plan", "lower", "read_maps"]

MAX_FLAT = 4095
"""Bits of a map that a dense operation reads: they count as the channels of one pixel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What one operation takes, before it has a place: n rows on k tiles in step.

    Parameters
    ----------
    operation : Operation
        The effective one: what the rows compute.
    weights : tuple of bool, (n, inputs of the tile)
        Cells of each tile, polarity folded in.
    mode, combine : ReadMode, Combine
    bias : list of int, k
        Bias columns enabled in each tile.
    ones : int64, (k, n)
        Bias cells at +1, the others of the enabled ones are -1.
    entries : int64, (n,), or None
        Threshold entries, where it needs any.
    ties : bool
        An even number of columns is enabled for want of bias columns, so that dV may be 0.
    walk : MapWalk, optional
        How it walks over activation maps.
    """

    operation: Operation
    weights: tuple[NDArray[np.bool_], ...]
    mode: ReadMode
    combine: Combine
    bias: list[int]
    ones: NDArray[np.int64]
    entries: NDArray[np.int64] | None
    ties: bool
    walk: MapWalk | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(tiles, rows)."""
        return len(self.weights), len(self.weights[0])

    @property
    def sizes(self) -> list[int]:
        """Inputs of each tile."""
        return [cells.shape[1] for cells in self.weights]

    def descriptor(self, tile: int, row: int, base: int) -> Descriptor:
        """Its line of the descriptor table, from tile ``tile``, row ``row`` and threshold entry ``base`` on."""
        return Descriptor(
            tile_first=tile,
            tile_count=self.shape[0],
            row_first=row,
            row_count=self.shape[1],
            cols=self.sizes[0],
            cols_last=self.sizes[-1],
            bias=self.bias[0],
            bias_last=self.bias[-1],
            threshold_base=0 if self.entries is None else base,
            mode=self.mode,
            combine=self.combine,
            use_threshold=self.entries is not None,
            score=self.operation.output == "score",
            walk=self.walk,
        )

    def fill(
        self, images: NDArray[np.uint8], masks: NDArray[np.bool_], tile: int, row: int, geometry: Geometry
    ) -> None:
        """Write its cells into the images and masks of the chip, (T, R, C)."""
        n, rows = geometry.inputs, slice(row, row + self.shape[1])
        for k, (cells, bias) in enumerate(zip(self.weights, self.bias, strict=True)):
            size = cells.shape[1]
            images[tile + k, rows, :size] = cells
            images[tile + k, rows, n : n + bias] = np.arange(bias) < self.ones[k][:, None]
            masks[tile + k, rows, :size] = True
            masks[tile + k, rows, n : n + bias] = True


@singledispatch
def lower(operation: Operation, i: int, geometry: Geometry, combine: Combine, final_mode: ReadMode) -> Plan:
    """What operation number ``i`` takes of a geometry; other arguments as for ``mapping.map_network``.

    Raises
    ------
    MappingError
        It does not fit, or no chip can do it.
    """
    raise MappingError(
        f"operation {i}: kind = {operation.kind!r}: a chip does dense operations and convolutions only"
    )


@lower.register
def _dense(layer: Dense, i: int, geometry: Geometry, combine: Combine, final_mode: ReadMode) -> Plan:
    n, tiles = geometry.inputs, geometry.tiles
    voting = layer.combine is Combine.VOTE
    sizes = layer.group_sizes.tolist() if voting else split(layer.n_in, n)
    if len(sizes) > tiles:
        fits = "" if voting else f", or inputs = {-(-layer.n_in // tiles)}"
        raise MappingError(
            f"layer {i}: {layer.n_in} inputs need {len(sizes)} tiles of {n} inputs, {len(sizes) - tiles} "
            f"more than there are; tiles = {len(sizes)} would fit{fits}"
        )
    if layer.n_out > geometry.plain_rows:
        raise MappingError(
            f"layer {i}: {layer.n_out} neurons, {layer.n_out - geometry.plain_rows} more than a tile has rows; "
            f"rows = {layer.n_out + geometry.spare_rows} would fit"
        )
    if max(sizes) > n:
        raise MappingError(
            f"layer {i}: a group of {max(sizes)} inputs, {max(sizes) - n} more than a tile has; "
            f"inputs = {max(sizes)} would fit"
        )
    if len(set(sizes[:-1])) > 1:
        raise MappingError(
            f"layer {i}: group sizes {sorted(set(sizes[:-1]))}; all groups but the last must have the same "
            "size, since one descriptor field holds it"
        )
    if not voting and len(sizes) > 1 and combine is Combine.VOTE and layer.output == "sign":
        layer, voting = _voted(layer, sizes), True
    folded = (layer.polarity * layer.thresholds).astype(np.int64)
    if voting or (layer.output == "sign" and len(sizes) == 1):
        found = sign_thresholds(i, sizes, folded, geometry.bias)
        return Plan(
            operation=layer,
            weights=_cells(layer, sizes, voting),
            mode=ReadMode.SIGN,
            combine=Combine.VOTE if voting else Combine.ADD,
            bias=found.bias,
            ones=found.ones,
            entries=found.refs if found.refs.any() else None,
            ties=found.ties,
        )
    bias, ties = count_bias(sizes, geometry.bias)
    entries = -layer.n_in - 2 * sum(bias) - folded[0]
    if entries.min() < -(1 << 15) or entries.max() >= 1 << 15:
        raise MappingError(
            f"layer {i}: a threshold entry of {entries.min()} does not fit 16 bits; "
            "at most about 16000 inputs do"
        )
    ones = np.repeat(np.array(bias, np.int64)[:, None], layer.n_out, axis=1)
    return Plan(
        operation=layer,
        weights=_cells(layer, sizes, voting),
        mode=final_mode,
        combine=Combine.ADD,
        bias=bias,
        ones=ones,
        entries=entries,
        ties=ties,
    )


@lower.register
def _convolution(
    layer: Convolution, i: int, geometry: Geometry, combine: Combine, final_mode: ReadMode
) -> Plan:
    """A filter is a row, a window an input vector."""
    plan = lower(layer.window, i, geometry, combine, final_mode)
    effective = layer
    if isinstance(plan.operation, Dense) and plan.operation is not layer.window:
        effective = replace(layer, window=plan.operation)
    return replace(plan, operation=effective, walk=layer.walk)


def read_maps(plans: Sequence[Plan], geometry: Geometry, first: int) -> list[Plan]:
    """The plans, with the walks of those that read a whole map at once: a dense operation behind a convolution.

    Parameters
    ----------
    plans : sequence of Plan
        Of the operations from number ``first`` on.
    geometry : Geometry

    Raises
    ------
    MappingError
        A convolution that is the last, or that stands behind a dense operation, or a map that its memory does not
        hold.
    """
    found: list[Plan] = []
    for number, plan in enumerate(plans):
        i = first + number
        convolution = isinstance(plan.operation, Convolution)
        behind_map = number > 0 and isinstance(plans[number - 1].operation, Convolution)
        if convolution:
            words_in = geometry.map_words if number else geometry.input_words
            _check_map(f"layer {i}", "in", plan.operation.n_in, words_in, geometry)
            _check_map(f"layer {i}", "out", plan.operation.n_out, geometry.map_words, geometry)
        if convolution and number > 0 and not behind_map:
            raise MappingError(
                f"layer {i}: a convolution behind a dense layer: its bits are not kept as a map"
            )
        if convolution and number == len(plans) - 1:
            raise MappingError(
                f"layer {i}: the last layer is a convolution: a dense one has to follow, for the result"
            )
        if behind_map and not convolution:
            if plan.operation.n_in > MAX_FLAT:
                raise MappingError(
                    f"layer {i}: reads a map of {plan.operation.n_in} bits: at most {MAX_FLAT}"
                )
            plan = replace(plan, walk=MapWalk.flat(plan.operation.n_in))
        found.append(plan)
    return found


def _check_map(name: str, what: str, bits: int, words: int, geometry: Geometry) -> None:
    """Refuse a map of more bits than a memory of so many words holds."""
    if not geometry.map_words or bits > WORD_WIDTH * words:
        raise MappingError(
            f"{name}: a map of {bits} bits goes {what}, {bits - WORD_WIDTH * words} more than the memory "
            f"holds; map_words = {-(-bits // WORD_WIDTH)} would fit"
        )


def _cells(layer: Dense, sizes: list[int], voting: bool) -> tuple[NDArray[np.bool_], ...]:
    """Bits of the weights, slice by slice, negated where the polarity is -1."""
    polarity = layer.polarity if voting else np.repeat(layer.polarity, len(sizes), axis=0)
    parts = np.split(layer.weights, np.cumsum(sizes)[:-1], axis=1)
    return tuple(part * sign[:, None] > 0 for part, sign in zip(parts, polarity, strict=True))


def _voted(layer: Dense, sizes: list[int]) -> Dense:
    """A sign layer as votes of its slices: the threshold is shared out in proportion to the inputs."""
    ends = np.cumsum(sizes)[:, None]
    reached = np.rint(layer.thresholds * (ends / layer.n_in)).astype(np.int64)
    limit = np.array(sizes)[:, None] + 1
    return Dense(
        weights=layer.weights,
        thresholds=np.clip(np.diff(reached, axis=0, prepend=0), -limit, limit),
        polarity=np.repeat(layer.polarity, len(sizes), axis=0),
        group_sizes=np.array(sizes),
        combine=Combine.VOTE,
        output=layer.output,
    )
