"""The two immunities: one network on bridge arrays, on their ablations and on the conventional array.

All circuits get the same devices: the cells of a chip are drawn once, ``R = median * exp(m * sigma * z)`` by
state, m the multiplier of the spread under study, sigma device and cycle spread together. They are *not*
program-verified, since a verify cuts the tails that the study is about. Stuck devices come with their
default probabilities, whatever m.

The circuits, x in popcount counts, f_c what column c puts on its capacitor:

* ``bridge``: ``model.macro.bridge`` and ``model.macro.neuron``; f is the buffer's bit. Read noise of many cells in one
  row is drawn as one normal number of the bits' exact mean and variance (the macro itself draws every bit).
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.draws import Purpose, draw, normal
from bridgebnn.model.macro.bridge import decide, source_line
from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.parameters.device_params import DeviceParams, Stuck
from bridgebnn.model.parameters.params import MacroParams

from .current_mode import CurrentParams, fed_inputs, tiled_transfer

__all__ = ["Circuit", "Setting", "accuracies", "cells_of", "classify", "setting", "sweeps"]

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


def sweeps(quick: bool = False) -> dict[str, tuple[str, list[float], list[Circuit]]]:
    """Names of the sweeps, each with the label of its axis, its values, and the circuits that it concerns."""
    everything = list(Circuit)
    found = {
        "spread": ("device spread (multiple of the default sigmas)", [0, 1, 2, 4, 6, 8, 12], everything),
        "wire": ("wire resistance (ohm per cell)", [1, 3, 10, 30], everything),
        "supply": (
            "source resistance of the read supply (ohm)",
            [1e-3, 1e-2, 3e-2, 1e-1, 1, 100, 1e3, 3e3, 1e4, 3e4],
            everything,
        ),
        "plates": (
            "droop of the plates' supply (share of Vdd)",
            [0, 0.01, 0.02, 0.05, 0.1, 0.2],
            [Circuit.BRIDGE, Circuit.SINGLE_ENDED],
        ),
    }
    return {k: (a, v[::2] if quick else v, c) for k, (a, v, c) in found.items()}


def setting(sweep: str, value: float, tile: tuple[int, int] = (64, 128)) -> Setting:
    """The point ``value`` of a sweep; what it does not vary has its default.

    The conventional array has wires in the sweep ``wire`` only, tiles of ``tile`` rows and columns, and a
    source resistance in the sweep ``supply`` only.

    Raises
    ------
    ValueError
        For an unknown sweep.
    """
    macro = MacroParams.real()
    bridge, neuron = macro.bridge, macro.neuron
    no_wires = CurrentParams(r_row_ohm=0.0, r_column_ohm=0.0)
    if sweep == "spread":
        return Setting(spread=value, macro=macro, current=no_wires)
    if sweep == "wire":
        lines = dict.fromkeys(("r_bl_ohm", "r_blb_ohm", "r_supply_ohm", "r_ground_ohm"), value)
        bridge = dataclasses.replace(bridge, **lines)
        current = CurrentParams(r_row_ohm=value, r_column_ohm=value, tile_rows=tile[0], tile_columns=tile[1])
    elif sweep == "supply":
        bridge = dataclasses.replace(bridge, r_feed_ohm=value)
        current = dataclasses.replace(no_wires, r_feed_ohm=value)
    elif sweep == "plates":
        neuron, current = dataclasses.replace(neuron, plate_droop=value), no_wires
    else:
        raise ValueError(f"sweep = {sweep!r}: must be spread, wire, supply or plates")
    return Setting(macro=dataclasses.replace(macro, bridge=bridge, neuron=neuron), current=current)


def cells_of(mapping: Mapping, layer: int, params: DeviceParams, spread: float, chip: int) -> FloatArray:
    """Devices of a layer's rows, tile by tile: (T, n, C, 2) in ohm, for the layer's tiles in order."""
    d, p = mapping.descriptors[layer], params
    rows = slice(d.row_first, d.row_first + d.row_count)
    found = []
    for tile in range(d.tile_first, d.tile_first + d.tile_count):
        generator = draw(chip, Purpose.STUDY, tile, d.row_first)
        ones = mapping.images[tile, rows].astype(bool)
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


@dataclass(frozen=True, eq=False)
class _Reading:
    """Mean and variance of what every cell puts on its capacitor, with input +1 and -1; (n, C)."""

    f1: FloatArray
    f0: FloatArray
    var1: FloatArray | None
    var0: FloatArray | None


class _Layer:
    """One layer of one chip at one setting; readings are made once and shared by the circuits."""

    def __init__(self, mapping: Mapping, layer: int, at: Setting, chip: int) -> None:
        self.mapping, self.layer, self.at, self.chip = mapping, layer, at, chip
        self.d = mapping.descriptors[layer]
        self.cells = cells_of(mapping, layer, at.macro.device, at.spread, chip)
        self._read: dict[tuple[bool, bool, int], _Reading] = {}
        self._transfers: dict[int, tuple[FloatArray, FloatArray]] = {}

    def scores(self, circuit: Circuit, bits: NDArray[np.uint8]) -> FloatArray:
        """Scores of the layer for a batch of its inputs, (batch, n); a bit is ``score >= 0``."""
        program = self.mapping.programs[self.layer]
        entries = program.entries
        total: Any = 0.0
        for k, read in enumerate(program.reads):
            what = self._conventional if circuit is Circuit.CONVENTIONAL else self._bridges
            total = total + what(circuit, k, read.tile, read.column_data(bits), read.col_en, entries)
        return 2 * total - self.d.tile_count if self.d.mode is ReadMode.SIGN else 2 * total + entries

    def _normal(self, circuit: Circuit, tile: int, shape: Any, purpose: int) -> FloatArray:
        # the same images see the same noise at every point of a sweep
        place = list(Circuit).index(circuit) * 4 + purpose
        return draw(self.chip, Purpose.STUDY, tile, self.d.row_first, self.layer + 1, place).standard_normal(
            shape
        )

    def _reading(self, circuit: Circuit, k: int, tile: int, col_en: NDArray[np.bool_]) -> _Reading:
        one, analog = circuit is Circuit.ONE_DEVICE, circuit is Circuit.ANALOG
        if (found := self._read.get((one, analog, k))) is not None:
            return found
        p, ohm = self.at.macro, self.cells[k]
        if one:
            ohm = ohm.copy()
            ohm[..., 1] = math.sqrt(p.device.lrs_nominal_ohm * p.device.hrs_nominal_ohm)
        rows = np.arange(self.d.row_first, self.d.row_first + self.d.row_count)
        volts = source_line(ohm, rows, p.bridge, col_en)
        if analog:
            scale = p.bridge.v_read_V
            noise = (volts.sigma1_V / scale) ** 2, (volts.sigma0_V / scale) ** 2
            found = _Reading(volts.v1_V / scale, volts.v0_V / scale, *(n if n.any() else None for n in noise))
        else:
            spread = normal(self.chip, Purpose.BUFFER_THRESHOLD, tile, size=ohm.shape[1])
            read = decide(volts, p.bridge.buffer_threshold_V + p.bridge.buffer_sigma_V * spread)
            live = (read.live & col_en).any()
            noise = (read.p1 * (1 - read.p1), read.p0 * (1 - read.p0)) if live else (None, None)
            found = _Reading(read.p1, read.p0, *noise)
        self._read[one, analog, k] = found
        return found

    def _bridges(
        self,
        circuit: Circuit,
        k: int,
        tile: int,
        bl: NDArray[np.bool_],
        col_en: NDArray[np.bool_],
        entries: NDArray[np.int64],
    ) -> FloatArray:
        read = self._reading(circuit, k, tile, col_en)
        neuron = Neuron.of(self.at.macro.neuron, len(col_en), self.chip, tile)
        on, enabled = (bl & col_en).astype(np.float64), col_en.astype(np.float64)
        counted = self.d.mode is not ReadMode.SIGN and circuit is not Circuit.ANALOG
        single = circuit is Circuit.SINGLE_ENDED
        kept = 1.0 - self.at.macro.neuron.plate_droop
        load = len(enabled) + neuron.params.parasitic_F(len(enabled)) / neuron.params.cu_F
        if counted:
            weight = np.ones(len(enabled))
        else:
            weight = kept * neuron.a * (load / neuron.load_p) if single else neuron.w / 2
        x = _affine(on, enabled, weight * read.f1, weight * read.f0)
        if read.var1 is not None:
            variance = _affine(on, enabled, weight**2 * read.var1, weight**2 * read.var0)
            x += np.sqrt(np.maximum(variance, 0.0)) * self._normal(circuit, tile, x.shape, 0)
        if counted:
            return np.rint(x)
        ref_gain, volts = neuron.ref_gain, 1.0
        if single:
            x -= enabled.sum() / 2
            volts, ref_gain = 2.0 * kept, ref_gain * kept  # a count of VP is half of one of dV
        else:
            x -= (neuron.v @ enabled) / 2
        if self.d.mode is not ReadMode.SIGN:
            return x + enabled.sum() / 2
        x += volts * neuron.offset
        if neuron.noise > 0:
            x += volts * neuron.noise * self._normal(circuit, tile, x.shape, 1)
        return (x + ref_gain * entries >= 0).astype(np.float64)

    def _conventional(
        self,
        circuit: Circuit,
        k: int,
        tile: int,
        bl: NDArray[np.bool_],
        col_en: NDArray[np.bool_],
        entries: NDArray[np.int64],
    ) -> FloatArray:
        p, device = self.at.current, self.at.macro.device
        ohm = self.cells[k][:, col_en]
        if k not in self._transfers:
            self._transfers[k] = tiled_transfer(ohm, p)
        currents_S, input_S = self._transfers[k]
        signs = np.where(bl[:, col_en], 1.0, -1.0)
        window_S = 1 / (p.r_on_ohm + device.lrs_nominal_ohm) - 1 / (p.r_on_ohm + device.hrs_nominal_ohm)
        dot = fed_inputs(signs, input_S, p) @ currents_S.T / (p.v_read_V * window_S)
        if p.read_noise > 0:  # d G / d ln R = -R G^2, of all devices of a neuron in power
            slope = ohm / (p.r_on_ohm + ohm) ** 2
            sigma = p.read_noise / window_S * np.sqrt((slope**2).sum(axis=(1, 2)))
            dot += sigma * self._normal(circuit, tile, dot.shape, 2)
        if self.d.mode is ReadMode.SIGN:
            return (dot + 2 * entries >= 0).astype(np.float64)
        return (dot + signs.shape[1]) / 2


def _affine(on: FloatArray, enabled: FloatArray, with_one: FloatArray, with_zero: FloatArray) -> FloatArray:
    """Sum over the enabled columns of ``with_one`` where the input is +1, of ``with_zero`` elsewhere."""
    return on @ (with_one - with_zero).T + with_zero @ enabled


def _layers(mapping: Mapping, at: Setting, chip: int) -> Iterator[_Layer]:
    for layer in range(len(mapping.descriptors)):
        yield _Layer(mapping, layer, at, chip)


def classify(
    mapping: Mapping, at: Setting, chip: int, images: NDArray[np.uint8], circuits: Sequence[Circuit]
) -> dict[Circuit, NDArray[np.int64]]:
    """Classes that each circuit gives to the images, (batch,)."""
    bits = dict.fromkeys(circuits, images)
    scores: dict[Circuit, FloatArray] = {}
    for layer in _layers(mapping, at, chip):
        for circuit in circuits:
            scores[circuit] = layer.scores(circuit, bits[circuit])
            bits[circuit] = (scores[circuit] >= 0).astype(np.uint8)
    return {circuit: np.argmax(found, axis=1) for circuit, found in scores.items()}


def accuracies(
    mapping: Mapping,
    at: Setting,
    chip: int,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    circuits: Sequence[Circuit] = tuple(Circuit),
) -> dict[str, float]:
    """Share of right classes by circuit, one chip."""
    found = classify(mapping, at, chip, images, circuits)
    return {circuit.value: float((classes == labels).mean()) for circuit, classes in found.items()}
