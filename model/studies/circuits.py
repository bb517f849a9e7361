"""The circuits of the immunity study: evaluators that answer row reads in place of the array.

All circuits of a :class:`Sample` get the same devices: the cells of a chip are drawn once, ``R = median *
exp(m * sigma * z)`` by state, m the multiplier of the spread under study, sigma device and cycle spread together.
They are *not* program-verified, since a verify cuts the tails that the study is about. Stuck devices come with
their default probabilities, whatever m.

The circuits, x in popcount counts, f_c what column c puts on its capacitor:

* ``bridge``: the macro's own circuit; f is the buffer's bit. Read noise of many cells in one row is drawn as one
  normal number of the bits' exact mean and variance (the array itself draws every bit).
* ``no buffer``: f = V_SL / Vread, straight onto the capacitor of VP, and 1 - f onto that of VN, as ideal
  analog inverters would; the last layer's score is an ideal reading of the same dV.
* ``single-ended``: only VP, compared with half the enabled columns' share of the nominal Vdd: a count is half
  as many volts, and a droop of the plates does not cancel.
* ``1T1R cell``: device N is replaced by a fixed resistor in the middle of LRS and HRS (geometric mean).
* ``conventional``: ``bridgebnn.model.studies.current_mode``, ideal sense amplifiers, an ideal converter for the scores.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, ReadMode
from bridgebnn.model.draws import Purpose, draw
from bridgebnn.model.evaluator import Evaluator, RowRead
from bridgebnn.model.macro.circuit import TileCircuit, column_sums
from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.parameters.device_params import DeviceParams, Stuck
from bridgebnn.model.parameters.params import MacroParams

from .current_mode import CurrentParams, fed_inputs, tiled_transfer

__all__ = ["Circuit", "Sample", "Setting", "cells_of"]

FloatArray = NDArray[np.float64]


class Circuit(StrEnum):
    """What evaluates the network."""

    BRIDGE = "bridge"
    ANALOG = "no buffer"
    SINGLE_ENDED = "single-ended"
    ONE_DEVICE = "1T1R cell"
    CONVENTIONAL = "conventional"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One point of a sweep.

    Parameters
    ----------
    spread : float, at least 0
        Multiplier of the devices' sigmas.
    macro : MacroParams
        Devices, bridges and neurons.
    current : CurrentParams
        Wires of the conventional array.
    """

    spread: float = 1.0
    macro: MacroParams
    current: CurrentParams

    def __post_init__(self) -> None:
        if not 0 <= self.spread <= 100:
            raise ValueError(f"Setting.spread = {self.spread!r}: must be from 0 to 100")


def cells_of(mapping: Mapping, number: int, params: DeviceParams, spread: float, chip: int) -> FloatArray:
    """Devices of a program's rows, tile by tile: (T, n, C, 2) in ohm, for the program's tiles in order."""
    p, program = params, mapping.programs[number]
    found = []
    for read in program.reads:
        generator = draw(chip, Purpose.STUDY, *read.first)
        ones = mapping.images[read.tile, read.rows].astype(bool)
        low = np.stack([ones, ~ones], axis=-1)
        sigma = np.where(
            low,
            math.hypot(p.lrs_sigma_device, p.lrs_sigma_cycle),
            math.hypot(p.hrs_sigma_device, p.hrs_sigma_cycle),
        )
        ohm = np.where(low, p.lrs_nominal_ohm, p.hrs_nominal_ohm)
        ohm *= np.exp(spread * sigma * generator.standard_normal(low.shape))
        bounds = np.cumsum([p.stuck_lrs_probability, p.stuck_hrs_probability, p.stuck_unformed_probability])
        kind = np.searchsorted(bounds, generator.random(low.shape), side="right") + 1
        for state, value in (
            (Stuck.LRS, p.lrs_nominal_ohm),
            (Stuck.HRS, p.hrs_nominal_ohm),
            (Stuck.UNFORMED, p.pristine_median_ohm),
        ):
            ohm[kind == state] = value
        found.append(ohm)
    return np.stack(found)


class Fractions(NamedTuple):
    """Mean and variance of what every cell puts on its capacitor, with input +1 and -1; each (n, C)."""

    one: FloatArray
    zero: FloatArray
    variance: tuple[FloatArray, FloatArray] | None


