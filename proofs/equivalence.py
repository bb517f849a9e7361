"""Two Verilog controllers that do the same on every port, in every cycle, whatever comes in."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.yosys import to_aiger

from .aiger import Aiger, read_witness, replay
from .flow import Verdict, run_abc, yosys

__all__ = ["Side", "compare", "difference"]

Ports = dict[str, tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two.

    Parameters
    ----------
    file : Path
    top : str
        Name of the top module.
    renamed : mapping of str to str
        Ports that have another name on the other side: this side's, and the other's.
    """

    file: Path
    top: str
    renamed: Mapping[str, str]

    def ports(self) -> Ports:
        """Direction and width of each port, by the name that both sides share."""
        text = self.file.read_text()
        module = re.search(rf"^module {self.top}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
        if module is None:
            raise ValueError(f"{self.file} has no module {self.top}")
        found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?\\?(\w+) *;", module[0], re.MULTILINE)
        return {self.renamed.get(name, name): (way, int(high or 0) + 1) for way, high, name in found}


def compare(
    folder: Path, first: Side, second: Side, *, tied: Mapping[str, int] | None = None, limit_s: float = 600
) -> Verdict:
    """Prove that all outputs of both are equal in every cycle, without bound.

    Both start with every register and every memory word at 0. Inputs are free, the reset among them, so that
    the state after a reset is part of the proof. ABC looks for registers and gates that correspond (`scorr`)
    and proves what is left of the outputs' differences.

    Parameters
    ----------
    folder : Path
        For what is made on the way.
    first, second : Side
    tied : mapping of str to int
        Inputs that are constant in the proof.
    limit_s : float
        Seconds for the solver.

    Returns
    -------
    Verdict
        ``proven``, ``violated`` or ``undecided``.

    Raises
    ------
    ValueError
        The ports differ.
    """
    ports, others = first.ports(), second.ports()
    if ports != others:
        differ = sorted(name for name in ports.keys() | others.keys() if ports.get(name) != others.get(name))
        raise ValueError(f"{first.file}, {second.file}: ports {', '.join(differ)} differ")
    folder.mkdir(parents=True, exist_ok=True)
    top = folder / "miter.v"
    top.write_text(_miter(ports, first, second, tied or {}))
    parts = [_prepared(folder, name, side) for name, side in (("first", first), ("second", second))]
    base = folder / "miter"
    yosys(
        [
            *(f"read_rtlil {part.name}" for part in parts),
            f"read_verilog {top.name}",
            "hierarchy -check -top miter",
            "proc",
            "flatten",
            "opt_clean",
            "check -assert",
            "memory -nomap",
            "memory_map",
            "setattr -unset init w:*",
            "setundef -undriven -zero -init",
            "setundef -zero",
            "opt -fast -full",
            *to_aiger(base.name, "-zero -init"),
        ],
        folder / "miter.log",
    )
    aiger = base.with_suffix(".aig")
    verdict = run_abc(aiger, "scorr; iprove", limit_s)
    if "UNSATISFIABLE" in aiger.with_suffix(".log").read_text():
        return dataclasses.replace(verdict, status="proven")
    return run_abc(aiger, "bmc3 -F 30", limit_s)


def difference(folder: Path) -> tuple[tuple[str, ...], Path]:
    """Outputs that differ at the end of the counterexample that `compare` has left in ``folder``, and its VCD."""
    circuit = Aiger.read(folder / "miter.aig")
    trace = replay(circuit, folder / "miter.vmap", read_witness(folder / "miter.cex"))
    waveform = folder / "difference.vcd"
    trace.write_vcd(waveform)
    last = {name: values[-1] for name, values in trace.signals.items()}
    pairs = ((name.removeprefix("first_"), name, name.replace("first_", "second_", 1)) for name in last)
    return tuple(shared for shared, a, b in pairs if a != b and b in last and last[a] != last[b]), waveform


def _prepared(folder: Path, name: str, side: Side) -> Path:
    """RTLIL of one side as one module ``name``."""
    target = folder / f"{name}.il"
    commands = [
        f'read_verilog "{side.file.absolute()}"',
        f"hierarchy -check -top {side.top}",
        "proc",
        "flatten",
    ]
    commands += ["opt_clean", f"rename {side.top} {name}", f"write_rtlil {target.name}"]
    yosys(commands, folder / f"{name}.log")
    return target


def _miter(ports: Ports, first: Side, second: Side, tied: Mapping[str, int]) -> str:
    """Both sides on the same inputs; ``differ`` is high where any output is not the same."""
    inputs = {name: width for name, (way, width) in ports.items() if way == "input"}
    outputs = {name: width for name, (way, width) in ports.items() if way == "output"}
    free = [name for name in inputs if name not in tied]
    lines = [f"module miter({', '.join(f'{name}' for name in free)}, differ);", "  output differ;"]
    lines += [f"  input [{inputs[name] - 1}:0] {name};" for name in free]
    lines += [f"  wire [{inputs[name] - 1}:0] {name} = {value};" for name, value in tied.items()]
    for instance, side in (("first", first), ("second", second)):
        back = {shared: own for own, shared in side.renamed.items()}
        lines += [f"  wire [{width - 1}:0] {instance}_{name};" for name, width in outputs.items()]
        links = [f".\\{back.get(name, name)} ({name})" for name in inputs]
        links += [f".\\{back.get(name, name)} ({instance}_{name})" for name in outputs]
        lines.append(f"  {instance} {instance} ({', '.join(links)});")
    unequal = " | ".join(f"first_{name} != second_{name}" for name in outputs)
    return "\n".join([*lines, f"  assign differ = {unequal};", "endmodule", ""])
