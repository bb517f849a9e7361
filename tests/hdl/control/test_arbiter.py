"""CommandArbiter and UnlockSequence against the sequencers' side of CommandPort, played here."""

import pytest

from bridgebnn.hdl.control.arbiter import CommandArbiter, UnlockSequence
from bridgebnn.hdl.spec import UNLOCK_KEYS, Command, ErrorCode
from tests.hdl.clocked import clocked

ON_PROGRAM = (Command.PROGRAM_ROW, Command.REFRESH_ROW, Command.VERIFY_ROW, Command.READ_ROW)


async def give(ctx, dut, opcode):
    """Write a command; leaves the cycle after, with the answer to ``reject`` of the cycle of the write."""
    ctx.set(dut.opcode, opcode)
    ctx.set(dut.strobe, 1)
    rejected = ctx.get(dut.reject)
    assert ctx.get(dut.rejected) == rejected
    await ctx.tick()
    ctx.set(dut.strobe, 0)
    return rejected


def outcome(ctx, dut):
    return {n: ctx.get(getattr(dut, n)) for n in ("busy", "done", "error", "command", "code", "detail")}


def ended(command, code=ErrorCode.NONE, detail=0):
    good = code == ErrorCode.NONE
    return {
        "busy": 0,
        "done": int(good),
        "error": int(not good),
        "command": command,
        "code": code,
        "detail": detail,
    }


@pytest.mark.parametrize("command", [*ON_PROGRAM, Command.INFER])
@pytest.mark.parametrize(("code", "detail"), [(ErrorCode.NONE, 0), (ErrorCode.BAD_DESCRIPTOR, 5)])
def test_sequencer_runs_and_ends(command, code, detail):
    dut = CommandArbiter()
    target, other = (dut.program, dut.layer) if command in ON_PROGRAM else (dut.layer, dut.program)

    async def scenario(ctx):
        ctx.set(dut.unlocked, 1)
        assert not await give(ctx, dut, command)
        assert (ctx.get(target.start), ctx.get(other.start), ctx.get(target.command)) == (1, 0, command)
        await ctx.tick()
        for _ in range(5):
            assert ctx.get(target.start) == 0
            assert outcome(ctx, dut) == {
                "busy": 1,
                "done": 0,
                "error": 0,
                "command": command,
                "code": 0,
                "detail": 0,
            }
            # What the other sequencer says does not matter.
            ctx.set(other.done, 1)
            ctx.set(other.code, 3)
            await ctx.tick()
        ctx.set(target.done, 1)
        ctx.set(target.code, code)
        ctx.set(target.detail, detail)
        assert ctx.get(dut.ended_done) == (code == ErrorCode.NONE)
        assert ctx.get(dut.ended_error) == (code != ErrorCode.NONE)
        await ctx.tick()
        ctx.set(target.done, 0)
        assert outcome(ctx, dut) == ended(command, code, detail)
        # The outcome stays until the next command is accepted.
        await ctx.tick().repeat(3)
        assert outcome(ctx, dut) == ended(command, code, detail)
        await give(ctx, dut, Command.NOP)
        assert outcome(ctx, dut)["code"] == 0
        assert outcome(ctx, dut)["busy"] == 1

    clocked(dut, scenario)


@pytest.mark.parametrize("unlocked", [0, 1])
@pytest.mark.parametrize("read_locked", [0, 1])
@pytest.mark.parametrize("opcode", [c for c in range(16) if c != Command.ABORT])
def test_who_may_start(opcode, unlocked, read_locked):
    dut = CommandArbiter()
    known = {c.value for c in Command}
    refusal = ErrorCode.NONE
    if opcode not in known:
        refusal = ErrorCode.BAD_COMMAND
    elif opcode in ON_PROGRAM and read_locked:
        refusal = ErrorCode.READ_LOCKED
    elif opcode in (Command.PROGRAM_ROW, Command.REFRESH_ROW) and not unlocked:
        refusal = ErrorCode.LOCKED
    runs = refusal == ErrorCode.NONE and opcode in (*ON_PROGRAM, Command.INFER)

    async def scenario(ctx):
        ctx.set(dut.unlocked, unlocked)
        ctx.set(dut.read_locked, read_locked)
        await give(ctx, dut, opcode)
        assert ctx.get(dut.program.start) + ctx.get(dut.layer.start) == runs
        assert ctx.get(dut.clear_log) == (opcode == Command.CLEAR_LOG)
        await ctx.tick()
        if runs:
            assert ctx.get(dut.busy) == 1
        else:
            assert outcome(ctx, dut) == ended(opcode, refusal)

    clocked(dut, scenario)


