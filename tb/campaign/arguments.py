"""Mutants that are equivalent by a written argument: no test notices them, and no solver has proven it.

An argument holds for the Verilog for which it was written. It names the modules on which it rests, and counts only
while their text has the checksum that stands beside it. In TOML::

    [[argued]]
    controller = "spares"      # a name of `bridgebnn.tb.campaign.mutation.GEOMETRIES`
    seed = 1
    change = '...'             # the mutant, all of it, as Yosys tells it
    modules = ["layer_writer"] # without the prefix
    sha256 = "..."             # of their text, one after the other
    reason = "..."             # the invariant, and where it comes from
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.tb.runs.controller import CONTROLLER

__all__ = ["Argument", "argued", "checksum", "read_arguments"]

LEAST_WORDS = 12
"""Fewer are no argument."""
FIELDS = {
    "controller": str, "seed": int, "change": str, "modules": list, "sha256": str, "reason": str,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One mutant, and why it is equivalent.

    Parameters
    ----------
    controller, seed, change
        Which mutant.
    modules : tuple of str
        Modules of the generated Verilog on which the reason rests, without the prefix.
    sha256 : str
        `checksum` of them.
    reason : str
        One paragraph.
    """

    controller: str
    seed: int
    change: str
    modules: tuple[str, ...]
    sha256: str
    reason: str


def read_arguments(file: Path) -> list[Argument]:
    """The ``[[argued]]`` tables of a file.

    Raises
    ------
    ValueError
        A table lacks a field, has another one or one of another kind, or its reason is none.
    """
    found = []
    for number, entry in enumerate(tomllib.loads(file.read_text()).get("argued", []), start=1):
        wrong = [name for name in FIELDS.keys() | entry.keys() if not _fits(entry, name)]
        if wrong:
            raise ValueError(
                f"{file}: argument {number}: {', '.join(sorted(wrong))}: must have {', '.join(FIELDS)}, of their kinds"
            )
        reason = " ".join(entry["reason"].split())
        if len(reason.split()) < LEAST_WORDS:
            raise ValueError(
                f"{file}: argument {number}: {reason!r}: must be a reason, of {LEAST_WORDS} words at least"
            )
        found.append(Argument(**entry | {"modules": tuple(entry["modules"]), "reason": reason}))
    return found


def _fits(entry: dict[str, object], name: str) -> bool:
    return name in FIELDS and isinstance(entry.get(name), FIELDS[name])


def checksum(verilog: str, modules: Sequence[str]) -> str:
    """SHA-256 of the text of modules, in the order given; "" where the Verilog lacks one of them."""
    texts = []
    for module in modules:
        name = re.escape(f"{CONTROLLER}_{module}" if module else CONTROLLER)
        found = re.search(rf"^module {name}\(.*?^endmodule$", verilog, re.MULTILINE | re.DOTALL)
        if found is None:
            return ""
        texts.append(found[0])
    return hashlib.sha256("\n".join(texts).encode()).hexdigest() if texts else ""


def argued(arguments: Sequence[Argument], controller: str, seed: int, change: str, verilog: str) -> str:
    """The reason why a mutant of this Verilog is equivalent; "" where none stands, or stands for another Verilog."""
    for argument in arguments:
        if (argument.controller, argument.seed, argument.change) == (controller, seed, change) and (
            argument.sha256 == checksum(verilog, argument.modules) != ""
        ):
            return argument.reason
    return ""
