"""Mutants that no test can notice: the controller does the same on every port, in every cycle, whatever comes in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bridgebnn.proofs.aiger import Aiger, read_witness, replay
from bridgebnn.proofs.flow import run_abc, to_aiger, yosys

from .cuts import Cut, Registers, candidates, cone, support
from .mutation import INNER, SELECT

__all__ = ["Gates", "Sorted", "Sorter"]

FRAMES = 40
CUT_S = (4.0, 30.0)
"""Longest proofs of a part of the controller: each part once, then each again. Most take less than a second."""
CUTS = 4
"""All parts together may take so many times the solver's limit."""
ONLY_WITH = {"wb_dat_r": "wb_ack"}
"""Outputs that say something only while another one is 1 (docs/architecture.md, section 2)."""


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """What the solver says of a mutant.

    Parameters
    ----------
    verdict : str
        ``equivalent``: proven, without bound; ``different``: with a counterexample; ``undecided``.
    why : str
        How it was proven; the outputs that differ first, and the cycle, from the reset state on; or for how many
        cycles no difference was found.
    """

    verdict: str
    why: str


@dataclass
class Gates:
    """A circuit of AND gates that is built gate by gate; the same gate is not built twice."""

    inputs: list[int]
    latches: list[int]
    ands: list[tuple[int, int, int]] = field(default_factory=list)
    _known: dict[tuple[int, int], int] = field(default_factory=dict)

    def conjunction(self, a: int, b: int) -> int:
        """Literal of ``a & b``."""
        first, second = max(a, b), min(a, b)
        if second == 0 or first ^ 1 == second:
            return 0
        if second == 1 or first == second:
            return first
        if (first, second) not in self._known:
            left = 2 * (len(self.inputs) + len(self.latches) + len(self.ands) + 1)
            self.ands.append((left, first, second))
            self._known[first, second] = left
        return self._known[first, second]

    def unequal(self, a: int, b: int) -> int:
        """Literal of ``a != b``."""
        both, none = self.conjunction(a, b), self.conjunction(a ^ 1, b ^ 1)
        return self.conjunction(both ^ 1, none ^ 1)

    def any(self, literals: list[int]) -> int:
        """Literal of their OR."""
        found = 1
        for literal in literals:
            found = self.conjunction(found, literal ^ 1)
        return found ^ 1

    def copy(
        self, circuit: Aiger, of: dict[int, int], held: dict[int, int] | None = None
    ) -> Callable[[int], int]:
        """The gates of another circuit, whose inputs and latches stand at the literals ``of``; a map of literals.

        ``held``: literals that stand in place of gates.
        """
        of, held = {0: 0} | of, held or {}

        def moved(literal: int) -> int:
            return of[literal & ~1] ^ literal & 1

        for left, first, second in circuit.ands:
            of[left] = held[left] if left in held else self.conjunction(moved(first), moved(second))
        return moved


