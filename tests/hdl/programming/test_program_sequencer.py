"""The program sequencer against the algorithm in plain Python, event by event and cycle by cycle."""

import dataclasses
import random

import pytest
from amaranth.hdl import Signal

from bridgebnn.hdl.programming.program_sequencer import ProgramSequencer
from bridgebnn.hdl.spec import (
    Command,
    ErrorCode,
    Geometry,
    ProgOp,
    ProgSide,
    PulseConditions,
    Timing,
)
from bridgebnn.tb.checks.row_reference import HRS, LRS, NEVER, PRISTINE, Row, reference
from tests.hdl.programming.program_bench import Bench, refuses

SMALL = Geometry(tiles=2, rows=5, inputs=5, bias=0)
TWO_WORDS = Geometry(tiles=3, rows=40, inputs=40, bias=4)
FULL_WORDS = Geometry(tiles=1, rows=1, inputs=64, bias=0)
WIDE = Geometry(tiles=1, rows=8, inputs=100, bias=10)
ROW_COMMANDS = (Command.PROGRAM_ROW, Command.REFRESH_ROW, Command.VERIFY_ROW, Command.READ_ROW)


def conditions(*, width_cyc=2, attempts=3, start=100, step=7, limit=115) -> PulseConditions:
    return PulseConditions(
        width_cyc=width_cyc,
        attempts=attempts,
        prog_start=start,
        prog_step=step,
        prog_limit=limit,
        wl_start=start - 50,
        wl_step=step + 1,
        wl_limit=limit - 50,
    )


TIMING = Timing(
    wl_setup_cyc=2,
    verify_cyc=3,
    rail_settle_cyc=4,
    rail_limit_cyc=30,
    max_parallel=5,
    form=conditions(width_cyc=3),
    set=conditions(width_cyc=2, start=240, step=100, limit=255),  # the sum passes 255
    reset=conditions(width_cyc=1, start=200, step=30, limit=150),  # a limit below the start
)
SHORTEST = Timing(
    wl_setup_cyc=1,
    verify_cyc=1,
    rail_settle_cyc=2,
    rail_limit_cyc=12,
    max_parallel=2,
    form=conditions(width_cyc=2),
    set=conditions(width_cyc=2),
    reset=conditions(width_cyc=2),
)


def with_parallel(columns: int) -> Timing:
    return dataclasses.replace(TIMING, max_parallel=columns)


def programmed(columns: int, image: int) -> Row:
    row = Row(columns)
    for c, pair in enumerate(row.devices):
        pair[ProgSide.P].state, pair[ProgSide.N].state = (LRS, HRS) if image >> c & 1 else (HRS, LRS)
    return row


# --- against the reference ------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", [SMALL, TWO_WORDS, FULL_WORDS, WIDE], ids=lambda g: f"C{g.columns}")
def test_random_rows_match_reference(geometry):
    rng = random.Random(geometry.columns)
    groups = sorted({1, 5, 32, 33, geometry.columns, geometry.columns + 1, 65535})
    pulses = []

    async def scenario(bench):
        for n, columns in enumerate(groups):
            bench.timing, bench.ready_cyc = with_parallel(columns), rng.randrange(4)
            bench.address = rng.randrange(geometry.tiles), rng.randrange(geometry.rows)
            await bench.configure()
            # One column a group is slow: few columns then.
            low = 0 if columns > 1 else max(0, geometry.columns - 12)
            bench.row = Row.random(geometry.columns, rng, most=2, never=0.05 if n % 2 else 0.0)
            mask = rng.getrandbits(geometry.columns) >> low << low
            seen = await bench.compare(Command.PROGRAM_ROW, rng.getrandbits(geometry.columns), mask)
            pulses.append(seen.count("pulse"))
            await bench.compare(Command.VERIFY_ROW, rng.getrandbits(geometry.columns), mask)

    Bench(geometry, TIMING).run(scenario)
    assert sum(pulses) > 20


def test_programming_conditions_by_default_on_a_wide_row():
    geometry, rng = Geometry(tiles=3, rows=512, inputs=784, bias=78), random.Random(862)

    async def scenario(bench):
        bench.row = Row.random(geometry.columns, rng, most=1)
        seen = await bench.compare(Command.PROGRAM_ROW, rng.getrandbits(862), (1 << 862) - 1)
        assert seen.code == ErrorCode.NONE

    form = dataclasses.replace(Timing().form, width_cyc=1)
    Bench(geometry, dataclasses.replace(Timing(), form=form, set=form, reset=form)).run(scenario)


