"""From SKY130 to 22 nm, step by step; what changes of the design would gain; and what others published.

A step multiplies the energy of the parts it names. None is measured: each has a source or is a stated assumption, and
what does not shrink (devices' resistances, unit capacitor) is left alone.
"""

from __future__ import annotations

from typing import NamedTuple

from bridgebnn.model.macro.events import EnergyParts, EnergyReport
from bridgebnn.records import Record

__all__ = ["PUBLISHED", "STEPS", "Change", "Projected", "Published", "Step", "changes", "project"]

CLOCK_22NM_S = 6e-9
"""Phase at 22 nm: the fastest clock of the authors' error tables [data]."""


class Step(Record, frozen=True, kw_only=True):
    """One step of scaling.

    Parameters
    ----------
    name : str
    parts : list of str
        Parts of `EnergyParts` that it multiplies.
    factor : float
    why : str
        Mark, source and reasoning.
    """

    name: str
    parts: list[str]
    factor: float
    why: str


_LOGIC = ["buffers_J", "comparator_J", "clocks_J", "controller_J", "bus_J"]

STEPS: tuple[Step, ...] = (
    Step(
        name="supply 1.8 V to 0.8 V",
        parts=[*_LOGIC, "plates_J"],
        factor=(0.8 / 1.8) ** 2,
        why="[std] nominal supply of 22 nm FD-SOI is 0.8 V; energy goes with V^2",
    ),
    Step(
        name="gates and wires of logic",
        parts=_LOGIC,
        factor=22 / 130,
        why="[std] capacitance per um of gate and of wire stays about the same from node to node, lengths go with it",
    ),
    Step(
        name="read voltage 1.8 V to 0.8 V",
        parts=["bridges_J", "bit_lines_J", "source_lines_J"],
        factor=(0.8 / 1.8) ** 2,
        why="[ours] the bridge is a divider: its bits do not depend on Vread while SL moves past the buffer's spread",
    ),
    Step(
        name="word line 3.3 V to 1.8 V",
        parts=["word_line_J"],
        factor=(1.8 / 3.3) ** 2,
        why="[ours] I/O transistors of 1.8 V select; forming wants more than logic transistors stand",
    ),
    Step(
        name="cell pitch",
        parts=["bit_lines_J", "source_lines_J", "word_line_J"],
        factor=0.4,
        why="[ours] I/O transistors of 150 nm in place of 500 nm set the cell; it shrinks less than logic",
    ),
    Step(
        name="unit capacitor stays 5 fF",
        parts=["plates_J"],
        factor=1.0,
        why="[ours] mismatch and comparator offset ask for it, not the node; its gates are counted with it",
    ),
    Step(
        name="resistances stay",
        parts=["bridges_J"],
        factor=1.0,
        why="[ours] filaments of 7 kohm and 100 kohm do not shrink with the transistors [data, std]",
    ),
)
"""All but the clock, which `project` takes from the point."""


class Projected(Record, frozen=True, kw_only=True):
    """A point at 22 nm; every factor is in the report's ``steps``.

    Parameters
    ----------
    clock_s : float
        Phase of the read; the bridges' energy goes with it.
    parts : EnergyParts
        Energy of one inference.
    per_operation_J, macro_per_operation_J : float
    tops_per_w, macro_tops_per_w : float
    """

    clock_s: float
    parts: EnergyParts
    per_operation_J: float
    macro_per_operation_J: float
    tops_per_w: float
    macro_tops_per_w: float


def project(report: EnergyReport, clock_s: float) -> Projected:
    """The same inferences at 22 nm and phases of at most 6 ns, `STEPS` applied."""
    clock_22_s = min(clock_s, CLOCK_22NM_S)
    scaled = {name: report.parts[name] * report.inferences for name in report.parts}
    for step in STEPS:
        for name in step.parts:
            scaled[name] *= step.factor
    scaled["bridges_J"] *= clock_22_s / clock_s
    found = EnergyReport.of(report.events, EnergyParts(**scaled), report.inferences)
    return Projected(
        clock_s=clock_22_s,
        parts=found.parts,
        per_operation_J=found.per_operation_J,
        macro_per_operation_J=found.macro_per_operation_J,
        tops_per_w=found.tops_per_w,
        macro_tops_per_w=found.macro_tops_per_w,
    )


class Change(Record, frozen=True, kw_only=True):
    """What a change of the design would gain.

    Parameters
    ----------
    name : str
    why : str
        What is assumed.
    saves : float, 0..1
        Share of the energy of an inference that it would save.
    macro_saves : float, 0..1
        The same of the macro alone.
    """

    name: str
    why: str
    saves: float
    macro_saves: float


_CHANGES: tuple[tuple[str, str, dict[str, float]], ...] = (
    (
        "gate the bridges once the buffers have decided",
        "current for one cycle of three; a latch a column holds the bit",
        {"bridges_J": 1 / 3},
    ),
    (
        "higher resistances",
        "both states tenfold; SL then settles in some 3 ns instead of 0.3 ns, still within a phase",
        {"bridges_J": 0.1},
    ),
    ("shorter phases", "6 ns instead of 20 ns, the authors' fastest clock [data]", {"bridges_J": 0.3}),
    ("half the read voltage", "0.9 V on the bit lines", {"bridges_J": 0.25, "bit_lines_J": 0.25}),
    (
        "a smaller unit capacitor",
        "1 fF instead of 5 fF: most of the plates' energy is in their gates; mismatch grows by 2.2",
        {"plates_J": 0.82},
    ),
    ("gate the controller's clock", "one flip-flop in five is clocked in a cycle", {"controller_J": 0.2}),
)


def changes(report: EnergyReport) -> list[Change]:
    """What each of a few changes would gain alone, the largest first."""
    parts = report.parts
    found = []
    for name, why, factors in _CHANGES:
        saved = {part: parts[part] * (1.0 - factor) for part, factor in factors.items()}
        of_macro = sum(joule for part, joule in saved.items() if part not in ("controller_J", "bus_J"))
        found.append(
            Change(
                name=name,
                why=why,
                saves=sum(saved.values()) / parts.total_J,
                macro_saves=of_macro / parts.macro_J,
            )
        )
    return sorted(found, key=lambda change: -change.saves)


class Published(NamedTuple):
    """A published macro for products of 1 bit by 1 bit; the energy efficiency as printed [std]."""

    name: str
    tops_per_w: float


PUBLISHED: tuple[Published, ...] = (
    Published("XNOR-RRAM", 24.0),
    Published("ReRAM divider, Li 2023", 51.0),
    Published("Xue, ReRAM 22 nm", 146.0),
    Published("Hung, ReRAM 22 nm", 194.0),
    Published("XNOR-SRAM", 403.0),
    Published("Bankman, 28 nm", 532.0),
    Published("C3SRAM", 672.0),
    Published("Valavi, 65 nm", 866.0),
    Published("IMAGINE, 22 nm (at most)", 8000.0),
)
