"""The authors' published statistics of a macro, as parameters: comparator clock and cell error rate.

Everything here is **[data]**: spread and error of the comparator are those behind the authors' published error
tables (Ezzadeen et al., *Communications Engineering* 3, 80, 2024). ``bridgebnn.model.studies.statistics`` sums
them to the tables, ``bridgebnn.model.macro.published`` draws from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CLOCKS_NS", "PUBLISHED_LIKE", "PublishedParams", "cells_sigma", "check_clock", "comparator_error"]

CLOCKS_NS = {6: (0.00245622, 0.160218), 8: (0.0020275982, 0.18889), 20: (0.00170505, 0.211172)}
"""Comparator clock in ns: (a, b) of ``sigma = a*C + b`` in popcount counts [data].

The coefficients are known to six digits, which leaves up to 1e-5 of a table's smaller entries open. At 8 ns the
published rows of N = 1025 narrow a to 0.0020275981..0.0020275983, inside the rounding of 0.00202760, and that value
is used: every row then comes out to its last digit. At 6 and 20 ns the six digits are all that is known.
"""

PUBLISHED_LIKE = {"hysteresis_V": 6.58e-3, "regeneration_tau_s": 0.923e-9, "noise_V": 5.38e-3}
"""Fields of ``NeuronParams`` with which this project's comparator errs nearly as the tables say [ours]: fitted to them
by ``bridgebnn model error-fit``, and nothing that is known of the authors' circuit."""


@dataclass(frozen=True, kw_only=True)
class PublishedParams:
    """A macro that draws cell errors and decisions from the published statistics.

    Parameters
    ----------
    clock_ns : 6, 8 or 20
        Time that the comparator has, in ns.
    cell_error_rate : float, 0..1
        Probability that a cell reads the wrong bit, for good.

    Raises
    ------
    ValueError
        With the value and what is legal.
    """

    clock_ns: Literal[6, 8, 20] = 8
    cell_error_rate: float = 0.0

    def __post_init__(self) -> None:
        check_clock(self.clock_ns)
        rate = self.cell_error_rate
        number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not number or not math.isfinite(rate) or not 0 <= rate <= 1:
            raise ValueError(f"PublishedParams.cell_error_rate = {rate!r}: must be from 0 to 1")
        object.__setattr__(self, "cell_error_rate", float(rate))


def check_clock(clock_ns: int) -> None:
    """``ValueError`` unless the authors published this clock."""
    if isinstance(clock_ns, bool) or not isinstance(clock_ns, (int, np.integer)) or clock_ns not in CLOCKS_NS:
        legal = ", ".join(map(str, CLOCKS_NS))
        raise ValueError(f"clock_ns = {clock_ns!r}: the authors published {legal} ns")


def cells_sigma(cells: int, clock_ns: int) -> float:
    """Spread of the comparator of a neuron of ``cells`` cells, bias cells included, in popcount counts."""
    check_clock(clock_ns)
    a, b = CLOCKS_NS[clock_ns]
    return a * cells + b


def comparator_error(distance: ArrayLike, sigma: float) -> NDArray[np.float64]:
    """Probability that the comparator decides against the sign of ``distance``.

    Parameters
    ----------
    distance : array of int
        Signed distance d from the threshold in popcount counts; 0 is the nearest that counts as 1.
    sigma : float, positive
        Spread in popcount counts, see `cells_sigma`.

    Returns
    -------
    float64, shape of ``distance``
        ``0.5 * exp(-(|d| + 1)**2 / (2*sigma**2))``.
    """
    reach = np.abs(np.asarray(distance, np.float64)) + 1
    return 0.5 * np.exp(-(reach**2) / (2 * sigma**2))
