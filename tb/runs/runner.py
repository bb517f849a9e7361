"""From a network and a geometry to a co-simulation: what commands, tests and examples call."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Combine, Geometry, Preset, ReadMode, Timing
from bridgebnn.model.macro.broken_lines import LineFault
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.networks.network import Layer, Network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.paths import PACKAGE, build_root, network_file
from bridgebnn.tb.agents import shell
from bridgebnn.tb.simulators.simulators import Simulation, run

__all__ = ["generated", "infer", "infer_preset", "run_layers", "simulation"]

CONTROLLER = "bridgebnn"
Show = Callable[[dict[str, Any]], None]


def generated(geometry: Geometry, timing: Timing | None = None) -> Path:
    """The controller's Verilog, from the cache where sources and parameters are the same."""
    timing = timing or Timing()
    h = hashlib.sha256(json.dumps([geometry.as_dict(), dataclasses.asdict(timing)]).encode())
    for source in sorted((PACKAGE / "hdl").resolve().rglob("*")):
        if source.suffix in (".py", ".rdl"):
            h.update(source.read_bytes())
    folder = build_root() / "generated" / h.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{CONTROLLER}.v"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            from bridgebnn.hdl.output.verilog import generate  # Amaranth and Yosys are slow to load

            part = folder / "part"
            generate(part, geometry, timing)
            (part / f"{CONTROLLER}.v").replace(target)
    return target


def simulation(
    sim: str, attach: str, geometry: Geometry, verilog: Path, *, comparisons: int = 1, tied: int = 0
) -> Simulation:
    """What is built for one attachment.

    Parameters
    ----------
    comparisons : int
        Most comparisons of a row and vector (1 without SEARCH).
    tied : int
        With ``none``: the controller in the shell, and the comparator tied off there.
    """
    if attach == "prefetch" or tied:
        return Simulation(
            sim=sim,
            top=shell.TOP,
            sources=[shell.SOURCE, verilog],
            parameters=shell.shell_parameters(geometry, comparisons, tied),
            written=[*shell.BUS_WRITTEN, *shell.WRITTEN],
            read=[*shell.BUS_READ, *shell.READ],
        )
    return Simulation(
        sim=sim,
        top=CONTROLLER,
        sources=[verilog],
        written=[*shell.BUS_WRITTEN, "cmp", "cmp_valid", "sl", "hv_ready"],
        read=[*shell.BUS_READ, *shell.MACRO_OUTPUTS],
    )


def infer(
    network: Network | str | Path,
    geometry: Geometry,
    images: np.ndarray,
    *,
    labels: Sequence[int] | None = None,
    timing: Timing | None = None,
    combine: Combine = Combine.ADD,
    final_mode: ReadMode = ReadMode.COUNT,
    sim: str = "icarus",
    attach: str = "prefetch",
    macro: str | MacroParams = "ideal",
    chip: int = 1,
    program: str = "bus",
    seed: int = 1,
    waves: str | Path | None = None,
    tied: int = 0,
    verilog: Path | None = None,
    show: Show | None = None,
    timeout_s: float = 3600.0,
    testbench: str = "bridgebnn.tb.testbenches.infer",
    comparisons: int | None = None,
    plus_args: Sequence[str] = (),
    repair: bool = False,
    broken_lines: Sequence[str] = (),
    **job: Any,
) -> dict[str, Any]:
    """Run a network on the RTL with the macro attached.

    Parameters
    ----------
    network : Network, or the path of its ``.npz``
    geometry : Geometry
    images : {0, 1}, (batch, inputs)
    labels : sequence of int, optional
        For the accuracy.
    combine, final_mode
        As in ``bridgebnn.model.mapping.mapping.map_network``.
    sim : str
        ``icarus`` or ``verilator``.
    attach : str
        ``prefetch``, ``strobe``, or ``none``: comparator tied off, nothing is compared.
    macro : str or MacroParams
        ``ideal``, ``real``, the path of a ``.json`` file, or a parameter set.
    chip : int
        Seed of the chip.
    program : str
        ``bus``: pulses, from an unformed array; ``preload``: devices are put into their states.
    seed : int
        Of everything random in the testbench.
    waves : path, optional
        Waveform file to write, of the inference (and the programming, with ``waves_program=True``); needs
        attachment ``strobe``. ``waves_tile`` and ``waves_column`` choose the neuron and the source line.
    verilog : path, optional
        Another controller than the generated one (tests use broken ones).
    show : callable, optional
        Gets progress records.
    testbench : str
        Module to run over the job.
    comparisons : int, optional
        Comparisons of a row that the shell has room for; by default what the mapping needs.
    plus_args : sequence of str
        Arguments ``+name=value`` of the simulation.
    repair : bool
        After programming, let spares stand in for broken lines and place neurons around scattered failures
        (``bridgebnn.model.flows.repair``), and program what changed, until nothing does. Golden then computes the same
        function with its hidden neurons in that order.
    broken_lines : sequence of str
        Lines of the chip that are broken, as ``bridgebnn.model.macro.broken_lines.LineFault.parse`` takes them. Needs
        ``repair``: the batches of the model alone know only sound lines.
    **job
        Further fields of the job: ``faults``, ``bus_gaps``, ``push_gaps``, ``pop_gaps``, ``sl_rows``,
        ``watch``.

    Returns
    -------
    dict
        Results; see ``bridgebnn.tb.testbenches.infer``.

    Raises
    ------
    bridgebnn.model.mapping.mapping.MappingError, ValueError
        The network does not fit; wrong images.
    bridgebnn.tb.simulators.simulators.SimulationError
        The run did not end well.
    """
    if not isinstance(network, Network):
        network = Network.load(network)
    params = macro if isinstance(macro, MacroParams) else MacroParams.named(macro)
    mapping = map_network(network, geometry, combine=combine, final_mode=final_mode)
    images = np.asarray(images)
    mapping.pack_inputs(images[:1] if len(images) else images)
    if waves is not None and attach != "strobe":
        raise ValueError(f"waves with attachment {attach!r}: the analog nodes need strobe")
    if len(images) == 0:
        raise ValueError("no input vectors: at least one is needed")
    if repair and program != "bus":
        raise ValueError(f"repair with program = {program!r}: what failed is known only after pulses (bus)")
    if broken_lines and not repair:
        raise ValueError("broken lines without repair: the chip cannot hold the network")
    for text in broken_lines:
        LineFault.parse(text).check(geometry)
    build_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_root(), prefix="job-") as folder:
        where = Path(folder)
        network.save(where / "network.npz")
        np.save(where / "inputs.npy", images.astype(np.uint8))
        job |= {
            "comparisons": comparisons,
            "network": str(where / "network.npz"),
            "inputs": str(where / "inputs.npy"),
            "labels": None if labels is None else [int(label) for label in labels],
            "geometry": geometry.as_dict(),
            "timing": dataclasses.asdict(timing or Timing()),
            "combine": int(combine),
            "final_mode": int(final_mode),
            "attach": attach,
            "macro": params.as_dict(),
            "chip": chip,
            "program": program,
            "seed": seed,
            "sim": sim,
            "tied": tied,
            "repair": repair,
            "broken_lines": list(broken_lines),
            "waves": None if waves is None else str(Path(waves).resolve()),
        }
        built = simulation(
            sim,
            attach,
            geometry,
            verilog or generated(geometry, timing),
            comparisons=comparisons or most_comparisons(mapping),
            tied=tied,
        )
        result = run(built, testbench, job, progress=show, timeout_s=timeout_s, plus_args=plus_args)
    names = {"macro": params.name, "ideal": params.is_ideal, "seed": chip, "tb_seed": seed}
    return {"sim": sim, "attach": attach} | names | result


