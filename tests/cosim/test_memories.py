"""Memories of somebody else in the place of ours: all that docs/integration.md promises of them, and no more."""

import json
import re

import pytest

from bridgebnn.hdl.output.verilog import generate
from bridgebnn.tb.simulators import SimulationError

from . import small


def compiled(memory, *, latency=1, lane_stuck=False, forgets=False):
    """A memory as a compiler gives it: nothing is known that the contract does not say.

    A word is X until it is written; so is what comes out of a read of the word that is written in the same
    cycle, and of an address that does not exist.
    """
    width, depth, lanes = memory["width"], memory["depth"], memory["lanes"]
    reads = sorted(n.removesuffix("_en") for n in memory["ports"] if re.fullmatch(r"r\d?_en", n))
    lines = [f"module {memory['name']}({', '.join(memory['ports'])});"]
    lines += [
        f"  {port['direction']} [{port['width'] - 1}:0] {name};" for name, port in memory["ports"].items()
    ]
    part = width // lanes
    lines += [f"  reg [{width - 1}:0] ram [0:{depth - 1}];", "  always @(posedge clk) begin"]
    for lane in range(lanes - lane_stuck):
        bits = f"{part * (lane + 1) - 1}:{part * lane}"
        lines.append(f"    if (w_en[{lane}]) ram[w_addr][{bits}] <= w_data[{bits}];")
    lines.append("  end")
    for enable, address in (("|w_en", "w_addr"), *((f"{read}_en", f"{read}_addr") for read in reads)):
        wrong = f"(^{address} === 1'bx || {address} >= {depth})"
        lines.append(
            f'  always @(posedge clk) if (({enable}) === 1\'b1 && {wrong}) begin $display("address"); $finish; end'
        )
    for read in reads:
        lines += [f"  reg [{width - 1}:0] {read}_q;", "  always @(posedge clk)"]
        answer = f"|w_en && w_addr == {read}_addr ? {{{width}{{1'bx}}}} : ram[{read}_addr]"
        lines.append(f"    if ({read}_en) {read}_q <= {answer};")
        if forgets:
            lines.append(f"    else {read}_q <= {{{width}{{1'bx}}}};")
        if latency == 2:
            lines += [
                f"  reg [{width - 1}:0] {read}_late;",
                f"  always @(posedge clk) {read}_late <= {read}_q;",
            ]
        lines.append(f"  assign {read}_data = {read}_{'late' if latency == 2 else 'q'};")
    return "\n".join([*lines, "endmodule", ""])


def replaced(folder, chosen=lambda memory: True, **faults):
    """The controller without initial values, with other modules for the chosen memories."""
    file = generate(folder, small.GEOMETRY, init=False)
    text = file.read_text()
    memories = json.loads((folder / "geometry.json").read_text())["memories"]
    for memory in filter(chosen, memories):
        text, count = re.subn(
            rf"^module {memory['name']}\(.*?^endmodule\n",
            lambda _, memory=memory: compiled(memory, **faults),
            text,
            flags=re.MULTILINE | re.DOTALL,
        )
        assert count == 1
    file.write_text(text)
    return file


@pytest.mark.icarus
@pytest.mark.parametrize("attach", small.ATTACHMENTS)
def test_compiled_memories_take_the_place_of_all(attach, tmp_path):
    """Programming over the bus and inference; where a read meets a write, whatever comes out is not used."""
    got = small.run("icarus", attach, program="bus", verilog=replaced(tmp_path))
    assert got.golden_mismatches == got.model_mismatches == 0
    assert got.programming.failures == 0


def only(name):
    return lambda memory: any(name in path for path in memory["instances"])


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("chosen", "fault"),
    [
        ("columns.image", {"latency": 2}),
        ("layer.inputs", {"latency": 2}),
        ("layer.thresholds", {"forgets": True}),
        ("layer.table_", {"lane_stuck": True}),
        ("columns.pending", {"latency": 2}),
    ],
)
def test_a_memory_that_breaks_the_contract_is_seen(chosen, fault, tmp_path):
    source = replaced(tmp_path, only(chosen), **fault)
    try:
        got = small.run("icarus", "prefetch", program="bus", verilog=source, limit_cyc=60_000)
    except SimulationError:
        return
    assert got.golden_mismatches > 0
