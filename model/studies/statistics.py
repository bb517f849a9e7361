"""The authors' error model of a neuron: cell errors that shift the popcount, and a comparator near its threshold.

Everything here is **[data]**: the comparator's error, its spread and the way cells enter are those behind the
authors' published error tables (Ezzadeen et al., *Communications Engineering* 3, 80, 2024). Nothing of this
project's own physics is used; `bridgebnn.model.macro.neuron` is the physical neuron beside it.

With N inputs and ``B = 2*floor(0.05*N)`` bias cells a neuron counts ``C = N + B`` cells. At distance D from the
threshold ``U = ceil(C/2) + D`` cells should read 1 and ``L = floor(C/2) - D`` should read 0. At cell error rate p
``i ~ Bin(U, p)`` ones are lost and ``j ~ Bin(L, p)`` zeros are gained, which leaves the neuron at the distance
``d = D - i + j``. There the comparator errs with

    s(d) = 0.5 * exp(-(|d| + 1)**2 / (2 * sigma**2)),    sigma = a*C + b,

so that the output is wrong with probability 1 - s(d) where d < 0, and with s(d) elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import bias_columns
from bridgebnn.model.parameters.published import CLOCKS_NS, cells_sigma, comparator_error

__all__ = ["CLOCKS_NS", "MAX_INPUTS", "comparator_error", "displaced", "neuron_error", "sigma_counts"]

MAX_INPUTS = 6921
"""Inputs N of the widest neuron in the published tables [data]."""

_NEGLIGIBLE = 1e-40
"""Probabilities of cell errors below this are left out: far below what any sum here resolves."""


def sigma_counts(n_inputs: int, clock_ns: int) -> float:
    """Spread of the comparator, in popcount counts.

    Parameters
    ----------
    n_inputs : int, 1..6921
        Inputs N without bias cells.
    clock_ns : 6, 8 or 20
        Time that the comparator has, in ns.

    Raises
    ------
    ValueError
        With the value and what is legal.
    """
    if isinstance(n_inputs, bool) or n_inputs != int(n_inputs) or not 1 <= n_inputs <= MAX_INPUTS:
        raise ValueError(f"n_inputs = {n_inputs!r}: must be an integer from 1 to {MAX_INPUTS}")
    return cells_sigma(int(n_inputs) + bias_columns(int(n_inputs)), clock_ns)


def neuron_error(
    n_inputs: int, cell_error_rate: float, clock_ns: int, distance: ArrayLike
) -> NDArray[np.float64]:
    """Probability that a neuron's output is wrong, at each distance from its threshold.

    Exact: the sums over both numbers of cell errors are carried out, nothing is drawn.

    Parameters
    ----------
    n_inputs : int, 1..6921
        Inputs N without bias cells.
    cell_error_rate : float, 0..1
        Probability p that a cell reads the wrong bit.
    clock_ns : 6, 8 or 20
        Time that the comparator has, in ns.
    distance : array of int, each 0..floor(C/2)
        Distance D of the error-free popcount from the threshold.

    Returns
    -------
    float64, shape of ``distance``

    Raises
    ------
    ValueError
        With the offending value and what is legal.

    References
    ----------
    Ezzadeen et al., *Communications Engineering* 3, 80 (2024), the published error tables.
    """
    sigma = sigma_counts(n_inputs, clock_ns)
    if not 0 <= cell_error_rate <= 1:
        raise ValueError(f"cell_error_rate = {cell_error_rate!r}: must be from 0 to 1")
    cells = int(n_inputs) + bias_columns(int(n_inputs))
    far = np.asarray(distance)
    if far.dtype.kind not in "iu":
        raise ValueError(f"distance is {far.dtype}: must be integers, in popcount counts")
    wrong = (far < 0) | (far > cells // 2)
    if wrong.any():
        raise ValueError(
            f"distance = {far[wrong].flat[0]}: must be from 0 to {cells // 2}, half of {cells} cells"
        )
    unique, where = np.unique(far, return_inverse=True)
    rates = np.array([_at(int(d), cells, cell_error_rate, sigma) for d in unique], np.float64)
    return rates[where].reshape(far.shape)


def _at(distance: int, cells: int, rate: float, sigma: float) -> float:
    """Error probability at one distance: the mean of the decision's error over ``displaced``."""
    d, shift = displaced(distance, cells, rate)
    s = comparator_error(d, sigma)
    return float(shift @ np.where(d < 0, 1 - s, s))


def displaced(distance: int, cells: int, rate: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where cell errors leave a neuron of ``cells`` cells: distances d' and their probabilities, each (k,)."""
    lost, first_lost = _errors((cells + 1) // 2 + distance, rate)
    gained, first_gained = _errors(cells // 2 - distance, rate)
    # reversed, ones lost count down: entry k of the convolution is a distance of first + k
    shift = np.convolve(gained, lost[::-1])
    first = distance + first_gained - (first_lost + len(lost) - 1)
    return np.arange(first, first + len(shift)), shift


def _errors(count: int, rate: float) -> tuple[NDArray[np.float64], int]:
    """Binomial probabilities of the numbers of errors that matter, and the least of those numbers."""
    mean, spread = count * rate, np.sqrt(count * rate * (1 - rate))
    # 14 deviations and 40 more: beyond, less than _NEGLIGIBLE is left even of a Poisson tail
    low, high = max(0, int(mean - 14 * spread - 40)), min(count, int(mean + 14 * spread + 40))
    from scipy.stats import binom  # slow to load, and only needed here

    probability = binom.pmf(np.arange(low, high + 1), count, rate)
    kept = np.flatnonzero(probability > _NEGLIGIBLE)
    return probability[kept[0] : kept[-1] + 1], low + int(kept[0])
