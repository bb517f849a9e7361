"""Program a modelled chip and show it: attempts and failures per cell, resistances, predicted cell errors.

Pulse and cycle counts are printed beside the least that the devices' own draws imply.

Exit status: 0; 2 on bad input. Devices that fail are results, not errors.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from rich.console import Console

from bridgebnn.command_line import output_folder, told_to
from bridgebnn.model.devices.device import DeviceParams
from bridgebnn.model.flows.work import work_of
from bridgebnn.model.options import add_work
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.chip_map import program_and_map
from bridgebnn.model.studies.reports import MapReport
from bridgebnn.progress import counted, shown
from bridgebnn.versions import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``program-map``."""
    add = parser.add_argument
    add_work(parser)
    add("--devices", choices=("ideal", "real", "group"), default="real", help="default %(default)s")
    add(
        "--out",
        type=output_folder,
        default=Path("build/program-map"),
        metavar="DIR",
        help="default %(default)s",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    params = macro_of(arguments.devices)
    work = work_of(arguments.preset, arguments.random, arguments.chip, arguments.network)
    with shown("model") as show:
        found, _ = program_and_map(work, params, arguments.chip, counted(show, "programming"))
    report = MapReport(
        **found.summary.replace(command=told_to(arguments)),
        wall_s=time.perf_counter() - start_s,
        versions=versions(),
    )
    found = dataclasses.replace(found, summary=report)
    found.save(arguments.out)
    console = Console()
    console.print(found.table())
    console.print(f"map.png, resistances.png and program-map.json in {arguments.out}", highlight=False)
    return 0


def macro_of(devices: str) -> MacroParams:
    """The macro with a named set of devices: ``ideal``, ``real`` or ``group``."""
    base = MacroParams.ideal() if devices == "ideal" else MacroParams.real()
    return dataclasses.replace(base, name=devices, device=getattr(DeviceParams, devices)())
