"""Measure simulators and attachments against the same RTL with the comparator tied off, and the models.

Rates of the simulators are row reads and clock cycles a second while inferring, by processor time, so that
other work on the machine counts little; wall-clock rates and every repeat are in the JSON beside them. The
baseline is the bare controller with the comparator tied off and nothing checked; what stands against it is the
shell, the physics, the monitors and the scoreboard together. A comparator that is tied off also leaves the
controller idle, as all hidden bits are equal, which an event-driven simulator shows; the second baseline gives a
fixed pattern instead.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.hdl.spec import PRESETS, Geometry, preset
from bridgebnn.model.flows import inference, programming
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import map_preset
from bridgebnn.model.networks.dataset import load_mnist_test
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.montecarlo import Condition, Plan, evaluate, products_s
from bridgebnn.paths import build_root, network_file
from bridgebnn.progress import shown
from bridgebnn.tb.campaign.networks import random_dense
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.runs.summaries import BenchProgramming, BenchReport, BenchRun
from bridgebnn.tb.simulators import SIMULATORS

BASE = ("", "tied off, bare")
PATTERN = ("", "pattern, in shell")
RUNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (*BASE, {"attach": "none"}),
    ("", "tied off, in shell", {"attach": "none", "tied": 1}),
    (*PATTERN, {"attach": "none", "tied": 2}),
    ("ideal", "prefetch", {"attach": "prefetch"}),
    ("real", "prefetch", {"attach": "prefetch"}),
    ("ideal", "strobe", {"attach": "strobe"}),
    ("real", "strobe", {"attach": "strobe"}),
)
"""Macro, name and fields of `bridgebnn.tb.runs.jobs.InferJob`."""
LIMIT = 0.25
CHIPS = {
    "published": "published:clock=8",
    "published_cell_errors": "published:clock=8,cell-errors=0.01",
    "conventional": "conventional",
    "bridge": "bridge",
    "real": "array:macro=real",
}
"""Conditions of Monte Carlo by what the report calls them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench``."""
    add = parser.add_argument
    add("--preset", default="mnist", metavar="P", help=f"one of {', '.join(PRESETS)} (default %(default)s)")
    add("--verilator-images", type=whole(1, 10_000), default=200, metavar="K", help="default %(default)s")
    add("--icarus-images", type=whole(1, 100), default=6, metavar="K", help="default %(default)s")
    add("--repeat", type=whole(1, 20), default=5, metavar="N", help="runs (default %(default)s)")
    default = build_root() / "bench.json"
    add("--json", type=output_file, default=default, metavar="F", help="(default build/bench.json)")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status, 1 when the prefetched physics costs more than a quarter on Verilator."""
    chosen = preset(arguments.preset)
    images, _ = load_mnist_test()
    counts = {"verilator": arguments.verilator_images, "icarus": arguments.icarus_images}
    runs: list[BenchRun] = []
    for sim in SIMULATORS:
        runs += _simulator(chosen, sim, images[: counts[sim]], arguments.repeat)
    worst = max(r.cost for r in runs if r.sim == "verilator" and r.attach == "prefetch")
    report = BenchReport(
        preset=chosen.name,
        cores=os.cpu_count(),
        simulators=runs,
        programming=_programming(arguments.repeat),
        model=_models(chosen, images) | _chips(chosen, images[:1000]),
        prefetch_cost=worst,
        prefetch_cost_limit=LIMIT,
        command=told_to(arguments),
    )
    _show(report)
    write_json(arguments.json, report.as_dict())
    return int(worst > LIMIT)


