"""Liberty of the macro per corner, from the same description as the behavioural model."""

from __future__ import annotations

from dataclasses import dataclass

from .macro import STROBES, Macro
from .verilog import render

__all__ = ["CORNERS", "Corner", "liberty"]


@dataclass(frozen=True, kw_only=True)
class Corner:
    """A corner [ours]: supplies and temperature, and how much slower than typical the macro is.

    Parameters
    ----------
    name : str
    voltage_V, programming_V : float
    temperature_C : float
    slower : float
        Factor on every delay of the macro.
    """

    name: str
    voltage_V: float
    programming_V: float
    temperature_C: float
    slower: float


CORNERS = (
    Corner(name="tt_1p80V_25C", voltage_V=1.8, programming_V=3.3, temperature_C=25.0, slower=1.0),
    Corner(name="ss_1p62V_100C", voltage_V=1.62, programming_V=3.0, temperature_C=100.0, slower=1.1),
    Corner(name="ff_1p98V_n40C", voltage_V=1.98, programming_V=3.6, temperature_C=-40.0, slower=0.9),
)

SLEWS_NS = (0.05, 0.5)
LOADS_PF = (0.005, 0.1)
CAPACITANCE_PF = 0.01
TRANSITION_NS = (0.1, 0.4)  # at the least and at the largest load
MAX_TRANSITION_NS = 0.75  # not below what the outputs have
NS_PER_PF = 1.0  # what the load adds to a delay

CELL_UM2 = 4.0
"""Area of one bridge with its capacitors [ours], um2: a placeholder."""


def area_um2(macro: Macro) -> float:
    """Area of the macro, a quarter of it for its periphery [ours]."""
    g = macro.geometry
    return round(g.tiles * g.rows * g.columns * CELL_UM2 * 1.25, 3)


def liberty(macro: Macro, corner: Corner) -> str:
    """The Liberty file of a corner.

    Every input but the strobes has a setup and a hold check against each strobe that looks at it; every output an arc
    from each strobe that it answers.
    """
    delays = {name: macro.delay_ns(name) * corner.slower for s in STROBES for name in s.answers.values()}
    answers: dict[str, list[tuple[str, float]]] = {}
    checks: dict[str, list[str]] = {pin.name: [] for pin in macro.pins}
    for strobe in STROBES:
        for output, parameter in strobe.answers.items():
            answers.setdefault(output, []).append((strobe.pin, delays[parameter]))
        for name in strobe.looks_at:
            checks[name].append(strobe.pin)
    return render(
        "macro.lib.j2",
        cell=macro.cell,
        corner=corner,
        period=macro.period_ns,
        skew=macro.delay_ns("SETTLE_NS"),
        pins=macro.pins,
        widths=sorted({pin.width for pin in macro.pins if pin.bus}),
        area=area_um2(macro),
        slews=SLEWS_NS,
        loads=LOADS_PF,
        capacitance=CAPACITANCE_PF,
        max_transition=MAX_TRANSITION_NS,
        answers=answers,
        checks=checks,
        delay_rows=lambda ns: _rows([[ns + NS_PER_PF * load for load in LOADS_PF] for _ in SLEWS_NS]),
        transition_rows=lambda: _rows([TRANSITION_NS for _ in SLEWS_NS]),
        check_rows=lambda ns: _rows([[ns, ns] for _ in SLEWS_NS]),
    )


def _rows(values: list) -> str:
    return ", ".join('"' + ", ".join(f"{v:.4f}" for v in row) + '"' for row in values)
