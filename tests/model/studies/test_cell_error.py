"""Cell error rates: the differential gain, the three readings, the interval."""

import numpy as np
import pytest

from bridgebnn.model.parameters.params import BridgeParams
from bridgebnn.model.studies.cell_error import CellErrors, cell_errors, differential_rate, interval


@pytest.mark.parametrize(("single", "pair"), [(1e-2, 5.0e-4), (1e-3, 6.2e-6), (1e-4, 7.2e-8)])
def test_published_gain_of_two_devices_over_one(single, pair):
    assert differential_rate(single) == pytest.approx(pair, rel=0.02)


def test_the_gain_shows_in_drawn_devices():
    """Equal log-normal spread, reference in the middle: 1e-2 of the 1T1R cells err, 5.0e-4 of the pairs."""
    rng = np.random.default_rng(3)
    rows, columns = 100, 4000
    low, high, z = np.log(10e3), np.log(1e6), 2.3263
    sigma = (high - low) / 2 / z
    bits = rng.integers(0, 2, (rows, columns)).astype(bool)
    lrs = np.stack([bits, ~bits], axis=-1)
    ohm = np.exp(np.where(lrs, low, high) + sigma * rng.standard_normal(lrs.shape))
    errors = cell_errors(
        ohm,
        bits,
        np.ones_like(bits),
        np.arange(rows),
        middle_ohm=1e5,
        params=BridgeParams.ideal(),
        chip=0,
    )
    assert errors.cells == rows * columns
    assert errors.one_device == pytest.approx(1e-2, rel=0.05)
    assert errors.pair == pytest.approx(5.0e-4, rel=0.2)
    assert errors.bridge == pytest.approx(errors.pair, rel=1e-9)  # an ideal buffer decides at Vread / 2


def rates(ohm, bits, **changes) -> CellErrors:
    params = BridgeParams(**{"buffer_sigma_V": 0.0, "buffer_noise_V": 0.0, "read_noise": 0.0, **changes})
    ohm = np.asarray(ohm, float)[None]
    bits = np.asarray(bits)[None]
    return cell_errors(ohm, bits, np.ones_like(bits), [0], middle_ohm=1e5, params=params, chip=0)


def test_each_reading_of_known_cells():
    good, swapped, both_low = (10e3, 1e6), (1e6, 10e3), (12e3, 10e3)
    assert rates([good, swapped], [1, 0]) == CellErrors(cells=2, one_device=0, pair=0, bridge=0)
    assert rates([swapped, good], [1, 0]) == CellErrors(cells=2, one_device=1, pair=1, bridge=1)
    assert rates([both_low], [1]) == CellErrors(cells=1, one_device=0.5, pair=1, bridge=1)


def test_noise_gives_a_fraction_and_the_threshold_decides_close_cells():
    close = [(90e3, 110e3)]
    assert rates(close, [1]).bridge == 0
    assert 0 < rates(close, [1], read_noise=0.2).bridge < 0.5
    assert rates(close, [1], buffer_threshold_V=1.2).bridge == 0.5  # input +1 reads wrong, input -1 right


def test_only_masked_cells_count():
    ohm = np.array([[(10e3, 1e6), (1e6, 10e3)]])
    errors = cell_errors(ohm, [[1, 1]], [[1, 0]], [0], middle_ohm=1e5, params=BridgeParams.ideal(), chip=0)
    assert (errors.cells, errors.pair) == (1, 0)
    with pytest.raises(ValueError, match="at least one cell"):
        cell_errors(ohm, [[1, 1]], [[0, 0]], [0], middle_ohm=1e5, params=BridgeParams.ideal(), chip=0)


def test_interval():
    assert interval(0, 100) == (0.0, pytest.approx(0.037, abs=0.001))
    low, high = interval(10, 1000)
    assert low < 0.01 < high
    assert interval(5, 5)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.0, 0.5, -1.0])
def test_differential_rate_range(rate):
    with pytest.raises(ValueError, match=r"single_rate = .*: must be above 0 and below 0.5"):
        differential_rate(rate)


def test_interval_range():
    with pytest.raises(ValueError, match="errors = 3 in cells = 2"):
        interval(3, 2)
