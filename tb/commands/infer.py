"""Program a macro through the generated Verilog, and classify images with it.

Every hidden bit, score and class is compared with golden and with the analog model evaluated alone. Exit
status: 0; 1 when something differs that the macro does not explain (ideal: golden or model, any other: model),
or when the simulation failed; 2 on bad input.

--job takes a whole job from a JSON file (fields: docs/schemas/infer-job.json); options that are given as well
take the place of its fields.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.model.flows.reports import energy_table
from bridgebnn.model.mapping.fit import DEFAULT_PRESET
from bridgebnn.model.options import add_inference, given_macro
from bridgebnn.names import UnknownName
from bridgebnn.progress import shown
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.parts import JOBS, split
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.runs.tables import show_reports
from bridgebnn.tb.simulators import SIMULATORS

FIELDS = {
    "preset": "preset",
    "images": "images",
    "chip": "chip",
    "combine": "combine",
    "network": "network",
    "data": "data",
    "labels": "data_labels",
    "binarize": "binarize",
    "broken_lines": "broken_lines",
    "sim": "sim",
    "attach": "attach",
    "final": "final_mode",
    "program": "program",
    "repair": "repair",
    "trim": "trim",
    "seed": "seed",
    "waves": "waves",
}
"""Field of the job by option."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``infer``."""
    add = parser.add_argument
    add_inference(parser, images=20)
    add("--sim", choices=SIMULATORS, help="simulator (default verilator)")
    add(
        "--attach",
        choices=("strobe", "prefetch"),
        help="how the model sits on the pins: every strobe in Python, or decisions handed to a "
        "simulation-only shell once per vector (default: prefetch, strobe with --waves and --macro spice; same "
        "results)",
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
        "--trim",
        type=whole(1, 10_000),
        metavar="K",
        help="after programming, find the comparators' offsets over the bus by self-tests of K patterns, and take them "
        "back by the reference (docs/offsets.md)",
    )
    add(
        "--jobs",
        type=whole(1, JOBS),
        default=1,
        metavar="N",
        help="simulator processes, each with its share of the images (default %(default)s). Every one programs, or "
        "preloads, the chip for itself; chip, noise and report are those of one process",
    )
    add("--seed", type=whole(0, 2**32 - 1), metavar="S", help="of the testbench (default 1)")
    add(
        "--waves",
        type=output_file,
        metavar="FILE",
        help="write a VCD of pins and analog nodes (few images, please)",
    )
    add("--job", type=Path, metavar="F", help="a job from a JSON file; has its own defaults")
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")
    parser.set_defaults(**dict.fromkeys((*FIELDS, "macro")))  # what is not given leaves the job's default


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    job = job_of(arguments)
    split(
        job, arguments.jobs
    )  # what cannot be, a network that does not fit too, is told before anything is built
    with shown(job.sim, "build") as show:
        report = infer(job, jobs=arguments.jobs, show=show)
    show_reports([report])
    if report.energy is not None:
        Console().print(energy_table(report.energy))
    if arguments.json:
        write_json(arguments.json, report.replace(command=told_to(arguments)).as_dict())
    return 0 if report.ok else 1


def job_of(arguments: argparse.Namespace) -> InferJob:
    """The job that the options ask for."""
    given = {name: value for option, name in FIELDS.items() if (value := getattr(arguments, option))}
    given |= {
        name: getattr(arguments, name) for name in ("chip", "seed") if getattr(arguments, name) is not None
    }
    if (macro := given_macro(arguments)) is not None:
        given["macro"] = macro
    if arguments.job:
        return _from_file(arguments.job, given)
    values: dict[str, Any] = {"images": 20, "sim": "verilator"} | given
    if "network" not in given:
        values.setdefault("preset", DEFAULT_PRESET)
    strobes = "waves" in given or (macro is not None and macro.transistors)
    values.setdefault("attach", "strobe" if strobes else "prefetch")
    values.setdefault("program", "bus" if values["sim"] == "verilator" else "preload")
    return InferJob.from_dict(values)


def _from_file(path: Path, given: dict[str, Any]) -> InferJob:
    try:
        values = json.loads(path.read_text())
        if not isinstance(values, dict):
            raise ValueError(f"a {type(values).__name__}: must be an object of fields by name")
        return InferJob.from_dict(values | given)
    except UnknownName as error:
        raise UnknownName(f"{path}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
