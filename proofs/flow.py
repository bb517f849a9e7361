"""From Verilog to a verdict: Yosys makes an AIGER file of one property, ABC proves or refutes it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bridgebnn.processes import captured
from bridgebnn.yosys import abc, command, to_aiger

from .observer import Sources

__all__ = ["Verdict", "prepare", "run_abc", "yosys"]

ABC = abc()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out of one run of the solver.

    ``status`` is ``proven``, ``violated`` or ``undecided``; ``depth`` the number of clauses of the invariant,
    the last frame of the counterexample, or the number of frames without one; ``witness`` the inputs of a
    counterexample.
    """

    status: str
    seconds: float
    depth: int = 0
    latches: int = 0
    ands: int = 0
    witness: Path | None = None


def yosys(commands: list[str], log: Path) -> None:
    """Run Yosys on ``commands`` in a process of its own; ``RuntimeError`` with the end of the log."""
    status, text = captured(command(commands), cwd=log.parent)
    log.write_text(text)
    if status:
        raise RuntimeError(f"Yosys failed, {log}:\n{log.read_text()[-2000:]}")


def prepare(folder: Path, sources: Sources) -> Path:
    """Flatten the design with its observer, turn memories into flip-flops, and write one AIGER file.

    Flip-flops and memories of the design lose their initial values: power-up is arbitrary. Those of the
    observer keep theirs, but for ``past_*``. What Verilog leaves undefined
    is arbitrary in every cycle.
    """
    base = folder / "top"
    log = folder / "prepare.log"
    yosys(
        [
            *(f'read_verilog "{file.absolute()}"' for file in sources.files),
            "hierarchy -check -top top",
            "proc",
            "flatten",
            "opt_clean",
            "check",
            "memory -nomap",
            "memory_map",
            "setattr -unset init w:dut.*",
            "setattr -unset init w:mon.past_*",
            "cd top",
            *(
                command
                for number, (word, wire) in enumerate(sources.memories.items())
                for command in (f"rename {word} word_{number}", f"connect -set {wire} word_{number}")
            ),
            "cd ..",
            "opt_clean",
            "opt -fast -full",
            "setundef -anyseq",
            *to_aiger(base.name, "-anyseq"),
        ],
        log,
    )
    # A tap that nothing drives would be a free input: no proof holds then, but for a silly reason.
    if undriven := re.findall(r"Wire top\.\\(dut\.\S+) .*has no driver", log.read_text()):
        raise RuntimeError(f"not driven: {', '.join(sorted(set(undriven)))}")
    return base.with_suffix(".aig")


def run_abc(aiger: Path, commands: str, limit_s: float) -> Verdict:
    """Run ABC ``commands`` on ``aiger``; the witness of a counterexample goes beside it."""
    witness = aiger.with_suffix(".cex")
    witness.unlink(missing_ok=True)
    # by bare names, in their folder: ABC takes no path with a space
    script = f"read_aiger {aiger.name}; scleanup; print_stats; {commands}; write_cex -a {witness.name}"
    begin = time.monotonic()
    _, text = captured([ABC, "-c", script], cwd=aiger.parent, limit_s=limit_s)
    seconds = time.monotonic() - begin
    aiger.with_suffix(".log").write_text(text)
    size = re.search(r"lat\s*=\s*(\d+)\s+and\s*=\s*(\d+)", text)
    undecided = Verdict(
        status="undecided",
        seconds=seconds,
        latches=int(size[1]) if size else 0,
        ands=int(size[2]) if size else 0,
    )
    if found := re.search(r"was asserted in frame (\d+)", text):
        return replace(undecided, status="violated", depth=int(found[1]), witness=witness)
    if "Property proved" in text:
        clauses = re.findall(r"Verification of invariant with (\d+) clauses was successful", text)
        return replace(undecided, status="proven", depth=int(clauses[-1]) if clauses else 0)
    if found := re.search(r"No output asserted in (\d+) frames", text):
        return replace(undecided, depth=int(found[1]))
    return undecided
