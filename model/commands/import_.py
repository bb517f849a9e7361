"""Import a network that another framework trained (ONNX, QONNX, Keras and Larq) into this project's format.

Every decision of the foreign network is evaluated at every integer that its neurons can reach, in float64 with the
file's own constants; the thresholds are read off that. First and last layers of real weights are left to the host. What
cannot be imported is named, with its place.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, write_json
from bridgebnn.model.mapping.fit import geometry_for
from bridgebnn.model.networks.encoding import RULES
from bridgebnn.model.networks.host import host_layers
from bridgebnn.model.networks.imports import FOREIGN, RANGES, import_network
from bridgebnn.model.networks.network import Network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``import``."""
    parser.add_argument("file", type=Path, metavar="FILE", help=f"the foreign network ({', '.join(FOREIGN)})")
    parser.add_argument(
        "--out", type=output_file, required=True, metavar="NET", help="network file to write (.npz)"
    )
    parser.add_argument("--name", help="name of the network (default: that of the file)")
    parser.add_argument(
        "--input-range",
        choices=tuple(RANGES),
        help="what enters the foreign network: pixels 0..255 as 0..1, as they are or as -1..1; bits as -1 and +1, or "
        "as 0 and 1 (default: as the file declares, else unit)",
    )
    parser.add_argument(
        "--binarize",
        metavar="RULE",
        help=f"{RULES}: how an image becomes the bits of bipolar or bit (default threshold)",
    )
    parser.add_argument("--json", type=output_file, metavar="F", help="also write what was found as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    network = import_network(
        arguments.file,
        input_range=arguments.input_range,
        binarize=arguments.binarize,
        name=arguments.name,
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    network.save(arguments.out)
    _show(network, arguments.out)
    if arguments.json:
        write_json(
            arguments.json,
            {
                "file": str(arguments.out),
                "layers": _layers(network),
                "host_layers": host_layers(network.operations),
                **network.meta["import"],
            },
        )
    return 0


def _layers(network: Network) -> list[dict[str, int | str]]:
    return [
        {
            "inputs": layer.n_in,
            "neurons": layer.n_out,
            "output": layer.output,
            "falling": int((layer.polarity < 0).sum()),
            "constant": int((abs(layer.thresholds) > layer.n_in).sum()),
        }
        for layer in network.layers
    ]


def _show(network: Network, out: Path) -> None:
    table = Table(box=SIMPLE)
    for column in ("layer", "inputs", "neurons", "output", "falling decisions", "constant neurons"):
        table.add_column(column, justify="right")
    for number, layer in enumerate(_layers(network)):
        table.add_row(str(number), *(str(value) for value in layer.values()))
    console = Console()
    console.print(table)
    for words in host_layers(network.operations):
        console.print(f"layer on the host: {words}", soft_wrap=True)
    said = network.meta["import"]
    geometry = geometry_for(network)
    size = " x ".join(map(str, network.encoding.shape))
    console.print(f"an image of {size} values enters as: {network.encoding.rule}")
    console.print(f"score of a class: {said['score_scale']:.6g} * integer score + {said['score_offset']:.6g}")
    maps = f", maps of {geometry.map_words} words" if geometry.map_words else ""
    console.print(f"one layer per tile: {geometry.tiles} tiles of {geometry.rows} x {geometry.columns}{maps}")
    console.print(f"written: {out}", soft_wrap=True)
