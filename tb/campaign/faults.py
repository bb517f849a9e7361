"""What a fault is, and the seeded draw of one: class, seed and index give the same fault on every machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Geometry, PulseConditions, Timing
from bridgebnn.model.macro.broken_lines import LINE_KINDS

from .watch import SEQUENCERS, targets

__all__ = ["AIMS", "CLASSES", "GEOMETRY", "NETWORKS", "STRIKES", "TIMING", "Fault", "draw", "parse", "shares"]

GEOMETRY = Geometry(
    tiles=2,
    rows=8,
    inputs=11,
    bias=2,
    spare_columns=1,
    spare_rows=1,
    thresholds=16,
    layers=3,
    scores=8,
    count_width=8,
    log_depth=32,
    map_words=2,
)
"""Small enough for thousands of runs; two tiles, groups of pulses, bias columns, spares, activation maps, every read
mode."""


def _brief(conditions: PulseConditions) -> PulseConditions:
    return dataclasses.replace(conditions, width_cyc=5, attempts=4)


TIMING = Timing(
    clock_s=200e-9,
    resolve_limit_cyc=12,
    verify_cyc=2,
    rail_settle_cyc=4,
    rail_limit_cyc=60,
    max_parallel=5,
    form=_brief(Timing().form),
    set=_brief(Timing().set),
    reset=_brief(Timing().reset),
)
"""A slow clock: the pulses keep their microsecond, and a command has few cycles, so that faults hit each of
them."""

NETWORKS = ("count", "vote", "sign", "search", "conv")
COMPARING = ("vote", "sign", "search", "conv")
"""Networks with reads that a comparator answers."""
SPARE_ROW = GEOMETRY.rows - 1
"""Row of each tile that nothing uses until a row has to move."""

CLASSES = {
    "devices": "devices stuck in LRS, HRS or unformed; several at once, both sides of a pair, bias columns",
    "lines": "rows and columns: word lines open, shorted or stuck on; bit and source lines open, shorted or stuck",
    "rails": "programming rails late, never up, dropping in or between pulses, glitching, or up in name only",
    "comparator": "comparators stuck at 0 or 1, slow, or never resolved",
    "flips": "a bit flipped in a setting, row buffer, descriptor, walk or threshold; before, in, after commands",
    "interrupts": "reset, abort, power loss or relock in any cycle of any command",
    "bus": "random and hostile bus traffic, idle and in commands",
}
"""Classes of faults, in the order of the report."""

_SHARES = {
    "devices": 0.18,
    "lines": 0.12,
    "rails": 0.12,
    "comparator": 0.08,
    "flips": 0.20,
    "interrupts": 0.20,
    "bus": 0.10,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, before it is put in.

    Parameters
    ----------
    name : str
        Key of `CLASSES`.
    seed, index : int
        With the class, what all its draws are keyed by.
    work : str
        ``program``, ``verify``, ``read``, ``refresh``, ``infer`` or ``idle``: what the controller is doing.
    kind : str
        Which fault of its class.
    chip : int
        Seed of the chip.
    options : dict
        The rest, by class.
    """

    name: str
    seed: int
    index: int
    work: str
    kind: str
    chip: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What ``--replay`` takes."""
        return f"{self.name}:{self.seed}:{self.index}"

    def rng(self, purpose: int) -> np.random.Generator:
        """Draws of one purpose: 0 the fault itself, 1 the work, 2 traffic and timing in the run."""
        return _rng(self.name, self.seed, self.index, purpose)


def _rng(name: str, seed: int, index: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, list(CLASSES).index(name), index, purpose])


def parse(label: str) -> Fault:
    """The fault of ``CLASS:SEED:INDEX``.

    Raises
    ------
    ValueError
        With what is wrong and what is legal.
    """
    parts = label.split(":")
    if len(parts) != 3 or parts[0] not in CLASSES or not all(p.isdecimal() for p in parts[1:]):
        raise ValueError(f"{label!r}: must be CLASS:SEED:INDEX, with a class of {', '.join(CLASSES)}")
    return draw(parts[0], int(parts[1]), int(parts[2]))


def shares(total: int) -> dict[str, int]:
    """Faults of each class, at least one each, ``total`` in all.

    Raises
    ------
    ValueError
        Fewer than one a class.
    """
    if total < len(CLASSES):
        raise ValueError(f"{total} faults: must be at least {len(CLASSES)}, one a class")
    counts = {name: max(1, int(total * share)) for name, share in _SHARES.items()}
    counts["flips"] += total - sum(counts.values())
    return counts


def draw(name: str, seed: int, index: int) -> Fault:
    """Fault ``index`` of a class."""
    rng = _rng(name, seed, index, 0)
    work, kind, options = _interrupts(rng, index) if name == "interrupts" else _DRAWS[name](rng)
    if work == "infer":
        options.setdefault("network", str(rng.choice(NETWORKS)))
    chip = int(rng.integers(1 << 32))
    return Fault(name=name, seed=seed, index=index, work=work, kind=kind, chip=chip, options=options)


Drawn = tuple[str, str, dict[str, Any]]


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    share = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=share / share.sum()))


def _devices(rng: np.random.Generator) -> Drawn:
    work = _pick(rng, {"program": 5, "verify": 2, "infer": 2})
    kind = _pick(rng, {"LRS": 1, "HRS": 1, "UNFORMED": 1, "mixed": 1})
    pattern = _pick(rng, {"any": 3, "pair": 1, "bias": 1})
    return work, kind, {"count": int(rng.integers(1, 7)), "pattern": pattern}


def _lines(rng: np.random.Generator) -> Drawn:
    kind = str(rng.choice(LINE_KINDS))
    return _pick(rng, {"program": 5, "infer": 2}), kind, {"count": 1 + int(rng.random() < 0.15)}


def _rails(rng: np.random.Generator) -> Drawn:
    kind = _pick(
        rng,
        {"late": 2, "too_late": 1, "never": 1, "drop": 3, "glitch": 3, "bounce": 1, "stuck_up": 1, "weak": 1},
    )
    options = {
        "delay_cyc": float(np.round(rng.uniform(0.1, 50.0 if kind != "too_late" else 300.0), 2)),
        "in_pulse": bool(rng.random() < 0.5),
        "pulse": int(rng.integers(0, 12)),
        "offset_cyc": float(np.round(rng.uniform(0.05, 6.0), 2)),
        "length_cyc": float(np.round(rng.uniform(0.05, 12.0), 2)),
        "times": 1 if rng.random() < 0.6 else 1000,
    }
    if kind == "too_late":
        options["delay_cyc"] += 60.0
    return "program", kind, options


def _comparator(rng: np.random.Generator) -> Drawn:
    kind = _pick(rng, {"stuck_0": 2, "stuck_1": 2, "slow": 2, "too_slow": 2, "never": 2})
    slow = int(rng.integers(1, 12)) if kind == "slow" else int(rng.integers(14, 80))
    options = {
        "tile": int(rng.integers(GEOMETRY.tiles)),
        "after": int(rng.integers(0, 12)),
        "resolve_cyc": slow,
        "times": 1 if kind in ("slow", "too_slow", "never") and rng.random() < 0.4 else 100_000,
        "network": str(rng.choice(COMPARING)),
    }
    return "infer", kind, options


def _flips(rng: np.random.Generator) -> Drawn:
    every = [t for t in targets(GEOMETRY) if t.configured]
    buffers = ("ROW_IMAGE", "ROW_MASK")
    weights = [3.0 if t.memory or t.name == "PROG_ADDRESS" else 1.0 for t in every]
    chosen = int(rng.choice(len(every), p=np.array(weights) / sum(weights)))
    target = every[chosen]
    work = _pick(rng, {"program": 3, "infer": 2})
    if rng.random() < 0.8:  # mostly where the controller is using it
        reading = (
            "REPAIR_COLUMN",
            "REPAIR_ROW",
            "DESCRIPTOR",
            "WALK",
            "THRESHOLD",
            "LAYER_COUNT",
            "INFER_COUNT",
            "TIMING_READ",
            "TIMING_RESOLVE",
        )
        work = "infer" if target.name in reading else "program"
    bits = target.bits
    if target.name in buffers and rng.random() < 0.9:
        bits = bits[: GEOMETRY.columns]
    options = {
        "target": chosen,
        "word": int(rng.integers(target.words)),
        "bit": int(rng.choice(bits)),
        "when": _pick(rng, {"before": 3, "during": 5, "after": 1}),
        "at": float(rng.random()),
    }
    return work, target.name, options


AIMS = tuple(
    (name, state.name) for name, kind in SEQUENCERS.items() for state in kind if state.name != "IDLE"
)
"""Every state of every sequencer that a command can be in."""
STRIKES = ("reset", "abort", "power")
"""What is aimed at each of them."""
_WINDOWS = ("AWAIT_WINDOW", *(state.name for state in SEQUENCERS["gather"]))
"""States that only a network with convolutions comes to."""
_VISITED: tuple[str, ...] = ("VERIFY", "DROP_PASSED", "SET_UP", "PULSE", "HOLD")
_VISITED += ("PRECHARGE", "EVALUATE", "SENSE", "COUNT", *_WINDOWS)
"""States that a command comes to several times."""


def _aimed(rng: np.random.Generator, number: int) -> Drawn:
    """Each of `STRIKES` in each of `AIMS`, one after the other."""
    kind = STRIKES[number % len(STRIKES)]
    sequencer, state = AIMS[number // len(STRIKES) % len(AIMS)]
    again = number >= len(STRIKES) * len(AIMS) and state in _VISITED and sequencer != "layer"
    options: dict[str, Any] = {
        "aim": (sequencer, state),
        "visit": int(rng.integers(4)) if again else 0,
        "at": 0.0,
        "length_cyc": int(rng.integers(1, 9)),
    }
    if state == "LOG_FAILED":
        options |= {"count": 3, "pattern": "any", "stuck": "UNFORMED"}
    if sequencer == "read":
        with_comparator = state in ("SENSE", "RESOLVE")
        options["network"] = str(rng.choice(COMPARING)) if with_comparator else "count"
        options |= {"resolve_cyc": 7} if state == "RESOLVE" else {}
    if state in _WINDOWS or sequencer == "walk":
        options["network"] = "conv"
    work = "infer" if sequencer != "program" else "verify" if state == "FIND_TARGETS" else "program"
    return work, kind, options


def _interrupts(rng: np.random.Generator, index: int) -> Drawn:
    """Every other one is aimed at a state, the others come at any time."""
    if index % 2:
        return _aimed(rng, index // 2)
    work = _pick(rng, {"program": 5, "infer": 4, "verify": 1, "read": 1, "refresh": 1})
    kinds = {"reset": 3, "abort": 3, "power": 3} | ({"relock": 1} if work == "program" else {})
    options: dict[str, Any] = {"at": float(rng.random()), "length_cyc": int(rng.integers(1, 9))}
    kind = _pick(rng, kinds)
    if work == "program" and rng.random() < 0.25:  # so that the log is under way, too
        options |= {"count": 3, "pattern": "any"}
    if work == "infer" and rng.random() < 0.4:  # so that comparators are waited for
        options |= {"resolve_cyc": 7, "network": str(rng.choice(COMPARING))}
    return work, kind, options


def _bus(rng: np.random.Generator) -> Drawn:
    work = _pick(rng, {"program": 5, "infer": 3, "idle": 2})
    kind = _pick(rng, {"random": 3, "commands": 2, "keys": 2, "settings": 2, "streams": 2, "reads": 1})
    return work, kind, {"accesses": int(rng.integers(3, 40)), "at": float(rng.random()) * 0.9}


_DRAWS: dict[str, Callable[[np.random.Generator], Drawn]] = {
    "devices": _devices,
    "lines": _lines,
    "rails": _rails,
    "comparator": _comparator,
    "flips": _flips,
    "bus": _bus,
}
