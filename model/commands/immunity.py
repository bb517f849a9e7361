"""Accuracy of the bridge array, its ablations and the conventional array over spread, wires and supply.

Four sweeps on one network, every circuit with the same devices: the multiplier of the device spread; the wire
resistance per cell, of every line of both arrays; the source resistance of the read supply; and the droop of the
plates' supply. Equations and what the circuits are: docs/model.md. Results depend on the seed, not on the number of
processes.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.model.mapping.fit import choose
from bridgebnn.model.mapping.mapping import Mapping, map_preset
from bridgebnn.model.networks.data import load_data
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.options import CHIP, add_data, add_network
from bridgebnn.model.studies import immunity
from bridgebnn.model.studies.immunity import Circuit
from bridgebnn.model.studies.reports import ImmunityReport, SweepCircuit
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions


def _tile(text: str) -> tuple[int, int]:
    if not (found := re.fullmatch(r"(\d+)x(\d+)", text)) or min(map(int, found.groups())) < 2:
        raise argparse.ArgumentTypeError(f"{text!r}: must be ROWSxCOLUMNS, like 64x128, each at least 2")
    return int(found[1]), int(found[2])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``immunity``."""
    add = parser.add_argument
    names = list(immunity.sweeps())
    add("--sweep", choices=names, action="append", help="only this one; may be repeated (default: all)")
    add("--chips", type=whole(1, 10_000), metavar="K", help="chips a point (default 20; 4 with --quick)")
    add_network(parser)
    add_data(parser, None, "300; quick 200")
    add("--chip", type=whole(0, 2**63), default=CHIP, metavar="SEED", help="first chip (default %(default)s)")
    add("--tile", type=_tile, default=(64, 128), metavar="RxC", help="conventional tile (default 64x128)")
    add("--quick", action="store_true", help="few points, chips and images")
    add("--jobs", type=whole(1, 256), default=2, metavar="N", help="processes (default %(default)s)")
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--out", type=output_file, metavar="F", help="also draw them, as PNG")


class Source(NamedTuple):
    """Network and images, as the options name them: each process loads them once."""

    preset: str | None
    network: Path | None
    data: Path | None
    labels: Path | None
    binarize: str | None
    images: int


@lru_cache(maxsize=1)
def _data(source: Source) -> tuple[Mapping, np.ndarray, np.ndarray]:
    chosen, network = choose(source.preset, source.network)
    mapping = map_preset(chosen, network)
    data = load_data(source.data, network, labels=source.labels, binarize=source.binarize, most=source.images)
    if data.labels is None:
        raise ValueError(f"{data.name}: holds no labels: accuracies need them")
    return mapping, data.bits(network), data.labels


def _point(sweep: str, value: float, chip: int, source: Source, tile: tuple[int, int]) -> dict[str, float]:
    mapping, bits, labels = _data(source)
    circuits = immunity.sweeps()[sweep][2]
    return immunity.accuracies(mapping, immunity.setting(sweep, value, tile), chip, bits, labels, circuits)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    chips = arguments.chips or (4 if arguments.quick else 20)
    images = arguments.images or (200 if arguments.quick else 300)
    source = Source(
        arguments.preset, arguments.network, arguments.data, arguments.labels, arguments.binarize, images
    )
    mapping, bits, labels = _data(source)
    table = immunity.sweeps(arguments.quick)
    wanted = {name: table[name] for name in table if name in (arguments.sweep or table)}
    work = [
        (name, value, arguments.chip + k)
        for name, (_, values, _) in wanted.items()
        for value in values
        for k in range(chips)
    ]
    found = _evaluate(work, source, arguments.tile, arguments.jobs)
    sweeps: dict[str, Any] = {}
    for name, (label, values, circuits) in wanted.items():
        points = {}
        for circuit in circuits:
            each = [
                [found[name, value, arguments.chip + k][circuit.value] for k in range(chips)]
                for value in values
            ]
            points[circuit.value] = {
                "mean": [float(np.mean(e)) for e in each],
                "std": [float(np.std(e, ddof=min(1, chips - 1))) for e in each],
                "min": [min(e) for e in each],
                "chips": each,
            }
        sweeps[name] = {"axis": label, "values": values, "circuits": points}
    report = ImmunityReport(
        network=mapping.network.name,
        images=len(bits),
        data=arguments.data and str(arguments.data),
        chips=chips,
        first_chip=arguments.chip,
        conventional_tile=list(arguments.tile),
        golden_accuracy=float((Golden(mapping.network)(bits).classes == labels).mean()),
        sweeps=sweeps,
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
        command=told_to(arguments),
    )
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict(), indent=1)
    if arguments.out:
        from bridgebnn.model.studies.immunity_plots import plot_sweeps  # slow to load

        plot_sweeps(report, arguments.out)
    return 0


def _evaluate(
    work: list[tuple[str, float, int]], source: Source, tile: tuple[int, int], jobs: int
) -> dict[tuple[str, float, int], dict[str, float]]:
    """Accuracies by circuit of every (sweep, value, chip), in processes of one thread each."""
    before = {name: os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    os.environ.update(dict.fromkeys(before, "1"))  # read by numpy as the processes start
    found = {}
    context = multiprocessing.get_context("spawn")
    try:
        with shown("immunity") as show, ProcessPoolExecutor(jobs, mp_context=context) as pool:
            waiting = {pool.submit(_point, *item, source, tile): item for item in work}
            try:
                for done in as_completed(waiting):
                    found[waiting[done]] = done.result()
                    counted(show, "chips at points")(len(found), len(work))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return found


def _cell(found: SweepCircuit, point: int) -> str:
    mean, std, low = (100 * found[key][point] for key in ("mean", "std", "min"))
    return f"{mean:.1f} ({std:.1f}; {low:.1f})"


def _show(report: ImmunityReport) -> None:
    console = Console()
    console.width = max(console.width, 110)
    console.print(
        f"{report.network}, {report.images} images, integer reference "
        f"{report.golden_accuracy:.2%}; {report.chips} chips a point from seed {report.first_chip}\n"
        "mean (std; lowest chip) in %",
        highlight=False,
    )
    for name, sweep in report.sweeps.items():
        table = Table(title=f"{name}: {sweep.axis}", box=SIMPLE, title_justify="left")
        table.add_column("value", justify="right")
        circuits = [c.value for c in Circuit if c.value in sweep.circuits]
        for circuit in circuits:
            table.add_column(circuit, justify="right")
        for i, value in enumerate(sweep.values):
            cells = [sweep.circuits[c] for c in circuits]
            table.add_row(f"{value:g}", *(_cell(c, i) for c in cells))
        console.print(table)
