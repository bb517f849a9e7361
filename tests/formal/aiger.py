"""AIGER files in pure Python: pick one output, replay a counterexample, write it as VCD."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from vcd import VCDWriter

__all__ = ["Aiger", "Trace", "read_witness", "replay"]


@dataclass
class Aiger:
    """A sequential circuit of AND gates and latches that start at 0.

    Literals are AIGER's: ``2*variable``, plus 1 when inverted.
    """

    inputs: list[int]
    latches: list[tuple[int, int]]
    outputs: list[int]
    ands: list[tuple[int, int, int]]
    names: list[str]  # of the outputs
    tail: bytes  # the gates as they stand in the file

    @classmethod
    def read(cls, file: Path) -> Aiger:
        """Parse the binary format."""
        data = file.read_bytes()
        end = data.index(b"\n")
        _, _, n_in, n_latch, n_out, n_and = data[:end].split()[:6]
        n_in, n_latch, n_out, n_and = int(n_in), int(n_latch), int(n_out), int(n_and)
        position = end + 1

        def line():
            nonlocal position
            stop = data.index(b"\n", position)
            text = data[position:stop]
            position = stop + 1
            return text

        inputs = [2 * (i + 1) for i in range(n_in)]
        latches = [(2 * (n_in + i + 1), int(line().split()[0])) for i in range(n_latch)]
        outputs = [int(line()) for _ in range(n_out)]
        begin = position

        def delta():
            nonlocal position
            value = shift = 0
            while True:
                byte = data[position]
                position += 1
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    return value
                shift += 7

        ands = []
        for i in range(n_and):
            left = 2 * (n_in + n_latch + i + 1)
            first = left - delta()
            ands.append((left, first, first - delta()))
        tail = data[begin:position]
        symbols = re.findall(rb"^o(\d+) (.*)$", data[position:], re.MULTILINE)
        by_index = {int(i): name.decode() for i, name in symbols}
        return cls(inputs, latches, outputs, ands, [by_index[i] for i in range(n_out)], tail)

    def write_output(self, name: str, file: Path) -> None:
        """Write the circuit with the one output ``name``."""
        head = [f"aig {self.ands[-1][0] // 2} {len(self.inputs)} {len(self.latches)} 1 {len(self.ands)}"]
        head += [str(after) for _, after in self.latches]
        head += [str(self.outputs[self.names.index(name)])]
        file.write_bytes("\n".join(head).encode() + b"\n" + self.tail)


@dataclass
class Trace:
    """Values of every named signal, cycle by cycle; ``outputs`` those of the AIGER outputs."""

    cycles: int
    signals: dict[str, list[int]]
    widths: dict[str, int]

    def write_vcd(self, file: Path) -> None:
        """One time unit a cycle."""
        with file.open("w") as out, VCDWriter(out, timescale="1 ns", init_timestamp=0) as writer:
            variables = {}
            for name in self.signals:
                *scope, leaf = re.sub(r"[^\w.\[\]]", "_", name).split(".")
                variables[name] = writer.register_var(
                    ".".join(["top", *scope]), leaf, "wire", self.widths[name]
                )
            for cycle in range(self.cycles):
                for name, variable in variables.items():
                    writer.change(variable, cycle, self.signals[name][cycle])
            writer.close(self.cycles)

    def summary(self, names: list[str], last: int = 12) -> str:
        """The ``last`` cycles of ``names`` as a table, in hexadecimal."""
        first = max(0, self.cycles - last)
        wide = max(len(name) for name in names)
        rows = [f"{'cycle':{wide}} " + " ".join(f"{c:>8}" for c in range(first, self.cycles))]
        for name in names:
            rows.append(f"{name:{wide}} " + " ".join(f"{v:>8x}" for v in self.signals[name][first:]))
        return "\n".join(rows)


def read_witness(file: Path) -> list[str]:
    """Input bits of each frame, from a witness in AIGER's format."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    lines = [line for line in lines if line and set(line) <= set("01x")]
    # status, initial state, then one line a frame
    return lines[2:]


def replay(circuit: Aiger, vmap: Path, frames: list[str]) -> Trace:
    """Simulate ``circuit`` on the inputs of ``frames``, independent of the solver that found them."""
    bits: dict[str, dict[int, int]] = defaultdict(dict)
    for line in vmap.read_text().splitlines():
        kind, literal, bit, name = line.split(" ", 3)
        if kind in ("wire", "invwire") and "$" not in name:
            bits[name][int(bit)] = int(literal) ^ (kind == "invwire")
    values = {0: 0}
    state = {latch: 0 for latch, _ in circuit.latches}
    signals: dict[str, list[int]] = {name: [] for name in (*bits, *circuit.names)}
    widths = {name: max(there) + 1 for name, there in bits.items()} | dict.fromkeys(circuit.names, 1)

    def value(literal):
        return values[literal & ~1] ^ (literal & 1)

    for frame in frames:
        values.update({literal: bit == "1" for literal, bit in zip(circuit.inputs, frame, strict=True)})
        values.update(state)
        for left, first, second in circuit.ands:
            values[left] = value(first) & value(second)
        for name, there in bits.items():
            if name not in circuit.names:
                signals[name].append(sum(int(value(literal)) << bit for bit, literal in there.items()))
        for name, literal in zip(circuit.names, circuit.outputs, strict=True):
            signals[name].append(int(value(literal)))
        state = {latch: value(after) for latch, after in circuit.latches}
    return Trace(len(frames), signals, widths)
