"""What an inference on the model alone gives, as a record."""

from __future__ import annotations

from typing import Any, Literal

from bridgebnn.records import Record

__all__ = ["Differences", "ModelReport"]


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
    golden_mismatches : int
        Images that differ from golden.
    differences : Differences
        The same in detail.
    model_mismatches, model_checked : int
        Images that differ when they are read row by row, and how many were.
    golden_images_per_s : float
    programming : dict
        ``preloaded``, and what programming counted.
    mapping : dict
        Cells and rows in use, and each layer.
    state : str
        Hash over all devices.
    wall_s : float
    versions : dict of str
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
    golden_mismatches: int
    differences: Differences
    model_mismatches: int
    model_checked: int
    golden_images_per_s: float
    programming: dict[str, Any]
    mapping: dict[str, Any]
    state: str
    wall_s: float
    versions: dict[str, str]
