"""Synthesise the controller, and run the testbenches on its netlist in the place of the Verilog.

The netlist is of OSU 0.18 (Debian's qflow-tech-osu018), flat, memories as flip-flops; on Icarus Verilog every flip-flop
starts unknown. On it run the register walk, programming and inference with the macro attached, and bad input and bad
hardware. Exit status: 0; 1 when a testbench does not pass; 2 on bad input.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, write_json
from bridgebnn.model.mapping.fit import DEFAULT_PRESET
from bridgebnn.model.options import add_inference, given_macro
from bridgebnn.progress import shown
from bridgebnn.synthesis import flip_flops
from bridgebnn.tb.runs.gates import PARTS, GateReport, check_netlist
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.netlists import netlist
from bridgebnn.tb.simulators import SIMULATORS

__all__ = ["add_arguments", "run"]

FIELDS = {name: name for name in ("preset", "images", "chip", "combine", "network", "data", "binarize")}
FIELDS["labels"] = "data_labels"
"""Field of the job by option."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``gates``."""
    add = parser.add_argument
    add_inference(parser, images=3)
    add("--sim", choices=SIMULATORS, default="icarus", help="simulator (default %(default)s)")
    add(
        "--attach",
        choices=("strobe", "prefetch"),
        default="prefetch",
        help="how the macro sits on the pins (default %(default)s)",
    )
    add(
        "--program",
        choices=("bus", "preload"),
        default="preload",
        help="how the weights get into the macro for the inference (default %(default)s)",
    )
    add(
        "--only",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        metavar="T",
        help=f"some of {', '.join(PARTS)}",
    )
    add(
        "--netlist",
        type=Path,
        metavar="FILE",
        help="this Verilog instead: module bridgebnn of the same geometry, with models of its cells",
    )
    add("--out", type=output_file, metavar="FILE", help="keep the netlist that was synthesised")
    add("--json", type=output_file, metavar="FILE", help="also write the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    given = {
        name: value for option, name in FIELDS.items() if (value := getattr(arguments, option)) is not None
    }
    if (macro := given_macro(arguments)) is not None:
        given["macro"] = macro
    if "network" not in given:
        given.setdefault("preset", DEFAULT_PRESET)
    options = {name: getattr(arguments, name) for name in ("sim", "attach", "program")}
    job = InferJob.from_dict({"images": 3} | given | options)
    if arguments.netlist and arguments.out:
        raise ValueError("--out: keeps what is synthesised, and with --netlist nothing is")
    if arguments.netlist and not arguments.netlist.is_file():
        raise ValueError(f"{arguments.netlist}: no such file")
    report = GateReport(sim=job.sim, network=job.network.name, runs=(), command=told_to(arguments))
    with shown(job.sim, "synthesis") as show:
        show({"stage": "synthesis", "done": 0, "total": 1})
        if (verilog := arguments.netlist) is None:
            made = netlist(job.geometry, job.timing)
            verilog = made.verilog[job.sim]
            report = report.replace(
                cells=sum(made.cells.values()),
                flip_flops=flip_flops(made.cells),
                area_mm2=round(made.area_mm2, 3),
            )
        if arguments.out:
            shutil.copyfile(verilog, arguments.out)
        report = report.replace(runs=check_netlist(job, verilog, arguments.only, show=show))
    _print(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    return 0 if report.passed else 1


def _print(report: GateReport) -> None:
    title = f"{report.network} on {report.sim}"
    if report.cells is not None:
        title += f": {report.cells:,} cells, {report.flip_flops:,} of them flip-flops, {report.area_mm2} mm2"
    table = Table("testbench", "result", "found", title=title, box=SIMPLE)
    table.add_column("s", justify="right")
    for row in report.runs:
        table.add_row(row.name, "passed" if row.passed else "FAILED", row.found, f"{row.wall_s:.0f}")
    Console().print(table)
