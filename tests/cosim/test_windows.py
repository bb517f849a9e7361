"""Windows with many patterns per word, reserved bits, keys and addresses with one bit wrong."""

import pytest

from . import shapes


@pytest.mark.parametrize("sim", shapes.EACH_SIMULATOR)
def test_every_bit_of_windows_keys_and_addresses(sim):
    result = shapes.bench(sim, "windows")
    assert result["compared"] == result["sent"] == result["terminations"] > 4000
