"""Kept broken testbenches: monitor, scoreboard or agent with one fault, chosen by ``+muted=NAME``.

The controller is as it is; a fault must show all the same. This module is the testbench of such runs: it spoils
the classes, then runs the ordinary inference. ``none`` spoils nothing, and must pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb
import numpy as np

from bridgebnn.tb.agents.array_agent import StrobeAgent
from bridgebnn.tb.agents.prefetch_agent import PrefetchAgent
from bridgebnn.tb.checks.monitors import LayerMonitor, ResultMonitor
from bridgebnn.tb.checks.scoreboard import InferenceScoreboard, Reference
from bridgebnn.tb.testbenches.infer import infer

__all__ = ["MUTED", "infer"]


def _nothing(*_: Any, **__: Any) -> None:
    """What a muted method does."""


def _spoil(kind: type, **methods: Callable[..., Any]) -> None:
    for name, method in methods.items():
        setattr(kind, name, method)


def _dropping(method: Callable[..., None]) -> Callable[..., None]:
    """The same with every fifth call left out."""
    count = 0

    def now_and_then(*args: Any) -> None:
        nonlocal count
        count += 1
        if count % 5:
            method(*args)

    return now_and_then


def _blind() -> None:
    """Every layer's inputs are seen as 0."""
    evaluated = LayerMonitor.evaluated

    def zeros(self: LayerMonitor, tile: int, row: int) -> None:
        observe, self.observe = self.observe, lambda layer, bits: observe(layer, np.zeros_like(bits))
        evaluated(self, tile, row)
        self.observe = observe

    _spoil(LayerMonitor, evaluated=zeros)


def _with_itself() -> None:
    compare = Reference.compare
    _spoil(Reference, compare=lambda self, vector, what, seen, _: compare(self, vector, what, seen, seen))


def _by_hearsay() -> None:
    """Only counts: no value is looked at."""

    def count(self: Reference, vector: int, what: str, seen: Any, expected: Any) -> None:
        self.values += np.size(expected)

    _spoil(Reference, compare=count)


def _forgetful() -> None:
    """The first images alone are compared."""
    compare = Reference.compare

    def first(self: Reference, vector: int, *rest: Any) -> None:
        if vector < 2:
            compare(self, vector, *rest)

    _spoil(Reference, compare=first)


def _constant_agent() -> None:
    """Comparators give 1 whatever stands on the columns."""
    drive, decide = StrobeAgent._drive_cmp, PrefetchAgent._decide

    def ones(self: StrobeAgent, decisions: dict[int, int]) -> None:
        drive(self, dict.fromkeys(decisions, 1))

    def least(self: PrefetchAgent, tile: int, inputs: np.ndarray, enabled: np.ndarray) -> None:
        decide(self, tile, np.zeros_like(inputs), enabled)

    _spoil(StrobeAgent, _drive_cmp=ones)
    _spoil(PrefetchAgent, _decide=least)


MUTED: dict[str, tuple[Callable[[], None], str]] = {
    "none": (lambda: None, "$^"),
    "layers_unseen": (
        lambda: _spoil(LayerMonitor, start=_nothing),
        r"ScoreboardError: layer 0 was seen 0 times for 12 vectors",
    ),
    "layers_dropped": (
        lambda: _spoil(LayerMonitor, evaluated=_dropping(LayerMonitor.evaluated)),
        r"mismatches|layer \d was seen \d+ times",
    ),
    "layers_blind": (_blind, "mismatches: .*inputs of layer 0"),
    "results_unseen": (lambda: _spoil(ResultMonitor, accessed=_nothing), "ScoreboardError: the host took"),
    "results_dropped": (
        lambda: _spoil(ResultMonitor, _finish=_dropping(ResultMonitor._finish)),
        "ScoreboardError: the host took|result 4 calls itself 5",
    ),
    "scoreboard_unseeing": (
        lambda: _spoil(InferenceScoreboard, observe_inputs=_nothing),
        r"ScoreboardError: layer 0 was seen 0 times",
    ),
    "scoreboard_mute": (
        lambda: _spoil(Reference, compare=_nothing),
        r"ScoreboardError: 0 of \d+ values were compared",
    ),
    "scoreboard_beside_itself": (_with_itself, "ScoreboardError: .* goes unnoticed beside golden"),
    "scoreboard_by_hearsay": (_by_hearsay, "ScoreboardError: .* goes unnoticed beside golden"),
    "scoreboard_forgetful": (_forgetful, r"ScoreboardError: \d+ of \d+ values were compared with golden"),
    "scoreboard_gone": (
        lambda: _spoil(InferenceScoreboard, observe_inputs=_nothing, close=_nothing),
        "ScoreboardError: 48 observations sent, 12 compared",
    ),
    "agent_constant": (_constant_agent, "mismatches"),
}
"""What each spoils, and how the run must fail."""

if chosen := getattr(cocotb, "plusargs", {}).get("muted"):
    MUTED[chosen][0]()
