"""Program a modelled chip and show it: attempts and failures per cell, resistances, predicted cell errors.

Pulse and cycle counts are printed beside the least that the devices' own draws imply.

Exit status: 0; 2 on bad input. Devices that fail are results, not errors.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hdl.config import PRESETS, Geometry, ProgOp, ProgSide, Timing, preset
from model.array import Array
from model.cell_error import CellErrors, cell_errors
from model.command_line import output_folder, whole
from model.commands._program_plots import plot_map, plot_resistances
from model.device import DeviceArray, DeviceParams, Stuck
from model.draws import Purpose, draw
from model.mapping import map_network
from model.network import Network
from model.params import MacroParams
from model.programming import ProgramReport, program, program_phase

ROOT = Path(__file__).resolve().parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``program-map``."""
    add = parser.add_argument
    add("--preset", default="mnist", metavar="P", help=f"one of {', '.join(PRESETS)} (default %(default)s)")
    add(
        "--random",
        metavar="ROWSxCOLUMNS",
        help="one tile of this size with random weights instead of a preset",
    )
    add("--devices", choices=("ideal", "real", "group"), default="real", help="default %(default)s")
    add("--chip", type=whole(0, 2**64 - 1), default=0, metavar="SEED", help="default %(default)s")
    add(
        "--out",
        type=output_folder,
        default=Path("build/program-map"),
        metavar="DIR",
        help="default %(default)s",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    start_s = time.perf_counter()
    device = getattr(DeviceParams, arguments.devices)()
    base = MacroParams.ideal() if arguments.devices == "ideal" else MacroParams.real()
    params = dataclasses.replace(base, name=arguments.devices, device=device)
    name, geometry, timing, images, masks = _work(arguments)
    array = Array(geometry, params, arguments.chip)
    devices = array.devices
    pristine = devices.resistance_ohm[devices.stuck == Stuck.NONE][:: max(1, devices.stuck.size // 200_000)]
    bars = Progress(
        TextColumn("programming"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bars:
        task = bars.add_task("programming", total=int(masks.any(axis=2).sum()))
        report = program(array, images, masks, timing, lambda done, of: bars.update(task, completed=done))
    failed = np.zeros(devices.stuck.shape, bool)
    if report.failures:
        failed[tuple(np.array([f[:4] for f in report.failures]).T)] = True
    errors = _predict(array, images, masks)
    states = {
        "pristine": pristine,
        "formed": _formed(geometry, params.device, arguments.chip, masks, timing),
        "LRS": _of_state(array, images, masks, lrs=True),
        "HRS": _of_state(array, images, masks, lrs=False),
    }
    summary = _summary(name, arguments, report, errors, states, failed & masks[..., None], devices)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    plot_map(report.attempts, failed, masks, out / "map.png")
    limits = {
        "LRS_MAX": device.lrs_max_ohm,
        "HRS_MIN": device.hrs_min_ohm,
        "FORMED": device.formed_max_ohm,
    }
    plot_resistances(states, limits, out / "resistances.png")
    summary["wall_s"] = time.perf_counter() - start_s
    (out / "program-map.json").write_text(json.dumps(summary, indent=2) + "\n")
    _show(summary, out)
    return 0


def _work(
    arguments: argparse.Namespace,
) -> tuple[str, Geometry, Timing, NDArray[np.bool_], NDArray[np.bool_]]:
    """Name, geometry, timing, images and masks of what is to be programmed."""
    if arguments.random:
        try:
            rows, columns = (int(n) for n in arguments.random.lower().split("x"))
        except ValueError:
            raise ValueError(f"--random {arguments.random!r}: must be ROWSxCOLUMNS, like 512x800") from None
        geometry = Geometry(tiles=1, rows=rows, inputs=columns, bias=0)
        images = draw(arguments.chip, Purpose.STIMULUS, 0).integers(0, 2, (1, rows, columns)).astype(bool)
        return f"random {rows}x{columns}", geometry, Timing(), images, np.ones_like(images)
    chosen = preset(arguments.preset)
    network = Network.load(ROOT / "data" / chosen.network)
    mapping = map_network(network, chosen.geometry, combine=chosen.combine, final_mode=chosen.final_mode)
    return f"preset {chosen.name}", chosen.geometry, chosen.timing, mapping.images.astype(bool), mapping.masks


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
    arguments: argparse.Namespace,
    report: ProgramReport,
    errors: CellErrors,
    states: dict[str, NDArray[np.float64]],
    failed: NDArray[np.bool_],
    devices: DeviceArray,
) -> dict[str, Any]:
    shares = (0.1, 2.3, 50, 97.7, 99.9)
    count = np.bincount(report.attempts[report.attempts > 0])
    return {
        "chip": name,
        "seed": arguments.chip,
        "devices": arguments.devices,
        "programming": report.as_dict(),
        "failed_devices": int(np.count_nonzero(failed)),
        "failed_stuck": int(np.count_nonzero(failed & (devices.stuck != Stuck.NONE))),
        "devices_by_pulses": {str(n): int(c) for n, c in enumerate(count.tolist()) if c},
        "cell_errors": errors.as_dict(),
        "resistances_ohm": {
            state: dict(zip(map(str, shares), np.percentile(ohm, shares).tolist(), strict=True))
            for state, ohm in states.items()
            if ohm.size
        },
    }


def _show(summary: dict[str, Any], out: Path) -> None:
    done, errors = summary["programming"], summary["cell_errors"]
    bound = done["lower_bound"]
    pulses = sum(done["pulses"].values())
    table = Table(
        title=f"{summary['chip']}, {summary['devices']} devices, chip {summary['seed']}",
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
        ("devices that failed, of them stuck", f"{summary['failed_devices']}, {summary['failed_stuck']}"),
        ("rows with a failure", f"{done['failed_rows']}"),
        ("read-back mismatches", f"{len(done['mismatches'])}"),
        ("predicted cell error rate, 1T1R", f"{errors['one_device']:.1e}"),
        ("2T2R", f"{errors['pair']:.1e}"),
        ("bridge", f"{errors['bridge']:.1e}"),
    ):
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(f"map.png, resistances.png and program-map.json in {out}", highlight=False)
