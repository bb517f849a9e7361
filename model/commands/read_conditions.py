"""Map the cell error rate over read voltage, word line and time, and name where reading is safe.

For programmed populations: ``verified`` (program-and-verify with the reset values) and the four one-pulse
strengths of ``program-conditions``. Cells with a stuck device count unless ``--without-stuck`` is given.

Exit status: 0; 1 when no read condition is safe for the first population; 2 on bad input.
"""

from __future__ import annotations

import argparse
import itertools
import time
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.hdl.spec import Timing
from bridgebnn.model.options import add_chip
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.read_conditions import Grid, Limits, ReadMap, populations, read_map
from bridgebnn.model.studies.reports import PopulationMap, ReadConditionsReport, Region
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number above 0")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``read-conditions``."""
    add = parser.add_argument
    add(
        "--population",
        action="append",
        metavar="P",
        help="verified, strongest, strong, weak or weakest; may be repeated (default: verified and weakest)",
    )
    add(
        "--cells", type=whole(1, 1_000_000), default=13_800, metavar="K", help="bridges (default %(default)s)"
    )
    add_chip(parser)
    add(
        "--max-error", type=_positive, default=1e-3, metavar="P", help="cell error rate (default %(default)s)"
    )
    add(
        "--max-fall",
        type=_positive,
        default=0.1,
        metavar="X",
        help="fall of ln R of the HRS over the reads (default %(default)s)",
    )
    add(
        "--reads",
        type=whole(1, 10**15),
        default=1_000_000,
        metavar="K",
        help="reads between two refreshes (default %(default)s)",
    )
    add("--without-stuck", action="store_true", help="leave out cells with a stuck device")
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    add("--out", type=output_file, metavar="F", help="also draw them, as PNG")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    params, timing, grid = MacroParams.real(), Timing(), Grid()
    limits = Limits(max_error=arguments.max_error, max_fall=arguments.max_fall, reads=arguments.reads)
    names = arguments.population or ["verified", "weakest"]
    maps = []
    with shown("model") as show:
        for population in populations(names, arguments.cells, params, timing, arguments.chip):
            steps = itertools.count(1)
            total = grid.shape[0] * grid.shape[1]
            maps.append(
                read_map(
                    population,
                    grid,
                    limits,
                    params,
                    arguments.chip,
                    without_stuck=arguments.without_stuck,
                    progress=lambda stage=population.name, steps=steps, total=total: counted(show, stage)(
                        next(steps), total
                    ),
                )
            )
    _show(maps, grid, limits, arguments.chip)
    report = ReadConditionsReport(
        chip=arguments.chip,
        grid=grid,
        limits=limits,
        without_stuck=arguments.without_stuck,
        fall=maps[0].fall.tolist(),
        populations={
            m.name: PopulationMap(
                cells=m.cells, region=_region(m, grid), errors=m.errors.tolist(), safe=m.safe.tolist()
            )
            for m in maps
        },
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
        command=told_to(arguments),
    )
    if arguments.json:
        write_json(arguments.json, report.as_dict(), indent=1)
    if arguments.out:
        from bridgebnn.model.studies.read_plots import plot_maps  # slow to load

        plot_maps(maps, grid, limits, arguments.out)
    return int(maps[0].region(grid) is None)


def _region(found: ReadMap, grid: Grid) -> Region | None:
    box = found.region(grid)
    return None if box is None else Region(**box)


def _show(maps: list[ReadMap], grid: Grid, limits: Limits, seed: int) -> None:
    console = Console()
    console.width = max(console.width, 110)
    longest = f"{grid.read_s[-1] * 1e9:g} ns"
    for found in maps:
        title = f"{found.name}, {found.cells:,} cells, chip {seed}: error rate at {longest}; * safe"
        table = Table(title=title, box=SIMPLE)
        table.add_column("read (V)", justify="right")
        for v_wl in grid.v_wl_V:
            table.add_column(f"WL {v_wl:g} V", justify="right")
        table.add_column(f"fall of ln HRS, {limits.reads:.0e} reads", justify="right")
        for i, v_read in enumerate(grid.v_read_V):
            rates = zip(found.errors[i, :, -1], found.safe[i, :, -1], strict=True)
            table.add_row(
                f"{v_read:g}", *(f"{r:.1e}{'*' if s else ' '}" for r, s in rates), f"{found.fall[i]:.1e}"
            )
        console.print(table)
        console.print(_sentence(found.region(grid), limits), highlight=False)
        slow = [f"{t * 1e9:g} ns: {_worst(found, k):.1e}" for k, t in enumerate(grid.read_s)]
        console.print(f"lowest error rate by time: {', '.join(slow)}\n", highlight=False)


def _worst(found: ReadMap, k: int) -> float:
    return float(np.min(found.errors[:, :, k]))


def _sentence(region: dict[str, Any] | None, limits: Limits) -> str:
    bounds = f"error below {limits.max_error:g}, ln HRS falls less than {limits.max_fall:g}"
    if region is None:
        return f"no safe read condition ({bounds})"
    (a, b), (c, d) = region["v_read_V"], region["v_wl_V"]
    return (
        f"safe ({bounds}): read {a:g}-{b:g} V with WL {c:g}-{d:g} V, from {region['read_s'] * 1e9:g} ns "
        f"({region['points']} grid points)"
    )
