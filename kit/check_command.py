"""``bridgebnn kit-check``: let the tools that a kit is for read it, and refuse broken copies of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import Parser, guarded, output_file, write_json
from bridgebnn.progress import shown

from .checks import CHECKS, KitReport, check_kit

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when every check passes and refuses its broken kit, 1 when not, 2 on bad input."""
    parser = Parser(
        prog="bridgebnn kit-check",
        description="Let the tools that a kit is for read it; each must also refuse a broken copy. Exit status 0: all "
        "passed; 1: something was refused, not refused, or a tool is missing; 2: bad input.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a kit, as `bridgebnn kit` wrote it")
    names = ", ".join(c.name for c in CHECKS)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="CHECK", help=f"some of {names} (default: all)"
    )
    parser.add_argument("--no-broken", action="store_true", help="leave out the broken copies")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="also write the results as JSON")
    arguments = parser.parse_args(argv)
    return guarded("bridgebnn kit-check", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    steps = (len(arguments.only) or len(CHECKS)) * (1 if arguments.no_broken else 2)
    with shown("kit-check") as show:
        done = iter(range(steps + 1))
        report = check_kit(
            arguments.folder,
            only=tuple(arguments.only),
            broken=not arguments.no_broken,
            progress=lambda stage: show({"stage": stage, "done": next(done), "total": steps}),
        )
    _print(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    return 0 if report.passed else 1


def _print(report: KitReport) -> None:
    table = Table("check", "tool", "result", "found", "a broken kit", box=SIMPLE)
    for check in report.checks:
        refused = {None: "", True: f"refused: {check.broken}", False: "NOT REFUSED"}[check.refuses_broken]
        table.add_row(check.name, check.tool, check.result, check.found, refused)
    Console(soft_wrap=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
