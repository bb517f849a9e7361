"""``bridgebnn kit-quality``: cells, flip-flops, memory bits, area and longest path of controllers, with history."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

from bridgebnn.command_line import Parser, guarded, output_file, write_json
from bridgebnn.hdl.spec import PRESETS, Geometry, preset
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.names import check_names
from bridgebnn.progress import shown
from bridgebnn.sections import write_section

from .checks.kit import Missing, Refused
from .quality import History, Quality, Snapshot, measure, table

__all__ = ["geometry_of", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 with one line on stderr on bad input or where a tool is missing."""
    parser = Parser(
        prog="bridgebnn kit-quality",
        description="Synthesise controllers to OSU 0.18 with Yosys, memories as black boxes, time them with OpenSTA: "
        "cells, flip-flops, memory bits, area and longest path between registers, without wires.",
    )
    add = parser.add_argument
    add("--preset", nargs="+", default=[], choices=list(PRESETS), metavar="P", help=", ".join(PRESETS))
    add(
        "--geometry",
        action="append",
        default=[],
        metavar="NAME=N,...",
        help="a geometry by its fields, tiles=1,inputs=128 ...; may be repeated",
    )
    add("--bus", choices=[str(b) for b in Bus], default=str(Bus.WISHBONE), help="bus (default: wishbone)")
    add("--no-modules", action="store_true", help="leave out the area by module, a third of the time")
    add("--json", type=output_file, metavar="FILE", help="history: one more snapshot at its end")
    add(
        "--change",
        default="as it is",
        metavar="TEXT",
        help="what this version of the sources brings, for the history",
    )
    add("--write", type=output_file, metavar="FILE", help="renew the section quality of that page (Markdown)")
    arguments = parser.parse_args(argv)
    return guarded("bridgebnn kit-quality", lambda: _run(arguments))


def geometry_of(text: str) -> Geometry:
    """Geometry from ``tiles=3,inputs=784``; ``ValueError`` names what is wrong."""
    given: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if not value.isdecimal():
            raise ValueError(f"{part!r}: must be NAME=N, as tiles=3")
        given[name] = int(value)
    check_names("Geometry", given, [f.name for f in dataclasses.fields(Geometry)])
    return Geometry(**given)


def _run(arguments: argparse.Namespace) -> int:
    chosen = {name: preset(name).geometry for name in arguments.preset}
    chosen |= {text: geometry_of(text) for text in arguments.geometry}
    if not chosen and not arguments.write:
        raise ValueError("nothing to do: needs --preset, --geometry or --write")
    there = arguments.json and arguments.json.is_file()
    history = History.load(arguments.json) if there else History()
    found: list[Quality] = []
    with shown("kit-quality") as show:
        for done, (name, geometry) in enumerate(chosen.items()):

            def progress(stage: str, done: int = done) -> None:
                show({"stage": stage, "done": done, "total": len(chosen)})

            try:
                found.append(
                    measure(
                        name,
                        geometry,
                        bus=Bus(arguments.bus),
                        by_module=not arguments.no_modules,
                        progress=progress,
                    )
                )
            except (Missing, Refused) as error:
                raise ValueError(str(error)) from None
    if found:
        snapshot = Snapshot(change=arguments.change, controllers=found)
        history = history.replace(snapshots=[*history.snapshots, snapshot])
        if arguments.json:
            write_json(arguments.json, history.as_dict())
    text = table(history)
    print(text)
    if arguments.write:
        write_section(arguments.write, "quality", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
