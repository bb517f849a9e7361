"""Energy of one row read, part by part, in closed form.

Energy is what the rails deliver: a node of capacitance C that is pulled up to V takes C V^2 from its rail,
and nothing when it is pulled down. Per row read, sums over the enabled columns c:

    bridges       Vread t_read sum |i_c|                     static; i_c the current of bridge c
    bit lines     C_bl Vread^2  sum [x_c changed]            one of BL, BLb rises where the input changed
    source lines  C_sl Vread    sum max(dv_sl_c, 0)          charged through the bridge from the high line
    word line     Vwl (2 sum (C_select Vwl - C_channel v_sl_c) + C_wl Vwl)
                  gates of both select transistors of every column, less what the channel takes at v_sl
    buffers       Vdd^2 sum (C_rise [q_c rose] + C_fall [q_c fell])   short-circuit current included
    plates        Cu Vdd (pop (Vdd - VP) + (C - pop) (Vdd - VN))
                  + Vdd^2 sum (C_plate + C_change [q_c changed])
                  with VP = Vdd pop Cu / (C Cu + Cpar), VN = Vdd (C - pop) Cu / (C Cu + Cpar)
    comparator    C_comparator Vdd^2 per comparison
    clocks        (C C_gate + C_precharge) Vdd^2
                  evaluate line with two gates a column, precharge, sense

The plate term is the charge Cu (Vdd - V_line) of every plate that rises, taken at Vdd: largest at half
popcount. Adders, sequencers and the converters of the programming rails are not part of a row read here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.parameters.params import NeuronParams, Quantities, quantity

__all__ = ["EnergyParams", "RowEnergy", "row_read_energy"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EnergyParams(Quantities):
    """Capacitances that move in a row read, and its levels and times. Equations: ``model/macro/energy.py``.

    Those marked "SKY130" are equivalent capacitances (charge per full swing, short-circuit current
    included), fitted to rows of 12 and 23 columns and printed by ``bridgebnn spice --fit``.
    """

    v_read_V: float = quantity(1.8, "V", 0.05, 5.0, "[ours] level of the high bit line")
    v_wl_V: float = quantity(3.3, "V", 0.5, 10.0, "[ours] word-line level while reading")
    read_s: float = quantity(24e-9, "s", 1e-12, 1.0, "[ours] how long the bridges carry current per row read")
    c_bl_F: float = quantity(50e-15, "F", 0.0, 1e-9, "[ours] one bit line, 64 rows")
    c_sl_F: float = quantity(29e-15, "F", 0.0, 1e-9, "[ours] source line, 64 rows, SKY130")
    c_wl_F: float = quantity(0.0, "F", 0.0, 1e-9, "[ours] wire of the word line")
    c_select_F: float = quantity(
        1.71e-15, "F", 0.0, 1e-12, "[ours] gate of a select transistor, SL at 0, SKY130"
    )
    c_channel_F: float = quantity(1.49e-15, "F", 0.0, 1e-12, "[ours] its channel against SL, SKY130")
    c_rise_F: float = quantity(3.79e-15, "F", 0.0, 1e-12, "[ours] buffer, when q rises, SKY130")
    c_fall_F: float = quantity(5.16e-15, "F", 0.0, 1e-12, "[ours] buffer, when q falls, SKY130")
    c_plate_F: float = quantity(
        8.12e-15, "F", 0.0, 1e-12, "[ours] plate gates of a column besides Cu, SKY130"
    )
    c_change_F: float = quantity(1.18e-15, "F", 0.0, 1e-12, "[ours] plate gates, when q changes, SKY130")
    c_comparator_F: float = quantity(55.0e-15, "F", 0.0, 1e-9, "[ours] comparator, per comparison, SKY130")
    c_gate_F: float = quantity(6.25e-15, "F", 0.0, 1e-12, "[ours] evaluate line, per column, SKY130")
    c_precharge_F: float = quantity(29.9e-15, "F", 0.0, 1e-9, "[ours] precharge and sense lines, SKY130")


@dataclass(frozen=True, eq=False)
class RowEnergy:
    """Energy of row reads in joule, each part float64 of the leading shape of the inputs."""

    bridges_J: FloatArray
    bit_lines_J: FloatArray
    source_lines_J: FloatArray
    word_line_J: FloatArray
    buffers_J: FloatArray
    plates_J: FloatArray
    comparator_J: FloatArray
    clocks_J: FloatArray

    @property
    def total_J(self) -> FloatArray:
        """Sum of all parts."""
        return np.sum([getattr(self, f.name) for f in fields(self)], axis=0)


def row_read_energy(
    *,
    current_A: ArrayLike,
    v_sl_V: ArrayLike,
    v_sl_before_V: ArrayLike,
    x: ArrayLike,
    x_before: ArrayLike,
    q: ArrayLike,
    q_before: ArrayLike,
    params: EnergyParams,
    neuron: NeuronParams,
    comparisons: int = 1,
    enabled: ArrayLike | None = None,
) -> RowEnergy:
    """Return the energy of row reads.

    Parameters
    ----------
    current_A : (..., C)
        Current of each bridge; its sign does not matter.
    v_sl_V, v_sl_before_V : (..., C)
        Source lines during this read and the one before.
    x, x_before : (..., C)
        Inputs of this read and the one before; any encoding, only changes count.
    q, q_before : (..., C), bool or {0, 1}
        Buffer outputs of this read and the one before.
    params : EnergyParams
    neuron : NeuronParams
        Vdd, Cu and Cpar.
    comparisons : int
        Comparisons of this read, 0 or more (1 in SIGN, several in SEARCH, 0 in COUNT).
    enabled : (C,) bool, optional
        Columns that take part; all by default. The others hold their lines and plates but load the word
        line and VP, VN.

    Returns
    -------
    RowEnergy
        Arrays of the leading shape.
    """
    if comparisons < 0:
        raise ValueError(f"comparisons={comparisons} must be 0 or more")
    p, vdd, cu = params, neuron.vdd_V, neuron.cu_F
    columns = np.shape(np.asarray(q))[-1]
    on = np.ones(columns, dtype=bool) if enabled is None else np.asarray(enabled, dtype=bool)

    def total(values: ArrayLike) -> FloatArray:
        return np.sum(np.where(on, np.asarray(values, dtype=np.float64), 0.0), axis=-1)

    active = float(on.sum())
    pop = total(np.asarray(q, dtype=bool))
    rise = vdd * cu / (columns * cu + neuron.parasitic_F(columns))  # of a line, per plate
    plates = vdd * cu * (pop * (vdd - rise * pop) + (active - pop) * (vdd - rise * (active - pop)))
    v_sl = np.asarray(v_sl_V, dtype=np.float64)
    rose_V = np.maximum(v_sl - np.asarray(v_sl_before_V, dtype=np.float64), 0.0)
    now, before = np.asarray(q, dtype=bool), np.asarray(q_before, dtype=bool)
    channel_C = np.sum(p.c_select_F * p.v_wl_V - p.c_channel_F * v_sl, axis=-1)
    flat = np.ones_like(pop)
    return RowEnergy(
        bridges_J=p.v_read_V * p.read_s * total(np.abs(np.asarray(current_A, dtype=np.float64))),
        bit_lines_J=p.c_bl_F * p.v_read_V**2 * total(np.asarray(x) != np.asarray(x_before)),
        source_lines_J=p.c_sl_F * p.v_read_V * total(rose_V),
        word_line_J=p.v_wl_V * (2.0 * channel_C + p.c_wl_F * p.v_wl_V),
        buffers_J=vdd**2 * (p.c_rise_F * total(now & ~before) + p.c_fall_F * total(before & ~now)),
        plates_J=plates + vdd**2 * (active * p.c_plate_F + p.c_change_F * total(now != before)),
        comparator_J=comparisons * p.c_comparator_F * vdd**2 * flat,
        clocks_J=(active * p.c_gate_F + p.c_precharge_F) * vdd**2 * flat,
    )
