"""Build a simulator, or take it from the cache: a folder named by a hash of sources and options.

A second run starts at once, and two processes never build the same thing at the same time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cocotb import __version__ as COCOTB_VERSION

from bridgebnn.cache import cached
from bridgebnn.paths import build_root
from bridgebnn.processes import started

from .environment import build_environment
from .simulation import TIMESCALE, Simulation, SimulationError
from .verilator import plain, plain_folder, tools, verilator_version

__all__ = ["BINARY", "build", "digest", "simulator_version"]

BINARY = {"icarus": "simulator.vvp", "verilator": "simulator"}
"""What a build leaves in its folder."""

ICARUS_ARGS = ["-g2005", "-Wall", "-Wno-timescale"]

# Two-state, no assertions, registers start at their reset values: Amaranth initialises every one.
VERILATOR_ARGS = [
    "-O3",
    "--default-language",
    "1364-2005",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-assert",
    "-Wno-fatal",
    "-Wno-lint",
]
# One translation unit, -O1: half the processor time of a file each at -O2, and runs that are as fast, because they
# wait for the testbench.
VERILATOR_MAKE = ["-j", "2", "VM_PARALLEL_BUILDS=0", "OPT_FAST=-O1", "OPT_SLOW=-O1", "OPT_GLOBAL=-O2"]


@functools.cache
def _icarus_version(path: str) -> str:
    said = subprocess.run([path, "-V"], capture_output=True, text=True, timeout=60).stdout
    return said.split("\n", 1)[0]


def simulator_version(sim: str) -> str:
    """Version of the simulator; raises a one-line error when it, or what it needs, is missing."""
    if sim == "verilator":
        return f"{verilator_version()}, cocotb {COCOTB_VERSION}"
    path = shutil.which("iverilog")
    if path is None or shutil.which("vvp") is None:
        raise SimulationError("Missing", "Icarus Verilog is not installed: apt-get install iverilog")
    return f"{path} {_icarus_version(path)}"


def digest(simulation: Simulation) -> str:
    """Hash over everything that decides what the simulator does.

    Raises
    ------
    SimulationError
        ``Missing``.
    """
    s = simulation
    options = [s.sim, s.top, sorted(s.parameters.items()), *map(list, (s.defines, s.written, s.read))]
    options += [ICARUS_ARGS, VERILATOR_ARGS, VERILATOR_MAKE, TIMESCALE, simulator_version(s.sim)]
    h = hashlib.sha256(json.dumps(options).encode())
    for source in s.sources:
        h.update(Path(source).read_bytes())
    return h.hexdigest()[:16]


def build(simulation: Simulation) -> tuple[Path, float]:
    """Build, or take from the cache.

    Returns
    -------
    folder : Path
        Holds `BINARY` and ``build.log``.
    seconds : float
        Time that building took; 0 from the cache.

    Raises
    ------
    SimulationError
        ``Missing`` or ``Build``. The log of a failed build stays in ``failed/`` of `build_root`.
    """
    start = time.monotonic()
    name = f"{simulation.sim}-{simulation.top}-{digest(simulation)}"
    target = build_root() / "sim" / name
    make = {"icarus": _icarus, "verilator": _verilator}[simulation.sim]

    def fill(part: Path) -> None:
        try:
            make(simulation, part)
        except _CommandFailed as failure:
            log = build_root() / "failed" / f"{name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(part / "build.log", log)
            raise SimulationError(
                "Build", f"{simulation.sim} could not build {simulation.top}: {failure}", log
            ) from None

    made = cached(target, fill)
    return target, time.monotonic() - start if made else 0.0


class _CommandFailed(Exception):
    """A command of a build did not end with 0."""


def _execute(commands: Sequence[Sequence[str | Path]], cwd: Path, sim: str, log: Path) -> None:
    # compilers that are killed leave temporary files: they go with this folder; iverilog needs a plain path
    where = cwd if plain(cwd) else plain_folder()
    with log.open("ab") as output, tempfile.TemporaryDirectory(prefix="tmp-", dir=where) as scratch:
        env = build_environment(sim) | {"TMPDIR": scratch}
        for command in commands:
            output.write(f"$ {' '.join(map(str, command))}\n".encode())
            output.flush()
            with started(command, cwd=cwd, env=env, log=output) as process:
                status = process.wait()
            if status:
                raise _CommandFailed(f"{Path(command[0]).name} ended with status {status}")


def _sources(simulation: Simulation, folder: Path) -> list[str]:
    """The sources, under paths that every tool takes."""
    paths = []
    for number, source in enumerate(Path(s).absolute() for s in simulation.sources):
        if not plain(source):
            source = Path(shutil.copy(source, folder / f"source{number}.v"))
        paths.append(str(source))
    return paths


def _icarus(simulation: Simulation, folder: Path) -> None:
    (folder / "timescale.f").write_text(f"+timescale+{TIMESCALE}\n")
    command = ["iverilog", "-o", BINARY["icarus"], "-s", simulation.top, "-DCOCOTB_SIM=1", *ICARUS_ARGS]
    command += ["-f", "timescale.f", *(f"-D{name}" for name in simulation.defines)]
    command += [f"-P{simulation.top}.{name}={value}" for name, value in simulation.parameters.items()]
    _execute([[*command, *_sources(simulation, folder)]], folder, "icarus", folder / "build.log")


def _verilator(simulation: Simulation, folder: Path) -> None:
    """Build where make works, and keep the binary alone."""
    where = folder.parent if plain(folder) else plain_folder()
    with tempfile.TemporaryDirectory(prefix="part-", dir=where) as scratch:
        work = Path(scratch)
        top, cocotb = simulation.top, tools() / "cocotb"
        # Only what this file names is public: everything-public costs a third of the speed.
        public = [f'public_flat_rw -module "{top}" -var "{name}"' for name in simulation.written]
        public += [f'public_flat_rd -module "{top}" -var "{name}"' for name in simulation.read]
        (work / "public.vlt").write_text("\n".join(["`verilator_config", *public, ""]))
        verilate: list[str | Path] = [
            tools() / "bin" / "verilator",
            "-cc",
            "--exe",
            "-Mdir",
            ".",
            "--prefix",
            "Vtop",
        ]
        verilate += ["-o", BINARY["verilator"], "--top-module", top, "--vpi", "-DCOCOTB_SIM=1"]
        verilate += ["-LDFLAGS", f"-L{cocotb / 'libs'} -lcocotbvpi_verilator", *VERILATOR_ARGS]
        verilate += ["public.vlt", "--timescale", TIMESCALE, *(f"-D{name}" for name in simulation.defines)]
        verilate += [f"-G{name}={value}" for name, value in simulation.parameters.items()]
        verilate += [str(cocotb / "share" / "lib" / "verilator" / "verilator.cpp")]
        verilate += _sources(simulation, work)
        runtime, log = _runtime(), folder / "build.log"
        _execute([verilate], work, "verilator", log)
        if runtime.is_dir():  # after Vtop.mk, which make wants to be older
            for item in runtime.iterdir():
                shutil.copyfile(item, work / item.name)
        _execute([["make", "-f", "Vtop.mk", *VERILATOR_MAKE]], work, "verilator", log)
        cached(runtime, functools.partial(_keep_runtime, work))
        shutil.copy(work / BINARY["verilator"], folder)


def _runtime() -> Path:
    """Folder of Verilator's own runtime, compiled: the same for every design."""
    flags = json.dumps([simulator_version("verilator"), VERILATOR_MAKE, TIMESCALE, os.uname().machine])
    return build_root() / "sim" / f"runtime-{hashlib.sha256(flags.encode()).hexdigest()[:16]}"


def _keep_runtime(work: Path, folder: Path) -> None:
    for item in work.glob("verilated*.o"):
        shutil.copyfile(item, folder / item.name)
