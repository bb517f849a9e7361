"""Run a command that ends when its parent does: ``python lifeline.py PARENT COMMAND...``.

The far end of `bridgebnn.processes`, started by path, with the standard library alone. stdin is a pipe that the
parent holds open. When it closes, or when the parent is another, then the parent has ended, however it did, and
the whole group of processes is killed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading


def watch(parent: int) -> None:
    """Wait for the end of the parent, then kill this group, this process included."""
    while not select.select([0], [], [], 1.0)[0] and os.getppid() == parent:
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Run the command; its exit status, or 128 and the number of the signal that ended it."""
    threading.Thread(target=watch, args=(int(sys.argv[1]),), daemon=True).start()
    try:
        status = subprocess.call(sys.argv[2:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{sys.argv[2]}: {error.strerror}", file=sys.stderr)
        return 127
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    os._exit(main())  # the thread still waits for the parent
