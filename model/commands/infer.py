"""Program a modelled chip with a network; classify images with it and with the integer reference.

Exit status: 0; 1 when results differ that may not (an ideal macro from golden, transistors from the model, or any
macro from itself when it is read row by row); 2 on bad input.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import output_file, told_to, whole, write_json
from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.flows.programming import program
from bridgebnn.model.flows.repair import program_repaired
from bridgebnn.model.flows.reports import ModelReport, energy_table
from bridgebnn.model.flows.transistors import transistor_table
from bridgebnn.model.flows.trim import check_trim, trim
from bridgebnn.model.flows.wrong_images import wrong_images
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.broken_lines import LineFault
from bridgebnn.model.macro.energy import report_of
from bridgebnn.model.mapping.fit import choose
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.golden import Forward, Golden
from bridgebnn.model.networks.host import host_layers
from bridgebnn.model.options import add_inference, given_data, given_macro
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.spice.chip import TransistorArray, chip_of
from bridgebnn.progress import Show, counted, shown
from bridgebnn.versions import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``infer``."""
    add = parser.add_argument
    add_inference(parser, images=1000)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--preload", action="store_true", help="write the states directly instead of by pulses")
    how.add_argument(
        "--repair",
        action="store_true",
        help="let spares stand in for broken lines and place neurons around stuck devices, then program again",
    )
    add(
        "--trim",
        type=whole(1, 10_000),
        metavar="K",
        help="after programming, find the comparators' offsets by self-tests of K patterns, and take them back by the "
        "reference (docs/offsets.md)",
    )
    add(
        "--check",
        type=whole(0, 10_000),
        default=3,
        metavar="K",
        help="images evaluated once more, row by row (default %(default)s)",
    )
    add("--json", type=output_file, metavar="F", help="also write the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    chosen, network = choose(arguments.preset, arguments.network)
    combine = Combine[arguments.combine.upper()] if arguments.combine else chosen.combine
    mapping = map_network(network, chosen.geometry, combine=combine, final_mode=chosen.final_mode)
    data = given_data(arguments, network)
    images, labels = data.bits(network), data.labels
    params = given_macro(arguments) or MacroParams.ideal()
    check_trim(params, arguments.trim or 0)
    lines = [LineFault.parse(text) for text in arguments.broken_lines]
    if lines and not arguments.repair:
        raise ValueError("--break without --repair: the chip cannot hold the network")
    for line in lines:
        line.check(chosen.geometry)
    timing = chosen.timing
    array = chip_of(chosen.geometry, params.at_timing(timing), arguments.chip, lines, timing)
    with shown("model") as show:
        if arguments.repair:
            mapping, programming = _repair(mapping, array, chosen.timing, combine, chosen.final_mode, show)
        else:
            programming = _program(mapping, array, arguments.preload, chosen.timing, show)
        trimmed = None
        if arguments.trim:
            mapping, offsets = trim(mapping, array, arguments.trim)
            trimmed = {str(tile): offset for tile, offset in offsets.items()}
        golden, rate = _golden(mapping, images)
        before = array.reads.copy()
        ledger = ReadLedger(array, mapping.programs, chosen.timing)
        result = inference.run(mapping, array, images, progress=counted(show, "inference"), ledger=ledger)
        sample = images[: arguments.check]
        mismatches = _check(mapping, array, result, sample, before)
    differences = result.differences(golden)
    events = inference_events(ledger, mapping, len(images))
    energy = report_of(events, params, chosen.geometry, chosen.timing, inferences=len(images))
    values = {
        "preset": chosen.name,
        "network": mapping.network.name,
        "macro": params.name,
        "host_layers": host_layers(mapping.network.operations),
        "combine": combine.name,
        "chip": arguments.chip,
        "images": len(images),
        "data": data.name,
        "binarize": network.encoding.rule,
        "accuracy": None if labels is None else float((result.classes == labels).mean()),
        "golden_accuracy": None if labels is None else float((golden.classes == labels).mean()),
        "classes": result.classes.tolist(),
        "labels": None if labels is None else labels.tolist(),
        "wrong": wrong_images(
            network.encoding,
            images,
            labels=labels,
            classes=result.classes,
            golden=golden.classes,
            scores=result.scores,
        ),
        "golden_mismatches": differences["images"],
        "differences": differences,
        "model_mismatches": mismatches,
        "model_checked": len(sample),
        "golden_images_per_s": rate,
        "programming": programming,
        "trimmed": trimmed,
        "mapping": _mapping_report(mapping),
        "energy": energy,
        "transistors": array.report() if isinstance(array, TransistorArray) else None,
        "state": array.state_hash(),
        "wall_s": time.perf_counter() - start_s,
        "versions": versions(),
        "command": told_to(arguments),
    }
    report = ModelReport.from_dict(values)
    _show(report)
    if arguments.json:
        write_json(arguments.json, report.as_dict())
    beside = report.transistors
    otherwise = beside is not None and beside.decisions_differ + beside.bits_differ > 0
    return int(mismatches > 0 or otherwise or (params.is_ideal and differences["images"] > 0))


def _program(mapping: Mapping, array: Array, preload: bool, timing: Any, show: Show) -> dict[str, Any]:
    if preload:
        inference.load(mapping, array)
        return {"preloaded": True}
    done = program(
        array,
        mapping.images,
        mapping.masks,
        timing,
        progress=counted(show, "programming"),
    )
    report = done.as_dict()
    for long in ("failures", "mismatches"):  # their number is what a report needs
        report[long] = len(report[long])
    return {"preloaded": False, **report}


def _repair(
    mapping: Mapping,
    array: Array,
    timing: Any,
    combine: Combine,
    final_mode: ReadMode,
    show: Show,
) -> tuple[Mapping, dict[str, Any]]:
    found, reports = program_repaired(
        array,
        mapping.network,
        timing,
        combine=combine,
        final_mode=final_mode,
        progress=counted(show, "programming"),
    )
    first = reports[0]
    record = {
        "bits": first.bits,
        "failures": sum(len(r.failures) for r in reports),
        "mismatches": sum(len(r.mismatches) for r in reports),
        "cycles": sum(r.cycles for r in reports),
        "time_s": sum(r.time_s for r in reports),
        "repair": found.summary() | {"passes": len(reports)},
    }
    return found.mapping, {"preloaded": False, **record}


def _golden(mapping: Mapping, images: np.ndarray) -> tuple[Forward, float]:
    golden = Golden(mapping.network)
    golden(images[:1])
    start_s = time.perf_counter()
    result = golden(images)
    return result, len(images) / (time.perf_counter() - start_s)


def _check(
    mapping: Mapping, array: Array, result: inference.Result, sample: np.ndarray, reads: np.ndarray
) -> int:
    """Images of the sample that differ when the same chip, at the same read numbers, is read row by row."""
    after = array.reads.copy()
    array.reads[...] = reads
    again = inference.run_row_by_row(mapping, array, sample)
    array.reads[...] = after
    return again.differences(result.first(len(sample)))["images"]


def _mapping_report(mapping: Mapping) -> dict[str, Any]:
    layers = [
        {**vars(layer), "mode": layer.mode.name, "combine": layer.combine.name} for layer in mapping.report
    ]
    return {"cells": mapping.cells, "rows_used": mapping.rows_used, "layers": layers}


def _share(value: float | None) -> str:
    return "no labels" if value is None else f"{value:.2%}"


def _show(report: ModelReport) -> None:
    console = Console()
    layers = Table(
        title=f"{report['network']} on preset {report['preset']}", box=SIMPLE, padding=(0, 0, 0, 1)
    )
    columns = ("tiles", "rows", "inputs", "mode", "combine", "bias", "cells", "refs", "entries")
    for name in columns:
        layers.add_column(name, justify="left" if name in ("mode", "combine") else "right")
    for layer in report["mapping"]["layers"]:
        layers.add_row(*(str(layer[name]) for name in columns))
    console.print(layers)
    done = report["programming"]
    table = Table(title=f"{report['macro']} macro, chip {report['chip']}", show_header=False, box=SIMPLE)
    table.add_column(justify="left")
    table.add_column(justify="right")
    rows = [
        ("images", f"{report['images']} of {report['data']}"),
        ("accuracy", _share(report["accuracy"])),
        ("accuracy of golden", _share(report["golden_accuracy"])),
        ("images that differ from golden", f"{report['golden_mismatches']}"),
        ("classes that differ", f"{report['differences']['classes']}"),
        ("hidden bits that differ, by layer", f"{report['differences']['hidden']}"),
        (f"differ read row by row, of {report['model_checked']}", f"{report['model_mismatches']}"),
        ("golden", f"{report['golden_images_per_s']:,.0f} images/s"),
    ]
    if not done["preloaded"]:
        rows.insert(0, ("programmed bridges", f"{done['bits']:,}"))
        rows.insert(1, ("devices that failed", f"{done['failures']}"))
        rows.insert(2, ("programming time on the chip", f"{done['time_s'] * 1e3:.1f} ms"))
    if repair := done.get("repair"):
        spares = f"{len(repair['columns'])}, {len(repair['rows'])}"
        rows.insert(2, ("spare columns, rows in use", spares))
        rows.insert(
            3, ("neurons moved, cells still wrong", f"{repair['moved_neurons']}, {repair['wrong_cells']}")
        )
    if report.trimmed:
        found = ", ".join(f"{offset:.2f}" for offset in report.trimmed.values())
        rows.append((f"offsets trimmed, tiles {', '.join(report.trimmed)} (counts)", found))
    rows += [("layer on the host", layer) for layer in report["host_layers"]]
    for row in [*rows, ("wall time", f"{report['wall_s']:.1f} s")]:
        table.add_row(*row)
    console.print(table)
    if report.energy is not None:
        console.print(energy_table(report.energy))
    if report.transistors is not None:
        console.print(transistor_table(report.transistors))
