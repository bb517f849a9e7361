"""Monte Carlo: one network on many chips, under several conditions, through the evaluators of row reads.

A chip is its seed. Whatever is random about it is drawn by key from that seed (``bridgebnn.model.draws``), so a chip
of a run of thousands is the same alone, in another process, on another machine, and on the RTL.

Circuits, as in ``bridgebnn.model.evaluator``:

============== ======================================================================== ==========
circuit        what answers the reads                                                   on the RTL
============== ======================================================================== ==========
array          ``macro.array.Array``, preloaded; ``macro`` names its parameters         yes
published      ``macro.published.PublishedArray``; ``clock``, ``cell-errors``           yes
bridge, ...    the circuits of ``studies.circuits``, at a point of a sweep              no
============== ======================================================================== ==========
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.model.evaluator import Evaluator
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.events import Events
from bridgebnn.model.macro.published import PublishedArray
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.network import Network
from bridgebnn.model.npz import npz_bytes
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.products import check_backend, use_backend
from bridgebnn.names import check_names, nearest

from .circuits import Circuit, Sample, Setting
from .immunity import setting

__all__ = ["FORMAT", "VERSION", "Condition", "Part", "Plan", "evaluate", "products_s"]

FORMAT = "bridgebnn-montecarlo"
VERSION = 1

CIRCUITS = {circuit.value.replace(" ", "-"): circuit for circuit in Circuit}
"""Circuits of the immunity study, by what a command line calls them."""

OPTIONS = {"array": ("macro",), "published": ("clock", "cell-errors")}
"""Options of a condition by circuit; those of the others are the sweeps of the immunity study, at most one."""

SWEEPS = ("spread", "wire", "supply", "plates")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A circuit and its parameters.

    Parameters
    ----------
    name : str
        As `parse` takes it, and as reports call it.
    circuit : str
        ``array``, ``published`` or one of `CIRCUITS`.
    macro : MacroParams, optional
        Of array and published.
    at : tuple of str and float, optional
        Sweep and value, of the others.
    """

    name: str
    circuit: str
    macro: MacroParams | None = None
    at: tuple[str, float] | None = None

    @classmethod
    def parse(cls, text: str) -> Condition:
        """``CIRCUIT`` or ``CIRCUIT:OPTION=VALUE,...``, like ``published:clock=6,cell-errors=0.01``.

        Raises
        ------
        ValueError
            With what is wrong and what is legal.
        """
        circuit, _, rest = text.partition(":")
        known = [*OPTIONS, *CIRCUITS]
        if circuit not in known:
            near = nearest(circuit, known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueError(
                f"condition {text!r}: no circuit {circuit!r}{hint} There are: {', '.join(known)}"
            )
        given = dict(part.partition("=")[::2] for part in rest.split(",") if part)
        try:
            check_names(f"circuit {circuit}", given, OPTIONS.get(circuit, SWEEPS))
            return cls(name=text, circuit=circuit, **_values(circuit, given))
        except ValueError as error:
            raise ValueError(f"condition {text!r}: {error}") from None

    @property
    def on_rtl(self) -> list[str]:
        """Options of ``bridgebnn tb infer`` for the same macro; empty where no macro on the pins is like it."""
        if self.macro is None:
            return []
        if (published := self.macro.published) is None:
            name = self.name.partition("macro=")[2] or "real"
            return ["--macro-params" if name.endswith(".json") else "--macro", name]
        clock, rate = published.clock_ns, published.cell_error_rate
        return ["--macro", "published", "--clock", str(clock), "--cell-errors", f"{rate!r}"]


def _values(circuit: str, given: dict[str, str]) -> dict[str, Any]:
    if circuit == "array":
        macro = MacroParams.named(given.get("macro", "real"))
        if macro.transistors:
            raise ValueError(f"macro {macro.name!r}: must be another, its reads are runs of ngspice")
        return {"macro": macro}
    numbers = {}
    for name, value in given.items():
        try:
            numbers[name] = float(value)
        except ValueError:
            raise ValueError(f"{name} = {value!r}: must be a number") from None
    if circuit == "published":
        clock = numbers.get("clock", 8.0)
        return {
            "macro": MacroParams.of_published(
                clock_ns=int(clock) if clock == int(clock) else clock,
                cell_error_rate=numbers.get("cell-errors", 0.0),
            )
        }
    if len(numbers) > 1:
        raise ValueError(f"{' and '.join(numbers)}: only one of them can be away from its default")
    at = next(iter(numbers.items()), ("spread", 1.0))
    setting(*at)
    return {"at": at}


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What every worker must know; sent with each part, prepared once per process.

    Parameters
    ----------
    network : Network
    geometry : Geometry
    combine : Combine
    final_mode : ReadMode
    images : uint8, (n, ceil(n_in / 8))
        Packed bits.
    labels : int64, (n,)
    conditions : tuple of Condition
    energy : bool
        Count what the inferences cost, too, where an array answers.
    timing : Timing
        Of the controller; it matters for what they cost alone.
    backend : str
        Of the products of whole numbers (``bridgebnn.model.products``); the results are the same, so it is no part
        of what the run is.

    Raises
    ------
    ValueError
        A backend that is not there.
    """

    network: Network
    geometry: Geometry
    combine: Combine
    final_mode: ReadMode
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    conditions: tuple[Condition, ...]
    energy: bool = False
    timing: Timing = field(default_factory=Timing)
    backend: str = "numpy"
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        check_backend(self.backend)
        about = {
            "format": [FORMAT, VERSION],
            "geometry": self.geometry.as_dict(),
            "combine": self.combine.name,
            "final_mode": self.final_mode.name,
            "conditions": [[c.name, c.circuit, c.macro and c.macro.as_dict(), c.at] for c in self.conditions],
        }
        if self.energy:
            about["energy"] = dataclasses.asdict(self.timing)
        found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for operation in self.network.operations:
            for name, value in operation.entries().items():
                found.update(name.encode() + np.ascontiguousarray(np.asarray(value)).tobytes())
        found.update(self.images.tobytes() + self.labels.astype(np.int64).tobytes())
        object.__setattr__(self, "digest", found.hexdigest())


@dataclass(frozen=True, kw_only=True)
class Part:
    """Results of some chips.

    Parameters
    ----------
    number : int
    content : bytes
        The ``.npz`` of the part: equal chips give equal bytes, whoever evaluates them.
    seconds : list of float
        Processor time of each condition.
    """

    number: int
    content: bytes
    seconds: list[float]


class _Prepared:
    """A plan in one process: mapping, images, and what chips of one condition share."""

    def __init__(self, plan: Plan) -> None:
        self.mapping: Mapping = map_network(
            plan.network, plan.geometry, combine=plan.combine, final_mode=plan.final_mode
        )
        self.images = np.unpackbits(plan.images, axis=1, count=plan.network.n_in)
        self.energy, self.timing = plan.energy, plan.timing
        self._programmed: PublishedArray | None = None
        self._sample: tuple[Any, Sample] | None = None

    def answers(self, condition: Condition, chip: int) -> tuple[NDArray[np.int64], Events | None]:
        """Classes that one chip gives to the images, and what they cost where that is counted."""
        # circuits of the immunity study draw their noise for all images at once
        batch = max(1, len(self.images)) * 1024 if condition.macro is None else 500
        evaluator = self._evaluator(condition, chip)
        ledger = None
        if self.energy and isinstance(evaluator, Array):
            ledger = ReadLedger(evaluator, self.mapping.programs, self.timing)
        found = inference.run(self.mapping, evaluator, self.images, batch=batch, ledger=ledger)
        return found.classes, None if ledger is None else inference_events(
            ledger, self.mapping, len(self.images)
        )

    def _evaluator(self, condition: Condition, chip: int) -> Evaluator:
        geometry = self.mapping.geometry
        if condition.macro is None:
            assert condition.at is not None
            key = condition.at, chip
            if self._sample is None or self._sample[0] != key:  # conditions of one chip and setting share it
                self._sample = key, Sample(self.mapping, _setting(*condition.at), chip)
            return self._sample[1].evaluator(CIRCUITS[condition.circuit])
        if condition.macro.published is None:
            array = Array(geometry, condition.macro, chip)
            inference.load(self.mapping, array)
            return array
        if self._programmed is None:  # the same cells for all, so programmed once
            self._programmed = PublishedArray(geometry, condition.macro, 0)
            inference.load(self.mapping, self._programmed)
        return self._programmed.sibling(condition.macro, chip)


_kept: dict[str, _Prepared] = {}


def _prepared(plan: Plan) -> _Prepared:
    if plan.digest not in _kept:
        _kept.clear()
        _kept[plan.digest] = _Prepared(plan)
    return _kept[plan.digest]


@lru_cache
def _setting(sweep: str, value: float) -> Setting:
    return setting(sweep, value)


def evaluate(plan: Plan, number: int, chips: range) -> Part:
    """Classes of some chips under every condition, as a part of a run.

    The file has ``format``, ``version``, ``digest`` of the plan, ``chips`` uint64 (k,), ``classes`` (conditions, k,
    images) in the smallest unsigned type, and ``right`` int32 (conditions, k). With energy also ``events``: a JSON list
    by condition and chip of `Events`, null where no array answers; whole numbers, which are priced when they are told.
    """
    use_backend(plan.backend)
    prepared = _prepared(plan)
    classes = np.zeros((len(plan.conditions), len(chips), len(plan.labels)), np.int64)
    events: list[list[Any]] = [[None] * len(chips) for _ in plan.conditions]
    seconds = [0.0] * len(plan.conditions)
    for k, chip in enumerate(chips):
        for c, condition in enumerate(plan.conditions):
            start = time.process_time()
            classes[c, k], counted = prepared.answers(condition, chip)
            events[c][k] = None if counted is None else counted.as_dict()
            seconds[c] += time.process_time() - start
    more = {"events": json.dumps(events, sort_keys=True)} if plan.energy else {}
    content = npz_bytes(
        {
            "format": FORMAT,
            "version": VERSION,
            "digest": plan.digest,
            "chips": np.array(chips, np.uint64),
            "classes": classes.astype(np.min_scalar_type(max(1, plan.network.n_out - 1))),
            "right": (classes == plan.labels).sum(axis=2).astype(np.int32),
            **more,
        }
    )
    return Part(number=number, content=content, seconds=seconds)


def products_s(plan: Plan, repeats: int = 3) -> float:
    """Processor time of the float32 matrix products that one chip cannot do without, the best of ``repeats``."""
    prepared, found = _prepared(plan), []
    count = len(prepared.images)
    pairs = [
        (
            np.ones((count * program.windows, len(read.columns)), np.float32),
            np.ones((len(read.columns), program.n_out), np.float32),
        )
        for program in prepared.mapping.programs
        for read in program.reads
    ]
    for _ in range(repeats):
        start = time.process_time()
        for inputs, weights in pairs:
            inputs @ weights
        found.append(time.process_time() - start)
    return min(found)