def most_comparisons(mapping: Mapping) -> int:
    """Most comparisons that a row of the mapping gets for one vector."""
    return max(
        (d.enabled(0).bit_length() if d.mode is ReadMode.SEARCH else 1 for d in mapping.descriptors),
        default=1,
    )


def infer_preset(preset: Preset, images: np.ndarray, **options: Any) -> dict[str, Any]:
    """`infer` with the network, geometry, timing and choices of a preset."""
    options.setdefault("combine", preset.combine)
    options.setdefault("final_mode", preset.final_mode)
    path = network_file(preset.network)
    return infer(path, preset.geometry, images, timing=preset.timing, **options)


def run_layers(
    weights: Sequence[np.ndarray],
    vectors: np.ndarray,
    *,
    thresholds: Sequence[np.ndarray] | None = None,
    inputs: int | None = None,
    bias: int = 2,
    **options: Any,
) -> dict[str, Any]:
    """Your weights and your vectors through the RTL: the shortest way from arrays to a checked result.

    All layers but the last give signs, the last one scores (2*popcount - n, so the dot product).

    Parameters
    ----------
    weights : sequence of (n_out, n_in) arrays of -1 and +1
        One a layer.
    vectors : (batch, n_in) of 0 and 1
        Bit 1 is +1.
    thresholds : sequence of (n_out,) integers, optional
        A neuron's bit is 1 where its dot product is at least its threshold; 0 by default.
    inputs : int, optional
        Columns of a tile; by default the widest layer's. Wider layers are split over tiles.
    bias : int
        Bias columns of a tile.
    **options
        As for `infer`: ``sim``, ``macro``, ``chip``, ``attach``, ``program``, ``waves``, ...

    Returns
    -------
    dict
        As from `infer`; ``scores`` (batch, n_out) and ``golden_scores`` beside it.
    """
    weights = [np.asarray(w) for w in weights]
    layers = []
    for index, matrix in enumerate(weights):
        last = index == len(weights) - 1
        given = np.zeros(len(matrix)) if thresholds is None else thresholds[index]
        layers.append(
            Layer(
                weights=matrix,
                thresholds=np.asarray(given, np.int32)[None],
                polarity=np.ones((1, len(matrix)), np.int8),
                group_sizes=np.array([matrix.shape[1]]),
                combine=Combine.ADD,
                output="score" if last else "sign",
            )
        )
    network = Network(name="layers", layers=tuple(layers), meta={})
    width = inputs or max(m.shape[1] for m in weights)
    rows = sum(len(m) for m in weights)
    geometry = Geometry(
        tiles=max(-(-m.shape[1] // width) for m in weights),
        rows=rows,
        inputs=width,
        bias=bias,
        thresholds=max(64, rows),
        layers=max(8, len(weights)),
        scores=max(16, len(weights[-1])),
    )
    result = infer(network, geometry, vectors, **options)
    return result | {"golden_scores": forward(network, np.asarray(vectors)).scores.tolist()}
