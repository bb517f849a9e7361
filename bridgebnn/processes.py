"""Processes that never outlive the command that started them.

Each is the leader of a group of its own. It is killed with all that it started when its ``with`` ends, also by an
exception, such as the `bridgebnn.command_line.Stopped` of a signal; and by `bridgebnn.lifeline` when this process
is killed and can do nothing more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

__all__ = ["Ended", "captured", "started", "workers"]

_LIFELINE = Path(__file__).with_name("lifeline.py")
GROUP_S = 1.0
"""The longest wait for the last of a killed group; the dead that nobody collects would make it endless."""

_live: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()
_ending = False


class Ended(RuntimeError):
    """Nothing is started any more: the work that wanted it is being given up."""


@contextlib.contextmanager
def started(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command; whatever is left of it and of its children at the end is killed.

    Parameters
    ----------
    command : sequence of str or Path
    cwd : Path
    env : mapping
        Its whole environment.
    log : file
        Gets its stdout and stderr, in the order of their writing.

    Yields
    ------
    subprocess.Popen
        Its exit status is the command's; 128 + n when signal n ended the command.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", _LIFELINE, str(os.getpid()), *command],
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        with _guard:
            _live.add(process)
            if _ending:
                raise Ended("the work is given up")
        yield process
    finally:
        _end(process)
        with _guard:
            _live.discard(process)


def captured(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    limit_s: float | None = None,
) -> tuple[int | None, str]:
    """Run a command to its end; its status, None when it exceeded its limit, and all that it wrote."""
    with tempfile.TemporaryFile() as log:
        with started(command, cwd=cwd, env=os.environ if env is None else env, log=log) as process:
            status: int | None = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(limit_s)
        log.seek(0)
        return status, log.read().decode(errors="replace")


@contextlib.contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that start processes and wait for them.

    When the ``with`` ends by an exception, such as that of a signal, the processes are killed, and what has not begun
    never does.
    """
    global _ending
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        try:
            with _guard:
                _ending = True
                for process in _live:
                    _kill(process)
            pool.shutdown(cancel_futures=True)
        finally:
            _ending = False
        raise
    pool.shutdown()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    killed = process.poll() is None
    _kill(process)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    end = time.monotonic() + GROUP_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while killed and time.monotonic() < end:  # its children end at the same time, not at the same moment
            os.killpg(process.pid, 0)
            time.sleep(0.01)
