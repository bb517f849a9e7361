"""What the studies give, as records: the JSON files of ``immunity``, ``read-conditions``, ``program-conditions``, maps.

``schema_version`` changes when a field goes or changes its meaning; new fields alone leave it.
"""

from __future__ import annotations

from typing import Any

from bridgebnn.records import Document, Record

from .conditions import FormingPoint, Strength
from .read_conditions import Grid, Limits

__all__ = [
    "ChipMapSummary",
    "Chosen",
    "ErrorRates",
    "Formed",
    "ImmunityReport",
    "MapReport",
    "PopulationMap",
    "ProgramConditionsReport",
    "Programmed",
    "ReadConditionsReport",
    "Region",
    "Sweep",
    "SweepCircuit",
    "Trial",
]


class SweepCircuit(Record, frozen=True, kw_only=True):
    """Accuracy of one circuit at each value of a sweep, 0..1, over the chips: mean, std, min, and of each chip."""

    mean: list[float]
    std: list[float]
    min: list[float]
    chips: list[list[float]]


class Sweep(Record, frozen=True, kw_only=True):
    """One sweep: label of its axis, its values, and the circuits by name."""

    axis: str
    values: list[float]
    circuits: dict[str, SweepCircuit]


class ImmunityReport(Document, frozen=True, kw_only=True):
    """Accuracy of bridge array, ablations and conventional array: ``bridgebnn model immunity``.

    Parameters
    ----------
    network : str
    images, chips : int
        Chips of each point.
    data : str, optional
        File of the images; None: those of MNIST.
    first_chip : int
        Seed of the first chip; the others follow.
    conventional_tile : list of (rows, columns)
    golden_accuracy : float
        0..1.
    sweeps : dict of Sweep
    wall_s : float
    versions : dict of str
    """

    network: str
    images: int
    data: str | None
    chips: int
    first_chip: int
    conventional_tile: list[int]
    golden_accuracy: float
    sweeps: dict[str, Sweep]
    wall_s: float
    versions: dict[str, str]


class Region(Record, frozen=True, kw_only=True):
    """A box of safe read conditions: lowest and highest voltages, the shortest time, and its points."""

    v_read_V: list[float]
    v_wl_V: list[float]
    read_s: float
    points: int


class PopulationMap(Record, frozen=True, kw_only=True):
    """Cell error rates of one population over (v_read, v_wl, read_s), and which points are safe."""

    cells: int
    region: Region | None
    errors: list[list[list[float]]]
    safe: list[list[list[bool]]]


class ReadConditionsReport(Document, frozen=True, kw_only=True):
    """Where reading is safe: ``bridgebnn model read-conditions``.

    Parameters
    ----------
    chip : int
        Seed of the chip.
    grid : Grid
    limits : Limits
    without_stuck : bool
        Cells with a stuck device are left out.
    fall : list of float
        Fall of ln R of the HRS over the reads, by read voltage.
    populations : dict of PopulationMap
    wall_s : float
    versions : dict of str
    """

    chip: int
    grid: Grid
    limits: Limits
    without_stuck: bool
    fall: list[float]
    populations: dict[str, PopulationMap]
    wall_s: float
    versions: dict[str, str]


class ErrorRates(Record, frozen=True, kw_only=True):
    """Cell error rates as ``bridgebnn.model.studies.cell_error.CellErrors``, with their 95 % intervals by name."""

    cells: int
    one_device: float
    pair: float
    bridge: float
    interval: dict[str, list[float]]


class Formed(Record, frozen=True, kw_only=True):
    """A point of the forming sweep (``bridgebnn.model.studies.conditions.FormingPoint``); may it be chosen?"""

    prog_start: int
    prog_step: int
    first_yield: float
    final_yield: float
    attempts_per_phase: float
    energy_per_device_J: float
    time_per_device_s: float
    wear_per_device: float
    failures: int
    devices: int
    eligible: bool


class Programmed(Record, frozen=True, kw_only=True):
    """A point of SET and RESET, as ``bridgebnn.model.studies.conditions.Point``, and what follows from it."""

    strength: Strength
    errors: ErrorRates
    soft_failures: int
    devices: int
    pulses_per_bit: float
    energy_per_bit_J: float
    time_per_bit_s: float
    wear_per_bit: float
    hrs_median_ohm: float
    converges: bool
    eligible: bool


class Trial(Programmed, frozen=True, kw_only=True):
    """The counterpart of a published strength: the published rates, and whether ours lies among them."""

    published: list[float]
    inside_published: bool


class Chosen(Record, frozen=True, kw_only=True):
    """What the study would choose, none where nothing is eligible; are those the reset values?"""

    form: FormingPoint | None
    program: Programmed | None
    are_reset_values: bool


class ProgramConditionsReport(Document, frozen=True, kw_only=True):
    """Conditions of programming compared: ``bridgebnn model program-conditions``.

    Parameters
    ----------
    chip : int
        Seed of the chip.
    devices : str
        Population.
    forming : list of Formed
    grid : list of Programmed
    strengths : list of Trial
        Counterparts of the published strengths.
    differential : dict of float
        Error rate of two devices by that of one.
    chosen : Chosen
    wall_s : float
    """

    chip: int
    devices: str
    forming: list[Formed]
    grid: list[Programmed]
    strengths: list[Trial]
    differential: dict[str, float]
    chosen: Chosen
    wall_s: float


class ChipMapSummary(Document, frozen=True, kw_only=True):
    """A chip that the model programmed.

    Parameters
    ----------
    work : str
        What it was programmed with.
    chip : int
        Seed of the chip.
    devices : str
        Population.
    programming : dict
        What programming counted, and the least.
    failed_devices, failed_stuck : int
        Devices that failed, and those of them that are stuck.
    forming_yield : float
        0..1.
    devices_by_pulses : dict of int
        How many devices took so many pulses.
    cell_errors : ErrorRates
    resistances_ohm : dict of dict of float
        By state and percentile.
    """

    work: str
    chip: int
    devices: str
    programming: dict[str, Any]
    failed_devices: int
    failed_stuck: int
    forming_yield: float
    devices_by_pulses: dict[str, int]
    cell_errors: ErrorRates
    resistances_ohm: dict[str, dict[str, float]]


class MapReport(ChipMapSummary, frozen=True, kw_only=True):
    """A chip programmed on the model alone: ``bridgebnn model program-map``.

    Parameters
    ----------
    wall_s : float
    versions : dict of str
    """

    wall_s: float
    versions: dict[str, str] = {}
