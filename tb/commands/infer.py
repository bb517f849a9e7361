"""Program a macro through the generated Verilog, and classify test images with it.

Every hidden bit, score and class is compared with golden and with the analog model evaluated alone. Exit
status: 0; 1 when something differs that the macro does not explain (ideal: golden or model, any other: model),
or when the simulation failed; 2 on bad input.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, whole, write_json
from bridgebnn.hdl.spec import Combine, ReadMode, preset
from bridgebnn.model.commands._options import add_inference
from bridgebnn.model.networks.dataset import load_mnist_test
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.paths import network_file
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.simulators.simulators import SIMULATORS

from . import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``infer``."""
    add = parser.add_argument
    add_inference(parser, images=20)
    add("--sim", choices=SIMULATORS, default="verilator", help="simulator (default %(default)s)")
    add(
        "--attach",
        choices=("strobe", "prefetch"),
        help="how the model sits on the pins: every strobe in Python, or decisions handed to a "
        "simulation-only shell once a vector (default: prefetch, strobe with --waves; same results)",
    )
    add("--final", choices=("count", "search"), help="read mode of the scores (default: the preset's)")
    add(
        "--program",
        choices=("bus", "preload"),
        help="pulses over the bus from an unformed array, or states written directly (default: bus on "
        "Verilator; preload on Icarus, where the pulses of a large preset take very long)",
    )
    add(
        "--repair",
        action="store_true",
        help="let spares stand in for broken lines and place neurons around stuck devices, then program again",
    )
    add(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=1,
        metavar="S",
        help="of the testbench (default %(default)s)",
    )
    add(
        "--waves",
        type=output_file,
        metavar="FILE",
        help="write a VCD of pins and analog nodes (few images, please)",
    )
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    chosen = preset(arguments.preset)
    given = arguments.macro_params
    params = MacroParams.load(given) if given else MacroParams.named(arguments.macro)
    images, labels = load_mnist_test()
    with shown(arguments.sim) as show:
        report = infer(
            arguments.network or network_file(chosen.network),
            chosen.geometry,
            images[: arguments.images],
            labels=labels[: arguments.images].tolist(),
            timing=chosen.timing,
            combine=Combine[arguments.combine.upper()] if arguments.combine else chosen.combine,
            final_mode=ReadMode[arguments.final.upper()] if arguments.final else chosen.final_mode,
            sim=arguments.sim,
            attach=arguments.attach or ("strobe" if arguments.waves else "prefetch"),
            macro=params,
            chip=arguments.chip,
            program=arguments.program or ("bus" if arguments.sim == "verilator" else "preload"),
            seed=arguments.seed,
            repair=arguments.repair,
            broken_lines=arguments.broken_lines,
            waves=arguments.waves,
            show=show,
        )
    report = {"preset": chosen.name, **report}
    if arguments.waves:
        report["waves"] = str(arguments.waves)
    report["ok"] = verdict(report)
    table([report])
    if arguments.json:
        write_json(arguments.json, report)
    return 0 if report["ok"] else 1


def verdict(report: dict[str, Any]) -> bool:
    """Whether everything is as the chosen macro explains it."""
    golden = not report["ideal"] or report["golden_mismatches"] == 0
    return golden and report["model_mismatches"] == 0


def table(reports: list[dict[str, Any]]) -> None:
    """Print results side by side."""
    shown_table = Table(box=SIMPLE, show_header=False, padding=(0, 1, 0, 0))
    shown_table.add_column()
    for _ in reports:
        shown_table.add_column(justify="right")

    def row(title: str, text: Any) -> None:
        shown_table.add_row(title, *(str(text(r)) for r in reports))

    row("simulator", lambda r: r["sim"])
    row("preset, macro, chip", lambda r: f"{r['preset']}, {r['macro']}, {r['seed']}")
    row("attachment", lambda r: r["attach"])
    row("images", lambda r: f"{r['images']:,}")
    row("accuracy", lambda r: f"{r['accuracy']:.2%}")
    if not all(r["ideal"] for r in reports):
        row("accuracy of golden", lambda r: f"{r['golden_accuracy']:.2%}")
    row("mismatches against golden", lambda r: f"{r['golden_mismatches']:,}")
    row("mismatches against the model", lambda r: f"{r['model_mismatches']:,}")
    row("programmed by", lambda r: r["programming"]["how"])
    row("programming pulses", lambda r: f"{r['programming']['pulses']:,}")
    row("verify reads", lambda r: f"{r['programming']['verify_reads']:,}")
    row("devices that failed", lambda r: f"{r['programming']['failures']:,}")
    if any("repair" in r["programming"] for r in reports):
        row("spare columns, rows in use", lambda r: _spares(r["programming"].get("repair")))
        row("neurons moved, cells still wrong", lambda r: _moved(r["programming"].get("repair")))
    row("cycles of programming", lambda r: f"{r['programming']['cycles']:,}")
    row("cycles an image", lambda r: f"{r['cycles_per_image']:,}")
    row("row reads", lambda r: f"{r['row_reads']:,}")
    row("clock cycles a second", lambda r: f"{r['cycles_per_s']:,.0f}")
    row(
        "build, program, infer",
        lambda r: f"{r['build_s']:.1f}, {r['programming']['wall_s']:.1f}, {r['wall_s']:.1f} s",
    )
    Console().print(shown_table)


def _spares(repair: dict[str, Any] | None) -> str:
    return "-" if repair is None else f"{len(repair['columns'])}, {len(repair['rows'])}"


def _moved(repair: dict[str, Any] | None) -> str:
    return "-" if repair is None else f"{repair['moved_neurons']}, {repair['wrong_cells']}"
