"""The kit's HTML, opened by a browser."""

from __future__ import annotations

import contextlib
import html
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from .kit import Kit, Missing, Refused, call, edit

__all__ = ["a_lost_pin", "a_script_error", "browser", "datasheets", "register_pages"]

PATIENCE_MS = 20_000
"""Of the browser's own clock, which stands still while it waits for files."""


def browser(kit: Kit, *options: str) -> str:
    """What headless Chromium prints."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        raise Missing("chromium not found: install chromium")
    profile = f"--user-data-dir={kit.work / 'chromium'}"
    return call([program, "--headless", "--no-sandbox", "--disable-gpu", profile, *options], kit.work)


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder by HTTP: its address, and what was asked for in vain."""
    lost: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object):
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            lost.append(self.path)
            super().send_error(code, message, explain)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", lost
        finally:
            server.shutdown()


def register_pages(kit: Kit) -> str:
    """Chromium shows the register pages, served by HTTP: every register in the index, one with its fields."""
    registers = json.loads((kit.folder / "geometry.json").read_text())["registers"]
    with _served(kit.folder / "registers" / "html") as (address, lost):
        where = f"{address}/index.html?p=bridgebnn.COMMAND"
        page = browser(kit, f"--virtual-time-budget={PATIENCE_MS}", "--dump-dom", where)
    if lost:
        raise Refused(f"{lost[0]}: is not there")
    shown = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    words = set(html.unescape(shown).split())
    for name in (*registers, *registers["COMMAND"]["fields"]):
        if name not in words:
            raise Refused(f"the page of COMMAND does not show {name}")
    return f"{len(registers)} registers"


def datasheets(kit: Kit) -> str:
    """Chromium opens the datasheets from disk and prints them: every pin, every register, every diagram."""
    waves = list((kit.folder / "datasheet" / "waves").glob("*.json"))
    if not waves:
        raise Missing(
            "no diagrams: write the kit where iverilog and wavedrom are, pip install 'bridgebnn[kit]'"
        )
    registers = json.loads((kit.folder / "geometry.json").read_text())["registers"]
    drawn = 0
    for block, wanted in {"controller": {*registers, *kit.pins()}, "macro": set(kit.pins())}.items():
        page = (kit.folder / "datasheet" / f"{block}.html").as_uri()
        shown = browser(kit, "--dump-dom", page)
        words = set(re.findall(r"<code>(\w+)</code>", shown))
        for name in sorted(wanted - words):
            raise Refused(f"{block}.html does not show {name}")
        drawn += shown.count("<svg")
        paper = kit.work / f"{block}.pdf"
        browser(kit, f"--print-to-pdf={paper}", page)
        if paper.read_bytes()[:5] != b"%PDF-":
            raise Refused(f"{block}.pdf is no PDF")
    if drawn != len(waves):
        raise Refused(f"{drawn} diagrams of {len(waves)}")
    return f"{len(kit.pins())} pins, {len(registers)} registers, {drawn} diagrams"


def a_lost_pin(kit: Kit) -> None:
    """One pin is not in the table."""
    edit(kit.folder / "datasheet" / "macro.html", "<code>hv_ready</code>", "<code>hv_redy</code>", 9)


def a_script_error(kit: Kit) -> None:
    """One script of the pages has an error."""
    edit(kit.folder / "registers" / "html" / "js" / "ral.js", "class RAL", "clas RAL")
