"""A netlist of cells does what its Verilog does: proven by ABC for one block, in every cycle after a reset."""

from __future__ import annotations

import re
from pathlib import Path

from bridgebnn.synthesis import OSU018
from bridgebnn.yosys import abc, to_aiger

from .kit import Kit, Missing, Refused, call, ports, yosys

__all__ = ["prove"]

LIMIT_S = 60
"""Patience for a proof, which takes 2 s where the two are equal. What differs deep in a counter stays undecided."""

NO_CELLS = "FILL"
"""Cells without pins, which the library does not describe."""


def prove(kit: Kit, source: str, top: str, netlist: Path) -> None:
    """Outputs of ``top`` and of its netlist are equal, without bound, whatever the inputs; `Refused` where not.

    Both begin with every register at 0 and a reset of one cycle. It brings registers that are coded otherwise, as
    those of a state machine, to the same state, which is why the proof does not begin before it.

    Parameters
    ----------
    kit : Kit
    source : str
        Verilog file with all of ``top``, in the kit.
    top : str
    netlist : Path
        Cells of OSU 0.18, Verilog, with the same ports. What is made on the way is written beside it: its path may
        hold no space.
    """
    try:
        solver = abc()
    except ImportError as error:
        raise Missing(str(error)) from None
    folder = netlist.parent
    inputs = {
        name: width
        for name, (way, width) in ports((kit.folder / source).read_text()).items()
        if way == "input"
    }
    (folder / "after_reset.v").write_text(_after_reset(inputs))
    flat = ["proc", "flatten", "opt_clean"]
    yosys(
        kit,
        f"read_verilog {source}",
        f"hierarchy -check -top {top}",
        *flat,
        f"rename {top} rtl",
        "design -stash rtl",
        f"read_liberty -ignore_miss_func {OSU018}",
        f'read_verilog "{netlist}"',
        f"delete t:{NO_CELLS}",
        f"hierarchy -check -top {top}",
        *flat,
        f"rename {top} cells",
        "design -stash cells",
        "design -copy-from rtl rtl",
        "design -copy-from cells cells",
        "miter -equiv -flatten rtl cells both",
        "setattr -unset init w:*",
        f'read_verilog "{folder / "after_reset.v"}"',
        "hierarchy -check -top after_reset",
        *flat,
        "setundef -undriven -zero -init",
        "opt -fast -full",
        *to_aiger(str(folder / "same_logic"), "-zero -init"),
    )
    # where registers correspond one to one, `scorr` leaves nothing, of which `pdr` says nothing but `iprove` does
    for engine, proven in ((f"pdr -T {LIMIT_S}", "Property proved"), ("iprove", "UNSATISFIABLE")):
        script = f"read_aiger same_logic.aig; strash; scorr; {engine}"
        printed = call([str(solver), "-c", script], folder, name="ABC")
        if found := re.search(r"was asserted in frame (\d+)", printed):
            raise Refused(f"{top}: netlist and Verilog differ in cycle {found[1]}")
        if proven in printed:
            return
    raise Refused(f"{top}: ABC does not decide whether netlist and Verilog are equal")


def _after_reset(inputs: dict[str, int]) -> str:
    """Both on the same inputs, reset in the first cycle; ``differ`` is high in a later one in which they differ."""
    links = [f".in_{name}({'rst | first' if name == 'rst' else name})" for name in inputs]
    return "\n".join(
        [
            f"module after_reset({', '.join(inputs)}, differ);",
            *(f"  input [{width - 1}:0] {name};" for name, width in inputs.items()),
            "  output differ;",
            "  reg first = 1;",
            "  wire unequal;",
            "  always @(posedge clk) first <= 0;",
            f"  both both({', '.join(links)}, .trigger(unequal));",
            "  assign differ = unequal & ~first;",
            "endmodule",
            "",
        ]
    )
