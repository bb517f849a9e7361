"""AXI4-Lite in front of the registers, driven by cocotbext-axi, which nobody here wrote."""

import dataclasses
import re

import pytest

from bridgebnn.hdl.output.verilog import verilog_text
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.tb.simulators import Simulation, run
from tests.cosim.small import GEOMETRY

AXI = verilog_text(GEOMETRY, bus=Bus.AXI4LITE)


def simulate(tmp_path, sim, text, share):
    source = tmp_path / "bridgebnn.v"
    source.write_text(text)
    pins = ["clk", "rst", "cmp", "cmp_valid", "sl", "hv_ready"]
    seen = [
        n
        for n in AXI.split("module bridgebnn(")[1].split(")")[0].replace("\n", "").split(", ")
        if n not in pins
    ]
    simulation = Simulation(sim=sim, top="bridgebnn", sources=[source], written=[*pins, *seen], read=[])
    job = {"geometry": dataclasses.asdict(GEOMETRY), "share": share, "folder": ".", "seed": 5}
    return run(simulation, "tests.cosim.axi_registers", job)


@pytest.mark.icarus
@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_registers(tmp_path, share):
    report = simulate(tmp_path, "icarus", AXI, share)
    assert report["wrong"] == 0
    assert report["reads"] == report["writes"] == 144
    assert report["refused"] == 54
    assert report["most_responses"] >= 40


@pytest.mark.icarus
def test_a_bridge_that_tells_no_error_is_seen(tmp_path):
    """SLVERR becomes OKAY."""
    text = re.sub(r"\.axi__([br])resp\(s_axi_\1resp\)", r".axi__\1resp()", AXI)
    unwired = "  assign s_axi_bresp = 2'h0;\n  assign s_axi_rresp = 2'h0;\nendmodule"
    text = text.replace("endmodule", unwired, 1)
    assert text != AXI
    report = simulate(tmp_path, "icarus", text, 0.0)
    assert report["wrong"] >= report["refused"]
