"""A behavioural row of devices, and the programming algorithm on it in plain Python."""

from __future__ import annotations

import copy
import dataclasses
import random

from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ProgOp, ProgSide, Timing, VerifyRef
from bridgebnn.hdl.spec.program_cycles import (
    PhaseWork,
    program_row_cycles,
    read_row_cycles,
    verify_row_cycles,
)

NEVER = 1 << 30
PRISTINE, LRS, HRS = "pristine", "lrs", "hrs"


@dataclasses.dataclass
class Device:
    """One device: how many pulses of each operation it takes, and the state it is in."""

    state: str = PRISTINE
    need: dict = dataclasses.field(default_factory=lambda: {ProgOp.FORM: 1, ProgOp.SET: 1, ProgOp.RESET: 1})
    got: int = 0
    weak: bool = False  # has drifted: passes, but not with a margin

    def pulse(self, op: ProgOp) -> None:
        if (op == ProgOp.FORM) != (self.state == PRISTINE):
            return
        self.got += 1
        if self.got >= self.need[op]:
            self.state, self.got, self.weak = (HRS if op == ProgOp.RESET else LRS), 0, False

    def passes(self, ref: VerifyRef, margin: int = 0) -> bool:
        sound = not (margin and self.weak)
        return {
            VerifyRef.FORMED: self.state != PRISTINE,
            VerifyRef.LRS_MAX: self.state == LRS and sound,
            VerifyRef.HRS_MIN: self.state != LRS and sound,
        }[ref]


class Row:
    """The devices of one row; ``disturbs`` says what the n-th pulse does to devices it does not address."""

    def __init__(self, columns: int):
        self.devices = [[Device() for _ in ProgSide] for _ in range(columns)]
        self.pulses = 0
        self.disturbs: dict[int, list[tuple[int, ProgSide, str]]] = {}
        self.broken_bridges: set[int] = set()

    @property
    def columns(self) -> int:
        return len(self.devices)

    @classmethod
    def random(
        cls, columns: int, rng: random.Random, most: int = 3, never: float = 0.0, weak: float = 0.0
    ) -> Row:
        row = cls(columns)
        for pair in row.devices:
            for device in pair:
                device.state = rng.choice([PRISTINE, PRISTINE, LRS, HRS])
                for op in ProgOp:
                    device.need[op] = NEVER if rng.random() < never else rng.randint(1, most)
                device.weak = device.state != PRISTINE and rng.random() < weak
        return row

    def pulse(self, op: ProgOp, side: ProgSide, select: int) -> None:
        for column in bits(select):
            self.devices[column][side].pulse(op)
        for column, other, state in self.disturbs.get(self.pulses, ()):
            self.devices[column][other].state = state
        self.pulses += 1

    def answers(self, side: ProgSide, ref: VerifyRef, margin: int = 0) -> int:
        return sum(pair[side].passes(ref, margin) << c for c, pair in enumerate(self.devices))

    def weights(self) -> int:
        """Bridge read with all inputs at +1: 1 where P conducts and N does not."""
        return sum(
            ((pair[0].state == LRS and pair[1].state != LRS) ^ (c in self.broken_bridges)) << c
            for c, pair in enumerate(self.devices)
        )


def bits(value: int) -> list[int]:
    return [i for i in range(value.bit_length()) if value >> i & 1]


def lowest(value: int, count: int) -> int:
    return sum(1 << i for i in bits(value)[:count])


@dataclasses.dataclass
class Outcome:
    """Everything that a command does, in order; what the monitor saw has the same form."""

    events: list
    code: ErrorCode = ErrorCode.NONE
    detail: int = 0
    cycles: int = 0
    image: int | None = None

    def count(self, kind: str) -> int:
        return sum(event[0] == kind for event in self.events)


REF = {ProgOp.FORM: VerifyRef.FORMED, ProgOp.SET: VerifyRef.LRS_MAX, ProgOp.RESET: VerifyRef.HRS_MIN}


def reference(
    command: Command,
    geometry: Geometry,
    timing: Timing,
    row: Row,
    image: int,
    mask: int,
    *,
    ready_cyc: int = 0,
) -> Outcome:
    """What ``command`` has to do with ``row``, which is left alone."""
    row = copy.deepcopy(row)
    everything = (1 << geometry.columns) - 1
    mask &= everything
    out = Outcome([])
    if command == Command.READ_ROW:
        out.events.append(("read", everything))
        out.image = row.weights()
        out.cycles = read_row_cycles(geometry, timing)
        return out
    refreshing = command == Command.REFRESH_ROW
    programming = command == Command.PROGRAM_ROW or refreshing
    margin = timing.verify_margin if refreshing else 0
    logged = {side: 0 for side in ProgSide}
    works = []

    def targets(op: ProgOp, side: ProgSide) -> int:
        wants_lrs = image if side == ProgSide.P else ~image
        return {ProgOp.FORM: mask, ProgOp.SET: mask & wants_lrs, ProgOp.RESET: mask & ~wants_lrs}[op]

    def verify(op: ProgOp, side: ProgSide, pending: int) -> int:
        out.events.append(("verify", side, REF[op], margin, pending))
        return pending & ~row.answers(side, REF[op], margin)

    def log(op: ProgOp, side: ProgSide, failed: int) -> tuple[int, ...]:
        out.events.extend(("log", column, side, op) for column in bits(failed))
        logged[side] |= failed
        return tuple((failed >> 32 * w & 0xFFFFFFFF).bit_count() for w in range(geometry.row_words))

    ops = (ProgOp.RESET, ProgOp.SET) if refreshing else (ProgOp.FORM, ProgOp.RESET, ProgOp.SET)
    for op in ops if programming else ():
        conditions = {ProgOp.FORM: timing.form, ProgOp.SET: timing.set, ProgOp.RESET: timing.reset}[op]
        for side in ProgSide:
            asked = targets(op, side)
            pending = verify(op, side, asked) if asked else 0
            attempts = pulses = 0
            while pending and attempts < conditions.attempts:
                wl = min(conditions.wl_start + attempts * conditions.wl_step, conditions.wl_limit)
                prog = min(conditions.prog_start + attempts * conditions.prog_step, conditions.prog_limit)
                rest = pending
                while rest:
                    group = lowest(rest, timing.max_parallel)
                    out.events.append(("pulse", op, side, wl, prog, group, conditions.width_cyc))
                    row.pulse(op, side, group)
                    pulses += 1
                    rest &= ~group
                attempts += 1
                pending = verify(op, side, pending)
            failing = log(op, side, pending)
            works.append(
                PhaseWork(op=op, targets=asked.bit_count(), attempts=attempts, pulses=pulses, failing=failing)
            )
    for op in (ProgOp.RESET, ProgOp.SET):
        for side in ProgSide:
            asked = targets(op, side)
            failed = verify(op, side, asked) & ~logged[side] if asked else 0
            works.append(PhaseWork(op=op, targets=asked.bit_count(), failing=log(op, side, failed)))
    if out.count("log"):
        out.code, out.detail = ErrorCode.NOT_CONVERGED, out.count("log")
    if programming:
        if mask:
            out.events.append(("read", mask))
            differing = (row.weights() ^ image) & mask
            if differing and not out.code:
                out.code, out.detail = ErrorCode.READBACK_MISMATCH, bits(differing)[0]
        out.cycles = program_row_cycles(geometry, timing, works, ready_cyc=ready_cyc, masked=bool(mask))
    else:
        out.cycles = verify_row_cycles(geometry, timing, works)
    return out
