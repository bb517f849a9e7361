"""Every table that INFER must refuse, before any read, with the right index; and that it takes the legal ones."""

import pytest

from bridgebnn.tb.campaign.mutation import GEOMETRIES

from . import shapes


@pytest.mark.parametrize("sim", shapes.EACH_SIMULATOR)
def test_bad_tables_end_before_any_read(sim):
    result = shapes.bench(sim, "descriptors")
    assert result["refused"] > 700
    assert result["taken"] > 100


@pytest.mark.parametrize("sim", shapes.EACH_SIMULATOR)
def test_bad_walks_end_before_any_read(sim):
    """Of a controller with activation maps, whose walks are tried as the descriptors are."""
    result = shapes.bench(sim, "descriptors", geometry=GEOMETRIES["maps"])
    assert result["refused"] > 900
    assert result["taken"] > 100
