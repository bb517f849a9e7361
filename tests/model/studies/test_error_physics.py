"""The physical neuron at a distance: the closed form against neurons of many chips."""

import dataclasses

import numpy as np
import pytest
from scipy.special import ndtr

from bridgebnn.hdl.spec import bias_columns
from bridgebnn.model.__main__ import main
from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import NeuronParams
from bridgebnn.model.studies.error_physics import ErrorModelReport, physical_error, physical_sigma
from bridgebnn.model.studies.statistics import neuron_error

N = 201
CELLS = N + bias_columns(N)


def sampled(params, rate, distance, chips=3000):
    """Mean error of neurons of that many chips, and its standard error."""
    rng, found = np.random.default_rng(distance), []
    ones = (CELLS + 1) // 2 + distance
    for chip in range(chips):
        neuron = Neuron.of(params, CELLS, chip, 0)
        bits = np.zeros(CELLS, bool)
        bits[rng.permutation(CELLS)[:ones]] = True
        bits ^= rng.random(CELLS) < rate
        x = (neuron.w @ bits - neuron.v.sum()) / 2 + neuron.offset
        found.append(ndtr(-x / neuron.noise))
    return np.mean(found), np.std(found) / np.sqrt(chips)


@pytest.mark.parametrize(("rate", "distance"), [(0, 0), (0, 1), (0.02, 1), (0.1, 4)])
@pytest.mark.parametrize("mismatch", [0.01, 0.2], ids=["mismatch 1 %", "mismatch 20 %"])
def test_closed_form_is_the_mean_over_chips(rate, distance, mismatch):
    # an offset of about half a count, and at 20 % a mismatch of one
    params = dataclasses.replace(NeuronParams(), cu_sigma=mismatch, offset_sigma_V=8e-3)
    mean, error = sampled(params, rate, distance)
    assert abs(physical_error(params, N, rate, distance) - mean) < 4 * error + 1e-4


def test_numbers_of_the_design():
    """DESIGN section 7: too optimistic near the threshold, and alike where cell errors dominate."""
    params = NeuronParams()
    near = physical_error(params, 1025, 0, [1, 4, 9])
    assert near == pytest.approx([0.207, 0.0068, 1e-7], rel=0.07)
    ratio = physical_error(params, 1025, 0.1, [1, 4, 9, 30]) / neuron_error(1025, 0.1, 8, [1, 4, 9, 30])
    assert ratio == pytest.approx([0.96, 0.95, 0.93, 0.80], abs=0.01)  # alike near the threshold alone
    assert physical_sigma(params, 1127) == pytest.approx(1.83, abs=0.02)


def test_ideal_neurons_err_with_their_cells_alone():
    ideal = NeuronParams.ideal()
    assert physical_error(ideal, N, 0, [0, 3]).tolist() == [0, 0]
    assert physical_error(ideal, N, 0.1, 0) > 0.3
    with pytest.raises(ValueError, match="distance must be integers from 0 to 110"):
        physical_error(ideal, N, 0, 111)
    with pytest.raises(ValueError, match="cell_error_rate = 2"):
        physical_error(ideal, N, 2, 1)


def test_command(tmp_path, capsys):
    files = tmp_path / "e.json", tmp_path / "e.png"
    assert (
        main(["error-model", "--json", str(files[0]), "--png", str(files[1]), "--distances", "1", "4"]) == 0
    )
    report = ErrorModelReport.load(files[0])
    assert report.rows[0].published[1] == pytest.approx([0.360627, 0.0648670], abs=5e-7)
    assert files[1].read_bytes()[:4] == b"\x89PNG"
    assert "0.361" in capsys.readouterr().out
    assert main(["error-model", "--macro", "published"]) == 2
