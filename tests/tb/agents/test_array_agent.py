"""The strobe agent on stand-ins for handles, stepped by hand: what it answers, when, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef, margin_factor
from bridgebnn.hdl.spec.pins import MACRO_PINS
from bridgebnn.tb.agents.array_agent import StrobeAgent
from bridgebnn.tb.agents.misbehaviour import MacroFaults
from bridgebnn.tb.agents.protocol import ProtocolError
from tests.tb.handles import Context, FakeDut, Trigger, step

GEOMETRY = Geometry(tiles=2, rows=4, inputs=5, bias=2)
C = GEOMETRY.columns
MASK = np.array([1, 0, 1, 1, 0, 0, 1], bool)


class Model:
    """A `MacroModel` that answers by rule and remembers what it was asked."""

    geometry = GEOMETRY

    def __init__(self):
        self.pulses, self.verified, self.reads = [], [], []

    def pulse(self, tile, row, columns, *rest):
        self.pulses.append((tile, row, columns.tolist(), *rest))

    def verify(self, tile, row, columns, *rest):
        self.verified.append((tile, row, columns.tolist(), *rest))
        return columns & (np.arange(C) % 2 == 0)

    def begin_read(self, tiles, row):
        self.reads.append((tiles, row))

    def source_lines(self, tile, row, bl, col_en):
        return bl & col_en

    def min_ref(self, tile, row, bl, col_en):
        return int((bl & col_en).sum()) - 3 + tile

    def compare(self, tile, row, bl, col_en, ref):
        return ref >= self.min_ref(tile, row, bl, col_en)


class Bench:
    """The agent, its pins, and its reactions by name, each waiting for its first trigger."""

    def __init__(self, monkeypatch, faults=None):
        module = "bridgebnn.tb.agents.array_agent."
        for name, kind in (("RisingEdge", "rise"), ("FallingEdge", "fall"), ("ValueChange", "change")):
            monkeypatch.setattr(module + name, lambda handle, kind=kind: Trigger(kind, handle))
        monkeypatch.setattr(module + "ReadWrite", lambda: Trigger("settled"))
        monkeypatch.setattr(module + "Timer", lambda time, unit: Trigger("wait", time))
        self.now = 0.0
        monkeypatch.setattr(module + "get_sim_time", lambda unit: self.now)
        self.dut = FakeDut(**{pin.name: pin.width(GEOMETRY) for pin in MACRO_PINS})
        self.model, self.context = Model(), Context(self.dut, GEOMETRY)
        self.agent = StrobeAgent(self.context, self.model, faults, watch=False)
        self.agent.start()
        self.reactions = {reaction.__name__: reaction for reaction in self.context.spawned}
        self.waiting = {name: step(reaction) for name, reaction in self.reactions.items()}

    def step(self, name):
        """Let a reaction go on to its next trigger."""
        self.waiting[name] = step(self.reactions[name])
        return self.waiting[name]

    def columns(self, tile, mask):
        """Column pins of one tile, data like enables; all others 0."""
        bits = np.zeros((GEOMETRY.tiles, C), bool)
        bits[tile] = mask
        self.dut.put(col_en=bits.ravel(), bl=bits.ravel())

    def slice(self, name, tile):
        text = getattr(self.dut, name).text
        end = len(text) - tile * C
        return text[end - C : end][::-1]

    def close(self):
        for reaction in self.context.spawned:
            reaction.close()


@pytest.fixture
def bench(monkeypatch):
    made = Bench(monkeypatch)
    yield made
    made.close()


def program_pins(bench, **changes):
    bench.columns(1, MASK)
    given = {"wl_en": 0b10, "row": 3, "hv_en": 1, "hv_ready": 1, "prog_op": 2, "prog_side": 1}
    given |= {"wl_level": 40, "prog_level": 90, "pulse": 1}
    bench.dut.put(**given | changes)


def test_what_nobody_may_look_at_is_x(bench):
    assert bench.dut.sl.text == "x" * 2 * C
    assert bench.dut.cmp.text == bench.dut.cmp_valid.text == "xx"
    assert bench.dut.hv_ready.text == "0"


def test_rails_come_and_go(bench):
    bench.dut.put(hv_en=1)
    assert bench.waiting["_rails"] == "rise(hv_en)"
    assert bench.step("_rails") == "fall(hv_en)"
    assert bench.dut.hv_ready.text == "1"
    assert bench.step("_rails") == "rise(hv_en)"
    assert bench.dut.hv_ready.text == "0"


def test_a_pulse_reaches_the_devices_with_its_width(bench):
    assert bench.waiting["_pulse"] == "rise(pulse)"
    program_pins(bench)
    bench.now = 100.0
    assert bench.step("_pulse") == "settled(None)"
    assert bench.step("_pulse") == "fall(pulse)"
    assert bench.model.pulses == []
    bench.now = 340.0
    assert bench.step("_pulse") == "rise(pulse)"
    ((tile, row, columns, op, side, wl, prog, width_s),) = bench.model.pulses
    assert (tile, row, columns, op, side) == (1, 3, MASK.tolist(), ProgOp(2), ProgSide.N)
    assert (wl, prog) == (40, 90)
    assert width_s == pytest.approx(240e-9)
    assert bench.agent.pulses == 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"hv_en": 0}, "PULSE_WITHOUT_RAILS"),
        ({"hv_ready": 0}, "PULSE_WITHOUT_RAILS"),
        ({"hv_ready": "x"}, "PULSE_WITHOUT_RAILS"),
        ({"verify": 1}, "PULSE_WITH_VERIFY"),
        ({"precharge": 1}, "READ_WITH_RAILS"),
        ({"evaluate": 1}, "READ_WITH_RAILS"),
        ({"wl_en": 0}, "NOT_ONE_WORD_LINE"),
        ({"wl_en": 0b11}, "NOT_ONE_WORD_LINE"),
        ({"wl_en": "x1"}, "UNKNOWN_PIN"),
        ({"col_en": "x" * 2 * C}, "UNKNOWN_PIN"),
        ({"bl": 0}, "COLUMNS_MOVED_IN_PULSE"),
        ({"wl_level": "xxxxxxxx"}, "UNKNOWN_PIN"),
    ],
)
def test_a_pulse_that_breaks_a_rule(bench, changes, fault):
    program_pins(bench, **changes)
    bench.step("_pulse")
    with pytest.raises(ProtocolError, match=f"^{fault}: "):
        bench.step("_pulse")
    assert bench.model.pulses == []


def test_a_verify_read_answers_on_the_columns_asked_alone(bench):
    bench.columns(0, MASK)
    bench.dut.put(wl_en=0b01, row=2, verify=1, prog_side=0, verify_ref=1, prog_level=3)
    assert bench.waiting["_verify"] == "rise(verify)"
    assert bench.step("_verify") == "settled(None)"
    assert bench.step("_verify") == "wait(10)"
    assert bench.dut.sl.text == "x" * 2 * C  # not at once
    assert bench.step("_verify") == "fall(verify)"
    assert bench.model.verified == [(0, 2, MASK.tolist(), ProgSide.P, VerifyRef(1), margin_factor(3))]
    assert bench.slice("sl", 0) == "".join(
        str(int(column % 2 == 0)) if asked else "x" for column, asked in enumerate(MASK)
    )
    assert bench.slice("sl", 1) == "x" * C
    bench.step("_verify")
    assert bench.dut.sl.text == "x" * 2 * C


def read(bench, row=1, wl_en=0b11):
    """Precharge and evaluate a row; the evaluation's next trigger."""
    bench.dut.put(precharge=1, wl_en=wl_en, row=row)
    bench.step("_precharge")
    bench.step("_precharge")
    bench.dut.put(precharge=0, evaluate=1)
    bench.step("_evaluate")
    return bench.step("_evaluate")


