"""The simulator's side of a run: take the job, report progress, leave a report or an error.

A testbench is a coroutine ``async function(dut, job, progress)`` decorated with ``testbench(KindOfJob)``; the report
it returns is the result. What it raises becomes ``{"kind": ..., "error": ...}``, and the whole traceback stays
in the log.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import cocotb

from bridgebnn.records import Record

from .exchange import receive
from .jobs import Job

__all__ = ["REGISTERED", "Progress", "testbench"]

Kind = TypeVar("Kind", bound=Job)

REGISTERED: dict[str, Callable[[Any, Any, Any], Awaitable[Record]]] = {}
"""The coroutine of each testbench that has been imported, by the name of its module: it raises what it finds."""


def _write(path: str, record: dict[str, Any]) -> None:
    # Written aside and moved: the parent never reads half a file.
    part = Path(path + ".part")
    part.write_text(json.dumps(record))
    part.replace(path)


class Progress:
    """Progress records for the parent process, at most ten per second.

    Parameters
    ----------
    path : str
        File of the record ``{"stage", "done", "total", ...}``.
    """

    def __init__(self, path: str):
        self._path = path
        self._next = 0.0

    def __call__(self, stage: str, done: int, total: int, **more: Any) -> None:
        now = time.monotonic()
        if now >= self._next or done >= total:
            self._next = now + 0.1
            _write(self._path, {"stage": stage, "done": done, "total": total, **more})


def testbench(kind: type[Kind]) -> Callable[[Callable[[Any, Kind, Progress], Awaitable[Record]]], Any]:
    """Make a cocotb test of ``async function(dut, job, progress)`` over jobs of ``kind``."""

    def decorate(function: Callable[[Any, Kind, Progress], Awaitable[Record]]) -> Any:
        REGISTERED[function.__module__] = function

        async def wrapped(dut: Any) -> None:
            sent = json.loads(Path(os.environ["BRIDGEBNN_JOB"]).read_text())
            result, progress = sent.pop("result"), Progress(sent.pop("progress"))
            sent.pop("run_folder", None)
            try:
                report = await function(dut, receive(kind, sent), progress)
            except Exception as error:
                traceback.print_exc()
                message = " ".join(str(error).split()) or "no message"
                record = {"kind": type(error).__name__, "error": message}
                _write(result, record | {"details": getattr(error, "details", None)})
                raise
            _write(result, report.as_dict())

        # Not functools.wraps: cocotb would follow it and see the arguments of ``function``.
        wrapped.__name__ = wrapped.__qualname__ = function.__name__
        wrapped.__module__, wrapped.__doc__ = function.__module__, function.__doc__
        return cocotb.test()(wrapped)

    return decorate
