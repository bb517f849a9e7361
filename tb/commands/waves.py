"""Draw some row reads of a waveform file (--waves of infer, or the demo's) as PNG: pins and analog nodes.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bridgebnn.command_line import output_file, whole
from bridgebnn.tb.runs.waves import picture, read

__all__ = ["add_arguments", "picture", "read", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``waves``."""
    add = parser.add_argument
    add("file", type=Path, metavar="VCD", help="waveform that this project wrote")
    add("--out", type=output_file, required=True, metavar="PNG", help="picture to write")
    add("--first", type=whole(0, 10**9), default=0, metavar="N", help="first row read (default %(default)s)")
    add("--reads", type=whole(1, 100), default=6, metavar="K", help="row reads to show (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    picture(arguments.file, arguments.first, arguments.reads, arguments.out)
    print(arguments.out)
    return 0
