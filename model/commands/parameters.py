"""Print every parameter of the macro with default, unit, legal range, provenance and meaning; or write a file to edit.

Marks: [pub] published by the authors of the circuit, [data] from their error tables, [std] established,
[ours] our choice. The file is what ``--macro-params`` reads, of ``infer`` here
and of ``bridgebnn tb infer``.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, write_json
from bridgebnn.model.macro.energy import EnergyParams
from bridgebnn.model.macro.select_transistor import SelectTransistorParams
from bridgebnn.model.parameters.device_params import DeviceParams
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from bridgebnn.model.studies.current_mode import CurrentParams

_KINDS = (BridgeParams, NeuronParams, DeviceParams, SelectTransistorParams, CurrentParams, EnergyParams)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``parameters``."""
    add = parser.add_argument
    sets = ("ideal", "real", "published-like")
    add("--macro", choices=sets, default="real", help="set to write (default %(default)s)")
    add("--json", type=output_file, metavar="F", help="write this set as JSON instead of printing the tables")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    if arguments.json:
        write_json(arguments.json, MacroParams.named(arguments.macro).as_dict())
        return 0
    console = Console()
    console.width = max(console.width, 150)
    for kind in _KINDS:
        table = Table(title=kind.__name__, box=SIMPLE, title_justify="left")
        for name in ("parameter", "default", "unit", "legal", "what"):
            table.add_column(name, justify="right" if name == "default" else "left")
        for name, default, unit, about in kind.describe():
            number = not isinstance(default, (str, bool))
            shown = f"{default:g}" if number else str(default).lower()
            table.add_row(name, shown, unit, kind.legal(name), about.replace("[", "\\["))
        console.print(table)
    return 0
