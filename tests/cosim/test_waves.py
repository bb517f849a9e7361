"""The waveform says what the macro does: levels, times, rails; and `bridgebnn tb waves` draws it."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Timing
from bridgebnn.model.macro.array import Array
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.tb.__main__ import main
from bridgebnn.tb.runs import waves

from . import small


@pytest.fixture(scope="module")
def wave_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("waves") / "new folder" / "w.vcd"
    small.run(
        "icarus", "strobe", count=2, program="bus", macro="real", chip=1, waves=path, waves_program=True
    )
    return path


def values(wave, name):
    return np.array([v for _, v in wave.steps(name)], float)


def rises(wave, name):
    return np.array([t for t, v in wave.steps(name) if v == "1"])


@pytest.mark.icarus
def test_levels_and_times(wave_file):
    wave, params, timing = waves.read(wave_file), MacroParams.real(), Timing()
    period_ns = round(timing.clock_s * 1e9)
    clock = rises(wave, "clk")
    assert set(np.diff(clock)) == {period_ns}
    assert all(t % period_ns == clock[0] % period_ns for name in waves.PINS[1:4] for t in rises(wave, name))
    precharged = timing.precharge_cyc * period_ns
    started, released = rises(wave, "precharge"), rises(wave, "evaluate")
    inference = started > rises(wave, "hv_en")[-1]
    assert (released - started == precharged)[inference][1:].all()  # the first: read-back of the last row
    assert inference.sum() > 20

    vdd_V = params.neuron.vdd_V
    for name in ("VP_V", "VN_V", "SL0_V"):
        assert -1e-3 <= values(wave, name).min() < values(wave, name).max() <= vdd_V + 1e-3
    # both ends of the source line's range are seen, as a divider of two states gives them
    assert values(wave, "SL0_V").max() > 0.9 * params.bridge.v_read_V
    neuron = Array(small.GEOMETRY, params, 1).neuron(0)
    checked = 0
    for t in released:
        at = {n: wave.window(n, t, t + 1)[1][0] for n in ("VP_V", "VN_V", "dV_V")}
        assert at["dV_V"] == pytest.approx(at["VP_V"] - at["VN_V"], abs=1e-9)
        counts = at["dV_V"] / neuron.lsb_V
        assert abs(counts) < small.GEOMETRY.columns
        checked += 1
    assert checked > 20

    assert values(wave, "RAILS_V").max() == pytest.approx(0.02 * timing.form.prog_limit)
    for t in rises(wave, "pulse"):
        assert wave.window("RAILS_V", t, t + 1)[1][0] > 3
        assert abs(wave.window("VPROG_V", t, t + 1)[1][0]) > 2
    width_ns = {op: getattr(timing, op).width_cyc * period_ns for op in ("form", "set", "reset")}
    falls = np.array([t for t, v in wave.steps("pulse") if v == "0" and t > rises(wave, "pulse")[0]])
    assert set(falls - rises(wave, "pulse")) <= set(width_ns.values())


@pytest.mark.icarus
def test_picture(wave_file, tmp_path, capsys):
    picture = tmp_path / "a b" / "w.png"
    assert main(["waves", str(wave_file), "--out", str(picture), "--reads", "3"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["waves", str(wave_file), "--out", str(picture), "--first", "1000"]) == 2
    assert "--first 1000: " in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"$var wire 1 ! clk $end\n$enddefinitions $end\n"])
def test_foreign_files(content, tmp_path, capsys):
    file = tmp_path / "x.vcd"
    file.write_bytes(content)
    for path in (file, tmp_path, tmp_path / "none"):
        assert main(["waves", str(path), "--out", str(tmp_path / "x.png")]) == 2
        err = capsys.readouterr().err
        assert err.startswith("bridgebnn tb waves: error: ")
        assert err.count("\n") == 1
    assert not (tmp_path / "x.png").exists()
