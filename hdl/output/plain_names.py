"""Plain Verilog names for everything in a design, given as the RTLIL that Amaranth writes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from peakrdl_regblock.identifier_filter import kw_filter

__all__ = ["plain", "plain_rtlil"]

NAME = re.compile(r"\\\S+")  # Yosys itself numbers the private ones, which start with `$`
MODULE = re.compile(r"module \\(\S+)")
INSTANCE = re.compile(r"  cell \\(\S+) \\(\S+)")
DECLARED = re.compile(r"  (wire|memory|cell) (?:.* )?\\(\S+)$")
PORT = re.compile(r"  wire .* (?:input|output|inout) ")
LINK = re.compile(r"    connect \\(\S+) (.*)", re.DOTALL)
MEMORY = re.compile(r'    parameter \\MEMID "\\\\(\S+)"')
Names = dict[str, str]


def plain(name: str) -> str:
    """The nearest identifier that is legal in Verilog 2005 and SystemVerilog 2017 and needs no escape.

    Amaranth's numbers go (``code$36``: ``code``), dots and brackets become underscores, and a keyword gets an
    underscore behind it.
    """
    text = re.sub(r"[^A-Za-z0-9_]+", "_", re.sub(r"\$\d+|\]|^\$", "", name))
    return kw_filter(text if re.match("[A-Za-z_]", text) else f"_{text}")


def plain_rtlil(text: str, tops: Collection[str]) -> str:
    """Rename modules, ports, instances, memories and wires of every module so that none needs an escape.

    Where two names of a module become one, the later ones get a number: instances keep theirs before ports,
    ports before memories, memories before wires, each in the order of the text. The ports of top modules, and
    these modules, keep their names as they are.

    Parameters
    ----------
    text : str
        RTLIL of one or several designs as `amaranth.back.rtlil` writes it.
    tops : collection of str
        Names of the top modules.
    """
    lines = text.splitlines(keepends=True)
    bodies: dict[str, list[str]] = {}
    for line in lines:
        if found := MODULE.match(line):
            bodies[found[1]] = []
        elif bodies:
            bodies[next(reversed(bodies))].append(line)
    kinds = _distinct(bodies, fixed=set(tops))
    called: dict[str, set[str]] = {name: set() for name in bodies}
    for line in lines:
        if found := INSTANCE.match(line):
            called[found[1]].add(plain(found[2]))
    names = {name: _local_names(body, name in tops, called[name]) for name, body in bodies.items()}

    done: list[str] = []
    own: Names = {}
    ports: Names | None = None  # of the cell that the line is in: none of Yosys's own cells is renamed
    for line in lines:
        if found := MODULE.match(line):
            own = names[found[1]]
            line = f"module \\{kinds[found[1]]}\n"
        elif line.startswith("  cell "):
            ports = {}
            if found := INSTANCE.match(line):
                ports = names[found[1]]
                line = f"  cell \\{kinds[found[1]]} \\{own[found[2]]}\n"
        elif line == "  end\n":
            ports = None
        elif ports is not None and (found := LINK.match(line)):
            line = f"    connect \\{ports.get(found[1], found[1])} {_renamed(found[2], own)}"
        elif found := MEMORY.match(line):
            line = f'    parameter \\MEMID "\\\\{own[found[1]]}"\n'
        elif not line.lstrip().startswith(("attribute ", "parameter ")):
            line = _renamed(line, own)
        done.append(line)
    return "".join(done)


def _renamed(line: str, names: Names) -> str:
    return NAME.sub(lambda found: f"\\{names[found[0][1:]]}", line)


def _local_names(body: list[str], is_top: bool, called: set[str]) -> Names:
    """New name of each object of a module.

    None but an instance has the name of an instance of the module, which it would hide.
    """
    ranks: dict[str, int] = {}
    for line in body:
        if found := DECLARED.match(line.rstrip("\n")):
            if PORT.match(line):
                rank = 0 if is_top else 2
            elif found[1] == "cell":
                rank = 1
            else:
                rank = 3 if found[1] == "memory" else 4
            ranks[found[2]] = rank
    fixed = [name for name, rank in ranks.items() if rank == 0]
    instances = [name for name, rank in ranks.items() if rank == 1]
    others = sorted((name for name, rank in ranks.items() if rank > 1), key=lambda name: ranks[name])
    names = _distinct((*fixed, *instances), fixed=set(fixed))
    return names | _distinct(others, taken={*names.values(), *called})


def _distinct(names: Iterable[str], *, fixed: Iterable[str] = (), taken: Iterable[str] = ()) -> Names:
    """Plain names, each once and none ``taken``, in the order given; those in ``fixed`` stay as they are."""
    used, found = {*taken, *fixed}, {}
    for name in names:
        base = new = name if name in fixed else plain(name)
        number = 0
        while new in used and name not in fixed:
            number += 1
            new = f"{base}_{number}"
        used.add(new)
        found[name] = new
    return found
