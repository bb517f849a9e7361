"""``bridgebnn proofs equivalence OTHER``: the blocks of these sources against those of others, without bound."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import subprocess
import sys
import tarfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridgebnn.command_line import Parser, output_file, output_folder, write_json
from bridgebnn.hdl.output.verilog import TOP
from bridgebnn.hdl.spec import Geometry
from bridgebnn.paths import PACKAGE
from bridgebnn.processes import captured
from bridgebnn.progress import tracked

from .equivalence import Side, compare, difference

__all__ = ["BLOCKS", "GEOMETRIES", "Comparison", "main"]

_SMALL = Geometry(
    tiles=2, rows=4, inputs=5, bias=1, thresholds=4, layers=2, scores=2, count_width=3, log_depth=2
)
GEOMETRIES = {
    "plain": _SMALL,
    "spares": dataclasses.replace(_SMALL, spare_columns=1, spare_rows=1),
    "maps": dataclasses.replace(_SMALL, map_words=2),
}
"""Small, yet with two tiles, two slices of COUNT and groups; with spares; with activation maps."""

BLOCKS = {
    "reader": "layers.read_sequencer:ReadSequencer(geometry)",
    "check": "layers.descriptor_table:DescriptorCheck(geometry)",
    "adder": "layers.popcount:ScoreAdder(geometry)",
    "counter": "layers.popcount:SliceCounter(geometry)",
    "columns": "layers.column_registers:ColumnRegisters(geometry)",
    "writer": "layers.vectors:ResultWriter(geometry)",
    "inputs": "layers.vectors:InputBanks(geometry)",
    "results": "layers.results:ResultBanks(geometry)",
    "layer": "layers.layer_sequencer:LayerSequencer(geometry)",
    "phases": "programming.phases:PhaseOrder()",
    "attempts": "programming.attempts:Attempts()",
    "pins": "programming.pin_driver:PinDriver(geometry.columns)",
    "bridges": "programming.bridge_read:BridgeRead()",
    "rails": "programming.rails:Rails()",
    "groups": "programming.group_choice:GroupChoice(2)",
    "walk": "programming.column_walk:ColumnWalk(geometry.columns)",
    "program": "programming.program_sequencer:ProgramSequencer(geometry)",
    "controller": "",
}
"""What can be compared: module and component below ``hdl``; the controller is all of it."""

_GENERATE = """
import importlib, json, sys
from pathlib import Path
import bridgebnn
from bridgebnn.hdl.output.verilog import component_verilog, verilog_text
from bridgebnn.hdl.spec import Geometry
if not Path(bridgebnn.__file__).resolve().is_relative_to(Path.cwd()):
    sys.exit(f"it would be {bridgebnn.__file__}")
geometry, block, top, target = Geometry(**json.loads(sys.argv[1])), *sys.argv[2:5]
if block:
    module, call = block.split(":")
    component = eval(call, {**vars(importlib.import_module("bridgebnn.hdl." + module)), "geometry": geometry})
    text = component_verilog(component, name=top).text
else:
    text = verilog_text(geometry, name=top)
open(target, "w").write(text)
"""
"""Runs in either source tree."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One block in one geometry, here and there: ``status`` is that of a `Verdict`, ``outputs`` what differs."""

    block: str
    geometry: str
    status: str
    seconds: float
    flip_flops: int
    outputs: tuple[str, ...] = ()
    waveform: str = ""


def sources(other: str, folder: Path) -> Path:
    """Folder with the other sources: ``other`` itself, or below ``folder`` those of a git revision.

    Raises
    ------
    ValueError
        ``other`` is neither a folder with the package nor a revision of this checkout.
    """
    if Path(other).is_dir():
        if not (Path(other) / "bridgebnn" / "hdl").is_dir():
            raise ValueError(
                f"{other} has no bridgebnn/hdl: must be a checkout, or a git revision of this one"
            )
        return Path(other).resolve()
    command = ["git", "-C", str(PACKAGE.parent), "archive", other, "--", "bridgebnn", "hdl"]
    try:
        found = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise ValueError(f"{other} is no folder, and there is no git to look for a revision") from None
    if found.returncode:
        reason = found.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise ValueError(f"{other} is neither a folder nor a git revision with bridgebnn/hdl: {reason}")
    target = folder / "other"
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(target, filter="data")
    return target


