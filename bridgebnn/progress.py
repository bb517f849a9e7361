"""Progress of long commands: bars on a terminal, now and then a plain line on stderr elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Show", "counted", "shown", "tracked"]

Show = Callable[[dict[str, Any]], None]
"""Takes a record ``{"stage": name, "done": count, "total": count}``, perhaps with ``remaining_s``."""

Item = TypeVar("Item")

PERIODS_S = (10.0, 10.0, 20.0, 40.0, 60.0)
"""Time before the first, the second, ... plain line; the last one holds for all further lines."""


class _Lines:
    """Plain lines, at the times of `PERIODS_S`, from a thread: also while nothing moves."""

    def __init__(self, title: str, first: str):
        self._title, self._start = title, time.monotonic()
        self._state = first
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Show:
        self._thread.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _show(self, record: dict[str, Any]) -> None:
        self._state = f"{record['stage']} {record['done']:,} of {record['total']:,}"
        if (remaining_s := record.get("remaining_s")) is not None:
            self._state += f", {remaining_s:.0f} s left"

    def _work(self) -> None:
        count = 0
        while not self._end.wait(PERIODS_S[min(count, len(PERIODS_S) - 1)]):
            count += 1
            line = f"{self._title}: {self._state}, {time.monotonic() - self._start:.0f} s"
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                print(line, file=sys.stderr, flush=True)


class _Bars:
    """A bar per stage."""

    def __init__(self, title: str, first: str):
        self._bars = Progress(
            TextColumn("{task.description:28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=Console(stderr=True),
        )
        self._title = title
        self._tasks = {first: self._bars.add_task(f"{title}: {first}", total=None)}
        self._now = first

    def __enter__(self) -> Show:
        self._bars.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _show(self, record: dict[str, Any]) -> None:
        stage, total = record["stage"], record["total"]
        if stage != self._now and self._bars.tasks[self._tasks[self._now]].total is None:
            self._bars.update(self._tasks[self._now], total=1, completed=1)  # the first stage counts nothing
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(f"{self._title}: {stage}", total=total)
        self._now = stage
        self._bars.update(self._tasks[stage], completed=record["done"], total=total)


@contextlib.contextmanager
def shown(title: str, first: str = "preparing") -> Iterator[Show]:
    """Show progress while the ``with`` lasts.

    Parameters
    ----------
    title : str
        What works, at the beginning of each bar and line.
    first : str
        What it does before the first record.

    Yields
    ------
    callable
        Takes records of progress, from any thread.
    """
    with (_Bars if sys.stderr.isatty() else _Lines)(title, first) as show:
        yield show


def counted(show: Show, stage: str) -> Callable[[int, int], None]:
    """The form ``progress(done, total)`` of one stage."""
    return lambda done, total: show({"stage": stage, "done": done, "total": total})


def tracked(items: Iterable[Item], title: str, stage: str) -> Iterator[Item]:
    """The items, with progress shown as they are taken."""
    every: Sequence[Item] = list(items)
    with shown(title, stage) as show:
        for number, item in enumerate(every):
            show({"stage": stage, "done": number, "total": len(every)})
            yield item
        show({"stage": stage, "done": len(every), "total": len(every)})
