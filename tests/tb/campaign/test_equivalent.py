"""Mutants that are equivalent, and why; those that are not, and where they show."""

import itertools

import pytest

from bridgebnn.proofs.flow import yosys
from bridgebnn.tb.campaign.cuts import Cut, candidates
from bridgebnn.tb.campaign.equivalent import Gates, Sorter, _holds, _proven
from bridgebnn.tb.campaign.mutation import INNER

pytestmark = pytest.mark.formal

VERILOG = f"""
module {INNER}(input clk, input a, input b, input [2:0] mutant, output y, output [1:0] z);
  reg [1:0] count = 0;
  (* keep *) reg unused = 0;
  reg stuck = 0;
  assign y = (mutant == 1 ? a | a & b : a) ^ (mutant == 3 ? count == 2 && b : 1'b0) ^ (mutant == 5 && stuck);
  assign z = mutant == 2 && count == 3 ? 2'd0 : count;
  always @(posedge clk) begin
    count <= count == 2 ? 0 : count + 1;
    unused <= mutant == 4 ? ~unused : b;
    stuck <= (stuck | mutant == 6) & a;
  end
endmodule
"""


@pytest.fixture(scope="module")
def sorter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sorter")
    (folder / "design.v").write_text(VERILOG)
    yosys(["read_verilog design.v", "proc", "write_rtlil mutants.il"], folder / "made.log")
    return Sorter(folder)


@pytest.mark.parametrize(
    ("number", "verdict", "why"),
    [
        (0, "equivalent", "in every state that is reached"),
        (1, "equivalent", "in every state that is reached"),
        (2, "equivalent", "in every state that is reached, by the top"),
        (3, "different", "y in cycle 2"),
        (4, "equivalent", "reaches no output"),
        (5, "equivalent", "in every state that is reached"),
        (6, "equivalent", "reaches no output"),
    ],
)
def test_each_is_sorted_for_its_reason(sorter, number, verdict, why):
    found = sorter.sort(number, limit_s=30.0)
    assert (found.verdict, found.why) == (verdict, why)


def test_latches_that_stay_0_are_found(sorter):
    """``stuck`` is 0 for ever, but in the mutant that sets it; counters and what inputs reach are not."""
    latches = {latch for latch, _ in sorter._circuit.latches}
    assert len(sorter._settled(0)) == len(sorter._settled(5)) == 1
    assert sorter._settled(6) == frozenset()
    assert sorter._settled(0) < latches


def test_a_gate_is_built_once_and_constants_not_at_all():
    gates = Gates(inputs=[2, 4], latches=[])
    assert gates.conjunction(2, 4) == gates.conjunction(4, 2) == 6
    assert [gates.conjunction(2, 3), gates.conjunction(2, 1), gates.conjunction(0, 4)] == [0, 2, 0]
    assert gates.unequal(2, 2) == gates.any([]) == 0
    assert gates.any([2, 1]) == 1
    assert len(gates.ands) == 1


def shows(sorter, number, cut):
    """Whether a cut shows a mutant equivalent."""
    circuit = sorter.part(number, cut)
    if not circuit.ands:
        return circuit.outputs[0] == 0
    circuit.write(file := sorter._folder / "part.aig")
    return _holds(file, "scorr; iprove", 10.0) or _proven(file, 10.0)


def test_no_choice_of_a_cut_proves_too_much(sorter):
    """Mutant 3 differs at an output; 4 and 6 in a register, for every cut in which that is not the mutant's own."""
    registers = sorter._registers
    names = {registers._register[latch] for latch in registers.owner}
    assert names == {"count", "unused", "stuck"}
    bits = {name: {latch for latch, own in registers._register.items() if own == name} for name in names}
    twins = [set(), {"count"}, {"unused"}, {"stuck"}, names]
    shown = {number: set() for number in (2, 3, 4, 6)}
    for number, found in shown.items():
        for place, kept in itertools.product(range(len(twins)), (set(), {"count"})):
            chosen = (
                frozenset(latch for name in some for latch in bits[name]) for some in (twins[place], kept)
            )
            if shows(sorter, number, Cut("some", *chosen)):
                found.add((place, *kept))
    assert shown[2] == {(place, "count") for place in range(5)}
    assert shown[3] == set()
    assert shown[4] == {(place, *kept) for place in (2, 4) for kept in ((), ("count",))}
    assert shown[6] == {(place, *kept) for place in (3, 4) for kept in ((), ("count",))}


def test_a_gate_past_which_a_way_leads_decides_nothing(sorter, monkeypatch):
    monkeypatch.setattr(Sorter, "_neck", lambda *_: sorter._circuit.ands[0][0])
    assert not shows(sorter, 3, Cut("none", frozenset(), frozenset()))


DEEP = f"""
module inner(input clk, input rst, output [1:0] n);
  reg [1:0] state = 0;
  always @(posedge clk) state <= rst || state == 2 ? 0 : state + 1;
  assign n = state;
endmodule
module middle(input clk, input rst, output [1:0] n);
  reg held = 0;
  inner inner(.clk(clk), .rst(rst), .n(n));
  always @(posedge clk) held <= rst;
endmodule
module {INNER}(input clk, input rst, input read, input [31:0] in, input [2:0] mutant,
               output reg wb_ack, output reg [31:0] wb_dat_r, output [1:0] n, output bad);
  initial {{wb_ack, wb_dat_r}} = 0;
  middle middle(.clk(clk), .rst(rst), .n(n));
  reg [7:0] wide = 0, sum = 0;
  assign bad = mutant == 3 ? n == 3 && sum[7] : mutant == 4 ? n == 2 && sum == 200 : 1'b0;
  always @(posedge clk) begin
    wb_ack <= read & ~wb_ack;
    wb_dat_r <= read & ~wb_ack ? in : mutant == 1 ? 0 : mutant == 2 && wb_ack ? 5 : wb_dat_r;
    if (mutant == 5 && read) wb_dat_r <= in ^ 1;
    wide <= in[7:0];
    sum <= bad ? 0 : sum + wide;
  end
endmodule
"""


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    (folder / "design.v").write_text(DEEP)
    passes = [f"hierarchy -top {INNER}", "proc", "flatten", "opt_clean -purge", "write_rtlil mutants.il"]
    yosys(["read_verilog design.v", *passes], folder / "made.log")
    return Sorter(folder)


def test_read_data_count_with_the_acknowledge_alone(deep):
    found = [deep.sort(number, limit_s=20.0).verdict for number in (1, 2, 5)]
    assert found == ["equivalent", "equivalent", "different"]


def test_registers_are_known_by_their_instances(deep):
    owners = deep._registers.owner
    assert set(owners.values()) == {"", "middle.inner"}
    assert len([owner for owner in owners.values() if owner == "middle.inner"]) == 2
    assert deep._registers.tree("middle") == {"middle.inner"}
    assert deep._registers.tree("mid") == set()


def test_one_instance_shows_what_the_rest_has_no_part_in(deep):
    """``n`` is never 3: to know that takes no sum; the sum does not matter, though the mutant clears it."""
    found = deep.sort(3, path="middle.inner", limit_s=20.0)
    assert (found.verdict, found.why) == ("equivalent", "in every state that is reached, by middle.inner")
    assert deep.sort(4, path="middle.inner", limit_s=20.0).verdict == "different"
    cuts = list(candidates(deep._registers, "middle.inner", *deep._touched(3, frozenset())))
    assert len(cuts) > 3
    assert not any(shows(deep, 4, cut) for cut in cuts)
