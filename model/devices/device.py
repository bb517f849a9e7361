"""ReRAM devices of a chip: their state, and what pulses, verify reads, time and reads do to it.

The equations are in :mod:`model.devices.switching` and ``docs/programming.md``, the numbers in :class:`DeviceParams`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import DAC_LSB_V, Geometry, ProgOp, ProgSide, VerifyRef
from bridgebnn.model.draws import Purpose, draw, normal
from bridgebnn.model.parameters.device_params import BOLTZMANN_EV_PER_K, DeviceParams, Stuck

from . import switching
from .switching import Born, Levels, Traits

__all__ = ["DeviceArray", "DeviceParams", "Stuck"]

_STATE = ("resistance_ohm", "formed", "stuck", "pulse_count", "wear", "age_s", "energy_units")
_ENERGY_UNIT_J = 2.0**-64
"""Energies are counted in whole units of 5e-20 J, so that sums do not depend on the grouping."""
_CACHED_ROWS = 16
_CACHED_PULSES = 64
_CACHED_LEVELS = 256
_PRELOAD_TRIES = 8


class _Row(NamedTuple):
    """Draws of one row."""

    born: tuple[Born, Born]  # by side
    cycles: dict[tuple[int, int], NDArray[np.float64]]  # (2, C) by side and pulse number


class DeviceArray:
    """State and physics of every device of a chip.

    What a pulse does depends on the device's state, on the pulse, on the device's traits, keyed
    (chip, tile, row), and on its own pulse number, keyed (chip, tile, row, side, number): never on the order
    of calls or on which devices share a pulse. Wrong-order pulses act physically: SET on a formed device in
    HRS gives LRS, RESET on an unformed device does nothing, FORM on a formed one acts as a SET.

    Parameters
    ----------
    geometry : Geometry
        T tiles of R rows of C columns.
    params : DeviceParams
        The population.
    chip : int, 0..2**64-1
        Which chip: the key of all draws.

    Attributes
    ----------
    resistance_ohm : float64, (T, R, C, 2)
        Present resistance of the device of (tile, row, column, side), without its transistor.
    formed : bool, (T, R, C, 2)
    stuck : uint8, (T, R, C, 2)
        :class:`Stuck`; change it with :meth:`stick`.
    pulse_count : uint32, (T, R, C, 2)
        Pulses since power-up: the number of the next pulse.
    wear : float32, (T, R, C, 2)
        Equivalent nominal pulses.
    age_s : float32, (T, R, C, 2)
        Equivalent seconds at the drift temperature since the last switching.
    row_version : int64, (T, R)
        Goes up with every call that may change the row: the key for caches of what follows from it.
    energy_units : int64, (3,)
        What ``energy_J`` is counted in.
    """

    def __init__(self, geometry: Geometry, params: DeviceParams, chip: int = 0) -> None:
        if isinstance(chip, bool) or not isinstance(chip, int | np.integer) or not 0 <= chip < 2**64:
            raise ValueError(f"DeviceArray chip = {chip!r}: must be an integer from 0 to 2**64-1")
        self.geometry = geometry
        self.params = params
        self.chip = int(chip)
        shape = (geometry.tiles, geometry.rows, geometry.columns, 2)
        self.resistance_ohm = np.full(shape, params.pristine_median_ohm)
        self.formed = np.zeros(shape, bool)
        self.stuck = np.zeros(shape, np.uint8)
        self.pulse_count = np.zeros(shape, np.uint32)
        self.wear = np.zeros(shape, np.float32)
        self.age_s = np.zeros(shape, np.float32)
        self.row_version = np.zeros(shape[:2], np.int64)
        self.energy_units = np.zeros(3, np.int64)
        self._traits_kept: LRUCache[Any, Traits] = LRUCache(_CACHED_ROWS)
        self._rows_kept: dict[tuple[int, int], _Row] = {}
        self._levels_kept: dict[tuple[bool, int, int, float], Levels] = {}
        self._draw_fresh()

    def _draw_fresh(self) -> None:
        """Pristine resistances, and which devices are stuck from birth."""
        p = self.params
        shape = self.stuck.shape[1:]
        bounds = np.cumsum([p.stuck_lrs_probability, p.stuck_hrs_probability, p.stuck_unformed_probability])
        for tile in range(self.geometry.tiles):
            generator = draw(self.chip, Purpose.DEVICE_FRESH, tile)
            if p.pristine_sigma > 0:
                spread = generator.standard_normal(shape, np.float32).astype(np.float64)
                ohm = p.pristine_median_ohm * np.exp(p.pristine_sigma * spread)
                # every pristine device is above 10 Mohm [std], the FORMED reference
                self.resistance_ohm[tile] = np.maximum(ohm, 1.01 * p.formed_max_ohm)
            if bounds[-1] > 0:
                chance = generator.random(shape)
                hit = np.argwhere(chance < bounds[-1])
                kind = np.searchsorted(bounds, chance[tuple(hit.T)], side="right")
                order = (Stuck.LRS, Stuck.HRS, Stuck.UNFORMED)
                for (row, column, side), which in zip(hit.tolist(), kind.tolist(), strict=True):
                    self.stick(tile, row, [column], ProgSide(side), order[which])

    # -- addressing and draws --------------------------------------------------------------------------------

    def _check(self, tile: int, row: int) -> None:
        if 0 <= tile < self.geometry.tiles and 0 <= row < self.geometry.rows:
            return
        for name, value, count in (("tile", tile, self.geometry.tiles), ("row", row, self.geometry.rows)):
            if not 0 <= value < count:
                raise ValueError(f"{name} = {value!r}: must be from 0 to {count - 1}")

    def _indices(self, columns: ArrayLike) -> NDArray[np.intp]:
        """Column numbers, ascending, from a (C,) mask or from a list of numbers."""
        picked = np.asarray(columns)
        count = self.geometry.columns
        if picked.dtype == bool:
            if picked.shape != (count,):
                raise ValueError(f"columns: a mask of shape {picked.shape}, must be ({count},)")
            return picked.nonzero()[0]
        picked = np.unique(picked.astype(np.intp))
        if picked.size and not (0 <= picked[0] and picked[-1] < count):
            raise ValueError(f"columns = {picked[0]}..{picked[-1]}: must be from 0 to {count - 1}")
        return picked

    @cachedmethod(lambda self: self._traits_kept)
    def traits(self, tile: int, row: int) -> Traits:
        """Device-to-device quantiles of one row, each (C, 2), keyed (chip, tile, row)."""
        names = [field.name for field in dataclasses.fields(Traits)]
        size = (len(names), self.geometry.columns, 2)
        born = normal(self.chip, Purpose.DEVICE_TRAITS, tile, row, size=size)
        return Traits(**dict(zip(names, born, strict=True)))

    def _row(self, tile: int, row: int) -> _Row:
        """What pulses on a row draw; of the last rows that were pulsed it is kept."""
        found = self._rows_kept.get((tile, row))
        if found is None:
            if len(self._rows_kept) >= _CACHED_ROWS:
                del self._rows_kept[next(iter(self._rows_kept))]
            found = _Row(switching.born_with(self.params, self.traits(tile, row)), {})
            self._rows_kept[tile, row] = found
        return found

    def _levels(self, reset: bool, wl_level: int, prog_level: int, width_s: float) -> Levels:
        """What a pulse's DAC codes and width are to the equations; a chip sees few of them."""
        key = reset, wl_level, prog_level, width_s
        found = self._levels_kept.get(key)
        if found is None:
            if len(self._levels_kept) >= _CACHED_LEVELS:
                self._levels_kept.clear()
            found = switching.levels_of(
                self.params, reset, wl_level * DAC_LSB_V, prog_level * DAC_LSB_V, width_s
            )
            self._levels_kept[key] = found
        return found

    def cycle(
        self, tile: int, row: int, side: int, numbers: NDArray, index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Cycle-to-cycle quantiles (2, n) of pulses ``numbers`` (n,) on the devices in columns ``index``."""
        first = int(numbers[0])
        if np.count_nonzero(numbers == first) == numbers.size:
            return self._cycles(tile, row, side, first).take(index, axis=1)
        out = np.empty((2, index.size))
        for number in np.unique(numbers).tolist():
            here = numbers == number
            out[:, here] = self._cycles(tile, row, side, number)[:, index[here]]
        return out

    def _cycles(self, tile: int, row: int, side: int, number: int) -> NDArray[np.float64]:
        """Cycle-to-cycle quantiles (2, C) of one pulse number on one side of a row."""
        kept = self._row(tile, row).cycles
        found = kept.get((side, number))
        if found is None:
            if len(kept) >= _CACHED_PULSES:
                kept.clear()
            size = (2, self.geometry.columns)
            found = normal(self.chip, Purpose.PULSE, tile, row, side, number, size=size)
            kept[side, number] = found
        return found

    # -- pulses ----------------------------------------------------------------------------------------------

    def pulse(
        self,
        tile: int,
        row: int,
        columns: ArrayLike,
        op: ProgOp,
        side: ProgSide,
        wl_level: int,
        prog_level: int,
        width_s: float,
    ) -> None:
        """One programming pulse on one side of the selected columns of a row.

        Parameters
        ----------
        tile, row : int
            Inside the geometry.
        columns : (C,) bool, or a list of column numbers
            The columns that get the pulse.
        op, side : ProgOp, ProgSide
            FORM and SET put the voltage on the device's bit line, RESET on SL.
        wl_level, prog_level : int, 0..255
            DAC codes of ``DAC_LSB_V`` each.
        width_s : float, > 0
            Length of the pulse in seconds, taken to the nearest picosecond.

        Raises
        ------
        ValueError
            With the offending value and its legal range.
        """
        self._check(tile, row)
        for name, level in (("wl_level", wl_level), ("prog_level", prog_level)):
            if not 0 <= level <= 255:
                raise ValueError(f"{name} = {level!r}: must be from 0 to 255")
        if not width_s > 0:
            raise ValueError(f"width_s = {width_s!r}: must be positive, in seconds")
        # cycles times period and a difference of simulation times must give the same width to the last bit
        width_s = max(round(width_s * 1e12), 1) / 1e12
        op, side = ProgOp(op), ProgSide(side)
        index = self._indices(columns)
        if index.size == 0:
            return
        self.row_version[tile, row] += 1
        if self.params.deterministic:
            self._pulse_ideal((tile, row, index, int(side)), op)
        else:
            levels = self._levels(op is ProgOp.RESET, wl_level, prog_level, width_s)
            self._pulse_real(tile, row, index, int(side), op, levels)
        self.pulse_count[tile, row, :, int(side)][index] += 1

    def _pulse_ideal(self, place: tuple, op: ProgOp) -> None:
        acts = self.stuck[place] == Stuck.NONE
        if op is not ProgOp.FORM:
            acts &= self.formed[place]
        p = self.params
        target_ohm = p.hrs_nominal_ohm if op is ProgOp.RESET else p.lrs_nominal_ohm
        self.resistance_ohm[place] = np.where(acts, target_ohm, self.resistance_ohm[place])
        self.formed[place] |= acts

    def _pulse_real(
        self, tile: int, row: int, index: NDArray[np.intp], side: int, op: ProgOp, levels: Levels
    ) -> None:
        p, here = self.params, (tile, row, slice(None), side)
        # a view of the row's side, then a list of its columns: much faster than both in one index
        row_ohm, row_formed, row_wear = self.resistance_ohm[here], self.formed[here], self.wear[here]
        old_ohm, formed, wear = row_ohm[index], row_formed[index], row_wear[index]
        born = self._row(tile, row).born[side]
        limit = born.wear_limit[index]
        z = self.cycle(tile, row, side, self.pulse_count[here][index], index)
        if op is ProgOp.RESET:
            share = np.minimum(wear / limit, 1.0)
            out = switching.reset(p, born, index, z, old_ohm, formed, levels, share)
        else:
            out = switching.set_or_form(p, born, index, z, old_ohm, formed, levels)
        acts, new_ohm = out.acts, out.resistance_ohm
        free = None  # all of them
        if np.count_nonzero(self.stuck[tile, row]):
            free = self.stuck[here][index] == Stuck.NONE
            acts, new_ohm = acts & free, np.where(free, new_ohm, old_ohm)
        row_ohm[index] = new_ohm
        formed = formed | acts
        row_formed[index] = formed
        self.age_s[here][index[acts]] = 0
        energy_J = levels.charge_s * out.current_A
        self.energy_units[op] += np.rint(energy_J / _ENERGY_UNIT_J).astype(np.int64).sum()
        now: NDArray[np.float32] = wear + (formed * np.float32(levels.wear)).astype(np.float32, copy=False)
        row_wear[index] = now
        self._break(tile, row, index, side, now > limit, out.broken, free, born.dies_high)
        if p.program_disturb_log > 0:
            self._lower_hrs(tile, row, index, 1 - side, p.program_disturb_log)

    def _break(
        self,
        tile: int,
        row: int,
        index: NDArray[np.intp],
        side: int,
        worn: NDArray[np.bool_],
        broken: NDArray[np.bool_] | None,
        free: NDArray[np.bool_] | None,
        dies_high: NDArray[np.float64],
    ) -> None:
        """Devices of columns ``index`` (n,) that are worn out or broken stick, unless they do already."""
        if broken is None:
            broken = np.zeros(worn.shape, bool)
        if not np.count_nonzero(worn) and not np.count_nonzero(broken):
            return
        if free is not None:
            worn, broken = worn & free, broken & free
        to_hrs = worn & ~broken & (dies_high[index] > 0)
        to_lrs = (worn | broken) & ~to_hrs
        if to_hrs.any() or to_lrs.any():
            self.stick(tile, row, index[to_hrs], ProgSide(side), Stuck.HRS)
            self.stick(tile, row, index[to_lrs], ProgSide(side), Stuck.LRS)

    def _lower_hrs(self, tile: int, row: int, index: NDArray[np.intp], side: int, log_fall: float) -> None:
        """Disturb: ln R of the formed, free devices in HRS falls by ``log_fall``."""
        here = (tile, row, slice(None), side)
        row_ohm = self.resistance_ohm[here]
        ohm = row_ohm[index]
        moved = self.formed[here][index] & (ohm > self.middle_ohm)
        if np.count_nonzero(self.stuck[tile, row]):
            moved &= self.stuck[here][index] == Stuck.NONE
        if np.count_nonzero(moved):
            row_ohm[index[moved]] = ohm[moved] * math.exp(-log_fall)

    @property
    def energy_J(self) -> NDArray[np.float64]:
        """Energy of all pulses so far by ProgOp, (3,), in joule; 0 for a deterministic population."""
        return np.asarray(self.energy_units * _ENERGY_UNIT_J, np.float64)

    @cached_property
    def middle_ohm(self) -> float:
        """Geometric mean of the nominal LRS and HRS: above it, a device counts as HRS."""
        return math.sqrt(self.params.lrs_nominal_ohm * self.params.hrs_nominal_ohm)

    # -- verify ----------------------------------------------------------------------------------------------

    def verify(
        self, tile: int, row: int, columns: ArrayLike, side: ProgSide, ref: VerifyRef, margin: float = 1.0
    ) -> NDArray[np.bool_]:
        """Compare one side of a row with a reference resistor.

        LRS_MAX passes at ``R <= lrs_max_ohm / margin``, HRS_MIN at ``R >= hrs_min_ohm * margin``, FORMED at
        ``R < formed_max_ohm``; without hysteresis or noise, and without effect on the state. A margin above 1
        is the tighter reference of a refresh, ``bridgebnn.hdl.spec.margin_factor`` of its code.

        Returns
        -------
        (C,) bool
            True where the device was asked and passes.
        """
        self._check(tile, row)
        if not margin >= 1.0:
            raise ValueError(f"margin = {margin!r}: must be at least 1")
        side, ref = ProgSide(side), VerifyRef(ref)
        asked = np.zeros(self.geometry.columns, bool)
        asked[self._indices(columns)] = True
        ohm = self.resistance_ohm[tile, row, :, int(side)]
        sound = (ohm > 0) & (ohm < np.inf)
        if np.count_nonzero(sound) < sound.size and (wrong := np.flatnonzero(asked & ~sound)).size:
            column = int(wrong[0])
            raise ValueError(
                f"device {side.name} of tile {tile}, row {row}, column {column} has {ohm[column]} ohm: must be "
                "positive and finite"
            )
        if ref is VerifyRef.LRS_MAX:
            passed = ohm <= self.params.lrs_max_ohm / margin
        elif ref is VerifyRef.HRS_MIN:
            passed = ohm >= self.params.hrs_min_ohm * margin
        else:
            passed = ohm < self.params.formed_max_ohm
        return passed & asked

    def passes(self, tile: int, row: int) -> NDArray[np.bool_] | None:
        """What ``verify`` would say of a whole row at the nominal references, (2, 3, C) by side and `VerifyRef`.

        None where a resistance is not positive and finite: ``verify`` says which.
        """
        self._check(tile, row)
        ohm = self.resistance_ohm[tile, row].T
        if np.count_nonzero((ohm > 0) & (ohm < np.inf)) < ohm.size:
            return None
        passed = np.empty((2, 3, ohm.shape[1]), bool)
        np.less_equal(ohm, self.params.lrs_max_ohm, out=passed[:, VerifyRef.LRS_MAX])
        np.greater_equal(ohm, self.params.hrs_min_ohm, out=passed[:, VerifyRef.HRS_MIN])
        np.less(ohm, self.params.formed_max_ohm, out=passed[:, VerifyRef.FORMED])
        return passed

    # -- direct changes of state -----------------------------------------------------------------------------

    def stick(self, tile: int, row: int, columns: ArrayLike, side: ProgSide, state: Stuck) -> None:
        """Make devices stuck (or, with ``Stuck.NONE``, free them where they are), for faults and wear-out.

        LRS and HRS take the nominal resistances, UNFORMED the pristine one (at least the median).
        """
        self._check(tile, row)
        place = (tile, row, self._indices(columns), int(ProgSide(side)))
        p = self.params
        state = Stuck(state)
        self.stuck[place] = state
        self.row_version[tile, row] += 1
        if state is Stuck.NONE:
            return
        ohm = {
            Stuck.LRS: p.lrs_nominal_ohm,
            Stuck.HRS: p.hrs_nominal_ohm,
            Stuck.UNFORMED: p.pristine_median_ohm,
        }
        self.resistance_ohm[place] = ohm[state]
        self.formed[place] = state is not Stuck.UNFORMED

    def set_state(self, tile: int, row: int, columns: ArrayLike, bits: ArrayLike) -> None:
        """Preload complementary pairs without pulses, as if programmed and verified at reference conditions.

        Resistances come from the same spreads as a pulse's, redrawn until they verify; stuck devices stay.
        Pulse counts and wear do not change. The draw is keyed (chip, tile, row) alone.

        Parameters
        ----------
        columns : (C,) bool, or a list of column numbers
        bits : (C,) of 0 and 1
            Bit 1 = weight +1: P in LRS, N in HRS. Read in the selected columns only.

        Raises
        ------
        ValueError
            For a shape or value outside these.
        """
        self._check(tile, row)
        index = self._indices(columns)
        ones = np.asarray(bits)
        if ones.shape != (self.geometry.columns,) or not ((ones == 0) | (ones == 1)).all():
            raise ValueError(f"bits of shape {ones.shape}: must be ({self.geometry.columns},) of 0 and 1")
        ohm = self._preloaded_ohm(tile, row, index, np.stack([ones == 1, ones == 0], axis=1)[index])
        where = index if len(index) < self.geometry.columns else slice(None)
        now, free = self.resistance_ohm[tile, row], self.stuck[tile, row, where] == Stuck.NONE
        now[where] = np.where(free, ohm, now[where])
        self.formed[tile, row, where] |= free
        self.age_s[tile, row, where] = 0
        self.row_version[tile, row] += 1

    def _preloaded_ohm(
        self, tile: int, row: int, index: NDArray[np.intp], low: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Resistances (n, 2) of the devices of columns ``index`` (n,) that verify, in LRS where ``low`` (n, 2).

        A row draws all its tries in LRS, then those in HRS, whatever its bits, (2, tries, C, 2). Only what can be
        used is worked out: the first tries of the devices asked for, further ones of those that do not verify.
        """
        p, size = self.params, 2 * self.geometry.columns
        place = (2 * index[:, None] + np.arange(2))[low], (2 * index[:, None] + np.arange(2))[~low]
        found = np.empty(low.shape)
        if p.lrs_sigma_device == p.lrs_sigma_cycle == p.hrs_sigma_device == p.hrs_sigma_cycle == 0:
            lrs, hrs = np.zeros((2, size))
            tries = [iter(np.zeros((1, len(at)))) for at in place]
        else:
            names = [field.name for field in dataclasses.fields(Traits)]
            at_lrs, at_hrs = names.index("lrs"), names.index("hrs")
            born = normal(  # the beginning of `traits`
                self.chip, Purpose.DEVICE_TRAITS, tile, row, size=(max(at_lrs, at_hrs) + 1, size)
            )
            lrs, hrs = born[at_lrs], born[at_hrs]
            generator = draw(self.chip, Purpose.DEVICE_PRELOAD, tile, row)
            first = generator.standard_normal((_PRELOAD_TRIES, size))
            tries = [
                (z[place[0]] for z in first),
                (generator.standard_normal(size)[place[1]] for _ in range(_PRELOAD_TRIES)),
            ]
        ohm = _verifying(
            p.lrs_nominal_ohm,
            p.lrs_sigma_device * lrs[place[0]],
            p.lrs_sigma_cycle,
            tries[0],
            lambda ohm: ohm <= p.lrs_max_ohm,
        )
        found[low] = np.minimum(ohm, p.lrs_max_ohm)
        ohm = _verifying(
            p.hrs_nominal_ohm,
            p.hrs_sigma_device * hrs[place[1]],
            p.hrs_sigma_cycle,
            tries[1],
            lambda ohm: (ohm >= p.hrs_min_ohm) & (ohm < p.formed_max_ohm),
        )
        found[~low] = np.clip(ohm, p.hrs_min_ohm, p.formed_max_ohm * (1 - 2**-20))
        return found

    # -- time and reads --------------------------------------------------------------------------------------

    def age(self, time_s: float, temperature_K: float = 300.0) -> None:
        """Retention: every formed, free device drifts for ``time_s`` at ``temperature_K``, equation (11).

        Two calls at one temperature do the same as one call with the sum of the times.

        Raises
        ------
        ValueError
            For a negative time, or a temperature outside 200..600 K.
        """
        if not time_s >= 0:
            raise ValueError(f"time_s = {time_s!r}: must be at least 0, in seconds")
        if not 200.0 <= temperature_K <= 600.0:
            raise ValueError(f"temperature_K = {temperature_K!r}: must be from 200 to 600 kelvin")
        p = self.params
        inverse = 1.0 / p.drift_temperature_K - 1.0 / temperature_K
        step_s = time_s * math.exp(p.drift_activation_eV / BOLTZMANN_EV_PER_K * inverse)
        floor_ohm = p.lrs_nominal_ohm / 2
        for tile in range(self.geometry.tiles):
            for row in np.flatnonzero(self.formed[tile].any(axis=(1, 2))).tolist():
                ohm, age = self.resistance_ohm[tile, row], self.age_s[tile, row].astype(np.float64)
                free = self.formed[tile, row] & (self.stuck[tile, row] == Stuck.NONE)
                later = age + step_s
                decades = np.log10((p.drift_reference_s + later) / (p.drift_reference_s + age))
                high = ohm > self.middle_ohm
                mean = np.where(high, p.drift_hrs_per_decade, p.drift_lrs_per_decade)
                sigma = np.where(high, p.drift_hrs_sigma, p.drift_lrs_sigma)
                moved = ohm * np.exp((mean + sigma * self.traits(tile, row).drift) * decades)
                self.resistance_ohm[tile, row] = np.where(free, np.maximum(moved, floor_ohm), ohm)
                self.age_s[tile, row] = np.where(free, later, age)
                self.row_version[tile, row] += 1

    def read_disturb(self, tile: int, row: int, columns: ArrayLike, reads: int, voltage_V: float) -> None:
        """``reads`` bridge reads at ``voltage_V`` lower the HRS of the selected columns, equation (12)."""
        self._check(tile, row)
        if not (reads >= 0 and voltage_V >= 0):
            raise ValueError(f"reads = {reads!r}, voltage_V = {voltage_V!r}: must both be at least 0")
        p = self.params
        fall = reads * p.read_disturb_log
        if fall > 0:
            fall *= math.exp((voltage_V - p.read_disturb_reference_V) / p.read_disturb_acceleration_V)
            index = self._indices(columns)
            for side in ProgSide:
                self._lower_hrs(tile, row, index, int(side), fall)
            self.row_version[tile, row] += 1

    # -- copies ----------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Copy of the chip's state, for :meth:`restore`; it does not show how pulses were grouped."""
        return {name: getattr(self, name).copy() for name in _STATE}

    def differences(self, other: DeviceArray) -> list[str]:
        """What of the state is not equal to that of another chip of the same geometry."""
        return [name for name in _STATE if not np.array_equal(getattr(self, name), getattr(other, name))]

    def restore(self, state: dict[str, Any]) -> None:
        """Take back a :meth:`snapshot` of the same geometry; row versions go up."""
        for name in _STATE:
            if state[name].shape != getattr(self, name).shape:
                raise ValueError(f"{name} of shape {state[name].shape}: must be {getattr(self, name).shape}")
        for name in _STATE:
            getattr(self, name)[...] = state[name]
        self.row_version += 1


def _verifying(
    nominal_ohm: float,
    born: NDArray[np.float64],
    sigma: float,
    tries: Iterator[NDArray[np.float64]],
    verifies: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
) -> NDArray[np.float64]:
    """Resistances (n,): of each device the first of ``tries`` (n,) that verifies, else the first."""
    found = nominal_ohm * np.exp(born + sigma * next(tries))
    left = np.flatnonzero(~verifies(found))
    while left.size and (z := next(tries, None)) is not None:
        again = nominal_ohm * np.exp(born[left] + sigma * z[left])
        good = verifies(again)
        found[left[good]] = again[good]
        left = left[~good]
    return found
