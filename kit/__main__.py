"""``bridgebnn kit``: write the tape-out kit of a geometry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bridgebnn.command_line import Parser, guarded, output_folder
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.model.options import add_data, add_network, given_data

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 with one line on stderr on bad input."""
    parser = Parser(
        prog="bridgebnn kit",
        description="Write everything that a digital flow needs of a controller and its macro into one folder: "
        "Verilog, macro model and views, constraints, a testbench without Python.",
    )
    add = parser.add_argument
    add_network(parser)
    add_data(parser, 3)
    add("--name", default="bridgebnn", help="name of the controller; every other name begins with it")
    add(
        "--bus",
        choices=[str(bus) for bus in Bus],
        default=str(Bus.WISHBONE),
        help="bus in front of the registers (default: wishbone; the Caravel-style wrapper is for wishbone alone)",
    )
    add("--no-init", action="store_true", help="no initial values of registers and memories, as in silicon")
    add(
        "--memories",
        type=Path,
        metavar="FILE",
        help="technology file: which memories are on SRAM macros (default: all are flip-flops); a kit has its own, "
        "memories.toml, to start from",
    )
    add("--out", type=output_folder, required=True, metavar="DIR", help="folder to write into")
    arguments = parser.parse_args(argv)

    def work() -> int:
        from bridgebnn.kit import diagrams, gds
        from bridgebnn.kit.build import KitRequest, write_kit  # Amaranth and Yosys are slow to load
        from bridgebnn.kit.memories import Technology, views
        from bridgebnn.model.mapping.fit import choose
        from bridgebnn.model.mapping.mapping import map_network

        technology = Technology.load(arguments.memories) if arguments.memories else Technology()
        files = views(technology, arguments.memories.parent) if arguments.memories else {}
        chosen, network = choose(arguments.preset, arguments.network)
        mapping = map_network(network, chosen.geometry, combine=chosen.combine, final_mode=chosen.final_mode)
        data = given_data(arguments, network)
        given = {
            name: getattr(arguments, name)
            for name in ("preset", "network", "data", "labels", "binarize", "name", "images")
        }
        if arguments.bus != Bus.WISHBONE:
            given["bus"] = arguments.bus
        if arguments.memories:
            given["memories"] = "memories.toml"  # which the kit holds
        options = " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
        request = KitRequest(
            name=arguments.name,
            mapping=mapping,
            timing=chosen.timing,
            images=data.bits(network),
            bus=Bus(arguments.bus),
            init=not arguments.no_init,
            technology=technology,
            views=files,
            command=f"bridgebnn kit {options}{' --no-init' if arguments.no_init else ''} --out DIR",
        )
        print(write_kit(request, Path(arguments.out)))
        lost = [] if gds.available() else ["GDS (klayout)"]
        lost += [] if diagrams.available() else ["timing diagrams (iverilog, wavedrom)"]
        if lost:
            print(
                f"bridgebnn kit: without {' and '.join(lost)}: pip install 'bridgebnn[kit]'", file=sys.stderr
            )
        return 0

    return guarded("bridgebnn kit", work)


if __name__ == "__main__":
    sys.exit(main())
