"""``bridgebnn kit``: write the tape-out kit of a geometry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bridgebnn.command_line import Parser, guarded, output_folder, whole
from bridgebnn.hdl.spec import PRESETS, preset

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 with one line on stderr on bad input."""
    parser = Parser(
        prog="bridgebnn kit",
        description="Write everything that a digital flow needs of a controller and its macro into one folder: "
        "Verilog, macro model and views, constraints, a testbench without Python.",
    )
    add = parser.add_argument
    add("--preset", default="paper23", metavar="P", help=f"one of {', '.join(PRESETS)} (default paper23)")
    add("--name", default="bridgebnn", help="name of the controller; every other name begins with it")
    add("--images", type=whole(1, 1000), default=3, metavar="N", help="of the testbench (default 3)")
    add("--no-init", action="store_true", help="no initial values of registers and memories, as in silicon")
    add("--out", type=output_folder, required=True, metavar="DIR", help="folder to write into")
    arguments = parser.parse_args(argv)

    def work() -> int:
        from bridgebnn.kit.build import KitRequest, write_kit  # Amaranth and Yosys are slow to load
        from bridgebnn.model.mapping.mapping import map_preset
        from bridgebnn.model.networks.dataset import load_mnist_test
        from bridgebnn.model.networks.network import Network
        from bridgebnn.paths import network_file

        chosen = preset(arguments.preset)
        mapping = map_preset(chosen, Network.load(network_file(chosen.network)))
        images = load_mnist_test()[0][: arguments.images]
        options = f"--preset {arguments.preset} --name {arguments.name} --images {arguments.images}"
        request = KitRequest(
            name=arguments.name,
            mapping=mapping,
            timing=chosen.timing,
            images=images,
            init=not arguments.no_init,
            command=f"bridgebnn kit {options}{' --no-init' if arguments.no_init else ''} --out DIR",
        )
        print(write_kit(request, Path(arguments.out)))
        return 0

    return guarded("bridgebnn kit", work)


if __name__ == "__main__":
    sys.exit(main())
