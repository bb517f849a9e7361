"""``bridgebnn proofs``: prove every rule on the generated Verilog, and show that the proofs can fail."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
import time
from pathlib import Path

from bridgebnn.command_line import Parser, guarded, whole
from bridgebnn.progress import Show, shown

from . import revisions
from .design import generate
from .observer import Check
from .prove import Model, Result, prove, reach, refute, run_all
from .report import write_document
from .rules import QUICK, SUBJECTS, Subject

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="bridgebnn proofs",
        description="Prove the rules of the macro pins, the bus, the protection and the failure log without "
        "bound on the Verilog of a small controller; reach the cover points; refute the broken designs. "
        "Exit status 1 when anything is not as it should be. Another command, `bridgebnn proofs equivalence "
        "OTHER`, compares blocks with those of other sources.",
    )
    parser.add_argument(
        "--subject",
        choices=SUBJECTS,
        default="plain",
        help="which controller: the small one (plain), or the same with activation maps, of which the rules of windows "
        "are proven and the others once more (maps); or behind AXI4-Lite (axi), and with streams (streams), with the "
        "rules of these buses",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the section on proofs of docs/verification.md"
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="with --write: of this file, run nothing"
    )
    parser.add_argument(
        "--property",
        action="append",
        metavar="NAME",
        help="only this property or cover point, and its broken design",
    )
    parser.add_argument("--jobs", type=whole(1, 64), default=2, metavar="N", help="solvers at a time (2)")
    parser.add_argument("--quick", action="store_true", help="a subset, without the broken designs")
    parser.add_argument("--limit", type=float, default=600, metavar="S", help="seconds for one solver (600)")
    parser.add_argument(
        "--out", type=Path, default=Path("build/formal"), metavar="DIR", help="working folder"
    )
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    return parser


def _show(result: Result) -> None:
    mark = "ok  " if result.good else "FAIL"
    words = {"property": "property", "cover": "cover", "mutant": "broken design"}
    print(
        f"{mark} {words[result.kind]:13} {result.name:26} {result.status:9} {result.method:28} "
        f"{result.seconds:7.1f} s",
        flush=True,
    )
    if result.summary and not result.good:
        print(result.summary, *result.files, sep="\n", flush=True)


def _run(arguments: argparse.Namespace, subject: Subject, chosen: list[Check], show: Show) -> list[Result]:
    """Prove, reach and refute; each result is printed as it comes."""
    begin = time.monotonic()
    geometry = subject.geometry
    design = generate(arguments.out, geometry, "design", (), subject.bus)
    model = Model(arguments.out, geometry, chosen, design)
    print(f"{len(chosen)} properties and cover points of {design.verilog}, {time.monotonic() - begin:.0f} s")
    work = []
    for check in chosen:
        task = reach if check in subject.covers else prove
        work.append(functools.partial(task, model, check, arguments.limit))
    if not arguments.quick:
        for check in chosen:
            if check.name in subject.mutants:
                text, patches = subject.mutants[check.name]
                work.append(
                    functools.partial(
                        refute, arguments.out, geometry, check, text, patches, arguments.limit, subject.bus
                    )
                )
    finished: list[Result] = []

    def report(result: Result) -> None:
        finished.append(result)
        show({"stage": "checks", "done": len(finished), "total": len(work)})
        _show(result)

    show({"stage": "checks", "done": 0, "total": len(work)})
    return run_all(arguments.jobs, work, report)


def main(argv: list[str] | None = None) -> int:
    """Run; 0 when everything is proven, reached and refuted."""
    given = sys.argv[1:] if argv is None else argv
    if given[:1] == ["equivalence"]:
        return revisions.main(given[1:])
    parser = _parser()
    arguments = parser.parse_args(given)
    subject = SUBJECTS[arguments.subject]
    checks = [*subject.properties, *subject.covers]
    if arguments.list:
        print("\n".join(f"{check.name:28} {check.rule:5} {check.text}" for check in checks))
        return 0
    if arguments.results:
        found = json.loads(arguments.results.read_text())
        results = [Result(**item) for item in found["results"]]
        write_document(arguments.write, subject, results, found["seconds"])
        return 0
    quick = [check.name for check in checks if arguments.subject != "plain" or check.name in QUICK]
    names = arguments.property or (quick if arguments.quick else [check.name for check in checks])
    if unknown := set(names) - {check.name for check in checks}:
        parser.error(f"no such property: {', '.join(sorted(unknown))}; --list shows all")

    begin = time.monotonic()
    chosen = [check for check in checks if check.name in names]
    with shown("proofs", "Verilog to one circuit") as show:
        results = _run(arguments, subject, chosen, show)
    seconds = time.monotonic() - begin
    bad = [result for result in results if not result.good]
    print(f"{len(results) - len(bad)} of {len(results)} as they should be, {seconds:.0f} s")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        found = [dataclasses.asdict(result) for result in results]
        arguments.json.write_text(json.dumps({"seconds": round(seconds), "results": found}, indent=1) + "\n")
    if arguments.write and (arguments.quick or arguments.property):
        print(f"{arguments.write} stays as it is: only a full run is written there")
    elif arguments.write and not bad:
        write_document(arguments.write, subject, results, seconds)
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(guarded("bridgebnn proofs", main))
