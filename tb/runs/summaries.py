"""What several runs give together: the JSON files of ``bench``, ``demo``, ``campaign`` and ``program``."""

from __future__ import annotations

from typing import Any

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.studies.reports import ChipMapSummary
from bridgebnn.records import Document, Record

from .reports import ProgramRunReport, RunReport

__all__ = [
    "BenchProgramming",
    "BenchReport",
    "BenchRun",
    "CampaignReport",
    "CoverageReport",
    "DemoReport",
    "MutationReport",
    "RtlMapReport",
]


class BenchRun(Record, frozen=True, kw_only=True):
    """One simulator with one attachment: the best of its repeats, by processor time unless it says wall."""

    sim: str
    macro: str
    attach: str
    images: int
    cycles_per_s: float
    row_reads_per_s: float
    cycles_per_wall_s: float
    row_reads_per_wall_s: float
    cpu_s: float
    wall_s: float
    cost: float
    cost_over_pattern: float
    cpu_s_per_image: list[float]
    build_s: float


class BenchProgramming(Record, frozen=True, kw_only=True):
    """A chip of small tiles programmed over the bus on Verilator, attachment prefetch, best of the repeats.

    Parameters
    ----------
    rows, pulses, verify_reads, cycles : int
        *cycles*: those of the host's bus accesses included.
    cpu_s : float
        Processor time of programming: controller, host, agent and physics.
    physics_s : float
        Processor time of the same on the model alone.
    cpu_s_each, physics_s_each : list of float
        Of all repeats.
    """

    rows: int
    pulses: int
    verify_reads: int
    cycles: int
    cpu_s: float
    physics_s: float
    cpu_s_each: list[float]
    physics_s_each: list[float]


class BenchReport(Document, frozen=True, kw_only=True):
    """Speed of simulators, attachments and models: ``bridgebnn tb bench``.

    Parameters
    ----------
    preset : str
    cores : int, optional
        Of the machine.
    simulators : list of BenchRun
    model : dict of float
        Images a second of golden, of float32 matrix products and of the analog model; and processor time of a chip of
        Monte Carlo on 1,000 images over that of its float32 products, by condition.
    prefetch_cost : float
        Share of time that the prefetched physics adds on Verilator, at most.
    prefetch_cost_limit : float
        What it may be.
    programming : BenchProgramming, optional
    """

    preset: str
    cores: int | None
    simulators: list[BenchRun]
    model: dict[str, float]
    prefetch_cost: float
    prefetch_cost_limit: float
    programming: BenchProgramming | None = None


class DemoReport(Document, frozen=True, kw_only=True):
    """The main job on both simulators: ``bridgebnn tb demo``.

    Parameters
    ----------
    wall_s : float
    runs : list of RunReport
    """

    wall_s: float
    runs: list[RunReport]


class MutationReport(Document, frozen=True, kw_only=True):
    """Mutants of controllers, and the tests that noticed them: ``bridgebnn tb mutation``.

    Parameters
    ----------
    geometries : dict of Geometry
        The controllers, by their names.
    seed : int
        Of the choice of mutants.
    tests : list of str
        In the order in which they ran over each mutant, until one noticed.
    simulator : str
    total, killed, equivalent, argued : int
        *equivalent* ones are proven to be so; of *argued* ones that stands in ``docs/mutants.toml``.
    killed_by : dict of int
        Mutants by the test that noticed.
    survived : list of str
        Mutants that nothing noticed, as ``geometry:number``; some may be equivalent without a proof.
    records : list of dict
        One per mutant: geometry, number, module, mode, change, verdict, test, how, seconds.
    seconds : float
        Of the whole run.
    """

    geometries: dict[str, Geometry]
    seed: int
    tests: list[str]
    simulator: str
    total: int
    killed: int
    equivalent: int
    killed_by: dict[str, int]
    survived: list[str]
    records: list[dict[str, Any]]
    argued: int = 0
    seconds: float = 0.0


class CoverageReport(Document, frozen=True, kw_only=True):
    """Points of functional coverage, and the tests that hit them: ``bridgebnn tb coverage``.

    Parameters
    ----------
    geometries : dict of Geometry
        The controllers, by their names.
    simulator : str
    tests : list of str
        Those that ran, as ``geometry/test``.
    total : int
        Points.
    unhit : list of str
        Points that no test hit, that are left out but hit, or that are hit but not declared: must be none.
    records : list of dict
        One per point: group, name, verdict, tests (how often each hit it), reason (why it is left out).
    seconds : float
        Of the whole run.
    """

    geometries: dict[str, Geometry]
    simulator: str
    tests: list[str]
    total: int
    unhit: list[str]
    records: list[dict[str, Any]]
    seconds: float = 0.0


class CampaignReport(Document, frozen=True, kw_only=True):
    """Faults put into chip and controller, and what came of them: ``bridgebnn tb campaign``.

    Parameters
    ----------
    seed : int
        Of all draws.
    total : int
        Faults.
    seconds : float
        Wall time.
    simulators : dict of int
        Faults by simulator.
    cycles, pulses : int
    classes : dict of dict of int
        Counts by class and outcome, and their sums as ``all``.
    states : dict of dict of int
        Interruptions by state and kind.
    missed : list of str
        States in which a reset, an abort or a power loss never struck.
    reporters : dict of dict of int
        Who reported the detected faults of each class.
    first_reports : dict of int
        First report of every detected fault.
    overruled : int
        Rows with broken lines on which PROGRAM_ROW ended in DONE though they were not programmed.
    silent : list of str
        Labels of the faults that nobody noticed: must be none.
    records : list of dict
        One per fault, as ``bridgebnn.tb.campaign.scenarios`` makes them.
    """

    seed: int
    total: int
    seconds: float
    simulators: dict[str, int]
    cycles: int
    pulses: int
    classes: dict[str, dict[str, int]]
    states: dict[str, dict[str, int]]
    missed: list[str]
    reporters: dict[str, dict[str, int]]
    first_reports: dict[str, int]
    overruled: int
    silent: list[str]
    records: list[dict[str, Any]]


class RtlMapReport(ChipMapSummary, frozen=True, kw_only=True):
    """A chip programmed through the RTL, beside the same chip on the model: ``bridgebnn tb program``.

    Parameters
    ----------
    rtl : ProgramRunReport
    differences : list of str
        Between RTL and model: must be none.
    """

    rtl: ProgramRunReport
    differences: list[str]
