"""Study of programming conditions: what a strength costs, and how many cells it leaves wrong.

Every strength rewrites the same chip: all pairs are formed and programmed with the reset values first, then
the inverse image is programmed with the strength under test, so that every device has to switch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import DAC_LSB_V, Geometry, ProgOp, ProgSide, PulseConditions, Timing
from bridgebnn.model.devices.device import DeviceArray, Stuck
from bridgebnn.model.draws import Purpose, draw
from bridgebnn.model.flows.programming import ProgramReport, program, program_phase
from bridgebnn.model.parameters.params import MacroParams

from .cell_error import CellErrors, cell_errors, interval

__all__ = [
    "PUBLISHED_RATES",
    "STRENGTHS",
    "Bench",
    "FormingPoint",
    "Point",
    "Strength",
    "choose",
    "choose_forming",
    "forming_sweep",
    "sweep_strengths",
]

PUBLISHED_RATES: dict[str, tuple[float, ...]] = {
    "strongest": (0.0725e-2, 0.0362e-2, 0.0290e-2, 0.0072e-2),
    "strong": (0.145e-2, 0.0217e-2, 0.0290e-2, 0.0145e-2),
    "weak": (0.928e-2, 0.283e-2, 0.261e-2, 0.268e-2),
    "weakest": (7.81e-2, 2.70e-2, 2.29e-2, 2.38e-2, 2.49e-2),
}
"""Measured cell error rates, as fractions [data]; the grouping by strength is [ours]."""

PUBLISHED_CELLS = 13_800
"""All published rates are multiples of one in this many [data]."""

SOFT_LIMIT = 1e-4
"""Most devices that may stay unverified beside the stuck ones, as a share [ours]."""

CALIBRATED_CYC = 50
"""Width at which the device figures are published, 1 us at 50 MHz [std]; slopes over width are [ours]."""

HRS_BAND_OHM = (0.5e6, 3.3e6)
"""Published band of the HRS [std]; a median above it is an over-RESET."""

REWRITE_WEAR = 2.0
"""Most wear of a rewrite per bit: one nominal pulse for each of the two devices [ours]."""

FORMING_WEAR = 4.0
"""Most wear of forming per device, in nominal pulses [ours]."""


@dataclass(frozen=True, kw_only=True)
class Strength:
    """Conditions of SET and RESET under one name; forming is not part of it."""

    name: str
    set: PulseConditions
    reset: PulseConditions

    def timing(self, base: Timing) -> Timing:
        """``base`` with these conditions."""
        return dataclasses.replace(base, set=self.set, reset=self.reset)

    def label(self) -> str:
        """Levels of the first attempt in volt, width in cycles, attempts."""
        s, r = self.set, self.reset
        return (
            f"SET {s.prog_start * DAC_LSB_V:.2f} V, RESET {r.prog_start * DAC_LSB_V:.2f} V, "
            f"{s.width_cyc} cycles, {s.attempts} attempt{'s' * (s.attempts != 1)}"
        )

    @classmethod
    def shifted(cls, base: Timing, *, codes: int, width_cyc: int, attempts: int, name: str = "") -> Strength:
        """``base`` with both start voltages shifted by ``codes``, and another width and attempts."""

        def move(c: PulseConditions) -> PulseConditions:
            start = c.prog_start + codes
            return dataclasses.replace(
                c,
                prog_start=start,
                prog_limit=max(start, c.prog_limit),
                width_cyc=width_cyc,
                attempts=attempts,
            )

        return cls(
            name=name or f"{codes:+d}/{width_cyc}/{attempts}", set=move(base.set), reset=move(base.reset)
        )


def _single(name: str, set_code: int, reset_code: int) -> Strength:
    """One SET and one RESET pulse of 1 us at the published word-line voltages, 1.7 V and 2.5 V [std]."""

    def once(code: int, wl: int) -> PulseConditions:
        return PulseConditions(
            width_cyc=50,
            attempts=1,
            prog_start=code,
            prog_step=0,
            prog_limit=code,
            wl_start=wl,
            wl_step=0,
            wl_limit=wl,
        )

    return Strength(name=name, set=once(set_code, 85), reset=once(reset_code, 125))


STRENGTHS: tuple[Strength, ...] = (
    _single("weakest", 111, 114),
    _single("weak", 119, 121),
    _single("strong", 121, 128),
    _single("strongest", 122, 132),
)
"""Counterparts of the four published strengths: one pulse each, levels found by this study [ours]."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one strength did; figures per programmed bit are per bridge, both devices together.

    Parameters
    ----------
    strength : Strength
    errors : CellErrors
    soft_failures, devices : int
        Devices that did not verify without being stuck, among how many.
    pulses_per_bit : float
        Device pulses.
    energy_per_bit_J, time_per_bit_s, wear_per_bit : float
        Wear in equivalent nominal pulses.
    hrs_median_ohm : float
    """

    strength: Strength
    errors: CellErrors
    soft_failures: int
    devices: int
    pulses_per_bit: float
    energy_per_bit_J: float
    time_per_bit_s: float
    wear_per_bit: float
    hrs_median_ohm: float

    @property
    def converges(self) -> bool:
        """The upper end of the 95 % interval of the soft failures is below :data:`SOFT_LIMIT`."""
        return interval(self.soft_failures, self.devices)[1] < SOFT_LIMIT

    @property
    def eligible(self) -> bool:
        """It converges at the calibrated width, wears little, and leaves the HRS in the published band."""
        low, high = HRS_BAND_OHM
        return (
            self.converges
            and self.strength.set.width_cyc == self.strength.reset.width_cyc == CALIBRATED_CYC
            and self.wear_per_bit <= REWRITE_WEAR
            and low <= self.hrs_median_ohm <= high
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        own["strength"] = dataclasses.asdict(self.strength)
        own["errors"] = self.errors.as_dict()
        own["converges"], own["eligible"] = self.converges, self.eligible
        return own


class Bench:
    """One chip, formed and programmed with the reset values, on which strengths are compared.

    Parameters
    ----------
    cells : int, at least 1
        Bridges; rounded up to whole rows of 2,300.
    params : MacroParams
    timing : Timing
    chip : int
        Seed of devices and images.
    """

    columns = 2300
    """Of a row: 13,800 cells are six rows."""

    def __init__(self, cells: int, params: MacroParams, timing: Timing, chip: int) -> None:
        if not 1 <= cells <= 4096 * self.columns:
            raise ValueError(f"cells = {cells!r}: must be from 1 to {4096 * self.columns}")
        rows = -(-cells // self.columns)
        self.params, self.timing, self.chip = params, timing, chip
        self.devices = DeviceArray(Geometry(rows=rows, inputs=self.columns, bias=0), params.device, chip)
        shape = (1, rows, self.columns)
        self.images = draw(chip, Purpose.STUDY, 0).integers(0, 2, shape).astype(bool)
        self.masks = np.ones(shape, bool)
        self.first: ProgramReport = program(self.devices, ~self.images, self.masks, timing)
        self._start = self.devices.snapshot()

    def evaluate(self, strength: Strength) -> Point:
        """Rewrite the chip with ``strength``; the next call starts from the same state."""
        devices = self.devices
        devices.restore(self._start)
        wear = float(devices.wear.sum(dtype=np.float64))
        report = program(devices, self.images, self.masks, strength.timing(self.timing))
        ohm = devices.resistance_ohm[0]
        high = np.where(self.images[0], ohm[..., 1], ohm[..., 0])
        failed = np.zeros(devices.stuck.shape, bool)
        if report.failures:
            failed[tuple(np.array([f[:4] for f in report.failures]).T)] = True
        return Point(
            strength=strength,
            errors=cell_errors(
                ohm,
                self.images[0],
                self.masks[0],
                np.arange(ohm.shape[0]),
                middle_ohm=devices.middle_ohm,
                params=self.params.bridge,
                chip=self.chip,
            ),
            soft_failures=int(np.count_nonzero(failed & (devices.stuck == Stuck.NONE))),
            devices=devices.stuck.size,
            pulses_per_bit=int(report.attempts.sum(dtype=np.int64)) / report.bits,
            energy_per_bit_J=float(report.energy_J.sum()) / report.bits,
            time_per_bit_s=report.time_s / report.bits,
            wear_per_bit=(float(devices.wear.sum(dtype=np.float64)) - wear) / report.bits,
            hrs_median_ohm=float(np.median(high)),
        )


def sweep_strengths(
    base: Timing,
    codes: Sequence[int] = (-30, -20, -10, 0, 10, 20, 30),
    widths_cyc: Sequence[int] = (10, 50, 250),
    attempts: Sequence[int] = (1, 2, 4, 8),
) -> list[Strength]:
    """Grid around the reset values of ``base``, which are in it."""
    return [
        Strength.shifted(base, codes=c, width_cyc=w, attempts=a)
        for w in widths_cyc
        for a in attempts
        for c in codes
    ]


def choose(points: Sequence[Point]) -> Point | None:
    """Of the eligible points within a tenth of the fastest one's time, that with most attempts.

    Attempts cost time on stuck devices only; they are the reserve for what this study does not hold: worn and
    drifted devices, other chips.
    """
    good = [p for p in points if p.eligible]
    if not good:
        return None
    limit_s = 1.1 * min(p.time_per_bit_s for p in good)
    return max(
        (p for p in good if p.time_per_bit_s <= limit_s),
        key=lambda p: (p.strength.set.attempts, -p.time_per_bit_s),
    )


@dataclass(frozen=True, kw_only=True)
class FormingPoint:
    """Forming a fresh chip; shares are of the devices that are not stuck.

    Parameters
    ----------
    prog_start, prog_step : int
        DAC codes.
    first_yield, final_yield : float
        Share formed by one pulse, and by all attempts.
    attempts_per_phase : float
        Mean over rows and sides.
    energy_per_device_J, time_per_device_s, wear_per_device : float
        The time includes verify reads and walks.
    failures, devices : int
    """

    prog_start: int
    prog_step: int
    first_yield: float
    final_yield: float
    attempts_per_phase: float
    energy_per_device_J: float
    time_per_device_s: float
    wear_per_device: float
    failures: int
    devices: int

    @property
    def eligible(self) -> bool:
        """It converges and wears the devices little."""
        return interval(self.failures, self.devices)[1] < SOFT_LIMIT and self.wear_per_device <= FORMING_WEAR


def choose_forming(points: Sequence[FormingPoint]) -> FormingPoint | None:
    """Fastest eligible point."""
    return min((p for p in points if p.eligible), key=lambda p: p.time_per_device_s, default=None)


def forming_sweep(
    cells: int,
    params: MacroParams,
    timing: Timing,
    chip: int,
    starts: Sequence[int] = tuple(range(110, 166, 5)),
    steps: Sequence[int] = (5, 10),
) -> list[FormingPoint]:
    """Form fresh copies of one chip with other start voltages and steps."""
    rows = -(-cells // Bench.columns)
    geometry = Geometry(rows=rows, inputs=Bench.columns, bias=0)
    return [
        _form(DeviceArray(geometry, params.device, chip), timing, start, step)
        for step in steps
        for start in starts
    ]


def _form(devices: DeviceArray, timing: Timing, start: int, step: int) -> FormingPoint:
    form = dataclasses.replace(timing.form, prog_start=start, prog_step=step)
    conditions = dataclasses.replace(timing, form=form)
    everything = np.ones(devices.geometry.columns, bool)
    phases = [
        program_phase(devices, 0, row, ProgOp.FORM, side, everything, conditions)
        for row in range(devices.geometry.rows)
        for side in ProgSide
    ]
    attempts = sum(p.attempts for p in phases)
    pulses = sum(sum(p.groups) for p in phases)
    # cycles of the sequencer: bridgebnn.hdl.spec.program_cycles
    words = devices.geometry.row_words
    cycles = (len(phases) + attempts) * (timing.verify_cyc + words + 1)
    cycles += pulses * max(timing.wl_setup_cyc + form.width_cyc + 1, words + 2)
    free = devices.stuck == Stuck.NONE
    formed = devices.formed[free]
    return FormingPoint(
        prog_start=start,
        prog_step=step,
        first_yield=float(np.mean(formed & (devices.pulse_count[free] == 1))),
        final_yield=float(formed.mean()),
        attempts_per_phase=attempts / len(phases),
        energy_per_device_J=float(devices.energy_J[ProgOp.FORM]) / free.size,
        time_per_device_s=cycles * timing.clock_s / free.size,
        wear_per_device=float(devices.wear[free].mean()),
        failures=int(np.count_nonzero(~formed)),
        devices=int(formed.size),
    )