def generated(tree: Path, block: str, geometry: Geometry, target: Path) -> Side:
    """Verilog of ``block`` from the sources in ``tree``.

    Raises
    ------
    ValueError
        The sources have no such block, or cannot make it in this geometry.
    """
    arguments = [json.dumps(asdict(geometry)), BLOCKS[block], TOP, str(target.resolve())]
    status, text = captured([sys.executable, "-W", "ignore", "-c", _GENERATE, *arguments], cwd=tree)
    if status:
        raise ValueError(f"block {block} cannot be made from {tree}: {text.strip().splitlines()[-1]}")
    return Side(file=target, top=TOP, renamed={})


def compared(folder: Path, other: Path, block: str, geometry: str, limit_s: float) -> Comparison:
    """One block in one geometry, of these sources and of ``other``."""
    work = folder / f"{block}-{geometry}"
    work.mkdir(parents=True, exist_ok=True)
    here = generated(PACKAGE.parent, block, GEOMETRIES[geometry], work / "here.v")
    there = generated(other, block, GEOMETRIES[geometry], work / "there.v")
    verdict = compare(work, here, there, limit_s=limit_s)
    facts: dict[str, Any] = {"seconds": round(verdict.seconds, 1), "flip_flops": verdict.latches}
    if verdict.status == "violated":
        outputs, waveform = difference(work)
        facts |= {"outputs": outputs, "waveform": str(waveform)}
    return Comparison(block=block, geometry=geometry, status=verdict.status, **facts)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="bridgebnn proofs equivalence",
        description="Prove that blocks of the controller do the same on every output, in every cycle, for any "
        "input, as those of other sources: before and after a change that must not show. Exit status 1 when "
        "any differs, or is not decided within the limit.",
    )
    parser.add_argument("other", metavar="OTHER", help="a git revision of this checkout, or another checkout")
    names = ", ".join(BLOCKS)
    parser.add_argument(
        "--block",
        action="append",
        choices=BLOCKS,
        metavar="NAME",
        help=f"reader, layer and program when none is named; of: {names}",
    )
    parser.add_argument(
        "--geometry",
        action="append",
        choices=GEOMETRIES,
        metavar="NAME",
        help=f"all when none is named; of: {', '.join(GEOMETRIES)}",
    )
    parser.add_argument("--limit", type=float, default=600, metavar="S", help="seconds for one solver (600)")
    parser.add_argument(
        "--out", type=output_folder, default=Path("build/equivalence"), metavar="DIR", help="working folder"
    )
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the results")
    return parser


def _show(result: Comparison) -> None:
    words = {"proven": "equal", "violated": "differs", "undecided": "undecided"}
    print(
        f"{words[result.status]:9} {result.block:10} {result.geometry:7} {result.flip_flops:6} flip-flops "
        f"{result.seconds:7.1f} s",
        flush=True,
    )
    if result.outputs:
        print(f"  outputs {', '.join(result.outputs)}; {result.waveform}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Compare; 0 when everything is equal."""
    arguments = _parser().parse_args(argv)
    begin = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    other = sources(arguments.other, arguments.out)
    geometries = tuple(arguments.geometry or GEOMETRIES)
    work = [
        (block, geometry)
        for block in arguments.block or ("reader", "layer", "program")
        for geometry in (geometries if "geometry" in (BLOCKS[block] or "geometry") else geometries[:1])
    ]
    results = []
    for block, geometry in tracked(work, "equivalence", "blocks"):
        results.append(compared(arguments.out, other, block, geometry, arguments.limit))
        _show(results[-1])
    equal = sum(result.status == "proven" for result in results)
    print(f"{equal} of {len(results)} equal, {time.monotonic() - begin:.0f} s")
    if arguments.json:
        found = {"schema_version": 1, "other": arguments.other, "results": [asdict(r) for r in results]}
        write_json(arguments.json, found)
    return 0 if equal == len(results) else 1
