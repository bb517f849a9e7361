"""Tables of the specification as Markdown, and the pages that hold them between marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .pins import PORTS, STREAM_PORTS, Port
from .register_map import WHOLE, Field, Register, Window, layout, register_map

__all__ = ["TABLES", "descriptor_table", "pin_table", "register_table", "renewed"]


def pin_table(ports: Sequence[Port] = PORTS) -> str:
    """Every port of the controller, with T tiles, R rows and C columns."""
    head = "| port | dir | width | valid or held | meaning |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(
        f"| `{p.name}` | {p.flow} | {p.formula} | {p.valid} | {p.meaning} |\n" for p in ports
    )


def _bits(field: Field) -> str:
    return str(field.lsb) if field.width == 1 else f"{field.msb}:{field.lsb}"


def descriptor_table() -> str:
    """Words of a descriptor."""
    head = "| word | bits | field | meaning |\n| --- | --- | --- | --- |\n"
    return head + "".join(
        f"| {word} | {_bits(field)} | `{name}` | {field.desc} |\n"
        for name, (word, field) in layout("DESCRIPTOR").fields.items()
    )


def register_table() -> str:
    """Every register and window, those of spares too, with their fields."""
    head = "| offset | name | access | fields | meaning |\n| --- | --- | --- | --- | --- |\n"
    registers = register_map(WHOLE)
    items: tuple[Register | Window, ...] = (*registers.registers, *registers.windows)
    return head + "".join(_register_line(item) for item in items)


def _register_line(item: Register | Window) -> str:
    words = item.layout if isinstance(item, Window) else (item,)
    fields = "; ".join(" ".join(f"{f.name}[{_bits(f)}]" for f in word.fields) for word in words)
    return f"| {item.offset:#05x} | {item.name} | {item.access} | {fields} | {item.desc} |\n"


TABLES: dict[str, Callable[[], str]] = {
    "pins": pin_table,
    "streams": lambda: pin_table(STREAM_PORTS),
    "descriptor": descriptor_table,
    "registers": register_table,
}
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
