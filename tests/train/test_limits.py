"""The limits that the array sets to training: against the neuron's own decision, input by input."""

from __future__ import annotations

import pytest

from bridgebnn.train.limits import groups_of, threshold_range, usable_bias


@pytest.mark.parametrize(
    ("fan_in", "cells", "enabled"), [(784, 78, 77), (512, 50, 49), (23, 2, 2), (2, 2, 1), (3, 2, 2)]
)
def test_usable_bias_makes_the_sum_odd(fan_in: int, cells: int, enabled: int) -> None:
    assert usable_bias(fan_in, cells) == enabled
    assert (fan_in + enabled) % 2 == 1


@pytest.mark.parametrize(
    ("fan_in", "cells", "limits"),
    [(784, 77, (-76, 78)), (512, 49, (-48, 50)), (23, 2, (-1, 3)), (2, 1, (0, 2))],
)
def test_threshold_range(fan_in: int, cells: int, limits: tuple[int, int]) -> None:
    assert threshold_range(fan_in, cells) == limits


def test_even_sum_is_refused() -> None:
    with pytest.raises(
        ValueError, match="23 inputs and 3 bias cells: their sum must be odd, ties have no sign"
    ):
        threshold_range(23, 3)


@pytest.mark.parametrize(("fan_in", "cells"), [(1, 2), (2, 1), (3, 2), (4, 3), (5, 4)])
def test_cells_reach_exactly_the_range(fan_in: int, cells: int) -> None:
    """Every pattern of cells is a threshold of the range and the other way round, with the same decisions."""
    low, high = threshold_range(fan_in, cells)
    dots = range(-fan_in, fan_in + 1, 2)
    by_cells = {tuple(dot + bias > 0 for dot in dots) for bias in range(-cells, cells + 1, 2)}
    by_threshold = {tuple(dot >= threshold for dot in dots) for threshold in range(low, high + 1, 2)}
    assert by_cells == by_threshold


def test_groups_are_contiguous_and_complete() -> None:
    assert groups_of(784, None) == [784]
    assert groups_of(784, 23) == [23] * 34 + [2]
    assert groups_of(256, 23) == [23] * 11 + [3]
    assert groups_of(46, 23) == [23, 23]