def test_pulses_are_the_ceilings_of_the_groups():
    """3 pulses form a device, 2 reset it: an attempt costs ceil(44 / 10) or ceil(22 / 10) pulses."""
    image = sum(1 << c for c in range(0, 44, 2))

    async def scenario(bench):
        for pair in bench.row.devices:
            for device in pair:
                device.need = {ProgOp.FORM: 3, ProgOp.RESET: 2, ProgOp.SET: NEVER}
        seen = await bench.compare(Command.PROGRAM_ROW, image, (1 << 44) - 1)
        assert seen.code == ErrorCode.NONE
        assert seen.count("pulse") == 2 * 3 * 5 + 2 * 2 * 3
        assert seen.count("verify") == 2 * (1 + 3) + 2 * (1 + 2) + 2 * 1 + 4

    Bench(TWO_WORDS, with_parallel(10)).run(scenario)


def test_programmed_row_gets_no_pulse():
    async def scenario(bench):
        bench.row = programmed(44, 0x123456789AB)
        seen = await bench.compare(Command.PROGRAM_ROW, 0x123456789AB, (1 << 44) - 1)
        assert seen.code == ErrorCode.NONE
        assert seen.count("pulse") == 0
        assert seen.count("verify") == 10

    Bench(TWO_WORDS, TIMING).run(scenario)


@pytest.mark.parametrize(
    ("image", "mask", "verifies", "reads"),
    [(0x15, 0, 0, 0), (0x1F, 0x1F, 6, 1), (0x00, 0x11, 6, 1), (3, 0x16, 10, 1)],
)
def test_empty_column_sets_are_skipped(image, mask, verifies, reads):
    async def scenario(bench):
        bench.row = programmed(5, image)
        seen = await bench.compare(Command.PROGRAM_ROW, image, mask)
        assert (seen.count("verify"), seen.count("read")) == (verifies, reads)
        seen = await bench.compare(Command.VERIFY_ROW, image, mask)
        assert seen.count("verify") == verifies - (2 if mask else 0) - (verifies - 2) // 2 * bool(mask)

    Bench(SMALL, TIMING).run(scenario)


def test_bits_past_the_last_column_are_ignored():
    async def scenario(bench):
        await bench.compare(Command.PROGRAM_ROW, 0xFFFFFFF3, 0xFFFFFFE0)
        await bench.compare(Command.PROGRAM_ROW, 0xFFFFFFF3, 0xFFFFFFFA)
        await bench.compare(Command.READ_ROW, 0xFFFFFFFF, 0xFFFFFFE0)

    Bench(SMALL, TIMING).run(scenario)


def test_zero_acts_as_one():
    one = dataclasses.replace(SHORTEST.form, width_cyc=1, attempts=1)
    ones = dataclasses.replace(SHORTEST, rail_settle_cyc=1, max_parallel=1, form=one, set=one, reset=one)
    lengths = dict.fromkeys(("wl_setup_cyc", "verify_cyc", "rail_settle_cyc", "max_parallel"), 0)
    lengths |= {f"{op.name}_{name}": 0 for op in ProgOp for name in ("width_cyc", "attempts")}

    async def scenario(bench):
        await bench.configure(**lengths)
        bench.row = Row.random(5, random.Random(3), most=2)
        await bench.compare(Command.PROGRAM_ROW, 0x0B, 0x1F)
        await bench.compare(Command.VERIFY_ROW, 0x0B, 0x1F)
        await bench.compare(Command.READ_ROW, 0x0B, 0x1F)
        await bench.configure(rail_limit_cyc=0)
        bench.rails = False
        assert (await bench.command(Command.PROGRAM_ROW)).code == ErrorCode.RAILS_TIMEOUT

    Bench(SMALL, ones).run(scenario)


# --- devices that do not do as told ---------------------------------------------------------------


