"""Silicon has no `initial`: every register and memory of the controller at X until reset, or the bus, sets it."""

import re

import pytest

from bridgebnn.tb.runs.controller import generated
from bridgebnn.tb.simulators.simulators import SimulationError

from . import small

# One register a module is no hardware: it makes `always @*` run once at time 0 in a simulator.
KICK = "$auto$verilog_backend"


def without_initial_values(text):
    """The text without initial blocks and without initial values of registers; and how many there were."""
    text, blocks = re.subn(r"^  initial begin\n.*?^  end\n", "", text, flags=re.MULTILINE | re.DOTALL)
    pattern = rf"^(  reg (?!\\{re.escape(KICK)})[^=;]*?) = [^;]*;$"
    text, values = re.subn(pattern, r"\1;", text, flags=re.MULTILINE)
    return text, blocks, values


def power_up(folder, change=lambda text: text):
    text, blocks, values = without_initial_values(generated(small.GEOMETRY).read_text())
    assert blocks >= 8
    assert values > 100
    assert "initial" not in re.sub(r"//.*", "", text)
    target = folder / "bridgebnn.v"
    target.write_text(change(text))
    return target


@pytest.mark.icarus
@pytest.mark.parametrize("attach", small.ATTACHMENTS)
def test_a_controller_that_powers_up_unknown(attach, tmp_path):
    """Programming over the bus and inference: the pins are never unknown, and golden is met bit for bit."""
    got = small.run("icarus", attach, program="bus", verilog=power_up(tmp_path))
    assert got["golden_mismatches"] == got["model_mismatches"] == 0
    assert got["programming"]["failures"] == 0
    assert got["programming"] == small.run("icarus", attach, program="bus")["programming"] | {
        "wall_s": got["programming"]["wall_s"]
    }


@pytest.mark.icarus
def test_a_register_that_reset_forgets_is_seen(tmp_path):
    def forget(text):
        name = re.escape(re.search(r"^    (\S+ ) = arbiter_state;", text, re.MULTILINE)[1])
        text, count = re.subn(rf"    if \(rst\) begin\n      {name} = 2'h0;\n    end\n", "", text)
        assert count >= 1  # of state and of what it decides
        return text

    with pytest.raises(SimulationError):
        small.run("icarus", "prefetch", program="bus", verilog=power_up(tmp_path, forget), limit_cyc=5_000)
