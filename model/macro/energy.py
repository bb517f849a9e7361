"""Energy of everything that costs energy on a chip, priced once, in closed form.

Energy is what the rails deliver: a node of capacitance C that is pulled up to V takes C V^2 from its rail,
and nothing when it is pulled down. Of row reads, with sums over the enabled columns c and K evaluations of a read
(``ceil(log2(C_en + 1))`` in SEARCH, else 1):

    bridges       Vread t K sum |i_c|                        static; i_c the current of bridge c, t of one evaluation
    bit lines     C_bl Vread^2  sum [c changed]              one of BL, BLb rises where input or enable changed
    source lines  C_sl Vread    sum max(dv_sl_c, 0)          charged through the bridge from the high line
    word line     Vwl (2 sum (C_select Vwl - C_channel v_sl_c) + C_wl Vwl)
                  gates of both select transistors of every column, less what the channel takes at v_sl
    buffers       Vdd^2 sum (C_rise [q_c rose] + C_fall [q_c fell])   short-circuit current included
    plates        K (Cu Vdd (pop (Vdd - VP) + (C - pop) (Vdd - VN)) + Vdd^2 sum C_plate)
                  + Vdd^2 sum C_change [q_c changed]
                  with VP = Vdd pop Cu / (C Cu + Cpar), VN = Vdd (C - pop) Cu / (C Cu + Cpar)
    comparator    C_comparator Vdd^2 per comparison
    clocks        K (C C_gate + C_precharge) Vdd^2
                  evaluate line with two gates a column, precharge, sense

The plate term is the charge Cu (Vdd - V_line) of every plate that rises, taken at Vdd: largest at half
popcount. Precharge takes lines and plates back in every evaluation, so all of a search's comparisons pay it.
Word line, inputs and bridges stand from the first cycle of precharge to the end of sense, so ``t`` is all of a
comparison's cycles (`current_s`). C_bl and C_sl grow with the rows, C_wl with the columns.

Around the macro: ``C_controller Vdd^2`` a cycle of the controller and ``C_bus Vdd^2`` a word on the bus, both
stated estimates. `bridgebnn.model.flows.ledger` counts, `price` multiplies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import DAC_LSB_V, Geometry, ProgOp, ReadMode, Timing
from bridgebnn.hdl.spec.latency import row_cycles
from bridgebnn.model.parameters.params import MacroParams, NeuronParams, Quantities, quantity

from .events import EnergyParts, EnergyReport, Events
from .program_events import ProgramEnergy, ProgramEvents

__all__ = [
    "EnergyParams",
    "ReadPoint",
    "ReadSums",
    "RowEnergy",
    "current_s",
    "price",
    "price_program",
    "price_reads",
    "report_of",
    "row_read_energy",
]

FloatArray = NDArray[np.float64]

VERIFY_V = 0.2
"""On a column in a verify read [std]: ReRAM of SKY130 is read at 0.1 to 0.2 V."""


@dataclass(frozen=True, kw_only=True)
class EnergyParams(Quantities):
    """Capacitances that move. Equations: ``model/macro/energy.py``; levels and times: `ReadPoint`.

    Those marked "SKY130" are equivalent capacitances (charge per full swing, short-circuit current
    included), fitted to rows of 12 and 23 columns of tiles of 64 rows and printed by ``bridgebnn spice --fit``.
    """

    c_bl_row_F: float = quantity(0.78e-15, "F", 0.0, 1e-12, "[ours] one bit line, per row")
    c_sl_row_F: float = quantity(0.453e-15, "F", 0.0, 1e-12, "[ours] source line, per row, SKY130")
    c_wl_column_F: float = quantity(
        0.4e-15, "F", 0.0, 1e-12, "[ours] wire of the word line, per column: 2 um of 0.2 fF/um"
    )
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
    c_controller_F: float = quantity(
        33e-12,
        "F",
        0.0,
        1e-6,
        "[ours] estimate: controller, per cycle; 2,770 flip-flops of 12 fF with their clock and logic, not gated",
    )
    c_controller_column_F: float = quantity(
        36e-15, "F", 0.0, 1e-9, "[ours] estimate: the same per column of every tile, 3 flip-flops each"
    )
    c_bus_F: float = quantity(
        5e-12, "F", 0.0, 1e-6, "[ours] estimate: a word on the bus, 50 wires of 0.2 pF of which half move"
    )


@dataclass(frozen=True, kw_only=True)
class ReadPoint:
    """Levels, times and size at which a row is read.

    Parameters
    ----------
    v_read_V, v_wl_V : float
        Level of the high bit line; of the word line.
    current_s : float
        How long the bridges carry current in one evaluation. Of no account for `price`, whose events say it.
    rows : int
        Rows of a tile, which load the lines.
    """

    v_read_V: float
    v_wl_V: float
    current_s: float
    rows: int

    @classmethod
    def of(cls, params: MacroParams, geometry: Geometry, timing: Timing) -> ReadPoint:
        """That of a chip, in modes SIGN and SEARCH."""
        return cls(
            v_read_V=params.bridge.v_read_V,
            v_wl_V=params.bridge.v_wl_V,
            current_s=current_s(ReadMode.SIGN, timing, geometry),
            rows=geometry.rows,
        )


def current_s(mode: ReadMode, timing: Timing, geometry: Geometry) -> float:
    """How long the bridges carry current in one evaluation: all its cycles, of the timing's clock."""
    return row_cycles(mode, [1], timing, geometry) * timing.clock_s


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


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadSums:
    """What `price_reads` needs of row reads, summed over columns and over as many reads as one likes.

    All are numbers or arrays of one shape.

    Parameters
    ----------
    charge_As
        Current of the bridges times the time it flows.
    line_changes
        Columns whose input or enable changed.
    sl_rise_V, sl_V
        Rises of the source lines; their voltages while the word line is on.
    word_lines, gated_columns
        Word lines that rose, and columns behind them.
    rises, falls
        Of buffers.
    evaluations, columns
        Evaluations, and enabled columns in them.
    ones, ones_squared, zeros_squared
        Popcount of each evaluation, its square, and that of the other columns' number.
    comparisons
        Clocks of comparators.
    """

    charge_As: Any
    line_changes: Any
    sl_rise_V: Any
    sl_V: Any
    word_lines: Any
    gated_columns: Any
    rises: Any
    falls: Any
    evaluations: Any
    columns: Any
    ones: Any
    ones_squared: Any
    zeros_squared: Any
    comparisons: Any