@pytest.mark.parametrize("op", list(ProgOp))
@pytest.mark.parametrize("side", list(ProgSide))
def test_stuck_device_is_logged(op, side):
    async def scenario(bench):
        device = bench.row.devices[33][side]
        device.state = HRS if op == ProgOp.SET else device.state
        device.need[op] = NEVER
        wants_lrs = op != ProgOp.RESET
        image = 0x5_5555_5555 & ~(1 << 33) | (wants_lrs == (side == ProgSide.P)) << 33
        seen = await bench.compare(Command.PROGRAM_ROW, image, (1 << 44) - 1)
        assert seen.code == ErrorCode.NOT_CONVERGED
        logged = [event for event in seen.events if event[0] == "log"]
        assert logged[0] == ("log", 33, side, op)
        assert seen.detail == len(logged) == (2 if op == ProgOp.FORM else 1)

    Bench(TWO_WORDS, TIMING).run(scenario)


def test_nothing_converges():
    async def scenario(bench):
        for pair in bench.row.devices:
            for device in pair:
                device.need = dict.fromkeys(ProgOp, NEVER)
        seen = await bench.compare(Command.PROGRAM_ROW, 0xAAAAAAAAAA, (1 << 44) - 1)
        assert seen.detail == 2 * 44 + 44  # neither side forms, nor does the device that should conduct

    Bench(TWO_WORDS, with_parallel(33)).run(scenario)


def test_final_verify_catches_a_disturb():
    async def scenario(bench):
        image, mask = 0x0F, 0x1F
        bench.row = programmed(5, image)
        bench.row.devices[4][ProgSide.N].state = HRS  # the last phase pulses it
        bench.row.disturbs = {0: [(2, ProgSide.N, LRS), (0, ProgSide.P, HRS)]}
        seen = await bench.compare(Command.PROGRAM_ROW, image, mask)
        assert seen.code == ErrorCode.NOT_CONVERGED
        assert [event for event in seen.events if event[0] == "log"] == [
            ("log", 2, ProgSide.N, ProgOp.RESET),
            ("log", 0, ProgSide.P, ProgOp.SET),
        ]

    Bench(SMALL, TIMING).run(scenario)


def test_device_logged_before_is_not_logged_by_the_final_verify():
    async def scenario(bench):
        bench.row = programmed(5, 0)
        stuck = bench.row.devices[3][ProgSide.P]
        stuck.state, stuck.need[ProgOp.RESET] = LRS, NEVER
        seen = await bench.compare(Command.PROGRAM_ROW, 0, 0x1F)
        assert seen.detail == 1
        seen = await bench.compare(Command.VERIFY_ROW, 0, 0x1F)  # not known to this command
        assert (seen.code, seen.detail) == (ErrorCode.NOT_CONVERGED, 1)

    Bench(SMALL, TIMING).run(scenario)


def test_read_back_mismatch():
    async def scenario(bench):
        bench.row = programmed(44, 0x3)
        bench.row.broken_bridges = {1, 37, 40}
        seen = await bench.compare(Command.PROGRAM_ROW, 0x3, (1 << 44) - 1 & ~2)
        assert (seen.code, seen.detail) == (ErrorCode.READBACK_MISMATCH, 37)
        bench.row.devices[5][ProgSide.P].state = LRS  # a logged device goes before
        bench.row.devices[5][ProgSide.P].need[ProgOp.RESET] = NEVER
        seen = await bench.compare(Command.PROGRAM_ROW, 0x3, (1 << 44) - 1)
        assert (seen.code, seen.detail) == (ErrorCode.NOT_CONVERGED, 1)
        assert (await bench.compare(Command.PROGRAM_ROW, 0x3, 0x1)).code == ErrorCode.NONE

    Bench(TWO_WORDS, TIMING).run(scenario)


# --- refresh --------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", [SMALL, TWO_WORDS, WIDE], ids=lambda g: f"C{g.columns}")
def test_random_rows_are_refreshed(geometry):
    rng = random.Random(geometry.columns)
    pulses = []

    async def scenario(bench):
        for margin in (26, 255, 0, 1):
            bench.timing = dataclasses.replace(TIMING, verify_margin=margin)
            await bench.configure()
            bench.row = Row.random(geometry.columns, rng, most=2, never=0.03, weak=0.3)
            image, mask = rng.getrandbits(geometry.columns), rng.getrandbits(geometry.columns)
            seen = await bench.compare(Command.REFRESH_ROW, image, mask)
            assert not any(event[0] == "pulse" and event[1] == ProgOp.FORM for event in seen.events)
            pulses.append(seen.count("pulse"))
            await bench.compare(Command.PROGRAM_ROW, image, mask)  # at the nominal reference again
            await bench.compare(Command.VERIFY_ROW, image, mask)

    Bench(geometry, TIMING).run(scenario)
    assert all(pulses)


