"""Subjects of row commands on the pins, each a group of steps of a `bridgebnn.tb.testbenches.row_script.Script`."""

from __future__ import annotations

import dataclasses
from typing import Any

from bridgebnn.hdl.spec import Command, ErrorCode, ProgOp, ProgSide, PulseConditions
from bridgebnn.tb.checks.row_pins import expected
from bridgebnn.tb.checks.row_reference import HRS, LRS, NEVER, PRISTINE, Device, Row
from bridgebnn.tb.host.driver import UNLOCK_KEYS

from .row_script import COUNTERS, TIMING, Script, Stop, conditions

__all__ = ["GROUPS"]

BUS_CYC = 5
"""A write of the host is through by then."""
ROW_COMMANDS = (Command.PROGRAM_ROW, Command.REFRESH_ROW, Command.VERIFY_ROW, Command.READ_ROW)


def random_rows(s: Script) -> None:
    """Any devices, any weights, any mask, all commands."""
    for n in range(6):
        lengths: dict[str, Any] = {"wl_setup_cyc": 1 + n % 3, "verify_cyc": 1 + n, "max_parallel": 7 * n + 1}
        lengths |= {op.name.lower(): any_conditions(s) for op in ProgOp}
        timing = dataclasses.replace(TIMING, **lengths)
        row = s.row(most=3, never=0.05 * (n % 3), weak=0.2)
        for command in ROW_COMMANDS:
            s.run_row(f"{command.name} {n}", command, row, s.bits(), s.bits(), timing=timing, ready_cyc=1 + n)
    s.clear()


def any_conditions(s: Script) -> PulseConditions:
    """Pulse conditions of any levels."""
    levels = {f"{pin}_{part}": s.rng.randrange(256) for pin in ("prog", "wl") for part in ("start", "limit")}
    levels |= {f"{pin}_step": s.rng.randrange(60) for pin in ("prog", "wl")}
    return conditions(s.rng.randrange(1, 12), s.rng.randrange(1, 6), **levels)


def groups(s: Script) -> None:
    """Every budget of columns a pulse; 0 acts as 1. Of few columns where a pulse has few."""
    columns = s.geometry.columns
    for budget in (*range(columns + 3), *(1 << bit for bit in range(5, 16)), 0xFFFF):
        timing = dataclasses.replace(
            TIMING, max_parallel=max(1, budget), set=conditions(1, 1), form=conditions(1, 1)
        )
        mask, row = s.bits(), s.row(most=2)
        if budget < 4:
            mask &= s.bits() & s.bits()
        if budget >= columns // 4:  # every column needs a pulse
            mask = (1 << columns) - 1
            for p, n in row.devices:
                p.state = n.state = PRISTINE
        s.run_row(
            f"max_parallel {budget}",
            Command.PROGRAM_ROW,
            row,
            s.bits(),
            mask,
            timing=timing,
            zeros=() if budget else ("MAX_PARALLEL.columns",),
        )
    s.clear()


def mask_past_the_last_column(s: Script) -> None:
    """Mask bits past the last column are ignored, one by one and all at once."""
    columns, width = s.geometry.columns, 32 * s.geometry.row_words
    past = ((1 << width) - 1) >> columns << columns
    for mask in (past, past | 1, past | 1 << columns - 1, *(1 << bit for bit in range(columns, width, 5))):
        for command in ROW_COMMANDS:
            s.run_row(f"{command.name} 0x{mask:x}", command, s.row(most=1), s.bits(), mask)
    s.clear()


LEVELS = {
    "limit between steps": {"start": 100, "step": 9, "limit": 120},
    "sum past 255": {"start": 200, "step": 60, "limit": 255},
    "sum past 512": {"start": 250, "step": 255, "limit": 254},
    "limit below start": {"start": 90, "step": 4, "limit": 60},
    "limit met": {"start": 10, "step": 5, "limit": 20},
    "step 0": {"start": 33, "step": 0, "limit": 255},
    "limit 0": {"start": 33, "step": 7, "limit": 0},
    "start 0": {"start": 0, "step": 85, "limit": 255},
}


