"""Find each comparator's offset by self-tests on the chip, take it back by the reference, and measure what that gives.

Chips with an offset that is fixed per tile and chips that draw one per decision, of the same spread, classify images
before and after (docs/offsets.md).

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.model.flows.trim import PATTERNS
from bridgebnn.model.mapping.fit import choose
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.options import CHIP, SEEDS, add_data, add_network, given_data
from bridgebnn.model.studies.trimming import TrimReport, trimming
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trim``."""
    add = parser.add_argument
    add_network(parser)
    add_data(parser, 500)
    add(
        "--offset-mV",
        type=_millivolt,
        nargs="+",
        default=[5.5, 20.0, 60.0],
        metavar="MV",
        help="spreads of the offset (default 5.5 20 60)",
    )
    add("--chip", type=whole(0, SEEDS), default=CHIP, metavar="SEED", help="first seed (default %(default)s)")
    add("--chips", type=whole(1, 10_000), default=20, metavar="N", help="how many (default %(default)s)")
    add(
        "--patterns",
        type=whole(1, 10_000),
        default=PATTERNS,
        metavar="K",
        help="of the self-test of a tile (default %(default)s)",
    )
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--png", type=output_file, metavar="F", help="also draw them")


def _millivolt(text: str) -> float:
    """An argparse type: a number from 0 to 1000."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number of mV from 0 to 1000")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    chosen, network = choose(arguments.preset, arguments.network)
    mapping = map_network(network, chosen.geometry, combine=chosen.combine, final_mode=chosen.final_mode)
    data = given_data(arguments, network)
    labels = data.needed_labels()
    images = data.bits(network)
    chips = list(range(arguments.chip, arguments.chip + arguments.chips))
    with shown("trim") as show:
        points = trimming(
            mapping,
            images,
            labels,
            sigmas_V=[1e-3 * value for value in dict.fromkeys(arguments.offset_mV)],
            chips=chips,
            patterns=arguments.patterns,
            progress=counted(show, "chips"),
        )
    report = TrimReport(
        preset=chosen.name,
        network=network.name,
        data=data.name,
        combine=chosen.combine.name,
        images=len(images),
        patterns=arguments.patterns,
        chips=chips,
        golden_accuracy=float(np.mean(Golden(mapping.network)(images).classes == labels)),
        points=points,
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
        command=told_to(arguments),
    )
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    if arguments.png:
        from bridgebnn.model.studies.trim_plots import plot_trim  # slow to load

        plot_trim(report, arguments.png)
    return 0


def _show(report: TrimReport) -> None:
    console = Console()
    console.width = max(console.width, 120)
    console.print(
        f"{report.network} on preset {report.preset}, {report.images} images of {report.data}, "
        f"{len(report.chips)} chips from seed {report.chips[0]}; golden {report.golden_accuracy:.2%}",
        highlight=False,
    )
    table = Table(title="accuracy in %: mean (std), worst chip", box=SIMPLE, title_justify="left")
    for name in ("offset", "mV", "counts", "before", "after trimming", "left, counts", "wrong bits", "after"):
        table.add_column(name, justify="left" if name == "offset" else "right")
    for p in report.points:
        shown_as = [
            f"{100 * np.mean(v):.2f} ({100 * np.std(v):.2f}), {100 * np.min(v):.1f}"
            for v in (p.before, p.after)
        ]
        share = [f"{100 * p.wrong_before:.2f} %", f"{100 * p.wrong_after:.2f} %"]
        table.add_row(
            p.kind, f"{1e3 * p.sigma_V:g}", f"{p.counts:.2f}", *shown_as, f"{np.max(p.left):.2f}", *share
        )
    console.print(table)
    console.print(f"{report.wall_s:.1f} s", highlight=False)
