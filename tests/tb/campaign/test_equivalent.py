"""Mutants that are equivalent, and why; those that are not, and where they show."""

import pytest

from bridgebnn.proofs.flow import yosys
from bridgebnn.tb.campaign.equivalent import Gates, Sorter
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
        (2, "equivalent", "in every state that is reached"),
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
