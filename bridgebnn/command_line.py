"""What the command lines of this project share: a parser, types of arguments that check early, JSON files."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bridgebnn.names import nearest

__all__ = ["Parser", "guarded", "output_file", "output_folder", "whole", "write_json"]


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


def guarded(name: str, work: Callable[[], int]) -> int:
    """What ``work`` returns; 2 after one line on bad input, 130 when interrupted.

    Where the reader of stdout went away (``| head``), the rest is not written, and the status is 141, the
    shell's word for it.
    """
    try:
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
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130


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


def write_json(path: Path, value: dict[str, Any] | Sequence[Any], indent: int | None = 2) -> None:
    """Write a value and a line end; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent) + "\n")
