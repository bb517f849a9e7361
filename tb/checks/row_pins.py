"""What a row command must show on the pins, cycle by cycle, from docs/architecture.md; and the record taken apart.

`bridgebnn.tb.checks.row_reference.reference` says what happens in which order, the contract how long each part
takes; `expected` puts both together. `seen` reads the same from the record of
``bridgebnn.tb.testbenches.program_pins``, and checks what must stand still meanwhile.

Cycle 0 is that of ``start``, in which the write of COMMAND is acknowledged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from bridgebnn.hdl.spec import Command, Geometry, ProgOp, ProgSide, Timing, VerifyRef
from bridgebnn.tb.checks.row_reference import Outcome

__all__ = ["Seen", "Waveform", "expected", "seen", "stopped"]

Events = list[tuple[Any, ...]]
HELD_IN_PULSE = ("row", "wl_en", "bl", "col_en", "prog_op", "prog_side", "wl_level", "prog_level")
HELD_IN_VERIFY = ("row", "wl_en", "col_en", "prog_side", "verify_ref", "prog_level")
HELD_IN_READ = ("row", "wl_en", "bl", "col_en")
STROBES = ("hv_en", "wl_en", "pulse", "verify", "precharge", "evaluate", "sense")


def expected(
    command: Command,
    geometry: Geometry,
    timing: Timing,
    image: int,
    mask: int,
    outcome: Outcome,
    ready_cyc: int,
) -> Events:
    """Every strobe of a command that runs to its end, as ``(name, first cycle, cycles, what)``, sorted by cycle.

    ``what``: of a pulse ``(op, side, wl_level, prog_level, columns)``, of a verify ``(side, reference, margin,
    columns)``, of evaluate ``columns``, of log the number of entries (of which the last is written in that cycle), else
    None.
    """
    w, s, v = geometry.row_words, timing.wl_setup_cyc, timing.verify_cyc
    programming = command in (Command.PROGRAM_ROW, Command.REFRESH_ROW)
    strobes: Events = []
    events = iter([*outcome.events, None])
    event = next(events)
    now = 2  # a cycle of the start, a cycle for the address
    if programming:
        now = 3 + max(ready_cyc + timing.rail_settle_cyc, w)
    elif command is Command.VERIFY_ROW:
        now += w + 1
    for _, _, columns in phases(command, image, mask & (1 << geometry.columns) - 1):
        if not columns:
            now += w + 1
            continue
        word_line, again = now + 1, True
        while again:  # one verify, and the pulses after it
            _, side, ref, margin, asked = event
            strobes.append(("verify", now + 1, v + w, (side, ref, margin, asked)))
            strobes.append(("wl_en", word_line, now + v + w + 1 - word_line, None))
            now += v + w + 1
            word_line, event = now + 1, next(events)
            again = False
            while event and event[0] == "pulse":
                _, op, side, wl, prog, group, width = event
                strobes.append(("pulse", now + 1 + s, width, (op, side, wl, prog, group)))
                now += max(s + width + 1, w + 2)
                event, again = next(events), True
        failed = [0] * w
        while event and event[0] == "log":
            failed[event[1] // 32] += 1
            event = next(events)
        if any(failed):
            now += 1 + sum(max(1, n) for n in failed)
            strobes.append(("log", now, None, sum(failed)))
    if programming:
        strobes.append(("hv_en", 3, now + 1 - 3, None))
        now += 1
    if event and event[0] == "read":
        now += w + 1
        strobes.append(("wl_en", now + 1, 2 * s + w + 1, None))
        strobes.append(("precharge", now + 1, s, None))
        strobes.append(("evaluate", now + 1 + s, s + w + 1, event[1]))
        now += 2 * s + w + 1
        event = next(events)
    elif programming:
        now += w + 1
    assert event is None, f"{event} was expected of no phase"
    assert now == outcome.cycles, f"two readings of the contract: {now} and {outcome.cycles} cycles"
    strobes.append(("irq", now + 1, None, None))
    return sorted(strobes, key=lambda strobe: (strobe[1], strobe[0]))


def phases(command: Command, image: int, mask: int) -> Iterator[tuple[ProgOp, ProgSide, int]]:
    """Phases of step 2 and reads of step 3, with their columns."""
    ops: tuple[ProgOp, ...] = ()
    if command is Command.PROGRAM_ROW:
        ops = (ProgOp.FORM, ProgOp.RESET, ProgOp.SET)
    if command is Command.REFRESH_ROW:
        ops = (ProgOp.RESET, ProgOp.SET)
    if command is not Command.READ_ROW:
        for op in (*ops, ProgOp.RESET, ProgOp.SET):
            for side in ProgSide:
                low_resistive = image if side is ProgSide.P else ~image
                yield op, side, mask & {0: -1, 1: low_resistive, 2: ~low_resistive}[int(op)]


@dataclasses.dataclass
class Seen:
    """The record of a command, taken apart.

    Attributes
    ----------
    strobes : list
        As from `expected`; ``irq`` ends the record.
    cut : int
        Cycle in which every strobe was low for good.
    """

    strobes: Events
    cut: int


class Waveform:
    """Pins by cycle; cycle 0 is that of ``start``."""

    def __init__(self, pins: list[str], trace: list[Any], whole: bool = False):
        self.rows: list[dict[str, str]] = []
        first = trace[0][0]
        ends = [cycle for cycle, _ in trace[1:]] + [trace[-1][0] + 1]
        for (cycle, values), end in zip(trace, ends, strict=True):
            self.rows += [dict(zip(pins, values, strict=True))] * (end - cycle)
        ack = [row["wb_ack"] for row in self.rows]
        start = next(i for i in range(1, len(ack)) if (ack[i - 1], ack[i]) == ("0", "1"))
        self.rows, self.first = self.rows[start:], first
        self.end = len(self.rows) - 1
        if not whole:
            self.end = next((i for i, row in enumerate(self.rows) if row["irq"] == "1"), self.end)

    def runs(self, name: str) -> Iterator[tuple[int, int]]:
        """(first cycle, cycles) of every time that a pin is not 0."""
        begin = same = None
        for cycle in range(self.end + 1):
            if self.rows[cycle] is same:
                continue
            same = self.rows[cycle]
            high = "1" in self.rows[cycle][name]
            if high and begin is None:
                begin = cycle
            if not high and begin is not None:
                yield begin, cycle - begin
                begin = None
        if begin is not None:
            yield begin, self.end + 1 - begin

    def held(self, names: tuple[str, ...], begin: int, end: int, what: str) -> dict[str, str]:
        """Values of pins that stand still from ``begin`` to before ``end``."""
        same = self.rows[begin]  # cycles without a change share one object
        values = {name: same[name] for name in names}
        for cycle in range(begin, end):
            if self.rows[cycle] is not same:
                same = self.rows[cycle]
                moved = {n: (v, same[n]) for n, v in values.items() if same[n] != v}
                assert not moved, f"{moved} in cycle {cycle} of a {what} from {begin} to {end}"
        return values


def seen(
    pins: list[str],
    record: dict[str, Any],
    geometry: Geometry,
    timing: Timing,
    address: tuple[int, int],
    stop: Callable[[Waveform], int] | None = None,
    whole: bool = False,
) -> Seen:
    """Strobes of a record; asserts the rules of the pins beside them, up to the cycle in which all must be low.

    The interrupt ends the record, but with ``whole``.
    """
    wave = Waveform(pins, record["trace"], whole)
    cut = stop(wave) if stop else len(wave.rows)

    def columns(values: dict[str, str], *names: str) -> int:
        assert int(values["wl_en"], 2) == 1 << address[0], f"wl_en = {values['wl_en']}, tile {address[0]}"
        assert int(values["row"], 2) == address[1], f"row = {int(values['row'], 2)}, not {address[1]}"
        found = {int(values[name], 2) for name in names}
        assert len(found) == 1, f"{names} differ: {values}"
        select = found.pop()
        shift = address[0] * geometry.columns
        assert select >> shift << shift == select, "columns of a tile below"
        assert select >> shift < 1 << geometry.columns, "columns of a tile above"
        return select >> shift

    strobes: Events = []
    for begin, length in wave.runs("pulse"):
        at = wave.held(HELD_IN_PULSE, begin - timing.wl_setup_cyc, min(cut, begin + length + 1), "pulse")
        op, side = ProgOp(int(at["prog_op"], 2)), ProgSide(int(at["prog_side"], 2))
        levels = int(at["wl_level"], 2), int(at["prog_level"], 2)
        strobes.append(("pulse", begin, length, (op, side, *levels, columns(at, "bl", "col_en"))))
    for begin, length in wave.runs("verify"):
        at = wave.held(HELD_IN_VERIFY, begin, begin + length, "verify")
        side, ref = ProgSide(int(at["prog_side"], 2)), VerifyRef(int(at["verify_ref"], 2))
        strobes.append(
            ("verify", begin, length, (side, ref, int(at["prog_level"], 2), columns(at, "col_en")))
        )
    for begin, length in wave.runs("precharge"):
        wave.held(HELD_IN_READ, begin, min(cut, begin + length + timing.wl_setup_cyc), "read")
        strobes.append(("precharge", begin, length, None))
    for begin, length in wave.runs("evaluate"):
        at = wave.held(HELD_IN_READ, begin, begin + length, "read")
        strobes.append(("evaluate", begin, length, columns(at, "bl", "col_en")))
    assert not list(wave.runs("sense")), "sense in a row command"
    for name in ("hv_en", "wl_en"):
        strobes += [(name, begin, length, None) for begin, length in wave.runs(name)]
    strobes += [("irq", begin, None, None) for begin, _ in wave.runs("irq")]
    last = wave.rows[-1]
    high = {name: last[name] for name in STROBES if "1" in last[name]}
    assert not high, f"after the command: {high}"
    return Seen(sorted(strobes, key=lambda strobe: (strobe[1], strobe[0])), cut)


def stopped(strobes: Events, cut: int, *, gated: bool) -> Events:
    """What is left of the strobes when all are low from cycle ``cut`` on, and the interrupt comes in the next.

    With ``gated`` a condition of a pulse has gone in the cycle before, and a pulse falls with it.
    """
    left = []
    for name, begin, length, what in strobes:
        end = cut - 1 if gated and name == "pulse" else cut
        if begin < end and name != "irq":
            left.append((name, begin, min(length, end - begin), what))
    return [*left, ("irq", cut + 1, None, None)]
