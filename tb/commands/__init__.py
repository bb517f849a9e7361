"""Commands of ``bridgebnn tb``: one module each, found by name."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Protocol

__all__ = ["CommandModule", "find"]


class CommandModule(Protocol):
    """What a module of this package offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def find() -> dict[str, CommandModule]:
    """Modules of this package by command name; names that start with _ are helpers."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}
