"""Mutants of the generated Verilog, all of a geometry in one build behind a select input."""

from __future__ import annotations

import dataclasses
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode
from bridgebnn.hdl.spec.pins import MACRO_INPUTS, MACRO_OUTPUTS, PORTS, Flow
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.model.networks.operations import Operation
from bridgebnn.proofs.flow import yosys
from bridgebnn.tb.agents import shell
from bridgebnn.tb.agents.misbehaviour import MacroFaults
from bridgebnn.tb.runs.controller import CONTROLLER, generated
from bridgebnn.tb.runs.jobs import InferJob, ScenariosJob, Sim
from bridgebnn.tb.simulators import Simulation

from .networks import random_dense

__all__ = [
    "GEOMETRIES",
    "INNER",
    "SELECT",
    "TESTS",
    "WIDTH",
    "Change",
    "built",
    "inference_jobs",
    "mutated",
    "network",
    "runs_on",
]

GEOMETRIES = {
    "spares": Geometry(
        tiles=2, rows=16, inputs=11, bias=2, spare_columns=2, spare_rows=3, thresholds=16, layers=3, scores=11,
        count_width=8, log_depth=4,
    ),
    "maps": Geometry(
        tiles=2, rows=16, inputs=34, bias=2, spare_columns=1, spare_rows=2, thresholds=16, layers=3, scores=11,
        count_width=8, log_depth=4, map_words=5,
    ),
}  # fmt: skip
"""Two tiles, words that are not full, spares of both kinds; the second with rows of two words and activation maps."""

TESTS = (
    "interrupts", "infer", "infer_search", "infer_slow", "infer_late", "infer_counted", "infer_toggled", "map_aborts",
    "registers", "windows", "reads", "descriptors", "rows", "faults", "counters",
)  # fmt: skip
"""What is run, in this order, until one notices: `inference_jobs`, testbenches of the pins by their module, and
``rows``, the groups of `bridgebnn.tb.testbenches.row_groups`."""

INNER = f"{CONTROLLER}_mutated"
SELECT = "mutant"
WIDTH = 16
CLOCKS = r"-port \\?(CLK|RD_CLK|WR_CLK) "
"""A gate in a clock would be a race in simulation, not a mutant."""


DENSE = ("faults",)
"""Tests of chips without maps alone."""
MAPS = ("infer_slow", "infer_late", "infer_counted", "infer_toggled", "map_aborts")
"""Tests of chips with maps alone."""


def runs_on(test: str, geometry: Geometry) -> bool:
    """Whether a test is one for this controller."""
    return test not in (DENSE if geometry.map_words else MAPS)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One mutant.

    Parameters
    ----------
    number : int
        From 1 on.
    mode : str
        What happens to the bit: ``inv``, ``const0``, ``const1``, ``cnot0``, ``cnot1``.
    module : str
        Instance in which it happens, from the controller down.
    text : str
        As Yosys tells it.
    command : str
        Of Yosys, with the number on the select input.
    """

    number: int
    mode: str
    module: str
    text: str
    command: str

    @classmethod
    def of(cls, line: str, number: int) -> Change:
        """From a line of ``mutate -list``."""
        command = re.sub(rf"(-ctrl {SELECT} \d+) \d+", rf"\1 {number}", line)
        text = re.sub(rf"-ctrl {SELECT} \d+ \d+ |-module \S+ |-src \S+ ?", "", line)
        text = text.removeprefix("mutate -mode ").strip()
        mode = text.split()[0]
        module = ".".join(place_of(text).split(".")[:2]) or "controller"
        return cls(number=number, mode=mode, module=module, text=text, command=command)


def place_of(text: str) -> str:
    """Instance in which a mutant stands, from the controller down; "" is the controller itself."""
    cell = text.partition("-cell ")[2].split()[0].replace("$flatten", "").replace("\\", "")
    return ".".join(part for part in cell.split(".")[:-1] if not part.startswith("$"))


def mutated(geometry: Geometry, count: int, seed: int, folder: Path) -> tuple[Path, list[Change]]:
    """One controller with ``count`` mutants in it, chosen by variable ``mutant``; 0 is the controller as it is.

    Beside it, for `bridgebnn.tb.campaign.equivalent`: ``flat.il`` and ``mutants.il``, modules `INNER` without
    mutants and with all of them.

    Returns
    -------
    tuple
        A Verilog file with a module of the controller's name and ports; the mutants.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(generated(geometry), folder / "whole.v")
    yosys(
        [
            "read_verilog whole.v",  # a name without a folder: cells are named after it
            f"hierarchy -check -top {CONTROLLER}",
            "proc",
            "flatten",
            "opt_clean",
            "memory_collect",
            f"rename {CONTROLLER} {INNER}",
            "write_rtlil flat.il",
            f"mutate -list {2 * count + 16} -seed {seed} -ctrl {SELECT} {WIDTH} 1 -o mutants.ys",
        ],
        folder / "mutate.log",
    )
    listed = [line for line in (folder / "mutants.ys").read_text().splitlines() if line.startswith("mutate")]
    lines = [line for line in listed if not re.search(CLOCKS, line)][:count]
    changes = [Change.of(line, number) for number, line in enumerate(lines, start=1)]
    yosys(
        [
            "read_rtlil flat.il",
            *(change.command for change in changes),
            "opt_clean",
            "write_rtlil mutants.il",
            "write_verilog -noattr mutants.v",
        ],
        folder / "write.log",
    )
    path = folder / f"{CONTROLLER}.v"
    path.write_text((folder / "mutants.v").read_text() + _wrapper(geometry))
    return path, changes


