"""Reads LEF and Liberty with packages of PyPI.

A program of its own, because lefdef ends the process at a file that is none: ``python -m
bridgebnn.kit.checks.view_reader VIEW FILE CELL``, with VIEW ``lef`` (lefdef) or ``liberty`` (liberty-parser). Prints
JSON: ``pins``, direction and width by name (LEF: by bit), and ``supplies``, ``POWER`` or ``GROUND`` by name. Ends
with 1 and a line where the file has no such cell.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Found = dict[str, Any]


def lef(file: Path, cell: str) -> Found:
    """Pins of a macro, each bit by itself."""
    from lefdef import C_LefReader

    reader = C_LefReader()  # it owns what it has read
    read = reader.read(str(file))
    macros = [read.c_macros[i] for i in range(read.c_num_macros)]
    macro = next((m for m in macros if m.c_name.decode() == cell), None)
    if macro is None:
        sys.exit(f"error: no macro {cell}")
    pins: Found = {}
    supplies: Found = {}
    for pin in (macro.c_pins[i] for i in range(macro.c_num_pins)):
        name, use = pin.c_name.decode(), pin.c_use.decode()
        if use in ("POWER", "GROUND"):
            supplies[name] = use
        else:
            pins[name] = [pin.c_direction.decode().lower(), 1]
    return {"pins": pins, "supplies": supplies}


def liberty(file: Path, cell: str) -> Found:
    """Pins and buses of a cell; widths of buses by their types."""
    from liberty.parser import parse_liberty

    library = parse_liberty(file.read_text())
    widths = {
        str(group.args[0]): int(group["bit_width"]) for group in library.groups if group.group_name == "type"
    }
    cells = [g for g in library.groups if g.group_name == "cell" and str(g.args[0]).strip('"') == cell]
    if not cells:
        sys.exit(f"error: no cell {cell}")
    pins: Found = {}
    supplies: Found = {}
    for group in cells[0].groups:
        name = str(group.args[0]).strip('"') if group.args else ""
        if group.group_name == "bus":
            pins[name] = [str(group["direction"]), widths[str(group["bus_type"])]]
        elif group.group_name == "pin":
            pins[name] = [str(group["direction"]), 1]
        elif group.group_name == "pg_pin":
            supplies[name] = "GROUND" if str(group["pg_type"]).endswith("ground") else "POWER"
    return {"pins": pins, "supplies": supplies}


def main() -> int:
    """Run the program."""
    view, file, cell = sys.argv[1:]
    json.dump({"lef": lef, "liberty": liberty}[view](Path(file), cell), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
