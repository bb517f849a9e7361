"""Plots of a programmed chip: pulses that its devices took, and the resistances of the states."""

from __future__ import annotations

from matplotlib.axes import Axes

from .parts import Picture
from .pictures import COLOURS, plot
from .results import Result

__all__ = ["attempts", "resistances"]


def attempts(result: Result) -> list[Picture]:
    """How many devices took how many pulses."""
    counts = {int(n): count for n, count in result.record.devices_by_pulses.items()}
    if not counts:
        return []

    def draw(axis: Axes) -> None:
        axis.bar(list(counts), list(counts.values()), color=COLOURS[0])
        axis.set(yscale="log", xlabel="pulses", ylabel="devices")
        axis.grid(axis="y", alpha=0.25)

    about = "Devices by the pulses that they took"
    return [Picture(caption=f"{about} ({result.name})", svg=plot(f"pulses-{result.key}", about, draw))]


def resistances(result: Result) -> list[Picture]:
    """Range of the resistances in every state."""
    states = {
        state: {float(share): ohm for share, ohm in found.items()}
        for state, found in result.record.resistances_ohm.items()
        if found
    }
    if not states:
        return []

    def draw(axis: Axes) -> None:
        for y, (found, colour) in enumerate(zip(states.values(), COLOURS * len(states), strict=False)):
            shares = sorted(found)
            axis.plot([found[shares[0]], found[shares[-1]]], [y, y], color=colour, linewidth=2)
            if len(shares) > 3:
                axis.plot([found[shares[1]], found[shares[-2]]], [y, y], color=colour, linewidth=9, alpha=0.5)
            middle = min(shares, key=lambda share: abs(share - 50))
            axis.plot(found[middle], y, "o", color=colour, markeredgecolor="k")
        axis.set_yticks(range(len(states)), [state.replace("$", r"\$") for state in states])
        axis.set(xscale="log", xlabel="resistance (ohm)", ylim=(-0.6, len(states) - 0.4))
        axis.grid(axis="x", alpha=0.25)

    shares = ", ".join(f"{share:g}" for share in sorted(next(iter(states.values()))))
    about = f"Resistances by state: percentiles {shares}; the dot is the median"
    return [Picture(caption=f"{about} ({result.name})", svg=plot(f"ohm-{result.key}", about, draw))]
