"""``bridgebnn tb COMMAND``: co-simulate the generated Verilog with the modelled macro."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from bridgebnn.command_line import Parser, guarded, told


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        Exit status: the command's; 1 when a simulation failed, 2 on bad input, 130 when interrupted.
    """
    return guarded("bridgebnn tb", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    from bridgebnn.tb.simulators import SimulationError

    from . import commands  # slow to load: an interrupt here is an interrupt, too

    parser = Parser(prog="bridgebnn tb", description=__doc__.split(": ", 1)[1].capitalize())
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = commands.find()
    for name, module in found.items():
        text = (module.__doc__ or "").strip()
        sub = chosen.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
    arguments = parser.parse_args(argv)
    arguments.told = told("tb", argv)
    # A filter, since cocotb-test sets the level itself; the simulator's own output is in the log of the run.
    logging.getLogger("cocotb").addFilter(lambda record: record.levelno >= logging.ERROR)
    name = f"bridgebnn tb {arguments.command}"

    def work() -> int:
        try:
            return found[arguments.command].run(arguments)
        except SimulationError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1

    return guarded(name, work)


if __name__ == "__main__":
    sys.exit(main())
