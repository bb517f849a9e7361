"""A network on a chip's tiles: row images, descriptors, threshold entries and the packed input.

Choices, layer by layer:

* inputs over more than N columns split over tiles in nearly equal slices; ``ADD`` counts (COUNT or SEARCH)
  and adds, the network stays what it was; ``VOTE`` turns a sign layer into one of group votes, with the
  threshold shared out over the groups in proportion to their inputs: the *effective network*, on which
  golden is run.
  A score layer is always added, as votes of few groups are too coarse a score;
* a layer that the network itself splits into voting groups keeps its groups, one tile each;
* one tile reads SIGN, a score COUNT (or SEARCH);
* a neuron of polarity -1 is stored negated: ``dot <= t`` is ``-dot >= -t``.

See ``model/mapping/placement.py`` for thresholds and places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import (
    WORD_WIDTH,
    Combine,
    Descriptor,
    Geometry,
    Preset,
    ReadMode,
    Repairs,
    check_descriptors,
)
from bridgebnn.model.networks.golden import check_bits
from bridgebnn.model.networks.network import Layer, Network

from .placement import MappingError, count_bias, place, sign_thresholds, split
from .spares import relocate

__all__ = ["LayerReport", "Mapping", "MappingError", "map_network", "map_preset"]


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What one layer takes, for tables.

    Parameters
    ----------
    tiles, rows, inputs : int
        Tiles in step, rows = neurons, inputs of the whole layer.
    mode, combine : ReadMode, Combine
    bias : int
        Bias columns enabled, largest over the tiles.
    cells : int
        Bridges programmed, over all tiles.
    refs : int
        Neurons whose threshold the bias cells do not carry: a SIGN reference other than 0.
    ref_max : int
        Largest such reference, without its sign.
    entries : int
        Threshold entries used.
    ties : bool
        An even number of columns is enabled for want of bias columns, so that dV may be 0.
    """

    tiles: int
    rows: int
    inputs: int
    mode: ReadMode
    combine: Combine
    bias: int
    cells: int
    refs: int
    ref_max: int
    entries: int
    ties: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """A network placed on a geometry.

    Parameters
    ----------
    geometry : Geometry
    network : Network
        The effective network: what the mapped chip computes when it is ideal.
    descriptors : tuple of Descriptor
        One a layer.
    thresholds : int16, (entries,)
        Used part of the threshold memory, from entry 0.
    images : uint8, (T, R, C)
        Bits of all cells, 1 = weight +1; 0 where the mask is 0. Physical: spares hold what they stand in for.
    masks : bool, (T, R, C)
        Cells to be programmed.
    report : tuple of LayerReport
        One a layer.
    repairs : Repairs
        Which lines the spares stand in for; none by default.
    """

    geometry: Geometry
    network: Network
    descriptors: tuple[Descriptor, ...]
    thresholds: NDArray[np.int16]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    report: tuple[LayerReport, ...]
    repairs: Repairs = field(default_factory=Repairs)

    @property
    def cells(self) -> int:
        """Bridges that are programmed."""
        return int(self.masks.sum())

    @property
    def rows_used(self) -> int:
        """Word lines with at least one programmed bridge, summed over the tiles."""
        return int(self.masks.any(axis=2).sum())

    def program_order(self) -> Iterator[tuple[int, int]]:
        """(tile, row) of every row to be programmed: tile by tile, rows upward."""
        yield from map(tuple, np.argwhere(self.masks.any(axis=2)).tolist())

    def entries(self, layer: int) -> NDArray[np.int64]:
        """Threshold entries of a layer, (row_count,); 0 where it uses none."""
        d = self.descriptors[layer]
        if not d.use_threshold:
            return np.zeros(d.row_count, np.int64)
        return self.thresholds[d.threshold_base : d.threshold_base + d.row_count].astype(np.int64)

    def rows(self, layer: int) -> NDArray[np.int64]:
        """Word line of each neuron of a layer, (row_count,)."""
        d = self.descriptors[layer]
        lines = self.repairs.physical_rows(self.geometry)
        return np.array(lines[d.row_first : d.row_first + d.row_count])

    def runs(self, layer: int) -> list[slice]:
        """The same as word lines that follow each other: one slice, or more where spares stand in."""
        rows = self.rows(layer)
        parts = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
        return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]

    def tile_inputs(
        self, layer: int, bits: NDArray[Any]
    ) -> Iterator[tuple[int, NDArray[np.bool_], NDArray[np.bool_]]]:
        """Column levels for a batch of a layer's inputs, tile by tile.

        Parameters
        ----------
        layer : int
        bits : {0, 1}, (batch, inputs of the layer)

        Yields
        ------
        tile : int
            Number of the tile on the chip.
        bl : bool, (batch, C)
            Inputs from column 0, bias columns at 1, spares as what they stand in for.
        col_en : bool, (C,)
        """
        d, g = self.descriptors[layer], self.geometry
        for k in range(d.tile_count):
            size, bias = (d.cols_last, d.bias_last) if k == d.tile_count - 1 else (d.cols, d.bias)
            bl = np.zeros((len(bits), g.plain_columns), bool)
            bl[:, :size] = bits[:, k * d.cols : k * d.cols + size]
            bl[:, g.inputs :] = True
            col_en = np.zeros(g.plain_columns, bool)
            col_en[:size] = True
            col_en[g.inputs : g.inputs + bias] = True
            yield d.tile_first + k, *self._physical(d.tile_first + k, bl, col_en)

    def _physical(
        self, tile: int, bl: NDArray[np.bool_], col_en: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Column data of the plain columns, where the chip has them; replaced columns keep their data, off."""
        g = self.geometry
        columns = self.repairs.physical_columns(g, tile)
        data = np.zeros((len(bl), g.columns), bool)
        data[:, : g.plain_columns] = bl
        data[:, columns] = bl
        enabled = np.zeros(g.columns, bool)
        enabled[columns] = col_en
        return data, enabled

    def pack_inputs(self, images: NDArray[Any]) -> NDArray[np.uint32]:
        """Words of window INPUT for a batch of input vectors.

        Parameters
        ----------
        images : bool or integer {0, 1}, (batch, n_in)

        Returns
        -------
        uint32, (batch, tiles of the first layer * W)
            Word ``t*W + w`` holds columns 32*w.. of the layer's tile number t; every slice starts at bit 0.

        Raises
        ------
        ValueError
            Wrong shape, or values other than 0 and 1.
        """
        d, words = self.descriptors[0], self.geometry.row_words
        bits = check_bits(images, d.inputs)
        columns = np.zeros((len(bits), d.tile_count, words * WORD_WIDTH), np.uint8)
        for k in range(d.tile_count):
            size = d.cols_last if k == d.tile_count - 1 else d.cols
            columns[:, k, :size] = bits[:, k * d.cols : k * d.cols + size]
        packed = np.packbits(columns, axis=2, bitorder="little").view("<u4")
        return packed.reshape(len(bits), d.tile_count * words).astype(np.uint32, copy=False)


@dataclass(frozen=True, eq=False)
class _Plan:
    """One layer before it has a place: slices, mode, bias cells, entries."""

    layer: Layer
    sizes: list[int]
    mode: ReadMode
    combine: Combine
    bias: list[int]
    ones: NDArray[np.int64]  # (k, n_out): bias cells at +1
    entries: NDArray[np.int64] | None  # (n_out,)
    ties: bool


def map_network(
    network: Network,
    geometry: Geometry,
    *,
    combine: Combine = Combine.ADD,
    final_mode: ReadMode = ReadMode.COUNT,
    repairs: Repairs | None = None,
) -> Mapping:
    """Place a network on a geometry.

    Parameters
    ----------
    network : Network
    geometry : Geometry
    combine : Combine
        How sign layers wider than a tile split, unless the network says it.
    final_mode : ReadMode
        COUNT or SEARCH: how popcounts are obtained wherever a score or a sum is needed.
    repairs : Repairs, optional
        Lines that spares stand in for.

    Raises
    ------
    MappingError
        The network does not fit.
    ValueError
        Repairs that the geometry does not allow.
    """
    repairs = repairs or Repairs()
    repairs.check(geometry)
    if final_mode is ReadMode.SIGN:
        raise MappingError("final_mode = SIGN: a score needs popcounts, by COUNT or SEARCH")
    if len(network.layers) > geometry.layers:
        raise MappingError(
            f"the network has {len(network.layers)} layers, {len(network.layers) - geometry.layers} more "
            f"than the descriptor table; layers = {len(network.layers)} would fit"
        )
    plans = [_plan(i, layer, geometry, combine, final_mode) for i, layer in enumerate(network.layers)]
    last = plans[-1].layer
    if last.output == "score" and last.n_out > geometry.scores:
        raise MappingError(
            f"layer {len(plans) - 1}: {last.n_out} scores, {last.n_out - geometry.scores} more than a result "
            f"bank holds; scores = {last.n_out} would fit"
        )
    places = place([(len(p.sizes), p.layer.n_out) for p in plans], geometry)
    needed = sum(len(p.entries) for p in plans if p.entries is not None)
    if needed > geometry.thresholds:
        parts = ", ".join(
            f"layer {i}: {len(p.entries)}" for i, p in enumerate(plans) if p.entries is not None
        )
        raise MappingError(
            f"{needed} threshold entries are needed ({parts}), {needed - geometry.thresholds} more than the "
            f"memory has; thresholds = {needed} would fit"
        )
    shape = (geometry.tiles, geometry.rows, geometry.columns)
    images, masks = np.zeros(shape, np.uint8), np.zeros(shape, bool)
    thresholds: list[NDArray[np.int64]] = []
    descriptors, report, base = [], [], 0
    for plan, (tile, row) in zip(plans, places, strict=True):
        _fill(plan, images, masks, tile, row, geometry)
        descriptors.append(_descriptor(plan, tile, row, base))
        report.append(_report(plan))
        if plan.entries is not None:
            thresholds.append(plan.entries)
            base += len(plan.entries)
    check_descriptors(descriptors, geometry)
    layers = tuple(plan.layer for plan in plans)
    same = all(a is b for a, b in zip(layers, network.layers, strict=True))
    return Mapping(
        geometry=geometry,
        network=network if same else Network(name=network.name, layers=layers, meta=network.meta),
        descriptors=tuple(descriptors),
        thresholds=np.concatenate([*thresholds, np.zeros(0, np.int64)]).astype(np.int16),
        images=relocate(images, repairs, geometry),
        masks=relocate(masks, repairs, geometry),
        report=tuple(report),
        repairs=repairs,
    )


def map_preset(preset: Preset, network: Network) -> Mapping:
    """``map_network`` with the geometry and the choices of a preset."""
    return map_network(network, preset.geometry, combine=preset.combine, final_mode=preset.final_mode)


def _plan(i: int, layer: Layer, geometry: Geometry, combine: Combine, final_mode: ReadMode) -> _Plan:
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
        return _Plan(
            layer,
            sizes,
            ReadMode.SIGN,
            Combine.VOTE if voting else Combine.ADD,
            found.bias,
            found.ones,
            found.refs if found.refs.any() else None,
            found.ties,
        )
    bias, ties = count_bias(sizes, geometry.bias)
    entries = -layer.n_in - 2 * sum(bias) - folded[0]
    if entries.min() < -(1 << 15) or entries.max() >= 1 << 15:
        raise MappingError(
            f"layer {i}: a threshold entry of {entries.min()} does not fit 16 bits; "
            "at most about 16000 inputs do"
        )
    ones = np.repeat(np.array(bias, np.int64)[:, None], layer.n_out, axis=1)
    return _Plan(layer, sizes, final_mode, Combine.ADD, bias, ones, entries, ties)


def _voted(layer: Layer, sizes: list[int]) -> Layer:
    """A sign layer as votes of its slices: the threshold is shared out in proportion to the inputs."""
    ends = np.cumsum(sizes)[:, None]
    reached = np.rint(layer.thresholds * (ends / layer.n_in)).astype(np.int64)
    limit = np.array(sizes)[:, None] + 1
    return Layer(
        weights=layer.weights,
        thresholds=np.clip(np.diff(reached, axis=0, prepend=0), -limit, limit),
        polarity=np.repeat(layer.polarity, len(sizes), axis=0),
        group_sizes=np.array(sizes),
        combine=Combine.VOTE,
        output=layer.output,
    )


def _fill(
    plan: _Plan,
    images: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    tile: int,
    row: int,
    geometry: Geometry,
) -> None:
    """Write one layer's cells into the images and masks of the chip."""
    layer, n = plan.layer, geometry.inputs
    rows, start = slice(row, row + layer.n_out), 0
    for k, size in enumerate(plan.sizes):
        polarity = layer.polarity[k if plan.combine is Combine.VOTE else 0]
        weights = layer.weights[:, start : start + size] * polarity[:, None]
        images[tile + k, rows, :size] = weights > 0
        images[tile + k, rows, n : n + plan.bias[k]] = np.arange(plan.bias[k]) < plan.ones[k][:, None]
        masks[tile + k, rows, :size] = True
        masks[tile + k, rows, n : n + plan.bias[k]] = True
        start += size


def _descriptor(plan: _Plan, tile: int, row: int, base: int) -> Descriptor:
    return Descriptor(
        tile_first=tile,
        tile_count=len(plan.sizes),
        row_first=row,
        row_count=plan.layer.n_out,
        cols=plan.sizes[0],
        cols_last=plan.sizes[-1],
        bias=plan.bias[0],
        bias_last=plan.bias[-1],
        threshold_base=0 if plan.entries is None else base,
        mode=plan.mode,
        combine=plan.combine,
        use_threshold=plan.entries is not None,
        score=plan.layer.output == "score",
    )


def _report(plan: _Plan) -> LayerReport:
    refs = plan.entries if plan.mode is ReadMode.SIGN and plan.entries is not None else np.zeros(1, np.int64)
    return LayerReport(
        tiles=len(plan.sizes),
        rows=plan.layer.n_out,
        inputs=plan.layer.n_in,
        mode=plan.mode,
        combine=plan.combine,
        bias=max(plan.bias),
        cells=plan.layer.n_out * (sum(plan.sizes) + sum(plan.bias)),
        refs=int(np.count_nonzero(refs)),
        ref_max=int(np.abs(refs).max()),
        entries=0 if plan.entries is None else len(plan.entries),
        ties=plan.ties,
    )
