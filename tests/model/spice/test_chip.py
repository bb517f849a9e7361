"""A chip whose reads transistors answer: its netlists, its answers that are kept, and what it says of differences."""

import dataclasses
import re

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ReadMode, Timing
from bridgebnn.model.__main__ import main
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.flows.transistors import transistor_table
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.broken_lines import LineFault
from bridgebnn.model.parameters.params import NOT_IN_TRANSISTORS, BridgeParams, MacroParams
from bridgebnn.model.spice import reads
from bridgebnn.model.spice.chip import TransistorArray, check_size, chip_of, model_of
from bridgebnn.model.spice.reads import Answers, RowAnswer, read_deck
from bridgebnn.model.spice.run import Tools, find_tools

GEOMETRY = Geometry(tiles=2, rows=4, inputs=7, bias=2)
PARAMS = MacroParams.of_transistors()
ALL = np.ones(GEOMETRY.columns, bool)


class FromModel:
    """Answers of transistors that do exactly as the model, but where ``wrong`` changes an answer."""

    def __init__(self, wrong=lambda circuit, answer: answer):
        self.wrong, self.asked, self.runs, self.kept, self.spice_s = wrong, [], 0, 0, 0.0

    def of(self, circuits):
        return [self.wrong(circuit, self._one(circuit)) for circuit in circuits]

    def _one(self, circuit):
        self.asked.append(circuit)
        self.runs += 1
        bits = (circuit.r_p_ohm < circuit.r_n_ohm) == circuit.inputs
        on = circuit.enabled
        load = self.load
        dv = 1.8 * (circuit.c_p_F[on & bits].sum() / load[0] - circuit.c_n_F[on & ~bits].sum() / load[1])
        seen = dv + circuit.offset_V + self.lsb_V * circuit.reference_C / (1.8 * 5e-15)
        return RowAnswer(dv_V=dv, bits=bits[on].astype(int).tolist(), decision=int(seen >= 0))


def chip(answers=None, seed=5):
    """A chip with random weights."""
    answers = FromModel() if answers is None else answers
    array = TransistorArray(GEOMETRY, PARAMS, seed, answers=answers)
    if isinstance(answers, FromModel):
        neuron = array.neuron(0)
        answers.load, answers.lsb_V = (neuron.load_p * 5e-15, neuron.load_n * 5e-15), neuron.lsb_V
    return weighted(array)


def weighted(array):
    rng = np.random.default_rng(0)
    for row in range(GEOMETRY.rows):
        array.preload(0, row, rng.integers(0, 2, GEOMETRY.columns), ALL)
    return array


def row_read(mode, refs=(0, 1, -1, 2), enabled=ALL):
    return RowRead(tile=0, rows=np.arange(4), col_en=enabled, mode=mode, refs=np.array(refs))


INPUTS = np.random.default_rng(1).integers(0, 2, (5, GEOMETRY.columns)).astype(bool)


def circuit(**changes):
    """What one read of the chip is made of."""
    answers = FromModel()
    chip(answers).compare(0, 1, INPUTS[0], ALL, 3)
    return dataclasses.replace(answers.asked[-1], **changes)


# -- which chips ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [{"tiles": 3}, {"rows": 9}, {"inputs": 15}, {"spare_columns": 8}])
def test_a_large_chip_is_told_what_would_fit(shape):
    fits = {"tiles": 2, "rows": 8, "inputs": 14, "bias": 2}
    check_size(Geometry(**fits))
    with pytest.raises(
        ValueError, match=r"^macro spice on .* at most 2 tiles of 8 rows and 16 columns fit[^\n]*$"
    ):
        check_size(Geometry(**fits | shape))


def test_only_a_chip_of_transistors_takes_their_parameters():
    with pytest.raises(ValueError, match="macro 'spice'"):
        Array(GEOMETRY, PARAMS)
    with pytest.raises(ValueError, match="'real' has no transistors"):
        TransistorArray(GEOMETRY, MacroParams.real())
    with pytest.raises(ValueError, match="broken lines"):
        chip_of(GEOMETRY, PARAMS, 1, [LineFault.parse("word_open:0:1")], Timing())
    assert not model_of(PARAMS).transistors
    assert model_of(MacroParams.real()) == MacroParams.real()


def test_what_no_netlist_has_is_zero_or_an_error():
    for part, names in NOT_IN_TRANSISTORS.items():
        assert all(getattr(getattr(PARAMS, part), name) == 0.0 for name in names)
    assert MacroParams.from_dict(PARAMS.as_dict()) == PARAMS
    with pytest.raises(
        ValueError, match=r"MacroParams\.bridge\.read_noise = 0\.5 beside transistors: must be 0"
    ):
        MacroParams(transistors=True, bridge=BridgeParams(read_noise=0.5))
    with pytest.raises(ValueError, match="beside published"):
        MacroParams.from_dict({"transistors": True, "published": {}})


