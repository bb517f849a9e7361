"""What was run: the files, how each ended, and the versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridgebnn.model.flows.reports import ModelReport
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.summaries import BenchReport, CampaignReport, RtlMapReport

from .parts import Table
from .results import Result

__all__ = ["overview", "versions"]


def overview(results: Sequence[Result]) -> Table:
    rows = [
        [
            result.name,
            f"bridgebnn {result.kind}",
            _subject(result.record),
            _chips(result.record),
            _verdict(result.record),
            _seconds(result.record),
        ]
        for result in results
    ]
    return Table(
        caption="Files of this report, what wrote them, and how it ended",
        heads=["file", "command", "network or work", "chips (seeds)", "outcome", "time"],
        rows=rows,
        words=True,
    )


def _subject(record: Any) -> str:
    if runs_of := record.get("runs"):
        return ", ".join(dict.fromkeys(run.network for run in runs_of))
    parts = [record.get("network") or record.get("work"), record.get("macro") or record.get("devices")]
    words = [str(part) for part in parts if part]
    images = record.get("images")
    return ", ".join(words + ([f"{images:,} images"] if isinstance(images, int) else [])) or "–"


def _chips(record: Any) -> str:
    if runs_of := record.get("runs"):
        return ", ".join(dict.fromkeys(str(run.chip) for run in runs_of))
    first = record.get("first_chip")
    if first is not None:
        return f"{first} to {first + record.chips - 1}"
    if record.get("draws") is not None:
        return f"{record.draws} draws from {record.seed}"
    chip = record.get("chip", record.get("seed"))
    return "–" if chip is None else str(chip)


def _verdict(record: Any) -> str:
    match record:
        case RunReport(ok=None):
            return "nothing compared"
        case RunReport():
            return _mark(record.ok, "as the model says", "differs from the model or golden")
        case ModelReport() if record.model_checked:
            return _mark(
                not record.model_mismatches, "as itself row by row", "differs from itself row by row"
            )
        case RtlMapReport():
            return _mark(not record.differences, "as the model says", "differs from the model")
        case CampaignReport():
            return _mark(not record.silent, "no silent fault", f"{len(record.silent)} silent faults")
        case BenchReport():
            return _mark(
                record.prefetch_cost <= record.prefetch_cost_limit, "within the limit", "over the limit"
            )
    if runs_of := record.get("runs"):
        return _mark(all(run.ok for run in runs_of), "as the model says", "differs from the model or golden")
    return "done"


def _mark(good: bool | None, yes: str, no: str) -> str:
    return f"✓ {yes}" if good else f"✗ {no}"


def _seconds(record: Any) -> str:
    wall_s = record.get("wall_s", record.get("seconds"))
    return "–" if wall_s is None else f"{wall_s:,.1f} s"


def versions(results: Sequence[Result]) -> list[Table]:
    """One column where all files agree."""
    found = {result.name: _of_versions(result.record) for result in results}
    found = {name: versions for name, versions in found.items() if versions}
    if not found:
        return []
    names = list(dict.fromkeys(name for versions in found.values() for name in versions))
    if all(versions == next(iter(found.values())) for versions in found.values()):
        columns = [("version", next(iter(found.values())))]
    else:
        columns = list(found.items())
    rows = [[name, *(versions.get(name, "–") for _, versions in columns)] for name in names]
    return [
        Table(caption="Versions that the results depend on", heads=["", *(c for c, _ in columns)], rows=rows)
    ]


def _of_versions(record: Any) -> dict[str, str]:
    runs_of = record.get("runs") or []
    rtl = record.get("rtl")
    inner = [*runs_of, *([rtl] if rtl else [])]
    return dict(record.get("versions") or (inner[0].versions if inner else {}))
