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
from bridgebnn.sections import read_section, write_section

from .checks import CHECKS, CheckReport, KitReport, check_kit

__all__ = ["SECTION", "main", "markdown"]

SECTION = "kit-check"
"""Of ``docs/kit.md``."""


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
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also write the table of docs/kit.md there"
    )
    arguments = parser.parse_args(argv)
    return guarded("bridgebnn kit-check", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.write:
        read_section(arguments.write, SECTION)  # a page without it is found out before the work
    chosen = [c for c in CHECKS if not arguments.only or c.name in arguments.only]
    steps = sum(1 if arguments.no_broken else 1 + len(c.spoils) for c in chosen)
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
    if arguments.write:
        write_section(arguments.write, SECTION, markdown(report))
    return 0 if report.passed else 1


def markdown(report: KitReport) -> str:
    """The section of ``docs/kit.md``: what the checks found, with which tools, in which time."""
    lines = ["| check | tool | found | a broken kit is refused | s |", "| --- | --- | --- | --- | --- |"]
    for c in report.checks:
        cells = [c.name, _tools(c), c.found if c.result == "passed" else f"**{c.result}**: {c.found}"]
        cells += [{None: "", True: c.broken, False: "**no**"}[c.refuses_broken], f"{c.cpu_s:.0f}"]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    total = sum(c.cpu_s for c in report.checks)
    lines += ["", f"Processor time, broken kits included; together {total:.0f} s."]
    return "\n".join(lines)


def _tools(check: CheckReport) -> str:
    named = zip(check.tool.split(", "), check.versions, strict=True)
    return ", ".join(f"{tool} {version or '(not installed)'}" for tool, version in named)


def _print(report: KitReport) -> None:
    table = Table("check", "tool", "result", "found", "a broken kit", box=SIMPLE)
    table.add_column("s", justify="right")
    for check in report.checks:
        refused = {None: "", True: f"refused: {check.broken}", False: "NOT REFUSED"}[check.refuses_broken]
        table.add_row(check.name, _tools(check), check.result, check.found, refused, f"{check.cpu_s:.0f}")
    Console(soft_wrap=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
