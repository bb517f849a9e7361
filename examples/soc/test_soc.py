"""The chip on both simulators: `pytest` in this folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

HERE = Path(__file__).parent
BUILD = HERE / "build"
# -O0: of a design this small the compilation takes longer than the run
VERILATOR = [
    "-Wno-fatal",
    "-Wno-lint",
    "-CFLAGS",
    "-O0",
    "--no-public-flat-rw",
    str(HERE / "rtl" / "public.vlt"),
]


@pytest.mark.parametrize("sim", ["icarus", "verilator"])
def test_soc(sim):
    subprocess.run(["make", "-f", "controllers.mk", f"PYTHON={sys.executable}"], cwd=HERE, check=True)
    runner, folder = get_runner(sim), BUILD / f"pytest-{sim}"
    runner.build(
        sources=[*sorted(HERE.glob("rtl/*.v")), BUILD / "bnn0" / "bnn0.v", BUILD / "bnn1" / "bnn1.v"],
        hdl_toplevel="dut",
        build_dir=folder,
        build_args=VERILATOR if sim == "verilator" else [],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(hdl_toplevel="dut", test_module="tb.bench", build_dir=folder, test_dir=HERE)
    tests, failed = get_results(results)
    assert (tests, failed) == (3, 0)
