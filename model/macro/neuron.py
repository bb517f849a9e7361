"""The fully differential capacitive neuron of a tile, its reference and its comparator.

Column c drives q through capacitor ``a_c`` onto VP and not-q through ``b_c`` onto VN (in units of Cu, 1 apart
from mismatch). After precharge both lines float at the common mode; the plates of the enabled columns move
from rest (0) to their level. Charge conservation [std] gives, over the enabled columns,

    VP - Vcm = Vdd * sum(a_c * q_c) / S_P,   S_P = sum of all a_c + Cpar/Cu,
    VN - Vcm = Vdd * sum(b_c * (1 - q_c)) / S_N.

Cpar is a constant of the line plus a part of each column, ``NeuronParams.parasitic_F``.

A disabled column keeps its plates at rest, so its capacitors still load the lines: they belong to the Cpar of
DESIGN section 1, which this equals when all capacitors are alike. With S the nominal load, one popcount count
is ``lsb = 2 * Vdd / S`` volt of dV, and dV in counts is affine in the bits:

    x = 1/2 * sum(w_c * q_c - v_c),   v_c = b_c * S / S_N,   w_c = a_c * S / S_P + v_c.

``w`` and ``v`` are rounded to multiples of 2**-20, so every sum of them is exact in float64, whatever its
order. Settling and leakage scale dV and the reference alike, so they appear as a smaller ``lsb`` against the
comparator's volts; a droop of the plates' supply scales dV alone, so the reference weighs more counts then.
Leakage grows with temperature, ``leak_tau(T) = leak_tau * 2^(-(T - 300 K) / doubling)`` [std].
With offset o and noise n in counts, and the DAC's gain g, the comparator gives 1 when
``ref * g >= -(x + o + n)``, that is ``ref >= min_ref = ceil(-(x + o + n) / g)``.

What the comparator does in the time that it has is ``comparator.py``: noise, and a side to which it falls where it
could not decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.draws import Purpose, normal
from bridgebnn.model.parameters.params import BOLTZMANN_J_PER_K, GRID, NeuronParams

from .comparator import drawn_counts, kickback_V, many_drawn_counts, resolve_s, window_V

_REF_LIMIT = 2**30
"""Beyond any reference: where a signal has vanished, an offset is worth any number of counts."""

_LEAST_LSB_V = 1e-30
"""What is left of a count at least, after any leakage and settling."""


@dataclass(frozen=True, eq=False)
class Neuron:
    """The neuron of one tile of one chip: all that is fixed when the chip is made.

    Parameters
    ----------
    w, v : float64, (C,)
        Weights of the sum above, multiples of 2**-20.
    lsb_V : float
        Volt of dV per popcount count when it is compared.
    offset : float
        Comparator offset and charge injection, in counts.
    noise : float
        Rms of comparator and kT/C noise, in counts.
    window : float
        Within so many counts of its threshold the comparator gives the side drawn for this decision.
    ref_gain : float
        Gain of the reference DAC: counts of dV per count asked for.
    a, b : float64, (C,)
        Capacitors on VP and VN in units of Cu, multiples of 2**-20.
    load_p, load_n : float
        Total load of the lines in units of Cu.
    params : NeuronParams
    """

    w: NDArray[np.float64]
    v: NDArray[np.float64]
    lsb_V: float
    offset: float
    noise: float
    window: float
    ref_gain: float
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    load_p: float
    load_n: float
    params: NeuronParams

    @classmethod
    def of(cls, params: NeuronParams, columns: int, chip: int, tile: int) -> Neuron:
        """The neuron of ``tile`` of ``chip`` with ``columns`` columns."""
        p = params
        caps = np.ones((columns, 2))
        if p.cu_sigma > 0:
            spread = p.cu_sigma * normal(chip, Purpose.CAPACITOR, tile, size=(columns, 2))
            caps = _on_grid(np.maximum(1.0 + spread, 0.1))  # a capacitor is never absent
        a, b = caps.T.copy()
        parasitic = p.parasitic_F(columns) / p.cu_F
        load, load_p, load_n = columns + parasitic, float(a.sum()) + parasitic, float(b.sum()) + parasitic
        v = _on_grid(b * (load / load_n))
        w = _on_grid(a * (load / load_p)) + v
        leak_tau_s = p.leak_tau_s * 2.0 ** (-(p.temperature_K - 300.0) / p.leak_doubling_K)
        kept = math.exp(-p.evaluate_s / leak_tau_s)
        settled = 1.0 - math.exp(-p.evaluate_s / p.settle_tau_s) if p.settle_tau_s > 0 else 1.0
        lsb_V = max(2.0 * p.vdd_V * (1.0 - p.plate_droop) / load * settled * kept, _LEAST_LSB_V)
        offset_V = p.offset_sigma_V * float(normal(chip, Purpose.COMPARATOR_OFFSET, tile, size=()))
        offset_V += p.injection_sigma_V * float(normal(chip, Purpose.CHARGE_INJECTION, tile, size=()))
        offset_V += kickback_V(p, load_p, load_n)
        thermal_V = math.sqrt(2.0 * BOLTZMANN_J_PER_K * p.temperature_K / (load * p.cu_F))  # both lines
        gain = 1.0 + p.ref_gain_sigma * float(normal(chip, Purpose.REFERENCE_GAIN, tile, size=()))
        return cls(
            w=w,
            v=v,
            lsb_V=lsb_V,
            offset=offset_V / lsb_V,
            noise=math.hypot(p.noise_V, thermal_V) / lsb_V,
            window=window_V(p) / lsb_V,
            ref_gain=gain / (1.0 - p.plate_droop),
            a=a,
            b=b,
            load_p=load_p,
            load_n=load_n,
            params=p,
        )

    @property
    def quiet(self) -> bool:
        """Whether nothing is drawn in a decision."""
        return self.noise == 0 and self.window == 0

    def drawn(self, chip: int, tile: int, number: int, *, size: int) -> NDArray[np.float64]:
        """What is drawn in the decisions of rows 0 to ``size - 1`` at read ``number``, in counts."""
        return drawn_counts(self.noise, self.window, chip, tile, number, size)

    def many_drawn(self, chip: int, tile: int, numbers: Sequence[int], *, size: int) -> NDArray[np.float64]:
        """``drawn`` at several reads, (n, size)."""
        return many_drawn_counts(self.noise, self.window, chip, tile, numbers, size)

    def input_counts(self, x: NDArray[np.float64], drawn: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """What the comparator sees at ``ref`` = 0: dV ``x`` plus offset and what is drawn, in counts.

        Parameters
        ----------
        x : float64
            dV in counts.
        drawn : float64 of the same shape, or None
            See ``drawn``; None where the neuron is ``quiet``.
        """
        total = x + self.offset
        return total if drawn is None else total + drawn

    def min_ref(self, x: NDArray[np.float64], drawn: NDArray[np.float64] | None) -> NDArray[np.int32]:
        """Smallest ``ref`` at which the comparator gives 1, int32 of the shape of ``x``, within +-2**30."""
        least = np.ceil(-self.input_counts(x, drawn) / self.ref_gain)
        return np.clip(least, -_REF_LIMIT, _REF_LIMIT).astype(np.int32)

    def resolve_s(
        self, x: NDArray[np.float64], drawn: NDArray[np.float64] | None, ref: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Time from ``sense`` to a valid decision in second; infinite only at exactly 0 and without a limit."""
        seen_V = self.lsb_V * np.abs(self.input_counts(x, drawn) + self.ref_gain * ref)
        return resolve_s(self.params, seen_V)

    def lines_V(self, q: NDArray[np.bool_], enabled: NDArray[np.bool_]) -> tuple[float, float]:
        """VP and VN in volt after evaluation, for one row's bits ``q`` (C,); ``ref`` not included."""
        p = self.params
        kept = (
            self.lsb_V * (len(self.a) + p.parasitic_F(len(self.a)) / p.cu_F) / 2.0
        )  # Vdd, after settling and leakage
        up = float(self.a[enabled & q].sum()) / self.load_p
        down = float(self.b[enabled & ~q].sum()) / self.load_n
        return p.v_common_V + kept * up, p.v_common_V + kept * down


def _on_grid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(values / GRID) * GRID