def price_reads(
    sums: ReadSums, point: ReadPoint, columns: int, params: EnergyParams, neuron: NeuronParams
) -> RowEnergy:
    """Energy of reads of tiles with ``columns`` columns; every part of the shape of ``sums``."""
    p, n, vdd, cu = params, sums, neuron.vdd_V, neuron.cu_F
    rise = vdd * cu / (columns * cu + neuron.parasitic_F(columns))  # of a line, per plate
    plates = vdd * cu * (vdd * n.columns - rise * (n.ones_squared + n.zeros_squared))
    plates = plates + vdd**2 * (n.columns * p.c_plate_F + p.c_change_F * (n.rises + n.falls))
    gates = p.c_select_F * point.v_wl_V * n.gated_columns - p.c_channel_F * n.sl_V
    wire = p.c_wl_column_F * point.v_wl_V * columns * n.word_lines
    return RowEnergy(
        bridges_J=point.v_read_V * n.charge_As,
        bit_lines_J=point.rows * p.c_bl_row_F * point.v_read_V**2 * n.line_changes,
        source_lines_J=point.rows * p.c_sl_row_F * point.v_read_V * n.sl_rise_V,
        word_line_J=point.v_wl_V * (2.0 * gates + wire),
        buffers_J=vdd**2 * (p.c_rise_F * n.rises + p.c_fall_F * n.falls),
        plates_J=plates,
        comparator_J=p.c_comparator_F * vdd**2 * n.comparisons,
        clocks_J=(n.columns * p.c_gate_F + n.evaluations * p.c_precharge_F) * vdd**2,
    )


