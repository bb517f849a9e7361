"""All properties and cover points."""

from . import (
    rules_log,
    rules_pins,
    rules_programming,
    rules_protection,
    rules_repair,
    rules_termination,
    structure,
)

__all__ = ["COVERS", "PROPERTIES", "QUICK", "SLOW"]

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