def _simulator(chosen: Any, sim: str, images: np.ndarray, repeat: int) -> list[BenchRun]:
    """The runs, interleaved so that a busy moment does not hit one alone; the best of the repeats counts."""
    best: dict[tuple[str, str], RunReport] = {}
    times: dict[tuple[str, str], list[float]] = {(macro, name): [] for macro, name, _ in RUNS}
    with shown(sim, "build") as show:
        for _ in range(repeat if sim == "verilator" else -(-repeat // 2)):  # Icarus is slow
            for macro, name, options in RUNS:
                options = {"sim": sim, "macro": macro or "ideal", "program": "preload", **options}
                few = -(-len(images) // 10) if name == "strobe" else len(images)  # it is ten times slower
                got = infer(InferJob(preset=chosen.name, images=images[:few], **options), show=show)
                times[macro, name].append(got.cpu_s / few)
                if got.cpu_s / few == min(times[macro, name]):
                    best[macro, name] = got
    base, pattern = min(times[BASE]), min(times[PATTERN])
    return [
        BenchRun(
            sim=sim,
            macro=macro,
            attach=name,
            images=got.images,
            cycles_per_s=round(got.cycles / got.cpu_s, 1),
            row_reads_per_s=round(got.row_reads / got.cpu_s, 1),
            cycles_per_wall_s=got.cycles_per_s,
            row_reads_per_wall_s=got.row_reads_per_s,
            cpu_s=got.cpu_s,
            wall_s=got.wall_s,
            cost=round(min(times[macro, name]) / base - 1, 4),
            cost_over_pattern=round(min(times[macro, name]) / pattern - 1, 4),
            cpu_s_per_image=[round(seconds, 6) for seconds in times[macro, name]],
            build_s=got.build_s,
        )
        for (macro, name), got in best.items()
    ]


def _programming(repeat: int) -> BenchProgramming:
    """990 rows of 35 tiles of 25 columns, as the published silicon has them, with random weights."""
    rng = np.random.default_rng(1)
    network = Network(
        name="random", operations=(random_dense(rng, 784, 28), random_dense(rng, 28, 5, last=True))
    )
    geometry = Geometry(tiles=35, rows=33, inputs=23, bias=2, thresholds=64)
    images = rng.integers(0, 2, (2, 784), dtype=np.uint8)
    job = InferJob(
        network=network, geometry=geometry, images=images, sim="verilator", macro=MacroParams.real()
    )
    mapping, over_bus, alone = job.mapping, [], []
    with shown("verilator", "build") as show:
        for _ in range(repeat):
            seen = infer(job, show=show).programming
            over_bus.append(seen.cpu_s)
            array = Array(geometry, job.macro.at_timing(job.timing), job.chip)
            start = time.process_time()
            programming.program(array, mapping.images, mapping.masks, job.timing)
            alone.append(round(time.process_time() - start, 3))
    return BenchProgramming(
        rows=int(mapping.masks.any(axis=2).sum()),
        pulses=seen.pulses,
        verify_reads=seen.verify_reads,
        cycles=seen.cycles,
        cpu_s=min(over_bus),
        physics_s=min(alone),
        cpu_s_each=over_bus,
        physics_s_each=alone,
    )


def _best(function: Any, repeat: int = 5) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _models(chosen: Any, images: np.ndarray) -> dict[str, Any]:
    """Images a second: golden, float32 matrix products of the same sizes, and the analog model."""
    mapping = map_preset(chosen, Network.load(network_file(chosen.network)))
    golden = Golden(mapping.network)
    weights = [layer.weights.T.astype(np.float32) for layer in mapping.network.layers]
    signs = (2.0 * images - 1).astype(np.float32)

    def floats() -> None:
        for start in range(0, len(signs), 1000):
            x = signs[start : start + 1000]
            for matrix in weights:
                x = np.sign(x @ matrix)

    result = {
        "golden_images_per_s": round(len(images) / _best(lambda: golden(images), 3), 1),
        "float32_images_per_s": round(len(images) / _best(floats, 3), 1),
    }
    result["golden_over_float32"] = round(result["golden_images_per_s"] / result["float32_images_per_s"], 3)
    for macro in ("ideal", "real"):
        array = Array(mapping.geometry, MacroParams.named(macro), 1)
        inference.load(mapping, array)
        sample = images[:1000]
        inference.run(mapping, array, sample[:10])
        seconds = _best(lambda array=array, sample=sample: inference.run(mapping, array, sample), 2)
        result[f"model_{macro}_images_per_s"] = round(len(sample) / seconds, 1)
    return result


def _chips(chosen: Any, images: np.ndarray) -> dict[str, float]:
    """Processor time of a chip of Monte Carlo over that of its float32 matrix products, by condition."""
    mapping = map_preset(chosen, Network.load(network_file(chosen.network)))
    plan = Plan(
        network=mapping.network,
        geometry=chosen.geometry,
        combine=chosen.combine,
        final_mode=chosen.final_mode,
        images=np.packbits(images, axis=1),
        labels=np.zeros(len(images), np.int64),
        conditions=tuple(map(Condition.parse, CHIPS.values())),
    )
    evaluate(plan, 0, range(1))  # what is made once in a process
    spent = [evaluate(plan, 0, range(chip, chip + 1)).seconds for chip in (1, 2, 3)]
    products = products_s(plan)
    best = np.min(spent, axis=0)
    return {
        f"chip_{name}_over_products": round(float(b / products), 2)
        for name, b in zip(CHIPS, best, strict=True)
    }


def _show(report: BenchReport) -> None:
    console = Console()
    table = Table(title=f"preset {report.preset}, by processor time", box=SIMPLE)
    for name in (
        "simulator",
        "macro",
        "attachment",
        "images",
        "cycles/s",
        "row reads/s",
        "against tied off",
        "against pattern",
    ):
        table.add_column(name, justify="left" if name in ("simulator", "macro", "attachment") else "right")
    for r in report.simulators:
        figures = [f"{r.cycles_per_s:,.0f}", f"{r.row_reads_per_s:,.0f}"]
        figures += [f"{r.cost:+.1%}", f"{r.cost_over_pattern:+.1%}"]
        table.add_row(r.sim, r.macro, r.attach, str(r.images), *figures)
    console.print(table)
    if (done := report.programming) is not None:
        console.print(
            f"programming over the bus, prefetch, Verilator: {done.rows:,} rows, {done.pulses:,} pulses, "
            f"{done.verify_reads:,} verify reads, {done.cycles:,} cycles in {done.cpu_s:.2f} s "
            f"({done.cycles / max(done.cpu_s, 1e-9):,.0f} cycles/s); the same on the model alone {done.physics_s:.2f} s"
        )
    models = Table(box=SIMPLE, show_header=False)
    models.add_column()
    models.add_column(justify="right")
    for name, value in report.model.items():
        text = f"{value:.2f}" if "_over_" in name else f"{value:,.0f}"
        models.add_row(name.replace("_", " ").replace("per s", "a second"), text)
    console.print(models)