def test_a_comparison_answers_for_the_tiles_on_the_word_line(bench):
    bench.dut.put(bl=np.ones(2 * C, bool), col_en=np.tile(MASK, 2))
    seen = []
    bench.agent.watch_rows([(0, 1), (0, 2)], lambda *at: seen.append(at))
    assert read(bench) == "wait(15)"
    assert bench.model.reads == [([0, 1], 1)]
    assert seen == [(0, 1)]
    assert bench.step("_evaluate") == "rise(evaluate)"
    assert bench.slice("sl", 1) == "".join("1" if on else "x" for on in MASK)
    for ref, answer in ((0, "00"), (1, "01"), (2, "11"), (-1, "00")):  # least: 1 for tile 0, 2 for tile 1
        bench.dut.put(sense=1, cmp_ref=ref)
        bench.step("_sense")
        assert bench.step("_sense") == "fall(sense)"
        assert (bench.dut.cmp.text, bench.dut.cmp_valid.text) == (answer, "11")
        bench.step("_sense")
        assert (bench.dut.cmp.text, bench.dut.cmp_valid.text) == ("xx", "xx")
    bench.dut.put(evaluate=0)
    bench.step("_evaluated")
    assert bench.dut.sl.text == "x" * 2 * C
    bench.step("_sense")
    with pytest.raises(ProtocolError, match="SENSE_WITHOUT_EVALUATE"):
        bench.step("_sense")