def levels_and_stuck_devices(s: Script) -> None:
    """Devices stuck in LRS, in HRS and unformed take all attempts; both levels go up and stop at their limits."""
    names, columns = list(LEVELS), s.geometry.columns
    for n, name in enumerate(names):

        def of(shift: int, n: int = n, attempts: int = 6) -> PulseConditions:
            prog, wl = LEVELS[names[n]], LEVELS[names[(n + shift) % len(names)]]
            levels = {f"prog_{k}": v for k, v in prog.items()} | {f"wl_{k}": v for k, v in wl.items()}
            return conditions(1 + shift, attempts, **levels)

        timing = dataclasses.replace(
            TIMING, max_parallel=2, form=of(1), set=of(2, attempts=5), reset=of(3, attempts=7)
        )
        row, image = stuck(s), s.bits()
        mask = sum(1 << s.rng.randrange(columns) for _ in range(3)) | 1 << columns - 1 | 1
        for command in (Command.PROGRAM_ROW, Command.REFRESH_ROW):
            s.run_row(f"{command.name}, {name}", command, row, image, mask, timing=timing)
        s.clear()
    for op in ProgOp:
        own = conditions(1, 255, prog_start=0, prog_step=1, wl_start=0, wl_step=2)
        changed: dict[str, Any] = {op.name.lower(): own}
        timing = dataclasses.replace(TIMING, **changed)
        for image in (0, 1):
            row, side = programmed(s, image), ProgSide(image == (op is ProgOp.RESET))
            state = {ProgOp.FORM: PRISTINE, ProgOp.SET: HRS, ProgOp.RESET: LRS}[op]
            row.devices[0][side] = Device(state=state, need=dict.fromkeys(ProgOp, NEVER))
            outcome = s.run_row(
                f"255 times {op.name}, {image}", Command.PROGRAM_ROW, row, image, 1, timing=timing
            )
            assert sum(e[:2] == ("pulse", op) for e in outcome.events) == 255
    s.clear()


def stuck(s: Script) -> Row:
    """Devices that never move: formed and in LRS, in HRS, or pristine."""
    row = s.row(most=2, never=0.2)
    for pair in row.devices:
        for device in pair:
            if s.rng.random() < 0.6:
                device.need = dict.fromkeys(ProgOp, NEVER)
    return row


def programmed(s: Script, image: int) -> Row:
    """Every device where the image wants it."""
    row = Row(s.geometry.columns)
    for column, (p, n) in enumerate(row.devices):
        p.state, n.state = (LRS, HRS) if image >> column & 1 else (HRS, LRS)
    return row


def zeros(s: Script) -> None:
    """A 0 in a timing register, or in an attempt count, acts as 1; each alone, and all at once."""
    one: dict[str, Any] = dict.fromkeys(("wl_setup_cyc", "verify_cyc", "rail_settle_cyc", "max_parallel"), 1)
    fields: dict[str, dict[str, Any]] = {
        "TIMING_PROGRAM.wl_setup_cyc": {"wl_setup_cyc": 1},
        "TIMING_PROGRAM.verify_cyc": {"verify_cyc": 1},
        "TIMING_RAILS.rail_settle_cyc": {"rail_settle_cyc": 1},
        "MAX_PARALLEL.columns": {"max_parallel": 1},
    }
    for op in ProgOp:
        name, own = op.name.lower(), getattr(TIMING, op.name.lower())
        for field in ("width_cyc", "attempts"):
            fields[f"{op.name}_PULSE.{field}"] = {name: dataclasses.replace(own, **{field: 1})}
        one[name] = dataclasses.replace(own, width_cyc=1, attempts=1)
    mask = 1 << s.geometry.columns - 1 | 0x2B
    for zero, change in [((f,), c) for f, c in fields.items()] + [(tuple(fields), one)]:
        timing, row, image = (
            dataclasses.replace(TIMING, **change),
            s.row(most=2, never=0.1, weak=0.3),
            s.bits(),
        )
        for command in ROW_COMMANDS:
            name = f"{command.name}, {zero[0] if len(zero) == 1 else 'all'}"
            s.run_row(
                name, command, row, image, mask, timing=timing, zeros=zero, ready_cyc=s.geometry.row_words
            )
    s.clear()