def test_a_missing_ngspice_and_a_large_network_are_one_sentence(monkeypatch, capsys):
    assert main(["infer", "--macro", "spice", "--images", "1", "--preload"]) == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"bridgebnn model infer: error: macro spice on [^\n]* fit, [^\n]*\n", told)
    monkeypatch.setenv("NGSPICE", "/absent")
    with pytest.raises(OSError, match=r"^NGSPICE=/absent is not a program; [^\n]*$"):
        TransistorArray(GEOMETRY, PARAMS)


# -- netlists ------------------------------------------------------------------------------------------------------


def element(deck, name):
    (line,) = [line for line in deck.netlist.splitlines() if line.split()[0] == name]
    return line.split(maxsplit=3)


def test_a_netlist_has_what_the_seed_drew():
    made = circuit()
    deck = read_deck(made)
    for k in range(GEOMETRY.columns):
        assert float(element(deck, f"rp{k}")[3]) == pytest.approx(made.r_p_ohm[k], rel=1e-6)
        assert float(element(deck, f"cp_{k}")[3]) == pytest.approx(made.c_p_F[k], rel=1e-6)
        assert float(element(deck, f"vg{k}")[3]) == pytest.approx(made.buffer_V[k], rel=1e-6)
    assert len({*made.buffer_V.tolist()}) == GEOMETRY.columns
    assert float(element(deck, "vop")[3]) == pytest.approx(made.offset_V / 2, rel=1e-6)
    assert float(element(deck, "rbl0")[3]) == pytest.approx(200 + 2 * 0.5)  # row 1
    assert made.offset_V != 0.0


def test_the_reference_is_so_many_unit_charges():
    made = circuit()
    assert made.reference_C == pytest.approx(3 * 1.8 * 5e-15, rel=0.01)  # times the DAC's gain
    for name, nodes in (("irp", ["0", "vp"]), ("irn", ["vn", "0"])):
        line = element(read_deck(made), name)
        assert line[1:3] == nodes
        points = np.array(line[3][4:-1].split(), float)
        assert np.trapezoid(points[1::2], points[0::2]) == pytest.approx(made.reference_C, rel=1e-4)
        assert points[-2] < made.ends_s[1]
    assert "irp" not in read_deck(circuit(reference_C=0.0)).netlist


def test_a_disabled_column_is_two_capacitors():
    deck = read_deck(circuit(enabled=np.arange(GEOMETRY.columns) != 4))
    assert element(deck, "cp_4")[1] == element(deck, "cn_4")[1] == "0"
    assert not re.search(r"\b(bl4|s4|q4|tp4)\b", deck.netlist)
    assert "v(q4)" not in deck.control
    assert "v(q5)" in deck.control


def test_phases_are_those_of_the_timing():
    timing = Timing(precharge_cyc=2, evaluate_cyc=3, sense_cyc=1, clock_s=10e-9)
    made = circuit(timing=timing)
    assert made.ends_s == pytest.approx((20e-9, 50e-9, 60e-9))
    assert "tran 0.1n 6e-08" in read_deck(made).control


# -- answers that are kept -----------------------------------------------------------------------------------------


@pytest.fixture
def runner(monkeypatch, tmp_path):
    """`Answers` over a stand-in for ngspice; what ran is counted."""
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(reads, "captured", lambda *a, **k: (0, "** ngspice-39 : x\n"))
    ran = []
    monkeypatch.setattr(
        reads,
        "_answer",
        lambda c, deck, tools: ran.append(deck) or RowAnswer(dv_V=0.1 * len(ran), bits=[1], decision=1),
    )
    models = tmp_path / "models"
    models.mkdir()
    for name in ("sky130.lib.spice", "fets.spice"):
        (models / name).write_text("* a model")

    def fresh():
        reads._identity.cache_clear()
        return Answers(tools=Tools(ngspice="ngspice", model_lib=models / "sky130.lib.spice"))

    yield fresh, ran, models
    reads._identity.cache_clear()


def test_an_answer_is_kept_by_what_determines_it(runner, monkeypatch):
    fresh, ran, models = runner
    made = circuit()
    first = fresh()
    assert [a.dv_V for a in first.of([made, made])] == [0.1, 0.1]
    assert (len(ran), first.runs, first.kept) == (1, 1, 1)
    second = fresh()
    assert second.of([made])[0].dv_V == 0.1
    assert (len(ran), second.runs, second.kept) == (1, 0, 1)
    for changes in (
        {"inputs": ~made.inputs},
        {"r_p_ohm": made.r_p_ohm * 1.0001},
        {"buffer_V": made.buffer_V + 1e-6},
        {"offset_V": made.offset_V + 1e-6},
        {"reference_C": 0.0},
        {"timing": Timing(evaluate_cyc=2)},
        {"sizes": dataclasses.replace(made.sizes, input_w_um=11.0)},
    ):
        before = len(ran)
        fresh().of([dataclasses.replace(made, **changes)])
        assert len(ran) == before + 1, changes
    (models / "fets.spice").write_text("* another model")
    fresh().of([made])
    monkeypatch.setattr(reads, "captured", lambda *a, **k: (0, "** ngspice-40 : x\n"))
    fresh().of([made])
    assert len(ran) == 10


