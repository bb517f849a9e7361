"""The chip under test: firmware's accesses over its bus, the modelled macros on the pins of both controllers."""

from pathlib import Path

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from bridgebnn.hdl import read_description
from bridgebnn.model import Array, MacroParams
from bridgebnn.model.flows import inference, programming
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks import golden
from bridgebnn.tb import BusError, Env, Registers
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.runs.layers import network_of

from .bus import Master

BUILD = Path(__file__).parents[1] / "build"
RAM, BNN0, BNN1 = 0x0000_0000, 0x1000_0000, 0x2000_0000
GEOMETRY0, TIMING0 = read_description(BUILD / "bnn0" / "geometry.json")
GEOMETRY1, TIMING1 = read_description(BUILD / "bnn1" / "geometry.json")


class Bench:
    """Clock, reset and bus are ours; `Env` brings the macro on the pins and a host that speaks through our bus."""

    def __init__(self, dut):
        self.dut, self.master = dut, Master(dut)
        chip0, chip1 = (
            Array(GEOMETRY0, MacroParams.ideal(), chip=7),
            Array(GEOMETRY1, MacroParams.real(), chip=8),
        )
        bus0 = Registers(self.master.access, GEOMETRY0, base=BNN0, timing=TIMING0)
        bus1 = Registers(self.master.access, GEOMETRY1, base=BNN1, timing=TIMING1)
        self.bnn0 = Env(dut.soc.bnn0, GEOMETRY0, chip0, timing=TIMING0, bus=bus0)
        self.bnn1 = Env(dut.soc.bnn1, GEOMETRY1, chip1, timing=TIMING1, bus=bus1, macro=dut.soc.macro1)

    async def start(self) -> "Bench":
        """Reset the chip, and find both controllers at their addresses."""
        self.dut.rst.value = 1
        Clock(self.dut.clk, 20, "ns").start()
        for env in (self.bnn0, self.bnn1):
            await env.start()
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)
        for env in (self.bnn0, self.bnn1):
            await env.host.identify()
        return self


@cocotb.test()
async def a_network_on_bnn0(dut):
    """Programmed and run over the bus; compared with the integer network, and with the model on a chip of its own."""
    bench = await Bench(dut).start()
    rng = np.random.default_rng(2024)
    network = network_of([rng.choice([-1, 1], (6, 20)), rng.choice([-1, 1], (3, 6))])
    vectors = rng.integers(0, 2, (8, 20))
    mapping = map_network(network, GEOMETRY0)

    host, results = bench.bnn0.host, []
    counters, _ = await host.program(mapping)
    await host.load_network(mapping.descriptors, mapping.thresholds)
    await host.infer(mapping.descriptors, mapping.pack_inputs(vectors), results.append)
    scores = np.array([result.scores for result in results])

    alone = Array(GEOMETRY0, MacroParams.ideal(), chip=7)
    programmed = programming.program(alone, mapping.images, mapping.masks, TIMING0)
    model, wanted = inference.run(mapping, alone, vectors), golden.forward(network, vectors)
    assert counters["pulses"] == programmed.pulses.sum()
    assert [result.label for result in results] == wanted.classes.tolist() == model.classes.tolist()
    np.testing.assert_array_equal(scores, wanted.scores, "golden")
    np.testing.assert_array_equal(scores, model.scores, "model")
    dut._log.info("%d pulses; scores %s: as golden and model say", counters["pulses"], scores.tolist())


@cocotb.test()
async def a_row_on_bnn1(dut):
    """Refused without the keys; programmed and read back with them, on devices with spread."""
    host = (await Bench(dut).start()).bnn1.host
    weights = np.random.default_rng(1).integers(0, 2, GEOMETRY1.columns)
    with pytest.raises(CommandError, match="LOCKED"):
        await host.program_row(0, 5, weights, np.ones(GEOMETRY1.columns))
    await host.unlock()
    await host.program_row(0, 5, weights, np.ones(GEOMETRY1.columns))
    assert (await host.read_row(0, 5) == weights).all()


@cocotb.test()
async def the_ram_and_nobody(dut):
    """Beside the controllers: memory, and an address at which there is nothing."""
    master = (await Bench(dut).start()).master
    words = {4 * i: 0x01020304 * i & 0xFFFFFFFF for i in (0, 1, 100, 255)}
    for offset, word in words.items():
        await master.access(RAM + offset, word)
    assert {offset: await master.access(RAM + offset) for offset in words} == words
    with pytest.raises(BusError, match="0x30000000"):
        await master.access(0x3000_0000)
