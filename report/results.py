"""Files of results, and which command wrote each: told by their fields."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridgebnn.model.flows.reports import ModelReport
from bridgebnn.model.studies.error_physics import ErrorModelReport
from bridgebnn.model.studies.error_sweep import SweepReport
from bridgebnn.model.studies.fan_in import FanInReport
from bridgebnn.model.studies.measured_devices import DevicesReport
from bridgebnn.model.studies.montecarlo_report import MonteCarloReport
from bridgebnn.model.studies.reports import (
    ImmunityReport,
    MapReport,
    ProgramConditionsReport,
    ReadConditionsReport,
)
from bridgebnn.names import UnknownName
from bridgebnn.records import Record, fields
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.summaries import BenchReport, CampaignReport, DemoReport, RtlMapReport

__all__ = ["KINDS", "Result", "load", "of_kind", "runs"]

KINDS: dict[str, type[Record]] = {
    "tb infer": RunReport,
    "tb demo": DemoReport,
    "tb program": RtlMapReport,
    "tb campaign": CampaignReport,
    "tb bench": BenchReport,
    "model infer": ModelReport,
    "model program-map": MapReport,
    "model immunity": ImmunityReport,
    "model sweep": SweepReport,
    "model error-model": ErrorModelReport,
    "model montecarlo": MonteCarloReport,
    "model fan-in": FanInReport,
    "model read-conditions": ReadConditionsReport,
    "model program-conditions": ProgramConditionsReport,
    "model devices": DevicesReport,
}
"""What each command writes."""

ALIKE = 0.6
"""A file is of a kind when it shares at least this part of all fields that either has: then it is told what is wrong
with it, else that it is of no kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What one file holds.

    Parameters
    ----------
    name : str
        As the page calls it: the file, without the folders that all have in common, and of several runs in it, which.
    kind : str
        The command that writes such files, one of `KINDS`.
    record : Record
    key : str
        Begins the identifiers of its pictures on the page.
    folder : Path
        Where the file lies.
    """

    name: str
    kind: str
    record: Any
    key: str = ""
    folder: Path = Path()


def load(paths: Sequence[Path]) -> list[Result]:
    """Read the files of a page.

    Raises
    ------
    ValueError
        One is given twice, or is no JSON, of no kind, or not as its kind says; the message starts with its path.
    """
    whole = [Path(os.path.abspath(path)) for path in paths]
    for at, path in enumerate(whole):
        if path in whole[:at]:
            raise ValueError(f"{paths[at]}: is given twice")
    common = os.path.commonpath([path.parent for path in whole])
    names = [path.relative_to(common).as_posix() for path in whole]
    return [_load(path, name, f"r{at}") for at, (path, name) in enumerate(zip(paths, names, strict=True))]


def _load(path: Path, name: str, key: str) -> Result:
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON: {error}") from None
    kind = _kind(values)
    if kind is None:
        raise ValueError(f"{path}: not a result of a command that a report can show: {', '.join(KINDS)}")
    try:
        return Result(name=name, kind=kind, record=KINDS[kind].from_dict(values), key=key, folder=path.parent)
    except ValueError as error:
        problem = UnknownName if isinstance(error, UnknownName) else ValueError
        raise problem(f"{path}: {error}") from None


def _kind(values: Any) -> str | None:
    """The command whose fields are most like those of the file; None where none is like them."""
    if not isinstance(values, dict):
        return None

    def alike(kind: str) -> float:
        known = set(fields(KINDS[kind]))
        return len(known & set(values)) / len(known | set(values))

    best = max(KINDS, key=alike)
    return best if alike(best) >= ALIKE else None


def of_kind(results: Sequence[Result], *kinds: type[Record]) -> list[Result]:
    """Those whose record is of one of the kinds."""
    return [result for result in results if isinstance(result.record, kinds)]


def runs(results: Sequence[Result]) -> list[Result]:
    """Inferences, on the RTL and on the model alone; the runs of a demo one by one."""
    return list(_runs(results))


def _runs(results: Sequence[Result]) -> Iterator[Result]:
    for result in results:
        if isinstance(result.record, DemoReport):
            for at, run in enumerate(result.record.runs):
                name, key = f"{result.name}, {run.sim}", f"{result.key}-{at}"
                yield Result(name=name, kind="tb infer", record=run, key=key, folder=result.folder)
        elif isinstance(result.record, (RunReport, ModelReport)):
            yield result
