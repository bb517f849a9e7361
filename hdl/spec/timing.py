"""Reset values of the timing and programming registers.

Which there are, how wide and how small they may be, stands in ``registers.rdl``; here are the numbers.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

from .codes import ProgOp, check_range


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
        for name, value in dataclasses.asdict(self).items():
            check_range("PulseConditions", name, value, *_limits()[name])


def _usual(**values: int) -> PulseConditions:
    """Conditions without a check, because the register file is not read on import; a test checks them."""
    conditions = object.__new__(PulseConditions)
    for name, value in values.items():
        object.__setattr__(conditions, name, value)
    return conditions


MARGIN_UNIT = 256


def margin_factor(code: int) -> float:
    """How much tighter a verify reference is with margin ``code`` (0..255) on ``prog_level``: 1 + code/256.

    LRS_MAX is divided by it, HRS_MIN multiplied; FORMED stays [ours].
    """
    check_range("margin_factor", "code", code, 0, 255)
    return 1 + code / MARGIN_UNIT


DAC_LSB_V = 0.02
"""Volt per code of ``wl_level`` and ``prog_level`` [ours]: 8 bits reach 5.1 V."""


_FORM = _usual(
    width_cyc=50,
    attempts=6,
    prog_start=145,
    prog_step=10,
    prog_limit=195,
    wl_start=85,
    wl_step=0,
    wl_limit=85,
)
_SET = _usual(
    width_cyc=50,
    attempts=8,
    prog_start=120,
    prog_step=5,
    prog_limit=155,
    wl_start=85,
    wl_step=3,
    wl_limit=107,
)
_RESET = _usual(
    width_cyc=50,
    attempts=8,
    prog_start=135,
    prog_step=8,
    prog_limit=191,
    wl_start=125,
    wl_step=5,
    wl_limit=160,
)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Reset values of the timing and programming registers, in clock cycles [ours].

    Defaults are for a 50 MHz clock: a phase is 20 ns, a 1 us pulse 50 cycles. A field but ``clock_s`` is the
    setting of the same name in ``registers.rdl``.

    Raises
    ------
    ValueError
        With the offending value and what its register holds.
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
    form: PulseConditions = _FORM
    set: PulseConditions = _SET
    reset: PulseConditions = _RESET

    def __post_init__(self) -> None:
        if not self.clock_s > 0:
            raise ValueError(f"Timing.clock_s = {self.clock_s!r}: must be positive, in seconds")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in _NOT_CHECKED and value != field.default:
                low, high = _limits()[field.name]
                check_range("Timing", field.name, value, low, high)

    def conditions(self, op: ProgOp) -> PulseConditions:
        """Conditions of an operation."""
        return {ProgOp.FORM: self.form, ProgOp.SET: self.set, ProgOp.RESET: self.reset}[op]


_NOT_CHECKED = ("clock_s", "form", "set", "reset")


@functools.cache
def _limits() -> dict[str, tuple[int, int]]:
    """Least and largest value of every setting by name, as its register holds it."""
    from .register_map import WHOLE, Settings, register_map  # compiles the register file: not on import

    settings = register_map(WHOLE).settings(Settings.READ, Settings.PROGRAM, Settings.PULSE)
    return {s.name: (s.field.minimum, (1 << s.field.width) - 1) for s in settings}
