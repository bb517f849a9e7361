"""Every command ends: a number computed from the state falls in every cycle of a running command.

The number is a tuple, compared from its first member on, of registers of fixed width: it cannot fall for ever,
whatever the macro answers and the registers hold. INFER may also wait for its host, for an input or for a free
result bank; nothing else holds it up.
"""

from amaranth.hdl import Cat, Const, Mux, Value

from .observer import Check, View
from .structure import holds

__all__ = ["CHECKS", "COVERS"]

IN_GROUP = ("CHOOSE_GROUP", "SET_UP", "PULSE", "HOLD")
IN_ATTEMPT = ("VERIFY", "DROP_PASSED", "JUDGE", *IN_GROUP, "SELECT_PENDING")
TIMED = ("VERIFY", "SET_UP", "PULSE", "PRECHARGE", "EVALUATE", "RAISE_RAILS")
WALKS = (
    "FIND_TARGETS",
    "DROP_PASSED",
    "CHOOSE_GROUP",
    "SELECT_PENDING",
    "LOG_FAILED",
    "SELECT_READ",
    "CAPTURE",
)


def choose(v: View, block: str, numbers: dict[str, int | Value], width: int) -> Value:
    """A number by state; 0 for the states that are not there."""
    total = Const(0, width)
    for state, number in numbers.items():
        total = total | Mux(v.state(block, state), Value.cast(number)[:width], 0)
    return total[:width]


def ones(bits: Value) -> Value:
    return sum(bits[i] for i in range(len(bits)))


def word(*members: Value) -> Value:
    """The members as one number, the first one strongest."""
    return Cat(*reversed([Value.cast(member) for member in members]))


def columns_pulsed(v: View) -> Value:
    """Columns that have had their pulse in this attempt."""
    select = v.tap("program.pins__select")
    return v.register(
        "columns_pulsed",
        len(select),
        lambda done: Mux(v.state("program", "JUDGE"), 0, done | Mux(v.state("program", "HOLD"), select, 0)),
    )


def columns_logged(v: View) -> Value:
    """Columns that have been logged in this visit of LOG_FAILED."""
    column, count = v.tap("program.columns.column"), v.geometry.columns
    pushed = Mux(v.tap("program.log_push"), Const(1) << column[:3], 0)[:count]
    at = v.state("program", "LOG_FAILED")
    return v.register("columns_logged", count, lambda done: Mux(at, done | pushed, 0))


def program_rank(v: View) -> Value:
    op, side, final = v.pin.prog_op, v.tap("program.pins__side"), v.tap("program.final")
    phase = word(Mux(op == 0, 0, Mux(op == 2, 1, 2)), side) + Mux(final, 4, 0)
    phases = Const(29, 5) - phase
    stage = {state: phases for state in ("FIND_TARGETS", *IN_ATTEMPT, "LOG_FAILED", "NEXT_PHASE")}
    stage |= {"CHECK_ADDRESS": 31, "RAISE_RAILS": 30, "LOWER_RAILS": 8, "SELECT_READ": 7, "PRECHARGE": 6}
    stage |= {"EVALUATE": 5, "CAPTURE": 4, "FINISH": 1}
    used = v.tap("program.levels.used")
    attempt = {"FIND_TARGETS": 0x1FF} | {state: word(Const(1, 1), ~used) for state in IN_ATTEMPT}
    attempt |= {"FIND_TARGETS": 0x3FF}
    part = {"VERIFY": 7, "DROP_PASSED": 6, "JUDGE": 5, "SELECT_PENDING": 3, "LOG_FAILED": 2, "NEXT_PHASE": 1}
    part |= {state: 4 for state in IN_GROUP}
    groups = Mux(v.state("program", *IN_GROUP), ones(~columns_pulsed(v)), 0)
    step = {"CHOOSE_GROUP": 4, "SET_UP": 3, "PULSE": 2, "HOLD": 1}
    timer = ~v.tap("program.timer")
    logged = ones(~columns_logged(v))
    valid, index = v.tap("program.columns.scan.valid"), v.tap("program.columns.scan.index")
    scan = word(~valid, Mux(valid, ~index, 0), Value.cast(logged)[:3])
    time = {state: word(timer, ~v.tap("program.pins__hv_en")) for state in TIMED}
    time |= {state: scan for state in WALKS}
    return word(
        choose(v, "program", stage, 5),
        choose(v, "program", attempt, 10),
        choose(v, "program", part, 3),
        Value.cast(groups)[:3],
        choose(v, "program", step, 3),
        choose(v, "program", time, 17),
    )


def program_ends(v: View):
    rank = v.wire("program_rank", program_rank(v))
    running = ~v.state("program", "IDLE") & ~v.rst
    return running & v.past(running) & (rank >= v.past(rank))


def program_ends_lemmas(v: View):
    exhausted = v.tap("program.levels.exhausted")
    at = lambda *names: v.state("program", *names)  # noqa: E731
    timer, taken = v.tap("program.timer"), v.tap("program.columns.taken")
    select, pulsed, pulsing = v.tap("program.pins__select"), columns_pulsed(v), at("SET_UP", "PULSE", "HOLD")
    write, written = v.tap("program.columns.pending_write__en"), v.tap("program.columns.pending_write__data")
    pending = v.register("columns_pending", 32, lambda now: Mux(write, written, now))
    scan, last = "program.columns.scan.", v.geometry.row_words - 1
    return [
        v.tap(scan + "valid") & (v.tap(scan + "index") > last),
        ~v.tap(scan + "valid") & (v.tap(scan + "addr") > last),
        v.tap(scan + "origin") > last,
        v.state("program", *IN_GROUP, "SELECT_PENDING") & exhausted,
        v.state("program", *IN_GROUP) & v.tap("program.final"),
        ~at(*TIMED, "FIND_TARGETS") & timer.any(),
        at("FIND_TARGETS") & v.tap(scan + "valid") & timer.any(),
        at("RAISE_RAILS") & ~v.tap("program.pins__hv_en") & timer.any(),
        ~at(*IN_GROUP, "LOG_FAILED", "FINISH", "IDLE") & taken.any(),
        at("LOG_FAILED") & (taken != columns_logged(v)),
        at("CHOOSE_GROUP") & ((taken != pulsed) | ~(pending & ~taken).any()),
        pulsing & ~(select & ~pulsed).any(),
        pulsing & ~v.tap("program.last_group") & (taken != (pulsed | select)),
        pulsing & ~v.tap("program.last_group") & ~(pending & ~taken).any(),
        at("JUDGE") & v.tap("program.columns.found") & ~pending.any(),
    ]


CHECKS = [
    Check(
        "program_ends",
        "3.8",
        "PROGRAM_ROW, VERIFY_ROW and READ_ROW end: a rank of 41 bits falls in every cycle, for every value of the "
        "registers and every answer of the macro",
        program_ends,
        holds,
        program_ends_lemmas,
    ),
]
COVERS = []
