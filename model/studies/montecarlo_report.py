"""What a Monte Carlo run says of its chips, as a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.model.macro.energy import price
from bridgebnn.model.macro.events import EnergyParts, EnergyReport, Events
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.records import Document, Record

__all__ = ["ChipEnergy", "ConditionResult", "MonteCarloReport", "energy_of_chips", "summarised"]


class ChipEnergy(Record, frozen=True, kw_only=True):
    """What an inference costs on the chips of one condition; see docs/energy.md.

    Parameters
    ----------
    parts : EnergyParts
        Mean over the chips, of one inference.
    mean_J, std_J, low_J, high_J : float
        Of an inference, over the chips.
    p05_J, p50_J, p95_J : float
        Quantiles.
    dearest_chip : int
        Seed of the chip with the largest energy, the first of them.
    per_operation_J, tops_per_w, macro_tops_per_w : float
        Of all chips together.
    """

    parts: EnergyParts
    mean_J: float
    std_J: float
    low_J: float
    high_J: float
    p05_J: float
    p50_J: float
    p95_J: float
    dearest_chip: int
    per_operation_J: float
    tops_per_w: float
    macro_tops_per_w: float


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
    energy : ChipEnergy, optional
        Where it was asked for, and an array answers.
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
    energy: ChipEnergy | None = None


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


def energy_of_chips(
    events: Sequence[Events],
    macro: MacroParams,
    geometry: Geometry,
    timing: Timing,
    *,
    images: int,
    chips: NDArray[np.uint64],
) -> ChipEnergy:
    """What an inference costs on chips, from what each counted over ``images`` inferences."""
    total = Events()
    for counted in events:
        total = total.plus(counted)
    priced = [price(counted, macro, geometry, timing) for counted in events]
    together = EnergyReport.of(total, _sum(priced), images * len(priced))
    each_J = np.array([parts.total_J for parts in priced]) / images
    p05, p50, p95 = np.quantile(each_J, [0.05, 0.5, 0.95]).tolist()
    return ChipEnergy(
        parts=together.parts,
        mean_J=together.per_inference_J,
        std_J=float(each_J.std(ddof=min(1, len(each_J) - 1))),
        low_J=float(each_J.min()),
        high_J=float(each_J.max()),
        p05_J=p05,
        p50_J=p50,
        p95_J=p95,
        dearest_chip=int(chips[int(each_J.argmax())]),
        per_operation_J=together.per_operation_J,
        tops_per_w=together.tops_per_w,
        macro_tops_per_w=together.macro_tops_per_w,
    )


def _sum(priced: Sequence[EnergyParts]) -> EnergyParts:
    """Of all chips."""
    return EnergyParts(**{name: sum(float(parts[name]) for parts in priced) for name in priced[0]})
