"""The section on proofs in docs/verification.md, from the results."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.sections import write_section

from .prove import Result
from .rules import Subject

__all__ = ["section", "write_document"]

HEAD = """{properties} properties proven without bound, {covers} cover points reached, {mutants} broken designs refuted:
`make formal`; {minutes} minutes for one process at a time.

What holds in every cycle from the first reset on, with arbitrary bus traffic, arbitrary values on `cmp`,
`cmp_valid`, `sl` and `hv_ready` in every cycle, and resets at any time. Power-up is arbitrary too: flip-flops
 and memories of the design start with any value. Proven on the Verilog that `bridgebnn hdl generate`
writes for {geometry}; widths of counters and registers are those of every geometry. Reset values of the
timing registers are short, so that runs to a pulse are short; the host may write any other, and the proofs
cover them all.

How: `proofs` puts an observer beside the generated controller, Yosys flattens both to one AIGER
circuit with an output for each property, ABC proves that the output never rises. *induction*: no state in
which everything held so far leads to a violation. *PDR*: property-directed reachability found an inductive
invariant of that many clauses and checked it. Properties other than `structure` take the invariants of
`structure` for granted, which are proven by themselves. Counterexamples are replayed by a simulator of our
own before they count, and written as VCD.

Rules: 3.1 guards of a pulse, 3.2 and 3.3 what never overlaps,
3.4 what is stable, 3.5 length, 3.6 what ends everything at once, 3.7 reads and verifies, 3.8 every command
ends, 3.9 protection, 3.10 nothing fails unnamed, 3.11 the bus, 3.12 word lines; 4 and 7 are sections of
[architecture.md](architecture.md).
"""


HEAD_MAPS = """{properties} properties proven without bound, {covers} cover points reached, {mutants} broken designs
refuted:
`bridgebnn proofs --subject maps`, part of `make formal`; {minutes} minutes for one process at a time.

The same controller with activation maps: {geometry}. The rules above are proven here once more, all but `entry_kept`,
which takes longest and sees nothing of maps; the rank of INFER counts the windows of a layer and the cycles in which
reads wait for one. The last four are of the blocks that only such a controller has. What they say of windows holds
for every walk that the check at the start of INFER lets through.

In the broken designs that check multiplies small numbers only, so that the run to a window is short. No run from the
reset is shown to a read that waits for a window: it needs two layers, and is too long for the solver. The
[campaign](#where-commands-were-interrupted) strikes that state.
"""


HEAD_AXI = """{properties} properties proven without bound, {covers} cover points reached, {mutants} broken designs
refuted: `bridgebnn proofs --subject axi`, part of `make formal`; {minutes} minutes for one process at a time.

The controller behind AXI4-Lite (`--bus axi4lite`), with arbitrary values on every pin in every cycle: {geometry}. The
first two and `axi_reset` hold for any manager; the others until a manager first withdraws a VALID before its READY,
or changes what goes with it, which AXI forbids. Together with the rules of the Wishbone above: a transfer is one
access there, and is answered once, in time, with what that access gave.
"""


HEAD_STREAMS = """{properties} properties proven without bound, {covers} cover points reached, {mutants} broken designs
refuted: `bridgebnn proofs --subject streams`, part of `make formal`; {minutes} minutes for one process at a time.

The controller with streams (`--bus axi4stream`), with arbitrary values on every pin in every cycle: {geometry}. The
rules of AXI4-Lite are proven here once more, but for the two bounds: the registers wait for the runner of frames, which
keeps the bus from its look at STATUS to COMMAND. How long that is, and that every frame has its answer in the end, is
not proven: `tests/cosim/test_streams.py` looks for it.
"""


def _head(subject: Subject) -> str:
    of_bus = {Bus.AXI4LITE: HEAD_AXI, Bus.AXI4STREAM: HEAD_STREAMS}
    return of_bus.get(subject.bus, HEAD_MAPS if subject.geometry.map_words else HEAD)


def section(subject: Subject, results: list[Result], seconds: float) -> str:
    """Markdown; ``seconds`` took the run. ``ValueError`` when something is not as it should be."""
    if bad := [result.name for result in results if not result.good]:
        raise ValueError(f"not proven, reached or refuted: {', '.join(bad)}")
    kinds = {kind: [r for r in results if r.kind == kind] for kind in ("property", "cover", "mutant")}
    broken = {result.name: result for result in kinds["mutant"]}
    geometry = ", ".join(f"{name} {value}" for name, value in asdict(subject.geometry).items())
    head = _head(subject).format(
        geometry=geometry,
        properties=len(kinds["property"]),
        covers=len(kinds["cover"]),
        mutants=len(kinds["mutant"]),
        minutes=round(seconds / 60),
    )

    def missing(result: Result) -> str:
        return "lemma only" if result.rule == "-" else "as above"

    lines = [
        *(textwrap.fill(text, 118, break_on_hyphens=False) + "\n" for text in head.strip().split("\n\n")),
        "| property | rule | what never fails | proven by | s | broken design, refuted in |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in kinds["property"]:
        how = f"{broken[r.name].text}: {_cycles(broken[r.name])}" if r.name in broken else missing(r)
        lines.append(f"| `{r.name}` | {r.rule} | {r.text} | {r.method} | {r.seconds:.1f} | {how} |")
    lines += [
        "",
        "What the properties are about does happen, in a run that gets there:",
        "",
        "| cover point | rule | what happens | in |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| `{r.name}` | {r.rule} | {r.text} | {_cycles(r)} |" for r in kinds["cover"]]
    return "\n".join(lines) + "\n"


def _cycles(result: Result) -> str:
    return result.method.removeprefix("BMC, ")


def write_document(file: Path, subject: Subject, results: list[Result], seconds: float) -> None:
    """Write the section into the page; ``ValueError`` when something is not as it should be."""
    write_section(file, subject.section, section(subject, results, seconds))
