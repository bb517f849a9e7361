"""Ways in which the macro itself can misbehave: what a job asks of an agent."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MacroFaults"]


@dataclass
class MacroFaults:
    """Ways in which the macro itself can misbehave; all off by default. Times in seconds of simulated time.

    Parameters
    ----------
    rail_delay_s : float
        From ``hv_en`` to ``hv_ready``.
    rails_never : bool
        ``hv_ready`` never comes.
    rails_drop_after : int or None
        ``hv_ready`` falls during this pulse (from 0) and stays low.
    resolve_cyc : int
        Cycles that the comparator needs after ``sense`` rises.
    resolve_never : bool
        ``cmp_valid`` never comes.
    pulses_lost : bool
        Pulses do not reach the devices.
    """

    rail_delay_s: float = 0.0
    rails_never: bool = False
    rails_drop_after: int | None = None
    resolve_cyc: int = 0
    resolve_never: bool = False
    pulses_lost: bool = False
