"""What a limit on the inputs of an analog neuron costs: accuracy, rows and cycles, by ADD and by VOTE.

Each network is mapped on tiles of each width and evaluated by golden, so as a chip without errors does it. One that was
trained for groups that vote is evaluated as its file has them.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.model.networks.data import load_data
from bridgebnn.model.networks.imports import load_network
from bridgebnn.model.studies.fan_in import WHOLE, FanInReport, Point, study
from bridgebnn.paths import network_file
from bridgebnn.progress import counted, shown
from bridgebnn.sections import write_section
from bridgebnn.versions import versions

NETWORKS = (
    "mnist-784-512-512-10.npz",
    "mnist1025.npz",
    "fashion-conv.npz",
    "mnist-paper23.npz",
    "mnist-vote64.npz",
    "mnist-vote128.npz",
    "mnist-split-vote.npz",
    "mnist-vote256.npz",
)
WIDTHS = (23, 64, 128, 256, WHOLE)
SECTION = "fan-in"
HEADS = ("network", "inputs", "split", "accuracy", "images", "tiles", "rows", "cycles per image")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``fan-in``."""
    add = parser.add_argument
    add(
        "--network",
        type=Path,
        nargs="+",
        default=[network_file(name) for name in NETWORKS],
        metavar="FILE",
        help=f"network files, each tried on its own test images (default {' '.join(NETWORKS)})",
    )
    add(
        "--inputs",
        type=_width,
        nargs="+",
        default=list(WIDTHS),
        metavar="N",
        help="inputs of a tile, or 'whole': the widest layer's (default 23 64 128 256 whole)",
    )
    add("--images", type=whole(1, 10**6), metavar="K", help="first K test images (default all)")
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--document", type=Path, metavar="F", help=f"page whose section {SECTION!r} becomes the table")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    networks = [load_network(path) for path in arguments.network]
    given = [(network, load_data(None, network, most=arguments.images)) for network in networks]
    with shown("fan-in") as show:
        points = study(given, list(dict.fromkeys(arguments.inputs)), counted(show, "cases"))
    report = FanInReport(
        images={network.name: len(data) for network, data in given},
        points=points,
        versions=versions(),
        command=told_to(arguments),
    )
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    if arguments.document:
        write_section(arguments.document, SECTION, markdown(report))
    return 0


def markdown(report: FanInReport) -> str:
    """The table as a page has it."""
    lines = ["| " + " | ".join(HEADS) + " |", "| " + " | ".join(["---"] * len(HEADS)) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(_cells(report, point)) + " |" for point in report.points)])


def _cells(report: FanInReport, point: Point) -> list[str]:
    split = "none" if point.whole else f"{point.combine}, trained" if point.trained else point.combine
    return [
        f"`{point.network}`",
        f"{point.inputs}" + (" (whole)" if point.whole else ""),
        split,
        f"{point.accuracy:.2%}".replace("%", " %"),
        f"{report.images[point.network]:,}",
        f"{point.tiles}",
        f"{point.rows:,}",
        f"{point.cycles_per_image:,}",
    ]


def _show(report: FanInReport) -> None:
    table = Table(box=SIMPLE)
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number in (0, 2) else "right")
    for point in report.points:
        table.add_row(*(cell.strip("`") for cell in _cells(report, point)))
    Console().print(table)


def _width(text: str) -> int:
    return WHOLE if text == "whole" else whole(1, 4064)(text)
