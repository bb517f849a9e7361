"""Reset values of the timing and programming registers."""

from __future__ import annotations

from dataclasses import dataclass

from .codes import check_range


@dataclass(frozen=True, kw_only=True)
class PulseConditions:
    """One operation's incremental step pulse programming: reset values of its registers.

    Levels are DAC codes (see ``DAC_LSB_V``); attempt ``a`` (from 0) uses
    ``min(start + a*step, limit)`` of both levels.
    """

    width_cyc: int
    attempts: int
    prog_start: int
    prog_step: int
    prog_limit: int
    wl_start: int
    wl_step: int
    wl_limit: int

    def __post_init__(self) -> None:
        check_range("PulseConditions", "width_cyc", self.width_cyc, 1, 65535)
        check_range("PulseConditions", "attempts", self.attempts, 1, 255)
        for name in ("prog_start", "prog_step", "prog_limit", "wl_start", "wl_step", "wl_limit"):
            check_range("PulseConditions", name, getattr(self, name), 0, 255)


MARGIN_UNIT = 256


def margin_factor(code: int) -> float:
    """How much tighter a verify reference is with margin ``code`` (0..255) on ``prog_level``: 1 + code/256.

    LRS_MAX is divided by it, HRS_MIN multiplied; FORMED stays [ours].
    """
    check_range("margin_factor", "code", code, 0, 255)
    return 1 + code / MARGIN_UNIT


DAC_LSB_V = 0.02
"""Volt per code of ``wl_level`` and ``prog_level`` [ours]: 8 bits reach 5.1 V."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Reset values of the timing and programming registers, in clock cycles [ours].

    Defaults are for a 50 MHz clock: a phase is 20 ns, a 1 us pulse 50 cycles.
    """

    clock_s: float = 20e-9
    precharge_cyc: int = 1
    evaluate_cyc: int = 1
    sense_cyc: int = 1
    resolve_limit_cyc: int = 64
    wl_setup_cyc: int = 2
    verify_cyc: int = 3
    rail_settle_cyc: int = 20
    rail_limit_cyc: int = 4096
    max_parallel: int = 128
    verify_margin: int = 26  # references of a refresh are tighter by a tenth [ours]
    form: PulseConditions = PulseConditions(
        width_cyc=50,
        attempts=6,
        prog_start=145,
        prog_step=10,
        prog_limit=195,
        wl_start=85,
        wl_step=0,
        wl_limit=85,
    )
    set: PulseConditions = PulseConditions(
        width_cyc=50,
        attempts=8,
        prog_start=120,
        prog_step=5,
        prog_limit=155,
        wl_start=85,
        wl_step=3,
        wl_limit=107,
    )
    reset: PulseConditions = PulseConditions(
        width_cyc=50,
        attempts=8,
        prog_start=135,
        prog_step=8,
        prog_limit=191,
        wl_start=125,
        wl_step=5,
        wl_limit=160,
    )

    def __post_init__(self) -> None:
        if not self.clock_s > 0:
            raise ValueError(f"Timing.clock_s = {self.clock_s!r}: must be positive, in seconds")
        for name, high in (
            ("precharge_cyc", 255),
            ("evaluate_cyc", 255),
            ("sense_cyc", 255),
            ("resolve_limit_cyc", 65535),
            ("wl_setup_cyc", 255),
            ("verify_cyc", 255),
            ("rail_settle_cyc", 65535),
            ("rail_limit_cyc", 65535),
            ("max_parallel", 65535),
        ):
            check_range("Timing", name, getattr(self, name), 1, high)
        check_range("Timing", "verify_margin", self.verify_margin, 0, 255)
