"""``config.json``, loaded by LibreLane."""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .kit import Kit, Missing, Refused, call, edit

__all__ = ["MUTANTS", "a_lost_file", "librelane"]

Config = dict[str, Any]


def _macro(config: Config) -> Config:
    """The kit's own macro, which is the first; SRAM macros follow."""
    return next(iter(config["MACROS"].values()))


MUTANTS: dict[str, Callable[[Config], object]] = {
    "a misspelt variable": lambda c: c.update(PDN_MACRO_CONNECTION=c.pop("PDN_MACRO_CONNECTIONS")),
    "no DESIGN_NAME": lambda c: c.pop("DESIGN_NAME"),
    "a period that is no number": lambda c: c.update(CLOCK_PERIOD="fast"),
    "a name of an older version": lambda c: c.update(FP_PDN_MACRO_HOOKS=c.pop("PDN_MACRO_CONNECTIONS")),
    "a text for a list": lambda c: c.update(VDD_NETS="VDD"),
    "a lost SDC file": lambda c: c.update(PNR_SDC_FILE="dir::constraints/none.sdc"),
    "a macro without GDS": lambda c: _macro(c).update(gds=[]),
    "a place with no such orientation": lambda c: _macro(c)["instances"]["macro"].update(orientation="Q"),
}
"""Ways to spoil a configuration; the loader must refuse each."""


def librelane(kit: Kit) -> str:
    """LibreLane's own loader accepts ``config.json`` without a warning, on a stub PDK, and refuses each mutant."""
    if importlib.util.find_spec("librelane") is None:
        raise Missing("librelane not found: pip install 'bridgebnn[kit]'")
    if not kit.macro(".gds").is_file():
        raise Missing("the kit has no GDS: write it where klayout is, pip install 'bridgebnn[kit]'")
    config = json.loads((kit.folder / "config.json").read_text())
    mutants = {}
    for name, spoil in MUTANTS.items():
        mutants[name] = copy.deepcopy(config)
        spoil(mutants[name])
    with tempfile.TemporaryDirectory(dir=kit.work) as folder:
        asked, answered = Path(folder) / "mutants.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps(mutants))
        words = [sys.executable, "-m", "bridgebnn.kit.checks.librelane_loader", str(kit.folder), folder]
        call(words, kit.work, name="LibreLane")
        answers = json.loads(answered.read_text())
    if told := answers["said"].pop(""):
        raise Refused(f"LibreLane: {told[:160]}")
    for name, told in answers["said"].items():
        if not told:
            raise Refused(f"LibreLane accepts {name}")
    _power(kit, config)
    return f"version {answers['version']}, {answers['variables']} variables of the PDK, {len(mutants)} mutants refused"


def _power(kit: Kit, config: Config) -> None:
    """What the loader takes as text: the connections name nets of the design and power pins of the LEF, all of them."""
    lines = (kit.macro(".lef")).read_text().splitlines()
    pins = {
        b.split()[1]
        for b, use in zip(lines, lines[2:], strict=False)
        if b.startswith("  PIN") and "POWER" in use
    }
    connected = set()
    known = {path for macro in config["MACROS"].values() for path in macro["instances"]}
    for connection in config["PDN_MACRO_CONNECTIONS"]:
        pattern, power, ground, pin, _ = connection.split()
        instance = pattern.replace("\\.", ".")  # they are patterns
        if instance not in known or power not in config["VDD_NETS"]:
            raise Refused(f"PDN_MACRO_CONNECTIONS: {connection}: no such instance or net")
        if ground not in config["GND_NETS"]:
            raise Refused(f"PDN_MACRO_CONNECTIONS: {connection}: no such ground")
        connected |= {pin} if instance in _macro(config)["instances"] else set()
    if connected != pins:
        raise Refused(f"PDN_MACRO_CONNECTIONS: {sorted(connected)} connected, the LEF has {sorted(pins)}")


def a_lost_file(kit: Kit) -> None:
    """A file that is not there."""
    edit(kit.folder / "config.json", "_stub.v", "_box.v")