def test_one_tile_alone(bench):
    bench.dut.put(bl=np.ones(2 * C, bool), col_en=np.tile(MASK, 2))
    seen = []
    bench.agent.watch_rows([(0, 1)], lambda *at: seen.append(at))
    read(bench, wl_en=0b10)
    assert bench.model.reads == [([1], 1)]
    assert seen == []
    bench.dut.put(sense=1, cmp_ref=2)
    bench.step("_sense")
    bench.step("_sense")
    assert (bench.dut.cmp.text, bench.dut.cmp_valid.text) == ("1x", "1x")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"precharge": 1}, "PRECHARGE_WITH_EVALUATE"),
        ({"hv_en": 1}, "READ_WITH_RAILS"),
        ({"wl_en": 0}, "EVALUATE_WITHOUT_WORD_LINE"),
        ({"wl_en": "0x"}, "UNKNOWN_PIN"),
        ({"bl": "x" * 2 * C}, "UNKNOWN_PIN"),
    ],
)
def test_an_evaluation_that_breaks_a_rule(bench, changes, fault):
    bench.dut.put(precharge=1, wl_en=1, row=1)
    bench.step("_precharge")
    bench.step("_precharge")
    bench.dut.put(**{"precharge": 0, "evaluate": 1} | changes)
    bench.step("_evaluate")
    with pytest.raises(ProtocolError, match=f"^{fault}: "):
        bench.step("_evaluate")


def test_evaluate_needs_a_precharge_of_its_own(bench):
    read(bench)
    bench.step("_evaluate")
    bench.step("_evaluate")
    with pytest.raises(ProtocolError, match="EVALUATE_WITHOUT_PRECHARGE"):
        bench.step("_evaluate")


def test_macro_faults(monkeypatch):
    lost = Bench(monkeypatch, MacroFaults(pulses_lost=True, rails_never=True))
    lost.dut.put(hv_en=1)
    assert lost.step("_rails") == "rise(hv_en)"
    assert lost.dut.hv_ready.text == "0"
    program_pins(lost)
    for _ in range(3):
        lost.step("_pulse")
    assert (lost.agent.pulses, lost.model.pulses) == (1, [])
    slow = Bench(monkeypatch, MacroFaults(resolve_cyc=3))
    slow.dut.put(bl=0, col_en=np.tile(MASK, 2))
    read(slow)
    slow.dut.put(sense=1)
    slow.step("_sense")
    assert slow.step("_sense") == "wait(55)"
    assert slow.dut.cmp_valid.text == "00"
    slow.step("_sense")
    assert slow.dut.cmp_valid.text == "11"
    lost.close()
    slow.close()