def test_only_weak_devices_are_refreshed():
    image, everything = 0x123456789AB, (1 << 44) - 1

    async def scenario(bench):
        bench.row = programmed(44, image)
        seen = await bench.compare(Command.REFRESH_ROW, image, everything)  # a healthy row
        assert (seen.code, seen.count("pulse"), seen.count("verify")) == (ErrorCode.NONE, 0, 8)
        bench.row.devices[0][ProgSide.N].weak = True  # weight +1: HRS
        bench.row.devices[43][ProgSide.N].weak = True  # weight -1: LRS
        assert (await bench.compare(Command.VERIFY_ROW, image, everything)).code == ErrorCode.NONE
        assert (await bench.compare(Command.PROGRAM_ROW, image, everything)).count("pulse") == 0
        seen = await bench.compare(Command.REFRESH_ROW, image, everything)
        pulses = [event for event in seen.events if event[0] == "pulse"]
        assert [(op, side, select) for _, op, side, _, _, select, _ in pulses] == [
            (ProgOp.RESET, ProgSide.N, 1),
            (ProgOp.SET, ProgSide.N, 1 << 43),
        ]
        assert (await bench.compare(Command.REFRESH_ROW, image, everything)).count("pulse") == 0

    Bench(TWO_WORDS, TIMING).run(scenario)


def test_device_that_keeps_no_margin_is_logged():
    async def scenario(bench):
        bench.row = programmed(5, 0x0F)
        worn = bench.row.devices[2][ProgSide.N]
        worn.weak, worn.need[ProgOp.RESET] = True, NEVER
        seen = await bench.compare(Command.REFRESH_ROW, 0x0F, 0x1F)
        assert (seen.code, seen.detail) == (ErrorCode.NOT_CONVERGED, 1)
        bench.row.devices[0][ProgSide.P].state = PRISTINE  # no FORM, and SET alone does not form it here
        seen = await bench.compare(Command.REFRESH_ROW, 0x0F, 0x1F)
        assert seen.detail == 2

    Bench(SMALL, TIMING).run(scenario)


# --- the other commands ---------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", [SMALL, TWO_WORDS, FULL_WORDS, WIDE], ids=lambda g: f"C{g.columns}")
def test_program_verify_and_read_back(geometry):
    rng = random.Random(7)

    async def scenario(bench):
        everything = (1 << geometry.columns) - 1
        image = rng.getrandbits(geometry.columns)
        bench.row = Row.random(geometry.columns, rng, most=2)
        assert (await bench.compare(Command.PROGRAM_ROW, image, everything)).code == ErrorCode.NONE
        assert (await bench.compare(Command.VERIFY_ROW, image, everything)).code == ErrorCode.NONE
        await bench.compare(Command.READ_ROW, rng.getrandbits(geometry.columns), 0)
        assert await bench.read(bench.dut.image) == image
        wrong = image ^ 1 << geometry.columns - 1
        assert (await bench.compare(Command.VERIFY_ROW, wrong, everything)).detail == 2

    Bench(geometry, with_parallel(65535)).run(scenario)


@pytest.mark.parametrize("command", ROW_COMMANDS)
def test_address_outside_the_geometry(command):
    async def scenario(bench):
        for address in ((2, 0), (255, 0), (0, 5), (1, 8), (0, 65535)):
            bench.address = address
            await bench.configure()
            seen = await bench.command(command)
            assert (seen.code, seen.detail, seen.events, seen.cycles) == (ErrorCode.BAD_ADDRESS, 0, [], 2)
            assert not any(pins["active"] or pins["hv_en"] or pins["wl_en"] for pins in bench.trace)
        bench.address = (1, 4)
        await bench.configure()
        await bench.compare(command, 5, 7)

    Bench(SMALL, TIMING).run(scenario)


