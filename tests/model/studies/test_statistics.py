"""The authors' error model against their published tables, and against a plain double sum."""

import math
import time

import numpy as np
import pytest

from bridgebnn.model.studies.statistics import comparator_error, neuron_error, sigma_counts

PUBLISHED = {  # N = 1025, 8 ns: distance -> error at p = 0, 0.001, 0.01, 0.1 [data]
    1: (0.360627, 0.360966, 0.405813, 0.471634),
    4: (0.0648670, 0.0820002, 0.177797, 0.381432),
    9: (0.000141640, 0.000524987, 0.0191945, 0.246401),
    30: (0, 0, 0, 0.0108744),
}
RATES = (0, 0.001, 0.01, 0.1)


@pytest.mark.parametrize("column", range(4))
def test_published_table(column):
    """Six digits are published: the tables agree to the last of them."""
    distances = np.array(list(PUBLISHED))
    ours = neuron_error(1025, RATES[column], 8, distances)
    for value, row in zip(ours, PUBLISHED.values(), strict=True):
        published = row[column]
        if published:
            digits = 5 - math.floor(math.log10(published))
            assert abs(value - published) <= 0.5001 * 10**-digits
        else:
            assert value < 1e-10  # printed as 0


def plain(n, p, clock, distance):
    """The definition, term by term, in exact binomials."""
    cells = n + 2 * (5 * n // 100)
    a, b = {6: (0.00245622, 0.160218), 8: (0.0020275982, 0.18889), 20: (0.00170505, 0.211172)}[clock]
    sigma = a * cells + b
    up, low = -(-cells // 2) + distance, cells // 2 - distance
    total = 0.0
    for i in range(up + 1):
        pi = math.comb(up, i) * p**i * (1 - p) ** (up - i)
        for j in range(low + 1):
            pj = math.comb(low, j) * p**j * (1 - p) ** (low - j)
            s = 0.5 * math.exp(-((abs(distance - i + j) + 1) ** 2) / (2 * sigma**2))
            total += pi * pj * (1 - s if i >= j + 1 + distance else s)
    return total


@pytest.mark.parametrize("clock", [6, 8, 20])
@pytest.mark.parametrize("n", [1, 2, 23, 40, 101])
@pytest.mark.parametrize("p", [0, 0.003, 0.2, 0.5, 1])
def test_equals_the_double_sum(n, clock, p):
    cells = n + 2 * (5 * n // 100)
    distances = np.unique(np.linspace(0, cells // 2, 4).astype(int))
    expected = [plain(n, p, clock, int(d)) for d in distances]
    np.testing.assert_allclose(neuron_error(n, p, clock, distances), expected, rtol=1e-9, atol=1e-30)


def test_whole_table_of_the_widest_neuron_in_seconds():
    start = time.process_time()
    table = neuron_error(6921, 0.1, 6, np.arange(0, 3806))
    assert time.process_time() - start < 10
    assert table.shape == (3806,)
    assert (np.diff(table) <= 0).all()


def test_shape_and_order_of_the_distances_are_kept():
    distances = np.array([[4, 0], [4, 9]])
    table = neuron_error(1025, 0.01, 8, distances)
    assert table.shape == (2, 2)
    assert table[0, 0] == table[1, 0]
    assert table[0, 1] > table[0, 0] > table[1, 1]
    assert neuron_error(1025, 0.01, 8, 4).shape == ()


def test_comparator_alone():
    sigma = sigma_counts(1025, 8)
    assert sigma == pytest.approx(0.0020275982 * 1127 + 0.18889)
    assert comparator_error(np.array([3, -3]), sigma) == pytest.approx(0.5 * math.exp(-16 / (2 * sigma**2)))
    assert neuron_error(1025, 0, 8, 3) == pytest.approx(comparator_error(3, sigma))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.1, 8, 1), r"n_inputs = 0: must be an integer from 1 to 6921"),
        ((6922, 0.1, 8, 1), r"n_inputs = 6922: must be an integer from 1 to 6921"),
        ((23.5, 0.1, 8, 1), r"n_inputs = 23.5"),
        ((23, 1.5, 8, 1), r"cell_error_rate = 1.5: must be from 0 to 1"),
        ((23, float("nan"), 8, 1), r"cell_error_rate = nan"),
        ((23, 0.1, 7, 1), r"clock_ns = 7: the authors published 6, 8, 20 ns"),
        ((23, 0.1, 8, -1), r"distance = -1: must be from 0 to 12, half of 25 cells"),
        ((23, 0.1, 8, [0, 13]), r"distance = 13: must be from 0 to 12"),
        ((23, 0.1, 8, 0.5), r"distance is float64: must be integers"),
    ],
)
def test_bad_values_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        neuron_error(*arguments)
