"""Which shapes are legal, beyond the range of each field."""

import re

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.geometry import MOST_COLUMNS


def test_more_columns_than_are_generated_are_refused_with_what_would_fit():
    message = (
        "Geometry of 64 tiles with 4064 columns: 260096 columns in all, at most 65536 are generated; "
        "16 tiles of 4064 columns would fit, or 64 of 1024"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        Geometry(tiles=64, inputs=4064, bias=0)
    for tiles, columns in ((16, 4064), (64, 1024)):
        assert Geometry(tiles=tiles, inputs=columns, bias=0).columns * tiles <= MOST_COLUMNS
    with pytest.raises(ValueError, match="65600 columns in all"):
        Geometry(tiles=64, inputs=1024, bias=0, spare_columns=1)
