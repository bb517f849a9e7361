"""Tables of the specification as Markdown, and the pages that hold them between marks."""

from __future__ import annotations

import re
from collections.abc import Callable

from .pins import PORTS

__all__ = ["TABLES", "pin_table", "renewed"]


def pin_table() -> str:
    """Every port of the controller, with T tiles, R rows and C columns."""
    head = "| port | dir | width | valid or held | meaning |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(
        f"| `{p.name}` | {p.flow} | {p.formula} | {p.valid} | {p.meaning} |\n" for p in PORTS
    )


TABLES: dict[str, Callable[[], str]] = {"pins": pin_table}
"""What a page may hold between ``<!-- generated: NAME -->`` and ``<!-- end -->``."""

_MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """The page with every marked table written anew; ``ValueError`` for a mark that names no table."""

    def table(found: re.Match[str]) -> str:
        name = found[2]
        if name not in TABLES:
            raise ValueError(f"unknown table {name!r}: known are {', '.join(TABLES)}")
        return f"{found[1]}\n{TABLES[name]()}\n{found[3]}"

    return _MARKED.sub(table, page)
