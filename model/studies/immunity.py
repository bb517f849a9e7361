"""The two immunities: one network on bridge arrays, on their ablations and on the conventional array.

The circuits, and the devices that all of them share, are those of ``circuits.py``; here are the sweeps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.flows import inference
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.parameters.params import MacroParams

from .circuits import Circuit, Sample, Setting, cells_of
from .current_mode import CurrentParams

__all__ = ["Circuit", "Setting", "accuracies", "cells_of", "classify", "setting", "sweeps"]


def sweeps(quick: bool = False) -> dict[str, tuple[str, list[float], list[Circuit]]]:
    """Names of the sweeps, each with the label of its axis, its values, and the circuits that it concerns."""
    everything = list(Circuit)
    found: dict[str, tuple[str, list[float], list[Circuit]]] = {
        "spread": ("device spread (multiple of the default sigmas)", [0, 1, 2, 4, 6, 8, 12], everything),
        "wire": ("wire resistance (ohm per cell)", [1, 3, 10, 30], everything),
        "supply": (
            "source resistance of the read supply (ohm)",
            [1e-3, 1e-2, 3e-2, 1e-1, 1, 100, 1e3, 3e3, 1e4, 3e4],
            everything,
        ),
        "plates": (
            "droop of the plates' supply (share of Vdd)",
            [0, 0.01, 0.02, 0.05, 0.1, 0.2],
            [Circuit.BRIDGE, Circuit.SINGLE_ENDED],
        ),
    }
    return {k: (a, v[::2] if quick else v, c) for k, (a, v, c) in found.items()}


def setting(sweep: str, value: float, tile: tuple[int, int] = (64, 128)) -> Setting:
    """The point ``value`` of a sweep; what it does not vary has its default.

    The conventional array has wires in the sweep ``wire`` only, tiles of ``tile`` rows and columns, and a
    source resistance in the sweep ``supply`` only.

    Raises
    ------
    ValueError
        For an unknown sweep.
    """
    macro = MacroParams.real()
    bridge, neuron = macro.bridge, macro.neuron
    no_wires = CurrentParams(r_row_ohm=0.0, r_column_ohm=0.0)
    if sweep == "spread":
        return Setting(spread=value, macro=macro, current=no_wires)
    if sweep == "wire":
        bridge = dataclasses.replace(
            bridge, r_bl_ohm=value, r_blb_ohm=value, r_supply_ohm=value, r_ground_ohm=value
        )
        current = CurrentParams(r_row_ohm=value, r_column_ohm=value, tile_rows=tile[0], tile_columns=tile[1])
    elif sweep == "supply":
        bridge = dataclasses.replace(bridge, r_feed_ohm=value)
        current = dataclasses.replace(no_wires, r_feed_ohm=value)
    elif sweep == "plates":
        neuron, current = dataclasses.replace(neuron, plate_droop=value), no_wires
    else:
        raise ValueError(f"sweep = {sweep!r}: must be spread, wire, supply or plates")
    return Setting(macro=dataclasses.replace(macro, bridge=bridge, neuron=neuron), current=current)


def classify(
    mapping: Mapping, at: Setting, chip: int, images: NDArray[np.uint8], circuits: Sequence[Circuit]
) -> dict[Circuit, NDArray[np.int64]]:
    """Classes that each circuit gives to the images, (batch,)."""
    sample, batch = Sample(mapping, at, chip), max(1, len(images))  # noise is drawn for all images at once
    return {
        circuit: inference.run(mapping, sample.evaluator(circuit), images, batch=batch).classes
        for circuit in circuits
    }


def accuracies(
    mapping: Mapping,
    at: Setting,
    chip: int,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    circuits: Sequence[Circuit] = tuple(Circuit),
) -> dict[str, float]:
    """Share of right classes by circuit, one chip."""
    found = classify(mapping, at, chip, images, circuits)
    return {circuit.value: float((classes == labels).mean()) for circuit, classes in found.items()}
