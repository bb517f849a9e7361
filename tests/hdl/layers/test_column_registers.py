"""Which columns a number of them enables."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator
from amaranth.utils import bits_for

from bridgebnn.hdl.layers.column_registers import lowest_ones


class Ones(Component):
    def __init__(self, width: int):
        super().__init__({"count": In(bits_for(width)), "ones": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.ones.eq(lowest_ones(self.count, len(self.ones)))
        return m


@pytest.mark.parametrize("width", [1, 23, 31, 32, 33, 64, 70])
def test_lowest_ones(width):
    dut = Ones(width)

    async def testbench(ctx):
        for count in range(width + 1):
            ctx.set(dut.count, count)
            assert ctx.get(dut.ones) == (1 << count) - 1

    sim = Simulator(dut)
    sim.add_testbench(testbench)
    sim.run()


def test_lowest_ones_of_no_column():
    assert len(lowest_ones(Signal(1), 0)) == 0
