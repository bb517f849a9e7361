"""``bridgebnn hdl``: write the Verilog of a controller, or the files of its register map."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from bridgebnn.command_line import Parser, guarded

from .spec import PRESETS, Geometry, Timing, preset
from .spec.pins import Bus

__all__ = ["main"]

GEOMETRY_HELP = {
    "tiles": "macros driven by this controller",
    "rows": "word lines of a tile",
    "inputs": "input columns of a tile",
    "bias": "bias columns of a tile",
    "thresholds": "entries of the threshold memory",
    "layers": "entries of the descriptor table",
    "scores": "scores that one result bank holds",
    "count_width": "columns that the digital popcount adds in a cycle",
    "log_depth": "entries of the failure log",
    "spare_columns": "columns of a tile, after the bias columns, that can stand in for others",
    "spare_rows": "word lines, the last ones of the rows, that can stand in for others",
    "map_words": "32-bit words of each of the two activation maps, for convolutions",
}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="bridgebnn hdl", description="Generate the bridgebnn controller.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    generate = commands.add_parser(
        "generate",
        help="write bridgebnn.v and geometry.json",
        description="Write NAME.v (Verilog 2005, top module NAME) and geometry.json.",
    )
    generate.add_argument(
        "--name",
        default="bridgebnn",
        help="name of the file and of the top module; the names of all other modules begin with NAME_ "
        "(default: bridgebnn)",
    )
    generate.add_argument(
        "--no-init",
        action="store_true",
        help="no initial values of registers and memories, as in silicon",
    )
    generate.add_argument(
        "--bus",
        choices=[str(bus) for bus in Bus],
        default=str(Bus.WISHBONE),
        help="bus in front of the registers; axi4stream: AXI4-Lite, with input vectors and results as AXI4-Streams "
        "(default: wishbone)",
    )
    generate.add_argument(
        "--json", type=Path, metavar="FILE", help="description there instead of DIR/geometry.json"
    )
    registers = commands.add_parser(
        "registers",
        help="write the C header, HTML and IP-XACT",
        description="Write the register map as C header, HTML and IP-XACT, and, where asked, the page of the "
        "default geometry.",
    )
    registers.add_argument(
        "--document",
        type=Path,
        metavar="FILE",
        help="also write the page of the default geometry there (Markdown)",
    )
    registers.add_argument(
        "--tables",
        type=Path,
        metavar="FILE",
        help="also renew the generated tables of that page (Markdown)",
    )
    for command in (generate, registers):
        command.add_argument(
            "--out", type=_named, required=True, metavar="DIR", help="directory to write into"
        )
        known = ", ".join(PRESETS)
        command.add_argument("--preset", metavar="P", help=f"geometry: {known} (default: a small one)")
        for name, text in GEOMETRY_HELP.items():
            command.add_argument(
                f"--{name.replace('_', '-')}", type=int, metavar="N", help=f"{text} (default: the preset's)"
            )
    return parser


def _named(text: str) -> Path:
    """A path; the empty one, which would be the present folder, is a mistake."""
    if not text:
        raise argparse.ArgumentTypeError(f"{text!r}: must be the name of a folder")
    return Path(text)


def _shape(arguments: argparse.Namespace) -> tuple[Geometry, Timing]:
    """Geometry and timing of the preset, with the overrides of the command line."""
    overrides = {n: v for n in GEOMETRY_HELP if (v := getattr(arguments, n)) is not None}
    base = preset(arguments.preset) if arguments.preset else None
    geometry = dataclasses.replace(base.geometry if base else Geometry(), **overrides)
    return geometry, base.timing if base else Timing()


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 on success; 2 with one line on stderr on bad input, 130 when interrupted."""
    arguments = _parser().parse_args(argv)
    return guarded(f"bridgebnn hdl {arguments.command}", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    geometry, timing = _shape(arguments)
    if arguments.command == "generate":
        from bridgebnn.hdl.output.verilog import generate  # Amaranth and Yosys are slow to load

        written = [
            generate(
                arguments.out,
                geometry,
                timing,
                name=arguments.name,
                init=not arguments.no_init,
                bus=Bus(arguments.bus),
                preset=arguments.preset,
                json_file=arguments.json,
            )
        ]
    else:
        from bridgebnn.hdl.output.register_files import write_register_files
        from bridgebnn.hdl.spec.tables import renewed

        written = write_register_files(arguments.out, geometry, timing, document=arguments.document)
        if arguments.tables is not None:
            arguments.tables.write_text(renewed(arguments.tables.read_text()))
            written.append(arguments.tables)
    print("\n".join(str(path) for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
