"""``python -m tb COMMAND``: co-simulate the generated Verilog with the modelled macro."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from tb import commands
from tb.simulators import SimulationError


class _Parser(argparse.ArgumentParser):
    """Bad input is one line on stderr and exit status 2."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        Exit status: the command's; 1 when a simulation failed, 2 on bad input, 130 when interrupted.
    """
    parser = _Parser(prog="python -m tb", description=__doc__.split(": ", 1)[1].capitalize())
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
    # A filter, since cocotb-test sets the level itself; the simulator's own output is in the log of the run.
    logging.getLogger("cocotb").addFilter(lambda record: record.levelno >= logging.ERROR)
    try:
        return found[arguments.command].run(arguments)
    except SimulationError as error:
        print(f"python -m tb {arguments.command}: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"python -m tb {arguments.command}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
