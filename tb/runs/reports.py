"""What a run gives: reports, the same in Python and as JSON.

``schema_version`` changes when a field goes or changes its meaning; new fields alone leave it. None stands for
what a run of this kind does not have.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bridgebnn.model.flows.reports import WrongImage
from bridgebnn.model.flows.transistors import TransistorReport
from bridgebnn.model.macro.events import EnergyReport
from bridgebnn.model.macro.program_events import ProgramEnergy, ProgramEvents
from bridgebnn.records import Record

__all__ = [
    "AgentCounts",
    "CampaignChunk",
    "ControllerReport",
    "ModelProgramming",
    "MutantsReport",
    "Part",
    "ProgramRunReport",
    "Programming",
    "RegistersReport",
    "Repaired",
    "Report",
    "RowsReport",
    "RunReport",
    "ScenariosReport",
    "chip_differences",
    "verdict",
]


class Report(Record, frozen=True, kw_only=True):
    """What every report has.

    Parameters
    ----------
    schema_version : int
    sim : str
        The simulator.
    build_s : float
        Time that building took, 0 from the cache.
    log : str
        Path of the simulator's whole output.
    versions : dict of str
        Of what the result depends on.
    command : str, optional
        Command line that gives this report; None where Python code made it.
    """

    schema_version: Literal[1] = 1
    sim: str = ""
    build_s: float = 0.0
    log: str = ""
    versions: dict[str, str] = {}
    command: str | None = None


class Repaired(Record, frozen=True, kw_only=True):
    """What repair did to a chip.

    Parameters
    ----------
    columns : list of (tile, spare, column)
        Spare columns in use.
    rows : list of (spare, row)
    moved_neurons : int
    wrong_cells : int
        Cells that stay wrong.
    passes : int
        Runs over the rows of the chip.
    """

    columns: list[list[int]]
    rows: list[list[int]]
    moved_neurons: int
    wrong_cells: int
    passes: int


class Programming(Record, frozen=True, kw_only=True):
    """How the chip came into its state.

    Parameters
    ----------
    how : "bus" or "preload"
    pulses, verify_reads, failures, failed_rows : int
        As the controller counts them.
    cycles : int
        Clock cycles, those of the host's bus accesses included.
    wall_s, cpu_s : float
        *cpu_s*: processor time, of all parts of a run together.
    repair : Repaired, optional
    """

    how: Literal["bus", "preload"]
    pulses: int
    verify_reads: int
    failures: int
    failed_rows: int
    cycles: int
    wall_s: float
    cpu_s: float = 0.0
    repair: Repaired | None = None


class ModelProgramming(Record, frozen=True, kw_only=True):
    """The same by the model alone, on a second chip of the same seed.

    Parameters
    ----------
    equal : bool, optional
        Counts and log are as the host saw them, pass by pass. None for a preloaded chip, which has no counts.
    pulses, verify_reads, failures, failed_rows : int
    differ : list of str
        State of the devices in which the two chips differ.
    """

    equal: bool | None = None
    pulses: int = 0
    verify_reads: int = 0
    failures: int = 0
    failed_rows: int = 0
    differ: list[str] = []


class AgentCounts(Record, frozen=True, kw_only=True):
    """What the macro's side counted on the pins.

    Parameters
    ----------
    pulses, verifies : int
    row_reads : int
        Evaluate strobes; SEARCH has several per row read.
    inferring : int
        Those of the inference.
    """

    pulses: int
    verifies: int
    row_reads: int
    inferring: int = 0


class Part(Record, frozen=True, kw_only=True):
    """One process of a run that was split, each with images of its own.

    Parameters
    ----------
    before : int
        Number of its first image.
    images : int
    cycles : int
        Of its inference.
    wall_s, cpu_s : float
        Of its inference.
    log : str
        Path of its simulator's whole output.
    """

    before: int
    images: int
    cycles: int
    wall_s: float
    cpu_s: float
    log: str


class RunReport(Report, frozen=True, kw_only=True):
    """A network that ran on the RTL.

    Parameters
    ----------
    preset : str, optional
    network : str
    data : str, optional
        File of the images, where they came from one.
    binarize : str, optional
        The network's rule from values to bits.
    attach : str
    macro : str
        Name of the parameter set.
    ideal : bool
        Its values are those of the ideal macro: golden must come out.
    host_layers : list of str
        Layers of the network that the host evaluated, not the chip.
    chip, seed : int
        Seed of the chip; seed of the testbench.
    waves : str, optional
        The file.
    ok : bool, optional
        Everything is as the macro explains it, see `verdict`. None where nothing was compared.
    images : int
    compared : int, optional
        Observations on the pins that were compared: per image the inputs of every layer, and the result.
    accuracy, golden_accuracy : float, optional
        0..1, where there are labels.
    classes : list of int
        One per image.
    labels : list of int, optional
    wrong : list of WrongImage
        The first of those whose answer is not the label, or not that of golden.
    scores : list of lists of int, optional
        (image, output); None with ``keep_scores = false``.
    golden_scores : the same, optional
        From `run_layers`.
    golden_mismatches, model_mismatches : int, optional
        Hidden bits, scores and classes that differ from golden, or from the model alone; of the model also
        each thing of the chip that differs (its state, its read numbers, what programming counted).
    golden_first, model_first : str, optional
        The first of them.
    golden_images, model_images : int, optional
        Images with any.
    state_equal, state_equal_after : bool, optional
        The devices are as in the model alone, after programming and at the end.
    read_numbers_equal : bool
    trimmed : dict of float, optional
        Offsets that self-tests on the RTL found, in counts by tile, and that the reference took back.
    trim_equal : bool, optional
        The model alone finds the same.
    energy : EnergyReport, optional
        What the inferences cost: events from the pins and the controller's counters, priced as the model's.
    energy_equal : bool, optional
        The model alone counts the same events, but for what the controller waited.
    energy_waits_cyc : int
        Cycles that PERF_READ and PERF_BUSY count beyond what the reads need: late comparators, results taken late.
    bus_polls : int
        Bus accesses during INFER beside those of inputs and results; not part of the energy.
    programming : Programming
    model_programming : ModelProgramming, optional
    agent : AgentCounts, optional
    transistors : TransistorReport, optional
        Of macro spice: every read of the run, read-backs of programming included, beside the model.
    busy_cycles : int
        Of the controller.
    cycles_per_image : float
        Of these.
    row_reads, read_cycles, cycles : int
        Of the inference.
    cycles_per_s, row_reads_per_s : float
        By the clock on the wall.
    wall_s, cpu_s : float
        Of the inference: of several processes the longest time, and the sum.
    parts : list of Part
        The processes, where there were several.
    """

    preset: str | None = None
    network: str = ""
    data: str | None = None
    binarize: str | None = None
    attach: str
    macro: str
    ideal: bool
    host_layers: list[str] = []
    chip: int
    seed: int
    waves: str | None = None
    ok: bool | None = None
    images: int
    compared: int | None = None
    accuracy: float | None = None
    golden_accuracy: float | None = None
    classes: list[int]
    labels: list[int] | None = None
    wrong: list[WrongImage] = []
    scores: list[list[int]] | None = None
    golden_scores: list[list[int]] | None = None
    golden_mismatches: int | None = None
    golden_first: str | None = None
    golden_images: int | None = None
    model_mismatches: int | None = None
    model_first: str | None = None
    model_images: int | None = None
    state_equal: bool | None = None
    state_equal_after: bool | None = None
    read_numbers_equal: bool = True
    trimmed: dict[str, float] | None = None
    trim_equal: bool | None = None
    energy: EnergyReport | None = None
    energy_equal: bool | None = None
    energy_waits_cyc: int = 0
    bus_polls: int = 0
    programming: Programming
    model_programming: ModelProgramming | None = None
    agent: AgentCounts | None = None
    transistors: TransistorReport | None = None
    busy_cycles: int = 0
    cycles_per_image: float
    row_reads: int
    read_cycles: int
    cycles: int
    cycles_per_s: float
    row_reads_per_s: float
    wall_s: float
    cpu_s: float
    parts: list[Part] = []

    def __post_init__(self) -> None:
        super().__post_init__()
        ok = verdict(ideal=self.ideal, golden=self.golden_mismatches, model=self.model_mismatches)
        msgspec.structs.force_setattr(self, "ok", ok)


def chip_differences(report: RunReport) -> list[str]:
    """In what the chip itself differs from the model alone; each is one of ``model_mismatches``, too."""
    if report.model_mismatches is None:
        return []
    checks = ("state_equal", "state_equal_after", "read_numbers_equal", "trim_equal", "energy_equal")
    wrong = [name for name in checks if report[name] is False]
    programming = report.model_programming
    return wrong + (["programming"] if programming is not None and programming.equal is False else [])


def verdict(*, ideal: bool, golden: int | None, model: int | None) -> bool | None:
    """Whether the mismatches are what the macro explains: none against the model; ideal: nor against golden."""
    if model is None or golden is None:
        return None
    return model == 0 and (golden == 0 or not ideal)


class ScenariosReport(Report, frozen=True, kw_only=True):
    """How bad input and bad hardware ended.

    Parameters
    ----------
    outcomes : dict of str
        By scenario: "ok", or what was wrong.
    """

    outcomes: dict[str, str]


class ProgramRunReport(Report, frozen=True, kw_only=True):
    """A chip that was programmed through the RTL.

    Parameters
    ----------
    pulses, verify_reads, failures, failed_rows : int
        As the controller counts them.
    cycles, busy_cycles : int
        With the host's bus accesses, and in commands alone.
    rows : int
    failed : list of (tile, row, column, side, op)
    listed_rows : int
        Rows that the log or a read-back mismatch names.
    unlisted_rows : list of (tile, row)
        Rows neither verified nor listed: must be none.
    state : str
        Hash over all devices.
    events : ProgramEvents
        What costs energy, as the agent saw it on the pins.
    energy : ProgramEnergy
        Its energy by part; the controller's from ``busy_cycles``.
    """

    pulses: int
    verify_reads: int
    failures: int
    failed_rows: int
    cycles: int
    busy_cycles: int
    rows: int
    failed: list[list[int]]
    listed_rows: int
    unlisted_rows: list[list[int]]
    state: str
    events: ProgramEvents = ProgramEvents()
    energy: ProgramEnergy | None = None


class CampaignChunk(Report, frozen=True, kw_only=True):
    """Faults that one process put in.

    Parameters
    ----------
    records : list of dict
        One per fault, as ``bridgebnn.tb.campaign.scenarios`` makes them.
    """

    records: list[dict[str, Any]]


class RegistersReport(Report, frozen=True, kw_only=True):
    """The register walk.

    Parameters
    ----------
    sent, compared : int
        Bus accesses.
    terminations : int
        Ends of accesses that the monitor saw.
    """

    sent: int
    compared: int
    terminations: int


class ControllerReport(Report, frozen=True, kw_only=True):
    """What a testbench on the bare controller compared; it raises at the first thing that differs.

    Parameters
    ----------
    compared : dict of int
        How often, by subject.
    """

    compared: dict[str, int]


class CoverageRunReport(Report, frozen=True, kw_only=True):
    """What the tests took; what each hit is in a file of the job's folder.

    Parameters
    ----------
    seconds : dict of float
        Processor time of each test.
    """

    seconds: dict[str, float]


class MutantsReport(Report, frozen=True, kw_only=True):
    """What the tests took; what became of each mutant is in the job's file of outcomes.

    Parameters
    ----------
    seconds : dict of float
        Processor time of each test of the controller as it is.
    """

    seconds: dict[str, float]


class RowsReport(Report, frozen=True, kw_only=True):
    """What was seen of row commands.

    Parameters
    ----------
    pins : list of str
        Names of the pins in each record's ``trace``.
    records : list of dict
        One per step: ``trace`` (``[cycle, values]`` of every cycle in which a pin moved), and what the registers said.
    """

    pins: list[str]
    records: list[dict[str, Any]]
