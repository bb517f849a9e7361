"""Counts of a campaign: a table for the terminal, a summary for JSON, a section of ``docs/verification.md``."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bridgebnn.hdl.spec import ErrorCode

from .faults import AIMS, CLASSES, GEOMETRY, STRIKES
from .watch import RULES

__all__ = ["SECTION", "markdown", "missed", "states", "summary", "table", "tally"]

SECTION = "faults"

COLUMNS = ("injected", "benign", "detected", "repaired", "reported", "silent")


KINDS = (*STRIKES, "relock")


def tally(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Counts of `COLUMNS` by class, and their sums as ``all``.

    *injected* = benign + detected + silent, and *detected* = repaired + reported.
    """
    counts = {name: dict.fromkeys(COLUMNS, 0) for name in (*CLASSES, "all")}
    for record in records:
        for row in (counts[record["label"].split(":")[0]], counts["all"]):
            row["injected"] += 1
            row[record["verdict"]] += 1
            row["detected"] += record["verdict"] in ("repaired", "reported")
    return counts


def states(records: Sequence[dict[str, Any]]) -> dict[tuple[str, str], Counter[str]]:
    """How often each kind of interruption struck in each state of each sequencer but the idle ones."""
    found: dict[tuple[str, str], Counter[str]] = {aim: Counter() for aim in AIMS}
    for record in records:
        if record["label"].startswith("interrupts:"):
            for aim in record["states"].items():
                if aim in found:
                    found[aim][record["kind"]] += 1
    return found


def missed(records: Sequence[dict[str, Any]]) -> list[str]:
    """States in which a reset, an abort or a power loss never struck."""
    every = states(records).items()
    return [f"{kind} in {state} of {name}" for (name, state), n in every for kind in STRIKES if not n[kind]]


