"""Parameters of the ReRAM devices: three named sets, every number with unit, range and provenance.

Provenance: [pub] published by the authors of the circuit, [data] from their error tables, [std] established
result or public device data, [ours] design choice or assumption. Equations: ``docs/programming.md``.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from dataclasses import dataclass

from .quantities import Quantities, flag, quantity

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


@dataclass(frozen=True, kw_only=True)
class DeviceParams(Quantities):
    """One population of HfO2 ReRAM devices, each behind its select transistor.

    The defaults are the ``real()`` set. Widths enter as ``log10(width_s / 1 us)``.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """

    deterministic: bool = flag(
        False, "[ours] no spread, and every pulse works whatever its levels and width: the ideal macro"
    )
    pristine_median_ohm: float = quantity(
        100e6, "ohm", 1e6, 1e12, "[std] > 10 Mohm, [ours] median: resistance before forming"
    )
    pristine_sigma: float = quantity(0.5, "ln R", 0.0, 2.0, "[ours] its spread, none below 10.1 Mohm")
    forming_floor_V: float = quantity(
        2.1,
        "V",
        0.0,
        5.0,
        "[std] 2.2-3.1 V, mean 2.5 V; [ours] shape: forming voltage at 1 us is floor + excess exp(sigma z)",
    )
    forming_excess_V: float = quantity(0.382, "V", 1e-3, 5.0, "[std] see forming_floor_V")
    forming_sigma: float = quantity(0.3, "1", 0.0, 2.0, "[std] see forming_floor_V: spread device to device")
    forming_jitter_V: float = quantity(
        0.02, "V", 0.0, 1.0, "[ours] spread of the forming voltage, pulse to pulse"
    )
    forming_V_per_decade: float = quantity(
        0.12, "V", 0.0, 1.0, "[ours] fall of the forming voltage per decade of pulse width"
    )
    forming_overshoot_per_V: float = quantity(
        0.1,
        "ln R/V",
        0.0,
        5.0,
        "[ours] fall of ln R per volt above it: the line discharges into the filament",
    )
    transistor_vt_V: float = quantity(
        0.7, "V", 0.0, 2.0, "[ours] select transistor while programming: current beta/2 (WL - V_T)^2"
    )
    transistor_beta_A_per_V2: float = quantity(
        80e-6, "A/V^2", 1e-6, 1e-2, "[ours] the same; on-resistance 1 / (beta (WL - V_T))"
    )
    compliance_V: float = quantity(
        0.4, "V", 0.01, 2.0, "[std] R_LRS = compliance_V over the compliance current; 10 kohm at WL 1.7 V"
    )
    lrs_sigma_device: float = quantity(
        0.06, "ln R", 0.0, 1.0, "[ours] spread of LRS at WL 1.7 V, device to device; grows as 1/sqrt(current)"
    )
    lrs_sigma_cycle: float = quantity(0.08, "ln R", 0.0, 1.0, "[ours] the same, cycle to cycle")
    set_V: float = quantity(
        1.8, "V", 0.0, 5.0, "[ours] SET threshold at 1 us and median HRS; 2.4 V [std] is four sigmas above"
    )
    set_sigma_device_V: float = quantity(0.09, "V", 0.0, 1.0, "[ours] its spread, device to device")
    set_sigma_cycle_V: float = quantity(0.12, "V", 0.0, 1.0, "[ours] its spread, cycle to cycle")
    set_V_per_decade: float = quantity(0.15, "V", 0.0, 1.0, "[ours] its fall per decade of pulse width")
    set_V_per_decade_ohm: float = quantity(
        0.3, "V", 0.0, 2.0, "[ours] its rise per decade of HRS: over-RESET devices are harder to SET"
    )
    reset_V: float = quantity(
        1.15,
        "V",
        0.0,
        5.0,
        "[ours] RESET threshold across the device at 1 us; WL 2.5 V / SL 2.6 V [std] put 1.5 V there",
    )
    reset_sigma_device_V: float = quantity(0.05, "V", 0.0, 1.0, "[ours] its spread, device to device")
    reset_sigma_cycle_V: float = quantity(0.06, "V", 0.0, 1.0, "[ours] its spread, cycle to cycle")
    reset_V_per_decade: float = quantity(0.12, "V", 0.0, 1.0, "[ours] its fall per decade of pulse width")
    hrs_median_ohm: float = quantity(
        1.28e6, "ohm", 2e4, 1e9, "[std] 0.5-3.3 Mohm at 2.6 V, [ours] taken as +-2 sigma: median HRS"
    )
    hrs_reference_V: float = quantity(2.6, "V", 0.1, 5.1, "[std] RESET voltage that hrs_median_ohm refers to")
    hrs_log_per_V: float = quantity(2.5, "ln R/V", 0.0, 20.0, "[ours] rise of ln R_HRS per volt of RESET")
    hrs_log_per_decade: float = quantity(
        0.5, "ln R", 0.0, 5.0, "[ours] rise of ln R_HRS per decade of pulse width"
    )
    hrs_sigma_device: float = quantity(
        0.25, "ln R", 0.0, 2.0, "[ours] spread of HRS, device to device; of the [std] band"
    )
    hrs_sigma_cycle: float = quantity(0.40, "ln R", 0.0, 2.0, "[ours] the same, cycle to cycle")
    breakdown_V: float = quantity(
        4.5, "V", 1.0, 100.0, "[ours] RESET voltage that shorts a device for good (stuck in LRS)"
    )
    breakdown_sigma_V: float = quantity(0.15, "V", 0.0, 5.0, "[ours] its spread")
    endurance_median: float = quantity(
        1e6, "pulses", 1.0, 1e15, "[ours] wear at which a device sticks, in nominal pulses"
    )
    endurance_sigma: float = quantity(1.0, "1", 0.0, 5.0, "[ours] its spread, of the logarithm")
    wear_reference_V: float = quantity(
        2.6, "V", 0.1, 5.1, "[ours] wear of a pulse = exp((V - reference) / acceleration) sqrt(width / 1 us)"
    )
    wear_acceleration_V: float = quantity(0.25, "V", 0.01, 10.0, "[ours] see wear_reference_V")
    wear_hrs_log: float = quantity(
        1.5,
        "ln R",
        0.0,
        10.0,
        "[ours] fall of ln R_HRS as wear approaches the limit: the window closes first",
    )
    stuck_lrs_probability: float = quantity(
        3e-5, "1", 0.0, 1.0, "[ours] probability that a fresh device is stuck in LRS"
    )
    stuck_hrs_probability: float = quantity(3e-5, "1", 0.0, 1.0, "[ours] in HRS")
    stuck_unformed_probability: float = quantity(4e-5, "1", 0.0, 1.0, "[ours] unformed")
    drift_reference_s: float = quantity(
        1.0, "s", 1e-9, 1e6, "[ours] retention: ln R moves by nu log10(1 + t_eff / reference)"
    )
    drift_temperature_K: float = quantity(
        300.0, "K", 200.0, 600.0, "[ours] t_eff = t exp(E_a/k (1/T_ref - 1/T)): T_ref"
    )
    drift_activation_eV: float = quantity(1.1, "eV", 0.0, 3.0, "[ours] E_a of it")
    drift_lrs_per_decade: float = quantity(
        0.005, "ln R", -1.0, 1.0, "[ours] mean of nu in LRS, per decade of time"
    )
    drift_lrs_sigma: float = quantity(0.01, "ln R", 0.0, 1.0, "[ours] its spread, device to device")
    drift_hrs_per_decade: float = quantity(
        -0.01, "ln R", -1.0, 1.0, "[ours] mean of nu in HRS, per decade of time"
    )
    drift_hrs_sigma: float = quantity(0.04, "ln R", 0.0, 1.0, "[ours] its spread, device to device")
    read_disturb_log: float = quantity(
        1e-12, "ln R", 0.0, 1.0, "[ours] fall of ln R of a device in HRS per read at the reference voltage"
    )
    read_disturb_reference_V: float = quantity(0.2, "V", 0.01, 5.0, "[ours] that voltage")
    read_disturb_acceleration_V: float = quantity(
        0.15, "V", 0.01, 5.0, "[ours] rise of the read voltage that speeds it up by e"
    )
    program_disturb_log: float = quantity(
        1e-4, "ln R", 0.0, 1.0, "[ours] fall of ln R of the pair's other device, if in HRS, per pulse"
    )
    lrs_max_ohm: float = quantity(
        15e3, "ohm", 1.0, 1e12, "[ours] reference of the verify read LRS_MAX; lrs_max < hrs_min < formed_max"
    )
    hrs_min_ohm: float = quantity(400e3, "ohm", 1.0, 1e12, "[ours] reference of HRS_MIN")
    formed_max_ohm: float = quantity(10e6, "ohm", 1.0, 1e12, "[ours] reference of FORMED")

    def __post_init__(self) -> None:
        super().__post_init__()
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
