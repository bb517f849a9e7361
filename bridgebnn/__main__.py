"""``bridgebnn ROOM COMMAND``: the command line, the same as ``python -m bridgebnn.ROOM COMMAND``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from bridgebnn import __version__
from bridgebnn.command_line import Parser, guarded

__all__ = ["ROOMS", "main"]

ROOMS = {
    "hdl": ("bridgebnn.hdl.__main__", "write the Verilog of a controller, or the files of its register map"),
    "model": ("bridgebnn.model.__main__", "evaluate networks and chips on the model alone"),
    "tb": ("bridgebnn.tb.__main__", "co-simulate the generated Verilog with the modelled macro"),
    "spice": ("bridgebnn.model.spice.__main__", "compare the macro model with ngspice"),
    "train": ("bridgebnn.train.__main__", "train the networks again"),
    "kit": ("bridgebnn.kit.__main__", "write the tape-out kit of a controller and its macro"),
    "kit-datasheet": (
        "bridgebnn.kit.datasheet_command",
        "datasheets of a kit with measured figures, and as PDF",
    ),
    "kit-check": ("bridgebnn.kit.check_command", "let the tools that a kit is for read it"),
    "kit-quality": (
        "bridgebnn.kit.quality_command",
        "cells, area and longest path of controllers, with history",
    ),
    "report": ("bridgebnn.report.__main__", "write one page from the JSON files of commands"),
    "proofs": ("bridgebnn.proofs.__main__", "prove the rules of the controller, refute broken designs"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``bridgebnn ROOM ...``; the exit status is the room's, 2 when there is no such room."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(
        prog="bridgebnn", description="The controller, macro model and testbenches of ReRAM bridge networks."
    )
    parser.add_argument("--version", action="version", version=f"bridgebnn {__version__}")
    rooms = parser.add_subparsers(dest="room", required=True, metavar="ROOM")
    for name, (_, text) in ROOMS.items():
        rooms.add_parser(name, help=text, add_help=False)
    chosen = parser.parse_known_args(arguments[:1])[0]
    module = ROOMS[chosen.room][0]
    return guarded(f"bridgebnn {chosen.room}", lambda: importlib.import_module(module).main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main())
