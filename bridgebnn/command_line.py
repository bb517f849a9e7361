"""What the command lines of this project share: a parser, types of arguments that check early, JSON files."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bridgebnn.names import nearest

__all__ = [
    "Parser",
    "Stopped",
    "guarded",
    "output_file",
    "output_folder",
    "share",
    "stoppable",
    "told",
    "told_to",
    "whole",
    "write_json",
]

SIGNALS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "hung up",
}
"""Signals that end a command in good order, and the word for it."""

PATIENCE_S = 10.0
"""Further signals are not heard for so long after the first one: terminals and service managers send several."""

AGAIN_S = 0.1
"""Time before a signal comes again whose exception was lost."""


class Stopped(KeyboardInterrupt):
    """A signal ended the command; raised in the main thread, so that everything cleans up after itself.

    Attributes
    ----------
    signal : signal.Signals
    """

    def __init__(self, number: int):
        self.signal = signal.Signals(number)
        super().__init__(SIGNALS[self.signal])


class Parser(argparse.ArgumentParser):
    """Bad input is one line on stderr and exit status 2; options are written out, and a wrong one is told with the
    nearest right one."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **{"allow_abbrev": False} | options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; what a command does not know ends here, where its options are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            name = unknown[0].split("=")[0]
            if not name.startswith("-"):
                self.error(f"unrecognized argument {name!r}")
            options = [o for action in self._actions for o in action.option_strings if o.startswith("--")]
            near = nearest(name.lstrip("-"), [o.lstrip("-") for o in options])
            hint = f"; did you mean '--{near}'?" if near else "."
            self.error(f"no option {name!r}{hint} It has: {', '.join(options)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise `Stopped` here; one that is ignored (``nohup``) stays ignored.

    A library that loses the exception, as some do while they are imported, does not lose the signal: it comes again.
    Nothing changes outside the main thread, where Python knows no handlers.
    """
    if threading.current_thread() is not (main := threading.main_thread()):
        yield
        return
    heard, over = 0.0, False

    def stop(number: int, _: Any) -> None:
        nonlocal heard
        if heard and time.monotonic() < heard + PATIENCE_S:
            return
        heard = time.monotonic()
        error = Stopped(number)
        weakref.finalize(error, lost, number).atexit = False
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: it would hold itself

    def lost(number: int) -> None:
        # from a thread and a little later: what is raised while an object is finalised is lost, too
        again = threading.Timer(AGAIN_S, resend, (number,))
        again.daemon = True
        again.start()

    def resend(number: int) -> None:
        nonlocal heard
        if not over:
            heard = 0.0
            signal.pthread_kill(main.ident or 0, number)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in before.items():
            # what an outer one has set stays: it has the count of what was heard
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, stop)
        yield
    finally:
        over = True
        for number, handler in before.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)


def guarded(name: str, work: Callable[[], int]) -> int:
    """What ``work`` returns; 2 after one line on bad input, 130 when interrupted, 143 and 129 after SIGTERM and SIGHUP.

    Where the reader of stdout went away (``| head``), the rest is not written, and the status is 141, the
    shell's word for it.
    """
    try:
        with stoppable():
            status = work()
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the flush at exit must not fail again
        return 141
    except (ValueError, OSError) as error:
        print(f"{name}: error: {_reason(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        number = stop.signal if isinstance(stop, Stopped) else signal.SIGINT
        with contextlib.suppress(OSError):  # the terminal that hung up
            print(f"{name}: {SIGNALS[number]}", file=sys.stderr)
        return 128 + number


def _reason(error: ValueError | OSError) -> str:
    """The message as one line; of the system's errors, the file first."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: an integer from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?\d{1,30}", text, re.ASCII) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: must be an integer from {low} to {high}")
        return int(text)

    return parse


def share(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number from 0 to 1")
    return value


def output_file(text: str) -> Path:
    """An argparse type: a file that can be written, looked at before the work that fills it.

    Its folder may be missing, see `write_json`; nothing is made here.
    """
    path = Path(text)
    if not text or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: must be the name of a file, this is a folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r}: may not be written")
    _reachable(text, path.parent)
    return path


def output_folder(text: str) -> Path:
    """An argparse type: a folder to write into, there or yet to be made."""
    path = Path(text)
    if not text:
        raise argparse.ArgumentTypeError(f"{text!r}: must be the name of a folder")
    _reachable(text, path)
    return path


def _reachable(text: str, folder: Path) -> None:
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text!r}: {there} may not be written into")


def told(room: str, argv: Sequence[str] | None) -> str:
    """The command line as one can give it to a shell again; ``argv`` None: this process's own."""
    return shlex.join(["bridgebnn", room, *(sys.argv[1:] if argv is None else argv)])


def told_to(arguments: argparse.Namespace) -> str | None:
    """The command line that a room noted; None where Python code runs a command by itself."""
    return getattr(arguments, "told", None)


def write_json(path: Path, value: dict[str, Any] | Sequence[Any], indent: int | None = 2) -> None:
    """Write a value and a line end; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent) + "\n")
