"""What a tape-out flow makes of the generated Verilog: no latches, no loops, and a reset that needs no `initial`."""

import re

import pytest

from bridgebnn.hdl.output.verilog import generate
from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import Bus

pyosys = pytest.importorskip("pyosys.libyosys", reason="pyosys is not installed")

SMALL = Geometry(tiles=2, rows=8, inputs=40, bias=2, thresholds=16, layers=2, scores=4, log_depth=2)


class Netlist:
    """The flattened design in Yosys."""

    def __init__(self, source, folder):
        self.design, self.folder = pyosys.Design(), folder
        self.run(f"read_verilog {source}", "hierarchy -check -top bridgebnn", "proc", "flatten", "opt_expr")
        self.run("opt_clean", "check")
        self.problems = int(re.search(r"Found and reported (\d+) problems", self.text("pass.log"))[1])
        self.run("opt_dff -simple-dffe", "opt_clean", "memory_collect")

    def text(self, name):
        return (self.folder / name).read_text()

    def run(self, *commands):
        for command in commands:
            pyosys.run_pass(f"tee -q -o {self.folder / 'pass.log'} {command}", self.design)

    def select(self, *what):
        """Names of objects."""
        target = self.folder / "selected.txt"
        pyosys.run_pass(f"tee -q -o {target} select -list {' '.join(what)}", self.design)
        return target.read_text().split()

    def dump(self, *what):
        target = self.folder / "dump.txt"
        pyosys.run_pass(f"tee -q -o {target} dump {' '.join(what)}", self.design)
        return target.read_text()

    def loops(self):
        """Number of combinational loops."""
        self.run("scc")
        return int(re.search(r"Found (\d+) SCCs\.", self.text("pass.log"))[1])

    def paths(self):
        """Pairs (input, output) of ports with a way through logic alone."""
        ways = {name: self.select(f"o:{name}", "%cie*", "i:*", "%i") for name in self.ports("o:*")}
        return {(source.split("/")[1], name) for name, found in ways.items() for source in found}

    def ports(self, which):
        return [name.split("/")[1] for name in self.select(which)]

    def unreset(self):
        """Names of the flip-flops that no reset reaches."""
        cells = self.select("t:$dff", "t:$dffe")
        return sorted(re.findall(r"connect \\Q \\(\S+)", "".join(self.dump(cell) for cell in cells)))

    def memories(self):
        return sorted(re.findall(r'parameter \\MEMID "\\\\(\S+)"', self.dump("t:$mem_v2")))


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthesis")
    return Netlist(generate(folder, SMALL), folder)


def test_no_latches_no_asynchronous_state_no_loops(netlist):
    assert netlist.problems == 0  # of `check`: undriven wires, wires with two drivers, loops
    kinds = "t:$dlatch t:$adff t:$adffe t:$adlatch t:$aldff t:$aldffe t:$sr t:$dffsr t:$dffsre"
    assert netlist.select(*kinds.split()) == []
    assert len(netlist.select("t:$sdff", "t:$sdffe", "t:$sdffce")) > 100
    assert netlist.loops() == 0


def test_reset_reaches_every_register_but_those_that_read_memories(netlist):
    """Yosys names the read registers `_0_`, `_1_`, .. in the module of the memory."""
    without = netlist.unreset()
    assert [name for name in without if not re.search(r"\._\d+_$", name)] == []
    modules = {name.rsplit(".", 1)[0] for name in without}
    assert modules == {name.rsplit(".", 1)[0] for name in netlist.memories()}
    assert len(modules) == 10


@pytest.mark.parametrize("bus", Bus)
def test_no_path_leads_from_an_input_to_an_output(bus, tmp_path):
    """But that of a pulse, which ends with the rails at once: AXI (ARM IHI 0022) asks for none."""
    paths = Netlist(generate(tmp_path, SMALL, bus=bus), tmp_path).paths()
    assert paths == {("hv_ready", "pulse")}


def test_a_latch_a_loop_and_a_register_without_reset_are_seen(tmp_path):
    broken = {
        "latch": "reg x; always @* if (wb_we) x = wb_stb;",
        "undriven": "wire x;",
        "loop": "wire x = ~(x & wb_we);",
        "plain": "reg x = 0; always @(posedge clk) x <= wb_we;",
    }
    text = generate(tmp_path, SMALL).read_text()
    source = tmp_path / "broken.v"
    for name, code in broken.items():
        source.write_text(
            text.replace(
                "  reg at_start_", f"  (* keep *) wire kept = x ^ wb_cyc; {code}\n  reg at_start_", 1
            )
        )
        found = Netlist(source, tmp_path)
        assert bool(found.select("t:$dlatch")) == (name == "latch")
        assert bool(found.problems) == (name == "undriven" or name == "loop")
        assert found.loops() == (name == "loop")
        assert ("x" in found.unreset()) == (name == "plain")
