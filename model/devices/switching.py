"""Switching equations of a ReRAM device behind its select transistor: pure functions over a row's devices.

Nothing here holds state or draws numbers; :class:`model.devices.device.DeviceArray` does both. Quantiles ``z`` are
standard normal. Equation numbers refer to ``docs/programming.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.parameters.device_params import REFERENCE_WIDTH_S, REFERENCE_WL_V, DeviceParams

__all__ = ["Outcome", "Traits", "reset", "set_or_form", "wear_limit", "wear_of_pulse"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What devices are born with: standard normal quantiles, (C, 2) by (column, side), or a pick (n,)."""

    forming: Floats
    lrs: Floats
    hrs: Floats
    set: Floats
    reset: Floats
    breakdown: Floats
    endurance: Floats
    drift: Floats

    def pick(self, index: NDArray[np.intp], side: int) -> Traits:
        """Traits of one side of columns ``index`` (n,)."""
        return Traits(**{name: values[index, side] for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one pulse does to n devices: each array (n,)."""

    resistance_ohm: Floats  # after the pulse
    acts: NDArray[np.bool_]  # the device switched: its threshold was exceeded
    broken: NDArray[np.bool_]  # shorted for good by too strong a RESET
    current_A: Floats  # largest current of the pulse


def set_or_form(
    p: DeviceParams,
    traits: Traits,
    z: Floats,
    old_ohm: Floats,
    formed: NDArray[np.bool_],
    *,
    wl_V: float,
    prog_V: float,
    width_s: float,
) -> Outcome:
    """Pulse with the bit line positive, on devices that are not stuck: forms pristine ones, sets formed ones.

    Parameters
    ----------
    z : (2, n)
        Cycle-to-cycle quantiles: of the threshold, of ln R.
    old_ohm : (n,) in ohm
    formed : (n,)

    References
    ----------
    Equations (1) to (5). Inverse law of LRS and compliance current: D. Ielmini, IEEE Trans. Electron Devices
    58, 4309 (2011) [std].
    """
    decades = math.log10(width_s / REFERENCE_WIDTH_S)
    saturation_A = p.compliance_A(wl_V)
    if saturation_A == 0:
        return _nothing(old_ohm)
    forming_V = (
        p.forming_floor_V
        + p.forming_excess_V * np.exp(p.forming_sigma * traits.forming)
        + p.forming_jitter_V * z[0]
        - p.forming_V_per_decade * decades
    )
    set_V = (
        p.set_V
        + p.set_sigma_device_V * traits.set
        + p.set_sigma_cycle_V * z[0]
        - p.set_V_per_decade * decades
        + p.set_V_per_decade_ohm * np.log10(old_ohm / p.hrs_median_ohm)
    )
    threshold_V = np.where(formed, set_V, forming_V)
    acts = prog_V > threshold_V
    spread = math.sqrt(p.compliance_A(REFERENCE_WL_V) / saturation_A)
    log_lrs = math.log(p.lrs_ohm(wl_V)) + spread * (
        p.lrs_sigma_device * traits.lrs + p.lrs_sigma_cycle * z[1]
    )
    log_lrs -= np.where(formed, 0.0, p.forming_overshoot_per_V * np.maximum(prog_V - threshold_V, 0.0))
    # a SET only thickens the filament
    new_ohm = np.where(acts, np.minimum(old_ohm, np.exp(log_lrs)), old_ohm)
    current_A = np.minimum(prog_V / (new_ohm + p.on_resistance_ohm(wl_V)), saturation_A)
    return Outcome(resistance_ohm=new_ohm, acts=acts, broken=np.zeros(acts.shape, bool), current_A=current_A)


def reset(
    p: DeviceParams,
    traits: Traits,
    z: Floats,
    old_ohm: Floats,
    formed: NDArray[np.bool_],
    wear_share: Floats,
    *,
    wl_V: float,
    prog_V: float,
    width_s: float,
) -> Outcome:
    """Pulse with SL positive, on devices that are not stuck: opens the filament of formed ones.

    Parameters
    ----------
    z, old_ohm, formed
        As in :func:`set_or_form`.
    wear_share : (n,), 0..1
        Wear over the device's limit: the window closes from the HRS side.

    References
    ----------
    Equations (6) to (8).
    """
    decades = math.log10(width_s / REFERENCE_WIDTH_S)
    saturation_A = p.compliance_A(wl_V)
    if saturation_A == 0:
        return _nothing(old_ohm)
    total_ohm = old_ohm + p.on_resistance_ohm(wl_V)
    threshold_V = (
        p.reset_V
        + p.reset_sigma_device_V * traits.reset
        + p.reset_sigma_cycle_V * z[0]
        - p.reset_V_per_decade * decades
    )
    # divider of device and transistor: the harder a device was SET, the less voltage it sees
    acts = formed & (prog_V * old_ohm > threshold_V * total_ohm)
    log_hrs = (
        math.log(p.hrs_median_ohm)
        + p.hrs_log_per_V * (prog_V - p.hrs_reference_V)
        + p.hrs_log_per_decade * decades
        + p.hrs_sigma_device * traits.hrs
        + p.hrs_sigma_cycle * z[1]
        - p.wear_hrs_log * wear_share
    )
    # a RESET only lengthens the gap
    new_ohm = np.where(acts, np.maximum(old_ohm, np.exp(log_hrs)), old_ohm)
    broken = acts & (prog_V > p.breakdown_V + p.breakdown_sigma_V * traits.breakdown)
    return Outcome(
        resistance_ohm=new_ohm,
        acts=acts,
        broken=broken,
        current_A=np.minimum(prog_V / total_ohm, saturation_A),
    )


def _nothing(old_ohm: Floats) -> Outcome:
    """The transistor is off: no current, no voltage across the device."""
    none = np.zeros(old_ohm.shape, bool)
    return Outcome(resistance_ohm=old_ohm, acts=none, broken=none, current_A=np.zeros(old_ohm.shape))


def wear_of_pulse(p: DeviceParams, prog_V: float, width_s: float) -> float:
    """Wear of one pulse in equivalent nominal pulses, equation (9)."""
    stress = math.exp((prog_V - p.wear_reference_V) / p.wear_acceleration_V)
    return stress * math.sqrt(width_s / REFERENCE_WIDTH_S)


def wear_limit(p: DeviceParams, endurance: Floats) -> Floats:
    """Wear at which a device of quantile ``endurance`` sticks, equation (10)."""
    return p.endurance_median * np.exp(p.endurance_sigma * endurance)
