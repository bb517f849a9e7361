"""Accuracy against cell error rate and comparator clock, by the authors' published statistics.

Every decision of every neuron of the circuit is drawn anew from the published error tables (docs/error-model.md);
layers before and behind it are exact. The published points stand beside it. Results follow from the seed alone.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
import csv
import io
import time

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, share, told_to, whole, write_json
from bridgebnn.hdl.spec import preset
from bridgebnn.model.mapping.fit import DEFAULT_PRESET
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.networks.imports import load_network
from bridgebnn.model.options import SEEDS, add_backend, add_data, add_network, given_data
from bridgebnn.model.parameters.published import CLOCKS_NS
from bridgebnn.model.products import use_backend
from bridgebnn.model.studies.error_sweep import PUBLISHED, SweepReport, circuit_layers, sweep
from bridgebnn.paths import network_file
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions

RATES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4)
CURVES = {"mnist": "MNIST 784-1025-1025-1025-10", "cifar10": "CIFAR-10 ConvNet"}
"""Published curves by what ``--beside`` calls them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``sweep``."""
    add = parser.add_argument
    add_network(parser)
    add_data(parser, None, default="all")
    add(
        "--clock",
        type=int,
        nargs="+",
        choices=tuple(CLOCKS_NS),
        default=list(CLOCKS_NS),
        metavar="NS",
        help="comparator clocks, of 6, 8 and 20 ns (default all)",
    )
    add(
        "--cell-errors",
        type=share,
        nargs="+",
        default=list(RATES),
        metavar="P",
        help=f"cell error rates (default {' '.join(f'{r:g}' for r in RATES)})",
    )
    add("--draws", type=whole(1, 10_000), default=30, metavar="K", help="draws a point (default %(default)s)")
    add("--seed", type=whole(0, SEEDS), default=1, metavar="S", help="of the draws (default %(default)s)")
    add(
        "--layers",
        type=whole(0, 255),
        nargs="+",
        metavar="L",
        help="operations that the circuit computes (default: all that give signs, but for the network's first)",
    )
    add(
        "--beside",
        choices=(*CURVES, "none"),
        default="mnist",
        help="published curve shown beside it (default %(default)s)",
    )
    add_backend(parser)
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--csv", type=output_file, metavar="F", help="also write one line a point as CSV")
    add("--png", type=output_file, metavar="F", help="also draw them")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    use_backend(arguments.backend)
    file = arguments.network or network_file(preset(arguments.preset or DEFAULT_PRESET).network)
    network = load_network(file)
    layers = circuit_layers(network, arguments.layers)
    if not layers:
        raise ValueError(f"{network.name}: no layer of a chip gives signs, so there is no decision to draw")
    data = given_data(arguments, network)
    labels = data.needed_labels()
    images = data.bits(network)
    with shown("sweep") as show:
        points = sweep(
            network,
            images,
            labels,
            layers=layers,
            clocks_ns=list(dict.fromkeys(arguments.clock)),
            rates=list(dict.fromkeys(arguments.cell_errors)),
            draws=arguments.draws,
            seed=arguments.seed,
            progress=counted(show, "images drawn"),
        )
    report = SweepReport(
        network=network.name,
        data=data.name,
        layers=layers,
        images=len(images),
        draws=arguments.draws,
        seed=arguments.seed,
        golden_accuracy=float((Golden(network)(images).classes == labels).mean()),
        points=points,
        published=[] if arguments.beside == "none" else PUBLISHED[CURVES[arguments.beside]],
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
        command=told_to(arguments),
    )
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    if arguments.csv:
        arguments.csv.parent.mkdir(parents=True, exist_ok=True)
        arguments.csv.write_text(_csv(report))
    if arguments.png:
        from bridgebnn.model.studies.error_plots import plot_sweep  # slow to load

        plot_sweep(report, arguments.png)
    return 0


def _csv(report: SweepReport) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("clock_ns", "cell_error_rate", "mean", "std", "low", "high", "wrong_bits")
    writer.writerow(("source", *names))
    for point in report.points:
        writer.writerow(("drawn", *(point[name] for name in names)))
    for known in report.published:
        middle = (known.low + known.high) / 2
        writer.writerow(
            ("published", known.clock_ns, known.cell_error_rate, middle, "", known.low, known.high, "")
        )
    return text.getvalue()


def _show(report: SweepReport) -> None:
    console = Console()
    console.width = max(console.width, 100)
    console.print(
        f"{report.network}, {report.images:,} images, without errors {report.golden_accuracy:.2%}; "
        f"layers {', '.join(map(str, report.layers))} drawn {report.draws} times from seed {report.seed}",
        highlight=False,
    )
    clocks = list(dict.fromkeys(point.clock_ns for point in report.points))
    table = Table(title="accuracy in %: mean (std)", box=SIMPLE, title_justify="left")
    table.add_column("cell error rate", justify="right")
    for clock in clocks:
        table.add_column(f"{clock} ns", justify="right")
    name = report.published[0].network if report.published else "published"
    table.add_column(f"{name}, 6 ns [data]", justify="right")
    known = {point.cell_error_rate: point for point in report.published}
    found = {(point.clock_ns, point.cell_error_rate): point for point in report.points}
    for rate in dict.fromkeys(point.cell_error_rate for point in report.points):
        cells = [found[clock, rate] for clock in clocks]
        beside = ""
        if (theirs := known.get(rate)) is not None:
            low, high = 100 * theirs.low, 100 * theirs.high
            beside = f"{low:g}" if low == high else f"{low:g}-{high:g}"
        table.add_row(f"{rate:g}", *(f"{100 * c.mean:.2f} ({100 * c.std:.2f})" for c in cells), beside)
    console.print(table)
    console.print(f"{report.wall_s:.1f} s", highlight=False)
