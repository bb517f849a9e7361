"""The native Yosys of the package pyosys, in a process of its own: it keeps global state, and a failure ends it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["command"]

_PROGRAM = (
    "import sys\nfrom pyosys import libyosys as ys\nd = ys.Design()\n"
    "for line in sys.argv[1].split(chr(10)): ys.run_pass(line, d)\n"
)


def command(passes: Sequence[str]) -> list[str]:
    """Command that runs passes, lines of a Yosys script, one after the other; its status is 0 when all succeed."""
    return [sys.executable, "-W", "ignore", "-c", _PROGRAM, "\n".join(passes)]
