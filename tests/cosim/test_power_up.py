"""Silicon has no `initial`: every register and memory of the controller at X until reset, or the bus, sets it."""

import re

import pytest

from bridgebnn.hdl.output.verilog import generate
from bridgebnn.tb.simulators import SimulationError

from . import small


def power_up(folder, change=lambda text: text):
    """The controller without initial values."""
    target = generate(folder, small.GEOMETRY, init=False)
    target.write_text(change(target.read_text()))
    return target


def test_no_initial_value_is_left(tmp_path):
    """No `initial`, no value of a declaration, no process that would need one; with them there are many."""
    kinds = (r"\binitial\b", r"^\s*(?:reg|integer)\b[^;]*=", r"always @\*")
    texts = [
        re.sub("//.*", "", generate(tmp_path / str(init), small.GEOMETRY, init=init).read_text())
        for init in (False, True)
    ]
    without, usual = ([len(re.findall(kind, text, re.MULTILINE)) for kind in kinds] for text in texts)
    assert without == [0, 0, 0]
    assert min(usual) >= 7
    clocked = [len(re.findall(r"always @\(posedge clk\)", text)) for text in texts]
    assert clocked[0] == clocked[1] > 100


@pytest.mark.icarus
@pytest.mark.parametrize("attach", small.ATTACHMENTS)
def test_a_controller_that_powers_up_unknown(attach, tmp_path):
    """Programming over the bus and inference: the pins are never unknown, and golden is met bit for bit."""
    got = small.run("icarus", attach, program="bus", verilog=power_up(tmp_path))
    assert got.golden_mismatches == got.model_mismatches == 0
    assert got.programming.failures == 0
    usual = small.run("icarus", attach, program="bus").programming
    times = {"wall_s": 0.0, "cpu_s": 0.0}
    assert usual.replace(**times) == got.programming.replace(**times)


@pytest.mark.icarus
def test_a_register_that_reset_forgets_is_seen(tmp_path):
    def forget(text):
        text, count = re.subn(r"(_arbiter arbiter \([^;]*)\.rst\(rst\)", r"\1.rst(1'b0)", text)
        assert count == 1
        return text

    with pytest.raises(SimulationError):
        small.run("icarus", "prefetch", program="bus", verilog=power_up(tmp_path, forget), limit_cyc=5_000)
