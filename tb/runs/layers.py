"""Your weights and your vectors through the RTL: the shortest way from arrays to a checked report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.golden import check_bits, forward
from bridgebnn.model.networks.network import Network, NetworkError
from bridgebnn.model.options import CHIP
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.names import options_named
from bridgebnn.tb.agents.misbehaviour import MacroFaults

from .jobs import Gaps, InferJob
from .reports import RunReport
from .runner import infer

__all__ = ["network_of", "run_layers"]


@options_named
def run_layers(
    weights: Sequence[ArrayLike],
    vectors: ArrayLike,
    *,
    thresholds: Sequence[ArrayLike] | None = None,
    inputs: int | None = None,
    bias: int = 2,
    sim: Literal["icarus", "verilator"] = "icarus",
    attach: Literal["prefetch", "strobe"] = "prefetch",
    macro: str | MacroParams = "ideal",
    chip: int = CHIP,
    program: Literal["bus", "preload"] = "bus",
    seed: int = 1,
    labels: Sequence[int] | None = None,
    timing: Timing | None = None,
    combine: Combine = Combine.ADD,
    final_mode: ReadMode = ReadMode.COUNT,
    waves: str | Path | None = None,
    waves_program: bool = False,
    waves_tile: int = 0,
    waves_column: int = 0,
    repair: bool = False,
    broken_lines: Sequence[str] = (),
    faults: MacroFaults | None = None,
    bus_gaps: Gaps = "none",
    push_gaps: Gaps = "none",
    pop_gaps: Gaps = "none",
    verilog: str | Path | None = None,
    jobs: int = 1,
    show: Callable[[dict[str, Any]], None] | None = None,
    timeout_s: float = math.inf,
) -> RunReport:
    """Run layers given as arrays on the RTL, and compare with golden and with the model.

    All layers but the last give signs, the last one scores (2*popcount - n, so the dot product, less its
    threshold).

    Parameters
    ----------
    weights : sequence of (n_out, n_in) integers, -1 and +1
        One matrix per layer.
    vectors : (batch, n_in) of 0 and 1
        Bit 1 is +1.
    thresholds : sequence of (n_out,) numbers, optional
        One per layer. A neuron's bit is 1 where its dot product is at least its threshold; 0 by default. Real
        numbers are rounded up, which changes no bit; those of the last layer must be whole.
    inputs : int, optional
        Input columns of a tile; by default the widest layer's. Wider layers are split over tiles.
    bias : int
        Bias columns of a tile.
    sim, attach, macro, chip, program, seed, labels, timing, combine, final_mode, waves, waves_program, waves_tile, \
    waves_column, repair, broken_lines, faults, bus_gaps, push_gaps, pop_gaps, verilog
        As fields of `bridgebnn.tb.runs.jobs.InferJob`.
    jobs : int
        Simulator processes, as of `bridgebnn.tb.runs.runner.infer`.
    show : callable, optional
        Gets progress records.
    timeout_s : float
        Wall-clock limit. Without one, a run ends when it shows no progress for 120 s.

    Returns
    -------
    RunReport
        With ``golden_scores`` beside ``scores``.

    Raises
    ------
    ValueError
        Input that is not legal, with the value and what is; of an option that does not exist also a TypeError.
    bridgebnn.tb.simulators.SimulationError
        The run did not end well.
    """
    network = network_of(weights, thresholds)
    job = InferJob.from_dict(
        {
            "network": network,
            "geometry": _geometry(network, inputs, bias),
            "images": check_bits(_array("vectors", vectors, 2, "(batch, n_in)"), network.n_in, "vectors"),
            "labels": labels,
            "timing": timing,
            "combine": combine,
            "final_mode": final_mode,
            "sim": sim,
            "attach": attach,
            "macro": macro,
            "chip": chip,
            "program": program,
            "seed": seed,
            "waves": waves,
            "waves_program": waves_program,
            "waves_tile": waves_tile,
            "waves_column": waves_column,
            "repair": repair,
            "broken_lines": broken_lines,
            "faults": faults or MacroFaults(),
            "bus_gaps": bus_gaps,
            "push_gaps": push_gaps,
            "pop_gaps": pop_gaps,
            "verilog": verilog,
        }
    )
    report = infer(job, jobs=jobs, show=show, timeout_s=timeout_s)
    return report.replace(golden_scores=forward(network, job.images).scores)


def network_of(weights: Sequence[ArrayLike], thresholds: Sequence[ArrayLike] | None = None) -> Network:
    """Fully connected layers as a network: all give signs, the last one scores.

    Raises
    ------
    ValueError
        Names layer, value and what is legal.
    """
    count = _count("weights", weights)
    if count == 0:
        raise ValueError("weights hold no layer: at least one matrix (n_out, n_in) is needed")
    if thresholds is not None and (entries := _count("thresholds", thresholds)) != count:
        raise ValueError(f"thresholds have {entries} entries: must be one per layer, {count}")
    layers = []
    for index in range(count):
        matrix = _array(f"weights[{index}]", weights[index], 2, "(n_out, n_in)")
        given: ArrayLike = np.zeros(len(matrix), int) if thresholds is None else thresholds[index]
        values = _array(f"thresholds[{index}]", given, 1, "(n_out,)")
        try:
            layers.append(
                Dense(
                    weights=matrix,
                    thresholds=values[None],
                    polarity=np.ones((1, len(matrix)), np.int8),
                    group_sizes=np.array([matrix.shape[1]]),
                    combine=Combine.ADD,
                    output="score" if index == count - 1 else "sign",
                )
            )
        except NetworkError as error:
            raise NetworkError(f"layer {index}: {error}") from None
    return Network(name="layers", operations=tuple(layers), meta={})


def _count(name: str, value: Any) -> int:
    try:
        return len(value)
    except TypeError:
        raise ValueError(f"{name} = {value!r:.60}: must be a sequence, one entry per layer") from None


def _array(name: str, value: ArrayLike, dimensions: int, shape: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: rows of different lengths, must be an array {shape}") from None
    if array.ndim != dimensions:
        raise ValueError(f"{name} has shape {array.shape}: must be {shape}")
    return array


def _geometry(network: Network, inputs: int | None, bias: int) -> Geometry:
    """The smallest chip that holds the network on tiles of ``inputs`` columns."""
    layers = network.operations
    width = max(layer.n_in for layer in layers) if inputs is None else inputs
    rows = sum(layer.n_out for layer in layers)
    plain = Geometry(inputs=width, bias=bias)  # these two are checked before they are used
    return Geometry(
        tiles=max(-(-layer.n_in // plain.inputs) for layer in layers),
        rows=rows,
        inputs=width,
        bias=bias,
        thresholds=max(64, rows),
        layers=max(8, len(layers)),
        scores=max(16, layers[-1].n_out),
    )
