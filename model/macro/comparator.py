"""The clocked comparator of a neuron: what it adds to dV, and what it does when its time is over.

**Regeneration** [std]. The latch grows what it sees by ``exp(t / tau)`` until an output has reached the supply: it has
decided ``sense_delay + tau * ln(Vdd / |dV|)`` after its clock. With ``decide_s`` = 0 it is waited for, as the
controller does (``cmp_valid``). With a limit it has not decided where ``|dV| < w``,

    w = Vdd * exp(-(decide_s - sense_delay) / tau).

**The decision before.** An undecided output stays where it was, and a latch that was not fully reset starts from
there: the threshold moves by ``hysteresis_V`` in favour of the decision before [ours]. That decision was another
neuron's, of which this one knows nothing, so it is *drawn*: a side, +1 or -1, per read of a row [ours]. What a row
answers then does not hang on the order in which rows are read, and every attachment sees the same. Both effects
together: the comparator decides by the sign of ``dV + offset + noise + side * (hysteresis_V + w)``.

**Noise** is normal, a new number per decision, and **kickback** a charge that the clock pushes onto both lines; of
it the lines' different loads make a dV, ``kickback_C * (1 / C_P - 1 / C_N)``, fixed per tile.

SPICE gives tau, delay, noise and kickback of the circuit of docs/spice.md, and finds no hysteresis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.draws import Purpose, many_normal, many_uniform
from bridgebnn.model.parameters.params import NeuronParams

__all__ = ["drawn_counts", "kickback_V", "many_drawn_counts", "resolve_s", "undecided_V", "window_V"]


def undecided_V(params: NeuronParams) -> float:
    """Input below which the comparator has not decided after ``decide_s``, in volt; 0 where it is waited for."""
    p = params
    if p.decide_s == 0:
        return 0.0
    left_s = p.decide_s - p.sense_delay_s
    if p.regeneration_tau_s == 0:
        return 0.0 if left_s >= 0 else p.vdd_V
    return p.vdd_V * math.exp(min(0.0, -left_s / p.regeneration_tau_s))


def window_V(params: NeuronParams) -> float:
    """Input up to which the side decides, in volt: what is undecided, and the hysteresis."""
    return undecided_V(params) + params.hysteresis_V


def kickback_V(params: NeuronParams, load_p: float, load_n: float) -> float:
    """What the comparator's clock adds to dV, in volt; loads of the lines in units of Cu."""
    return params.kickback_C / params.cu_F * (1.0 / load_p - 1.0 / load_n)


def drawn_counts(
    noise: float, window: float, chip: int, tile: int, number: int, size: int
) -> NDArray[np.float64]:
    """What is drawn in the decisions of rows 0 to ``size - 1`` of a tile at their read ``number``, in counts.

    Parameters
    ----------
    noise, window : float
        Rms noise, and the window of ``window_V``, in counts.
    chip, tile, number : int
        Keys of the draws.

    Returns
    -------
    float64, (size,)
        A smaller ``size`` gives the beginning of a larger one.
    """
    return many_drawn_counts(noise, window, chip, tile, (number,), size)[0]


def many_drawn_counts(
    noise: float, window: float, chip: int, tile: int, numbers: Sequence[int], size: int
) -> NDArray[np.float64]:
    """``drawn_counts`` at several reads, float64 (n, size)."""
    found = many_normal(chip, Purpose.COMPARATOR_NOISE, tile, numbers, size=size)
    found *= noise
    if window > 0:
        side = many_uniform(chip, Purpose.COMPARATOR_SIDE, tile, numbers, size=size) < 0.5
        found += np.where(side, window, -window)
    return found


def resolve_s(params: NeuronParams, seen_V: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time from the clock to the output, in second; at most ``decide_s`` where that is set.

    Parameters
    ----------
    seen_V : float64
        Magnitude of everything that the comparator sees.
    """
    p = params
    if p.regeneration_tau_s == 0:
        found = np.full(np.shape(seen_V), p.sense_delay_s)
    else:
        with np.errstate(divide="ignore"):
            growth = np.log(p.vdd_V / seen_V)
        found = p.sense_delay_s + p.regeneration_tau_s * np.maximum(growth, 0.0)
    return found if p.decide_s == 0 else np.minimum(found, p.decide_s)
