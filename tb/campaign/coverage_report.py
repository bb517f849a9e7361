"""Counts of functional coverage: a table for the terminal, a section of ``docs/verification.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bridgebnn.tb.checks.coverage_points import GROUPS

from .coverage import Verdict

__all__ = ["SECTION", "faults", "markdown", "table"]

SECTION = "coverage"
Record = dict[str, Any]
"""Fields of a `bridgebnn.tb.campaign.coverage.Point`."""
FAULTS = (Verdict.UNHIT, Verdict.WRONG, Verdict.UNKNOWN)
"""What must not be."""


def faults(records: Iterable[Record]) -> list[Record]:
    """Points that must not be as they are."""
    return [record for record in records if record["verdict"] in FAULTS]


def _first(record: Record) -> str:
    """The test that hit a point most."""
    tests: dict[str, int] = record["tests"]
    return max(tests, key=lambda test: tests[test], default="")


def _rows(records: Iterable[Record]) -> list[tuple[str, list[int], str]]:
    """Group, its points, those hit, excluded and wrong, and the tests that alone hit some."""
    records = list(records)
    rows = []
    for group in (*GROUPS, "all"):
        own = [record for record in records if group in (record["group"], "all")]
        counts = Counter(record["verdict"] for record in own)
        wrong = sum(counts[verdict] for verdict in FAULTS)
        alone = Counter(next(iter(r["tests"])).split("/")[1] for r in own if len(r["tests"]) == 1)
        tests = ", ".join(f"{test} {count}" for test, count in alone.most_common())
        rows.append((group, [len(own), counts[Verdict.HIT], counts[Verdict.EXCLUDED], wrong], tests))
    return rows


def table(records: Iterable[Record]) -> Table:
    """For the terminal: points of each group."""
    made = Table(box=SIMPLE)
    made.add_column("group")
    for name in ("points", "hit", "excluded", "not hit"):
        made.add_column(name, justify="right")
    made.add_column("points that one test alone hits")
    for group, numbers, tests in _rows(records):
        made.add_row(group, *map(str, numbers), tests)
    return made


def markdown(report: dict[str, Any]) -> str:
    """Section `SECTION` of the page, from the JSON of ``bridgebnn tb coverage``."""
    records = report["records"]
    named = ", ".join(f"`{name}`" for name in report["geometries"])
    bad = faults(records)
    hit = sum(record["verdict"] == Verdict.HIT for record in records)
    lines = [
        f"{len(records)} points of controllers {named}, {hit} hit, {len(bad)} not: `{report['command']}`.",
        "",
        "| group | points | hit | excluded | not hit | what | points that one test alone hits |",
        "| --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for group, numbers, tests in _rows(records):
        cells = " | ".join(map(str, numbers))
        lines.append(f"| {group} | {cells} | {GROUPS.get(group, '')} | {tests} |".replace("|  |", "| |"))
    if bad:
        lines += ["", "Not hit:", "", "| group | point | |", "| --- | --- | --- |"]
        lines += [f"| {r['group']} | {r['name']} | {r['verdict']} |" for r in bad]
    reasons: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record["verdict"] == Verdict.EXCLUDED:
            reasons.setdefault((record["group"], record["reason"]), []).append(record["name"])
    if reasons:
        lines += [
            "",
            "Left out, as docs/testplan.toml says:",
            "",
            "| group | points | why |",
            "| --- | --- | --- |",
        ]
        lines += [f"| {group} | {'; '.join(names)} | {why} |" for (group, why), names in reasons.items()]
    return "\n".join(lines)
