"""spice: the macro model stays inside its bounds, and wrong models do not."""

import json

import numpy as np
import pytest

from bridgebnn.model.macro.energy import EnergyParams
from bridgebnn.model.spice import bridges, energies, neurons
from bridgebnn.model.spice.__main__ import main
from bridgebnn.model.spice.compare import Context
from bridgebnn.model.spice.run import (
    Deck,
    SpiceRunError,
    SpiceUnavailableError,
    find_tools,
    run_deck,
)


def _tools():
    try:
        return find_tools()
    except SpiceUnavailableError:
        return None


TOOLS = _tools()
pytestmark = pytest.mark.spice


@pytest.fixture(scope="module")
def context():
    return Context(tools=TOOLS, quick=True)


def verdicts(report):
    return {c.key: c.passed for c in report.comparisons}


def test_source_line_within_its_bound(context):
    report = bridges.compare_source_line(context)
    assert report.comparisons[0].points > 100
    assert all(verdicts(report).values())


def test_a_bridge_without_select_transistors_fails(context):
    def no_transistor(r_p, r_n, v_bl, v_blb, v_wl):
        v_sl = (v_bl * r_n + v_blb * r_p) / (r_p + r_n)
        return np.broadcast_to(v_sl, np.broadcast_shapes(v_sl.shape, v_wl.shape)), None

    assert not verdicts(bridges.compare_source_line(context, no_transistor))["a.source_line"]


def test_a_constant_on_resistance_fails_where_headroom_ends(context):
    def constant(r_p, r_n, v_bl, v_blb, v_wl):
        v_sl = (v_bl * (r_n + 3e3) + v_blb * (r_p + 3e3)) / (r_p + r_n + 6e3)
        return np.broadcast_to(v_sl, np.broadcast_shapes(v_sl.shape, v_wl.shape)), None

    assert not verdicts(bridges.compare_source_line(context, constant))["a.source_line"]


def test_buffer_decides_as_the_model_and_not_when_inverted(context):
    assert all(verdicts(bridges.compare_buffer(context)).values())

    def inverted(*levels):
        v_sl, i = bridges.default_bridge_model(*levels)
        return 1.8 - v_sl, i

    assert not verdicts(bridges.compare_buffer(context, inverted))["b.buffer"]


def test_neuron_within_its_bound_and_swapped_lines_are_not(context, monkeypatch):
    kept = {}
    real = neurons.run_decks

    def once(decks, tools, **options):
        kept.setdefault("tables", real(decks, tools, **options))
        return kept["tables"]

    cpar_F = neurons.line_load_F(context, 23)
    monkeypatch.setattr(neurons, "line_load_F", lambda *arguments: cpar_F)
    monkeypatch.setattr(neurons, "run_decks", once)  # one transient serves the right and the wrong models
    assert all(verdicts(neurons.compare_neuron(context)).values())

    def swapped(neuron, q):
        return -neurons.charge_sharing_dv(neuron, q)

    def without_parasitic(neuron, q):
        return neurons.charge_sharing_dv(neuron, q) * neuron.load_p / (neuron.a.sum())

    failed = verdicts(neurons.compare_neuron(context, swapped))
    assert not failed["c.neuron_23"]
    assert not failed["c.zero_crossing"]
    assert not verdicts(neurons.compare_neuron(context, without_parasitic))["c.neuron_23"]
    monkeypatch.setattr(neurons, "line_load_F", lambda *arguments: 1.01 * cpar_F)  # another circuit's line
    assert not verdicts(neurons.compare_neuron(context))["c.parasitic_23"]


def test_large_neuron_within_its_bound(context):
    assert all(verdicts(neurons.compare_large_neurons(context)).values())


def test_energy_parts_within_their_bound_and_none_is_free(context, monkeypatch):
    measured = energies.measure_rails(context, 23, energies.READS_QUICK, "energy")
    monkeypatch.setattr(energies, "measure_rails", lambda *arguments: measured)
    assert all(verdicts(energies.compare_energy(context)).values())
    free = EnergyParams(c_select_F=0.0, c_channel_F=0.0, c_comparator_F=0.0, c_gate_F=0.0)
    failed = {key for key, passed in verdicts(energies.compare_energy(context, free)).items() if not passed}
    assert {"f.word_line", "f.comparator", "f.clocks"} <= failed


def test_a_broken_deck_is_one_line(context):
    deck = Deck(name="broken", netlist="xq a b c nothing", control="op\nwrdata o v(a)", outputs=("o",))
    with pytest.raises(SpiceRunError, match=r"^deck 'broken' wrote no 'o'[^\n]*$"):
        run_deck(deck, TOOLS)


def test_command_line_writes_table_json_and_plot(tmp_path, capsys):
    out = tmp_path / "spice"
    assert main(["bridge", "--quick", "--out", str(out), "--json", str(out / "spice.json")]) == 0
    assert "PASS" in capsys.readouterr().out
    document = json.loads((out / "spice.json").read_text())
    assert document["steps"]["bridge"]["comparisons"][0]["passed"]
    assert (out / "spice-bridge.png").stat().st_size > 1000