def row_read_energy(
    *,
    current_A: ArrayLike,
    v_sl_V: ArrayLike,
    v_sl_before_V: ArrayLike,
    x: ArrayLike,
    x_before: ArrayLike,
    q: ArrayLike,
    q_before: ArrayLike,
    point: ReadPoint,
    params: EnergyParams,
    neuron: NeuronParams,
    comparisons: int = 1,
    enabled: ArrayLike | None = None,
) -> RowEnergy:
    """Return the energy of row reads, each by itself.

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
    point : ReadPoint
    params : EnergyParams
    neuron : NeuronParams
        Vdd, Cu and Cpar.
    comparisons : int
        Comparisons of this read, 0 or more (1 in SIGN, several in SEARCH, 0 in COUNT, which evaluates once).
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
    columns, turns = np.shape(np.asarray(q))[-1], max(1, comparisons)
    on = np.ones(columns, dtype=bool) if enabled is None else np.asarray(enabled, dtype=bool)

    def total(values: ArrayLike) -> FloatArray:
        return np.sum(np.where(on, np.asarray(values, dtype=np.float64), 0.0), axis=-1)

    now, before = np.asarray(q, dtype=bool), np.asarray(q_before, dtype=bool)
    pop, active = total(now), float(on.sum())
    flat = np.ones_like(pop)
    v_sl = np.asarray(v_sl_V, dtype=np.float64)
    sums = ReadSums(
        charge_As=turns * point.current_s * total(np.abs(np.asarray(current_A, dtype=np.float64))),
        line_changes=total(np.asarray(x) != np.asarray(x_before)),
        sl_rise_V=total(np.maximum(v_sl - np.asarray(v_sl_before_V, dtype=np.float64), 0.0)),
        sl_V=np.sum(v_sl, axis=-1) * flat,
        word_lines=flat,
        gated_columns=columns * flat,
        rises=total(now & ~before),
        falls=total(before & ~now),
        evaluations=turns * flat,
        columns=turns * active * flat,
        ones=turns * pop,
        ones_squared=turns * pop**2,
        zeros_squared=turns * (active - pop) ** 2,
        comparisons=comparisons * flat,
    )
    return price_reads(sums, point, columns, params, neuron)


def price(
    events: Events, macro: MacroParams, geometry: Geometry, timing: Timing, params: EnergyParams | None = None
) -> EnergyParts:
    """Energy by part of what was counted on a chip.

    Parameters
    ----------
    macro : MacroParams
        Levels and capacitors of the chip.
    params : EnergyParams, optional
    """
    p, e, vdd = params or EnergyParams(), events, macro.neuron.vdd_V
    sums = ReadSums(
        charge_As=e.bridge_pA_cycles * 1e-12 * timing.clock_s,
        line_changes=e.line_changes,
        sl_rise_V=e.sl_rise_uV * 1e-6,
        sl_V=e.sl_uV * 1e-6,
        word_lines=sum(e.row_reads.values()),
        gated_columns=geometry.columns * sum(e.row_reads.values()),
        rises=e.buffer_rises,
        falls=e.buffer_falls,
        evaluations=sum(e.evaluations.values()),
        columns=e.columns,
        ones=e.ones,
        ones_squared=e.ones_squared,
        zeros_squared=e.zeros_squared,
        comparisons=e.comparisons,
    )
    reads = price_reads(sums, ReadPoint.of(macro, geometry, timing), geometry.columns, p, macro.neuron)
    flops_F = p.c_controller_F + geometry.tiles * geometry.columns * p.c_controller_column_F
    return EnergyParts(
        **{f.name: float(getattr(reads, f.name)) for f in fields(reads)},
        controller_J=flops_F * vdd**2 * e.cycles,
        bus_J=p.c_bus_F * vdd**2 * (e.bus_reads + e.bus_writes),
    )


def report_of(
    events: Events,
    macro: MacroParams,
    geometry: Geometry,
    timing: Timing,
    *,
    inferences: int,
    params: EnergyParams | None = None,
) -> EnergyReport:
    """What ``inferences`` that gave these events cost, in all and each."""
    return EnergyReport.of(events, price(events, macro, geometry, timing, params), inferences)


def price_program(
    events: ProgramEvents,
    device_J: Sequence[float],
    cycles: int,
    macro: MacroParams,
    geometry: Geometry,
    timing: Timing,
    params: EnergyParams | None = None,
) -> ProgramEnergy:
    """Energy by part of programming.

    Parameters
    ----------
    device_J : 3 floats
        Of the devices by ProgOp, ``DeviceArray.energy_J``.
    cycles : int
        Clock cycles of the controller in commands.

    Notes
    -----
    A verify read puts `VERIFY_V` on a column for ``verify_cyc`` cycles and takes the current of a device at its
    reference, the most that one that just passes takes [ours]; a read-back takes that of a nominal bridge for
    precharge, evaluate and the cycles of a count.
    """
    p, e, point = params or EnergyParams(), events, ReadPoint.of(macro, geometry, timing)
    line_F, device = geometry.rows * p.c_bl_row_F, macro.device
    word_line_F = geometry.columns * (2.0 * p.c_select_F + p.c_wl_column_F)
    references = {
        "FORMED": device.formed_max_ohm,
        "LRS_MAX": device.lrs_max_ohm,
        "HRS_MIN": device.hrs_min_ohm,
    }
    verify_s = timing.verify_cyc * timing.clock_s
    verify = sum(
        columns * VERIFY_V**2 * (verify_s / references[name] + line_F)
        for name, columns in e.verified_columns.items()
    )
    bridge_S = 1.0 / (device.lrs_nominal_ohm + device.hrs_nominal_ohm)
    count_s = current_s(ReadMode.COUNT, timing, geometry)
    read = e.read_columns * point.v_read_V**2 * (bridge_S * count_s + line_F)
    row_J = word_line_F * point.v_wl_V**2
    flops_F = p.c_controller_F + geometry.tiles * geometry.columns * p.c_controller_column_F
    return ProgramEnergy(
        form_J=float(device_J[ProgOp.FORM]),
        set_J=float(device_J[ProgOp.SET]),
        reset_J=float(device_J[ProgOp.RESET]),
        lines_J=line_F * DAC_LSB_V**2 * e.line_codes_squared,
        word_lines_J=word_line_F * DAC_LSB_V**2 * e.wl_codes_squared,
        verify_J=verify + sum(e.verifies.values()) * row_J,
        read_back_J=read + e.read_backs * row_J,
        controller_J=flops_F * macro.neuron.vdd_V**2 * cycles,
    )
