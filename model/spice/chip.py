"""A small chip whose every read is answered by the row in transistors, beside the model of the same chip.

Programming is the model's: its devices hold what pulses left in them. Each read is then a run of ngspice over the
netlist of `bridgebnn.model.spice.reads`, made of this chip's devices, capacitors, buffers and comparator; the model
answers it as well, and whatever differs is kept for the report.
"""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, ReadMode, Timing
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.flows.transistors import TransistorRead, TransistorReport
from bridgebnn.model.macro.array import Array, Bits
from bridgebnn.model.macro.bridge import at_temperature
from bridgebnn.model.macro.broken_lines import LineFault, faulty_array
from bridgebnn.model.parameters.params import MacroParams

from .reads import Answers, RowAnswer, RowCircuit
from .run import find_tools
from .sizes import DEFAULT_SIZES

__all__ = ["MOST", "TransistorArray", "check_size", "chip_of", "model_of", "ready"]

MOST = {"tiles": 2, "rows": 8, "columns": 16}
"""The largest chip: a read of 9 columns takes about a second, and each row is read for every image."""

_TRANSISTORS_F = 11.3e-15
"""Gates and junctions on a line of 9 columns: 31.3 fF (``neurons.line_load_F``) less 20 fF of wire; 11.1 fF at 23."""

_LEAST_F = 1e-16

_DV_SHARE = 0.01  # of one count: a difference of dV that is listed


def ready(geometry: Geometry) -> None:
    """See that a chip of this shape can be answered by transistors here.

    Raises
    ------
    ValueError
        It is too large.
    bridgebnn.model.spice.run.SpiceUnavailableError
        ngspice or the device models are missing.
    """
    check_size(geometry)
    find_tools()


def check_size(geometry: Geometry) -> None:
    """``ValueError`` with what would fit where a chip is too large for transistors."""
    found = {name: getattr(geometry, name) for name in MOST}
    if any(found[name] > most for name, most in MOST.items()):
        raise ValueError(
            f"macro spice on {_shape(found)}: at most {_shape(MOST)} fit, bias and spare columns included, since every "
            "read is a run of ngspice"
        )


def _shape(of: dict[str, int]) -> str:
    tiles = "tile" if of["tiles"] == 1 else "tiles"
    return f"{of['tiles']} {tiles} of {of['rows']} rows and {of['columns']} columns"


def model_of(params: MacroParams) -> MacroParams:
    """The parameters of the model that stands beside the transistors; others as they are."""
    return dataclasses.replace(params, transistors=False) if params.transistors else params


def chip_of(
    geometry: Geometry, params: MacroParams, chip: int, lines: list[LineFault], timing: Timing
) -> Array:
    """The chip of a parameter set, as ``faulty_array``; a `TransistorArray` where transistors answer its reads.

    Raises
    ------
    ValueError
        As of ``faulty_array``, and broken lines of transistors.
    """
    if not params.transistors:
        return faulty_array(geometry, params, chip, lines)
    if lines:
        raise ValueError(f"broken lines on macro {params.name!r}: its netlists know sound lines alone")
    return TransistorArray(geometry, params, chip, timing=timing)


