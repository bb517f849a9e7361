"""Reads cycle by cycle on the pins: every mode over several tiles, phase lengths, late answers, timeouts."""

import pytest

from . import shapes


@pytest.mark.parametrize("sim", shapes.EACH_SIMULATOR)
def test_reads_are_as_specified_in_every_cycle(sim):
    compared = shapes.bench(sim, "reads")
    assert compared["cycles"] > 10_000
    assert compared["vectors"] > 90
    assert compared["timeouts"] > 90
    assert compared["aborts"] > 40
