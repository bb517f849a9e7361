"""A programmed chip as people look at it: counts beside the least that its devices ask, resistances, cell errors.

``bridgebnn model program-map`` fills it from the model alone, ``bridgebnn tb program`` from a chip that the RTL
programmed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, Timing
from bridgebnn.model.devices.device import DeviceArray, DeviceParams, Stuck
from bridgebnn.model.flows.programming import ProgramReport, program, program_phase
from bridgebnn.model.flows.work import Work
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.energy import price_program
from bridgebnn.model.parameters.params import MacroParams

from .cell_error import CellErrors, cell_errors
from .reports import ChipMapSummary, ErrorRates

__all__ = ["ChipMap", "program_and_map"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipMap:
    """A programmed chip: a summary for JSON, and what the pictures show.

    Parameters
    ----------
    summary : ChipMapSummary
    attempts : uint8, (T, R, C, 2)
    failed : bool, (T, R, C, 2)
    masks : bool, (T, R, C)
    states : dict of float64 arrays
        Resistances in ohm, ``pristine formed LRS HRS``.
    device : DeviceParams
    """

    summary: ChipMapSummary
    attempts: NDArray[np.uint8]
    failed: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    states: dict[str, NDArray[np.float64]]
    device: DeviceParams

    def save(self, out: Path) -> None:
        """Write ``map.png``, ``resistances.png`` and ``program-map.json``."""
        out.mkdir(parents=True, exist_ok=True)
        from .program_plots import plot_map  # matplotlib is slow to load

        plot_map(self.attempts, self.failed, self.masks, out / "map.png")
        limits = {
            "LRS_MAX": self.device.lrs_max_ohm,
            "HRS_MIN": self.device.hrs_min_ohm,
            "FORMED": self.device.formed_max_ohm,
        }
        from .program_plots import plot_resistances

        plot_resistances(self.states, limits, out / "resistances.png")
        (out / "program-map.json").write_text(json.dumps(self.summary.as_dict(), indent=2) + "\n")

    def table(self) -> Table:
        """The summary for a terminal."""
        return _table(self.summary)


def program_and_map(
    work: Work, params: MacroParams, chip: int, progress: Callable[[int, int], None] | None = None
) -> tuple[ChipMap, Array]:
    """Program a fresh chip on the model alone, and describe it.

    Parameters
    ----------
    progress : callable, optional
        Called with (rows done, rows in all).
    """
    array = Array(work.geometry, params.at_timing(work.timing), chip)
    devices = array.devices
    pristine = devices.resistance_ohm[devices.stuck == Stuck.NONE][:: max(1, devices.stuck.size // 200_000)]
    report = program(array, work.images, work.masks, work.timing, progress)
    failed = np.zeros(devices.stuck.shape, bool)
    if report.failures:
        failed[tuple(np.array([f[:4] for f in report.failures]).T)] = True
    errors = _predict(array, work.images, work.masks)
    states = {
        "pristine": pristine,
        "formed": _formed(work.geometry, params.device, chip, work.masks, work.timing),
        "LRS": _of_state(array, work.images, work.masks, lrs=True),
        "HRS": _of_state(array, work.images, work.masks, lrs=False),
    }
    summary = _summary(
        work.name, params.name, chip, report, errors, states, failed & work.masks[..., None], devices
    )
    energy = price_program(
        report.counts.events(),
        report.energy_J.tolist(),
        report.cycles,
        params,
        work.geometry,
        work.timing,
    )
    priced = summary.programming | {"energy_by_part_J": energy.as_dict()}
    found = ChipMap(
        summary=summary.replace(programming=priced),
        attempts=report.attempts,
        failed=failed,
        masks=work.masks,
        states=states,
        device=params.device,
    )
    return found, array


def _predict(array: Array, images: NDArray[np.bool_], masks: NDArray[np.bool_]) -> CellErrors:
    """Cell error rates over all tiles, weighted by their cells."""
    parts = [
        cell_errors(
            array.devices.resistance_ohm[tile],
            images[tile],
            masks[tile],
            np.arange(array.geometry.rows),
            middle_ohm=array.devices.middle_ohm,
            params=array.params.bridge,
            chip=array.chip,
            tile=tile,
        )
        for tile in range(array.geometry.tiles)
        if masks[tile].any()
    ]
    weights = np.array([p.cells for p in parts])
    rates = {
        kind: float(np.average([getattr(p, kind) for p in parts], weights=weights))
        for kind in ("one_device", "pair", "bridge")
    }
    return CellErrors(cells=int(weights.sum()), **rates)


def _formed(
    geometry: Geometry,
    params: DeviceParams,
    chip: int,
    masks: NDArray[np.bool_],
    timing: Timing,
    most: int = 64,
) -> NDArray[np.float64]:
    """Resistances just after forming: the same chip, formed once more, in up to ``most`` rows."""
    again = DeviceArray(geometry, params, chip)
    parts = []
    for tile, row in np.argwhere(masks.any(axis=2))[:most].tolist():
        for side in ProgSide:
            program_phase(again, tile, row, ProgOp.FORM, side, masks[tile, row], timing)
        good = again.formed[tile, row] & (again.stuck[tile, row] == Stuck.NONE) & masks[tile, row][:, None]
        parts.append(again.resistance_ohm[tile, row][good])
    return np.concatenate(parts) if parts else np.zeros(0)


def _of_state(
    array: Array, images: NDArray[np.bool_], masks: NDArray[np.bool_], *, lrs: bool
) -> NDArray[np.float64]:
    """Resistances of the masked devices that should be in one state."""
    wanted = np.stack([images, ~images], axis=-1) == lrs
    return array.devices.resistance_ohm[wanted & masks[..., None]]


def _summary(
    name: str,
    params: str,
    chip: int,
    report: ProgramReport,
    errors: CellErrors,
    states: dict[str, NDArray[np.float64]],
    failed: NDArray[np.bool_],
    devices: DeviceArray,
) -> ChipMapSummary:
    shares = (0.1, 2.3, 50, 97.7, 99.9)
    count = np.bincount(report.attempts[report.attempts > 0])
    unformed = sum(failure.op is ProgOp.FORM for failure in report.failures)
    return ChipMapSummary(
        work=name,
        chip=chip,
        devices=params,
        programming=report.as_dict(),
        failed_devices=int(np.count_nonzero(failed)),
        failed_stuck=int(np.count_nonzero(failed & (devices.stuck != Stuck.NONE))),
        forming_yield=1 - unformed / max(1, 2 * report.bits),
        devices_by_pulses={str(n): int(c) for n, c in enumerate(count.tolist()) if c},
        cell_errors=ErrorRates.from_dict(errors.as_dict()),
        resistances_ohm={
            state: dict(zip(map(str, shares), np.percentile(ohm, shares).tolist(), strict=True))
            for state, ohm in states.items()
            if ohm.size
        },
    )


def _table(summary: ChipMapSummary) -> Table:
    done, errors = summary.programming, summary.cell_errors
    bound = done["lower_bound"]
    pulses = sum(done["pulses"].values())
    table = Table(
        title=f"{summary.work}, {summary.devices} devices, chip {summary.chip}",
        show_header=False,
        box=SIMPLE,
    )
    table.add_column()
    table.add_column(justify="right")
    for row in (
        ("rows, bridges", f"{done['rows']:,}, {done['bits']:,}"),
        ("pulses FORM, SET, RESET", ", ".join(f"{n:,}" for n in done["pulses"].values())),
        ("pulses, least", f"{pulses:,}, {bound['pulses']:,}"),
        (
            "cycles, least",
            f"{done['cycles']:,}, {bound['cycles']:,} ({done['cycles'] / bound['cycles']:.3f})",
        ),
        ("cycles, least without the looks at answers", f"{bound['macro_cycles']:,}"),
        ("time on the chip", f"{done['time_s'] * 1e3:.1f} ms"),
        ("energy per bridge", f"{done['energy_per_bit_J'] * 1e12:.0f} pJ"),
        ("device pulses per bridge", f"{done['device_pulses_per_bit']:.3f}"),
        ("forming yield", f"{summary.forming_yield:.4%}"),
        ("devices that failed, of them stuck", f"{summary.failed_devices}, {summary.failed_stuck}"),
        ("rows with a failure", f"{done['failed_rows']}"),
        ("read-back mismatches", f"{len(done['mismatches'])}"),
        ("predicted cell error rate, 1T1R", f"{errors.one_device:.1e}"),
        ("2T2R", f"{errors.pair:.1e}"),
        ("bridge", f"{errors.bridge:.1e}"),
    ):
        table.add_row(*row)
    return table