def rails(s: Script) -> None:
    """The limit holds for the whole wait, settling included; a 0 acts as 1."""
    for command in (Command.PROGRAM_ROW, Command.REFRESH_ROW):
        for limit in (1, 2, 9, 10, 60, 0x1FF):
            s.no_rails(f"{command.name}, never up, {limit}", command, None, limit)
        s.no_rails(f"{command.name}, limit 0", command, 2, 1, zero=True)
        s.no_rails(f"{command.name}, a cycle too late", command, 21, 30)
        s.no_rails(f"{command.name}, no time to settle", command, 2, 11)
        timing = dataclasses.replace(TIMING, rail_settle_cyc=10, rail_limit_cyc=30)
        for ready_cyc in (1, 19, 20):  # the last one in the last cycle
            name = f"{command.name}, ready after {ready_cyc}"
            s.run_row(name, command, s.row(most=1), s.bits(), 3, timing=timing, ready_cyc=ready_cyc)
    s.clear()


def longest_times(s: Script) -> None:
    """Every bit of every length counts."""
    whole = 0xFFFF
    s.no_rails("limit", Command.PROGRAM_ROW, None, whole)
    rails_up: dict[str, Any] = {"rail_settle_cyc": whole - 2, "rail_limit_cyc": whole}
    timing = dataclasses.replace(TIMING, **rails_up, wl_setup_cyc=255, verify_cyc=255)
    s.run_row("settling", Command.REFRESH_ROW, s.row(most=1), s.bits(), 3, timing=timing)
    for op in ProgOp:
        own = dataclasses.replace(getattr(TIMING, op.name.lower()), width_cyc=whole)
        changed: dict[str, Any] = {op.name.lower(): own}
        timing = dataclasses.replace(TIMING, **changed)
        image = 0 if op is ProgOp.RESET else 1
        row = programmed(s, image)  # but for one pulse of this operation
        row.devices[0][ProgSide.P].state = {ProgOp.FORM: PRISTINE, ProgOp.SET: HRS, ProgOp.RESET: LRS}[op]
        outcome = s.run_row(f"{op.name} pulse", Command.PROGRAM_ROW, row, image, 1, timing=timing)
        assert sum(e[:2] == ("pulse", op) for e in outcome.events) == 1
    s.clear()


def refresh(s: Script) -> None:
    """REFRESH_ROW tightens every reference by its margin and never forms; a healthy row gets no pulse."""
    columns = s.geometry.columns
    for margin in (0, 1, 2, 4, 8, 16, 32, 64, 128, 255):
        timing = dataclasses.replace(TIMING, verify_margin=margin)
        image = s.bits(past=False)
        healthy, drifted = programmed(s, image), programmed(s, image)
        for pair in drifted.devices:
            for device in pair:
                device.weak = s.rng.random() < 0.3
        outcome = s.run_row(
            f"healthy, margin {margin}", Command.REFRESH_ROW, healthy, image, s.bits(), timing=timing
        )
        assert (outcome.count("pulse"), outcome.code) == (0, ErrorCode.NONE)
        whole = (1 << columns) - 1
        outcome = s.run_row(
            f"drifted, margin {margin}", Command.REFRESH_ROW, drifted, image, whole, timing=timing
        )
        assert bool(outcome.count("pulse")) == bool(margin)
        s.run_row(f"programmed, margin {margin}", Command.PROGRAM_ROW, drifted, image, whole, timing=timing)
        s.run_row(f"verified, margin {margin}", Command.VERIFY_ROW, drifted, image, whole, timing=timing)
        s.run_row(
            f"any, margin {margin}", Command.REFRESH_ROW, s.row(weak=0.5), image, s.bits(), timing=timing
        )
    s.clear()


