"""Parameters of the ReRAM devices: three named sets, every number with unit, range and provenance.

Provenance: [pub] published by the authors of the circuit, [data] from their error tables, [std] established
result or public device data, [ours] design choice or assumption. Equations: ``docs/programming.md``.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from dataclasses import dataclass

__all__ = ["BOLTZMANN_EV_PER_K", "REFERENCE_WIDTH_S", "REFERENCE_WL_V", "DeviceParams", "Stuck"]

BOLTZMANN_EV_PER_K = 8.617333262e-5
"""Boltzmann constant in eV/K [std]."""

REFERENCE_WL_V = 1.7
"""Word-line voltage of the SET condition [std]; LRS figures refer to it."""

REFERENCE_WIDTH_S = 1e-6
"""Pulse width of the forming figures [std]; thresholds refer to it."""


class Stuck(enum.IntEnum):
    """Permanent state of a device that no pulse changes."""

    NONE = 0  # obeys
    LRS = 1  # shorted filament: RESET does nothing
    HRS = 2  # formed, but SET does nothing
    UNFORMED = 3  # no filament: forming does nothing


_RANGES: dict[str, tuple[float, float]] = {
    "pristine_median_ohm": (1e6, 1e12),
    "pristine_sigma": (0.0, 2.0),
    "forming_floor_V": (0.0, 5.0),
    "forming_excess_V": (1e-3, 5.0),
    "forming_sigma": (0.0, 2.0),
    "forming_jitter_V": (0.0, 1.0),
    "forming_V_per_decade": (0.0, 1.0),
    "forming_overshoot_per_V": (0.0, 5.0),
    "transistor_vt_V": (0.0, 2.0),
    "transistor_beta_A_per_V2": (1e-6, 1e-2),
    "compliance_V": (0.01, 2.0),
    "lrs_sigma_device": (0.0, 1.0),
    "lrs_sigma_cycle": (0.0, 1.0),
    "set_V": (0.0, 5.0),
    "set_sigma_device_V": (0.0, 1.0),
    "set_sigma_cycle_V": (0.0, 1.0),
    "set_V_per_decade": (0.0, 1.0),
    "set_V_per_decade_ohm": (0.0, 2.0),
    "reset_V": (0.0, 5.0),
    "reset_sigma_device_V": (0.0, 1.0),
    "reset_sigma_cycle_V": (0.0, 1.0),
    "reset_V_per_decade": (0.0, 1.0),
    "hrs_median_ohm": (2e4, 1e9),
    "hrs_reference_V": (0.1, 5.1),
    "hrs_log_per_V": (0.0, 20.0),
    "hrs_log_per_decade": (0.0, 5.0),
    "hrs_sigma_device": (0.0, 2.0),
    "hrs_sigma_cycle": (0.0, 2.0),
    "breakdown_V": (1.0, 100.0),
    "breakdown_sigma_V": (0.0, 5.0),
    "endurance_median": (1.0, 1e15),
    "endurance_sigma": (0.0, 5.0),
    "wear_reference_V": (0.1, 5.1),
    "wear_acceleration_V": (0.01, 10.0),
    "wear_hrs_log": (0.0, 10.0),
    "stuck_lrs_probability": (0.0, 1.0),
    "stuck_hrs_probability": (0.0, 1.0),
    "stuck_unformed_probability": (0.0, 1.0),
    "drift_reference_s": (1e-9, 1e6),
    "drift_temperature_K": (200.0, 600.0),
    "drift_activation_eV": (0.0, 3.0),
    "drift_lrs_per_decade": (-1.0, 1.0),
    "drift_lrs_sigma": (0.0, 1.0),
    "drift_hrs_per_decade": (-1.0, 1.0),
    "drift_hrs_sigma": (0.0, 1.0),
    "read_disturb_log": (0.0, 1.0),
    "read_disturb_reference_V": (0.01, 5.0),
    "read_disturb_acceleration_V": (0.01, 5.0),
    "program_disturb_log": (0.0, 1.0),
    "lrs_max_ohm": (1.0, 1e12),
    "hrs_min_ohm": (1.0, 1e12),
    "formed_max_ohm": (1.0, 1e12),
}


@dataclass(frozen=True, kw_only=True)
class DeviceParams:
    """One population of HfO2 ReRAM devices, each behind its select transistor.

    The defaults are the ``real()`` set. Sigmas without a unit are of the natural logarithm of a resistance.
    Widths enter as ``log10(width_s / 1 us)``.

    Parameters
    ----------
    deterministic : bool
        No spread, and every pulse works whatever its levels and width: the ideal macro.
    pristine_median_ohm, pristine_sigma
        Resistance before forming; > 10 Mohm [std], median and sigma [ours].
    forming_floor_V, forming_excess_V, forming_sigma
        Forming voltage of a device at 1 us = floor + excess * exp(sigma * z): 2.2-3.1 V, mean 2.5 V [std];
        the shifted lognormal shape is [ours].
    forming_jitter_V, forming_V_per_decade
        Cycle-to-cycle jitter, and fall of the voltage per decade of pulse width [ours].
    forming_overshoot_per_V
        Fall of ln R per volt above the forming voltage (discharge of the line into the filament) [ours].
    transistor_vt_V, transistor_beta_A_per_V2
        Select transistor: compliance current 0.5*beta*(wl - vt)**2, on-resistance 1/(beta*(wl - vt)) [ours].
    compliance_V
        R_LRS = compliance_V / compliance current, the universal inverse law of filamentary devices [std];
        with the two above, 10 kohm at WL 1.7 V [std].
    lrs_sigma_device, lrs_sigma_cycle
        Spread of ln R_LRS at the reference compliance (WL 1.7 V); grows as 1/sqrt(current) [ours].
    set_V, set_sigma_device_V, set_sigma_cycle_V, set_V_per_decade
        SET threshold on the bit line at 1 us and median HRS [ours]: 2.4 V [std] is four sigmas above it.
    set_V_per_decade_ohm
        Rise of the SET threshold per decade of HRS: over-RESET devices are harder to SET [ours].
    reset_V, reset_sigma_device_V, reset_sigma_cycle_V, reset_V_per_decade
        RESET threshold across the device itself at 1 us [ours]; WL 2.5 V / SL 2.6 V [std] put 1.5 V there.
    hrs_median_ohm, hrs_reference_V, hrs_log_per_V, hrs_log_per_decade
        ln R_HRS = ln median + log_per_V*(V - reference) + log_per_decade*log10(width): 0.5-3.3 Mohm at 2.6 V
        is taken as +-2 sigma [std range, ours shape]; slopes [ours].
    hrs_sigma_device, hrs_sigma_cycle
        Spread of ln R_HRS.
    breakdown_V, breakdown_sigma_V
        RESET voltage that shorts a device for good (stuck in LRS) [ours].
    endurance_median, endurance_sigma
        Wear at which a device sticks, in equivalent nominal pulses, lognormal [ours].
    wear_reference_V, wear_acceleration_V
        Wear of a pulse = exp((V - reference)/acceleration) * sqrt(width / 1 us) [ours].
    wear_hrs_log
        Fall of ln R_HRS as wear approaches the limit: the window closes first [ours].
    stuck_lrs_probability, stuck_hrs_probability, stuck_unformed_probability
        Probability that a fresh device is stuck [ours].
    drift_reference_s, drift_temperature_K, drift_activation_eV
        Retention: ln R moves by nu*log10(1 + t_eff/reference), t_eff = t*exp(Ea/k*(1/T_ref - 1/T)) [ours].
    drift_lrs_per_decade, drift_lrs_sigma, drift_hrs_per_decade, drift_hrs_sigma
        Mean and device-to-device sigma of nu, in ln R per decade of time [ours].
    read_disturb_log, read_disturb_reference_V, read_disturb_acceleration_V
        Fall of ln R of a device in HRS per read at the reference voltage, and its acceleration [ours].
    program_disturb_log
        Fall of ln R of the pair's other device, if in HRS, per pulse on its partner [ours].
    lrs_max_ohm, hrs_min_ohm, formed_max_ohm
        Reference resistors of the three verify reads [ours]; lrs_max < hrs_min < formed_max.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """

    deterministic: bool = False
    pristine_median_ohm: float = 100e6
    pristine_sigma: float = 0.5
    forming_floor_V: float = 2.1
    forming_excess_V: float = 0.382
    forming_sigma: float = 0.3
    forming_jitter_V: float = 0.02
    forming_V_per_decade: float = 0.12
    forming_overshoot_per_V: float = 0.1
    transistor_vt_V: float = 0.7
    transistor_beta_A_per_V2: float = 80e-6
    compliance_V: float = 0.4
    lrs_sigma_device: float = 0.06
    lrs_sigma_cycle: float = 0.08
    set_V: float = 1.8
    set_sigma_device_V: float = 0.09
    set_sigma_cycle_V: float = 0.12
    set_V_per_decade: float = 0.15
    set_V_per_decade_ohm: float = 0.3
    reset_V: float = 1.15
    reset_sigma_device_V: float = 0.05
    reset_sigma_cycle_V: float = 0.06
    reset_V_per_decade: float = 0.12
    hrs_median_ohm: float = 1.28e6
    hrs_reference_V: float = 2.6
    hrs_log_per_V: float = 2.5
    hrs_log_per_decade: float = 0.5
    hrs_sigma_device: float = 0.25
    hrs_sigma_cycle: float = 0.40
    breakdown_V: float = 4.5
    breakdown_sigma_V: float = 0.15
    endurance_median: float = 1e6
    endurance_sigma: float = 1.0
    wear_reference_V: float = 2.6
    wear_acceleration_V: float = 0.25
    wear_hrs_log: float = 1.5
    stuck_lrs_probability: float = 3e-5
    stuck_hrs_probability: float = 3e-5
    stuck_unformed_probability: float = 4e-5
    drift_reference_s: float = 1.0
    drift_temperature_K: float = 300.0
    drift_activation_eV: float = 1.1
    drift_lrs_per_decade: float = 0.005
    drift_lrs_sigma: float = 0.01
    drift_hrs_per_decade: float = -0.01
    drift_hrs_sigma: float = 0.04
    read_disturb_log: float = 1e-12
    read_disturb_reference_V: float = 0.2
    read_disturb_acceleration_V: float = 0.15
    program_disturb_log: float = 1e-4
    lrs_max_ohm: float = 15e3
    hrs_min_ohm: float = 400e3
    formed_max_ohm: float = 10e6

    def __post_init__(self) -> None:
        if not isinstance(self.deterministic, bool):
            raise ValueError(f"DeviceParams.deterministic = {self.deterministic!r}: must be a bool")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"DeviceParams.{name} = {value!r}: must be from {low:g} to {high:g}")
        if not self.lrs_max_ohm < self.hrs_min_ohm < self.formed_max_ohm < self.pristine_median_ohm:
            raise ValueError(
                f"DeviceParams: lrs_max_ohm = {self.lrs_max_ohm:g}, hrs_min_ohm = {self.hrs_min_ohm:g}, "
                f"formed_max_ohm = {self.formed_max_ohm:g}, "
                f"pristine_median_ohm = {self.pristine_median_ohm:g}: must increase in this order"
            )
        if self.stuck_probability > 1:
            raise ValueError(f"DeviceParams stuck probabilities sum to {self.stuck_probability:g}: at most 1")

    @property
    def stuck_probability(self) -> float:
        """Probability that a fresh device is stuck, whatever the state."""
        return self.stuck_lrs_probability + self.stuck_hrs_probability + self.stuck_unformed_probability

    @property
    def forming_mean_V(self) -> float:
        """Mean forming voltage at 1 us, in volt: floor + excess * exp(sigma**2 / 2)."""
        return self.forming_floor_V + self.forming_excess_V * math.exp(self.forming_sigma**2 / 2)

    def compliance_A(self, wl_V: float) -> float:
        """Saturation current of the select transistor at word-line voltage ``wl_V``; 0 below threshold."""
        return 0.5 * self.transistor_beta_A_per_V2 * max(0.0, wl_V - self.transistor_vt_V) ** 2

    def on_resistance_ohm(self, wl_V: float) -> float:
        """Triode resistance of the select transistor at ``wl_V``; infinite below threshold."""
        overdrive_V = wl_V - self.transistor_vt_V
        return 1.0 / (self.transistor_beta_A_per_V2 * overdrive_V) if overdrive_V > 0 else math.inf

    def lrs_ohm(self, wl_V: float) -> float:
        """Median LRS that compliance ``wl_V`` leaves, in ohm; infinite below threshold."""
        current_A = self.compliance_A(wl_V)
        return self.compliance_V / current_A if current_A > 0 else math.inf

    @property
    def lrs_nominal_ohm(self) -> float:
        """Median LRS at the reference compliance, WL 1.7 V."""
        return self.lrs_ohm(REFERENCE_WL_V)

    @property
    def hrs_nominal_ohm(self) -> float:
        """Median HRS at the reference RESET."""
        return self.hrs_median_ohm

    @classmethod
    def ideal(cls) -> DeviceParams:
        """No spread, wear, drift or disturb; every pulse works at once, whatever its levels and width."""
        none = dict.fromkeys(
            (f.name for f in dataclasses.fields(cls) if f.name.endswith(("_probability", "_sigma"))), 0.0
        )
        return cls(
            deterministic=True,
            **none,
            lrs_sigma_device=0.0,
            lrs_sigma_cycle=0.0,
            forming_jitter_V=0.0,
            set_sigma_device_V=0.0,
            set_sigma_cycle_V=0.0,
            reset_sigma_device_V=0.0,
            reset_sigma_cycle_V=0.0,
            hrs_sigma_device=0.0,
            hrs_sigma_cycle=0.0,
            breakdown_sigma_V=0.0,
            drift_lrs_per_decade=0.0,
            drift_hrs_per_decade=0.0,
            read_disturb_log=0.0,
            program_disturb_log=0.0,
        )

    @classmethod
    def real(cls) -> DeviceParams:
        """Calibrated on the public SKY130 HfO2 figures [std]; what they leave open is [ours]."""
        return cls()

    @classmethod
    def group(cls) -> DeviceParams:
        """The authors' groups' LRS population, N(6988, 382) ohm [std], at the reference compliance.

        Sigma 382/6988 = 5.47 % is split evenly between device and cycle [ours]; the RESET threshold scales
        with the device's smaller share of the voltage [ours]; the rest is ``real()``.
        """
        half = 382.0 / 6988.0 / math.sqrt(2.0)
        return cls(
            compliance_V=6988.0 * 40e-6,
            lrs_sigma_device=half,
            lrs_sigma_cycle=half,
            reset_V=0.98,
            lrs_max_ohm=10e3,
        )

    def as_dict(self) -> dict[str, bool | float]:
        """Fields by name, as written to reports."""
        return dataclasses.asdict(self)
