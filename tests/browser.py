"""Headless Chromium for pages that this project writes: opened from disk, without a network."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

WIDTHS = {"desktop": 1280, "phone": 390}
"""Width of the window in CSS pixels."""


@contextlib.contextmanager
def opened(page: Path, width: int) -> Iterator[object]:
    """The page, loaded; skips the test where there is no Chromium.

    Anything but files is refused, so a page that needs the network fails here.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        window = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        window.route(
            lambda url: not url.startswith(("file:", "data:", "blob:")),
            lambda route: (asked.append(route.request.url), route.abort()),
        )
        file, _, query = str(page).partition("?")
        window.goto(Path(file).resolve().as_uri() + (f"?{query}" if query else ""), wait_until="load")
        yield window
        assert not asked, f"{page.name} asks the network for {asked[:3]}"
        browser.close()


def broken_images(window) -> list[str]:
    """Sources of the images that did not load."""
    return window.evaluate(
        "() => [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.getAttribute('src'))"
    )


def overflow(window) -> int:
    """Pixels by which the page is wider than the window."""
    return window.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
