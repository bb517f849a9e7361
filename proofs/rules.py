"""All properties and cover points, and what of them is shown on which controller."""

from __future__ import annotations

from dataclasses import dataclass

from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import Bus

from . import (
    rules_axi,
    rules_log,
    rules_pins,
    rules_programming,
    rules_protection,
    rules_repair,
    rules_streams,
    rules_termination,
    rules_windows,
    structure,
)
from .design import GEOMETRY, TINY, WITH_MAPS, Patch
from .mutants import MUTANTS, WINDOW_MUTANTS
from .mutants_axi import AXI_MUTANTS, STREAM_MUTANTS
from .observer import Check

__all__ = ["COVERS", "PROPERTIES", "QUICK", "SLOW", "SUBJECTS", "Subject"]

MODULES = (
    structure,
    rules_pins,
    rules_programming,
    rules_repair,
    rules_termination,
    rules_protection,
    rules_log,
)
PROPERTIES = [check for module in MODULES for check in module.CHECKS]
COVERS = [check for module in MODULES for check in module.COVERS]

SLOW = ("entry_kept", "cover_done", "cover_not_converged")
"""What takes more than a few seconds; the tests leave it to ``make formal``."""

QUICK = tuple(check.name for check in PROPERTIES + COVERS if check.name not in SLOW)
"""What ``--quick`` and the tests run."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A controller, what is shown of it, and its broken copies; ``section`` of docs/verification.md has the results."""

    section: str
    geometry: Geometry
    bus: Bus = Bus.WISHBONE
    properties: tuple[Check, ...]
    covers: tuple[Check, ...]
    mutants: dict[str, tuple[str, tuple[Patch, ...]]]


SUBJECTS = {
    "plain": Subject(
        section="proofs",
        geometry=GEOMETRY,
        properties=tuple(PROPERTIES),
        covers=tuple(COVERS),
        mutants=MUTANTS,
    ),
    "maps": Subject(
        section="proofs-maps",
        geometry=WITH_MAPS,
        properties=(
            *(check for check in PROPERTIES if check.name not in SLOW),
            *rules_windows.CHECKS,
        ),
        covers=tuple(rules_windows.COVERS),
        mutants=WINDOW_MUTANTS,
    ),
    "axi": Subject(
        section="proofs-axi",
        geometry=TINY,
        bus=Bus.AXI4LITE,
        properties=tuple(rules_axi.CHECKS),
        covers=tuple(rules_axi.COVERS),
        mutants=AXI_MUTANTS,
    ),
    "streams": Subject(
        section="proofs-streams",
        geometry=TINY,
        bus=Bus.AXI4STREAM,
        properties=tuple(rules_streams.CHECKS),
        covers=tuple(rules_streams.COVERS),
        mutants=STREAM_MUTANTS,
    ),
}
"""By name: the small controller, the same with activation maps, and the same behind the other buses."""
