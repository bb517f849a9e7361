"""Write the JSON Schemas of jobs and reports: what `--job` takes, and what `--json` gives."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from bridgebnn.command_line import output_folder
from bridgebnn.model.flows.reports import ModelReport
from bridgebnn.model.studies.energy import EnergyStudyReport
from bridgebnn.model.studies.error_fit import ErrorFitReport
from bridgebnn.model.studies.error_physics import ErrorModelReport
from bridgebnn.model.studies.error_sweep import SweepReport
from bridgebnn.model.studies.measured_devices import DevicesReport
from bridgebnn.model.studies.montecarlo_report import MonteCarloReport
from bridgebnn.model.studies.reports import (
    ImmunityReport,
    MapReport,
    ProgramConditionsReport,
    ReadConditionsReport,
)
from bridgebnn.model.studies.trimming import TrimReport
from bridgebnn.records import Document, Record
from bridgebnn.schemas import write_schemas
from bridgebnn.tb.runs import jobs, reports, summaries

__all__ = ["RECORDS", "add_arguments", "run"]


def _kinds(module: ModuleType, base: type[Record]) -> list[type[Record]]:
    offered = (getattr(module, name) for name in module.__all__)
    return [k for k in offered if isinstance(k, type) and issubclass(k, base) and k is not base]


RECORDS: tuple[type[Record], ...] = (
    *_kinds(jobs, jobs.Job),
    *_kinds(reports, reports.Report),
    ModelReport,
    SweepReport,
    ImmunityReport,
    ReadConditionsReport,
    ProgramConditionsReport,
    MapReport,
    *_kinds(summaries, Document),
    MonteCarloReport,
    EnergyStudyReport,
    ErrorModelReport,
    ErrorFitReport,
    TrimReport,
    DevicesReport,
)
"""Every kind of job and report."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``schemas``."""
    parser.add_argument(
        "--out",
        type=output_folder,
        default=Path("build/schemas"),
        metavar="DIR",
        help="where to write (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    for path in write_schemas(RECORDS, arguments.out):
        print(path)
    return 0
