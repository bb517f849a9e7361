"""The comparator fitted to the published tables: what the set holds, what is left, and that chips err like that."""

import dataclasses
import json

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ReadMode
from bridgebnn.model.__main__ import main
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.macro.array import Array
from bridgebnn.model.parameters.device_params import DeviceParams
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from bridgebnn.model.parameters.published import PUBLISHED_LIKE
from bridgebnn.model.studies import error_fit
from bridgebnn.model.studies.error_fit import ErrorFitReport, fit, residuals, table
from bridgebnn.model.studies.error_physics import physical_error


def test_the_parameter_set_is_what_the_fit_finds():
    found, rms = fit()
    assert found == pytest.approx(PUBLISHED_LIKE, rel=1e-3)
    assert rms < 0.019  # each table alike; the probability itself is up to a half


def test_tables_end_where_nothing_is_left():
    distance, error = table(1025, 8)
    assert (distance[0], error[-1] >= 1e-4) == (0, True)
    assert table(1025, 6)[0].size > distance.size > table(1025, 20)[0].size


@pytest.mark.parametrize("clock", [6, 8, 20])
def test_what_is_left_of_the_tables_of_1025_inputs(clock):
    """Beside 0.361 against 0.207 at D = 1 with the fixed offset (DESIGN section 7)."""
    neuron = MacroParams.published_like().neuron
    for rate in (0.0, 0.01, 0.1):
        left = residuals(neuron, 1025, clock, rate)
        assert left.rms < 0.02, rate
        assert abs(left.largest) < 0.05
    fixed = residuals(dataclasses.replace(NeuronParams(), decide_s=0.0), 1025, clock, 0.0)
    assert fixed.rms > 3 * residuals(neuron, 1025, clock, 0.0).rms


def test_a_broken_fit_is_noticed(monkeypatch, capsys):
    """A table at the wrong clock moves the fit away from the set, and the command fails."""
    real = error_fit.table
    monkeypatch.setattr(error_fit, "table", lambda inputs, clock: real(inputs, 20 if clock == 6 else clock))
    assert fit((511, 1025))[0] != pytest.approx(PUBLISHED_LIKE, rel=0.05)
    assert main(["error-fit"]) == 1


@pytest.mark.parametrize("distance", [0, 1, 3])
@pytest.mark.parametrize("side", [1, -1], ids=["meant 1", "meant 0"])
def test_drawn_decisions_err_as_the_closed_form_says(distance, side):
    """Chips read row by row, each decision its own draw, against the sums of ``physical_error``."""
    inputs, rows, chips, images = 201, 40, 10, 25
    geometry = Geometry(rows=rows, inputs=inputs, bias=20)
    like = MacroParams.published_like(6)
    neuron = dataclasses.replace(like.neuron, hysteresis_V=0.03, noise_V=0.02, cpar_F=0.0)
    params = dataclasses.replace(
        like, bridge=BridgeParams.ideal(), device=DeviceParams.ideal(), neuron=neuron
    )
    cells, wrong = 221, []
    ones = (cells + 1) // 2 + distance if side > 0 else cells // 2 - distance
    for chip in range(chips):
        array, rng = Array(geometry, params, chip), np.random.default_rng(chip)
        for row in range(rows):
            bits = np.zeros(cells, np.uint8)
            bits[rng.permutation(cells)[:ones]] = 1
            array.preload(0, row, bits, np.ones(cells, bool))
        what = RowRead(
            tile=0,
            rows=np.arange(rows),
            col_en=np.ones(cells, bool),
            mode=ReadMode.SIGN,
            refs=np.zeros(rows, np.int64),
        )
        found = array.read(what, np.ones((images, cells), bool))
        wrong.append(np.mean(found != (side > 0)))
    expected = float(physical_error(neuron, inputs, 0.0, distance))
    # a chip's gain of the reference is 1 at ref 0, its capacitors are part of the sums: rows differ, images hardly
    assert (
        abs(np.mean(wrong) - expected)
        < 5 * np.sqrt(expected * (1 - expected) / (chips * rows * images)) + 0.002
    )
    assert expected > 0.002


def test_the_set_has_nothing_fixed_but_the_mismatch_of_real():
    like, real = MacroParams.published_like(20), MacroParams.real()
    assert (like.bridge, like.device) == (real.bridge, real.device)
    assert (like.neuron.offset_sigma_V, like.neuron.injection_sigma_V) == (0, 0)
    assert like.neuron.decide_s == 20e-9
    assert MacroParams.named("published-like").neuron.decide_s == 8e-9
    assert MacroParams.from_dict(like.as_dict()) == like
    with pytest.raises(ValueError, match="clock_ns = 7: the authors published 6, 8, 20 ns"):
        MacroParams.published_like(7)


def test_the_command_writes_what_it_shows(tmp_path, capsys):
    files = tmp_path / "fit.json", tmp_path / "fit.png"
    assert main(["error-fit", "--json", str(files[0]), "--png", str(files[1])]) == 0
    report = ErrorFitReport.from_dict(json.loads(files[0].read_text()))
    assert len(report.tables) == 7 * 3 + 3 * 3
    assert files[1].stat().st_size > 10_000
    assert "published-like" not in capsys.readouterr().err
    assert main(["infer", "--macro", "real", "--clock", "6"]) == 2
    assert "--clock without --macro published or published-like" in capsys.readouterr().err
