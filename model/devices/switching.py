"""Switching equations of a ReRAM device behind its select transistor: pure functions over a row's devices.

Nothing here holds state or draws numbers; :class:`model.devices.device.DeviceArray` does both. Quantiles ``z`` are
standard normal. Equation numbers refer to ``docs/programming.md``.

A row gets a handful of pulses of few devices each, so what the equations need is worked out where it is known first:
`Born` once for a row, `Levels` once for a pulse's levels and width, and the rest for each pulse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.parameters.device_params import REFERENCE_WIDTH_S, REFERENCE_WL_V, DeviceParams

__all__ = ["Born", "Levels", "Outcome", "Traits", "born_with", "levels_of", "reset", "set_or_form"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What devices are born with: standard normal quantiles, (C, 2) by (column, side)."""

    forming: Floats
    lrs: Floats
    hrs: Floats
    set: Floats
    reset: Floats
    breakdown: Floats
    endurance: Floats
    drift: Floats


class Born(NamedTuple):
    """`Traits` of n devices in the units of the equations, each array (n,)."""

    forming_V: Floats  # threshold of forming at 1 us, without jitter
    set_V: Floats  # threshold of SET at 1 us and the median HRS, without spread from cycle to cycle
    reset_V: Floats  # likewise of RESET
    lrs_log: Floats  # what ln R differs from the median in LRS
    hrs_log: Floats  # likewise in HRS
    breakdown_V: Floats  # RESET above it shorts the device for good
    wear_limit: Floats  # wear at which it sticks, equation (10)
    dies_high: Floats  # above 0: it then sticks in HRS; an independent trait


class Levels(NamedTuple):
    """What a pulse's levels and width are to the equations; see `levels_of`."""

    prog_V: float
    saturation_A: float  # most that the select transistor lets through; 0: it is off
    on_ohm: float  # its resistance below that
    fall_V: float  # of the threshold of SET or RESET, against that at 1 us
    forming_fall_V: float
    log_ohm: float  # median ln R after the pulse
    spread: float  # of ln R in LRS, against that at the reference compliance
    wear: float  # of one pulse in equivalent nominal pulses, equation (9)
    charge_s: float  # energy of one pulse over the device's current, V*s


class Outcome(NamedTuple):
    """What one pulse does to n devices: each array (n,)."""

    resistance_ohm: Floats  # after the pulse
    acts: NDArray[np.bool_]  # the device switched: its threshold was exceeded
    broken: NDArray[np.bool_] | None  # shorted for good by too strong a RESET; None: none is
    current_A: Floats  # largest current of the pulse


def born_with(p: DeviceParams, traits: Traits) -> tuple[Born, Born]:
    """What the devices of a row, P and N, are born with; arrays (C,)."""
    values = (
        p.forming_floor_V + p.forming_excess_V * np.exp(p.forming_sigma * traits.forming),
        p.set_V + p.set_sigma_device_V * traits.set,
        p.reset_V + p.reset_sigma_device_V * traits.reset,
        p.lrs_sigma_device * traits.lrs,
        p.hrs_sigma_device * traits.hrs,
        p.breakdown_V + p.breakdown_sigma_V * traits.breakdown,
        p.endurance_median * np.exp(p.endurance_sigma * traits.endurance),
        traits.breakdown,
    )
    p_side, n_side = np.ascontiguousarray(np.array(values).transpose(2, 0, 1))
    return Born(*p_side), Born(*n_side)


def levels_of(p: DeviceParams, reset: bool, wl_V: float, prog_V: float, width_s: float) -> Levels:
    """What a pulse is to the equations.

    Parameters
    ----------
    reset : bool
        RESET, otherwise SET or FORM.
    wl_V, prog_V : float
        Word line, and the voltage across device and transistor.
    width_s : float, > 0
    """
    decades = math.log10(width_s / REFERENCE_WIDTH_S)
    saturation_A = p.compliance_A(wl_V)
    if reset:
        fall_V, spread = p.reset_V_per_decade * decades, 1.0
        log_ohm = (
            math.log(p.hrs_median_ohm)
            + p.hrs_log_per_V * (prog_V - p.hrs_reference_V)
            + p.hrs_log_per_decade * decades
        )
    else:
        fall_V, spread, log_ohm = p.set_V_per_decade * decades, 1.0, math.inf
        if saturation_A > 0:
            spread = math.sqrt(p.compliance_A(REFERENCE_WL_V) / saturation_A)
            log_ohm = math.log(p.lrs_ohm(wl_V))
    stress = math.exp((prog_V - p.wear_reference_V) / p.wear_acceleration_V)
    return Levels(
        prog_V=prog_V,
        saturation_A=saturation_A,
        on_ohm=p.on_resistance_ohm(wl_V),
        fall_V=fall_V,
        forming_fall_V=p.forming_V_per_decade * decades,
        log_ohm=log_ohm,
        spread=spread,
        wear=stress * math.sqrt(width_s / REFERENCE_WIDTH_S),
        charge_s=prog_V * width_s,
    )


