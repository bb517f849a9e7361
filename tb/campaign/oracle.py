"""The oracle: what the chip really holds, asked of the modelled array and never of the controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import ProgSide, VerifyRef
from bridgebnn.model.flows import inference
from bridgebnn.model.macro.broken_lines import FaultyArray
from bridgebnn.model.mapping.mapping import Mapping

from .host import Claim

__all__ = ["contradiction", "results_differ", "unlisted", "wrong_devices"]


def wrong_devices(array: FaultyArray, claim: Claim) -> np.ndarray:
    """Devices of a row that are not in the state that its image asks for, bool (C, 2).

    Where a broken word line turns on a second row, the two devices count as the one that they are.
    """
    wrong = np.zeros((len(claim.mask), 2), bool)
    for side in ProgSide:
        low = array.held(claim.tile, claim.row, side, VerifyRef.LRS_MAX)
        high = array.held(claim.tile, claim.row, side, VerifyRef.HRS_MIN)
        wants_low = np.asarray(claim.image, bool) ^ bool(side)
        wrong[:, side] = claim.mask & ~np.where(wants_low, low, high)
    return wrong


def contradiction(array: FaultyArray, claim: Claim) -> str | None:
    """Why a row that is held for programmed is not: a device or a bridge that says otherwise."""
    devices = np.argwhere(wrong_devices(array, claim)).tolist()
    place = f"tile {claim.tile}, row {claim.row}"
    if devices:
        column, side = devices[0]
        return f"{place}: {len(devices)} devices not in their state, first column {column} side {side}"
    ones, zeros = array.bridges(claim.tile, claim.row, claim.mask)
    image = np.asarray(claim.image, bool)
    bridges = np.flatnonzero(claim.mask & ((ones != image) | (zeros == image)))
    if bridges.size:
        return f"{place}: {bridges.size} bridges decide otherwise, first column {bridges[0]}"
    return None


def unlisted(array: FaultyArray, claim: Claim, log: Sequence[Any]) -> str | None:
    """A device of a row that failed, is not in its state and stands in no line of the failure log."""
    wrong = wrong_devices(array, claim)
    for entry in log:
        if (entry.tile, entry.row) == (claim.tile, claim.row):
            wrong[entry.column, entry.side] = False
    left = np.argwhere(wrong).tolist()
    return f"{len(left)} devices failed and are not in the log, first {left[0]}" if left else None


def results_differ(
    mapping: Mapping, twins: Sequence[FaultyArray], images: np.ndarray, results: Sequence[Any]
) -> str | None:
    """The first difference between results that the host accepted and a chip evaluated row by row, alone."""
    for twin in twins:
        expected = inference.run_row_by_row(mapping, twin, images)
        for index, result in enumerate(results):
            scores, wanted = result.scores.tolist(), expected.scores[index].tolist()
            if scores != wanted:
                return f"scores of vector {index}: {scores}, not {wanted}"
            if result.label != expected.classes[index]:
                return f"class of vector {index}: {result.label}, not {expected.classes[index]}"
    return None
