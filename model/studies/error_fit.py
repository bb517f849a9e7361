"""This project's comparator fitted to the published error tables: three numbers, and what they leave.

Noise, hysteresis and regeneration time of ``bridgebnn.model.macro.comparator`` are fitted by least squares to the
published s(d) [data] without cell errors, over neurons of `INPUTS` inputs and all clocks at once. Fixed per tile there
is nothing: the tables are of decisions drawn one by one, so offset and injection are 0. Each table weighs alike, over
the distances at which the published error is at least `LEAST`. Cell errors take no part in the fit; with them, and on
the smaller neurons of `SMALL`, the fitted comparator is held against the tables as well. [ours]

Why it cannot fit exactly: ``s = 0.5 exp(-(|d| + 1)^2 / (2 sigma^2))`` is no function of dV, as d = 0 and d = -1, half a
count to either side of the threshold of an odd neuron, count as 1 and 2; and sigma has a part of 0.16 to 0.21 counts
that no voltage explains, as it does not shrink with the neuron. Below about 500 inputs that is most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import bias_columns
from bridgebnn.model.parameters.params import MacroParams, NeuronParams
from bridgebnn.model.parameters.published import CLOCKS_NS
from bridgebnn.records import Document, Record

from .error_physics import decision_error, physical_error, physical_sigma, physical_window
from .statistics import comparator_error, neuron_error, sigma_counts

__all__ = [
    "INPUTS",
    "LEAST",
    "RATES",
    "SMALL",
    "ErrorFitReport",
    "TableResidual",
    "fit",
    "residuals",
    "table",
]

INPUTS = (511, 1025, 2047, 4095, 6921)
"""Inputs of the neurons that are fitted: odd, so that no popcount ties."""

SMALL = (127, 255)
"""Inputs of neurons that are not fitted: their tables have one to three distances."""

LEAST = 1e-4
"""Smallest published error that a fit looks at."""

RATES = (0.0, 0.001, 0.01, 0.1)
"""Cell error rates of the tables that residuals are told of."""

Floats = NDArray[np.float64]


class TableResidual(Record, frozen=True, kw_only=True):
    """What is left of one table: fitted minus published probability of a wrong bit.

    Parameters
    ----------
    inputs, clock_ns : int
    cell_error_rate : float
    distances : int
        How many, from 0 on: as far as the published error is at least 1e-4.
    rms, largest : float
        Over them; the largest with its sign.
    at : int
        Distance of the largest.
    published, fitted : list of float
        By distance.
    """

    inputs: int
    clock_ns: int
    cell_error_rate: float
    distances: int
    rms: float
    largest: float
    at: int
    published: list[float]
    fitted: list[float]


class ErrorFitReport(Document, frozen=True, kw_only=True):
    """The comparator fitted to the published tables: ``bridgebnn model error-fit``.

    Parameters
    ----------
    fitted, kept : dict of float
        Fields of ``NeuronParams`` as this fit finds them, and as ``--macro published-like`` has them.
    rms : float
        Over all tables that were fitted, each weighing alike.
    tables : list of TableResidual
        Of ``kept``.
    wall_s : float
    versions : dict of str
    """

    fitted: dict[str, float]
    kept: dict[str, float]
    rms: float
    tables: list[TableResidual]
    wall_s: float
    versions: dict[str, str]


def table(inputs: int, clock_ns: int) -> tuple[NDArray[np.int64], Floats]:
    """Distances of one table without cell errors, and the published errors there: down to `LEAST`."""
    cells = inputs + bias_columns(inputs)
    distance = np.arange(cells // 2 + 1)
    error = comparator_error(distance, sigma_counts(inputs, clock_ns))
    kept = max(1, int(np.searchsorted(-error, -LEAST, side="right")))
    return distance[:kept], error[:kept]


def _neuron(values: Sequence[float]) -> NeuronParams:
    hysteresis_V, tau_s, noise_V = (abs(float(v)) for v in values)
    base = MacroParams.published_like().neuron
    return replace(base, hysteresis_V=hysteresis_V, regeneration_tau_s=tau_s, noise_V=noise_V)


def _left(neuron: NeuronParams, tables: dict[tuple[int, int], tuple[NDArray[np.int64], Floats]]) -> Floats:
    """Weighted residuals of all tables, end to end: their squares sum to the number of tables times rms^2."""
    parts = []
    for (inputs, clock_ns), (distance, error) in tables.items():
        cells, params = inputs + bias_columns(inputs), replace(neuron, decide_s=clock_ns * 1e-9)
        ours = decision_error(distance, cells, physical_sigma(params, cells), physical_window(params, cells))
        parts.append((ours - error) / np.sqrt(len(error)))
    return np.concatenate(parts)


def fit(
    inputs: Sequence[int] = INPUTS, clocks_ns: Sequence[int] = tuple(CLOCKS_NS)
) -> tuple[dict[str, float], float]:
    """Fit the three numbers.

    Returns
    -------
    fitted : dict of float
        ``hysteresis_V``, ``regeneration_tau_s``, ``noise_V``.
    rms : float
        Root of the mean over the tables of their mean square residual.
    """
    from scipy.optimize import least_squares  # slow to load

    tables = {(n, clock): table(n, clock) for n in inputs for clock in clocks_ns}
    scale = np.array([1e-3, 1e-9, 1e-3])
    found = least_squares(lambda p: _left(_neuron(p * scale), tables), [5.0, 1.0, 5.0])
    names = ("hysteresis_V", "regeneration_tau_s", "noise_V")
    rms = float(np.sqrt(2 * found.cost / len(tables)))
    return dict(zip(names, np.abs(found.x * scale).tolist(), strict=True)), rms


def residuals(neuron: NeuronParams, inputs: int, clock_ns: int, cell_error_rate: float) -> TableResidual:
    """Of one table, as far as the published error is at least `LEAST`, at most 200 counts away."""
    cells = inputs + bias_columns(inputs)
    distance = np.arange(min(200, cells // 2) + 1)
    published = neuron_error(inputs, cell_error_rate, clock_ns, distance)
    kept = max(1, int(np.count_nonzero(published >= LEAST)))
    distance, published = distance[:kept], published[:kept]
    ours = physical_error(replace(neuron, decide_s=clock_ns * 1e-9), inputs, cell_error_rate, distance)
    off = ours - published
    at = int(np.argmax(np.abs(off)))
    return TableResidual(
        inputs=inputs,
        clock_ns=clock_ns,
        cell_error_rate=cell_error_rate,
        distances=kept,
        rms=float(np.sqrt(np.mean(off**2))),
        largest=float(off[at]),
        at=at,
        published=published.tolist(),
        fitted=ours.tolist(),
    )
