"""array, bridge, neuron: against a row drawn by hand from the description of the circuit, in ngspice.

``row.spice`` was written without a look at the decks or at the transistor's equations of the model, so that a
misreading has a chance to show. ``docs/hand-deck.md`` has the numbers.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.macro.array import Array
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from tests.model.spice.hand_deck.deck import (
    COLUMNS,
    HIGH_V,
    Drawing,
    RELEASE_s,
    SAMPLE_s,
    Waves,
    simulate,
)

pytestmark = pytest.mark.spice

SL_LIMIT = 0.02
"""Of the read voltage: error of a source line's voltage."""
DV_LIMIT = 0.001
"""Of full scale: error of dV."""
BAND_V = SL_LIMIT * HIGH_V
"""Within this of the buffer's threshold a decision may differ, and its read does not count for dV."""
MODEL_SELECT_um = 1.0
"""Width of the model's select transistor, 0.5 um long: of 1, 2, 3, 4, 5 and 7 um the nearest to its V_SL."""
BUFFER_F = 3e-15
"""Gate of the first inverter and junctions at SL, beside the drawn capacitor."""
INPUTS, ROW, BL_ROW = 13, 5, 6
"""Row 5 has six pieces of wire below it."""
CHIP = 20240

# Devices P, N in kohm, thirteen inputs and two bias columns. GOOD: LRS 4 to 12, HRS 80 to 2000.
GOOD = """5.1 310 / 420 7.4 / 9.3 1100 / 6.6 95 / 1900 4.2 / 150 11.8 / 8.2 240 / 80 12 / 4 2000 / 560 6
    / 10.5 130 / 90 9.9 / 7 700 / 5.5 400 / 350 6.2"""
# Weak (30/90, 40/12), both LRS (6/9), both HRS (900/300), hardly apart (50/58, 17/14): all outside the band.
BAD = """7.7 520 / 210 5 / 30 90 / 11 1500 / 40 12 / 85 4.6 / 6 9 / 1200 8 / 900 300 / 5.9 83 / 50 58
    / 17 14 / 4.4 650 / 9 180 / 82 11"""
# Transistors of 2 um; one pair inside the band (20/20.6), disabled in all reads but the last.
WIDE = """4.1 80 / 260 6.3 / 20 20.6 / 3000 9 / 8 450 / 120 10 / 12 88 / 5 2000 / 95 4.8 / 25 75 / 700 7
    / 6.8 330 / 10 14.5 / 7.2 900 / 140 5.3"""


@dataclass(frozen=True)
class Case:
    """A row: devices, popcounts asked for, columns disabled in each read, width of the select transistors."""

    name: str
    devices: str
    reads: tuple[tuple[int, tuple[int, ...]], ...]
    select_um: float


CASES = [
    Case("good", GOOD, ((8, ()), (7, ()), (14, ()), (7, (3,)), (4, ())), 1.0),
    Case("bad", BAD, ((7, ()), (8, ()), (8, ()), (1, ()), (11, ())), 1.0),
    Case("wide", WIDE, ((7, (2,)), (7, (2, 9)), (6, (2, 9)), (12, (2,)), (8, ())), 2.0),
]


@dataclass(frozen=True)
class Result:
    """One row in ngspice and in the model; ``near`` marks cells inside the band by ngspice's voltage."""

    case: Case
    drawing: Drawing
    waves: Waves
    array: Array
    sl_V: NDArray[np.float64]
    q: NDArray[np.bool_]
    dv_V: NDArray[np.float64]
    near: NDArray[np.bool_]

    @property
    def full_V(self) -> float:
        """dV of all columns at one."""
        d = self.drawing
        own = COLUMNS * d.unit_F
        return HIGH_V * own / (own + d.line_F + self.waves.tie_F)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Reads without an enabled cell inside the band."""
        return ~self.near.any(axis=1)


def draw(case: Case) -> Drawing:
    """The values of a case; capacitors are those of the model's chip, 5 fF with 1 %."""
    ohm = 1e3 * np.array([[float(x) for x in pair.split()] for pair in case.devices.split("/")])
    weights = ohm[:, 0] < ohm[:, 1]
    rng = np.random.default_rng(7)
    bl, enabled = [], []
    for pop, off in case.reads:
        on = ~np.isin(np.arange(COLUMNS), off)
        usable = np.flatnonzero(on[:INPUTS])
        agree = np.zeros(COLUMNS, bool)
        agree[rng.permutation(usable)[: pop - int(weights[INPUTS:].sum())]] = True
        bits = np.where(agree, weights, ~weights)
        bits[INPUTS:] = True
        assert int((bits == weights)[on].sum()) == pop
        bl.append(bits)
        enabled.append(on)
    neuron = Array(_GEOMETRY, _params(BridgeParams.ideal(), NeuronParams().cpar_F), CHIP).neuron(0)
    return Drawing(
        p_ohm=ohm[:, 0],
        n_ohm=ohm[:, 1],
        a=neuron.a,
        b=neuron.b,
        bl=np.array(bl),
        enabled=np.array(enabled),
        select_um=case.select_um,
    )


_GEOMETRY = Geometry(rows=8, inputs=INPUTS, bias=COLUMNS - INPUTS)


def _params(bridge: BridgeParams, line_F: float) -> MacroParams:
    neuron = dataclasses.replace(
        NeuronParams.ideal(),
        cu_sigma=0.01,
        cpar_F=line_F,
        cpar_column_F=0.0,
        evaluate_s=SAMPLE_s - RELEASE_s,
        vdd_V=HIGH_V,
    )
    return dataclasses.replace(MacroParams.ideal(), bridge=bridge, neuron=neuron)


