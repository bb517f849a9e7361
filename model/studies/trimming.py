"""Errors that all rows of a tile share against errors of each decision, and what trimming does to either.

Two kinds of the same spread: a *fixed* offset, one normal number per tile for good, and a *drawn* one, a normal number
per decision. Everything else of the neuron is that of the default macro (``NeuronParams``), devices and bridges are
ideal, so that nothing but the comparator errs. A network is run on chips of either kind, before and after trimming
(``bridgebnn.model.flows.trim``). [ours]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.flows import inference
from bridgebnn.model.flows.trim import SelfTest, measured, self_tests, trimmed
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.parameters.device_params import DeviceParams
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from bridgebnn.records import Document, Record

__all__ = ["KINDS", "TrimPoint", "TrimReport", "macro_of", "repeated_error", "trimming"]

KINDS = ("fixed", "drawn")
"""One number per tile, or one per decision."""


class TrimPoint(Record, frozen=True, kw_only=True):
    """Chips of one kind and spread.

    Parameters
    ----------
    kind : "fixed" or "drawn"
    sigma_V : float
    counts : float
        The same in counts of dV.
    before, after : list of float
        Accuracy of each chip.
    left : list of float
        What the self-tests leave of each chip's offsets: largest over its tiles, counts, without sign.
    wrong_before, wrong_after : float
        Share of the hidden bits that differ from golden, over all chips.
    """

    kind: str
    sigma_V: float
    counts: float
    before: list[float]
    after: list[float]
    left: list[float]
    wrong_before: float
    wrong_after: float


class TrimReport(Document, frozen=True, kw_only=True):
    """Fixed and drawn errors of the comparator, before and after trimming: ``bridgebnn model trim``.

    Parameters
    ----------
    preset, network, data : str
    combine : str
    images, patterns : int
        Images of the accuracy, patterns of a self-test.
    chips : list of int
        Seeds.
    golden_accuracy : float
    points : list of TrimPoint
    wall_s : float
    versions : dict of str
    """

    preset: str
    network: str
    data: str
    combine: str
    images: int
    patterns: int
    chips: list[int]
    golden_accuracy: float
    points: list[TrimPoint]
    wall_s: float
    versions: dict[str, str]


def macro_of(kind: str, sigma_V: float) -> MacroParams:
    """Ideal devices and bridges beside a neuron with this offset.

    Raises
    ------
    ValueError
        No such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: must be one of {', '.join(KINDS)}")
    neuron = NeuronParams()
    if kind == "fixed":
        neuron = replace(neuron, offset_sigma_V=sigma_V)
    else:
        both = float(np.hypot(neuron.noise_V, sigma_V))
        neuron = replace(neuron, offset_sigma_V=0.0, injection_sigma_V=0.0, noise_V=both)
    return MacroParams(name=kind, device=DeviceParams.ideal(), bridge=BridgeParams.ideal(), neuron=neuron)


def trimming(
    mapping: Mapping,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    *,
    sigmas_V: Sequence[float],
    chips: Sequence[int],
    patterns: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[TrimPoint]:
    """All kinds at all spreads.

    Parameters
    ----------
    mapping : Mapping
    images : {0, 1}, (n, n_in)
    labels : int, (n,)
    sigmas_V : sequence of float
    chips : sequence of int
        Seeds; the same chips serve everywhere.
    patterns : int
        Of a self-test.
    progress : callable, optional
        ``progress(chips done, of how many)``.
    """
    golden, tests = Golden(mapping.network)(images), self_tests(mapping, patterns)
    first = Array(mapping.geometry, macro_of("fixed", 0.0), 0)
    inference.load(mapping, first)
    points: list[TrimPoint] = []
    total = len(KINDS) * len(sigmas_V) * len(chips)
    for kind in KINDS:
        for sigma_V in sigmas_V:
            params, seen, done = macro_of(kind, sigma_V), [], len(points) * len(chips)
            for number, chip in enumerate(chips, start=1):
                seen.append(_one(mapping, first.sibling(params, chip), images, labels, tests, golden.hidden))
                if progress is not None:
                    progress(done + number, total)
            before, after, left, wrong_before, wrong_after = (
                list(column) for column in zip(*seen, strict=True)
            )
            points.append(
                TrimPoint(
                    kind=kind,
                    sigma_V=sigma_V,
                    counts=sigma_V / first.lsb_V(0),
                    before=before,
                    after=after,
                    left=left,
                    wrong_before=float(np.mean(wrong_before)),
                    wrong_after=float(np.mean(wrong_after)),
                )
            )
    return points


def _one(
    mapping: Mapping,
    chip: Array,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    tests: Sequence[SelfTest],
    hidden: Sequence[NDArray[np.uint8]],
) -> tuple[float, float, float, float, float]:
    """Accuracy before and after, what is left of the offsets, and shares of wrong hidden bits, of one chip."""
    found = []
    offsets = measured(tests, chip)
    for held in (mapping, trimmed(mapping, offsets)):
        result = inference.run(held, chip, images)
        bits = [np.mean(a != b) for a, b in zip(result.hidden, hidden, strict=True)]
        found.append((float(np.mean(result.classes == labels)), float(np.mean(bits))))
    left = max(abs(chip.neuron(tile).offset - round(offset)) for tile, offset in offsets.items())
    return found[0][0], found[1][0], left, found[0][1], found[1][1]


def repeated_error(distance: NDArray[np.integer], sigma: float, reads: int, kind: str) -> NDArray[np.float64]:
    """Probability that the majority of ``reads`` decisions of one neuron errs, over chips.

    Parameters
    ----------
    distance : int
        Counts from the threshold, of a neuron with an odd number of cells: dV is half a count more.
    sigma : float
        Spread in counts.
    reads : int, odd
        Of a fixed offset the number changes nothing.
    """
    from scipy.special import ndtr  # slow to load
    from scipy.stats import binom

    once = ndtr(-(np.asarray(distance) + 0.5) / sigma)
    return once if kind == "fixed" else np.asarray(binom.sf(reads // 2, reads, once), np.float64)
