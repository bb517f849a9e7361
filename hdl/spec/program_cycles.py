"""Cycles of the program sequencer's commands, as formulas of what the devices needed.

Plain Python, imports no Amaranth: for tests, for planning the programming of a chip, and for the energy
model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import Geometry, ProgOp, Timing

__all__ = [
    "PhaseWork",
    "least_row_cycles",
    "phase_cycles",
    "program_row_cycles",
    "pulse_cycles",
    "read_row_cycles",
    "verify_row_cycles",
]


@dataclass(frozen=True, kw_only=True)
class PhaseWork:
    """What one phase of docs/architecture.md, section 4, had to do.

    Parameters
    ----------
    op : ProgOp
        Its pulses; of a read of the final verify, the operation it checks.
    targets : int, at least 0
        Columns of the phase; with 0 nothing is verified.
    attempts : int, 0..255
        Rounds in which every pending column got one pulse.
    pulses : int, at least ``attempts``
        Groups of all attempts.
    failing : tuple of int
        Devices logged at the end, per 32-bit word of the row; empty when none is.
    """

    op: ProgOp
    targets: int = 1
    attempts: int = 0
    pulses: int = 0
    failing: tuple[int, ...] = ()


def pulse_cycles(timing: Timing, op: ProgOp) -> int:
    """Cycles of the pins for one pulse: set-up, width, and one cycle of hold."""
    return timing.wl_setup_cyc + timing.conditions(op).width_cyc + 1


def phase_cycles(geometry: Geometry, timing: Timing, work: PhaseWork) -> int:
    """Cycles of one phase, or of one read of the final verify.

    With W = ``row_words``: a verify takes ``verify_cyc + W + 1``, one before the first attempt and one after
    each; a pulse ``max(wl_setup_cyc + width_cyc + 1, W + 2)``; a log of n_w devices in word w ``1 +
    sum(max(1, n_w))``. A phase without targets takes ``W + 1``.
    """
    w = geometry.row_words
    if not work.targets:
        return w + 1
    cycles = (work.attempts + 1) * (timing.verify_cyc + w + 1)
    cycles += work.pulses * max(pulse_cycles(timing, work.op), w + 2)
    if any(work.failing):
        cycles += 1 + sum(max(1, n) for n in work.failing)
    return cycles


def read_row_cycles(geometry: Geometry, timing: Timing) -> int:
    """READ_ROW, from the cycle of ``start`` to that of ``done``: ``2*W + 4 + 2*wl_setup_cyc``."""
    return 2 * geometry.row_words + 4 + 2 * timing.wl_setup_cyc


def verify_row_cycles(geometry: Geometry, timing: Timing, phases: Iterable[PhaseWork]) -> int:
    """VERIFY_ROW, from the cycle of ``start`` to that of ``done``: ``W + 3 + sum of its four reads``."""
    return geometry.row_words + 3 + sum(phase_cycles(geometry, timing, work) for work in phases)


def program_row_cycles(
    geometry: Geometry, timing: Timing, phases: Iterable[PhaseWork], *, ready_cyc: int, masked: bool = True
) -> int:
    """PROGRAM_ROW or REFRESH_ROW that runs to its end, from the cycle of ``start`` to that of ``done``.

    ``4 + max(ready_cyc + rail_settle_cyc, W) + sum of the phases + (W + 1)``, and ``W + 1 +
    2*wl_setup_cyc`` for the bridge read-back unless the mask is empty.

    Parameters
    ----------
    phases : iterable of PhaseWork
        All ten, in their order: six of step 2, four of step 3; REFRESH_ROW has not the first two.
    ready_cyc : int
        Cycles with ``hv_en`` high before the first one with ``hv_ready`` high, which then stays.
    masked : bool
        At least one column is masked.
    """
    w = geometry.row_words
    cycles = 4 + max(ready_cyc + timing.rail_settle_cyc, w) + w + 1
    if masked:
        cycles += w + 1 + 2 * timing.wl_setup_cyc
    return cycles + sum(phase_cycles(geometry, timing, work) for work in phases)


def least_row_cycles(
    geometry: Geometry,
    timing: Timing,
    phases: Iterable[PhaseWork],
    *,
    masked: bool = True,
    looks: bool = True,
) -> int:
    """Least cycles of a PROGRAM_ROW or REFRESH_ROW that the pins allow for the same pulses and verifies.

    Rails that are up at once and settle, set-up, width and hold of every pulse, every verify read, and the
    read-back; no other walk over the row.

    Parameters
    ----------
    phases : iterable of PhaseWork
    masked : bool
        At least one column is masked.
    looks : bool
        With one look at each word of an answer; False counts the macro alone.
    """
    w = geometry.row_words if looks else 0
    cycles = timing.rail_settle_cyc + 1
    for work in phases:
        if work.targets:
            cycles += (work.attempts + 1) * (timing.verify_cyc + w)
            cycles += work.pulses * pulse_cycles(timing, work.op)
    return cycles + (2 * timing.wl_setup_cyc + w if masked else 0)
