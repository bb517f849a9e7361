"""AIGER files in pure Python: pick one output, replay a counterexample, write it as VCD."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable
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
    place: Callable[[int], int] = lambda literal: literal  # of a literal of the file as it was read

    @classmethod
    def read(cls, file: Path) -> Aiger:
        """Parse the binary format."""
        data = file.read_bytes()
        end = data.index(b"\n")
        n_in, n_latch, n_out, n_and = (int(number) for number in data[:end].split()[2:6])
        position = end + 1

        def line() -> bytes:
            nonlocal position
            stop = data.index(b"\n", position)
            text = data[position:stop]
            position = stop + 1
            return text

        inputs = [2 * (i + 1) for i in range(n_in)]
        latches = [(2 * (n_in + i + 1), int(line().split()[0])) for i in range(n_latch)]
        outputs = [int(line()) for _ in range(n_out)]

        def delta() -> int:
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
        symbols = re.findall(rb"^o(\d+) (.*)$", data[position:], re.MULTILINE)
        by_index = {int(i): name.decode() for i, name in symbols}
        return cls(inputs, latches, outputs, ands, [by_index[i] for i in range(n_out)])

    def only(self, name: str) -> Aiger:
        """The circuit with the one output ``name``."""
        output = self.outputs[self.names.index(name)]
        return dataclasses.replace(self, outputs=[output], names=[name])

    def step(self, vmap: Path, settled: dict[str, int]) -> Aiger:
        """The induction step of the one output: frame 0 is any state, and the output counts from frame 1 on.

        ``settled`` are the latches that have a value in frame 0, by name. All others start with new inputs,
        those that follow the circuit's own.
        """
        started, latch_names = 0, dict[int, list[str]]()
        for line in vmap.read_text().splitlines():
            kind, index, *rest = line.split(" ")
            if kind in ("latch", "invlatch"):
                latch_names.setdefault(int(index), []).append(rest[1])
            elif kind == "ninitff":
                started = self.latches[int(index)][0]
        n_in = len(self.inputs)
        fixed, free = {}, []
        for number, (latch, _) in enumerate(self.latches):
            known = [settled[n] for n in latch_names.get(number, ()) if n in settled]
            if known:
                fixed[latch] = known[0]
            elif latch != started:
                free.append(latch)
        # Variables: inputs, new inputs, latches, three gates for each free latch, the old gates.
        base = 2 * (n_in + len(free) + len(self.latches) + 1)
        muxes = {latch: base + 6 * i for i, latch in enumerate(free)}
        shift = 2 * (n_in + len(self.latches))

        def moved(literal: int) -> int:
            variable, inverted = literal & ~1, literal & 1
            if variable <= 2 * n_in:
                return literal
            if variable > shift:
                return literal + 8 * len(free)
            if variable in muxes:
                return muxes[variable] + 4 ^ 1 ^ inverted
            return variable + 2 * len(free) ^ fixed.get(variable, 0) ^ inverted

        new_started = started + 2 * len(free)
        ands = []
        for i, latch in enumerate(free):
            gate, fresh = base + 6 * i, 2 * (n_in + i + 1)
            ands.append(
                (gate, max(new_started, latch + 2 * len(free)), min(new_started, latch + 2 * len(free)))
            )
            ands.append((gate + 2, new_started ^ 1, fresh))
            ands.append((gate + 4, gate + 3, gate + 1))
        for left, first, second in self.ands:
            a, b = moved(first), moved(second)
            ands.append((moved(left), max(a, b), min(a, b)))
        last = ands[-1][0] + 2
        a, b = moved(self.outputs[0]), new_started
        ands.append((last, max(a, b), min(a, b)))
        return Aiger(
            inputs=[2 * (i + 1) for i in range(n_in + len(free))],
            latches=[
                (latch + 2 * len(free), moved(after) ^ fixed.get(latch, 0)) for latch, after in self.latches
            ],
            outputs=[last],
            ands=ands,
            names=self.names,
            place=moved,
        )

    def write(self, file: Path) -> None:
        """Write the binary format."""
        head = [
            f"aig {self.ands[-1][0] // 2} {len(self.inputs)} {len(self.latches)} {len(self.outputs)} "
            f"{len(self.ands)}"
        ]
        head += [str(after) for _, after in self.latches]
        head += [str(output) for output in self.outputs]
        gates = bytearray()
        for left, first, second in self.ands:
            for delta in (left - first, first - second):
                while delta > 0x7F:
                    gates.append(delta & 0x7F | 0x80)
                    delta >>= 7
                gates.append(delta)
        file.write_bytes("\n".join(head).encode() + b"\n" + bytes(gates))


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
    return lines[1:]  # the first one is the initial state


def replay(circuit: Aiger, vmap: Path, frames: list[str]) -> Trace:
    """Simulate ``circuit`` on the inputs of ``frames``, independent of the solver that found them."""
    bits: dict[str, dict[int, int]] = defaultdict(dict)
    for line in vmap.read_text().splitlines():
        if not line.startswith(("wire ", "invwire ")) or "$" in line:
            continue
        kind, literal, bit, name = line.split(" ", 3)
        if name not in circuit.names:
            bits[name][int(bit)] = circuit.place(int(literal)) ^ (kind == "invwire")
    values = {0: 0}
    state = {latch: 0 for latch, _ in circuit.latches}
    signals: dict[str, list[int]] = {name: [] for name in (*bits, *circuit.names)}
    widths = {name: max(there) + 1 for name, there in bits.items()} | dict.fromkeys(circuit.names, 1)

    def value(literal: int) -> int:
        return values[literal & ~1] ^ (literal & 1)

    for frame in frames:
        values.update({literal: bit == "1" for literal, bit in zip(circuit.inputs, frame, strict=True)})
        values.update(state)
        for left, first, second in circuit.ands:
            values[left] = value(first) & value(second)
        for name, there in bits.items():
            signals[name].append(sum(int(value(literal)) << bit for bit, literal in there.items()))
        for name, output in zip(circuit.names, circuit.outputs, strict=True):
            signals[name].append(int(value(output)))
        state = {latch: value(after) for latch, after in circuit.latches}
    return Trace(len(frames), signals, widths)
