"""The simulator's side of `tb.simulators.simulators`: read the job, report progress, leave a result or an error.

A testbench is a coroutine decorated with `testbench`; whatever it returns is the result, whatever it raises
becomes ``{"kind": ..., "error": ...}``, and the whole traceback stays in the log.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cocotb

__all__ = ["Progress", "load", "testbench"]


def load() -> dict[str, Any]:
    """The job of this run."""
    return json.loads(Path(os.environ["BRIDGEBNN_JOB"]).read_text())


def _write(path: str, record: dict[str, Any]) -> None:
    # Written aside and moved: the parent never reads half a file.
    part = Path(path + ".part")
    part.write_text(json.dumps(record))
    part.replace(path)


class Progress:
    """Progress records for the parent process, at most ten a second.

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


def testbench(function: Callable[..., Awaitable[dict[str, Any]]]):
    """Make a cocotb test of ``async function(dut, job)``."""

    async def wrapped(dut):
        job = load()
        try:
            result = await function(dut, job)
        except Exception as error:
            traceback.print_exc()
            message = " ".join(str(error).split()) or "no message"
            record = {"kind": type(error).__name__, "error": message}
            _write(job["result"], record | {"details": getattr(error, "details", None)})
            raise
        _write(job["result"], result)

    # Not functools.wraps: cocotb would follow it and see the two arguments of ``function``.
    wrapped.__name__ = wrapped.__qualname__ = function.__name__
    wrapped.__module__, wrapped.__doc__ = function.__module__, function.__doc__
    return cocotb.test()(wrapped)