def test_unknown_command():
    async def scenario(bench):
        for command in (Command.NOP, Command.INFER, Command.CLEAR_LOG, Command.ABORT):
            seen = await bench.command(command)
            assert (seen.code, seen.events) == (ErrorCode.BAD_COMMAND, [])

    Bench(SMALL, TIMING).run(scenario)


def test_host_cannot_write_while_busy():
    async def scenario(bench):
        await bench.fill(0x1E, 0x0F)
        for window in (bench.dut.image, bench.dut.mask):
            bench.ctx.set(window.w_en, 1)
            bench.ctx.set(window.w_data, 0)
        want = reference(Command.VERIFY_ROW, SMALL, TIMING, bench.row, 0x1E, 0x0F)
        bench.ctx.set(bench.dut.image.w_en, 0)
        bench.ctx.set(bench.dut.mask.w_en, 0)
        await bench.start(Command.VERIFY_ROW)
        for window in (bench.dut.image, bench.dut.mask):
            bench.ctx.set(window.w_en, 1)
        while not (await bench.step())["done"]:
            pass
        for window in (bench.dut.image, bench.dut.mask):
            bench.ctx.set(window.w_en, 0)
        await bench.step()
        assert bench.events == want.events
        assert (await bench.read(bench.dut.image), await bench.read(bench.dut.mask)) == (0x1E, 0x0F)

    Bench(SMALL, TIMING).run(scenario)


def test_counters_saturate_and_clear():
    dut = ProgramSequencer(SMALL)
    for name in ("pulses", "verifies", "failures"):
        setattr(dut, name, Signal(32, init=0xFFFFFFFE))

    async def scenario(bench):
        bench.row.devices[0][ProgSide.P].need[ProgOp.FORM] = NEVER
        await bench.fill(0x1F, 0x1F)
        await bench.command(Command.PROGRAM_ROW)
        assert bench.counters() == [0xFFFFFFFF] * 3
        bench.ctx.set(dut.clear, 1)
        await bench.step()
        bench.ctx.set(dut.clear, 0)
        assert bench.counters() == [0] * 3
        await bench.compare(Command.PROGRAM_ROW, 0x1F, 0x1F)

    Bench(SMALL, TIMING, dut=dut).run(scenario)


def test_geometry_is_checked():
    refuses(TypeError, "geometry = 'mnist': must be a Geometry", lambda: ProgramSequencer("mnist"))


# --- rails ----------------------------------------------------------------------------------------


def test_rails_never_come():
    async def scenario(bench):
        await bench.fill(0x1F, 0x1F)
        bench.rails = False
        seen = await bench.command(Command.PROGRAM_ROW)
        assert (seen.code, seen.events) == (ErrorCode.RAILS_TIMEOUT, [])
        assert sum(pins["hv_en"] for pins in bench.trace) == TIMING.rail_limit_cyc

    Bench(SMALL, TIMING).run(scenario)


def test_rails_that_bounce_never_settle():
    async def scenario(bench):
        await bench.fill(0x1F, 0x1F)
        bench.ready_cyc = 0
        period = TIMING.rail_settle_cyc
        faults = {cycle: "rails" for cycle in range(0, 200, period)}
        seen = await bench.command(Command.PROGRAM_ROW, faults=faults)
        assert (seen.code, seen.events) == (ErrorCode.RAILS_TIMEOUT, [])
        assert sum(pins["hv_en"] for pins in bench.trace) == TIMING.rail_limit_cyc

    Bench(SMALL, TIMING).run(scenario)


def test_rails_that_settle_in_the_last_cycle_are_in_time():
    async def scenario(bench):
        await bench.fill(0x1F, 0)
        bench.ready_cyc = TIMING.rail_limit_cyc - TIMING.rail_settle_cyc
        assert (await bench.command(Command.PROGRAM_ROW)).code == ErrorCode.NONE
        bench.ready_cyc += 1
        assert (await bench.command(Command.PROGRAM_ROW)).code == ErrorCode.RAILS_TIMEOUT

    Bench(SMALL, TIMING).run(scenario)


