"""Reference of the program sequencer: the algorithm of ``docs/architecture.md`` section 4 on the model alone.

Pulses, verify reads, failures and final resistances are those of the RTL driving the same chip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import (
    REFERENCES,
    WORD_WIDTH,
    ErrorCode,
    ProgOp,
    ProgSide,
    PulseConditions,
    Timing,
    margin_factor,
)
from bridgebnn.hdl.spec.program_cycles import PhaseWork, least_row_cycles, program_row_cycles
from bridgebnn.model.devices.device import DeviceArray
from bridgebnn.model.macro.program_events import ProgramCounts
from bridgebnn.model.mapping.program_log import Cell, Failure, ProgramLog

__all__ = [
    "Bound",
    "Phase",
    "ProgramReport",
    "RowReport",
    "levels",
    "program",
    "program_phase",
    "program_row",
    "refresh_row",
    "targets",
]

_PHASES = tuple((op, side) for op in (ProgOp.FORM, ProgOp.RESET, ProgOp.SET) for side in ProgSide)
_REFRESH = tuple((op, side) for op, side in _PHASES if op is not ProgOp.FORM)
_FINAL = tuple((op, side) for op in (ProgOp.RESET, ProgOp.SET) for side in ProgSide)


class Bound(NamedTuple):
    """Least pulses and cycles for what the devices' draws ask under these conditions.

    Attributes
    ----------
    pulses : int
        What each device needs, attempt by attempt, in groups of ``max_parallel``.
    cycles : int
        Set-up, width and hold of those pulses, the verify reads with one look at each 32-bit word of the
        answer, the rails and the read-back.
    macro_cycles : int
        The same without the looks: what a controller would take that sees all columns at once.
    """

    pulses: int
    cycles: int
    macro_cycles: int

    def __add__(self, other: object) -> Bound:
        if not isinstance(other, Bound):
            return NotImplemented
        return Bound(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What one phase of step 2 did.

    Parameters
    ----------
    groups : list of int
        Pulses of each attempt.
    given : int64, (C,)
        Pulses that each column's device got.
    failed : bool, (C,)
        Devices that the attempts did not suffice for.
    counts : ProgramCounts
        What of it costs energy.
    """

    groups: list[int]
    given: NDArray[np.int64]
    failed: NDArray[np.bool_]
    counts: ProgramCounts

    @property
    def attempts(self) -> int:
        """Attempts made; verify reads are one more."""
        return len(self.groups)


@dataclass(kw_only=True)
class RowReport:
    """What programming one row took, and what failed.

    Attributes
    ----------
    pulses, verifies : int64, (3,)
        Rising edges of ``pulse`` and ``verify``, by ProgOp; the final verify reads count to their operation.
    attempts : uint8, (C, 2)
        Pulses that each device got in this run, saturating.
    failures : list of Failure
        In the order of the log.
    mismatch : (n,) int
        Columns whose bridge reads back wrong, ascending; it counts only when no device failed.
    cycles : int
        Clock cycles from ``start`` to ``done``, with ``hv_ready`` high as soon as ``hv_en`` is.
    energy_J : float64, (3,)
        Energy of the pulses in the devices, by ProgOp.
    counts : ProgramCounts
        All that costs energy, for ``macro.energy.price_program``.
    lower_bound : Bound
    """

    tile: int
    row: int
    pulses: NDArray[np.int64]
    verifies: NDArray[np.int64]
    attempts: NDArray[np.uint8]
    failures: list[Failure]
    mismatch: NDArray[np.intp]
    cycles: int
    energy_J: NDArray[np.float64]
    counts: ProgramCounts
    lower_bound: Bound

    @property
    def ok(self) -> bool:
        """The command ends in DONE."""
        return self.code is ErrorCode.NONE

    @property
    def code(self) -> ErrorCode:
        """Code of register ERROR."""
        if self.failures:
            return ErrorCode.NOT_CONVERGED
        return ErrorCode.READBACK_MISMATCH if self.mismatch.size else ErrorCode.NONE

    @property
    def detail(self) -> int:
        """Detail of register ERROR: entries logged, or the lowest column that reads back wrong."""
        return len(self.failures) or (int(self.mismatch[0]) if self.mismatch.size else 0)


