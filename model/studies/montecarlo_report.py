"""What a Monte Carlo run says of its chips, as a record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridgebnn.records import Document, Record

__all__ = ["ConditionResult", "MonteCarloReport", "summarised"]


class ConditionResult(Record, frozen=True, kw_only=True):
    """All chips under one condition.

    Parameters
    ----------
    name : str
    mean, std : float
        Of the chips' accuracies, 0..1.
    low, high : float
        Least and largest accuracy.
    p05, p50, p95 : float
        Quantiles.
    worst_chip : int
        Seed of the chip with the least accuracy, the first of them.
    seconds_per_chip : float, optional
        Processor time of one chip; None where all chips were there already.
    chips_by_right : dict of int
        How many chips have so many images right.
    """

    name: str
    mean: float
    std: float
    low: float
    high: float
    p05: float
    p50: float
    p95: float
    worst_chip: int
    seconds_per_chip: float | None
    chips_by_right: dict[str, int] = {}


class MonteCarloReport(Document, frozen=True, kw_only=True):
    """One network on many chips: ``bridgebnn model montecarlo``.

    Parameters
    ----------
    preset, network, data : str
    images : int
    golden_accuracy : float
        0..1.
    first_chip, chips : int
        Seeds ``first_chip ..``, how many.
    kept_chips : int
        That a former run had done.
    conditions : list of ConditionResult
    products_s : float
        Processor time of the float32 matrix products that one chip cannot do without, measured in this run.
    executor : str
    wall_s : float
    versions : dict of str
    """

    preset: str
    network: str
    data: str
    images: int
    golden_accuracy: float
    first_chip: int
    chips: int
    kept_chips: int
    conditions: list[ConditionResult]
    products_s: float
    executor: str
    wall_s: float
    versions: dict[str, str]


def summarised(
    name: str, right: NDArray[np.int32], images: int, chips: NDArray[np.uint64], seconds: float | None
) -> ConditionResult:
    """One condition, from how many images each chip has right."""
    share = right / images
    p05, p50, p95 = np.quantile(share, [0.05, 0.5, 0.95]).tolist()
    return ConditionResult(
        name=name,
        mean=float(share.mean()),
        std=float(share.std(ddof=min(1, len(share) - 1))),
        low=float(share.min()),
        high=float(share.max()),
        p05=p05,
        p50=p50,
        p95=p95,
        worst_chip=int(chips[int(share.argmin())]),
        seconds_per_chip=seconds,
        chips_by_right={str(n): int(c) for n, c in enumerate(np.bincount(right).tolist()) if c},
    )
