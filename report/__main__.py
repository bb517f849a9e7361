"""``bridgebnn report``: one page from the results of commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bridgebnn.command_line import Parser, guarded, output_file, told

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 with one line on stderr on bad input."""
    return guarded("bridgebnn report", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    from bridgebnn.report.page import (
        page,
    )  # matplotlib is slow to load: an interrupt here is an interrupt, too
    from bridgebnn.report.results import KINDS, load

    parser = Parser(
        prog="bridgebnn report",
        description="Write one HTML page from the JSON files of commands: what was run, accuracy and mismatches, "
        "programming, studies, cycles, the images that went wrong, and how to run each again. It needs no server "
        "and no network.",
        epilog=f"Files are those that --json and --out write of: {', '.join(KINDS)}.",
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="RUN.json", help="results, in the order of the page"
    )
    parser.add_argument(
        "--out", type=output_file, default=Path("report.html"), metavar="FILE", help="default %(default)s"
    )
    parser.add_argument("--title", default="bridgebnn report", help="of the page (default %(default)s)")
    arguments = parser.parse_args(argv)
    text = page(load(arguments.files), title=arguments.title, command=told("report", argv))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