def _wrapper(geometry: Geometry) -> str:
    ports = [
        f"  {'input' if port.flow is Flow.IN else 'output'} [{port.width(geometry) - 1}:0] {port.name}"
        for port in PORTS
    ]
    names = ", ".join(f".{port.name}({port.name})" for port in PORTS)
    return "\n".join(
        [
            f"module {CONTROLLER}(",
            ",\n".join(ports),
            ");",
            f"  reg [{WIDTH - 1}:0] {SELECT} = 0;",
            f"  {INNER} whole (.{SELECT}({SELECT}), {names});",
            "endmodule",
            "",
        ]
    )


def built(sim: Sim, verilog: Path) -> Simulation:
    """What is built of all mutants: the bare controller, with the select input open to the testbench."""
    return Simulation(
        sim=sim,
        top=CONTROLLER,
        sources=[verilog],
        written=[*shell.BUS_WRITTEN, *MACRO_INPUTS, SELECT],
        read=[*shell.BUS_READ, *MACRO_OUTPUTS],
    )


def network(geometry: Geometry) -> Network:
    """Three layers of random signs: the first spans both tiles, or with maps walks over an image and pools."""
    rng = np.random.default_rng(3)
    first: Operation = random_dense(rng, 18, 5)
    if geometry.map_words:
        window = random_dense(rng, 68, 4)  # fills both words of both tiles
        first = Convolution(window=window, width=3, height=3, channels=17, kernel=2, padding=1, pool=2)
    layers = (first, random_dense(rng, first.n_out, 4), random_dense(rng, 4, 3, last=True))
    return Network(name="mutation", operations=layers)


def map_networks() -> dict[str, Network]:
    """Walks that `network` has not, by the name of the test.

    Few filters over pixels of one bit are read faster than their windows are gathered, from one tile (SIGN) and from
    two (COUNT), or by a comparator that answers late; strides of 2, no pooling. The last one writes whole words of a
    map, whose bits are the opposite when its input is, and pools over them windows of an odd number of cycles.
    """
    rng = np.random.default_rng(6)
    slow = Convolution(window=random_dense(rng, 9, 2), width=7, height=7, channels=1, kernel=3, stride=2)
    late = Convolution(window=random_dense(rng, 25, 1), width=7, height=7, channels=1, kernel=5, stride=2)
    counted = Convolution(window=random_dense(rng, 49, 1), width=9, height=9, channels=1, kernel=7, stride=2)
    toggled = Convolution(window=opposite(rng, 9, 8), width=5, height=5, channels=1, kernel=3, stride=2)
    pooled = Convolution(window=random_dense(rng, 8, 3), width=2, height=2, channels=8, kernel=1, pool=2)
    layers: dict[str, tuple[Operation, ...]] = {
        "infer_slow": (slow, random_dense(rng, slow.n_out, 3, last=True)),
        "infer_late": (late, random_dense(rng, late.n_out, 3, last=True)),
        "infer_counted": (counted, random_dense(rng, counted.n_out, 3, last=True)),
        "infer_toggled": (toggled, pooled, random_dense(rng, pooled.n_out, 2, last=True)),
    }
    return {name: Network(name=name, operations=operations) for name, operations in layers.items()}


def opposite(rng: np.random.Generator, n_in: int, n_out: int) -> Dense:
    """A layer that gives the opposite bits on the opposite inputs: of an odd number, thresholds 0."""
    return dataclasses.replace(random_dense(rng, n_in, n_out), thresholds=np.zeros((1, n_out), int))


def toggling(images: np.ndarray) -> np.ndarray:
    """The first of the images and its opposite, so that each of two maps in turn holds both, in either order."""
    first, opposed = images[0], 1 - images[0]
    return np.stack([first, opposed, opposed, first, first, opposed])


def inference_jobs(geometry: Geometry, sim: Sim) -> dict[str, InferJob]:
    """Runs of a network with the macro attached, by the name of the test."""
    whole = network(geometry)
    images = np.random.default_rng(4).integers(0, 2, (6, whole.n_in), dtype=np.uint8)
    fields: dict[str, Any] = {
        "network": whole,
        "geometry": geometry,
        "images": images,
        "sim": sim,
        "attach": "strobe",
    }
    fields |= {"limit_cyc": 50_000}
    search: dict[str, Any] = {"combine": Combine.VOTE, "final_mode": ReadMode.SEARCH, "program": "preload"}
    jobs = {
        "infer": InferJob(**fields, program="bus"),
        "infer_search": InferJob(**fields, **search, bus_gaps="some", push_gaps="long", pop_gaps="long"),
    }
    if not geometry.map_words:  # the scenarios push their vectors to a dense layer
        jobs["faults"] = ScenariosJob(**fields)
        return jobs
    for name, walked in map_networks().items():
        images = np.random.default_rng(4).integers(0, 2, (6, walked.n_in), dtype=np.uint8)
        if name == "infer_toggled":
            images = toggling(images)
        fields |= {"network": walked, "images": images, "program": "preload"}
        jobs[name] = InferJob(**fields, faults=MacroFaults(resolve_cyc=3 if name == "infer_late" else 0))
    return jobs
