"""This project's physical neuron in the words of the published tables: how often it errs at a distance.

The comparator of ``bridgebnn.model.macro.neuron`` has a Gaussian offset that is fixed per tile, a Gaussian noise per
read, and its capacitors a mismatch. Over tiles and reads that is one normal number of sigma counts,

    sigma^2 = (offset^2 + injection^2 + noise^2 + 2 k T / (S Cu)) / lsb^2 + C cu_sigma^2 / 8,

on dV of ``d' + 1/2`` counts (C odd; ``d'`` where C is even), so a neuron that cell errors left at d' errs with
``Phi(-(d' + 1/2) / sigma)``. With a window of w counts (``bridgebnn.model.macro.comparator``) a side +-w is drawn per
decision, so it errs with the mean of ``Phi(-(d' + 1/2 - w) / sigma)`` and ``Phi(-(d' + 1/2 + w) / sigma)``. Cell errors
are those of the tables. [ours]

Mismatch: at half of C ones, ``x = 1/2 (sum of a over the ones - sum of b over the zeros)``, each sum out of a fixed
total, has the variance ``1/4 * 2 * (C/4) cu_sigma^2``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import bias_columns
from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import NeuronParams
from bridgebnn.records import Document, Record

from .statistics import displaced, neuron_error, sigma_counts

__all__ = [
    "ErrorModelReport",
    "ErrorRow",
    "compared",
    "decision_error",
    "physical_error",
    "physical_sigma",
    "physical_window",
]


class ErrorRow(Record, frozen=True, kw_only=True):
    """One cell error rate.

    Parameters
    ----------
    cell_error_rate : float
    published : list of list of float
        By clock, then by distance.
    physical : list of float
        By distance.
    """

    cell_error_rate: float
    published: list[list[float]]
    physical: list[float]


class ErrorModelReport(Document, frozen=True, kw_only=True):
    """Published and physical error of a neuron: ``bridgebnn model error-model``.

    Parameters
    ----------
    inputs, cells : int
    distances : list of int
    clocks_ns : list of int
    published_sigma : list of float
        By clock, counts.
    physical_sigma, offset_sigma, noise_sigma : float
        In counts; the first is everything that is normal, the others parts of it.
    window : float
        Counts within which the comparator gives a drawn side.
    lsb_V : float
        Volt of dV per count.
    rows : list of ErrorRow
    versions : dict of str
    """

    inputs: int
    cells: int
    distances: list[int]
    clocks_ns: list[int]
    published_sigma: list[float]
    physical_sigma: float
    offset_sigma: float
    noise_sigma: float
    window: float = 0.0
    lsb_V: float
    rows: list[ErrorRow]
    versions: dict[str, str]


def _nominal(params: NeuronParams, cells: int) -> Neuron:
    """The neuron without mismatch: its count, and its noise."""
    return Neuron.of(dataclasses.replace(params, cu_sigma=0.0), cells, 0, 0)


def physical_sigma(params: NeuronParams, cells: int) -> float:
    """Spread of everything that the comparator of a neuron of ``cells`` cells adds to dV, in counts."""
    neuron = _nominal(params, cells)
    offset = math.hypot(params.offset_sigma_V, params.injection_sigma_V) / neuron.lsb_V
    mismatch = params.cu_sigma * math.sqrt(cells / 8)
    return math.hypot(offset, neuron.noise, mismatch)


def physical_window(params: NeuronParams, cells: int) -> float:
    """Counts within which the comparator of a neuron of ``cells`` cells gives a drawn side."""
    return _nominal(params, cells).window


def decision_error(left: NDArray[np.integer], cells: int, sigma: float, window: float) -> NDArray[np.float64]:
    """Probability that a comparator errs at distances ``left``, of a neuron of ``cells`` cells, in counts."""
    at = left + cells % 2 / 2
    if sigma == 0:
        return ((at - window < 0).astype(float) + (at + window < 0)) / 2
    from scipy.special import ndtr  # slow to load

    return (ndtr(-(at - window) / sigma) + ndtr(-(at + window) / sigma)) / 2


def physical_error(
    params: NeuronParams, n_inputs: int, cell_error_rate: float, distance: ArrayLike
) -> NDArray[np.float64]:
    """Probability that the physical neuron errs, over tiles and reads; arguments as of ``neuron_error``.

    Raises
    ------
    ValueError
        As ``neuron_error``.
    """
    neuron_error(n_inputs, cell_error_rate, 8, np.zeros(0, int))  # checks what both take
    cells = int(n_inputs) + bias_columns(int(n_inputs))
    far = np.asarray(distance)
    if far.dtype.kind not in "iu" or (far.size and (far.min() < 0 or far.max() > cells // 2)):
        raise ValueError(f"distance must be integers from 0 to {cells // 2}, half of {cells} cells")
    sigma, window = physical_sigma(params, cells), physical_window(params, cells)

    def at(d: int) -> float:
        left, shift = displaced(d, cells, cell_error_rate)
        return float(shift @ decision_error(left, cells, sigma, window))

    return np.array([at(int(d)) for d in far.ravel()], np.float64).reshape(far.shape)


def compared(
    params: NeuronParams,
    n_inputs: int,
    rates: Sequence[float],
    clocks_ns: Sequence[int],
    distances: Sequence[int],
    versions: dict[str, str],
) -> ErrorModelReport:
    """Both models side by side."""
    cells, at = n_inputs + bias_columns(n_inputs), np.array(distances, int)
    neuron = _nominal(params, cells)
    values: dict[str, Any] = {
        "inputs": n_inputs,
        "cells": cells,
        "distances": at.tolist(),
        "clocks_ns": list(clocks_ns),
        "published_sigma": [sigma_counts(n_inputs, clock) for clock in clocks_ns],
        "physical_sigma": physical_sigma(params, cells),
        "offset_sigma": math.hypot(params.offset_sigma_V, params.injection_sigma_V) / neuron.lsb_V,
        "noise_sigma": neuron.noise,
        "window": neuron.window,
        "lsb_V": neuron.lsb_V,
        "rows": [
            ErrorRow(
                cell_error_rate=rate,
                published=[neuron_error(n_inputs, rate, clock, at).tolist() for clock in clocks_ns],
                physical=physical_error(params, n_inputs, rate, at).tolist(),
            )
            for rate in rates
        ],
        "versions": versions,
    }
    return ErrorModelReport(**values)
