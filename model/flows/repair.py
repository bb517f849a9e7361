"""Repair of a chip: spares stand in for broken lines, and neurons change rows around scattered failures.

A stuck device spoils a weight only when the weight wants its other state. The order of a hidden layer's
neurons is free (the next layer's columns follow it), so a neuron whose weights agree with a row's stuck
devices can take that row; nothing in the controller changes. What a broken line carried moves to a spare
(``model/mapping/spares.py``). See ``docs/decisions/0006-repair.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, Geometry, ProgOp, ProgSide, ReadMode, Repairs, Timing
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping, MappingOptions, map_network
from bridgebnn.model.mapping.program_log import Cell, Failure, ProgramLog
from bridgebnn.model.mapping.spares import (
    BrokenLines,
    RepairError,
    assign,
    listed,
    to_plain,
)
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.host import HostDense
from bridgebnn.model.networks.network import Network
from bridgebnn.model.networks.operations import Operation

from .programming import ProgramReport, program

__all__ = [
    "PASSES",
    "Cell",
    "Repair",
    "RepairError",
    "changed_rows",
    "needed_weights",
    "program_repaired",
    "repair",
    "repair_chip",
]

PASSES = 6
"""Most times that a chip is programmed and looked at before repair gives up."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """A network placed around the devices that failed.

    Parameters
    ----------
    network : Network
        The same function with its hidden neurons in another order.
    mapping : Mapping
        Of that network.
    orders : tuple of int64 arrays, (n_out,)
        For each layer, the neuron of the given network that each row got.
    wrong_before, wrong : tuple of Cell
        Masked cells whose stuck device contradicts the weight, with the given order and now; plain places.
    """

    network: Network
    mapping: Mapping
    orders: tuple[NDArray[np.int64], ...]
    wrong_before: tuple[Cell, ...]
    wrong: tuple[Cell, ...]

    def summary(self) -> dict[str, Any]:
        """JSON-ready: spares in use, neurons that moved, cells that stay wrong."""
        return {
            "columns": [list(entry) for entry in self.mapping.repairs.columns],
            "rows": [list(entry) for entry in self.mapping.repairs.rows],
            "moved_neurons": int(sum((order != np.arange(order.size)).sum() for order in self.orders)),
            "wrong_cells": len(self.wrong),
        }


def needed_weights(failures: Iterable[Failure]) -> dict[Cell, set[int]]:
    """Bits that the cells with a failed device can still hold: {0}, {1}, or none when both devices failed so.

    A device that failed RESET stays in LRS; one that failed FORM or SET conducts no better than HRS. P in LRS
    and N in HRS is bit 1.
    """
    bits: dict[Cell, set[int]] = {}
    for tile, row, column, side, op in failures:
        bit = int((op is ProgOp.RESET) == (side is ProgSide.P))
        bits.setdefault((tile, row, column), {0, 1}).discard(1 - bit)
    return bits


def repair(
    network: Network,
    geometry: Geometry,
    failures: Iterable[Failure],
    *,
    combine: Combine = Combine.ADD,
    final_mode: ReadMode = ReadMode.COUNT,
    most: int | None = None,
    repairs: Repairs | None = None,
) -> Repair:
    """Reorder hidden neurons so that as few failed devices as possible contradict their weights.

    The layers are taken in turn: each is an assignment problem, neurons to rows, that costs 1 for each cell
    that would be wrong; it is solved exactly. The last layer's rows are its classes and keep their order, but
    its columns move with the layer before. Inputs of a layer that votes stay in their group. A device
    stuck in the state it was first asked for is in no log: program again, add the logs, repair once more.

    Parameters
    ----------
    network, geometry, combine, final_mode
        As for :func:`bridgebnn.model.mapping.mapping.map_network`, whose errors this raises too.
    failures : iterable of Failure
        The failure log of programming this chip, whatever it was programmed to.
    most : int, optional
        Wrong cells that may remain; None: any number.
    repairs : Repairs, optional
        Spares in use. Failures of replaced lines and of idle spares ask for nothing.

    Raises
    ------
    RepairError
        More remain.
    """
    from scipy.optimize import linear_sum_assignment  # slow to load, and each simulation is a process

    repairs = repairs or Repairs()
    stuck = needed_weights(failures)
    fixed = {plain: stuck[cell] for cell, plain in to_plain(stuck, repairs, geometry).items()}
    options = MappingOptions(combine=combine, final_mode=final_mode)
    mapping = map_network(network, geometry, **options)
    before = _wrong(mapping, fixed)
    orders = [np.arange(operation.n_out) for operation in network.operations]
    last = len(network.operations) - 1
    for number, index in enumerate(network.chip):
        if index == last:
            break
        cost = _cost_of_rows(mapping, number, fixed)
        n = len(cost)
        forbidden = np.zeros((n, n), bool)
        if index != network.chip[-1]:
            forbidden = _other_group(mapping, number + 1)
            if index + 1 == last:
                cost = cost + _cost_of_columns(mapping, number + 1, fixed)
        # stay where nothing is gained: a wrong cell weighs more than all moves together
        too_far = (n + 1) ** 2 * (1 + int(cost.max()))
        weighed = np.where(forbidden, too_far, cost * (n + 1)) - np.eye(n, dtype=int)
        rows, neurons = linear_sum_assignment(weighed)
        order = np.empty(n, np.int64)
        order[rows] = neurons
        network = _reordered(network, index, order)
        orders[index] = order
        mapping = map_network(network, geometry, **options)
    wrong = _wrong(mapping, fixed)
    if most is not None and len(wrong) > most:
        raise RepairError(
            f"{len(wrong)} cells cannot hold their weights, at most {most} may: "
            f"(tile, row, column) {listed(wrong)}"
        )
    return Repair(
        network=network,
        mapping=map_network(network, geometry, **options, repairs=repairs) if repairs else mapping,
        orders=tuple(orders),
        wrong_before=tuple(before),
        wrong=tuple(wrong),
    )


def repair_chip(
    network: Network,
    geometry: Geometry,
    log: ProgramLog,
    *,
    combine: Combine = Combine.ADD,
    final_mode: ReadMode = ReadMode.COUNT,
    most: int | None = None,
) -> Repair:
    """Both kinds of repair, from all that programming showed: spares for broken lines, then :func:`repair`.

    To be repeated until nothing changes (:func:`changed_rows`): a spare may be broken itself, a device may be
    stuck in the state that it was first asked for.

    Raises
    ------
    RepairError
        The spares do not suffice, or more than ``most`` cells stay wrong.
    """
    plain = map_network(network, geometry, combine=combine, final_mode=final_mode)
    repairs = assign(BrokenLines.of(log), geometry, plain.masks)
    return repair(
        network,
        geometry,
        log.failures,
        combine=combine,
        final_mode=final_mode,
        most=most,
        repairs=repairs,
    )


def changed_rows(before: Mapping, after: Mapping) -> NDArray[np.bool_]:
    """Word lines that have to be programmed again, (T, R): those with a cell that is asked for another bit."""
    new = after.masks & ~before.masks
    return np.any(new | (after.masks & (after.images != before.images)), axis=2)


def program_repaired(
    array: Array,
    network: Network,
    timing: Timing,
    *,
    combine: Combine = Combine.ADD,
    final_mode: ReadMode = ReadMode.COUNT,
    most: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Repair, list[ProgramReport]]:
    """Program a chip with a network, repair it, and program what changed, until nothing does.

    Parameters
    ----------
    array : Array
        Of the geometry that the network is mapped to.
    network, combine, final_mode, most
        As for :func:`repair_chip`.
    timing : Timing
    progress : callable, optional
        Called with (rows done, rows in all) of the pass.

    Returns
    -------
    Repair
        What the chip holds now.
    list of ProgramReport
        Of the passes, the first one of all rows.

    Raises
    ------
    RepairError
        As :func:`repair_chip`; or rows still change after ``PASSES`` passes.
    """
    geometry, options = array.geometry, MappingOptions(combine=combine, final_mode=final_mode)
    mapping, log, reports = map_network(network, geometry, **options), ProgramLog.empty(geometry), []
    rows = np.any(mapping.masks, axis=2)
    for _ in range(PASSES):
        masks = mapping.masks & rows[..., None]
        reports.append(program(array, mapping.images, masks, timing, progress))
        log.add(reports[-1].as_log(masks, geometry.log_depth))
        found = repair_chip(network, geometry, log, **options, most=most)
        rows = changed_rows(mapping, found.mapping)
        if not rows.any():
            return found, reports
        mapping = found.mapping
    raise RepairError(f"{int(rows.sum())} rows still change after {PASSES} passes")


def _wrong(mapping: Mapping, fixed: dict[Cell, set[int]]) -> list[Cell]:
    return [
        cell
        for cell, bits in sorted(fixed.items())
        if mapping.masks[cell] and int(mapping.images[cell]) not in bits
    ]


def _cost_of_rows(mapping: Mapping, index: int, fixed: dict[Cell, set[int]]) -> NDArray[np.int64]:
    """Cells that go wrong when neuron j takes row i of a program, (rows, neurons); ``mapping`` has no repairs."""
    program = mapping.programs[index]
    tiles = {read.tile for read in program.reads}
    place = {row: i for i, row in enumerate(program.rows.tolist())}
    cost = np.zeros((program.n_out, program.n_out), np.int64)
    for (tile, row, column), bits in fixed.items():
        if tile in tiles and row in place and mapping.masks[tile, row, column]:
            cost[place[row]] += ~np.isin(mapping.images[tile, program.rows, column], list(bits))
    return cost


def _cost_of_columns(mapping: Mapping, index: int, fixed: dict[Cell, set[int]]) -> NDArray[np.int64]:
    """Cells of a program that go wrong when its input j takes the place of input i, (inputs, inputs)."""
    program = mapping.programs[index]
    tiles = np.concatenate([np.full(len(read.columns), read.tile) for read in program.reads])
    columns = np.concatenate([read.columns for read in program.reads])
    number = {place: i for i, place in enumerate(zip(tiles.tolist(), columns.tolist(), strict=True))}
    rows = set(program.rows.tolist())
    cost = np.zeros((program.n_in, program.n_in), np.int64)
    for (tile, row, column), bits in fixed.items():
        place = number.get((tile, column))
        if place is not None and row in rows:
            cost[place] += ~np.isin(mapping.images[tiles, row, columns], list(bits))
    return cost


def _other_group(mapping: Mapping, index: int) -> NDArray[np.bool_]:
    """Pairs of inputs of a program that may not change places, because their groups vote apart."""
    program = mapping.programs[index]
    group = np.zeros(program.n_in, int)
    if program.combine is Combine.VOTE:
        for k, read in enumerate(program.reads):
            group[read.inputs] = k
    return group[:, None] != group


def _dense(operation: Operation, index: int) -> Dense:
    if not isinstance(operation, Dense):
        raise RepairError(
            f"operation {index}: kind = {operation.kind!r}: only dense operations can be reordered"
        )
    return operation


def _reordered(network: Network, index: int, order: NDArray[np.int64]) -> Network:
    """The same function with row i of operation ``index`` computing its former neuron ``order[i]``."""
    operations = list(network.operations)
    own, following = _dense(operations[index], index), operations[index + 1]
    operations[index] = dataclasses.replace(
        own,
        weights=own.weights[order],
        thresholds=own.thresholds[:, order],
        polarity=own.polarity[:, order],
    )
    if isinstance(following, HostDense):
        operations[index + 1] = dataclasses.replace(following, weights=following.weights[:, order])
    else:
        following = _dense(following, index + 1)
        operations[index + 1] = dataclasses.replace(following, weights=following.weights[:, order])
    return dataclasses.replace(network, operations=tuple(operations))