def reporters(records: Sequence[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Who reported the detected faults of each class: error codes of the controller, or the host alone."""
    codes = {code.name for code in ErrorCode}
    found: dict[str, Counter[str]] = {name: Counter() for name in CLASSES}
    for record in records:
        if record["verdict"] in ("repaired", "reported"):
            own = codes & set(record["reports"])
            found[record["label"].split(":")[0]]["controller" if own else "host"] += 1
    return found


def causes(records: Sequence[dict[str, Any]]) -> Counter[str]:
    """First report of every detected fault."""
    first = (r["reports"][0] for r in records if r["verdict"] in ("repaired", "reported"))
    return Counter(re.sub(r"^(scrub|refused|VERIFY_ROW)\b.*", r"\1", text) for text in first)


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """What goes into the JSON beside the records."""
    records = result["records"]
    return {
        "seed": result["seed"],
        "total": result["total"],
        "seconds": result["seconds"],
        "simulators": dict(Counter(r["sim"] for r in records)),
        "cycles": sum(r["cycles"] for r in records),
        "pulses": sum(r["pulses"] for r in records),
        "classes": tally(records),
        "states": {" ".join(aim): dict(count) for aim, count in states(records).items()},
        "missed": missed(records),
        "reporters": {name: dict(count) for name, count in reporters(records).items()},
        "first_reports": dict(causes(records).most_common()),
        "overruled": sum(r["overruled"] for r in records),
        "silent": [r["label"] for r in records if r["verdict"] == "silent"],
    }


def table(result: dict[str, Any]) -> Table:
    """The table of the campaign."""
    shown = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    shown.add_column("class")
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    counts = tally(result["records"])
    for name, row in counts.items():
        if name == "all":
            shown.add_section()
        style = "bold red" if row["silent"] else "bold" if name == "all" else None
        shown.add_row(name, *(f"{row[c]:,}" for c in COLUMNS), style=style)
    return shown


def markdown(result: dict[str, Any]) -> str:
    """The section on faults of ``docs/verification.md``."""
    records, g = result["records"], GEOMETRY
    counts, facts = tally(records), summary(result)
    sims = " and ".join(
        f"{n:,} on {name.capitalize()}" for name, n in sorted(facts["simulators"].items(), reverse=True)
    )
    lines = [
        f"{result['total']:,} faults, seed {result['seed']}, {sims}, {result['seconds'] / 60:.0f} minutes of wall "
        "time: `make faults`.",
        f"Generated Verilog ({g.tiles} tiles of {g.rows} rows and {g.columns} columns, spares among them, and "
        "activation maps) with the real",
        "macro: spread, noise, stochastic switching. Each fault meets a fresh chip after a reset; "
        f"{facts['cycles']:,} clock",
        f"cycles and {facts['pulses']:,} programming pulses in all, every cycle under the monitor's rules.",
        "",
        "| class | " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for name, row in counts.items():
        cells = [f"{row[c]:,}" for c in COLUMNS]
        bold = "**" if name == "all" else ""
        lines.append(f"| {bold}{name}{bold} | " + " | ".join(f"{bold}{c}{bold}" for c in cells) + " |")
    lines += [
        "",
        "Any of them again, and what happened: `bridgebnn tb campaign --replay CLASS:SEED:INDEX`.",
        "",
    ]
    lines += [f"* **{name}**: {about}" for name, about in CLASSES.items()]
    lines += [
        *_VERDICTS,
        "",
        "### Who noticed",
        "",
        "| class | an error code of the controller | the host's checks alone |",
        "| --- | ---: | ---: |",
    ]
    for name, count in reporters(records).items():
        lines.append(f"| {name} | {count['controller']:,} | {count['host']:,} |")
    lines += [
        "",
        f"PROGRAM_ROW ended in DONE on {facts['overruled']:,} rows with broken lines that were not programmed; the "
        "host's line test found",
        "each of them: a source line stuck at 1 passes every verify read, and the read-back where the weight is +1.",
        "",
        textwrap.fill(
            "First reports: " + ", ".join(f"{text} {n:,}" for text, n in causes(records).most_common()) + ".",
            118,
        ),
        "",
        "### Where commands were interrupted",
        "",
        "State of each sequencer at the clock edge that took the interruption (idle ones left out); every other fault",
        "of the class is aimed at one of them.",
        "",
        "| state | " + " | ".join(KINDS) + " |",
        "| --- |" + " ---: |" * len(KINDS),
    ]
    for aim, count in states(records).items():
        lines.append(f"| {' '.join(aim)} | " + " | ".join(f"{count[kind]:,}" for kind in KINDS) + " |")
    lines += [
        "",
        f"Never struck by {', '.join(STRIKES[:-1])} or {STRIKES[-1]}: {', '.join(missed(records)) or 'none'}.",
        "",
        "### The monitor's rules",
        "",
        *(f"{number}. {rule}" for number, rule in enumerate(RULES, 1)),
        "",
        *_LIMITS,
    ]
    return "\n".join(lines) + "\n"


_VERDICTS = """
### What the columns mean

* **benign**: nobody reported anything, and nothing that the host holds for true is wrong: the programmed
  rows by the chip's own devices and bridges, results by the model of the chip with and without the fault.
* **detected**: reported by the controller, or found by the host before it used anything. **repaired**:
  after a reset and another try, if need be in another row, the host has what it wanted. **reported**: it
  has not, and knows.
* **silent**: a row held for programmed whose devices or bridges say otherwise, or whose later READ_ROW
  does; accepted results that are not the model's; a failed device missing in the log; a rule of the pins
  broken in any cycle; rails, a pulse or a word line on while no command runs; a command that does not end.

The judge asks the modelled array and the pins, never the controller. The host is careful firmware
(`tb/campaign/host.py`): after every command it reads back the whole configuration and compares it with what
it wrote; a row that ended in DONE must also verify with even and with odd columns alone, fail on every
device of either for the inverse image, and read back by READ_ROW, and at the end all rows must verify once
more; results count only when every row verifies, counted patterns of inputs come out as the weights say,
and each comparator gives both answers at the ends of its reference.""".splitlines()

_LIMITS = """### Not put in

Flips in flip-flops that are no configuration (states, counters, column and result registers), in the input
bank, the activation maps and the result banks, and in the failure log: the controller has no parity, and the
host cannot read input bank and maps back. (A loss of power flips bits in the banks and the maps, too.) Several
bits at once. Single wrong decisions of a comparator that works otherwise. Lines broken between two commands of
a chip that was sound before.""".splitlines()
