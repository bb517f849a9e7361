"""Results of commands, small, made by the library or by hand; nothing is simulated."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
from vcd.writer import VCDWriter

from bridgebnn.command_line import write_json
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.model.flows.reports import Differences, ModelReport, WrongImage
from bridgebnn.model.flows.transistors import TransistorReport
from bridgebnn.model.flows.work import work_of
from bridgebnn.model.macro.events import EnergyParts, EnergyReport, Events
from bridgebnn.model.macro.program_events import ProgramEnergy
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.chip_map import program_and_map
from bridgebnn.model.studies.error_physics import ErrorModelReport, ErrorRow
from bridgebnn.model.studies.error_sweep import PublishedPoint, SweepPoint, SweepReport
from bridgebnn.model.studies.fan_in import FanInReport, Point
from bridgebnn.model.studies.measured_devices import DevicesReport, StateFit
from bridgebnn.model.studies.montecarlo_report import (
    ChipEnergy,
    MonteCarloReport,
    energy_of_chips,
    summarised,
)
from bridgebnn.model.studies.read_conditions import Grid, Limits
from bridgebnn.model.studies.reports import (
    ImmunityReport,
    MapReport,
    PopulationMap,
    ReadConditionsReport,
    Region,
    Sweep,
    SweepCircuit,
)
from bridgebnn.records import Record
from bridgebnn.tb.runs.reports import ProgramRunReport, RunReport
from bridgebnn.tb.runs.summaries import (
    BenchProgramming,
    BenchReport,
    BenchRun,
    CampaignReport,
    DemoReport,
    RtlMapReport,
)
from bridgebnn.versions import versions
from tests.tb.runs.stand_in import RESULT

__all__ = ["EXAMPLES", "write"]

PIXELS = bytes(range(0, 256, 4))
WRONG = WrongImage(
    image=1,
    label=0,
    answer=1,
    golden=0,
    scores=[-1, 4],
    shape=[8, 8],
    pixels=base64.b64encode(PIXELS).decode(),
)


def energy() -> EnergyReport:
    """Of two inferences of 1000 operations: 1 nJ of every part."""
    parts = EnergyParts(**dict.fromkeys(EnergyParts.__struct_fields__, 2e-9))
    return EnergyReport.of(Events(operations=2000), parts, 2)


def wave_file(path: Path) -> None:
    """Three row reads as a testbench writes them, a period of 20 ns each phase."""
    with path.open("w") as stream, VCDWriter(stream, timescale="1 ns", date="", version="") as writer:
        pins = {
            name: writer.register_var("top", name, "wire", size=size, init=0)
            for name, size in (("clk", 1), ("row", 4), ("precharge", 1), ("evaluate", 1), ("sense", 1))
        }
        nodes = {
            name: writer.register_var("top", name, "real", init=0.0)
            for name in ("VP_V", "VN_V", "dV_V", "SL0_V")
        }
        for row in range(4):
            for at, phase in enumerate(("precharge", "evaluate", "sense")):
                time = 60 * row + 20 * at
                writer.change(pins["clk"], time, 1)
                writer.change(pins["row"], time, row)
                for name in ("precharge", "evaluate", "sense"):
                    writer.change(pins[name], time, int(name == phase))
                for name, node in nodes.items():
                    writer.change(node, time, 0.1 * at + 0.01 * len(name))
                writer.change(pins["clk"], time + 10, 0)


def run_report(**changes) -> RunReport:
    """Of the stand-in for the simulator, with one wrong image of two."""
    values = RESULT | {
        "network": "small",
        "ideal": False,
        "macro": "real",
        "accuracy": 0.5,
        "golden_accuracy": 1.0,
        "labels": [0, 0],
        "wrong": [WRONG.as_dict()],
        "golden_mismatches": 3,
        "golden_first": "image 1, layer 0, bit 2",
        "versions": versions(),
        "command": "bridgebnn tb infer --preset digits --images 2",
        "energy": energy().as_dict(),
    }
    return RunReport.from_dict(values | changes)


def model_report(**changes) -> ModelReport:
    """One of three images wrong, in a chip that the model programmed."""
    values = {
        "preset": "digits",
        "network": "small",
        "macro": "real",
        "combine": "ADD",
        "chip": 1,
        "images": 3,
        "transistors": TransistorReport(reads=18, decisions=12, decisions_differ=3, lsb_V=0.25),
        "data": "d",
        "binarize": "bits",
        "accuracy": 2 / 3,
        "golden_accuracy": 1.0,
        "classes": [0, 1, 2],
        "labels": [0, 0, 2],
        "wrong": [WRONG.as_dict()],
        "golden_mismatches": 1,
        "model_mismatches": 0,
        "model_checked": 3,
        "differences": Differences(hidden=[1], scores=1, classes=1, images=1).as_dict(),
        "golden_images_per_s": 1.0,
        "programming": {
            "preloaded": False,
            "pulses": {"FORM": 3, "SET": 2},
            "verifies": {"FORM": 4},
            "failures": 1,
            "failed_rows": 1,
            "cycles": 100,
            "energy_J": {"FORM": 1e-6, "SET": 2e-7},
            "energy_per_bit_J": 1e-9,
            "time_s": 1e-3,
        },
        "mapping": {},
        "state": "x",
        "wall_s": 1.0,
        "versions": versions(),
    }
    return ModelReport.from_dict(values | changes)


def program_map() -> MapReport:
    """Of a chip that the model really programs."""
    found, _ = program_and_map(work_of(None, "4x16", 1, None), MacroParams.real(), 1)
    return MapReport(**found.summary, wall_s=0.1, versions=versions())


def rtl_map() -> RtlMapReport:
    """The same as if the RTL had programmed it."""
    counts = dict.fromkeys(
        ("pulses", "verify_reads", "failures", "failed_rows", "cycles", "busy_cycles", "rows"), 1
    )
    names = ProgramEnergy.__struct_fields__
    priced = ProgramEnergy(**dict(zip(names, (1e-9 * n for n in range(1, 9)), strict=True)))
    rtl = ProgramRunReport(
        **counts, failed=[], listed_rows=0, unlisted_rows=[], state="x", versions=versions(), energy=priced
    )
    found, _ = program_and_map(work_of(None, "2x8", 1, None), MacroParams.real(), 1)
    return RtlMapReport(**found.summary, rtl=rtl, differences=[])


def immunity() -> ImmunityReport:
    """Two sweeps of two points, one with a circuit that no picture knows yet."""
    circuit = SweepCircuit(mean=[0.9, 0.5], std=[0.01, 0.1], min=[0.8, 0.4], chips=[[0.9, 0.9], [0.4, 0.6]])
    sweeps = {
        "supply": Sweep(axis="ohm", values=[0.1, 10], circuits={"bridge": circuit, "conventional": circuit}),
        "spread": Sweep(axis="sigma", values=[0, 1], circuits={"bridge": circuit, "another": circuit}),
    }
    return ImmunityReport(
        network="small",
        images=10,
        data=None,
        chips=2,
        first_chip=5,
        conventional_tile=[8, 8],
        golden_accuracy=0.95,
        sweeps=sweeps,
        wall_s=1.0,
        versions=versions(),
        command="bridgebnn model immunity --chips 2",
    )


def sweep() -> SweepReport:
    """Two clocks at two rates."""
    points = [
        SweepPoint(
            clock_ns=clock,
            cell_error_rate=p,
            mean=0.9 - p,
            std=0.01,
            low=0.5,
            high=0.95,
            wrong_bits=p,
            accuracies=[],
        )
        for clock in (6, 20)
        for p in (0, 0.1)
    ]
    published = [PublishedPoint(network="theirs", clock_ns=6, cell_error_rate=0.1, low=0.8, high=0.9)]
    return SweepReport(
        network="small",
        data="d",
        layers=[1],
        images=10,
        draws=2,
        seed=1,
        golden_accuracy=0.9,
        points=points,
        published=published,
        wall_s=1.0,
        versions=versions(),
    )


def error_model() -> ErrorModelReport:
    """One cell error rate, one clock."""
    rows = [ErrorRow(cell_error_rate=0, published=[[0.5, 0.1]], physical=[0.5, 0.01])]
    return ErrorModelReport(
        inputs=23,
        cells=25,
        distances=[0, 1],
        clocks_ns=[6],
        published_sigma=[2.0],
        physical_sigma=1.9,
        offset_sigma=1.8,
        noise_sigma=0.1,
        lsb_V=1e-3,
        rows=rows,
        versions=versions(),
    )


def chip_energy(chips: np.ndarray) -> ChipEnergy:
    """Of three chips, each of which clocked more comparators than the one before."""
    events = [Events(operations=2000, comparisons=10**n, cycles=100) for n in (3, 4, 5)]
    geometry = Geometry(tiles=1, rows=8, inputs=23)
    return energy_of_chips(events, MacroParams.real(), geometry, Timing(), images=10, chips=chips)


def montecarlo() -> MonteCarloReport:
    """Three chips under two conditions, in one of which all are alike."""
    chips = np.arange(3, dtype=np.uint64)
    found = [
        summarised("array:macro=real", np.array([8, 9, 9], np.int32), 10, chips, 0.1).replace(
            energy=chip_energy(chips)
        ),
        summarised("no $ign", np.array([5, 5, 5], np.int32), 10, chips, None),
    ]
    return MonteCarloReport(
        preset="digits",
        network="small",
        data="d",
        images=10,
        golden_accuracy=0.9,
        first_chip=0,
        chips=3,
        kept_chips=0,
        conditions=found,
        products_s=0.1,
        executor="serial",
        wall_s=1.0,
        versions=versions(),
    )


def fan_in() -> FanInReport:
    """One point."""
    point = Point(
        network="small",
        inputs=8,
        whole=False,
        combine="ADD",
        trained=False,
        accuracy=0.9,
        tiles=2,
        rows=10,
        cycles_per_image=100,
        host_layers=[],
    )
    return FanInReport(images={"small": 10}, points=[point], versions=versions())


def read_conditions() -> ReadConditionsReport:
    """A population with a safe region, and one without."""
    grid = Grid(v_read_V=(1.0, 1.2), v_wl_V=(2.0, 2.5), read_s=(1e-9, 2e-9))
    one = [[[0.0, 0.0]] * 2] * 2
    yes = [[[True, True]] * 2] * 2
    region = Region(v_read_V=[1.0, 1.2], v_wl_V=[2.0, 2.5], read_s=1e-9, points=8)
    return ReadConditionsReport(
        chip=1,
        grid=grid,
        limits=Limits(),
        without_stuck=True,
        fall=[0.0, 0.0],
        populations={
            "real": PopulationMap(cells=10, region=region, errors=one, safe=yes),
            "group": PopulationMap(cells=10, region=None, errors=one, safe=yes),
        },
        wall_s=1.0,
        versions=versions(),
    )


def devices() -> DevicesReport:
    """Two states, of devices that only one of them names."""
    fit = StateFit(
        count=40,
        devices=8,
        median_ohm=7e3,
        sigma=0.05,
        sigma_device=0.03,
        sigma_cycle=0.04,
        split_measured=True,
        distance=0.1,
        refused=0.025,
    )
    hrs = fit.replace(median_ohm=1.5e5, sigma=0.4, devices=0, split_measured=False)
    return DevicesReport(
        file="<measured>.csv",
        temperature_K=300.0,
        conditions=None,
        lrs=fit,
        hrs=hrs,
        parameters={"lrs_ohm": 7e3},
    )


def campaign() -> CampaignReport:
    """One fault, noticed."""
    classes = {name: {"injected": 1, "silent": 0} for name in ("stuck", "all")}
    return CampaignReport(
        seed=1,
        total=1,
        seconds=1.0,
        simulators={"icarus": 1},
        cycles=10,
        pulses=1,
        classes=classes,
        states={},
        missed=[],
        reporters={},
        first_reports={},
        overruled=0,
        silent=[],
        records=[],
    )


def bench() -> BenchReport:
    """One simulator."""
    run = BenchRun(
        sim="icarus",
        macro="ideal",
        attach="none",
        images=1,
        cycles_per_s=1.0,
        row_reads_per_s=1.0,
        cycles_per_wall_s=1.0,
        row_reads_per_wall_s=1.0,
        cpu_s=1.0,
        wall_s=1.0,
        cost=0.0,
        cost_over_pattern=0.0,
        cpu_s_per_image=[1.0],
        build_s=0.0,
    )
    return BenchReport(
        preset="digits",
        cores=2,
        simulators=[run],
        model={"golden": 1.0},
        prefetch_cost=0.1,
        prefetch_cost_limit=0.25,
        programming=BenchProgramming(
            rows=1,
            pulses=2,
            verify_reads=3,
            cycles=4,
            cpu_s=1.0,
            physics_s=0.5,
            cpu_s_each=[1.0],
            physics_s_each=[0.5],
        ),
    )


EXAMPLES: dict[str, Callable[[], Record]] = {
    "tb infer": run_report,
    "tb demo": lambda: DemoReport(wall_s=1.0, runs=[run_report(sim="verilator"), run_report()]),
    "tb program": rtl_map,
    "tb campaign": campaign,
    "tb bench": bench,
    "model infer": model_report,
    "model program-map": program_map,
    "model immunity": immunity,
    "model sweep": sweep,
    "model error-model": error_model,
    "model montecarlo": montecarlo,
    "model fan-in": fan_in,
    "model read-conditions": read_conditions,
    "model devices": devices,
}
"""A result of every command that is cheap to make one of."""


def write(folder: Path, *kinds: str) -> list[Path]:
    """Files of some kinds, all by default."""
    paths = []
    for kind in kinds or EXAMPLES:
        paths.append(folder / f"{kind.replace(' ', '-')}.json")
        write_json(paths[-1], EXAMPLES[kind]().as_dict())
    return paths