class Sorter:
    """The mutants of one build, each beside the controller as it is.

    Both start in the state that a reset leaves, with memories at 0: the initial values of the Verilog. Inputs are
    free in every cycle, the reset among them.

    Parameters
    ----------
    folder : Path
        Where `bridgebnn.tb.campaign.mutation.mutated` has left ``mutants.il``.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        yosys(
            [
                "read_rtlil mutants.il",
                f"hierarchy -top {INNER}",
                "memory -nomap",
                "memory_map",
                "setundef -undriven -zero -init",
                "setundef -zero",
                "opt -fast",
                *to_aiger("gates", "-zero -init"),
            ],
            folder / "gates.log",
        )
        self._circuit = Aiger.read(folder / "gates.aig")
        vmap = (folder / "gates.vmap").read_text()
        select = re.findall(rf"^input (\d+) (\d+) {SELECT}$", vmap, re.MULTILINE)
        self._select = {self._circuit.inputs[int(place)]: int(bit) for place, bit in select}
        if not self._select:
            raise RuntimeError(f"{folder / 'gates.vmap'}: no mutant hangs on the select input")
        ports = re.findall(r"^output (\d+) \d+ (\w+)$", vmap, re.MULTILINE)
        self._plain = self._settled(0)
        self._ports: dict[str, list[int]] = {}
        self._mask(dict((name, int(place)) for place, name in reversed(ports)), ports)
        for place, name in ports:
            self._ports.setdefault(name, []).append(self._circuit.outputs[int(place)])
        self._registers = Registers(self._circuit, vmap, (folder / "mutants.il").read_text())

    def _mask(self, first: dict[str, int], ports: list[tuple[str, str]]) -> None:
        """Outputs of `ONLY_WITH` are 0 where they say nothing."""
        circuit = self._circuit
        for place, name in ((int(place), name) for place, name in ports if name in ONLY_WITH):
            if (enable := first.get(ONLY_WITH[name])) is not None:
                left = 2 * (len(circuit.inputs) + len(circuit.latches) + len(circuit.ands) + 1)
                both = circuit.outputs[place], circuit.outputs[enable]
                circuit.ands.append((left, max(both), min(both)))
                circuit.outputs[place] = left

    def sort(self, number: int, *, path: str = "", limit_s: float = 120.0) -> Sorted:
        """Prove a mutant equivalent, or find what differs.

        Parameters
        ----------
        path : str
            Instance in which it stands, from the top down; where parts of the controller are tried first.
        limit_s : float
            Seconds for each proof.
        """
        settled = self._plain & self._settled(number)
        reached = Sorted(verdict="equivalent", why="in every state that is reached")
        if self._same_step(number, limit_s, settled):
            return reached if settled else Sorted(verdict="equivalent", why="in every state")
        gates, latches, differ = self._product(number, settled)
        if not differ:
            return Sorted(verdict="equivalent", why="reaches no output")
        file = self._folder / f"mutant-{number}.aig"
        whole = gates.any(list(differ.values()))
        if whole == 0:
            return Sorted(verdict="equivalent", why="reaches no output")
        if cut := self._cut(number, path, limit_s, settled):
            return Sorted(verdict="equivalent", why=f"{reached.why}, by {cut.name}")
        names = list(differ)
        circuit = Aiger(
            inputs=gates.inputs, latches=latches, outputs=[whole], ands=gates.ands, names=["differ"]
        )
        circuit.write(file)
        if _holds(file, "scorr; iprove", limit_s):
            return reached
        found = run_abc(file, f"bmc3 -F {FRAMES} -T {max(1, round(limit_s))}", limit_s + 10)
        if found.status != "violated":
            if _proven(file, limit_s):
                return reached
            return Sorted(verdict="undecided", why=f"no difference in {found.depth} cycles")
        shown = Aiger(
            inputs=gates.inputs, latches=latches, outputs=list(differ.values()), ands=gates.ands, names=names
        )
        (nothing := self._folder / "nothing.vmap").touch()
        trace = replay(shown, nothing, read_witness(file.with_suffix(".cex")))
        seen = [name for name in names if trace.signals[name][-1]]
        return Sorted(verdict="different", why=f"{', '.join(seen)} in cycle {found.depth}")

    def _selected(self, number: int) -> dict[int, int]:
        return {literal: number >> bit & 1 for literal, bit in self._select.items()}

    def _settled(self, number: int) -> frozenset[int]:
        """Latches of a mutant that stay 0 from reset on, whatever comes in.

        Found with three values: inputs are unknown, and so is a latch from the first cycle on in which it may not be 0.
        What is known then is known in every state that is reached.
        """
        circuit, selected = self._circuit, self._selected(number)
        unknown: set[int] = set()
        while True:
            # of each literal, whether it may be 1; of its opposite, whether it may be 0
            may = bytearray(2 * (len(circuit.inputs) + len(circuit.latches) + len(circuit.ands) + 1))
            may[1] = 1
            for literal in circuit.inputs:
                value = selected.get(literal)
                may[literal], may[literal ^ 1] = value != 0, value != 1
            for latch, _ in circuit.latches:
                may[latch], may[latch ^ 1] = latch in unknown, 1
            for left, first, second in circuit.ands:
                may[left] = may[first] & may[second]
                may[left ^ 1] = may[first ^ 1] | may[second ^ 1]
            found = {latch for latch, after in circuit.latches if may[after]}
            if found <= unknown:
                return frozenset(latch for latch, _ in circuit.latches if latch not in unknown)
            unknown |= found

    def _same_step(self, number: int, limit_s: float, settled: frozenset[int]) -> bool:
        """From every state in which the settled latches are 0: the same outputs, and the same next state."""
        circuit, count = self._circuit, len(self._circuit.inputs)
        states = {latch: 2 * (count + i + 1) for i, (latch, _) in enumerate(circuit.latches)}
        gates = Gates([*circuit.inputs, *states.values()], [])
        shared = {literal: literal for literal in circuit.inputs} | states | dict.fromkeys(settled, 0)
        plain = gates.copy(circuit, shared | self._selected(0))
        mutant = gates.copy(circuit, shared | self._selected(number))
        ends = [*circuit.outputs, *(after for latch, after in circuit.latches if latch not in settled)]
        pairs = {(plain(end), mutant(end)) for end in ends}
        differ = gates.any([gates.unequal(a, b) for a, b in sorted(pairs) if a != b])
        if differ <= 1:
            return differ == 0
        file = self._folder / f"step-{number}.aig"
        Aiger(inputs=gates.inputs, latches=[], outputs=[differ], ands=gates.ands, names=["differ"]).write(
            file
        )
        return _holds(file, "iprove", limit_s)

    def _cut(self, number: int, path: str, limit_s: float, settled: frozenset[int]) -> Cut | None:
        """The part of the controller that shows it equivalent."""
        end = time.monotonic() + CUTS * limit_s
        cuts = list(candidates(self._registers, path, *self._touched(number, settled)))
        for most_s in sorted({min(limit_s, most_s) for most_s in CUT_S}):
            for place, cut in enumerate(cuts):
                if time.monotonic() > end:
                    return None
                circuit = self.part(number, cut, settled)
                if circuit.outputs[0] == 0:
                    return cut
                if not circuit.ands:  # one bit that is free, or always differs
                    continue
                circuit.write(file := self._folder / f"cut-{number}-{place}.aig")
                if _holds(file, "scorr; iprove", most_s) or _proven(file, most_s):
                    return cut
        return None

    def _touched(self, number: int, settled: frozenset[int]) -> tuple[set[int], set[int]]:
        """Latches whose next value a mutant touches, and latches that decide what it touches."""
        circuit = self._circuit
        gates = Gates([*circuit.inputs, *(latch for latch, _ in circuit.latches)], [])
        shared = {literal: literal for literal in gates.inputs} | dict.fromkeys(settled, 0)
        plain = gates.copy(circuit, shared | self._selected(0))
        mutant = gates.copy(circuit, shared | self._selected(number))
        ends = [(latch, after) for latch, after in circuit.latches if latch not in settled]
        reached = {latch for latch, after in ends if plain(after) != mutant(after)}
        every = [*circuit.outputs, *(after for _, after in ends)]
        differ = self._differ(number, gates, shared, plain, mutant, every)
        return reached, support(differ, gates.ands) & {latch for latch, _ in circuit.latches}

    def _differ(
        self,
        number: int,
        gates: Gates,
        shared: dict[int, int],
        plain: Callable[[int], int],
        mutant: Callable[[int], int],
        ends: list[int],
    ) -> int:
        """Literal that is 1 where one of the ends differs; or, where all hang on one gate, where that one does."""
        pairs = {(plain(end), mutant(end)) for end in ends if plain(end) != mutant(end)}
        if pairs and (neck := self._neck(plain, mutant, ends)):
            held = gates.copy(self._circuit, shared | self._selected(number), held={neck: plain(neck)})
            if all(plain(end) == held(end) for end in ends):
                pairs = {(plain(neck), mutant(neck))}
        return gates.any([gates.unequal(a, b) for a, b in sorted(pairs)])

    def _neck(self, plain: Callable[[int], int], mutant: Callable[[int], int], ends: list[int]) -> int:
        """The last gate that no way from the mutant to an end seems to pass by; 0 where there is none."""
        place: dict[int, int] = {}
        last = dict[int, int]()
        for left, first, second in self._circuit.ands:
            if plain(left) != mutant(left) and max(plain(left), mutant(left)) > 1:
                place[left] = len(place)
                for before in (first & ~1, second & ~1):
                    if before in place:
                        last[before] = place[left]
        last |= dict.fromkeys((end & ~1 for end in ends if end & ~1 in place), len(place))
        neck = far = 0
        for gate, here in place.items():
            neck = gate if far <= here else neck
            far = max(far, last.get(gate, 0))
        return neck

    def part(self, number: int, cut: Cut, settled: frozenset[int] = frozenset()) -> Aiger:
        """A cut of the controller and of its mutant; its output is 1 where they differ.

        ``settled`` are latches that are 0 in both. The output is literal 0 where nothing can differ.
        """
        circuit, twinned, count = self._circuit, set[int](), len(self._circuit.inputs)
        own = {latch: 2 * (count + i + 1) for i, (latch, _) in enumerate(circuit.latches)}
        shared = {literal: literal for literal in circuit.inputs} | own | dict.fromkeys(settled, 0)
        moving = [(latch, after) for latch, after in circuit.latches if latch not in settled]
        while True:
            twins = {latch: 2 * (count + len(own) + i + 1) for i, latch in enumerate(sorted(twinned))}
            gates = Gates(list(circuit.inputs), [*own.values(), *twins.values()])
            plain = gates.copy(circuit, shared | self._selected(0))
            mutant = gates.copy(circuit, shared | twins | self._selected(number))
            reached = {latch for latch, after in moving if plain(after) != mutant(after)}
            if not (more := reached & cut.twins - twinned):
                break
            twinned |= more
        ends = [*circuit.outputs, *(after for latch, after in moving if latch not in twinned)]
        differ = self._differ(number, gates, shared | twins, plain, mutant, ends)
        following = [(own[latch], plain(after)) for latch, after in moving if latch in cut.kept | twinned]
        following += [(twins[latch], mutant(after)) for latch, after in moving if latch in twinned]
        free = [own[latch] for latch, _ in moving if latch not in cut.kept | twinned]
        return cone([*circuit.inputs, *free], following, differ, gates.ands)

    def _product(
        self, number: int, settled: frozenset[int]
    ) -> tuple[Gates, list[tuple[int, int]], dict[str, int]]:
        """Both side by side, the latches that the mutant cannot reach being shared; what differs, by port."""
        circuit, touched = self._circuit, set[int]()
        while True:
            count, extra = len(circuit.inputs), sorted(touched)
            own = {latch: 2 * (count + i + 1) for i, (latch, _) in enumerate(circuit.latches)}
            twins = {latch: 2 * (count + len(own) + i + 1) for i, latch in enumerate(extra)}
            gates = Gates(list(circuit.inputs), [*own.values(), *twins.values()])
            shared = {literal: literal for literal in circuit.inputs} | own | dict.fromkeys(settled, 0)
            plain = gates.copy(circuit, shared | self._selected(0))
            mutant = gates.copy(circuit, shared | twins | self._selected(number))
            moving = [(latch, after) for latch, after in circuit.latches if latch not in settled]
            reached = {latch for latch, after in moving if plain(after) != mutant(after)}
            if reached <= touched:
                break
            touched |= reached
        after = dict(circuit.latches)
        latches = [(own[latch], 0 if latch in settled else plain(end)) for latch, end in circuit.latches]
        latches += [(twins[latch], mutant(after[latch])) for latch in extra]
        differ = {}
        for name, outputs in self._ports.items():
            found = gates.any([gates.unequal(plain(o), mutant(o)) for o in outputs if plain(o) != mutant(o)])
            if found:
                differ[name] = found
        return gates, latches, differ


def _holds(file: Path, commands: str, limit_s: float) -> bool:
    """Whether ABC shows that the output is never 1."""
    run_abc(file, commands, limit_s)
    text = file.with_suffix(".log").read_text()
    return "UNSATISFIABLE" in text or "Networks are equivalent" in text


def _proven(file: Path, limit_s: float) -> bool:
    """Whether ABC finds an invariant from which it follows."""
    return run_abc(file, f"scorr; pdr -T {max(1, round(limit_s))}", limit_s + 10).status == "proven"