@dataclass(kw_only=True)
class ProgramReport:
    """Sum of the row reports of one :func:`program` run.

    Attributes
    ----------
    rows : int
        Rows programmed.
    bits : int
        Bridges (pairs) programmed.
    pulses, verifies : int64, (3,); energy_J : float64, (3,)
        By ProgOp.
    attempts : uint8, (T, R, C, 2)
    failures : list of Failure
    mismatches : list of (tile, row, column)
    cycles : int; time_s : float
    lower_bound : Bound
        Sum over the rows, to compare the RTL's counts with.
    """

    clock_s: float
    attempts: NDArray[np.uint8]
    rows: int = 0
    bits: int = 0
    pulses: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    verifies: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    energy_J: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    counts: ProgramCounts = field(default_factory=ProgramCounts)
    failures: list[Failure] = field(default_factory=list)
    mismatches: list[tuple[int, int, int]] = field(default_factory=list)
    failed_rows: int = 0
    cycles: int = 0
    lower_bound: Bound = field(default_factory=lambda: Bound(0, 0, 0))

    @property
    def time_s(self) -> float:
        """Programming time in seconds."""
        return self.cycles * self.clock_s

    @property
    def ok(self) -> bool:
        """Every row ends in DONE."""
        return self.failed_rows == 0

    def add(self, report: RowReport, columns: int) -> None:
        """Take in one row of ``columns`` masked columns."""
        self.rows += 1
        self.bits += columns
        self.pulses += report.pulses
        self.verifies += report.verifies
        self.energy_J += report.energy_J
        self.counts.add(report.counts)
        self.attempts[report.tile, report.row] = report.attempts
        self.failures += report.failures
        self.mismatches += [(report.tile, report.row, int(c)) for c in report.mismatch]
        self.failed_rows += not report.ok
        self.cycles += report.cycles
        self.lower_bound += report.lower_bound

    def as_log(self, masks: NDArray[np.bool_], depth: int) -> ProgramLog:
        """What a host sees of this run over the cells ``masks`` (T, R, C): ``depth`` entries per row at most."""
        counts: Counter[tuple[int, int]] = Counter()
        seen = []
        for failure in self.failures:
            counts[failure[:2]] += 1
            if counts[failure[:2]] <= depth:
                seen.append(failure)
        lowest: dict[tuple[int, int], Cell] = {}
        for cell in sorted(self.mismatches):
            lowest.setdefault(cell[:2], cell)
        return ProgramLog(
            asked=masks.astype(bool), failures=seen, counts=counts, mismatches=list(lowest.values())
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready summary; per operation in the order of ProgOp names."""
        names = [op.name for op in ProgOp]
        per_bit = max(self.bits, 1)
        return {
            "rows": self.rows,
            "bits": self.bits,
            "pulses": dict(zip(names, self.pulses.tolist(), strict=True)),
            "verifies": dict(zip(names, self.verifies.tolist(), strict=True)),
            "energy_J": dict(zip(names, self.energy_J.tolist(), strict=True)),
            "events": self.counts.events().as_dict(),
            "energy_per_bit_J": float(self.energy_J.sum()) / per_bit,
            "device_pulses_per_bit": int(self.attempts.sum(dtype=np.int64)) / per_bit,
            "cycles": self.cycles,
            "time_s": self.time_s,
            "lower_bound": self.lower_bound._asdict(),
            "failed_rows": self.failed_rows,
            "failures": [[t, r, c, ProgSide(s).name, ProgOp(o).name] for t, r, c, s, o in self.failures],
            "mismatches": [list(m) for m in self.mismatches],
        }


def levels(conditions: PulseConditions, attempt: int) -> tuple[int, int]:
    """DAC codes (wl_level, prog_level) of attempt ``attempt`` (from 0)."""
    return (
        min(conditions.wl_start + attempt * conditions.wl_step, conditions.wl_limit),
        min(conditions.prog_start + attempt * conditions.prog_step, conditions.prog_limit),
    )


def targets(
    image: NDArray[np.bool_], mask: NDArray[np.bool_], op: ProgOp, side: ProgSide
) -> NDArray[np.bool_]:
    """Columns (C,) whose device ``side`` the operation ``op`` has to bring to its state."""
    if op is ProgOp.FORM:
        return mask
    lrs = image if side is ProgSide.P else ~image
    return mask & (lrs if op is ProgOp.SET else ~lrs)


def _bits(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.shape != shape or not (array.dtype == bool or np.isin(array, (0, 1)).all()):
        raise ValueError(f"{name} of shape {array.shape}: must be {shape} of 0 and 1")
    return array.astype(bool)


def program_phase(
    target: Any,
    tile: int,
    row: int,
    op: ProgOp,
    side: ProgSide,
    columns: NDArray[np.bool_],
    timing: Timing,
    *,
    margin: float = 1.0,
) -> Phase:
    """Step 2: verify ``columns`` (C,), pulse what fails, until all pass or the attempts run out.

    ``target``: DeviceArray, or bridgebnn.model.macro.array.Array, whose broken lines then count.
    """
    conditions = timing.conditions(op)
    width_s = conditions.width_cyc * timing.clock_s
    groups: list[int] = []
    given = np.zeros(columns.size, np.int64)
    pending, counts = columns, ProgramCounts()
    for attempt in range(conditions.attempts + 1):
        counts.verify(REFERENCES[op], int(np.count_nonzero(pending)))
        pending = pending & ~target.verify(tile, row, pending, side, REFERENCES[op], margin)
        size = int(np.count_nonzero(pending))
        if size == 0 or attempt == conditions.attempts:
            break
        target.pulse(tile, row, pending, op, side, *levels(conditions, attempt), width_s)
        given += pending
        groups.append(-(-size // timing.max_parallel))
        counts.pulse(op, size, *levels(conditions, attempt), groups[-1])
    return Phase(groups=groups, given=given, failed=pending, counts=counts)


def program_row(
    target: Any,
    tile: int,
    row: int,
    image: ArrayLike,
    mask: ArrayLike,
    timing: Timing,
) -> RowReport:
    """Form and program one row to complementary pairs, as PROGRAM_ROW does.

    Columns of one attempt are pulsed together whatever ``max_parallel`` is: outcomes do not depend on the
    grouping, only the pulse count does, ``ceil(n / max_parallel)`` an attempt.

    Parameters
    ----------
    target : DeviceArray, or bridgebnn.model.macro.array.Array
        With an array, the bridge read-back is the macro's and counts as one evaluate of the row.
    image, mask : (C,) of 0 and 1
        Bit 1 = weight +1; columns with mask 0 are left alone.
    timing : Timing
        Pulse conditions, widths and ``max_parallel``.

    Raises
    ------
    ValueError
        For shapes or values outside these.
    """
    return _row(target, tile, row, image, mask, timing, _PHASES, 1.0)


def refresh_row(
    target: Any, tile: int, row: int, image: ArrayLike, mask: ArrayLike, timing: Timing
) -> RowReport:
    """Bring one row that drifted back to its pairs with a margin, as REFRESH_ROW does.

    Every verify is at the references tightened by ``timing.verify_margin``; only devices that fail it are
    pulsed, and none is formed. Arguments, result and errors are those of :func:`program_row`.
    """
    margin = margin_factor(timing.verify_margin)
    return _row(target, tile, row, image, mask, timing, _REFRESH, margin)


def _row(
    target: Any,
    tile: int,
    row: int,
    image: ArrayLike,
    mask: ArrayLike,
    timing: Timing,
    phases: tuple[tuple[ProgOp, ProgSide], ...],
    margin: float,
) -> RowReport:
    devices: DeviceArray = target if isinstance(target, DeviceArray) else target.devices
    count = devices.geometry.columns
    ones, asked = _bits("image", image, (count,)), _bits("mask", mask, (count,))
    energy_before_J = devices.energy_J
    pulses, verifies = np.zeros(3, np.int64), np.zeros(3, np.int64)
    given = np.zeros((count, 2), np.int64)
    logged = np.zeros((count, 2), bool)
    failures: list[Failure] = []
    work: list[PhaseWork] = []
    counts = ProgramCounts()

    def log(failed: NDArray[np.bool_], side: ProgSide, op: ProgOp) -> None:
        failures.extend(Failure(tile, row, int(column), side, op) for column in np.flatnonzero(failed))
        logged[:, side] |= failed

    for op, side in phases:
        pending = targets(ones, asked, op, side)
        if not pending.any():
            work.append(PhaseWork(op=op, targets=0))
            continue
        phase = program_phase(target, tile, row, op, side, pending, timing, margin=margin)
        verifies[op] += phase.attempts + 1
        pulses[op] += sum(phase.groups)
        counts.add(phase.counts)
        given[:, side] += phase.given
        log(phase.failed, side, op)
        work.append(
            PhaseWork(
                op=op,
                attempts=phase.attempts,
                pulses=sum(phase.groups),
                failing=_per_word(phase.failed),
            )
        )

    for op, side in _FINAL:
        wanted = targets(ones, asked, op, side)
        if not wanted.any():
            work.append(PhaseWork(op=op, targets=0))
            continue
        verifies[op] += 1
        counts.verify(REFERENCES[op], int(np.count_nonzero(wanted)))
        failed = wanted & ~logged[:, side] & ~target.verify(tile, row, wanted, side, REFERENCES[op], margin)
        log(failed, side, op)
        work.append(PhaseWork(op=op, failing=_per_word(failed)))

    mismatch = np.zeros(0, np.intp)
    if asked.any():
        read = _read_back(target, devices, tile, row, asked)
        counts.read_back(int(np.count_nonzero(asked)))
        if not failures:
            mismatch = np.flatnonzero(asked & (read != ones))
    masked, g = bool(asked.any()), devices.geometry
    return RowReport(
        tile=tile,
        row=row,
        pulses=pulses,
        verifies=verifies,
        attempts=np.minimum(given, 255).astype(np.uint8),
        failures=failures,
        mismatch=mismatch,
        cycles=program_row_cycles(g, timing, work, ready_cyc=0, masked=masked),
        energy_J=devices.energy_J - energy_before_J,
        counts=counts,
        lower_bound=Bound(
            int(pulses.sum()),
            least_row_cycles(g, timing, work, masked=masked),
            least_row_cycles(g, timing, work, masked=masked, looks=False),
        ),
    )


def _per_word(failed: NDArray[np.bool_]) -> tuple[int, ...]:
    """Devices that failed, per bus word of the row."""
    return tuple(np.add.reduceat(failed.astype(np.int64), np.arange(0, failed.size, WORD_WIDTH)).tolist())


def _read_back(
    target: Any, devices: DeviceArray, tile: int, row: int, asked: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Bits (C,) of one bridge read, masked inputs at 1: an evaluate of the macro, or the plain divider."""
    if target is devices:
        return devices.resistance_ohm[tile, row, :, 0] <= devices.resistance_ohm[tile, row, :, 1]
    target.begin_read([tile], row)
    return np.asarray(target.source_lines(tile, row, asked, asked), bool)


def program(
    target: Any,
    images: ArrayLike,
    masks: ArrayLike,
    timing: Timing,
    progress: Callable[[int, int], None] | None = None,
    *,
    refresh: bool = False,
) -> ProgramReport:
    """Program, or refresh, every row that has a masked column, tile by tile, row by row.

    Parameters
    ----------
    target : DeviceArray, or bridgebnn.model.macro.array.Array
    images, masks : (T, R, C) of 0 and 1
    progress : callable, optional
        Called with (rows done, rows in all) after each row.
    refresh : bool
        :func:`refresh_row` instead of :func:`program_row`.

    Raises
    ------
    ValueError
        For shapes or values outside these.
    """
    devices: DeviceArray = target if isinstance(target, DeviceArray) else target.devices
    shape = devices.resistance_ohm.shape[:3]
    ones, asked = _bits("images", images, shape), _bits("masks", masks, shape)
    places = np.argwhere(asked.any(axis=2)).tolist()
    report = ProgramReport(clock_s=timing.clock_s, attempts=np.zeros((*shape, 2), np.uint8))
    run = refresh_row if refresh else program_row
    for done, (tile, row) in enumerate(places, start=1):
        row_report = run(target, tile, row, ones[tile, row], asked[tile, row], timing)
        report.add(row_report, int(np.count_nonzero(asked[tile, row])))
        if progress is not None:
            progress(done, len(places))
    return report
