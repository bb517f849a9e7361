"""The kit's C: without a warning in C99, for the host and for RISC-V; the driver runs a network over the bus."""

import dataclasses
import shutil
import subprocess

import numpy as np
import pytest

from bridgebnn.hdl.output.verilog import verilog_text
from bridgebnn.hdl.spec import ErrorCode
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.kit.software import software
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import forward
from bridgebnn.tb.runs.controller import generated
from bridgebnn.tb.simulators import Simulation, run
from tests.cosim.small import GEOMETRY, network, vectors

STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
MAPPING = map_network(network(), GEOMETRY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("software")
    for name, text in software("chip", MAPPING).items():
        (out / name).write_text(text)
    return out


@pytest.mark.parametrize("compiler", ["gcc", "riscv64-linux-gnu-gcc", "riscv64-unknown-elf-gcc"])
def test_no_warning_in_c99(folder, tmp_path, compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    free = [] if compiler == "gcc" else ["-ffreestanding"]
    for name in ("bridgebnn_driver.c", "network.c"):
        command = [compiler, *STRICT, *free, "-O2", "-c", folder / name, "-o", tmp_path / f"{name}.o"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def drive(folder, tmp_path, count=3, **fields):
    library = tmp_path / "driver.so"
    sources = [folder / "bridgebnn_driver.c", folder / "network.c"]
    subprocess.run(["gcc", *STRICT, "-shared", "-fPIC", *sources, "-o", library], check=True)
    images = vectors(count)
    job = {
        "library": str(library),
        "name": "chip",
        "geometry": dataclasses.asdict(GEOMETRY),
        "vectors": MAPPING.pack_inputs(images).tolist(),
        "outputs": network().n_out,
        "folder": ".",
    }
    source = generated(GEOMETRY)
    if fields.get("axi"):
        source = tmp_path / "bridgebnn.v"
        source.write_text(verilog_text(GEOMETRY, bus=Bus.AXI4LITE))
    simulation = Simulation(sim="icarus", top="bridgebnn", sources=[source])
    return run(simulation, "tests.kit.c_driver", job | fields), forward(network(), images)


@pytest.mark.icarus
@pytest.mark.parametrize("axi", [False, True], ids=["wishbone", "axi4lite"])
def test_the_driver_programs_and_runs_a_network(folder, tmp_path, axi):
    report, golden = drive(folder, tmp_path, axi=axi)
    codes = report["codes"]
    assert [codes[n] for n in ("open", "program", "relock", "verify", "read", "load", "infer")] == [0] * 7
    assert codes["locked"] == codes["outside"] == -4
    assert codes["unfit"] == -5
    assert "error" in report["text"]
    assert report["device_error"] == ErrorCode.BAD_ADDRESS
    assert report["failed"] == 0
    assert report["read_back"] == report["first_image"]
    assert report["indices"] == [0, 1, 2]
    np.testing.assert_array_equal(report["scores"], golden.scores.ravel())
    assert report["labels"] == golden.classes.tolist()


@pytest.mark.icarus
def test_a_wrong_weight_is_seen(folder, tmp_path):
    wrong = tmp_path / "wrong"
    shutil.copytree(folder, wrong)
    file = wrong / "network.c"
    text = file.read_text()
    start = text.index("images[] = {") + len("images[] = {")
    word = text.index("0x", start)
    value = int(text[word : word + 10], 16)
    file.write_text(f"{text[:word]}0x{value ^ 0x7FF:08x}{text[word + 10 :]}")
    report, golden = drive(wrong, tmp_path, count=8)
    assert report["codes"]["infer"] == 0
    assert report["scores"] != golden.scores.ravel().tolist()
