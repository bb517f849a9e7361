"""Mutants of the generated Verilog, all in one build, and the tests that notice them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridgebnn.hdl.spec import Combine, Geometry
from bridgebnn.hdl.spec.pins import PORTS, Flow
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.progress import Show
from bridgebnn.proofs.flow import yosys
from bridgebnn.tb.runs.controller import CONTROLLER, generated, simulation
from bridgebnn.tb.runs.jobs import ControllerJob, InferJob, Sim
from bridgebnn.tb.runs.runner import infer, perform
from bridgebnn.tb.simulators import SimulationError

__all__ = ["GEOMETRIES", "TESTS", "Outcome", "measure", "mutated"]

_BASE = Geometry(
    tiles=2, rows=16, inputs=11, bias=2, spare_columns=2, spare_rows=3, thresholds=16, layers=3, scores=11,
    count_width=8, log_depth=4,
)  # fmt: skip
GEOMETRIES = {"spares": _BASE, "maps": Geometry(**{**vars(_BASE), "map_words": 4})}
"""Two tiles, words that are not full, spares of both kinds; the second with activation maps."""

TESTS = ("infer", "reads", "descriptors", "windows", "counters", "interrupts")
"""What is run, in this order, until one notices: an inference programmed over the bus, then testbenches of the pins."""

SELECT = "mutant_select"
WIDTH = 16
CLOCKS = r"-port \\?(CLK|RD_CLK|WR_CLK) "
"""A gate in a clock would be a race in simulation, not a mutant."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One mutant: its change as Yosys tells it, and the test that noticed, with what it said; none: it survived."""

    number: int
    change: str
    test: str
    how: str
    seconds: float


def mutated(geometry: Geometry, count: int, seed: int, folder: Path) -> tuple[Path, list[str]]:
    """One controller with ``count`` mutants in it, chosen by ``+mutant=N``; 0 is the controller as it is.

    Returns
    -------
    tuple
        A Verilog file with a module of the controller's name and ports; the change of each mutant from 1 on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inner = f"{CONTROLLER}_mutated"
    shutil.copy(generated(geometry), folder / "whole.v")
    yosys(
        [
            "read_verilog whole.v",  # a name without a folder: cells are named after it
            f"hierarchy -check -top {CONTROLLER}",
            *(
                "proc",
                "flatten",
                "opt_clean",
                "memory_collect",
                f"rename {CONTROLLER} {inner}",
                "write_rtlil flat.il",
            ),
            f"mutate -list {2 * count + 16} -seed {seed} -ctrl {SELECT} {WIDTH} 1 -o mutants.ys",
        ],
        folder / "mutate.log",
    )
    listed = [line for line in (folder / "mutants.ys").read_text().splitlines() if line.startswith("mutate")]
    changes = [line for line in listed if not re.search(CLOCKS, line)][:count]
    for number, line in enumerate(changes, start=1):
        changes[number - 1] = re.sub(rf"(-ctrl {SELECT} \d+) \d+", rf"\1 {number}", line)
    yosys(
        ["read_rtlil flat.il", *changes, "opt_clean", "write_verilog -noattr mutants.v"],
        folder / "write.log",
    )
    path = folder / f"{CONTROLLER}.v"
    path.write_text((folder / "mutants.v").read_text() + _wrapper(geometry, inner))
    return path, [_told(change) for change in changes]


def _told(change: str) -> str:
    """A line of Yosys without what all lines have."""
    text = re.sub(rf"-ctrl {SELECT} \d+ \d+ |-module \S+ |-src \S+ ?", "", change)
    return text.removeprefix("mutate -mode ").strip()


def _wrapper(geometry: Geometry, inner: str) -> str:
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
            f"  reg [{WIDTH - 1}:0] mutant = 0;",
            '  initial if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;',
            f"  {inner} whole (.{SELECT}(mutant), {names});",
            "endmodule",
            "",
        ]
    )


def _network() -> Network:
    """Three layers of random signs; the first spans both tiles."""
    rng = np.random.default_rng(3)
    layers = [
        Dense(
            weights=rng.choice([-1, 1], (n_out, n_in)),
            thresholds=np.zeros((1, n_out), int) if n_out == 3 else rng.integers(-3, 4, (1, n_out)),
            polarity=np.ones((1, n_out), int),
            group_sizes=np.array([n_in]),
            combine=Combine.ADD,
            output="score" if n_out == 3 else "sign",
        )
        for n_in, n_out in ((18, 5), (5, 4), (4, 3))
    ]
    return Network(name="mutation", operations=tuple(layers))


def noticed(test: str, number: int, geometry: Geometry, verilog: Path, sim: Sim) -> str:
    """What ``test`` says of mutant ``number``; nothing when it does not notice."""
    plus_args = (f"+mutant={number}",)
    try:
        if test == "infer":
            images = np.random.default_rng(4).integers(0, 2, (6, 18), dtype=np.uint8)
            report = infer(
                InferJob(
                    network=_network(), geometry=geometry, images=images, program="bus", sim=sim,
                    verilog=verilog, plus_args=plus_args, limit_cyc=50_000,
                ),
                timeout_s=60.0,
            )  # fmt: skip
            wrong = report.golden_mismatches or report.model_mismatches
            return f"mismatches: {report.golden_first}; {report.model_first}" if wrong else ""
        built = simulation(sim, "none", geometry, verilog)
        job = ControllerJob(sim=sim, geometry=geometry, seed=5)
        testbench = f"bridgebnn.tb.testbenches.{test}"
        perform(job, built, testbench=testbench, plus_args=plus_args, timeout_s=120.0)
    except SimulationError as error:
        return f"{error.kind}: {error.message}"
    return ""


def measure(
    geometry: Geometry,
    count: int,
    seed: int,
    folder: Path,
    *,
    sim: Sim = "verilator",
    tests: tuple[str, ...] = TESTS,
    show: Show,
    told: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run the tests over every mutant, each until one notices.

    Raises
    ------
    ValueError
        A test complains of the controller as it is.
    """
    verilog, changes = mutated(geometry, count, seed, folder)
    for test in tests:
        show({"stage": f"as it is, {test}", "done": 0, "total": 1})
        if how := noticed(test, 0, geometry, verilog, sim):
            raise ValueError(f"test {test} complains of the controller without a mutant: {how:.300}")
    outcomes: list[Outcome] = []
    for number, change in enumerate(changes, start=1):
        begin, test, how = time.monotonic(), "", ""
        for test in tests:
            if how := noticed(test, number, geometry, verilog, sim):
                break
        seconds = round(time.monotonic() - begin, 1)
        outcome = Outcome(
            number=number, change=change, test=test if how else "", how=how[:300], seconds=seconds
        )
        outcomes.append(outcome)
        show({"stage": "mutants", "done": number, "total": len(changes)})
        told(outcome)
    return outcomes