def test_a_run_that_fails_is_not_kept(runner, monkeypatch):
    fresh, _ran, _ = runner
    answer = reads._answer

    def fails(*_):
        raise reads.SpiceRunError("no convergence")

    monkeypatch.setattr(reads, "_answer", fails)
    with pytest.raises(OSError, match="no convergence"):
        fresh().of([circuit()])
    monkeypatch.setattr(reads, "_answer", answer)
    assert fresh().of([circuit()])[0].dv_V == 0.1


# -- beside the model ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ReadMode)
@pytest.mark.parametrize("enabled", [ALL, np.arange(GEOMETRY.columns) < 5], ids=["all", "five"])
def test_a_batch_is_the_model_where_transistors_do_as_it_does(mode, enabled):
    ours, alone = chip(), weighted(Array(GEOMETRY, model_of(PARAMS), 5))
    what = row_read(mode, enabled=enabled)
    assert (ours.read(what, INPUTS) == alone.read(what, INPUTS)).all()
    assert (ours.reads == alone.reads).all()
    report = ours.report()
    assert report.reads == 20 * what.comparisons
    assert report.decisions == (0 if mode is ReadMode.COUNT else report.reads)
    assert report.decisions_differ == report.bits_differ == report.dv_differ == 0
    assert not report.differing
    assert report.dv_worst_V < 1e-6
    assert report.bits == report.reads * enabled.sum()


def test_every_difference_is_told():
    def wrong(circuit, answer):
        if not (circuit.inputs == INPUTS[2]).all():
            return answer
        bits = [1 - answer.bits[0], *answer.bits[1:]]
        return answer.replace(decision=1 - answer.decision, bits=bits, dv_V=answer.dv_V + 0.01)

    array = chip(FromModel(wrong))
    array.begin_read([0], 1)
    array.begin_read([0], 1)
    for inputs in INPUTS:
        array.compare(0, 1, inputs, ALL, 2)
    bits = array.source_lines(0, 1, INPUTS[2], ALL)
    sound = weighted(Array(GEOMETRY, model_of(PARAMS), 5)).source_lines(0, 1, INPUTS[2], ALL)
    assert np.flatnonzero(bits != sound).tolist() == [0]
    report = array.report()
    assert (report.reads, report.decisions, report.decisions_differ) == (6, 5, 1)
    assert (report.bits_differ, report.dv_differ) == (2, 2)
    compared, read = report.differing
    assert (compared.tile, compared.row, compared.read, compared.ref) == (0, 1, 2, 2)
    assert compared.decision == 1 - compared.model_decision
    assert compared.columns == [0]
    assert compared.difference_V == pytest.approx(0.01)
    assert (read.ref, read.decision, read.model_decision) == (None, None, None)
    assert report.dv_worst_V == pytest.approx(0.01)
    assert report.dv_rms_V == pytest.approx(0.01 * (2 / 6) ** 0.5)
    assert transistor_table(report).row_count == 9


# -- with ngspice --------------------------------------------------------------------------------------------------


@pytest.mark.spice
def test_a_comparator_that_does_not_decide_in_time_is_told():
    """With 7 of 9 columns enabled the lines end at 0.41 V in the mean, too low for the latch's input pair."""
    enabled = np.arange(GEOMETRY.columns) < 7
    array = chip(Answers(tools=find_tools()))
    inputs = array.planes(0)[0][1] ^ (np.arange(GEOMETRY.columns) > 3)  # 4 of the 7 agree
    array.compare(0, 1, inputs, enabled, 0)
    report = array.report()
    assert (report.decisions, report.unresolved, report.bits_differ, report.dv_differ) == (1, 1, 0, 0)
    (read,) = report.differing
    assert (read.resolved, read.decision, read.model_decision) == (False, 0, 1)


@pytest.mark.spice
def test_a_swapped_line_is_seen_to_differ():
    """Two reads of a sound row agree with the model; with two plates of one column swapped dV and decision do not."""

    def swapped(deck):
        return dataclasses.replace(
            deck,
            netlist=deck.netlist.replace("cp_0 tp0 vp", "cp_0 tn0 vp").replace("cn_0 tn0 vn", "cn_0 tp0 vn"),
        )

    for edit, differ in ((None, 0), (swapped, 1)):
        array = chip(Answers(tools=find_tools(), edit=edit))
        inputs = INPUTS[0]
        # the row's popcount next to its threshold, so that one count decides
        need = array.min_ref(0, 1, inputs, ALL)
        array.begin_read([0], 1)
        sound = bool(array._tiles[0].bits(1, inputs, ALL, 1)[0])
        ref = need if sound else need - 1  # the swapped column takes one count, or adds one
        array.compare(0, 1, inputs, ALL, ref)
        report = array.report()
        assert (report.decisions_differ, report.dv_differ, report.bits_differ) == (differ, differ, 0)
        if differ:
            assert abs(report.differing[0].difference_V) == pytest.approx(array.lsb_V(0), rel=0.1)
