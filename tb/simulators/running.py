"""Run a testbench over a job: a JSON file goes in, a JSON result comes back.

The far end is `bridgebnn.tb.runs.job`.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb_tools.config

from bridgebnn.paths import build_root
from bridgebnn.processes import started

from .building import BINARY, build
from .environment import run_environment
from .simulation import Simulation, SimulationError

__all__ = ["run"]

KEPT_S = 7 * 86400.0
"""For so long logs of runs stay under `build_root`."""


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
    testcase : str, optional
        Regular expression of the tests of the module to run.
    timeout_s, silence_s : float
        Wall-clock limits, of the whole run and without a sign of progress.
    progress : callable, optional
        Called a few times a second with the last progress record.
    folder : Path, optional
        Where log and results stay. Default: a new folder under ``runs`` of `build_root`. Of this the log alone
        is left when the run ends well, everything when it fails, and nothing when it is interrupted; what is
        left goes a week later.

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
    binary, build_s = build(simulation)
    own = folder is None
    if folder is None:
        runs = build_root() / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        _forget_old(runs)
        folder = Path(tempfile.mkdtemp(prefix=f"{simulation.sim}-", dir=runs))
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        result = _run(
            simulation, module, job, binary, folder, testcase, plus_args, (timeout_s, silence_s), progress
        )
    except Exception:
        raise
    except BaseException:  # interrupted: nobody will ask for the log
        if own:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    log = folder / "run.log"
    if own:
        for item in folder.iterdir():
            if item != log:
                item.unlink()
    return {**result, "build_s": round(build_s, 2), "log": str(log)}


def _forget_old(runs: Path) -> None:
    with contextlib.suppress(OSError):  # another process forgets, too
        for item in runs.iterdir():
            if item.stat().st_mtime < time.time() - KEPT_S:
                shutil.rmtree(item, ignore_errors=True)


def _run(
    simulation: Simulation,
    module: str,
    job: Mapping[str, Any],
    binary: Path,
    folder: Path,
    testcase: str | None,
    plus_args: Sequence[str],
    limits_s: tuple[float, float],
    progress: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    log, result_path, progress_path = folder / "run.log", folder / "result.json", folder / "progress.json"
    results = folder / "results.xml"
    for stale in (result_path, progress_path, results):
        stale.unlink(missing_ok=True)
    full = {**job, "result": str(result_path), "progress": str(progress_path), "run_folder": str(folder)}
    full.setdefault("sim", simulation.sim)
    (folder / "job.json").write_text(json.dumps(full))
    env = run_environment(simulation.top, module, testcase, results)
    env["BRIDGEBNN_JOB"] = str(folder / "job.json")
    command: list[str | Path] = [binary / BINARY[simulation.sim], *plus_args]
    if simulation.sim == "icarus":
        command[:0] = ["vvp", "-n", "-m", cocotb_tools.config.lib_name_path("vpi", "icarus")]
    with log.open("wb") as output, started(command, cwd=folder, env=env, log=output) as process:
        reason = _watch(process, limits_s, progress_path, progress)
    if reason:
        raise SimulationError("Timeout", reason, log)
    if not result_path.exists():
        raise SimulationError("Crash", f"{simulation.sim} {_why(module, results, log)}", log)
    result = json.loads(result_path.read_text())
    if "error" in result:
        raise SimulationError(result["kind"], result["error"], log)
    return result


def _watch(
    process: subprocess.Popen[bytes],
    limits_s: tuple[float, float],
    path: Path,
    progress: Callable[[dict[str, Any]], None] | None,
) -> str | None:
    """Wait for the end of a run and show its progress; the reason, when it exceeds a limit."""
    timeout_s, silence_s = limits_s
    start = last = time.monotonic()
    seen = b""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05 if time.monotonic() - start < 2 else 0.2)
        now = time.monotonic()
        with contextlib.suppress(OSError, ValueError):
            record = path.read_bytes()
            if record != seen:
                seen, last = record, now
                if progress is not None:
                    progress(json.loads(record))
        if process.returncode is not None:
            return None
        if now - start > timeout_s:
            return f"no end after {timeout_s:g} s"
        if now - last > silence_s:
            return f"no progress for {silence_s:g} s"


def _why(module: str, results: Path, log: Path) -> str:
    """Why there is no result."""
    with contextlib.suppress(OSError, ElementTree.ParseError):
        passed = [c for c in ElementTree.parse(results).iter("testcase") if c.find("failure") is None]
        if passed:
            names = ", ".join(str(case.get("name")) for case in passed[:3])
            return (
                f"ran {names} of {module}, which left no result: write it as `async def NAME(dut, job, progress)` "
                "under the decorator bridgebnn.tb.runs.job.testbench in place of cocotb.test, and return a report"
            )
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)] or lines
    return f"ended without a result: {lines[-1].strip()[:200] if lines else 'no output'}"
