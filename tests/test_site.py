"""The documentation as a site: it builds without a warning, and opens from disk in a browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT, browser

PAGES = ("index.html", "architecture.html", "model.html", "registers.html", "api/model.html", "api/tb.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built with every warning an error."""
    target = tmp_path_factory.mktemp("site")
    done = built(ROOT / "docs", target)
    assert done.returncode == 0, done.stderr[-2000:]
    return target


def built(docs: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Run Sphinx as `make docs` does: a warning is an error."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-q",
        "-W",
        "--keep-going",
        str(docs),
        str(target),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("width", browser.WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_page_opens(site, page, width):
    """No broken image, nothing from the network, no page wider than the window."""
    with browser.opened(site / page, browser.WIDTHS[width]) as window:
        assert window.title()
        assert browser.broken_images(window) == []
        assert browser.overflow(window) <= 0


def test_interface_comes_from_docstrings(site):
    text = (site / "api" / "model.html").read_text()
    assert "Raises" in text
    assert "bridgebnn.model.parameters.params.MacroParams" in text


def test_search_works_without_a_server(site):
    with browser.opened(site / "search.html?q=popcount", 1280) as window:
        window.wait_for_selector("#search-results li a", timeout=10_000)


def test_a_broken_link_is_caught(tmp_path):
    """The build that the tests trust refuses a page whose link leads nowhere."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "conf.py").write_text('extensions = ["myst_parser"]')
    (docs / "index.md").write_text("# Start\n\n[nowhere](absent.md)\n")
    done = built(docs, tmp_path / "site")
    assert done.returncode != 0
    assert "absent.md" in done.stderr
