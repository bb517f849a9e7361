"""Counts of a mutation run: a table for the terminal, a section of ``docs/verification.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

__all__ = ["SECTION", "VERDICTS", "markdown", "score", "summary", "table", "tally"]

SECTION = "mutants"
VERDICTS = ("killed", "equivalent", "argued", "survived")
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
    """Share of the mutants killed among those that are not proven equivalent; None where there is none."""
    return _of(row, row["mutants"] - row["equivalent"])


def _of(row: Counter[str], judged: int) -> float | None:
    return row["killed"] / judged if judged else None


def _share(row: Counter[str]) -> str:
    return _percent(score(row))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def summary(row: Counter[str]) -> str:
    """Counts in a sentence, with both scores: argued ones count as survivors in the first, not at all in the second."""
    said = (
        f"{row['killed']:,} of {row['mutants']:,} killed, {row['equivalent']:,} proven equivalent, "
        f"{row['argued']:,} equivalent by written argument, {row['survived']:,} survived"
    )
    if (share := score(row)) is None:
        return f"{said}."
    judged = row["mutants"] - row["equivalent"]
    said += f". Killed of those that are not proven equivalent: {row['killed']:,} of {judged:,}, {_percent(share)}"
    if row["argued"] and (rest := judged - row["argued"]):
        said += (
            f"; leaving out those by argument, too: {row['killed']:,} of {rest:,}, {_percent(_of(row, rest))}"
        )
    return f"{said}."


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
        "| --- |" + " ---: |" * (len(VERDICTS) + 2),
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
        f"Mutants of controllers {names}, seed {report['seed']}, on {report['simulator'].capitalize()}: "
        f"`{report['command'] or 'make mutation'}`. {summary(counts)}",
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
    argued = [record for record in records if record["verdict"] == "argued"]
    if argued:
        lines += [
            "Equivalent by a written argument ([mutants.toml](mutants.toml)), without a proof by machine:",
            "",
        ]
        lines += _table(argued, "why")
    if left:
        lines += ["Survivors, and in which outputs and cycle a solver sees them first:", ""]
        lines += _table(left, "seen")
    return "\n".join(lines).rstrip("\n")


def _table(records: Sequence[Record], what: str) -> list[str]:
    """One mutant a line, and what is said of it."""
    lines = [f"| mutant | module | change | {what} |", "| --- | --- | --- | --- |"]
    for record in records:
        change, how = (record[name].replace("|", "\\|") for name in ("change", "how"))
        lines.append(
            f"| {record['geometry']}:{record['number']} | `{record['module']}` | `{change}` | {how} |"
        )
    return [*lines, ""]
