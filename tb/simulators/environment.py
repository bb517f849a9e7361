"""The environment in which our simulators run, and the one in which a user's own flow finds them."""

from __future__ import annotations

import functools
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import cocotb_tools.config
import find_libpython

from bridgebnn.paths import PACKAGE

from .verilator import root, tools

__all__ = ["FORMS", "build_environment", "for_users", "lines", "run_environment"]

# cocotb, its predecessor's names, the makefiles around it, and the makefiles of Verilator
_FOREIGN = re.compile(
    r"(COCOTB|GPI|PYGPI|VERILATOR|IVERILOG|IVL|VVP|BRIDGEBNN_JOB)(_.*)?"
    r"|MODULE|TESTCASE|TOPLEVEL|TOPLEVEL_LANG|PLUSARGS|RANDOM_SEED|SIM|SIM_BUILD|WAVES|GUI|COVERAGE|LIBPYTHON_LOC"
    r"|MAKEFLAGS|MFLAGS|GNUMAKEFLAGS|MAKELEVEL|MAKEFILES|MAKEOVERRIDES"
    r"|CXXFLAGS|CPPFLAGS|CFLAGS|LDFLAGS|LDLIBS|OPT|OPT_\w+|USER_\w+|VM_\w+|VK_\w+|OBJCACHE"
    r"|PYTHONPATH|PYTHONHOME|PYTHONSTARTUP"
)
"""Variables that would change what a build makes, or what a run does."""

FORMS = ("shell", "make")


def _own() -> dict[str, str]:
    """This process's environment without what reaches into builds and runs."""
    return {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}


def build_environment(sim: str) -> dict[str, str]:
    """Environment of the commands that build."""
    return _own() | ({"VERILATOR_ROOT": str(root())} if sim == "verilator" else {})


@functools.cache
def _gpi_users() -> str:
    library = find_libpython.find_libpython()
    if library is None:
        raise OSError("this Python has no shared library, which cocotb needs: apt-get install libpython3-dev")
    return f"{library};{cocotb_tools.config.pygpi_entry_point()}"


def run_environment(top: str, module: str, testcase: str | None, results: Path) -> dict[str, str]:
    """Environment of a simulator that runs the tests of a Python module.

    Parameters
    ----------
    top : str
        Top-level module of the Verilog.
    module : str
        Python module, found on the ``sys.path`` of this process.
    testcase : str, optional
        Regular expression of the tests to run; all by default.
    results : Path
        Where cocotb leaves its own report.
    """
    libraries = str(cocotb_tools.config.libs_dir)
    env = _own()
    env |= {
        "COCOTB_TOPLEVEL": top,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_RANDOM_SEED": "1",  # whatever a testbench draws, it draws from the seed of its job
        "GPI_USERS": _gpi_users(),
        "PYGPI_PYTHON_BIN": sys.executable,
        # the package first: a folder of the user's that has its name does not hide it
        "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *(os.path.abspath(p) for p in sys.path)]),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [libraries, os.environ.get("LD_LIBRARY_PATH")])),
        # Both simulators apply writes as inertial puts; trusting them spares a ReadWrite callback per write,
        # and lets the clock run in C.
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        # A row is a small product: a second thread waits more than it works, and takes a core from others.
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        "COCOTB_LOG_LEVEL": "WARNING",
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # importing pytest takes longer than most runs
    }
    if testcase is not None:
        env["COCOTB_TEST_FILTER"] = testcase
    return env


def for_users(sim: str) -> dict[str, str]:
    """Variables under which cocotb's makefiles, cocotb's runner and cocotb-test find this simulator.

    ``PATH`` holds the folders to put in front of the present one. ``PYTHON_BIN`` and ``VERILATOR_BIN_DIR`` are read
    by cocotb's makefiles: before version 4.4, ``$(shell)`` of make does not see the PATH that a makefile exports.
    """
    folders, found = [str(Path(sys.executable).parent)], {"PYTHON_BIN": sys.executable}
    if sim == "verilator":
        programs = str(tools() / "bin")
        folders.insert(0, programs)
        found |= {"VERILATOR_ROOT": str(root()), "VERILATOR_BIN_DIR": programs}
    return found | {"PATH": os.pathsep.join(folders)}


def lines(variables: Mapping[str, str], form: str) -> list[str]:
    """The variables as a shell or as make reads them.

    Parameters
    ----------
    variables : mapping
        As from `for_users`.
    form : str
        ``shell`` or ``make``.
    """
    if form == "shell":
        rest = {"PATH": '"${PATH:+:$PATH}"'}
        return [f"export {n}={shlex.quote(value)}{rest.get(n, '')}" for n, value in variables.items()]
    if form == "make":
        rest = {"PATH": ":$(PATH)"}
        given = [f"export {n} := {_made(value)}{rest.get(n, '')}" for n, value in variables.items()]
        return [
            line.replace("export PYTHON_BIN", "override PYTHON_BIN") for line in given
        ]  # cocotb sets it, too
    raise ValueError(f"unknown form {form!r}: known are {', '.join(FORMS)}")


def _made(value: str) -> str:
    return value.replace("$", "$$").replace("#", r"\#")