def test_locked():
    async def scenario(bench):
        bench.unlocked = False
        for command in (Command.PROGRAM_ROW, Command.REFRESH_ROW):
            seen = await bench.command(command)
            assert (seen.code, seen.events) == (ErrorCode.LOCKED, [])
            assert not any(pins["hv_en"] for pins in bench.trace)
        await bench.compare(Command.VERIFY_ROW, 3, 7)
        await bench.compare(Command.READ_ROW, 3, 7)

    Bench(SMALL, TIMING).run(scenario)


# --- a fault in every cycle -----------------------------------------------------------------------

IMAGE, MASK = 0x2, 0x7


def faulty_row() -> Row:
    """Every state of the sequencer is entered: forming in two groups, reset, set, and a device to log."""
    row = Row(5)
    row.devices[0][ProgSide.N].state = HRS
    row.devices[1][ProgSide.N].state = LRS
    row.devices[2][ProgSide.P].state = HRS
    row.devices[2][ProgSide.N].state = LRS
    row.devices[1][ProgSide.N].need[ProgOp.RESET] = NEVER
    return row


ONE_ATTEMPT = dataclasses.replace(
    SHORTEST, max_parallel=1, **{op: conditions(width_cyc=2, attempts=1) for op in ("form", "set", "reset")}
)


@pytest.mark.parametrize("command", ROW_COMMANDS)
@pytest.mark.parametrize("fault", ["abort", "reset", "rails", "lock"])
def test_fault_in_every_cycle(command, fault):
    async def scenario(bench):
        bench.row = faulty_row()
        await bench.compare(command, IMAGE, MASK)
        clean = await clean_run(bench)
        rails = [cycle for cycle, pins in enumerate(bench.trace) if pins["hv_en"]]
        last = clean.cycles
        for cycle in range(1, last + 1):
            expected = clean
            bench.row = faulty_row()
            await bench.write(bench.dut.image, IMAGE)
            seen = await bench.command(command, faults={cycle: fault}, cap=2 * last + 50)
            if fault == "reset":
                assert seen is None
            elif fault == "abort" and cycle < last:
                assert (seen.code, seen.cycles) == (ErrorCode.ABORTED, cycle + 1)
            elif fault == "lock" and rails and rails[0] - 1 <= cycle <= rails[-1]:
                assert (seen.code, seen.cycles) == (ErrorCode.LOCKED, cycle + 1)
            elif fault == "rails" and rails and cycle in rails:
                first = rails[0] + bench.ready_cyc
                settled = first + bench.timing.rail_settle_cyc
                if cycle >= settled:
                    assert (seen.code, seen.cycles) == (ErrorCode.RAILS_LOST, cycle + 1)
                else:
                    longer = max(0, cycle - first + 1)
                    assert (seen.code, seen.cycles) == (expected.code, last + longer)
            else:
                assert dataclasses.asdict(seen) == dataclasses.asdict(clean)
            if command != Command.READ_ROW:
                assert await bench.read(bench.dut.image) == IMAGE
            if cycle % 40 == 0:  # what comes next is not disturbed
                bench.row = faulty_row()
                follows = (Command.PROGRAM_ROW, Command.VERIFY_ROW, Command.READ_ROW)[cycle // 40 % 3]
                await bench.compare(follows, IMAGE, MASK)

    async def clean_run(bench):
        bench.row = faulty_row()
        await bench.write(bench.dut.image, IMAGE)
        return await bench.command(command)

    Bench(SMALL, ONE_ATTEMPT).run(scenario)


def test_abort_while_idle_does_nothing():
    async def scenario(bench):
        for _ in range(3):
            await bench.step(abort=True)
        await bench.compare(Command.PROGRAM_ROW, 1, 3)

    Bench(SMALL, SHORTEST).run(scenario)


def test_abort_between_groups_leaves_no_trace():
    """The next command begins at column 0, though the groups had come to the second word."""

    async def scenario(bench):
        await bench.fill(0, (1 << 110) - 1)
        await bench.command(Command.PROGRAM_ROW, faults={150: "abort"})
        assert bench.trace[149]["select"] >> 32
        for command in (Command.READ_ROW, Command.VERIFY_ROW, Command.PROGRAM_ROW):
            await bench.command(Command.PROGRAM_ROW, faults={150: "abort"})
            await bench.compare(command, 0, (1 << 110) - 1)

    Bench(WIDE, with_parallel(5)).run(scenario)
