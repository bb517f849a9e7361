"""``bridgebnn model COMMAND``: evaluate networks and chips on the model alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bridgebnn.command_line import Parser, guarded, told


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        Exit status: the command's, 2 on bad input, 130 when interrupted.
    """
    return guarded("bridgebnn model", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    from . import commands  # numpy, scipy and the rest: an interrupt here is an interrupt, too

    parser = Parser(prog="bridgebnn model", description="Evaluate networks and chips on the model alone.")
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = commands.find()
    for name, module in found.items():
        text = (module.__doc__ or "").strip()
        sub = chosen.add_parser(
            name,
            help=text.splitlines()[0] if text else None,
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
    arguments = parser.parse_args(argv)
    arguments.told = told("model", argv)
    return guarded(f"bridgebnn model {arguments.command}", lambda: found[arguments.command].run(arguments))


if __name__ == "__main__":
    sys.exit(main())