@pytest.mark.parametrize("second", [c for c in range(16) if c != Command.ABORT])
def test_second_command_is_rejected_and_disturbs_nothing(second):
    dut = CommandArbiter()

    async def scenario(ctx):
        assert not await give(ctx, dut, Command.INFER)
        await ctx.tick()
        assert await give(ctx, dut, second)
        assert outcome(ctx, dut)["command"] == Command.INFER
        assert ctx.get(dut.layer.start) + ctx.get(dut.program.start) + ctx.get(dut.layer.abort) == 0
        ctx.set(dut.layer.done, 1)
        await ctx.tick()
        assert outcome(ctx, dut) == ended(Command.INFER)

    clocked(dut, scenario)


def test_abort_reaches_the_running_sequencer_alone():
    dut = CommandArbiter()

    async def scenario(ctx):
        ctx.set(dut.unlocked, 1)
        for command, target, other in (
            (Command.PROGRAM_ROW, dut.program, dut.layer),
            (Command.INFER, dut.layer, dut.program),
        ):
            await give(ctx, dut, command)
            await ctx.tick().repeat(3)
            ctx.set(dut.opcode, Command.ABORT)
            ctx.set(dut.strobe, 1)
            assert (ctx.get(dut.reject), ctx.get(target.abort), ctx.get(other.abort)) == (0, 1, 0)
            await ctx.tick()
            ctx.set(dut.strobe, 0)
            assert ctx.get(target.abort) == 0
            ctx.set(target.done, 1)
            ctx.set(target.code, ErrorCode.ABORTED)
            await ctx.tick()
            ctx.set(target.done, 0)
            assert outcome(ctx, dut) == ended(command, ErrorCode.ABORTED)

    clocked(dut, scenario)


def test_abort_before_the_start_ends_the_command():
    dut = CommandArbiter()

    async def scenario(ctx):
        await give(ctx, dut, Command.INFER)
        ctx.set(dut.opcode, Command.ABORT)
        ctx.set(dut.strobe, 1)
        assert ctx.get(dut.layer.start) == 0
        await ctx.tick()
        ctx.set(dut.strobe, 0)
        assert outcome(ctx, dut) == ended(Command.INFER, ErrorCode.ABORTED)

    clocked(dut, scenario)


def test_abort_while_idle_changes_nothing():
    dut = CommandArbiter()

    async def scenario(ctx):
        await give(ctx, dut, 9)
        await ctx.tick()
        assert not await give(ctx, dut, Command.ABORT)
        await ctx.tick()
        assert outcome(ctx, dut) == ended(9, ErrorCode.BAD_COMMAND)

    clocked(dut, scenario)


FIRST, SECOND = UNLOCK_KEYS


@pytest.mark.parametrize(
    ("keys", "unlocked"),
    [
        ((FIRST,), 0),
        ((SECOND,), 0),
        ((FIRST, SECOND), 1),
        ((SECOND, FIRST), 0),
        ((FIRST, FIRST, SECOND), 1),
        ((FIRST, 0, SECOND), 0),
        ((FIRST, SECOND ^ 1), 0),
        ((FIRST ^ 0x8000_0000, SECOND), 0),
        ((FIRST, SECOND, SECOND), 0),
        ((FIRST, SECOND, 0), 0),
        ((FIRST, SECOND, FIRST), 0),
        ((FIRST, SECOND, FIRST, SECOND), 1),
    ],
)
def test_unlock_sequence(keys, unlocked):
    dut = UnlockSequence()

    async def scenario(ctx):
        for key in keys:
            ctx.set(dut.key, key)
            ctx.set(dut.strobe, 1)
            await ctx.tick()
            ctx.set(dut.strobe, 0)
            await ctx.tick().repeat(2)
        assert ctx.get(dut.unlocked) == unlocked
        ctx.set(dut.lock, 1)
        assert ctx.get(dut.unlocked) == 0
        await ctx.tick()
        for key in UNLOCK_KEYS:
            ctx.set(dut.key, key)
            ctx.set(dut.strobe, 1)
            await ctx.tick()
        ctx.set(dut.strobe, 0)
        ctx.set(dut.lock, 0)  # even a lock that went away leaves it locked
        assert ctx.get(dut.unlocked) == 0

    clocked(dut, scenario)
