"""Subcommands of ``bridgebnn model``: one module each, found by their presence in this package.

A module ``read_conditions.py`` becomes the command ``read-conditions``. It offers

* its docstring's first line: the help text;
* ``add_arguments(parser)``: options;
* ``run(arguments) -> int``: the work; returns the exit status. It prints results to stdout and progress to
  stderr, and raises ``ValueError`` or ``OSError`` with a readable message for bad input: exit status 2.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Protocol


class CommandModule(Protocol):
    """What a module of this package offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def find() -> dict[str, CommandModule]:
    """Modules of this package by command name, in alphabetical order; names that start with _ are helpers."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    # a trailing _ keeps a module from being named like a keyword
    return {
        name.rstrip("_").replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names
    }
