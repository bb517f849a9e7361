"""Commands of ``bridgebnn tb``: one module each, found by name."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["CommandModule", "find", "shown"]


class CommandModule(Protocol):
    """What a module of this package offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def find() -> dict[str, CommandModule]:
    """Modules of this package by command name; names that start with _ are helpers."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}


@contextlib.contextmanager
def shown(title: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Progress bars on a terminal, one a stage, fed by the records of a run; nothing elsewhere."""
    bars = Progress(
        TextColumn("{task.description:28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bars:
        tasks = {"build": bars.add_task(f"{title}: build", total=None)}

        def show(record: dict[str, Any]) -> None:
            stage = record["stage"]
            if stage not in tasks:
                bars.update(tasks["build"], total=1, completed=1)
                tasks[stage] = bars.add_task(f"{title}: {stage}", total=record["total"])
            bars.update(tasks[stage], completed=record["done"], total=record["total"])

        yield show
