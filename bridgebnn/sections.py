"""Sections of a hand-written page that commands generate, between two comments."""

from __future__ import annotations

from pathlib import Path

__all__ = ["read_section", "write_section"]


def _split(file: Path, name: str) -> tuple[str, str, str]:
    """Text before the section, the section, text after it; the marks belong to the outer parts."""
    text = file.read_text()
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise ValueError(f"{file}: must hold {begin.strip()} and {end} once, in this order")
    head, rest = text.split(begin)
    body, tail = rest.split(end)
    return head + begin, body, end + tail


def read_section(file: Path, name: str) -> str:
    """What stands between the marks of section ``name``.

    Raises
    ------
    ValueError
        The page does not have both marks once.
    """
    return _split(file, name)[1]


def write_section(file: Path, name: str, text: str) -> None:
    """Replace what stands between the marks of section ``name``; the rest of the page stays.

    Raises
    ------
    ValueError
        The page does not have both marks once.
    """
    head, _, tail = _split(file, name)
    file.write_text(f"{head}\n{text.strip()}\n\n{tail}")