class TransistorArray(Array):
    """One chip of which transistors answer the reads; an ``Evaluator``, and a ``MacroModel`` on the pins.

    Parameters
    ----------
    geometry : Geometry
        At most 2 tiles, 8 rows, 16 columns.
    params : MacroParams
        With ``transistors``.
    chip : int, 0..2**64-1
    timing : Timing, optional
        Length of the phases.
    answers : Answers, optional
        Who runs ngspice.

    Raises
    ------
    ValueError
        A chip that is too large, or parameters of another kind of macro.
    bridgebnn.model.spice.run.SpiceUnavailableError
        ngspice or the device models are missing.
    """

    TRANSISTORS = True

    def __init__(
        self,
        geometry: Geometry,
        params: MacroParams,
        chip: int = 0,
        *,
        timing: Timing | None = None,
        answers: Answers | None = None,
    ) -> None:
        if not params.transistors:
            raise ValueError(f"macro {params.name!r} has no transistors")
        check_size(geometry)
        super().__init__(geometry, params, chip)
        self.timing = Timing() if timing is None else timing
        self.answers = (
            Answers(tools=find_tools(), processes=os.cpu_count() or 1) if answers is None else answers
        )
        bridge, neuron = params.bridge, params.neuron
        self._sizes = dataclasses.replace(
            DEFAULT_SIZES,
            vdd_V=neuron.vdd_V,
            v_wl_V=bridge.v_wl_V,
            v_read_V=bridge.v_read_V,
            c_unit_F=neuron.cu_F,
            c_sl_F=bridge.c_sl_F or DEFAULT_SIZES.c_sl_F,
            c_line_F=max(neuron.parasitic_F(geometry.columns) - _TRANSISTORS_F, _LEAST_F),
        )
        self._counts = dict.fromkeys(
            ("reads", "decisions", "decisions_differ", "unresolved", "bits", "bits_differ", "dv_differ"), 0
        )
        self._worst_V = self._squares_V2 = 0.0
        self._differing: list[TransistorRead] = []

    # -- one read, pin by pin --------------------------------------------------------------------------------

    def source_lines(self, tile: int, row: int, bl: Bits, col_en: Bits) -> Bits:
        what = _Read(
            tile, row, int(self.reads[tile, row]), np.asarray(bl, bool), np.asarray(col_en, bool), None
        )
        return self._bits(what, self._answered([what])[0])

    def compare(self, tile: int, row: int, bl: Bits, col_en: Bits, ref: int) -> bool:
        what = _Read(
            tile, row, int(self.reads[tile, row]), np.asarray(bl, bool), np.asarray(col_en, bool), ref
        )
        return bool(self._answered([what])[0].decision)

    # -- batches ---------------------------------------------------------------------------------------------

    def read(self, what: RowRead, inputs: Bits) -> NDArray[Any]:
        """Read rows once per input; the runs of a batch, of SEARCH of one step, are made together."""
        shape = len(inputs), len(what.rows)
        steps = what.comparisons if what.mode is ReadMode.SEARCH else 1
        first = self.reads[what.tile, what.rows] + 1

        def answers(k: int, refs: NDArray[np.int64] | None) -> list[RowAnswer]:
            asked = [
                _Read(
                    what.tile,
                    int(what.rows[j]),
                    int(first[j]) + i * steps + k,
                    inputs[i],
                    what.col_en,
                    None if refs is None else int(refs[i, j]),
                )
                for i, j in np.ndindex(shape)
            ]
            return self._answered(asked)

        found = np.zeros(shape, np.int64)
        if what.mode is ReadMode.SIGN:
            told = answers(0, np.broadcast_to(what.refs, shape))
            found = np.array([answer.decision for answer in told], bool).reshape(shape)
        elif what.mode is ReadMode.COUNT:
            told = answers(0, None)
            found = np.array([sum(answer.bits) for answer in told], np.int64).reshape(shape)
        else:
            ref = np.zeros(shape, np.int64)
            for k in range(steps):  # docs/architecture.md section 3
                middle = found + (1 << (steps - 1 - k))
                within = middle <= what.enabled
                ref = np.where(within, (what.enabled + 1) // 2 - middle, ref)
                told = answers(k, ref)
                above = np.array([answer.decision for answer in told], bool).reshape(shape)
                found = np.where(above & within, middle, found)
        self.reads[what.tile, what.rows] += steps * len(inputs)
        return found

    # -- what was seen ---------------------------------------------------------------------------------------

    def report(self) -> TransistorReport:
        """Everything that was answered so far, beside the model."""
        reads = self._counts["reads"]
        return TransistorReport(
            **self._counts,
            dv_bound_V=self._bound_V,
            dv_worst_V=self._worst_V,
            dv_rms_V=math.sqrt(self._squares_V2 / reads) if reads else 0.0,
            lsb_V=self.lsb_V(0),
            differing=list(self._differing),
            runs=self.answers.runs,
            kept=self.answers.kept,
            spice_s=round(self.answers.spice_s, 3),
        )

    @property
    def _bound_V(self) -> float:
        return _DV_SHARE * self.lsb_V(0)

    def _answered(self, asked: list[_Read]) -> list[RowAnswer]:
        answers = self.answers.of([self._circuit(what) for what in asked])
        for what, answer in zip(asked, answers, strict=True):
            self._compare_with_model(what, answer)
        return answers

    def _bits(self, what: _Read, answer: RowAnswer) -> Bits:
        bits = np.zeros(self.geometry.columns, bool)
        bits[what.enabled] = answer.bits
        return bits

    def _circuit(self, what: _Read) -> RowCircuit:
        part, p = self._tiles[what.tile], self.params.bridge
        ohm = at_temperature(self.devices.resistance_ohm[what.tile, what.row], p)
        neuron, away = part.neuron, what.row + 1
        ref = 0 if what.ref is None else what.ref
        return RowCircuit(
            r_p_ohm=ohm[:, 0],
            r_n_ohm=ohm[:, 1],
            series_ohm=(p.r_driver_ohm + away * p.r_bl_ohm, p.r_driver_ohm + away * p.r_blb_ohm),
            buffer_V=part.threshold_V - p.buffer_threshold_V,
            c_p_F=neuron.a * neuron.params.cu_F,
            c_n_F=neuron.b * neuron.params.cu_F,
            offset_V=neuron.offset * neuron.lsb_V,
            reference_C=ref * neuron.ref_gain * neuron.params.vdd_V * neuron.params.cu_F,
            inputs=what.inputs,
            enabled=what.enabled,
            sizes=self._sizes,
            timing=self.timing,
        )

    def _compare_with_model(self, what: _Read, answer: RowAnswer) -> None:
        tile, row, ref = what.tile, what.row, what.ref
        bits = super().source_lines(tile, row, what.inputs, what.enabled)
        dv_V = float(self.analog(tile, row, what.inputs, what.enabled)["dV_V"])
        expected = None if ref is None else int(ref >= self.min_ref(tile, row, what.inputs, what.enabled))
        columns = np.flatnonzero(bits != self._bits(what, answer)).tolist()
        off_V = abs(answer.dv_V - dv_V)
        late = ref is not None and not answer.resolved
        decided = expected is not None and expected != answer.decision
        for name, more in (
            ("reads", 1),
            ("decisions", int(ref is not None)),
            ("decisions_differ", int(decided)),
            ("unresolved", int(late)),
            ("bits", int(np.count_nonzero(what.enabled))),
            ("bits_differ", len(columns)),
            ("dv_differ", int(off_V > self._bound_V)),
        ):
            self._counts[name] += more
        self._worst_V = max(self._worst_V, off_V)
        self._squares_V2 += off_V**2
        if decided or late or columns or off_V > self._bound_V:
            self._differing.append(
                TransistorRead(
                    tile=tile,
                    row=row,
                    read=what.number,
                    ref=ref,
                    decision=None if ref is None else answer.decision,
                    model_decision=expected,
                    resolved=not late,
                    columns=columns,
                    dv_V=answer.dv_V,
                    model_dv_V=dv_V,
                )
            )


class _Read(NamedTuple):
    """One read of a row: its number, its inputs, and a reference where it is compared."""

    tile: int
    row: int
    number: int
    inputs: Bits
    enabled: Bits
    ref: int | None