class Sample:
    """The devices of one chip at one setting, and what the circuits around them share.

    Parameters
    ----------
    mapping : Mapping
        Without repairs; only its own reads can be evaluated.
    at : Setting
    chip : int
    """

    def __init__(self, mapping: Mapping, at: Setting, chip: int) -> None:
        self.mapping, self.at, self.chip = mapping, at, chip
        self._place = {
            read.first: (number, k)
            for number, program in enumerate(mapping.programs)
            for k, read in enumerate(program.reads)
        }
        # each asked for once per circuit, derived once per chip
        self.cells = cache(lambda number: cells_of(mapping, number, at.macro.device, at.spread, chip))
        self.tile = cache(lambda tile: TileCircuit.of(at.macro, mapping.geometry.columns, chip, tile))
        self.fractions = cache(self._fractions)
        self.transfer = cache(self._transfer)

    def evaluator(self, circuit: Circuit) -> Evaluator:
        """The circuit, around these devices."""
        if circuit is Circuit.CONVENTIONAL:
            return _Conventional(self, circuit)
        return _Bridges(self, circuit)

    def place(self, what: RowRead) -> tuple[int, int]:
        """(program, tile of the program) of a read; ``ValueError`` for rows whose devices were not drawn."""
        if (found := self._place.get(what.first)) is None:
            raise ValueError(f"tile {what.tile}, row {what.first[1]}: no program of the mapping begins there")
        return found

    def normal(self, circuit: Circuit, what: RowRead, shape: tuple[int, ...], purpose: int) -> FloatArray:
        """Standard normal numbers: the same images see the same noise at every point of a sweep."""
        number, _ = self.place(what)
        keys = number + 1, list(Circuit).index(circuit) * 4 + purpose
        return draw(self.chip, Purpose.STUDY, *what.first, *keys).standard_normal(shape)

    def _fractions(self, number: int, k: int, one_device: bool, analog: bool) -> Fractions:
        p, ohm, read = self.at.macro, self.cells(number)[k], self.mapping.programs[number].reads[k]
        if one_device:
            ohm = ohm.copy()
            ohm[..., 1] = math.sqrt(p.device.lrs_nominal_ohm * p.device.hrs_nominal_ohm)
        volts, bits = self.tile(read.tile).cells(ohm, read.rows, read.col_en)
        if analog:
            scale = p.bridge.v_read_V
            variance = (volts.sigma1_V / scale) ** 2, (volts.sigma0_V / scale) ** 2
            noisy = variance[0].any() or variance[1].any()
            return Fractions(volts.v1_V / scale, volts.v0_V / scale, variance if noisy else None)
        variance = bits.p1 * (1 - bits.p1), bits.p0 * (1 - bits.p0)
        return Fractions(bits.p1, bits.p0, variance if (bits.live & read.col_en).any() else None)

    def _transfer(self, number: int, k: int) -> tuple[FloatArray, FloatArray]:
        enabled = self.mapping.programs[number].reads[k].col_en
        return tiled_transfer(self.cells(number)[k][:, enabled], self.at.current)


def single_ended(neuron: Neuron) -> Neuron:
    """The neuron with line VP alone: a count of VP is half of one of dV, and the reference droops with the plates."""
    p, columns = neuron.params, len(neuron.a)
    kept = 1.0 - p.plate_droop
    load = columns + p.parasitic_F(columns) / p.cu_F
    return dataclasses.replace(
        neuron,
        w=2.0 * (kept * neuron.a * (load / neuron.load_p)),
        v=np.ones(columns),
        offset=2.0 * kept * neuron.offset,
        noise=2.0 * kept * neuron.noise,
        window=2.0 * kept * neuron.window,
        ref_gain=neuron.ref_gain * kept,
    )


class _Bridges:
    """The bridge array and what is left of it, by mean and variance of every cell."""

    def __init__(self, sample: Sample, circuit: Circuit) -> None:
        self.sample, self.circuit = sample, circuit
        self.analog = circuit is Circuit.ANALOG

    @property
    def geometry(self) -> Geometry:
        return self.sample.mapping.geometry

    def read(self, what: RowRead, inputs: NDArray[np.bool_]) -> NDArray[Any]:
        f = self.sample.fractions(*self.sample.place(what), self.circuit is Circuit.ONE_DEVICE, self.analog)
        neuron = self.sample.tile(what.tile).neuron
        if self.circuit is Circuit.SINGLE_ENDED:
            neuron = single_ended(neuron)
        on, enabled = (inputs & what.col_en).astype(np.float64), what.col_en.astype(np.float64)
        digital = what.mode is not ReadMode.SIGN and not self.analog  # counted on the source lines
        weight = np.ones(len(enabled)) if digital else neuron.w / 2
        x = column_sums(on, enabled, weight * f.one, weight * f.zero)
        if f.variance is not None:
            variance = column_sums(on, enabled, *(weight**2 * part for part in f.variance))
            x += np.sqrt(np.maximum(variance, 0.0)) * self.sample.normal(self.circuit, what, x.shape, 0)
        if digital:
            return np.rint(x).astype(np.int64)
        x -= (neuron.v @ enabled) / 2
        if what.mode is not ReadMode.SIGN:
            return x + enabled.sum() / 2
        return what.refs >= neuron.min_ref(x, self._drawn(what, neuron, x.shape))

    def _drawn(self, what: RowRead, neuron: Neuron, shape: tuple[int, ...]) -> FloatArray | None:
        if neuron.quiet:
            return None
        found = neuron.noise * self.sample.normal(self.circuit, what, shape, 1)
        if neuron.window > 0:
            found += np.copysign(neuron.window, self.sample.normal(self.circuit, what, shape, 3))
        return found


class _Conventional:
    """Currents of all rows summed down the columns."""

    def __init__(self, sample: Sample, circuit: Circuit) -> None:
        self.sample, self.circuit = sample, circuit

    @property
    def geometry(self) -> Geometry:
        return self.sample.mapping.geometry

    def read(self, what: RowRead, inputs: NDArray[np.bool_]) -> NDArray[Any]:
        p, device = self.sample.at.current, self.sample.at.macro.device
        number, k = self.sample.place(what)
        currents_S, input_S = self.sample.transfer(number, k)
        signs = np.where(inputs[:, what.col_en], 1.0, -1.0)
        window_S = 1 / (p.r_on_ohm + device.lrs_nominal_ohm) - 1 / (p.r_on_ohm + device.hrs_nominal_ohm)
        dot = fed_inputs(signs, input_S, p) @ currents_S.T / (p.v_read_V * window_S)
        if p.read_noise > 0:  # d G / d ln R = -R G^2, of all devices of a neuron in power
            ohm = self.sample.cells(number)[k][:, what.col_en]
            slope = ohm / (p.r_on_ohm + ohm) ** 2
            sigma = p.read_noise / window_S * np.sqrt((slope**2).sum(axis=(1, 2)))
            dot += sigma * self.sample.normal(self.circuit, what, dot.shape, 2)
        if what.mode is ReadMode.SIGN:
            return dot + 2 * what.refs >= 0
        return (dot + what.enabled) / 2