def model_of(d: Drawing, waves: Waves, **changes: object) -> Array:
    """The same row in the model.

    The model's transistor has one width. A divider keeps its voltages when every resistance and 1/width are
    scaled alike, so a transistor twice as wide is the model's with all resistances doubled (and SL halved).
    """
    scale = d.select_um / MODEL_SELECT_um
    bridge = BridgeParams(
        select="transistor",
        v_read_V=HIGH_V,
        v_wl_V=d.word_line_V,
        r_driver_ohm=scale * d.driver_ohm,
        r_bl_ohm=scale * d.wire_bl_ohm / BL_ROW,
        r_blb_ohm=scale * d.wire_blb_ohm / BL_ROW,
        r_feed_ohm=scale * d.feed_ohm,
        r_supply_ohm=scale * d.supply_ohm,
        r_ground_ohm=scale * d.ground_ohm,
        leak_S=0.0,
        c_sl_F=(d.source_line_F + BUFFER_F) / scale,
        read_s=SAMPLE_s,
        buffer_threshold_V=waves.threshold_V,
        buffer_sigma_V=0.0,
        buffer_noise_V=0.0,
        read_noise=0.0,
    )
    array = Array(_GEOMETRY, _params(dataclasses.replace(bridge, **changes), d.line_F + waves.tie_F), CHIP)
    array.devices.resistance_ohm[0, ROW] = scale * np.stack([d.p_ohm, d.n_ohm], axis=-1)
    array.devices.row_version[0, ROW] += 1
    return array


def read(array: Array, d: Drawing) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """V_SL, bits and dV of every read of the drawing, from the model."""
    sl, q, dv = [], [], []
    for bl, enabled in zip(d.bl, d.enabled, strict=True):
        array.begin_read(0, ROW)
        seen = array.analog(0, ROW, bl, enabled)
        sl.append(seen["V_SL_V"])
        dv.append(seen["dV_V"])
        q.append(array.source_lines(0, ROW, bl, enabled))
    return np.array(sl), np.array(q), np.array(dv)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One row, simulated once."""
    case = request.param
    drawing = draw(case)
    waves = simulate(drawing, tmp_path_factory.mktemp(case.name))
    array = model_of(drawing, waves)
    near = drawing.enabled & (np.abs(waves.sl_V - waves.threshold_V) < BAND_V)
    return Result(case, drawing, waves, array, *read(array, drawing), near)


def test_source_lines(result: Result) -> None:
    """V_SL of every enabled column, bad pairs included."""
    error = np.abs(result.sl_V - result.waves.sl_V)[result.drawing.enabled] / HIGH_V
    fixed = read(model_of(result.drawing, result.waves, select="resistor"), result.drawing)[0]
    plain = np.abs(fixed - result.waves.sl_V)[result.drawing.enabled] / HIGH_V
    print(
        f"\n{result.case.name}: V_SL error of {error.size} cells: rms {np.sqrt(np.mean(error**2)):.3%}, "
        f"largest {error.max():.3%} of Vread (select = resistor, 3 kohm: {plain.max():.2%})"
    )
    assert error.max() <= SL_LIMIT


def test_decisions(result: Result) -> None:
    """Bits on ``sl``: identical outside the band, and the band is nearly empty."""
    enabled, wrong = result.drawing.enabled, result.q != result.waves.q
    print(
        f"\n{result.case.name}: {int(enabled.sum())} bits, {int((wrong & enabled).sum())} differ, "
        f"{int(result.near.sum())} within {BAND_V * 1e3:.0f} mV of {result.waves.threshold_V:.4f} V"
    )
    assert not (wrong & enabled & ~result.near).any()
    assert result.near.sum() == (1 if result.case.name == "wide" else 0)


def test_dv_and_sign(result: Result) -> None:
    """dV in volt and the comparator's sign, ties of an even number of columns included."""
    counted, waves, d = result.counted, result.waves, result.drawing
    error = (result.dv_V - waves.dv_V) / result.full_V
    for k in np.flatnonzero(counted):
        pop, count = int(waves.q[k, d.enabled[k]].sum()), int(d.enabled[k].sum())
        print(
            f"\n{result.case.name} {k}: popcount {pop} of {count}, dV {waves.dv_V[k] * 1e3:+.3f} mV, model "
            f"{result.dv_V[k] * 1e3:+.3f} mV, error {error[k]:+.4%} of {result.full_V:.4f} V",
            end="",
        )
        cmp = result.array.compare(0, ROW, d.bl[k], d.enabled[k], 0)
        assert cmp == (waves.dv_V[k] >= 0)
    print(f"\n{result.case.name}: line switches {waves.tie_F * 1e15:.3f} fF")
    assert counted.sum() >= 4
    assert np.abs(error[counted]).max() <= DV_LIMIT


def test_a_wrong_model_is_noticed(result: Result) -> None:
    """One pair swapped, switches' capacitance forgotten: each breaks a bound."""
    d, waves = result.drawing, result.waves
    p_ohm, n_ohm = d.p_ohm.copy(), d.n_ohm.copy()
    p_ohm[0], n_ohm[0] = n_ohm[0], p_ohm[0]
    sl_V, q, dv_V = read(model_of(dataclasses.replace(d, p_ohm=p_ohm, n_ohm=n_ohm), waves), d)
    counted = result.counted
    assert np.nanmax(np.abs(sl_V - waves.sl_V)[d.enabled]) > SL_LIMIT * HIGH_V
    assert (q != waves.q)[:, 0].all()
    assert (np.abs(dv_V - waves.dv_V)[counted] > DV_LIMIT * result.full_V).all()
    bare = read(model_of(d, dataclasses.replace(waves, tie_F=0.0)), d)[2]
    assert np.abs(bare - waves.dv_V)[counted].max() > DV_LIMIT * result.full_V
