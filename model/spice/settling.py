"""Comparison (g): how fast dV settles, how slowly it leaks away, and what the precharge switches inject."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import NeuronParams

from .compare import Comparison, Context, Report
from .decks import row_read
from .neurons import SAMPLE_BEFORE_S, dv_at, ideal_plates, row_devices
from .run import Deck, run_deck

__all__ = ["compare_settling"]

FloatArray = NDArray[np.float64]

_SETTLED_BOUND = 0.001  # of dV: the bound of (c)
_HOLD_S = 20e-6
_COLUMNS = 23


def settling_curve(context: Context) -> tuple[FloatArray, FloatArray]:
    """Return (time after the evaluate edge in s, dV / final dV) of a complete row at popcount 20 of 23."""
    z, rng = context.sizes, context.rng("settling")
    weights = rng.choice(np.array([-1, 1], dtype=np.int8), _COLUMNS)
    agree = np.arange(_COLUMNS) < 20
    inputs = np.where(agree, weights, -weights)[None, :].astype(np.int8)
    c = np.full(_COLUMNS, z.c_unit_F)
    netlist, end_s = row_read(*row_devices(rng, weights), inputs, c, c, z)
    deck = Deck(
        name="settling",
        netlist="\n".join(netlist),
        control=f"save v(vp) v(vn)\ntran 20p {end_s:.6g} 0 50p\nwrdata lines v(vp) v(vn)",
        outputs=("lines",),
    )
    table = run_deck(deck, context.tools)["lines"]
    edge_s = z.phase_s + 3 * z.edge_s
    inside = (table[:, 0] > edge_s) & (table[:, 0] < 2 * z.phase_s - SAMPLE_BEFORE_S)
    dv = table[inside, 1] - table[inside, 2]
    return table[inside, 0] - edge_s, dv / dv[-1]


def compare_settling(context: Context) -> Report:
    """(g) What of ``NeuronParams`` belongs to time.

    * ``settle_tau_s``: the exponential that reaches 1 % when SPICE does, delay of the plate gates included;
    * what is missing after half of the evaluate phase, against the bound of (c);
    * change of the largest dV during the sense phase, and over 20 us of holding (it creeps up as the
      comparator's floating tail charges; leakage does not show in the typical corner at 27 C);
    * ``injection_sigma_V``: spread of dV under the PDK's local mismatch with equal capacitors.
    """
    z = context.sizes
    time_s, settled = settling_curve(context)
    missing = np.abs(1.0 - settled)
    tau_s = float(time_s[np.nonzero(missing > 0.01)[0][-1]] / np.log(100.0))
    half = float(np.interp(z.phase_s / 2, time_s, missing))

    c = np.full(_COLUMNS, z.c_unit_F)
    held_s, lines_V = ideal_plates(context, _COLUMNS, [(np.ones(_COLUMNS), c, c)], hold_s=_HOLD_S)
    end_s = 2 * z.phase_s
    at_sense, after_sense, at_end = (
        float(dv_at(held_s, lines_V, t)[0])
        for t in (end_s, end_s + z.phase_s, end_s + _HOLD_S - SAMPLE_BEFORE_S)
    )

    count = 16 if context.quick else 60
    middle = (np.arange(_COLUMNS) < 12).astype(float)
    mixed_s, mixed_V = ideal_plates(context, _COLUMNS, [(middle, c, c)] * count, corner="tt_mm")
    injection_V = float(np.std(dv_at(mixed_s, mixed_V, 2 * z.phase_s - SAMPLE_BEFORE_S), ddof=1))
    lsb_V = Neuron.of(NeuronParams.ideal(), _COLUMNS, 0, 0).lsb_V
    return Report(
        comparisons=[
            Comparison(
                key="g.settled",
                what="dV still missing after half the phase",
                measured=half,
                bound=_SETTLED_BOUND,
                unit="",
                points=time_s.size,
            ),
            Comparison(
                key="g.hold",
                what="change of dV during the sense phase",
                measured=abs(after_sense / at_sense - 1.0),
                bound=_SETTLED_BOUND,
                unit="",
                points=held_s.size,
            ),
            Comparison(
                key="g.injection",
                what="switch mismatch at 23 columns, of one count",
                measured=injection_V / lsb_V,
                bound=0.05,
                unit="",
                points=count,
            ),
        ],
        figures={
            "settle_tau_s": tau_s,
            "hold_change_20us": at_end / at_sense - 1.0,
            "injection_sigma_V": injection_V,
        },
        curves={"time_s": time_s, "settled": settled},
    )
