"""The native Yosys of the package pyosys, in a process of its own: it keeps global state, and a failure ends it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["abc", "command", "to_aiger"]

_PROGRAM = (
    "import sys\nfrom pyosys import libyosys as ys\nd = ys.Design()\n"
    "for line in sys.argv[1].split(chr(10)): ys.run_pass(line, d)\n"
)


def command(passes: Sequence[str]) -> list[str]:
    """Command that runs passes, lines of a Yosys script, one after the other; its status is 0 when all succeed."""
    return [sys.executable, "-W", "ignore", "-c", _PROGRAM, "\n".join(passes)]


def abc() -> Path:
    """ABC, as the package brings it along.

    Raises
    ------
    ImportError
        The package is not installed; the message says how to.
    """
    package = importlib.util.find_spec("pyosys")
    if package is None or package.origin is None:
        raise ImportError("pyosys is missing: pip install 'bridgebnn[formal]'")
    return Path(package.origin).parent / "yosys-abc"


def to_aiger(name: str, undefined: str) -> list[str]:
    """Passes from a flat design without memories to ``name.aig`` and ``name.vmap``.

    ``undefined``: options of ``setundef``, for what gates leave undefined.
    """
    return [
        "techmap",
        "opt -fast",
        "dffunmap",
        "simplemap",
        f"setundef {undefined}",
        "aigmap",
        "opt_clean",
        f"write_aiger -zinit -symbols -vmap {name}.vmap {name}.aig",
    ]
