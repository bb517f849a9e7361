"""The kit's folder: the same bytes every time, complete in itself, its testbench passes and fails where it must."""

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.hdl.spec import Timing
from bridgebnn.hdl.spec.pins import MACRO_PINS, Bus
from bridgebnn.kit.build import KitRequest, write_kit
from bridgebnn.kit.macro import DELAYS, STROBES, Macro
from bridgebnn.kit.verilog import macro_model, modules
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.tb.simulators import Simulation, run
from tests.cosim.small import GEOMETRY, network, vectors


def request(**changes) -> KitRequest:
    mapping = map_network(network(), GEOMETRY)
    return KitRequest(
        **{"name": "chip", "mapping": mapping, "timing": Timing(), "images": vectors(3)} | changes
    )


@pytest.fixture(scope="module")
def kit(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("the kit")
    write_kit(request(), out)
    return out


def simulate(folder: Path, *plusargs: str) -> str:
    """What the testbench prints, by the commands that the kit names."""
    subprocess.run(["iverilog", "-Wall", "-f", "files.f", "-o", "sim.vvp"], cwd=folder, check=True)
    done = subprocess.run(
        ["vvp", "sim.vvp", *plusargs], cwd=folder, check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout


def test_the_same_request_gives_the_same_bytes(kit, tmp_path):
    write_kit(request(), tmp_path)
    files = sorted(f.relative_to(kit) for f in kit.rglob("*") if f.is_file() and f.suffix != ".vvp")
    assert files == sorted(f.relative_to(tmp_path) for f in tmp_path.rglob("*") if f.is_file())
    for name in files:
        assert (kit / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_manifest_lists_everything(kit):
    manifest = json.loads((kit / "manifest.json").read_text())
    there = {
        str(f.relative_to(kit))
        for f in kit.rglob("*")
        if f.is_file() and f.name not in ("manifest.json", "sim.vvp")
    }
    assert set(manifest["files"]) == there
    listed = (kit / "files.f").read_text().split()
    assert all((kit / name).is_file() for name in listed)
    for file in (kit / "rtl").glob("*.v"):
        assert list(modules(file.read_text())) == [file.stem]  # one module per file, of its name


def test_the_configuration_of_librelane_names_files_that_are_there(kit):
    config = json.loads((kit / "config.json").read_text())
    named = re.findall(r'"dir::([^"]+)"', json.dumps(config))
    assert [name for name in named if not (kit / name).is_file() and not name.endswith(".gds")] == []
    lef = (kit / "macro" / "chip_macro.lef").read_text()
    width, height = map(float, re.search(r"SIZE (\S+) BY (\S+) ;", lef).groups())
    x, y = config["MACROS"]["chip_macro"]["instances"]["macro"]["location"]
    assert x + width < config["DIE_AREA"][2]
    assert y + height < config["DIE_AREA"][3]


def test_another_kit_leaves_no_file_of_the_former(tmp_path):
    write_kit(request(), tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    write_kit(request(name="other"), tmp_path)
    assert not list(tmp_path.rglob("chip*"))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_no_image_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        request(images=vectors(3)[:0])


def test_every_pin_belongs_to_a_strobe():
    known = {s.pin for s in STROBES} | {p for s in STROBES for p in (*s.looks_at, *s.answers)}
    assert known == {p.name for p in MACRO_PINS}
    assert {a for s in STROBES for a in s.answers.values()} <= {d.parameter for d in DELAYS}


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("bus", "reset"),
    [
        pytest.param(Bus.AXI4LITE, False, id="works"),
        pytest.param(Bus.AXI4LITE, True, id="stays in reset"),
        pytest.param(Bus.AXI4STREAM, False, id="with streams"),
    ],
)
def test_the_testbench_over_axi4lite(tmp_path, bus, reset):
    """A controller that never answers is a failure, not a simulation without end."""
    write_kit(request(bus=bus), tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["bus"] == str(bus)
    assert ("[get_ports {s_axis_tdata}]" in (tmp_path / "constraints" / "chip.sdc").read_text()) == (
        bus is Bus.AXI4STREAM
    )
    if reset:
        system = tmp_path / "rtl" / "chip_system.v"
        text = system.read_text()
        assert ".rst(rst)" in text
        system.write_text(text.replace(".rst(rst)", ".rst(1'b1)"))
    printed = simulate(tmp_path).rstrip().splitlines()
    assert printed[-1].startswith("FAIL: the bus does not answer" if reset else "PASS: 3 images")


@pytest.mark.icarus
@pytest.mark.parametrize("plusarg", ["+program", "+preload"])
def test_the_testbench_passes_with_the_scores_of_golden(kit, plusarg):
    from bridgebnn.model.networks.golden import forward

    golden = forward(network(), vectors(3))
    printed = simulate(kit, plusarg)
    rows = re.findall(r"^image (\d+):((?: -?\d+)+), class (\d+)$", printed, re.MULTILINE)
    assert [int(r[0]) for r in rows] == [0, 1, 2]
    np.testing.assert_array_equal([[int(s) for s in r[1].split()] for r in rows], golden.scores)
    assert [int(r[2]) for r in rows] == golden.classes.tolist()
    assert printed.rstrip().splitlines()[-1].startswith("PASS: 3 images")
    assert ("programmed" in printed) == (plusarg == "+program")


@pytest.mark.icarus
def test_one_wrong_weight_fails(kit, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(kit, broken)
    cells = (broken / "sim" / "cells.mem").read_text().splitlines()
    last = max(i for i, line in enumerate(cells) if set(line) - {"0"})  # a neuron of the score layer
    planes, columns = int(cells[last], 16), GEOMETRY.columns
    cells[last] = (
        f"{planes ^ (1 | 1 << 2 * columns):0{columns}x}"  # LRS of P and of N of column 0 change places
    )
    (broken / "sim" / "cells.mem").write_text("\n".join(cells) + "\n")
    printed = simulate(broken, "+preload")
    assert "FAIL" in printed
    assert "PASS" not in printed


def macro_simulation(tmp_path: Path, geometry) -> Simulation:
    source = tmp_path / "chip_macro.v"
    source.write_text(macro_model(Macro(name="chip", geometry=geometry, timing=Timing())))
    return Simulation(sim="icarus", top="chip_macro", sources=[source])


@pytest.mark.icarus
@pytest.mark.parametrize("twist", [False, True])
def test_beside_the_ideal_macro(tmp_path, twist):
    """Random pulses, verify reads and row reads: equal on every pin; a pulse too many is seen."""
    fields = {"tiles": 3, "rows": 5, "inputs": 9, "bias": 2}
    geometry = type(GEOMETRY)(**fields)
    report = run(
        macro_simulation(tmp_path, geometry),
        "tests.kit.beside",
        {"geometry": fields, "operations": 1500, "twist": twist, "folder": "."},
        testcase="side_by_side",
    )
    assert report["pulses"] > 500
    assert report["bits"] > 2000
    assert report["verified"] > 1000
    assert report["unknown"] > 1000
    assert (report["different"] > 0) == twist


READ = [{"row": 1, "wl_en": 1, "precharge": 1}, {"precharge": 0, "evaluate": 1}, {"sense": 1}]
PULSE = [{"hv_en": 1}, *[{}] * 12, {"wl_en": 1, "bl": 3, "col_en": 3}, {"pulse": 1}]
VERIFY = [{"hv_en": 1}, *[{}] * 12, {"wl_en": 1, "col_en": 3}, {"verify": 1}]


CASES = [
    (READ, False),
    (PULSE, False),
    (VERIFY, False),
    ([{"row": 1, "wl_en": 1, "evaluate": 1}], True),
    ([{"precharge": 1}, {"evaluate": 1}], True),
    ([{"precharge": 1}, {"precharge": 0, "evaluate": 1}], True),  # no word line
    ([{"row": 5, "wl_en": 1, "precharge": 1}, {"precharge": 0, "evaluate": 1}], True),
    ([{"sense": 1}], True),
    ([*READ[:2], {"row": 2}], True),
    ([*READ[:2], {"col_en": 2}], True),
    ([*READ, {"cmp_ref": 1}], True),
    ([{"hv_en": 1}, {"precharge": 1}], True),
    ([{"wl_en": 1, "bl": 3, "col_en": 3}, {"pulse": 1}], True),
    ([*PULSE[:-2], {"wl_en": 3, "bl": 3, "col_en": 3}, {"pulse": 1}], True),
    ([*PULSE[:-2], {"wl_en": 1, "bl": 1, "col_en": 3}, {"pulse": 1}], True),
    ([*PULSE, {"prog_level": 9}], True),
    ([*PULSE, {"hv_en": 0}], True),
    ([*PULSE, {"verify": 1}], True),
    ([*VERIFY, {"prog_side": 1}], True),
]


@pytest.mark.icarus
def test_rules_of_the_pins(tmp_path):
    geometry = type(GEOMETRY)(tiles=3, rows=5, inputs=9, bias=2)
    simulation = dataclasses.replace(macro_simulation(tmp_path, geometry), parameters={"STOP": 0})
    job = {"cases": [steps for steps, _ in CASES], "folder": "."}
    report = run(simulation, "tests.kit.beside", job, testcase="objections")
    assert report["broken"] == [broken for _, broken in CASES]


@pytest.mark.icarus
def test_a_broken_rule_ends_the_simulation(kit, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(kit, bad)
    file = bad / "rtl" / "chip_system.v"
    controller, macro = file.read_text().split("_macro macro (")
    file.write_text(f"{controller}_macro macro ({macro.replace('(precharge)', '(evaluate)')}")
    assert "protocol error at" in simulate(bad, "+preload")
