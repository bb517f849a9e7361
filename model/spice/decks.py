"""Netlists of the bridge, the buffer, the neuron and the comparator, as text.

Nothing here runs a simulator. Every function returns lines of a netlist; node names are its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .sizes import CircuitSizes

__all__ = [
    "ANALOG_OPTIONS",
    "bridge",
    "cells",
    "comparator",
    "level_source",
    "neuron_capacitors",
    "precharge_switches",
    "select_transistor",
    "two_level_waveform",
]

#: Tight enough that charge on a floating line is kept to 1e-5 of its value; ngspice's own chgtol (10 fC)
#: is more than all the charge of interest here.
ANALOG_OPTIONS = ".option reltol=1e-3 vntol=1e-6 abstol=1e-13 chgtol=1e-16 gmin=1e-14 method=gear"

_NFET_5V = "sky130_fd_pr__nfet_g5v0d10v5"
_NFET = "sky130_fd_pr__nfet_01v8"
_PFET = "sky130_fd_pr__pfet_01v8"


def _junction(w_um: float) -> str:
    """Areas and perimeters of a contacted source and drain, 0.29 um long (the PDK's own default finger)."""
    area, rim = 0.29 * w_um, 2.0 * (0.29 + w_um)
    return f"ad={area:.6g} as={area:.6g} pd={rim:.6g} ps={rim:.6g}"


def _mos(name: str, d: str, g: str, s: str, b: str, model: str, w_um: float, l_um: float) -> str:
    return f"x{name} {d} {g} {s} {b} {model} w={w_um:.6g} l={l_um:.6g} nf=1 {_junction(w_um)}"


def select_transistor(name: str, d: str, g: str, s: str, sizes: CircuitSizes) -> str:
    """Return one thick-oxide select transistor."""
    return _mos(name, d, g, s, "0", _NFET_5V, sizes.select_w_um, sizes.select_l_um)


def bridge(
    name: str, r_p_ohm: float, r_n_ohm: float, bl: str, blb: str, wl: str, sl: str, sizes: CircuitSizes
) -> list[str]:
    """Return a bridge: bl, device P, its transistor, sl, the other transistor, device N, blb."""
    if r_p_ohm <= 0.0 or r_n_ohm <= 0.0:
        raise ValueError(f"bridge {name}: resistances must be above 0, got {r_p_ohm!r}, {r_n_ohm!r}")
    return [
        f"rp{name} {bl} a{name} {r_p_ohm:.9g}",
        select_transistor(f"p{name}", f"a{name}", wl, sl, sizes),
        select_transistor(f"n{name}", f"b{name}", wl, sl, sizes),
        f"rn{name} b{name} {blb} {r_n_ohm:.9g}",
    ]


def cells(sizes: CircuitSizes) -> list[str]:
    """Return the subcircuits ``buffer_inv``, ``plate_nor`` and ``strongarm``."""
    z = sizes
    length = z.buffer_l_um
    return [
        ".subckt buffer_inv in out vdd",
        _mos("n", "out", "in", "0", "0", _NFET, z.buffer_wn_um, length),
        _mos("p", "out", "in", "vdd", "vdd", _PFET, z.buffer_wp_um, length),
        ".ends",
        ".subckt plate_nor a b out vdd",
        _mos("na", "out", "a", "0", "0", _NFET, z.gate_wn_um, length),
        _mos("nb", "out", "b", "0", "0", _NFET, z.gate_wn_um, length),
        _mos("pb", "m", "b", "vdd", "vdd", _PFET, z.gate_wp_um, length),
        _mos("pa", "out", "a", "m", "vdd", _PFET, z.gate_wp_um, length),
        ".ends",
        ".subckt strongarm inp inn clk outp outn vdd",
        _mos("tail", "t", "clk", "0", "0", _NFET, z.tail_w_um, 0.15),
        _mos("ip", "p", "inp", "t", "0", _NFET, z.input_w_um, z.input_l_um),
        _mos("in", "q", "inn", "t", "0", _NFET, z.input_w_um, z.input_l_um),
        _mos("lx", "x", "y", "p", "0", _NFET, z.latch_wn_um, 0.15),
        _mos("ly", "y", "x", "q", "0", _NFET, z.latch_wn_um, 0.15),
        _mos("px", "x", "y", "vdd", "vdd", _PFET, z.latch_wp_um, 0.15),
        _mos("py", "y", "x", "vdd", "vdd", _PFET, z.latch_wp_um, 0.15),
        *(_mos(f"r{n}", n, "clk", "vdd", "vdd", _PFET, z.reset_wp_um, 0.15) for n in ("x", "y", "p", "q")),
        "xop x outp vdd buffer_inv",
        "xon y outn vdd buffer_inv",
        ".ends",
    ]


def neuron_capacitors(
    name: str,
    plates_p: Sequence[str],
    plates_n: Sequence[str],
    c_p_F: NDArray[np.float64],
    c_n_F: NDArray[np.float64],
) -> list[str]:
    """Return the unit capacitors from the plates to the lines ``vp{name}`` and ``vn{name}``.

    Parameters
    ----------
    plates_p, plates_n : sequence of str, length C
        Node of each column's plate on either side.
    c_p_F, c_n_F : float64 array (C,)
        Drawn capacitor values.
    """
    lines = [
        f"cp{name}_{k} {n} vp{name} {c:.9g}" for k, (n, c) in enumerate(zip(plates_p, c_p_F, strict=True))
    ]
    return lines + [
        f"cn{name}_{k} {n} vn{name} {c:.9g}" for k, (n, c) in enumerate(zip(plates_n, c_n_F, strict=True))
    ]


def precharge_switches(
    name: str, columns: int, sizes: CircuitSizes, *, clock: str = "pre", vcm: str = "0"
) -> list[str]:
    """Return line parasitics, a switch from each line to ``vcm``, and one between the lines."""
    w, length, c_line = (
        sizes.precharge_width_um(columns),
        sizes.precharge_l_um,
        sizes.line_capacitance_F(columns),
    )
    return [
        f"clp{name} vp{name} 0 {c_line:.6g}",
        f"cln{name} vn{name} 0 {c_line:.6g}",
        _mos(f"sp{name}", f"vp{name}", clock, vcm, "0", _NFET, w, length),
        _mos(f"sn{name}", f"vn{name}", clock, vcm, "0", _NFET, w, length),
        _mos(f"se{name}", f"vp{name}", clock, f"vn{name}", "0", _NFET, w, length),
    ]


def comparator(name: str, inp: str, inn: str, clk: str, outp: str, outn: str, vdd: str) -> str:
    """Return one StrongARM latch; ``outp`` rises after ``clk`` where inp > inn."""
    return f"xcmp{name} {inp} {inn} {clk} {outp} {outn} {vdd} strongarm"


def level_source(name: str, node: str, points: Iterable[tuple[float, float]]) -> str:
    """Return a piecewise-linear source ``v{name}`` from (time in s, level in V) points."""
    text = " ".join(f"{t:.6g} {v:.6g}" for t, v in points)
    return f"v{name} {node} 0 pwl({text})"


def two_level_waveform(
    levels: Sequence[float], start_s: float, period_s: float, edge_s: float
) -> list[tuple[float, float]]:
    """Return points that hold ``levels[k]`` from ``start_s + k period_s`` on, with edges of ``edge_s``."""
    points = [(0.0, float(levels[0]))]
    for k, level in enumerate(levels):
        if k and level != levels[k - 1]:
            t = start_s + k * period_s
            points += [(t, float(levels[k - 1])), (t + edge_s, float(level))]
    return points


def row_read(
    r_p_ohm: NDArray[np.float64],
    r_n_ohm: NDArray[np.float64],
    inputs: NDArray[np.int8],
    c_p_F: NDArray[np.float64],
    c_n_F: NDArray[np.float64],
    sizes: CircuitSizes,
    *,
    pulse_word_line: bool = False,
) -> tuple[list[str], float]:
    """Return the netlist of one complete row, read once per input vector, and the end time in s.

    Read k occupies ``[k, k + 1) * sizes.read_s``: precharge (the lines are shorted to 0 V, all plates rest
    at 0 V, the bit lines take their levels), evaluate (``evb`` falls: dV develops), sense (``clk`` rises).
    Nodes: ``bl{c} blb{c} wl s{c} q{c} qb{c} tp{c} tn{c} vp vn cp cn``; supplies ``vbuf`` (buffers), ``vgat``
    (plate gates), ``vcmp`` (comparator), and the drivers ``vbl{c} vblb{c} vwl vpre vevb vclk``.

    Parameters
    ----------
    r_p_ohm, r_n_ohm : float64 array (C,)
        Devices of the row.
    inputs : int8 array (K, C), values -1 or +1
        One vector per read.
    c_p_F, c_n_F : float64 array (C,)
        Unit capacitors of either line.
    pulse_word_line : bool
        Raise the word line at the start of each read and lower it at its end, as when rows follow each other;
        otherwise it stays up.
    """
    reads, columns = inputs.shape
    if not (r_p_ohm.shape == r_n_ohm.shape == c_p_F.shape == c_n_F.shape == (columns,)):
        raise ValueError(f"row_read: inputs are (K, {columns}), the other arrays must be ({columns},)")
    z = sizes
    period, phase, edge = z.read_s, z.phase_s, z.edge_s
    word_line = [(0.0, z.v_wl_V)]
    if pulse_word_line:
        word_line = [(0.0, 0.0)]
        for k in range(reads):
            up, down = k * period + 2 * edge, (k + 1) * period - edge
            word_line += [(up, 0.0), (up + edge, z.v_wl_V), (down, z.v_wl_V), (down + edge, 0.0)]
    lines = [
        ANALOG_OPTIONS,
        *cells(z),
        f"vbuf buf 0 {z.vdd_V}",
        f"vgat gat 0 {z.vdd_V}",
        f"vcmp cmp 0 {z.vdd_V}",
        level_source("wl", "wl", word_line),
    ]
    for name, lag, width, rest in (
        ("pre", 0.0, phase, 0.0),
        ("evb", phase, 2 * phase, 1.0),
        ("clk", 2 * phase, phase, 0.0),
    ):
        # pre falls a little before evb does, and evb rises before pre: the lines are never driven twice
        on, off = lag + (3 * edge if name == "evb" else 2 * edge), lag + width
        points = [(0.0, rest * z.vdd_V)]
        for k in range(reads):
            points += [(k * period + on, rest * z.vdd_V), (k * period + on + edge, (1 - rest) * z.vdd_V)]
            points += [(k * period + off, (1 - rest) * z.vdd_V), (k * period + off + edge, rest * z.vdd_V)]
        lines.append(level_source(name, name, points))
    for c in range(columns):
        high = [z.v_read_V if x > 0 else 0.0 for x in inputs[:, c]]
        low = [z.v_read_V - v for v in high]
        lines += [
            level_source(f"bl{c}", f"bl{c}", two_level_waveform(high, 2 * edge, period, edge)),
            level_source(f"blb{c}", f"blb{c}", two_level_waveform(low, 2 * edge, period, edge)),
            f"cbl{c} bl{c} 0 {z.c_bl_F:.6g}",
            f"cblb{c} blb{c} 0 {z.c_bl_F:.6g}",
            *bridge(f"{c}", r_p_ohm[c], r_n_ohm[c], f"bl{c}", f"blb{c}", "wl", f"s{c}", z),
            f"cs{c} s{c} 0 {z.c_sl_F:.6g}",
            f"xb{c} s{c} qb{c} buf buffer_inv",
            f"xq{c} qb{c} q{c} buf buffer_inv",
            f"xgp{c} qb{c} evb tp{c} gat plate_nor",
            f"xgn{c} q{c} evb tn{c} gat plate_nor",
        ]
    plates_p, plates_n = [f"tp{c}" for c in range(columns)], [f"tn{c}" for c in range(columns)]
    lines += neuron_capacitors("", plates_p, plates_n, c_p_F, c_n_F)
    lines += precharge_switches("", columns, z)
    lines += [comparator("", "vp", "vn", "clk", "cp", "cn", "cmp")]
    return lines, reads * period
