"""Counters past the bits that a short run reaches: carries, wraps, saturation."""

import pytest

from . import shapes


@pytest.mark.parametrize("sim", shapes.EACH_SIMULATOR)
def test_counters_over_all_of_their_bits(sim):
    compared = shapes.bench(sim, "counters")
    assert compared["counts"] >= (400 if sim == "icarus" else 3)
