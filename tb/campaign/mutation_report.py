"""Counts of a mutation run: a table for the terminal, a section of ``docs/verification.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

__all__ = ["SECTION", "VERDICTS", "markdown", "score", "table", "tally"]

SECTION = "mutants"
VERDICTS = ("killed", "equivalent", "survived")
Record = dict[str, Any]
"""Fields of a `bridgebnn.tb.campaign.measure.Outcome`."""


def tally(records: Iterable[Record], by: str) -> dict[str, Counter[str]]:
    """Counts of `VERDICTS` by a field, in the order of the field's values; the sums last, as ``all``."""
    counts: dict[str, Counter[str]] = {}
    every = Counter[str]()
    for record in sorted(records, key=lambda record: str(record[by])):
        for row in (counts.setdefault(record[by], Counter()), every):
            row["mutants"] += 1
            row[record["verdict"]] += 1
    return counts | {"all": every}


def score(row: Counter[str]) -> float | None:
    """Share of the mutants killed among those that are not equivalent; None where there is none."""
    judged = row["mutants"] - row["equivalent"]
    return row["killed"] / judged if judged else None


def _share(row: Counter[str]) -> str:
    found = score(row)
    return "" if found is None else f"{100 * found:.1f} %"


def killers(records: Iterable[Record]) -> Counter[str]:
    """Mutants by the test that noticed."""
    return Counter(record["test"] for record in records if record["verdict"] == "killed")


def table(records: Sequence[Record]) -> Table:
    """By module, for the terminal."""
    shown = Table(box=SIMPLE)
    for name in ("module", "mutants", *VERDICTS, "score"):
        shown.add_column(name, justify="left" if name == "module" else "right")
    for name, row in tally(records, "module").items():
        shown.add_row(name, *(str(row[column]) for column in ("mutants", *VERDICTS)), _share(row))
    return shown


def _lines(records: Sequence[Record], by: str) -> list[str]:
    lines = [
        f"| {by} | mutants | {' | '.join(VERDICTS)} | score |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in tally(records, by).items():
        cells = [f"{row[column]:,}" for column in ("mutants", *VERDICTS)]
        cells = [name if name == "all" else f"`{name}`", *cells, _share(row)]
        lines.append(
            "| " + " | ".join(f"**{cell}**" if name == "all" and cell else cell for cell in cells) + " |"
        )
    return lines


def markdown(report: dict[str, Any]) -> str:
    """The section on mutants, of a report as JSON has it."""
    records = report["records"]
    counts = tally(records, "module")["all"]
    names = " and ".join(f"`{name}`" for name in report["geometries"])
    left = [record for record in records if record["verdict"] == "survived"]
    lines = [
        f"{counts['mutants']:,} mutants, seed {report['seed']}, of controllers {names}, on "
        f"{report['simulator'].capitalize()}: `{report['command'] or 'make mutation'}`. {counts['killed']:,} killed, "
        f"{counts['equivalent']:,} "
        f"proven equivalent, {counts['survived']:,} survived: {_share(counts)} of those not equivalent are killed by "
        "co-simulation.",
        "",
        *_lines(records, "module"),
        "",
        *_lines(records, "mode"),
        "",
        "| noticed by | mutants |",
        "| --- | ---: |",
        *(f"| `{name}` | {count:,} |" for name, count in killers(records).most_common()),
        "",
    ]
    if left:
        lines += ["Survivors, and in which outputs and cycle a solver sees them first:", ""]
        lines += ["| mutant | module | change | seen |", "| --- | --- | --- | --- |"]
        for record in left:
            change = record["change"].replace("|", "\\|")
            label = f"{record['geometry']}:{record['number']}"
            lines.append(f"| {label} | `{record['module']}` | `{change}` | {record['how']} |")
    return "\n".join(lines)
