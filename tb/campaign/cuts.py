"""Parts of the controller that show a mutant equivalent, seen without the rest.

In a cut, the mutant has latches of its own (its *twins*); all others it shares with the controller as it is. Of the
shared ones some follow their logic, from reset on; the rest are free, in every cycle. What must not differ are the
outputs and the next values of all latches but the twins. Where they never do, the mutant is equivalent: by induction
over the cycles the shared latches are equal in both, since their next values are; free ones do whatever the real ones
do, and more. So a cut may be chosen at will: a bad one proves nothing, but nothing that is false.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridgebnn.proofs.aiger import Aiger

__all__ = ["BUS", "Cut", "Registers", "candidates", "cone", "support"]

BUS = ("wishbone", "bank")
"""What stands between every register and the bus."""


MOST = 1200
"""Latches that follow their logic; of more, the whole controller may as well be tried."""


FEW = 3
"""Bits of a register that holds a state."""


class Registers:
    """Where the latches of a circuit belong.

    Parameters
    ----------
    circuit : Aiger
    vmap : str
        Names of its latches, as Yosys writes them.
    design : str
        The flat design in RTLIL: cells are named after the instance in which they stand.
    """

    def __init__(self, circuit: Aiger, vmap: str, design: str):
        homes = dict(_homes(design))
        self.owner: dict[int, str] = {}
        """Of a latch, its instance from the top down: ``layer.reader.phases``; "" is the top."""
        self.remembers: set[str] = set()
        """Instances that hold words of a memory."""
        self._register: dict[int, str] = {}
        for line in vmap.splitlines():
            kind, index, *rest = line.split(" ", 3)
            if kind not in ("latch", "invlatch"):
                continue
            latch, name = circuit.latches[int(index)][0], rest[1]
            if name in homes:
                self.owner[latch], self._register[latch] = homes[name], name
            elif latch not in self.owner and "[" in name and not name.startswith("$"):
                self.owner[latch] = name.split("[")[0].rpartition(".")[0]
                self._register[latch] = name
                self.remembers.add(self.owner[latch])

    def of(self, owners: Iterable[str]) -> set[int]:
        """Latches of these instances."""
        wanted = set(owners)
        return {latch for latch, owner in self.owner.items() if owner in wanted}

    def tree(self, path: str) -> set[str]:
        """An instance that has latches and those below it."""
        return {owner for owner in self.owner.values() if f"{owner}.".startswith(f"{path}.") or not path}

    def whole(self, latches: Iterable[int]) -> set[int]:
        """All bits of the registers to which latches belong."""
        latches = set(latches)
        names = {self._register[latch] for latch in latches if latch in self._register}
        return latches | {latch for latch, name in self._register.items() if name in names}

    def narrow(self, owners: Iterable[str]) -> set[int]:
        """Latches of the registers of few bits of these instances: states rather than data."""
        latches = self.of(owners)
        bits = Counter(self._register[latch] for latch in latches)
        return {latch for latch in latches if bits[self._register[latch]] <= FEW}


def _homes(design: str) -> Iterator[tuple[str, str]]:
    """Wires that flip-flops drive, and the instance of each."""
    kind = path = ""
    for line in design.splitlines():
        words = line.split()
        if words[:1] == ["cell"]:
            kind = words[1]
            parts = words[2].replace("$flatten", "").replace("\\", "").split(".")[:-1]
            path = ".".join(part for part in parts if not part.startswith("$"))
        elif words[:2] == ["connect", "\\Q"] and kind.startswith(("$dff", "$sdff", "$adff")):
            yield from ((word.removeprefix("\\"), path) for word in words[2:] if word[0] in "\\$")


@dataclass(frozen=True)
class Cut:
    """A choice.

    Parameters
    ----------
    name : str
        Whose registers follow their logic.
    twins : frozenset of int
        Latches that the mutant may have of its own, as far as it reaches them.
    kept : frozenset of int
        Latches that follow their logic; twins do so too.
    """

    name: str
    twins: frozenset[int]
    kept: frozenset[int]


def candidates(registers: Registers, path: str, reached: set[int], feeding: set[int]) -> Iterator[Cut]:
    """Cuts round the instance ``path`` of a mutant, small ones first.

    Parameters
    ----------
    reached : set of int
        Latches whose next value it touches.
    feeding : set of int
        Latches that decide what it touches.
    """
    r, seen = registers, set[tuple[frozenset[int], frozenset[int]]]()

    def cut(name: str, twins: set[int], kept: set[int]) -> Iterator[Cut]:
        made = Cut(name, frozenset(twins), frozenset(kept))
        if len(kept) <= MOST and (made.twins, made.kept) not in seen:
            seen.add((made.twins, made.kept))
            yield made

    first, home = r.whole(reached), path
    near = {r.owner[latch] for latch in feeding if latch in r.owner} - r.remembers
    while True:
        parent, tree = home.rpartition(".")[0], r.tree(home) if home else {""}
        shown, above, own = home or "the top", parent or "the top", r.of(tree)
        yield from cut(shown, first & own, own)
        decisive = r.whole(feeding - r.of(r.remembers)) | r.narrow(near | {home, parent})
        yield from cut(f"what decides in {shown} and {above}", set(), decisive)
        yield from cut(f"{shown} and {above}", r.of({home}), r.of({home, parent}))
        yield from cut(f"{shown} and {above}", own, r.of(tree | {parent}))
        yield from cut(f"{shown}, {above} and what feeds them", set(), r.of(near | {home, parent}))
        if home == path:
            touched = r.of({home, *BUS} | {r.owner[latch] for latch in reached if latch in r.owner})
            yield from cut(f"{shown} and the bus", touched, touched)
        if not parent:
            return
        yield from cut(f"{shown} in {parent}", own, r.of(r.tree(parent)))
        home = parent


def support(literal: int, ands: list[tuple[int, int, int]], after: dict[int, int] | None = None) -> set[int]:
    """Variables that a literal hangs on, gates among them; through the latches that ``after`` has, too."""
    gates, after = {left: (first, second) for left, first, second in ands}, after or {}
    needed, open_ = set[int](), [literal & ~1]
    while open_:
        variable = open_.pop()
        if variable not in needed:
            needed.add(variable)
            ends = gates.get(variable, (after[variable],) if variable in after else ())
            open_ += [end & ~1 for end in ends]
    return needed


def cone(
    inputs: list[int], latches: list[tuple[int, int]], output: int, ands: list[tuple[int, int, int]]
) -> Aiger:
    """What one output hangs on, numbered anew; literals as in an `Aiger`."""
    needed = support(output, ands, dict(latches))
    inputs = [literal for literal in inputs if literal in needed]
    latches = [(latch, end) for latch, end in latches if latch in needed]
    kept = [gate for gate in ands if gate[0] in needed]
    order = [*inputs, *(latch for latch, _ in latches), *(left for left, _, _ in kept)]
    places = {0: 0} | {literal: 2 * (i + 1) for i, literal in enumerate(order)}

    def moved(literal: int) -> int:
        return places[literal & ~1] ^ literal & 1

    pairs = [(moved(left), moved(first), moved(second)) for left, first, second in kept]
    return Aiger(
        inputs=[moved(literal) for literal in inputs],
        latches=[(moved(latch), moved(end)) for latch, end in latches],
        outputs=[moved(output)],
        ands=[(left, max(a, b), min(a, b)) for left, a, b in pairs],
        names=["differ"],
    )