def reading_back(s: Script) -> None:
    """Devices disturbed by pulses elsewhere are found at the end, bridges that read wrong in the lowest column."""
    columns = s.geometry.columns
    for lowest in sorted({0, 1, columns // 2, columns - 2, columns - 1}):
        image = s.bits(past=False) & ~(1 << lowest)
        row = programmed(s, image)
        row.broken_bridges = {lowest, columns - 1}
        outcome = s.run_row(f"mismatch in {lowest}", Command.PROGRAM_ROW, row, image, (1 << columns) - 1)
        assert (outcome.code, outcome.detail) == (ErrorCode.READBACK_MISMATCH, lowest)
        s.run_row(
            f"not asked {lowest}", Command.REFRESH_ROW, row, image, (1 << columns - 1) - 1 & ~(1 << lowest)
        )
        s.run_row(f"not read by verify {lowest}", Command.VERIFY_ROW, row, image, (1 << columns) - 1)
        other = (lowest + 3) % columns
        row.devices[lowest][ProgSide.N].state = HRS  # the last phase pulses it
        row.disturbs = {0: [(other, ProgSide.P, HRS if image >> other & 1 else LRS)]}
        outcome = s.run_row(f"disturb of {other}", Command.PROGRAM_ROW, row, image, (1 << columns) - 1)
        assert outcome.code is ErrorCode.NOT_CONVERGED
    s.clear()


def bad_addresses(s: Script) -> None:
    """A tile or a row outside the geometry, by any one bit: BAD_ADDRESS, and no pin moves. The last ones are legal."""
    g = s.geometry
    tiles = sorted({g.tiles, 0xFF, *(1 << bit for bit in range(8) if 1 << bit >= g.tiles)})
    rows = sorted({g.rows, 0xFFFF, *(1 << bit for bit in range(16) if 1 << bit >= g.rows)})
    places = [(tile, g.rows - 1) for tile in tiles] + [(g.tiles - 1, row) for row in rows] + [(0xFF, 0xFFFF)]
    for number, place in enumerate(places):
        for command in ROW_COMMANDS if number < 2 else (ROW_COMMANDS[number % 4],):
            step = {"address": place, "image": s.bits(), "mask": s.bits()}
            s.refused(f"{command.name} {place}", command, ErrorCode.BAD_ADDRESS, step)
    for place in ((g.tiles - 1, g.rows - 1), (g.tiles - 1, 0), (0, g.rows - 1), (0, 0)):
        for command in ROW_COMMANDS:
            s.run_row(f"{command.name} {place}", command, s.row(most=1), s.bits(), 0x11, address=place)
    s.clear()


STOPS = {
    "UNLOCK 0": (ErrorCode.LOCKED, ("UNLOCK", 0)),
    "UNLOCK first key": (ErrorCode.LOCKED, ("UNLOCK", UNLOCK_KEYS[0])),
    "UNLOCK second key": (ErrorCode.LOCKED, ("UNLOCK", UNLOCK_KEYS[1])),
    "LOCK": (ErrorCode.LOCKED, ("LOCK", 1)),
    "ABORT": (ErrorCode.ABORTED, ("COMMAND", int(Command.ABORT))),
    "rails": (ErrorCode.RAILS_LOST, None),
}
MOMENTS = {
    "settling": (("hv_ready", 1), 0),
    "first verify": (("verify", 1), 1),
    "first pulse": (("pulse", 1), 0),
    "between pulses": (("pulse", 2), 3),
    "a later verify": (("verify", 4), 2),
    "after a failure": (("pulse", 9), 0),
}


def stops(s: Script) -> None:
    """Relocked, aborted, without rails in mid-command: everything falls at once, and the code says why."""
    g, everything, locked = s.geometry, (1 << s.geometry.columns) - 1, False
    for command in (Command.PROGRAM_ROW, Command.REFRESH_ROW):
        for reason, (code, write) in STOPS.items():
            for moment, (at, delay) in MOMENTS.items():
                if reason == "rails" and moment == "settling":
                    continue  # not lost before they have settled
                if command is Command.REFRESH_ROW and (reason.startswith("UNLOCK ") and reason != "UNLOCK 0"):
                    continue
                row = s.row(most=2)
                for pair in row.devices:
                    for device in pair:
                        device.state = HRS if command is Command.REFRESH_ROW else PRISTINE
                row.devices[g.columns - 3][0] = Device(state=LRS, need=dict.fromkeys(ProgOp, NEVER))
                row.devices[g.columns - 3][1] = Device(state=LRS, need=dict.fromkeys(ProgOp, NEVER))
                timing = dataclasses.replace(TIMING, max_parallel=g.columns // 3)
                stop = Stop(
                    at=at, delay=delay, code=code, writes=[write] if write else [], drop_ready=not write
                )
                name = f"{command.name}, {reason} at {moment}"
                s.run_row(name, command, row, s.bits(), everything, timing=timing, stop=stop, reset=locked)
                locked = reason == "LOCK"  # until reset


def late_stops(s: Script) -> None:
    """ABORT in every cycle from the last verify read to the end, and from the precharge of a READ_ROW."""
    columns = s.geometry.columns
    image = sum(1 << column for column in range(0, columns, 2))
    everything = (1 << columns) - 1
    for command, pin in ((Command.PROGRAM_ROW, "verify"), (Command.READ_ROW, "precharge")):
        row = Row(columns)
        for column, pair in enumerate(row.devices):
            for side, device in enumerate(pair):
                device.state = LRS if (image >> column & 1) ^ side else HRS
        outcome = s.run_row(f"{command.name} to its end", command, row, image, everything)
        s.clear()
        strobes = expected(command, s.geometry, TIMING, image, everything, outcome, 2)
        rises = [strobe[1] for strobe in strobes if strobe[0] == pin]
        end = next(strobe[1] for strobe in strobes if strobe[0] == "irq")
        for delay in range(end - rises[-1] - BUS_CYC):
            stop = Stop(
                at=(pin, len(rises)),
                delay=delay,
                code=ErrorCode.ABORTED,
                writes=[("COMMAND", int(Command.ABORT))],
            )
            name = f"{command.name}, ABORT {delay} cycles after the last {pin}"
            s.run_row(name, command, row, image, everything, stop=stop)


def counters(s: Script) -> None:
    """PROG_PULSES, PROG_VERIFIES, PROG_FAILURES carry into every bit, stop at their largest value, and are cleared."""
    for n, value in enumerate((0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFE, 0xFFFEFFFF)):
        for name in COUNTERS:
            row, image = s.row(most=2, never=0.5), s.bits()
            preset = {other: value if other == name else 0x5A5A5A5A for other in COUNTERS}
            s.run_row(f"{name} from 0x{value:x}", Command.PROGRAM_ROW, row, image, 0x0F, preset=preset)
            s.run_row(f"{name} goes on", Command.VERIFY_ROW, row, image, 0x0F)
        if n % 3 == 0:
            s.clear()
    s.clear()


def failure_log(s: Script) -> None:
    """The log fills to its depth, then says that it overflowed, and interrupts; CLEAR_LOG empties it."""
    depth, columns, overflow = s.geometry.log_depth, s.geometry.columns, 1 << 5
    hopeless, few = Row(columns), (1 << 2) - 1
    for pair in hopeless.devices:
        for device in pair:
            device.need = dict.fromkeys(ProgOp, NEVER)
    for round_ in range(2):
        while len(s.log) < depth:
            mask = 1 << s.rng.randrange(columns)
            s.run_row("one more", Command.VERIFY_ROW, hopeless, mask, mask, enable=overflow)
        s.run_row("full, nothing lost", Command.READ_ROW, hopeless, 0, mask, enable=overflow)
        s.run_row("one lost", Command.VERIFY_ROW, hopeless, mask, mask, enable=overflow)
        s.run_row("another lost", Command.PROGRAM_ROW, hopeless, s.bits(), few, enable=overflow)
        s.run_row("none lost", Command.READ_ROW, hopeless, 0, few, enable=overflow)
        s.run_row("lost, not enabled", Command.VERIFY_ROW, hopeless, mask, mask, enable=0x3F ^ overflow)
        s.clear()
        s.run_row("many at once", Command.PROGRAM_ROW, hopeless, s.bits(), (1 << columns) - 1)
        if round_:
            s.run_row("and more", Command.REFRESH_ROW, hopeless, s.bits(), s.bits())
        s.clear()


GROUPS = {
    function.__name__: function
    for function in (
        *(
            random_rows,
            groups,
            mask_past_the_last_column,
            levels_and_stuck_devices,
            zeros,
            refresh,
            reading_back,
        ),
        *(rails, longest_times, bad_addresses, stops, late_stops, counters, failure_log),
    )
}
