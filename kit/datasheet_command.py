"""``bridgebnn kit-datasheet``: datasheets of a kit with what `kit-check` has measured, and as PDF."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bridgebnn.command_line import Parser, guarded
from bridgebnn.hdl.spec.described import read_description

from .checks.kit import Kit, Missing, Refused
from .checks.pages import browser
from .datasheet import BLOCKS, datasheets, measured

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 with one line on stderr on bad input."""
    parser = Parser(
        prog="bridgebnn kit-datasheet",
        description="Write the datasheets of a kit again: with area and longest path as `bridgebnn kit-check` measured "
        "them, and as PDF where Chromium is installed.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a kit, as `bridgebnn kit` wrote it")
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="what `kit-check --json` wrote of this kit"
    )
    parser.add_argument("--no-pdf", action="store_true", help="leave out the PDF files")
    arguments = parser.parse_args(argv)
    return guarded("bridgebnn kit-datasheet", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    folder = arguments.folder.resolve()
    with tempfile.TemporaryDirectory(prefix="bridgebnn-kit-") as scratch:
        kit = Kit.open(folder, Path(scratch))
        geometry, timing = read_description(folder / "geometry.json")
        figures = _figures(arguments.check, kit, timing.clock_s * 1e9)
        waves = {
            file.stem: json.loads(file.read_text())
            for file in sorted((folder / "datasheet" / "waves").glob("*.json"))
        }
        facts = json.loads((folder / "geometry.json").read_text())
        pages = datasheets(facts, geometry, timing, waves, figures)
        for name, text in pages.items():
            (folder / name).write_text(text)
        _list(folder / "manifest.json", pages)
        for block in BLOCKS:
            page = folder / "datasheet" / f"{block}.html"
            print(page)
            if not arguments.no_pdf:
                _print(kit, page)
    return 0


def _figures(check: Path | None, kit: Kit, period_ns: float) -> dict[str, str]:
    if check is None:
        return {}
    try:
        report = json.loads(check.read_text())
        if report["kit"] != kit.name:
            raise ValueError(f"{check}: is of kit {report['kit']!r}, this one is {kit.name!r}")
        return measured(report, period_ns)
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{check}: must be what `bridgebnn kit-check --json` wrote") from None


def _list(manifest: Path, pages: dict[str, str]) -> None:
    """Checksums of the new pages; PDF files hold a date and are not listed."""
    known = json.loads(manifest.read_text())
    known["files"] |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in pages.items()}
    manifest.write_text(json.dumps(known, indent=2) + "\n")


def _print(kit: Kit, page: Path) -> None:
    target = page.with_suffix(".pdf")
    try:
        browser(kit, "--no-pdf-header-footer", f"--print-to-pdf={target}", page.as_uri())
    except Missing as error:
        print(f"bridgebnn kit-datasheet: no PDF: {error}", file=sys.stderr)
        return
    except Refused as error:
        raise ValueError(f"{target}: {error}") from None
    print(target)


if __name__ == "__main__":
    sys.exit(main())
