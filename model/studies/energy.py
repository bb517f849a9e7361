"""Energy of inferences against size, activity, read mode and timing, and what 22 nm would make of it.

A point is one tile with one dense layer of random weights, real devices without programming, read for a row of random
images. Its events are counted and priced as those of any inference (``model/flows/ledger.py``,
``model/macro/energy.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.model.draws import Purpose, draw
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.energy import report_of
from bridgebnn.model.macro.events import EnergyReport
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.records import Document, Record

from .energy_projection import STEPS, Change, Projected, Step, changes, project

__all__ = ["IMAGES", "EnergyPoint", "EnergyStudyReport", "energy_point", "energy_study"]

IMAGES = 32
"""Images of a point."""

Mode = Literal["SIGN", "SEARCH", "COUNT"]


class EnergyPoint(Record, frozen=True, kw_only=True):
    """Energy of one layer.

    Parameters
    ----------
    inputs : int
        Inputs N of each row, all of one tile.
    rows : int
    mode : "SIGN", "SEARCH" or "COUNT"
    activity : float, 0..1
        Share of the inputs that differ from the image before.
    clock_s : float
        Clock period; precharge, evaluate and sense are a cycle each.
    energy : EnergyReport
        At SKY130's 1.8 V.
    projected : Projected
        At 22 nm.
    """

    inputs: int
    rows: int
    mode: Mode
    activity: float
    clock_s: float
    energy: EnergyReport
    projected: Projected


class EnergyStudyReport(Document, frozen=True, kw_only=True):
    """Energy and TOPS/W against size, activity, mode and timing: ``bridgebnn model energy``.

    Parameters
    ----------
    points : list of EnergyPoint
    steps : list of Step
        How a part's energy scales from SKY130 to 22 nm.
    changes : list of Change
        What changes of the design would gain, at the first point; the largest first.
    versions : dict of str
    command : str, optional
        The command line.
    """

    points: list[EnergyPoint]
    steps: list[Step]
    changes: list[Change]
    versions: dict[str, str]
    command: str | None = None


def energy_point(
    *, inputs: int, rows: int, mode: ReadMode, activity: float, clock_s: float, chip: int
) -> EnergyPoint:
    """One point; ``ValueError`` for what a tile cannot be, or an activity outside 0..1.

    Parameters
    ----------
    chip : int
        Seed of devices, weights and images.
    """
    if not 0.0 <= activity <= 1.0:
        raise ValueError(f"activity = {activity!r}: must be from 0 to 1")
    timing = Timing(clock_s=clock_s)
    geometry = Geometry(tiles=1, rows=rows, inputs=inputs, bias=1, scores=min(rows, 1024))
    rng = draw(chip, Purpose.STIMULUS, inputs, rows)
    layer = Dense(
        weights=rng.choice(np.array([-1, 1]), (rows, inputs)),
        thresholds=np.zeros((1, rows), int),
        polarity=np.ones((1, rows), int),
        group_sizes=np.array([inputs]),
        combine=Combine.ADD,
        output="sign" if mode is ReadMode.SIGN else "score",
    )
    network = Network(name="random", operations=(layer,))
    final = ReadMode.COUNT if mode is ReadMode.SIGN else mode  # of scores; SIGN has none
    mapping = map_network(network, geometry, final_mode=final)
    params = MacroParams.real().at_timing(timing)
    array = Array(geometry, params, chip)
    inference.load(mapping, array)
    # The first image is read before the ledger begins, so that every image counted follows another one.
    changed = rng.random((IMAGES + 1, inputs)) < activity
    changed[0] = rng.integers(0, 2, inputs)
    images = np.logical_xor.accumulate(changed, axis=0).astype(np.uint8)
    ledger = ReadLedger(array, mapping.programs, timing)
    inference.run(mapping, array, images[:1], ledger=ledger)
    first = inference_events(ledger, mapping, 1)
    inference.run(mapping, array, images[1:], ledger=ledger)
    events = inference_events(ledger, mapping, IMAGES + 1).minus(first)
    report = report_of(events, params, geometry, timing, inferences=IMAGES)
    return EnergyPoint(
        inputs=inputs,
        rows=rows,
        mode=next(name for name in get_args(Mode) if name == mode.name),
        activity=activity,
        clock_s=clock_s,
        energy=report,
        projected=project(report, clock_s),
    )


def energy_study(
    *,
    inputs: Sequence[int],
    rows: int,
    modes: Sequence[ReadMode],
    activities: Sequence[float],
    clocks_s: Sequence[float],
    chip: int,
    versions: dict[str, str],
    command: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EnergyStudyReport:
    """Each of ``inputs``, ``modes``, ``activities`` and ``clocks_s`` with the first of all others."""
    cases = dict.fromkeys(
        [(n, modes[0], activities[0], clocks_s[0]) for n in inputs]
        + [(inputs[0], mode, activities[0], clocks_s[0]) for mode in modes]
        + [(inputs[0], modes[0], activity, clocks_s[0]) for activity in activities]
        + [(inputs[0], modes[0], activities[0], clock_s) for clock_s in clocks_s]
    )
    points = []
    for done, (n, mode, activity, clock_s) in enumerate(cases, 1):
        points.append(
            energy_point(inputs=n, rows=rows, mode=mode, activity=activity, clock_s=clock_s, chip=chip)
        )
        if progress is not None:
            progress(done, len(cases))
    return EnergyStudyReport(
        points=points,
        steps=list(STEPS),
        changes=changes(points[0].energy),
        versions=versions,
        command=command,
    )
