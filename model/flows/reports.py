"""What an inference on the model alone gives, as a record."""

from __future__ import annotations

from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Table

from bridgebnn.model.macro.events import EnergyReport
from bridgebnn.model.macro.program_events import ProgramEnergy
from bridgebnn.records import Record

from .transistors import TransistorReport

__all__ = ["Differences", "ModelReport", "WrongImage", "energy_table", "program_energy_table"]


class Differences(Record, frozen=True, kw_only=True):
    """Where two evaluations of the same images disagree.

    Parameters
    ----------
    hidden : list of int
        Bits, by layer.
    scores, classes : int
    images : int
        Images with any of them.
    """

    hidden: list[int]
    scores: int
    classes: int
    images: int


class WrongImage(Record, frozen=True, kw_only=True):
    """An image that the chip got wrong: its answer is not the label, or not that of golden.

    Parameters
    ----------
    image : int
        Its number, from 0.
    label : int, optional
    answer, golden : int
        Classes that the chip and golden gave.
    scores : list of int
        Of the chip, one per class; empty where they were not kept.
    shape : list of int
        Of the image: (pixels,), (height, width) or (height, width, channels).
    pixels : str
        Values 0..255 as the network was shown them, row by row, channel last, in base64.
    """

    image: int
    label: int | None = None
    answer: int
    golden: int
    scores: list[int] = []
    shape: list[int]
    pixels: str


class ModelReport(Record, frozen=True, kw_only=True):
    """A network on a modelled chip, without the RTL: ``bridgebnn model infer``.

    Parameters
    ----------
    schema_version : int
        Changes when a field goes or changes its meaning.
    preset, network, macro : str
        ``preset`` is "fitted" where the chip was made for the network.
    host_layers : list of str
        Layers of the network that the host evaluates, not the chip.
    combine : "ADD" or "VOTE"
    chip : int
        Seed of the chip.
    images : int
    data, binarize : str
        Where the images come from; the network's rule from values to bits.
    accuracy, golden_accuracy : float, optional
        0..1, where there are labels.
    classes : list of int
        One per image.
    labels : list of int, optional
    wrong : list of WrongImage
        The first of those whose answer is not the label, or not that of golden.
    golden_mismatches : int
        Images that differ from golden.
    differences : Differences
        The same in detail.
    model_mismatches, model_checked : int
        Images that differ when they are read row by row, and how many were.
    golden_images_per_s : float
    programming : dict
        ``preloaded``, and what programming counted.
    trimmed : dict of float, optional
        Offsets that self-tests found, in counts by tile, and that the reference took back.
    mapping : dict
        Cells and rows in use, and each layer.
    energy : EnergyReport, optional
        What the inferences cost.
    transistors : TransistorReport, optional
        Of macro spice: every read beside the model, those of programming and of the check row by row included.
    state : str
        Hash over all devices.
    wall_s : float
    versions : dict of str
    command : str, optional
        Command line that gives this report.
    """

    schema_version: Literal[1] = 1
    preset: str
    network: str
    macro: str
    host_layers: list[str] = []
    combine: Literal["ADD", "VOTE"]
    chip: int
    images: int
    data: str
    binarize: str
    accuracy: float | None = None
    golden_accuracy: float | None = None
    classes: list[int] = []
    labels: list[int] | None = None
    wrong: list[WrongImage] = []
    golden_mismatches: int
    differences: Differences
    model_mismatches: int
    model_checked: int
    golden_images_per_s: float
    programming: dict[str, Any]
    trimmed: dict[str, float] | None = None
    mapping: dict[str, Any]
    energy: EnergyReport | None = None
    transistors: TransistorReport | None = None
    state: str
    wall_s: float
    versions: dict[str, str]
    command: str | None = None


def energy_table(report: EnergyReport) -> Table:
    """Energy of an inference by part, for people."""
    table = Table(title=f"energy of an inference, mean of {report.inferences:,}", box=SIMPLE)
    for name in ("part", "nJ", "share", "fJ/operation"):
        table.add_column(name, justify="left" if name == "part" else "right")
    operations = report.events.operations / report.inferences
    for name in report.parts:
        joule = report.parts[name]
        label = name.removesuffix("_J").replace("_", " ")
        share = joule / report.per_inference_J
        table.add_row(label, f"{joule * 1e9:,.3f}", f"{share:.1%}", f"{joule / operations * 1e15:.3f}")
    table.add_row("all", f"{report.per_inference_J * 1e9:,.3f}", "", f"{report.per_operation_J * 1e15:.3f}")
    table.add_row("TOPS/W", f"{report.tops_per_w:.1f}", "", "")
    table.add_row("TOPS/W of the macro", f"{report.macro_tops_per_w:.1f}", "", "")
    return table


def program_energy_table(energy: ProgramEnergy, bridges: int) -> Table:
    """Energy of programming by part, for people."""
    table = Table(title="energy of programming", box=SIMPLE)
    for name in ("part", "nJ", "share", "pJ/bridge"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for name in energy:
        label, joule = name.removesuffix("_J").replace("_", " "), energy[name]
        share = joule / energy.total_J if energy.total_J else 0.0
        table.add_row(label, f"{joule * 1e9:,.1f}", f"{share:.1%}", f"{joule / max(bridges, 1) * 1e12:,.1f}")
    table.add_row(
        "all", f"{energy.total_J * 1e9:,.1f}", "", f"{energy.total_J / max(bridges, 1) * 1e12:,.1f}"
    )
    return table
