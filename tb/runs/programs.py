"""A programming run on the RTL beside the same by the model alone."""

from __future__ import annotations

from typing import Any

from .reports import ProgramRunReport

__all__ = ["differences"]


def differences(rtl: ProgramRunReport, alone: dict[str, Any], state: str) -> list[str]:
    """What the RTL did otherwise than the model alone, or left neither verified nor listed."""
    expected = {
        "rows": alone["rows"],
        "pulses": sum(alone["pulses"].values()),
        "verify_reads": sum(alone["verifies"].values()),
        "failures": len(alone["failures"]),
        "failed_rows": alone["failed_rows"],
        "state": state,
    }
    wrong = [
        f"{name}: RTL {rtl[name]}, model {value}" for name, value in expected.items() if rtl[name] != value
    ]
    if "events" in alone and (seen := rtl.events.as_dict()) != alone["events"]:
        wrong += [
            f"events of energy, {n}: RTL {seen[n]}, model {v}"
            for n, v in alone["events"].items()
            if seen[n] != v
        ]
    if rtl["unlisted_rows"]:
        wrong.append(
            f"{len(rtl['unlisted_rows'])} rows neither verified nor listed: {rtl['unlisted_rows'][:8]}"
        )
    return wrong
