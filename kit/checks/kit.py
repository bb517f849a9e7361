"""A kit's folder as the checks see it, and how they run tools on it."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.processes import captured
from bridgebnn.yosys import command

__all__ = ["Kit", "Missing", "Refused", "call", "edit", "ports", "tool", "verdict", "yosys"]

LIMIT_S = 3600
"""Patience for one tool."""


class Refused(Exception):
    """A tool refuses the kit, or a comparison fails; the message is one line."""


class Missing(Exception):
    """A tool is not installed; the message says which package has it."""


@dataclass(frozen=True)
class Kit:
    """A kit's folder.

    Parameters
    ----------
    folder : Path
        Where a kit was written.
    name : str
        Of the controller.
    bus : Bus
        In front of the registers.
    work : Path
        Where tools may write.
    """

    folder: Path
    name: str
    bus: Bus
    work: Path

    @classmethod
    def open(cls, folder: Path, work: Path) -> Kit:
        """The kit in a folder; ``ValueError`` where there is none."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            name, bus = manifest["kit"], Bus(manifest["bus"])
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(
                f"{folder}: has no manifest.json of a kit; write one with `bridgebnn kit`"
            ) from None
        return cls(folder, name, bus, work)

    @property
    def top(self) -> str:
        """Controller and macro together."""
        return f"{self.name}_system"

    @property
    def sources(self) -> list[str]:
        """Files for synthesis."""
        return (self.folder / "rtl.f").read_text().split()

    @property
    def models(self) -> list[str]:
        """Files for simulation of all macros."""
        listed = (self.folder / "files.f").read_text().split()
        return [file for file in listed if file.startswith("macro/")]

    @property
    def srams(self) -> list[str]:
        """Names of the SRAM macros that memories are on."""
        names = [Path(file).stem.removesuffix("_stub") for file in self.sources if file.startswith("macro/")]
        return [name for name in names if name != f"{self.name}_macro"]

    def block(self, name: str) -> str:
        """Name of a module of the controller by its end, ``program_rails``; behind AXI it is one level further down.

        Raises
        ------
        Refused
            The kit has no such module, or several.
        """
        found = sorted(file.stem for file in (self.folder / "rtl").glob(f"{self.name}*_{name}.v"))
        if len(found) != 1:
            raise Refused(f"modules of the name {name}: {', '.join(found) or 'none'}")
        return found[0]

    def macro(self, suffix: str) -> Path:
        """A view of the macro: ``.lef``, ``_stub.v``, ``_tt_1p80V_25C.lib``."""
        return self.folder / "macro" / f"{self.name}_macro{suffix}"

    def pins(self) -> dict[str, tuple[str, int]]:
        """Direction and width of every port of the black box, supplies aside."""
        return ports(self.macro("_stub.v").read_text())


def ports(verilog: str) -> dict[str, tuple[str, int]]:
    """Direction and width of every port that the text of one module declares."""
    pattern = r"^\s*(input|output)\s+(?:signed\s+)?(?:\[(\d+):0\]\s+)?(\w+)"
    return {name: (way, int(high or 0) + 1) for way, high, name in re.findall(pattern, verilog, re.MULTILINE)}


def tool(name: str, package: str) -> str:
    """Path of a program; `Missing` names the package that has it."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} not found: install {package}")
    return found


def call(words: list[str], folder: Path, *, name: str | None = None, **variables: str) -> str:
    """Output of a command; `Refused` with its name and the line that says what is wrong where it fails."""
    name = name or Path(words[0]).name
    status, text = captured(words, cwd=folder, env=os.environ | variables, limit_s=LIMIT_S)
    if status is None:
        raise Refused(f"{name} did not end within {LIMIT_S:g} s")
    if status:
        lines = [line for line in text.splitlines() if line.strip()]
        wrong = next(
            (line for line in lines if re.match(r"(.*: )?(%Warning|%?Error|ERROR)", line)),
            lines[-1] if lines else "",
        )
        raise Refused(f"{name} ends with {status}: {' '.join(wrong.split())[:160]}")
    return text


def verdict(printed: str) -> str:
    """The last PASS or FAIL that a testbench printed; `Refused` unless it is PASS."""
    last = next((x for x in reversed(printed.splitlines()) if x.startswith(("PASS", "FAIL"))), "no PASS")
    if not last.startswith("PASS"):
        raise Refused(last)
    return last


def yosys(kit: Kit, *passes: str) -> str:
    """Output of Yosys over passes, run in the kit's folder by the native Yosys of the environment."""
    try:
        import pyosys  # noqa: F401
    except ImportError:
        raise Missing("pyosys not found: pip install 'bridgebnn[formal]'") from None
    return call(command(passes), kit.folder, name="Yosys")


def edit(file: Path, old: str, new: str, count: int = 1) -> None:
    """Replace a text of a file, which must be there."""
    text = file.read_text()
    if old not in text:
        raise AssertionError(f"{file.name} has no {old!r} to be broken")
    file.write_text(text.replace(old, new, count))
