"""One network on many chips, under several conditions; results stream to disk, and a killed run goes on.

A chip is its seed: `--chip S --chips N` are the seeds S to S+N-1, and `--replay CHIP` evaluates one of them alone,
compares it with what the run stored, and prints the command that puts it on the RTL. `--energy` counts what an
inference costs on each chip, as `bridgebnn model infer` does.

Conditions are CIRCUIT or CIRCUIT:OPTION=VALUE,...

  array:macro=real            bridges of this project's physics (ideal, real, or a .json file)
  published:clock=8,cell-errors=0.01      the authors' statistics
  bridge, no-buffer, single-ended, 1T1R-cell, conventional      circuits of the immunity study, each with at
                              most one of spread=, wire=, supply=, plates= (bridgebnn model immunity)

Exit status: 0; 1 when a replayed chip differs from what was stored; 2 on bad input.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, output_folder, told_to, whole, write_json
from bridgebnn.model.macro.events import Events
from bridgebnn.model.mapping.fit import choose
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.options import SEEDS, add_backend, add_chip, add_data, add_network, given_data
from bridgebnn.model.studies.montecarlo import Condition, Plan, evaluate, products_s
from bridgebnn.model.studies.montecarlo_report import (
    ChipEnergy,
    MonteCarloReport,
    energy_of_chips,
    summarised,
)
from bridgebnn.model.studies.montecarlo_runs import LOCAL, Outcome, Run, executor
from bridgebnn.progress import shown
from bridgebnn.versions import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``montecarlo``."""
    add = parser.add_argument
    add_network(parser)
    add_data(parser, 1000)
    add(
        "--condition",
        action="append",
        metavar="C",
        help="may be repeated; see above (default array:macro=real)",
    )
    add_chip(parser)
    add("--chips", type=whole(1, 1_000_000), default=100, metavar="N", help="how many (default %(default)s)")
    add(
        "--part", type=whole(1, 10_000), default=10, metavar="K", help="chips of a file (default %(default)s)"
    )
    add(
        "--out",
        type=output_folder,
        default=Path("build/montecarlo"),
        metavar="DIR",
        help="folder of the run; one that holds a part of this run is completed (default %(default)s)",
    )
    add(
        "--energy",
        action="store_true",
        help="count what inferences cost on each chip, too, and price it by part (array and published; docs/energy.md)",
    )
    add("--jobs", type=whole(1, 256), default=2, metavar="N", help="processes (default %(default)s)")
    add(
        "--scheduler",
        metavar="ADDRESS",
        help=f"a Dask scheduler instead, like tcp://host:8786; {LOCAL}: start one with --jobs workers",
    )
    add(
        "--replay",
        type=whole(0, SEEDS),
        metavar="CHIP",
        help="evaluate this chip of the run alone",
    )
    add_backend(parser)
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    chosen, network = choose(arguments.preset, arguments.network)
    data = given_data(arguments, network)
    labels = data.needed_labels()
    names = list(dict.fromkeys(arguments.condition or ["array:macro=real"]))
    bits = data.bits(network)
    plan = Plan(
        network=network,
        geometry=chosen.geometry,
        combine=chosen.combine,
        final_mode=chosen.final_mode,
        images=np.packbits(bits, axis=1),
        labels=labels,
        conditions=tuple(Condition.parse(name) for name in names),
        energy=arguments.energy,
        timing=chosen.timing,
        backend=arguments.backend,
    )
    map_network(
        network, plan.geometry, combine=plan.combine, final_mode=plan.final_mode
    )  # fits, or ends here
    about: dict[str, Any] = {
        "network": network.name,
        "preset": chosen.name,
        "data": data.name,
        "images": len(bits),
    }
    if arguments.replay is not None:
        return _replay(arguments, plan, about)
    todo = Run(
        arguments.out,
        plan,
        first=arguments.chip,
        chips=arguments.chips,
        part=arguments.part,
        about=about,
    )
    with shown("montecarlo") as show, executor(arguments.jobs, arguments.scheduler) as pool:

        def progress(done: int, total: int, remaining_s: float | None) -> None:
            show({"stage": "chips", "done": done, "total": total, "remaining_s": remaining_s})

        outcome = todo.complete(pool, arguments.jobs, progress)
    report = MonteCarloReport(
        **about,
        golden_accuracy=float((Golden(network)(bits).classes == labels).mean()),
        first_chip=arguments.chip,
        chips=arguments.chips,
        kept_chips=outcome.kept,
        conditions=_results(plan, outcome),
        products_s=products_s(plan),
        executor=arguments.scheduler or ("serial" if arguments.jobs == 1 else f"{arguments.jobs} processes"),
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
        command=told_to(arguments),
    )
    _show(report, arguments.out)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    return 0


def _results(plan: Plan, outcome: Outcome) -> list[Any]:
    new = len(outcome.chips) - outcome.kept
    return [
        summarised(
            condition.name,
            outcome.right[c],
            len(plan.labels),
            outcome.chips,
            outcome.seconds[c] / new if new else None,
        ).replace(energy=_energy(plan, condition, outcome.events[c], outcome.chips) if plan.energy else None)
        for c, condition in enumerate(plan.conditions)
    ]


