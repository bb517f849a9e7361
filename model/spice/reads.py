"""One read of one row of a chip in transistors: its netlist, its answer, and answers that were there before.

The row is that of `bridgebnn.model.spice.decks`, made of what the chip's seed drew: the devices' resistances, the
unit capacitors, each buffer's threshold, the comparator's offset. What the macro has and these decks do not, stands in
front of the transistors as an ideal source or resistor [ours]:

* the driver and the wires of a bit line, as far as the row is away: one resistor in series to either end of a cell;
* a buffer's deviation from the mean threshold: a voltage in front of its first gate, of opposite sign;
* comparator offset and charge injection: half of their sum added to VP, half taken from VN, by sources between the
  lines and the comparator;
* the reference: near the end of the evaluation, when dV has been read, ``Vdd Cu`` of charge for each count, times the
  DAC's gain, moves onto VP and as much off VN, as one more unit capacitor would.

The wire of the neuron's lines is what is left of the chip's ``parasitic_F`` beside the transistors on them.

A disabled column keeps its bit lines at 0 V and its plates at rest: its two capacitors, to ground, are all there is
of it. Word line, inputs and the three phases last as long as the controller's timing says.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridgebnn.cache import cached
from bridgebnn.hdl.spec import Timing
from bridgebnn.paths import build_root
from bridgebnn.processes import captured, workers
from bridgebnn.records import Record

from .decks import (
    ANALOG_OPTIONS,
    bridge,
    cells,
    comparator,
    level_source,
    neuron_capacitors,
    precharge_switches,
)
from .run import Deck, SpiceRunError, Tools, run_deck
from .sizes import CircuitSizes

__all__ = ["Answers", "RowAnswer", "RowCircuit", "read_deck"]

SAMPLE_BEFORE_S = 1e-10
"""The comparator is read this long before its phase ends."""

_REFERENCE_EDGES = 5
"""Edges from the reference to the end of the evaluation; dV is read one edge before it."""

_LEAST_OHM = 1e-3
_ANSWER = "answer.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class RowCircuit:
    """What one read of a row is made of; arrays are (C,).

    Parameters
    ----------
    r_p_ohm, r_n_ohm : float64
        Devices.
    series_ohm : (float, float)
        Driver and wire from a supply to BL and to BLb of each cell.
    buffer_V : float64
        What each buffer's threshold lies above that of the transistors.
    c_p_F, c_n_F : float64
        Unit capacitors on VP and VN.
    offset_V : float
        What the comparator sees beside dV: its offset, and what the switches inject.
    reference_C : float
        Charge of the reference, in coulomb.
    inputs, enabled : bool
    sizes : CircuitSizes
    timing : Timing
    """

    r_p_ohm: NDArray[np.float64]
    r_n_ohm: NDArray[np.float64]
    series_ohm: tuple[float, float]
    buffer_V: NDArray[np.float64]
    c_p_F: NDArray[np.float64]
    c_n_F: NDArray[np.float64]
    offset_V: float
    reference_C: float
    inputs: NDArray[np.bool_]
    enabled: NDArray[np.bool_]
    sizes: CircuitSizes
    timing: Timing

    @property
    def ends_s(self) -> tuple[float, float, float]:
        """When precharge, evaluate and sense end."""
        t = self.timing
        cycles = np.cumsum([t.precharge_cyc, t.evaluate_cyc, t.sense_cyc])
        precharge, evaluate, sense = (cycles * t.clock_s).tolist()
        return precharge, evaluate, sense


class RowAnswer(Record, frozen=True, kw_only=True):
    """What the transistors of a row answer to one read.

    Parameters
    ----------
    dv_V : float
        VP - VN at the end of the evaluation, without the reference.
    bits : list of int
        Outputs of the enabled columns' buffers there, in order.
    decision : int
        The comparator's, at the end of the sense phase.
    resolved : bool
        One of the comparator's outputs has risen by then. Otherwise the decision is 0.
    """

    dv_V: float
    bits: list[int]
    decision: int
    resolved: bool = True


def read_deck(circuit: RowCircuit) -> Deck:
    """The netlist of one read: nodes as those of ``decks.row_read``, and ``g{c}`` in front of each buffer."""
    c, z = circuit, circuit.sizes
    edge, (precharge, evaluate, end) = z.edge_s, c.ends_s
    high, low = z.vdd_V, 0.0

    def steps(name: str, *points: tuple[float, float]) -> str:
        """A driver that takes each (time, level) with one edge."""
        text = [(0.0, points[0][1])]
        for at, level in points[1:]:
            text += [(at, text[-1][1]), (at + edge, level)]
        return level_source(name, name, text)

    lines = [
        ANALOG_OPTIONS,
        *cells(z),
        f"vbuf buf 0 {z.vdd_V}",
        f"vgat gat 0 {z.vdd_V}",
        f"vcmp cmp 0 {z.vdd_V}",
        f"vwl wl 0 {z.v_wl_V}",
        steps("pre", (0.0, low), (2 * edge, high), (precharge, low)),
        # the lines are free before the plates move
        steps("evb", (0.0, high), (precharge + 3 * edge, low)),
        steps("clk", (0.0, low), (evaluate + 2 * edge, high)),
        f"vop cip vp {c.offset_V / 2:.9g}",
        f"von vn cin {c.offset_V / 2:.9g}",
        comparator("", "cip", "cin", "clk", "cp", "cn", "cmp"),
        *precharge_switches("", len(c.inputs), z),
    ]
    if c.reference_C:
        begin, ampere = evaluate - _REFERENCE_EDGES * edge, c.reference_C / (2 * edge)
        pulse = [(0.0, 0.0), *((begin + k * edge, ampere * (0 < k < 3)) for k in range(4))]
        text = " ".join(f"{t:.6g} {i:.6g}" for t, i in pulse)
        lines += [f"irp 0 vp pwl({text})", f"irn vn 0 pwl({text})"]
    plates_p, plates_n = (["0"] * len(c.inputs) for _ in range(2))
    to_bl, to_blb = (max(ohm, _LEAST_OHM) for ohm in c.series_ohm)
    for k in np.flatnonzero(c.enabled).tolist():
        upper, lower = (z.v_read_V, 0.0) if c.inputs[k] else (0.0, z.v_read_V)
        lines += [
            steps(f"dbl{k}", (0.0, low), (2 * edge, upper)),
            steps(f"dblb{k}", (0.0, low), (2 * edge, lower)),
            f"rbl{k} dbl{k} bl{k} {to_bl:.9g}",
            f"rblb{k} dblb{k} blb{k} {to_blb:.9g}",
            f"cbl{k} bl{k} 0 {z.c_bl_F:.6g}",
            f"cblb{k} blb{k} 0 {z.c_bl_F:.6g}",
            *bridge(f"{k}", c.r_p_ohm[k], c.r_n_ohm[k], f"bl{k}", f"blb{k}", "wl", f"s{k}", z),
            f"cs{k} s{k} 0 {z.c_sl_F:.6g}",
            f"vg{k} s{k} g{k} {c.buffer_V[k]:.9g}",
            f"xb{k} g{k} qb{k} buf buffer_inv",
            f"xq{k} qb{k} q{k} buf buffer_inv",
            f"xgp{k} qb{k} evb tp{k} gat plate_nor",
            f"xgn{k} q{k} evb tn{k} gat plate_nor",
        ]
        plates_p[k], plates_n[k] = f"tp{k}", f"tn{k}"
    lines += neuron_capacitors("", plates_p, plates_n, c.c_p_F, c.c_n_F)
    shown = " ".join(f"v({name})" for name in ("vp", "vn", "cp", "cn", *_buffers(c)))
    return Deck(
        name="one read of a row",
        netlist="\n".join(lines),
        control=f"save {shown}\ntran 0.1n {end:.6g} 0 0.5n\nwrdata read {shown}",
        outputs=("read",),
    )


def _buffers(circuit: RowCircuit) -> list[str]:
    return [f"q{k}" for k in np.flatnonzero(circuit.enabled).tolist()]


def _answer(circuit: RowCircuit, deck: Deck, tools: Tools) -> RowAnswer:
    """Run it and look at its lines."""
    table = run_deck(deck, tools)["read"]
    _, evaluate, end = circuit.ends_s
    if table[-1, 0] < end - SAMPLE_BEFORE_S:
        raise SpiceRunError(f"deck {deck.name!r} ended at {table[-1, 0]:g} s of {end:g} s")

    def at(time_s: float) -> NDArray[np.float64]:
        return np.array([np.interp(time_s, table[:, 0], column) for column in table[:, 1:].T])

    half, edge = circuit.sizes.vdd_V / 2, circuit.sizes.edge_s
    vp, vn, _, _, *q = at(evaluate - (_REFERENCE_EDGES + 1) * edge).tolist()
    _, _, cp, cn, *_ = at(end - SAMPLE_BEFORE_S) > half
    return RowAnswer(
        dv_V=vp - vn,
        bits=[int(level > half) for level in q],
        decision=int(cp),
        resolved=bool(cp != cn),
    )


@dataclass(kw_only=True)
class Answers:
    """Answers of transistors, each kept in the build root under what determines it.

    That is the whole deck, which has the circuit's every value, ngspice's version and the bytes of the device models.

    Parameters
    ----------
    tools : Tools
    processes : int
        ngspice processes at a time.
    edit : callable, optional
        Changes each deck before it runs: circuits that are broken on purpose.

    Attributes
    ----------
    runs, kept : int
        ngspice runs, and answers that were there.
    spice_s : float
        Time that the runs took.
    """

    tools: Tools
    processes: int = 1
    edit: Callable[[Deck], Deck] | None = None
    runs: int = 0
    kept: int = 0
    spice_s: float = 0.0
    _known: dict[Path, RowAnswer] = field(default_factory=dict)

    def of(self, circuits: Sequence[RowCircuit]) -> list[RowAnswer]:
        """The answer to each read, in order; equal reads are run once.

        Raises
        ------
        SpiceRunError
            ngspice failed.
        """
        decks = [read_deck(circuit) for circuit in circuits]
        if self.edit is not None:
            decks = [self.edit(deck) for deck in decks]
        places = [self._place(deck) for deck in decks]
        wanted = {
            place: (circuit, deck)
            for place, circuit, deck in zip(places, circuits, decks, strict=True)
            if place not in self._known
        }
        before, start_s = self.runs, time.perf_counter()
        with workers(min(self.processes, max(1, len(wanted)))) as pool:
            found = pool.map(lambda place: self._found(place, *wanted[place]), wanted)
            for place, (answer, ran) in zip(wanted, found, strict=True):
                self._known[place] = answer
                self.runs += ran
        if self.runs > before:
            self.spice_s += time.perf_counter() - start_s
        self.kept += len(circuits) - (self.runs - before)
        return [self._known[place] for place in places]

    def _place(self, deck: Deck) -> Path:
        """Folder of the answer to a deck."""
        text = deck.text(Path("sky130.lib.spice")) + _identity(self.tools)
        return build_root() / "spice" / f"read-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    def _found(self, place: Path, circuit: RowCircuit, deck: Deck) -> tuple[RowAnswer, bool]:
        """The answer, and whether ngspice ran for it."""

        def make(folder: Path) -> None:
            (folder / "deck.sp").write_text(deck.text(self.tools.model_lib))
            (folder / _ANSWER).write_text(json.dumps(_answer(circuit, deck, self.tools).as_dict()))

        ran = cached(place, make)
        return RowAnswer.load(place / _ANSWER), ran


@functools.cache
def _identity(tools: Tools) -> str:
    """What decides an answer beside the deck: ngspice's version, and a hash over the device models."""
    _, told = captured([tools.ngspice, "--version"], cwd=Path("/"), env={}, limit_s=60.0)
    version = next((line for line in told.splitlines() if "ngspice" in line.lower()), told)
    models = hashlib.sha256()
    for path in sorted(tools.model_lib.parent.glob("*.spice")):
        models.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"\n{version}\n{models.hexdigest()}"
