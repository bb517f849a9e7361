"""What all tests share: the comparison with SPICE says once that it did not run, or fails where it must run."""

from __future__ import annotations

import os

import pytest

from bridgebnn.model.spice.run import SpiceUnavailableError, find_tools
from tests.model.spice.hand_deck.deck import missing

REQUIRED = "BRIDGEBNN_REQUIRE_SPICE"
"""Variable that, set to 1, makes a missing ngspice a failure: the weekly run sets it."""
MARK = "needs SPICE: "


def unavailable() -> str:
    """What SPICE lacks here; empty if nothing."""
    try:
        find_tools()
    except SpiceUnavailableError as error:
        return str(error)
    return missing()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("spice") and (reason := unavailable()):
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{reason}, and {REQUIRED} is 1", pytrace=False)
        pytest.skip(f"{MARK}{reason}")


def pytest_terminal_summary(terminalreporter) -> None:
    reasons = [
        str(report.longrepr[2]).split(MARK)[1]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and MARK in str(report.longrepr[2])
    ]
    if reasons:
        terminalreporter.write_line(
            f"the model was NOT compared with SPICE ({len(reasons)} tests): {reasons[0]} "
            f"(`make spice` does it all; {REQUIRED}=1 makes this a failure)",
            yellow=True,
        )
