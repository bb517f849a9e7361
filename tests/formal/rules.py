"""All properties and cover points."""

from . import rules_log, rules_pins, rules_protection, rules_termination, structure

__all__ = ["COVERS", "PROPERTIES", "QUICK"]

MODULES = (structure, rules_pins, rules_termination, rules_protection, rules_log)
PROPERTIES = [check for module in MODULES for check in module.CHECKS]
COVERS = [check for module in MODULES for check in module.COVERS]

QUICK = ("structure", "pulse_guarded", "pulse_hold", "pulse_width", "abort_ends", "reset_ends", "read_stable")
QUICK += (
    "program_ends",
    "infer_ends",
    "lock_holds",
    "image_hidden",
    "bus_answers",
    "overflow_flagged",
    "cover_pulse",
    "cover_sense",
)
"""What fits into a minute and a half."""