def set_or_form(
    p: DeviceParams,
    born: Born,
    index: NDArray[np.intp],
    z: Floats,
    old_ohm: Floats,
    formed: NDArray[np.bool_],
    pulse: Levels,
) -> Outcome:
    """Pulse with the bit line positive, on devices that are not stuck: forms pristine ones, sets formed ones.

    Parameters
    ----------
    born : Born
        Of the row's side, arrays (C,).
    index : (n,)
        Columns that get the pulse.
    z : (2, n)
        Cycle-to-cycle quantiles: of the threshold, of ln R.
    old_ohm : (n,) in ohm
    formed : (n,)
    pulse : Levels

    References
    ----------
    Equations (1) to (5). Inverse law of LRS and compliance current: D. Ielmini, IEEE Trans. Electron Devices
    58, 4309 (2011) [std].
    """
    if pulse.saturation_A == 0:
        return _nothing(old_ohm)
    count = np.count_nonzero(formed)
    if count:
        set_V = (
            born.set_V[index]
            + p.set_sigma_cycle_V * z[0]
            - pulse.fall_V
            + p.set_V_per_decade_ohm * np.log10(old_ohm / p.hrs_median_ohm)
        )
    if count < formed.size:
        forming_V = born.forming_V[index] + p.forming_jitter_V * z[0] - pulse.forming_fall_V
    if count == formed.size:
        threshold_V = set_V
    else:
        threshold_V = np.where(formed, set_V, forming_V) if count else forming_V
    acts = pulse.prog_V > threshold_V
    log_lrs = pulse.log_ohm + pulse.spread * (born.lrs_log[index] + p.lrs_sigma_cycle * z[1])
    if count < formed.size:
        excess_V = np.maximum(pulse.prog_V - threshold_V, 0.0)
        log_lrs -= np.where(formed, 0.0, p.forming_overshoot_per_V * excess_V)
    # a SET only thickens the filament
    new_ohm = np.where(acts, np.minimum(old_ohm, np.exp(log_lrs)), old_ohm)
    current_A = np.minimum(pulse.prog_V / (new_ohm + pulse.on_ohm), pulse.saturation_A)
    return Outcome(new_ohm, acts, None, current_A)


def reset(
    p: DeviceParams,
    born: Born,
    index: NDArray[np.intp],
    z: Floats,
    old_ohm: Floats,
    formed: NDArray[np.bool_],
    pulse: Levels,
    wear_share: Floats,
) -> Outcome:
    """Pulse with SL positive, on devices that are not stuck: opens the filament of formed ones.

    Parameters
    ----------
    born, index, z, old_ohm, formed, pulse
        As in :func:`set_or_form`.
    wear_share : (n,), 0..1
        Wear over the device's limit: the window closes from the HRS side.

    References
    ----------
    Equations (6) to (8).
    """
    if pulse.saturation_A == 0:
        return _nothing(old_ohm)
    total_ohm = old_ohm + pulse.on_ohm
    threshold_V = born.reset_V[index] + p.reset_sigma_cycle_V * z[0] - pulse.fall_V
    # divider of device and transistor: the harder a device was SET, the less voltage it sees
    acts = formed & (pulse.prog_V * old_ohm > threshold_V * total_ohm)
    log_hrs = pulse.log_ohm + born.hrs_log[index] + p.hrs_sigma_cycle * z[1] - p.wear_hrs_log * wear_share
    # a RESET only lengthens the gap
    new_ohm = np.where(acts, np.maximum(old_ohm, np.exp(log_hrs)), old_ohm)
    broken = acts & (pulse.prog_V > born.breakdown_V[index])
    return Outcome(new_ohm, acts, broken, np.minimum(pulse.prog_V / total_ohm, pulse.saturation_A))


def _nothing(old_ohm: Floats) -> Outcome:
    """The transistor is off: no current, no voltage across the device."""
    return Outcome(old_ohm, np.zeros(old_ohm.shape, bool), None, np.zeros(old_ohm.shape))
