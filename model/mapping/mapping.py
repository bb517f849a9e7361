"""A network on a chip's tiles: row programs, row images, descriptors, threshold entries and the packed input.

Each operation is lowered to a plan (``lowering.py``), the plans are placed (``placement.py``), and what the chip
is then told to do reads as row programs (``row_programs.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypedDict

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
from bridgebnn.model.networks.host import HostPart
from bridgebnn.model.networks.network import Network

from .lowering import Plan, lower, read_maps
from .placement import MappingError, place
from .row_programs import RowProgram, row_program
from .spares import relocate

__all__ = ["LayerReport", "Mapping", "MappingError", "MappingOptions", "map_network", "map_preset"]


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
        One per operation of the chip, ``network.chip``.
    thresholds : int16, (entries,)
        Used part of the threshold memory, from entry 0.
    images : uint8, (T, R, C)
        Bits of all cells, 1 = weight +1; 0 where the mask is 0. Physical: spares hold what they stand in for.
    masks : bool, (T, R, C)
        Cells to be programmed.
    report : tuple of LayerReport
        One per operation of the chip.
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

    @cached_property
    def programs(self) -> tuple[RowProgram, ...]:
        """What the descriptors make the chip do, one program per operation."""
        network = self.network
        return tuple(
            row_program(
                descriptor,
                self.thresholds,
                self.geometry,
                self.repairs,
                operation=i,
                source=i - 1 if i else None,
                output=network.operations[i].output,
            )
            for i, descriptor in zip(network.chip, self.descriptors, strict=True)
        )

    @cached_property
    def before(self) -> HostPart:
        """Host layers before the chip."""
        return HostPart(operations=self.network.host[0])

    @cached_property
    def behind(self) -> HostPart:
        """Host layers behind the chip."""
        return HostPart(operations=self.network.host[1])

    @property
    def comparisons(self) -> int:
        """Most evaluations that a row gets for one vector."""
        return max(program.comparisons for program in self.programs)

    def pack_inputs(self, images: NDArray[Any]) -> NDArray[np.uint32]:
        """Words of window INPUT for a batch of input vectors; host layers before the chip are evaluated here.

        Parameters
        ----------
        images : bool or integer {0, 1}, (batch, n_in)

        Returns
        -------
        uint32, (batch, tiles of the first layer * W)
            Word ``t*W + w`` holds columns 32*w.. of the layer's tile number t; every slice starts at bit 0. Where the
            first layer reads a map, (batch, words of the map): its bits in order.

        Raises
        ------
        ValueError
            Wrong shape, or values other than 0 and 1.
        """
        program, words = self.programs[0], self.geometry.row_words
        bits = self.before.bits(check_bits(images, self.network.n_in))
        if program.walk is not None:
            padded = np.zeros((len(bits), -(-bits.shape[1] // WORD_WIDTH) * WORD_WIDTH), np.uint8)
            padded[:, : bits.shape[1]] = bits
            return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32, copy=False)
        columns = np.zeros((len(bits), len(program.reads), words * WORD_WIDTH), np.uint8)
        for k, read in enumerate(program.reads):
            here = bits[:, read.inputs]
            columns[:, k, : here.shape[1]] = here
        packed = np.packbits(columns, axis=2, bitorder="little").view("<u4")
        return packed.reshape(len(bits), len(program.reads) * words).astype(np.uint32, copy=False)


class MappingOptions(TypedDict):
    """Options of ``map_network`` that go from hand to hand."""

    combine: Combine
    final_mode: ReadMode


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
    if not network.chip:
        raise MappingError(
            f"all {len(network.operations)} operations are host layers: a chip has nothing to do"
        )
    before, behind = network.host
    plans = read_maps(
        [lower(network.operations[i], i, geometry, combine, final_mode) for i in network.chip],
        geometry,
        network.chip[0],
    )
    _check_sizes(plans, geometry, network.chip[0])
    places = place([plan.shape for plan in plans], geometry)
    shape = (geometry.tiles, geometry.rows, geometry.columns)
    images, masks = np.zeros(shape, np.uint8), np.zeros(shape, bool)
    thresholds: list[NDArray[np.int64]] = []
    descriptors, base = [], 0
    for plan, (tile, row) in zip(plans, places, strict=True):
        plan.fill(images, masks, tile, row, geometry)
        descriptors.append(plan.descriptor(tile, row, base))
        if plan.entries is not None:
            thresholds.append(plan.entries)
            base += len(plan.entries)
    check_descriptors(descriptors, geometry)
    effective = (*before, *(plan.operation for plan in plans), *behind)
    same = all(a is b for a, b in zip(effective, network.operations, strict=True))
    return Mapping(
        geometry=geometry,
        network=network if same else replace(network, operations=effective),
        descriptors=tuple(descriptors),
        thresholds=np.concatenate([*thresholds, np.zeros(0, np.int64)]).astype(np.int16),
        images=relocate(images, repairs, geometry),
        masks=relocate(masks, repairs, geometry),
        report=tuple(_report(plan) for plan in plans),
        repairs=repairs,
    )


def _check_sizes(plans: list[Plan], geometry: Geometry, first: int) -> None:
    """Refuse more layers, scores or threshold entries than the controller has room for; ``first``: number of plan 0."""
    if len(plans) > geometry.layers:
        raise MappingError(
            f"the network has {len(plans)} layers, {len(plans) - geometry.layers} more "
            f"than the descriptor table; layers = {len(plans)} would fit"
        )
    last = plans[-1].operation
    if last.output == "score" and last.n_out > geometry.scores:
        raise MappingError(
            f"layer {first + len(plans) - 1}: {last.n_out} scores, {last.n_out - geometry.scores} more than a result "
            f"bank holds; scores = {last.n_out} would fit"
        )
    needed = {
        f"layer {i}": len(plan.entries) for i, plan in enumerate(plans, first) if plan.entries is not None
    }
    total = sum(needed.values())
    if total > geometry.thresholds:
        parts = ", ".join(f"{layer}: {count}" for layer, count in needed.items())
        raise MappingError(
            f"{total} threshold entries are needed ({parts}), {total - geometry.thresholds} more than the "
            f"memory has; thresholds = {total} would fit"
        )


def map_preset(preset: Preset, network: Network) -> Mapping:
    """``map_network`` with the geometry and the choices of a preset."""
    return map_network(network, preset.geometry, combine=preset.combine, final_mode=preset.final_mode)


def _report(plan: Plan) -> LayerReport:
    refs = plan.entries if plan.mode is ReadMode.SIGN and plan.entries is not None else np.zeros(1, np.int64)
    tiles, rows = plan.shape
    return LayerReport(
        tiles=tiles,
        rows=rows,
        inputs=sum(plan.sizes),
        mode=plan.mode,
        combine=plan.combine,
        bias=max(plan.bias),
        cells=rows * (sum(plan.sizes) + sum(plan.bias)),
        refs=int(np.count_nonzero(refs)),
        ref_max=int(np.abs(refs).max()),
        entries=0 if plan.entries is None else len(plan.entries),
        ties=plan.ties,
    )
