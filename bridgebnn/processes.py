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
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

__all__ = ["end_all", "started"]

_LIFELINE = Path(__file__).with_name("lifeline.py")
_live: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()


@contextlib.contextmanager
def started(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: BinaryIO
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
        yield process
    finally:
        _end(process)
        with _guard:
            _live.discard(process)


def end_all() -> None:
    """Kill what other threads of this process have started; they see it end."""
    with _guard:
        for process in _live:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
