"""Device populations from measured resistances: a table, a fit, and the parameter set that has it.

The file is a CSV with a header. Columns ``state`` (``lrs`` or ``hrs``) and ``resistance_ohm`` are needed; ``device``,
``cycle``, ``temperature_K`` and ``conditions`` may be there. A resistance is taken as lognormal [std]: the fit is the
median and the standard deviation of ``ln R``. Where several devices have several cycles each, the variance between
devices and within a device are told apart by a one-way analysis of variance with random effects (Searle, Casella and
McCulloch, *Variance Components*, 1992, section 3.6); otherwise their shares are those of the default set [ours].
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.parameters.device_params import REFERENCE_WL_V, DeviceParams
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.names import check_names
from bridgebnn.records import Document, Record

__all__ = [
    "DevicesReport",
    "Measured",
    "StateFit",
    "draw_fit",
    "fit",
    "macro_of",
    "parameters_of",
    "read_measured",
]

T = TypeVar("T", str, float)

COLUMNS = ("state", "resistance_ohm", "device", "cycle", "temperature_K", "conditions")
STATES = ("lrs", "hrs")
LEAST = 8
"""Fewest resistances of a state that are fitted."""


@dataclass(frozen=True)
class Measured:
    """Resistances of one state, n of them.

    Parameters
    ----------
    ohm : float64, (n,)
    devices : tuple of str, (n,)
        Names of the devices; empty where the file has none.
    """

    ohm: NDArray[np.float64]
    devices: tuple[str, ...]


class StateFit(Record, frozen=True, kw_only=True):
    """Fit of one state.

    Parameters
    ----------
    count, devices : int
        Resistances, and devices they are of (0: not told).
    median_ohm : float
    sigma : float
        Standard deviation of ln R.
    sigma_device, sigma_cycle : float
        Between devices, and from cycle to cycle.
    split_measured : bool
        Whether the file tells the two apart; otherwise the shares are those of the default set [ours].
    distance : float
        Largest distance of the two distribution functions, data and fit (Kolmogorov-Smirnov).
    refused : float
        Share of the measured resistances that the verify reference of this state refuses.
    """

    count: int
    devices: int
    median_ohm: float
    sigma: float
    sigma_device: float
    sigma_cycle: float
    split_measured: bool
    distance: float
    refused: float


class DevicesReport(Document, frozen=True, kw_only=True):
    """Fit of a file of measured resistances: ``bridgebnn model devices``.

    Parameters
    ----------
    file : str
    temperature_K : float, optional
        Of the rows taken; None where the file has no such column.
    conditions : str, optional
        Likewise.
    lrs, hrs : StateFit
    parameters : dict of float
        Fields of the device parameters that the fit sets.
    """

    file: str
    temperature_K: float | None
    conditions: str | None
    lrs: StateFit
    hrs: StateFit
    parameters: dict[str, float]


def read_measured(
    path: str | Path, *, temperature_K: float | None = None, conditions: str | None = None
) -> tuple[dict[str, Measured], float | None, str | None]:
    """Resistances by state, with the temperature and the conditions of the rows taken.

    Parameters
    ----------
    path : str or Path
    temperature_K, conditions : optional
        Which rows; needed where the file has several.

    Raises
    ------
    ValueError
        Not such a file; the message names line, value and what is legal.
    """
    with Path(path).open(newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        names = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = names
        check_names(f"{path}", names, COLUMNS)
        for needed in COLUMNS[:2]:
            if needed not in names:
                raise ValueError(f"{path}: has no column {needed!r}; its first line must name its columns")
        rows = [_row(path, reader.line_num, row) for row in reader]
    temperature = _one(path, "temperature_K", temperature_K, (r.get("temperature_K") for r in rows))
    condition = _one(path, "conditions", conditions, (r.get("conditions") for r in rows))
    rows = [r for r in rows if temperature is None or r["temperature_K"] == temperature]
    rows = [r for r in rows if condition is None or r["conditions"] == condition]
    found = {}
    for state in STATES:
        here = [r for r in rows if r["state"] == state]
        if len(here) < LEAST:
            raise ValueError(f"{path}: {len(here)} resistances in state {state}; must be at least {LEAST}")
        devices = tuple(str(r["device"]) for r in here) if "device" in names else ()
        found[state] = Measured(np.array([float(r["resistance_ohm"]) for r in here]), devices)
    return found, temperature, condition


def _row(path: str | Path, line: int, row: dict[str | None, str | None]) -> dict[str, str | float]:
    if None in row or None in row.values():
        raise ValueError(f"{path}, line {line}: must have as many values as the first line has names")
    values: dict[str, str | float] = {str(name): str(value).strip() for name, value in row.items()}
    values["state"] = str(values["state"]).lower()
    if values["state"] not in STATES:
        raise ValueError(f"{path}, line {line}: state = {values['state']!r}: must be {' or '.join(STATES)}")
    for name in ("resistance_ohm", "temperature_K"):
        if name in values:
            try:
                values[name] = number = float(values[name])
            except ValueError:
                number = math.nan
            if not (number > 0 and math.isfinite(number)):
                raise ValueError(f"{path}, line {line}: {name} = {row[name]!r}: must be a positive number")
    return values


def _one(path: str | Path, name: str, wanted: T | None, values: Iterable[object]) -> T | None:
    there = Counter(values)
    if wanted is None and len(there) == 1:
        return next(iter(there))  # type: ignore[return-value]  # of a column, or None without one
    if wanted is None or wanted not in there:
        known = ", ".join(str(v) for v in there)
        what = "several values of" if wanted is None else f"no row with {wanted!r} in"
        raise ValueError(f"{path}: {what} {name}; choose one of {known}")
    return wanted


def fit(measured: dict[str, Measured]) -> tuple[dict[str, StateFit], DeviceParams]:
    """Fits by state, and the default device population with their medians and spreads.

    Raises
    ------
    ValueError
        A parameter comes out beyond its legal range.
    """
    usual = DeviceParams()
    lrs, hrs = measured["lrs"], measured["hrs"]
    fits = {
        "lrs": _fit(lrs, usual.lrs_sigma_device, usual.lrs_sigma_cycle, lrs.ohm > usual.lrs_max_ohm),
        "hrs": _fit(hrs, usual.hrs_sigma_device, usual.hrs_sigma_cycle, hrs.ohm < usual.hrs_min_ohm),
    }
    set_by_fit: dict[str, Any] = {**parameters_of(fits)}
    return fits, dataclasses.replace(usual, **set_by_fit)


def parameters_of(fits: dict[str, StateFit]) -> dict[str, float]:
    """Fields of `DeviceParams` that the fits set."""
    lrs, hrs = fits["lrs"], fits["hrs"]
    return {
        # R_LRS = compliance_V over the compliance current at the reference word line
        "compliance_V": lrs.median_ohm * DeviceParams().compliance_A(REFERENCE_WL_V),
        "lrs_sigma_device": lrs.sigma_device,
        "lrs_sigma_cycle": lrs.sigma_cycle,
        "hrs_median_ohm": hrs.median_ohm,
        "hrs_sigma_device": hrs.sigma_device,
        "hrs_sigma_cycle": hrs.sigma_cycle,
    }


def _fit(data: Measured, device: float, cycle: float, refused: NDArray[np.bool_]) -> StateFit:
    from scipy import stats  # slow to load

    logs = np.log(data.ohm)
    median, sigma = float(np.median(logs)), float(np.std(logs, ddof=1))
    parts = _components(logs, data.devices)
    share = parts or (sigma * device / math.hypot(device, cycle), sigma * cycle / math.hypot(device, cycle))
    distance = 0.0 if sigma == 0 else float(stats.kstest((logs - median) / sigma, "norm").statistic)
    return StateFit(
        count=len(logs),
        devices=len(set(data.devices)),
        median_ohm=math.exp(median),
        sigma=sigma,
        sigma_device=share[0],
        sigma_cycle=share[1],
        split_measured=parts is not None,
        distance=distance,
        refused=float(refused.mean()),
    )


def _components(logs: NDArray[np.float64], devices: tuple[str, ...]) -> tuple[float, float] | None:
    """Standard deviations between and within devices; None where the data cannot tell them apart."""
    groups = [logs[np.array(devices) == name] for name in dict.fromkeys(devices)]
    n, k = len(logs), len(groups)
    if k < 2 or n <= k:
        return None
    sizes = np.array([len(g) for g in groups])
    means = np.array([g.mean() for g in groups])
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - k)
    between = (sizes * (means - logs.mean()) ** 2).sum() / (k - 1)
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    return math.sqrt(max(0.0, (between - within) / typical)), math.sqrt(within)


def macro_of(path: str | Path) -> MacroParams:
    """The default macro with the devices of a file, named for it; ``ValueError`` as of `read_measured`."""
    return MacroParams(name=Path(path).stem, device=fit(read_measured(path)[0])[1])


def draw_fit(path: Path, measured: dict[str, Measured], fits: dict[str, StateFit]) -> None:
    """Probability plot of data against fit, a panel per state, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to load, as is scipy.stats
    from matplotlib.figure import Figure
    from scipy import stats

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, state in zip(figure.subplots(1, 2), STATES, strict=True):
        ohm, found = np.sort(measured[state].ohm), fits[state]
        quantiles = stats.norm.ppf((np.arange(len(ohm)) + 0.5) / len(ohm))
        axes.semilogx(ohm, quantiles, ".", label=f"measured, {len(ohm)}")
        line = np.array([quantiles[0], quantiles[-1]])
        axes.semilogx(
            found.median_ohm * np.exp(found.sigma * line), line, label=f"lognormal, sigma {found.sigma:.3f}"
        )
        axes.set(
            title=f"{state.upper()}, median {found.median_ohm:,.0f} ohm",
            xlabel="ohm",
            ylabel="standard normal quantile",
        )
        axes.legend()
    figure.savefig(path, dpi=100)
