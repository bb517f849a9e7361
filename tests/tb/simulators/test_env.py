"""``bridgebnn tb env``: a user's own cocotb flow finds the simulators of this installation.

Each flow is run as a user would: the printed lines are evaluated in a shell (or included by make), and then the
flow's own command is called, with nothing but cocotb and plain files.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridgebnn.tb.simulators import environment, verilator
from tests import ROOT

from .conftest import EACH, HERE, QUICK_BUILD

BENCH = """\
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

@cocotb.test()
async def counts(dut):
    Clock(dut.clk, 10, "ns").start()
    await ClockCycles(dut.clk, 5)
    assert int(dut.count.value) in (7, 8)
"""

MAKEFILE = """\
{include}
SIM ?= verilator
TOPLEVEL_LANG = verilog
VERILOG_SOURCES = $(CURDIR)/counter.v
COCOTB_TOPLEVEL = counter
COCOTB_TEST_MODULES = bench
include $(shell {config} --makefiles)/Makefile.sim
"""

RUNNER = """\
import sys
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

runner = get_runner(sys.argv[1])
runner.build(sources=["counter.v"], hdl_toplevel="counter", timescale=("1ns", "1ps"), always=True)
print(get_results(runner.test(hdl_toplevel="counter", test_module="bench")))
"""

COCOTB_TEST = """\
import sys
from cocotb_test.simulator import run

run(verilog_sources=["counter.v"], toplevel="counter", module="bench", simulator=sys.argv[1], timescale="1ns/1ps",
    python_search=["."])
"""


@pytest.fixture
def project(tmp_path):
    """A user's folder."""
    shutil.copy(HERE / "counter.v", tmp_path)
    (tmp_path / "bench.py").write_text(BENCH)
    return tmp_path


def shell(project: Path, script: str) -> subprocess.CompletedProcess:
    """Run a script in a shell that knows nothing of this virtual environment."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(project)}
    env |= {n: os.environ[n] for n in ("BRIDGEBNN_BUILD",) if n in os.environ} | QUICK_BUILD
    command = ["bash", "-c", f"set -e\n{script}"]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=600)


def evaluated(sim: str, *options: str) -> str:
    """The command line that prints the environment, from this checkout."""
    words = ["env", "-C", str(ROOT), sys.executable, "-m", "bridgebnn.tb", "env", "--sim", sim, *options]
    return shlex.join(words)


@pytest.mark.parametrize("sim", EACH)
def test_the_makefiles_of_cocotb(sim, project):
    (project / "Makefile").write_text(MAKEFILE.format(include="", config="cocotb-config"))
    done = shell(project, f'eval "$({evaluated(sim)})"\nmake SIM={sim}')
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS=1 FAIL=0" in done.stdout + done.stderr
    (project / "bench.py").write_text(BENCH.replace("(7, 8)", "(9, 9)"))
    assert shell(project, f'eval "$({evaluated(sim)})"\nmake SIM={sim}').returncode != 0


@pytest.mark.verilator
def test_lines_for_make(project):
    config = "$(PYTHON_BIN) -m cocotb_tools.config"
    (project / "Makefile").write_text(MAKEFILE.format(include="include env.mk", config=config))
    done = shell(project, f"{evaluated('verilator', '--make')} > env.mk\nmake")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS=1 FAIL=0" in done.stdout + done.stderr


@pytest.mark.parametrize("sim", EACH)
@pytest.mark.parametrize("script", [RUNNER, COCOTB_TEST], ids=["cocotb", "cocotb-test"])
def test_the_python_runners(script, sim, project):
    (project / "run.py").write_text(script)
    done = shell(project, f'eval "$({evaluated(sim)})"\npython run.py {sim}')
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS=1 FAIL=0" in done.stdout + done.stderr
    (project / "bench.py").write_text(BENCH.replace("(7, 8)", "(9, 9)"))
    done = shell(project, f'eval "$({evaluated(sim)})"\npython run.py {sim}')
    assert "FAIL=1" in done.stdout + done.stderr


@pytest.mark.verilator
def test_the_verilator_on_the_path_knows_its_version(project):
    done = shell(
        project, f'eval "$({evaluated("verilator")})"\nverilator --version\nverilator --lint-only counter.v'
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Verilator {verilator.verilator_version()} ")


def test_odd_characters_are_quoted():
    variables = {"VERILATOR_ROOT": "/a b/$x#y", "PATH": "/it's"}
    script = "; ".join([*environment.lines(variables, "shell"), 'printf "%s\\n" "$VERILATOR_ROOT" "$PATH"'])
    done = subprocess.run(["/bin/sh", "-c", script], env={"PATH": "/bin"}, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["/a b/$x#y", "/it's:/bin"]
    text = "\n".join(
        [*environment.lines(variables, "make"), "all:", '\t@printf "%s\\n" "$$VERILATOR_ROOT" "$$PATH"']
    )
    done = subprocess.run(
        ["make", "-f", "-"], input=text, env={"PATH": "/bin:/usr/bin"}, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["/a b/$x#y", "/it's:/bin:/usr/bin"]
    with pytest.raises(ValueError, match="unknown form 'fish': known are shell, make"):
        environment.lines(variables, "fish")
