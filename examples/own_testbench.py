"""Your own cocotb testbench around the controller: program one row over the bus, and read it back.

    python -m examples.own_testbench        (on Icarus; or: pytest examples/own_testbench.py)

`bridgebnn.tb.env.Env` brings clock, reset, the modelled macro on the pins and a host that speaks Wishbone; the rest is
plain cocotb, run by cocotb-test. Firmware that forgets the unlock keys is tried first: it must be refused.
"""

import cocotb
import numpy as np

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.macro.array import Array
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.runs.controller import generated

GEOMETRY = Geometry()  # one tile, 32 rows, 23 + 2 columns


@cocotb.test()
async def program_and_read_back(dut):
    env = Env(dut, GEOMETRY, Array(GEOMETRY, MacroParams.real(), chip=7))
    weights = np.random.default_rng(1).integers(0, 2, GEOMETRY.columns)  # bit 1 is weight +1
    everywhere = np.ones(GEOMETRY.columns)

    async def stimulus():
        await env.start()
        try:
            await env.host.program_row(0, 5, weights, everywhere)
            raise AssertionError("programmed without the keys")
        except CommandError as error:
            print("refused:", error)
        await env.host.unlock()
        await env.host.program_row(0, 5, weights, everywhere)
        assert (await env.host.read_row(0, 5) == weights).all()
        print("row 5 reads as programmed:", await env.host.program_counters())

    await env.run(stimulus())  # what agent or monitors raise ends the test, too


def test_own_testbench():
    from cocotb_test.simulator import run

    verilog = generated(GEOMETRY)  # from the cache, or made now
    options = {"simulator": "icarus", "timescale": "1ns/1ps", "compile_args": ["-g2005"]}
    options |= {"python_search": ["."], "sim_build": str(verilog.parent / "own_testbench")}
    run(verilog_sources=[str(verilog)], toplevel="bridgebnn", module="examples.own_testbench", **options)


if __name__ == "__main__":
    test_own_testbench()
