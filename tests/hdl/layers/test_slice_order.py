"""Slices one after the other, as many as the columns need."""

import random

import pytest

from bridgebnn.hdl.layers.slice_order import SliceOrder, count_slices
from bridgebnn.hdl.spec import Geometry
from tests.hdl.clocked import clocked


@pytest.mark.parametrize(
    ("inputs", "width", "slices"), [(8, 8, 1), (8, 3, 3), (9, 3, 3), (10, 3, 4), (4, 1, 4)]
)
def test_slices_in_turn(inputs, width, slices):
    geometry = Geometry(tiles=1, rows=4, inputs=inputs, bias=0, count_width=width, thresholds=1)
    dut, rng = SliceOrder(geometry), random.Random(6)
    assert count_slices(geometry) == slices

    async def scenario(ctx):
        at = 0
        for _ in range(40):
            enable = rng.getrandbits(1)
            ctx.set(dut.enable, enable)
            assert (ctx.get(dut.slice), ctx.get(dut.last)) == (at, at == slices - 1)
            await ctx.tick()
            at = (at + enable) % slices

    clocked(dut, scenario)