def _energy(
    plan: Plan, condition: Condition, events: list[Events | None], chips: np.ndarray
) -> ChipEnergy | None:
    """Of the chips of one condition; None where nothing was counted."""
    counted = [e for e in events if e is not None]
    if condition.macro is None or not counted:
        return None
    return energy_of_chips(
        counted, condition.macro, plan.geometry, plan.timing, images=len(plan.labels), chips=chips
    )


def _replay(arguments: argparse.Namespace, plan: Plan, about: dict[str, Any]) -> int:
    """One chip alone; compared with the run where that has it already."""
    chip, first = arguments.replay, arguments.chip
    if not first <= chip < first + arguments.chips:
        raise ValueError(
            f"--replay {chip}: must be from {first} to {first + arguments.chips - 1}, the chips of the run"
        )
    alone = evaluate(plan, 0, range(chip, chip + 1))
    stored, stored_events = None, list[Events | None]()
    if (arguments.out / "manifest.json").exists():
        kept = Run(arguments.out, plan, first=first, chips=arguments.chips, part=arguments.part, about=about)
        number = (chip - first) // arguments.part
        if kept.path(number).exists():
            part, at = kept.load(number), (chip - first) % arguments.part
            stored, stored_events = part.classes[:, at], [by_chip[at] for by_chip in part.events]
    found, events = _answers(alone.content)
    console, different = Console(soft_wrap=True), 0
    for c, condition in enumerate(plan.conditions):
        accuracy = float((found[c] == plan.labels).mean())
        line = f"chip {chip}, {condition.name}: accuracy {accuracy:.2%}"
        if stored is not None:
            differ = int((stored[c] != found[c]).sum())
            different += differ
            line += f", {differ} of {len(found[c])} images differ from the run"
        if events and (energy := _energy(plan, condition, events[c], np.array([chip]))) is not None:
            line += f", {energy.mean_J * 1e9:,.3f} nJ an inference"
            if stored is not None and stored_events[c] != events[c][0]:
                different += 1
                line += ", which differs from the run"
        console.print(line, highlight=False)
        if options := condition.on_rtl:
            where = [] if arguments.network is None else ["--network", str(arguments.network)]
            where += [] if arguments.preset is None else ["--preset", arguments.preset]
            command = ["bridgebnn", "tb", "infer", *where, *options, "--chip", str(chip)]
            command += ["--images", str(len(plan.labels)), "--program", "preload"]
            console.print(f"  on the RTL: {shlex.join(command)}", highlight=False)
    return int(different > 0)


def _answers(content: bytes) -> tuple[np.ndarray, list[list[Events | None]]]:
    """Classes (conditions, images) of a part of one chip, and what they cost by condition, where that was counted."""
    with np.load(io.BytesIO(content), allow_pickle=False) as entries:
        events = json.loads(str(entries["events"])) if "events" in entries else []
        return entries["classes"][:, 0], [[e and Events.from_dict(e) for e in by_chip] for by_chip in events]


def _show(report: MonteCarloReport, folder: Path) -> None:
    console = Console()
    console.width = max(console.width, 110)
    console.print(
        f"{report.network}, {report.images:,} images, without errors {report.golden_accuracy:.2%}; {report.chips:,} "
        f"chips from seed {report.first_chip}, {report.kept_chips:,} of them done before; {folder}",
        highlight=False,
    )
    table = Table(title="accuracy of the chips in %", box=SIMPLE, title_justify="left")
    table.add_column("condition")
    for name in ("mean", "std", "least", "5 %", "median", "95 %", "worst chip", "s/chip", "of products"):
        table.add_column(name, justify="right")
    for c in report.conditions:
        spent = c.seconds_per_chip
        table.add_row(
            c.name,
            *(f"{100 * value:.2f}" for value in (c.mean, c.std, c.low, c.p05, c.p50, c.p95)),
            str(c.worst_chip),
            "-" if spent is None else f"{spent:.3f}",
            "-" if spent is None or not report.products_s else f"{spent / report.products_s:.1f}x",
        )
    console.print(table)
    if any(c.energy for c in report.conditions):
        console.print(_energy_table(report))
    console.print(
        f"{report.wall_s:.1f} s with {report.executor}; float32 products of one chip {report.products_s:.4f} s",
        highlight=False,
    )


def _energy_table(report: MonteCarloReport) -> Table:
    """Energy of an inference over the chips."""
    table = Table(title="energy of an inference in nJ", box=SIMPLE, title_justify="left")
    table.add_column("condition", no_wrap=True)
    for name in ("mean", "std", "median", "most", "dearest chip", "macro", "fJ/operation", "TOPS/W"):
        table.add_column(name, justify="right")
    for c in report.conditions:
        if (e := c.energy) is None:
            continue
        joules = (e.mean_J, e.std_J, e.p50_J, e.high_J)
        table.add_row(
            c.name,
            *(f"{1e9 * value:,.3f}" for value in joules),
            str(e.dearest_chip),
            f"{1e9 * e.parts.macro_J:,.3f}",
            f"{1e15 * e.per_operation_J:.1f}",
            f"{e.tops_per_w:.2f}",
        )
    return table
