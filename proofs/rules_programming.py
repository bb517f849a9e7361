"""Rules of programming: which devices a pulse may reach, and that no device that failed stays unnamed."""

from amaranth.hdl import Cat, Const, Mux, Signal, Value

from bridgebnn.hdl.programming.column_walk import Walk
from bridgebnn.hdl.spec import REFERENCES, ErrorCode, ProgOp, VerifyRef

from .activity import doing
from .observer import Check, View
from .rules_pins import setting
from .rules_termination import columns_logged, columns_pulsed, ones, phase_now, program_ends_lemmas
from .structure import COMMAND, holds

__all__ = ["CHECKS", "COVERS"]

GROUP = ("SET_UP", "PULSE", "HOLD")
AFTER = ("LOWER_RAILS", "SELECT_READ", "PRECHARGE", "EVALUATE", "CAPTURE")


def tap(v: View, name: str) -> Value:
    return v.tap(f"program.{name}")


# --- the address and the budget of a pulse ----------------------------------------------------------------


def address(v: View) -> tuple[Value, Value]:
    """Tile and row of PROG_ADDRESS."""
    fields = {f.name: f for f in v.registers["PROG_ADDRESS"].fields}
    stored = v.tap("bank.prog_address__value")
    return tuple(stored[fields[name].lsb : fields[name].msb + 1] for name in ("tile", "row"))


def pulse_addressed(v: View):
    p, g, (tile, row) = v.pin, v.geometry, address(v)
    there = (p.row == row) & (p.wl_en == (Const(1, g.tiles) << tile[:4])[: g.tiles])
    return p.pulse & ~(there & (row < g.rows) & (tile < g.tiles))


def pulse_addressed_lemmas(v: View):
    tile, row = address(v)
    working, checking = ~doing(v, "IDLE", "FINISH"), doing(v, "CHECK_ADDRESS")
    lines = [(tap(v, "pins__tile"), tile), (tap(v, "pins__row"), row)]
    moved = Cat(pin != wanted[: len(pin)] for pin, wanted in lines).any()
    legal = (tile < v.geometry.tiles) & (row < v.geometry.rows)
    return [working & moved, working & ~checking & ~legal]


def budget(v: View) -> Value:
    return setting(v, "MAX_PARALLEL", "columns")


def pulse_budget(v: View):
    return v.pin.pulse & (ones(v.pin.col_en, 5) > budget(v))


def pulse_budget_lemmas(v: View):
    most, select, stage = budget(v), tap(v, "pins__select"), tap(v, "columns.stage.staged_0")
    group = doing(v, *GROUP)
    fresh = doing(v, "SET_UP") & (tap(v, "driver.timer") == 0)
    next_group = group & ~fresh & ~tap(v, "attempts.last_group") & tap(v, "attempts.staged")
    walking = tap(v, "columns.scan.valid") & (tap(v, "columns.scan.index") == 0)
    grouping = (tap(v, "columns.walk") == Walk.DROP) | (tap(v, "columns.walk") == Walk.CHOOSE)
    return [
        *program_ends_lemmas(v),
        fresh & (ones(stage, 4) > most),
        group & ~fresh & (ones(select, 4) > most),
        next_group & (ones(stage, 4) > most),
        grouping & walking & (tap(v, "columns.groups.budget") != most),
    ]


# --- one device pair, followed through a command -----------------------------------------------------------


class Column:
    """An arbitrary column of the row that is worked on, as the pins and the two row windows show it.

    Attributes
    ----------
    asked, image : Value
        Bits of ROW_MASK and ROW_IMAGE.
    enabled, answer : Value
        The macro's pins: ``col_en`` in any tile, ``sl`` in the addressed one.
    verified : list of Value
        By side: after the pair's last pulse, in this command, the device has passed a verify against the
        reference that the image asks for. What counts is ``sl`` in the last cycle of ``verify``.
    logged : list of Value
        By side: this command has put the device into the log.
    denied : Value
        The column failed the last verify that asked it, for the side and operation that are on the pins, and
        has had no pulse since.
    """

    def __init__(self, v: View):
        self.v, p, g = v, v.pin, v.geometry
        self.index = v.arbitrary("column", 3)
        memory = {name: v.memory(f"program.columns.{name}.memory", 0) for name in ("mask", "image")}
        self.asked = v.wire("column_asked", self.bit(memory["mask"]) & (self.index < g.columns))
        self.image = v.wire("column_image", self.bit(memory["image"]))
        tiles = [slice(t * g.columns, (t + 1) * g.columns) for t in range(g.tiles)]
        self.enabled = v.wire("column_enabled", Cat(self.bit(p.col_en[t]) for t in tiles).any())
        sl = [self.bit(p.sl[t]) for t in tiles]
        self.answer = v.wire("column_answer", Mux(tap(v, "pins__tile")[0], sl[1], sl[0]))
        self.fell = v.wire("column_verify_over", v.past(p.verify & self.enabled) & ~p.verify)
        self.said_yes, self.side, self.ref = v.past(self.answer), v.past(p.prog_side), v.past(p.verify_ref)
        start, pulsed = tap(v, "cmd__start"), p.pulse & self.enabled
        self.verified, self.logged = [], []
        for side in (0, 1):
            wants = Mux(self.image ^ side, VerifyRef.LRS_MAX, VerifyRef.HRS_MIN)
            passed = self.said_yes & (self.ref == wants)
            self.verified.append(
                self.kept(f"verified_{side}", self.fell & (self.side == side), passed, start | pulsed)
            )
            push = tap(v, "log_push") & (tap(v, "columns.failed__payload") == self.index)
            here = push & (tap(v, "pins__side") == side)
            self.logged.append(self._since(start, f"logged_{side}", here))
        self.was_pulsed = v.past(v.wire("column_pulsed", pulsed))
        over = self.was_pulsed & ~p.pulse
        denied = self.kept("denied", self.fell, ~self.said_yes, over)
        asked_side, asked_ref = (
            self.kept(f"asked_{name}", self.fell, value, 0)
            for name, value in (("side", self.side), ("ref", self.ref))
        )
        ref = Mux(p.prog_op == ProgOp.SET, REFERENCES[ProgOp.SET], REFERENCES[ProgOp.RESET])
        ref = Mux(p.prog_op == ProgOp.FORM, REFERENCES[ProgOp.FORM], ref)
        self.denied = v.wire("column_denied", denied & (asked_side == p.prog_side) & (asked_ref == ref))

    def kept(self, name: str, when: Value, value: Value, clear: Value) -> Value:
        """``value`` of the last cycle with ``when``, this one included; forgotten after ``clear``."""
        v, value = self.v, Value.cast(value)
        if f"{name}_now" not in v._named:
            kept = Signal(value.shape(), name=name)
            now = v.wire(f"{name}_now", Mux(when, value, kept))
            v.m.d.sync += kept.eq(Mux(clear, 0, now))
        return v._named[f"{name}_now"]

    def _since(self, start: Value, name: str, event: Value) -> Value:
        """Whether ``event`` has come after ``start``."""
        return self.v.register(name, 1, lambda was: ~start & (was | event))

    def bit(self, bits: Value) -> Value:
        return (bits >> self.index)[0]

    def target(self, op: Value, side: Value) -> Value:
        """Whether a phase is one for this column."""
        low = self.image ^ side
        return self.asked & ((op == ProgOp.FORM) | Mux(op == ProgOp.SET, low, ~low))


def pulse_needed(v: View):
    c = Column(v)
    return (c.index < v.geometry.columns) & v.pin.pulse & c.enabled & ~(c.denied & c.asked)


def pulse_needed_lemmas(v: View):
    c = Column(v)
    at = lambda *names: doing(v, *names)  # noqa: E731
    select, stage = tap(v, "pins__select"), tap(v, "columns.stage.staged_0")
    pending, pulsed = v.memory("program.columns.pending", 0), columns_pulsed(v)
    fresh_group = at("SET_UP") & (tap(v, "driver.timer") == 0)
    loaded_group = at(*GROUP) & ~fresh_group
    next_group = loaded_group & ~tap(v, "attempts.last_group") & tap(v, "attempts.staged")
    here = c.index < v.geometry.columns
    return [
        *program_ends_lemmas(v),
        *column_lemmas(v),
        fresh_group & (stage & pulsed).any(),
        fresh_group & (stage & ~pending).any(),
        loaded_group & (select & (pulsed | ~pending)).any(),
        next_group & (stage & (pulsed | select | ~pending)).any(),
        loaded_group & tap(v, "attempts.last_group") & tap(v, "attempts.staged") & (stage != pending),
        (tap(v, "columns.walk") == Walk.SELECT)
        & tap(v, "columns.scan.valid")
        & (tap(v, "columns.stage.w_data") != pending),
        at("VERIFY") & ~tap(v, "attempts.first_verify") & (tap(v, "driver.timer") == 0) & (stage != pending),
        at("VERIFY") & ~tap(v, "attempts.first_verify") & (tap(v, "driver.timer") != 0) & (select != pending),
        at("DROP_PASSED") & ~tap(v, "attempts.first_verify") & (select != pending),
        # Failed and not pulsed yet: so it stays until the pulse has fallen.
        loaded_group & c.fell,
        at("PULSE") & (tap(v, "driver.timer") == 0) & (tap(v, "pins__pulse") | c.was_pulsed),
        at("PULSE") & (tap(v, "driver.timer") != 0) & ~tap(v, "pins__pulse"),
        at("SET_UP") & (tap(v, "driver.timer") != 0) & c.was_pulsed,
        at(*GROUP) & c.was_pulsed & ~c.enabled,
        here & fresh_group & c.was_pulsed & ~c.bit(pulsed),
        at("DROP_PASSED") & c.was_pulsed,
        here & at(*GROUP) & c.bit(pending) & ~c.bit(pulsed) & ~c.denied & ~(at("HOLD") & c.bit(select)),
        here & at(*GROUP, "LOG_FAILED") & c.bit(pending) & ~c.asked,
        here & at("VERIFY", "DROP_PASSED") & ~tap(v, "attempts.first_verify") & c.bit(pending) & ~c.asked,
    ]


def column_lemmas(v: View) -> list[Value]:
    """What is staged and selected for the column in each phase; a walk sees what the memories hold."""
    c = Column(v)
    at = lambda *names: doing(v, *names)  # noqa: E731
    op, side, fresh, first = (
        tap(v, n) for n in ("pins__op", "pins__side", "phases.fresh", "attempts.first_verify")
    )
    valid, timer = tap(v, "columns.scan.valid"), tap(v, "driver.timer")
    select, stage = c.bit(tap(v, "pins__select")), c.bit(tap(v, "columns.stage.staged_0"))
    memory = {name: v.memory(f"program.columns.{name}.memory", 0) for name in ("mask", "image")}
    here, working = c.index < v.geometry.columns, ~at("IDLE")
    target = c.target(op, side)
    raising = at("RAISE_RAILS") & tap(v, "attempts.found")
    first_op = Mux(tap(v, "command") == COMMAND["REFRESH_ROW"], ProgOp.RESET, ProgOp.FORM)
    ref = Mux(op == ProgOp.SET, REFERENCES[ProgOp.SET], REFERENCES[ProgOp.RESET])
    ref = Mux(op == ProgOp.FORM, REFERENCES[ProgOp.FORM], ref)
    verifying = at("VERIFY", "DROP_PASSED")
    return [
        *(working & valid & (tap(v, f"columns.{name}.data") != memory[name]) for name in memory),
        working
        & ~fresh
        & ~at("FINISH")
        & (tap(v, "command") != COMMAND["READ_ROW"])
        & (tap(v, "pins__verify_ref") != ref),
        fresh
        & ~at("IDLE", "CHECK_ADDRESS", "RAISE_RAILS", "FIND_TARGETS", "FINISH")
        & (tap(v, "command") != COMMAND["READ_ROW"]),
        at("RAISE_RAILS") & ~fresh,
        at("CHECK_ADDRESS") & ~fresh,
        tap(v, "attempts.found") & ~at("IDLE", "RAISE_RAILS", "FINISH"),
        here & raising & (stage != c.target(first_op, Const(0, 1))),
        here & raising & c.target(first_op, Const(0, 1)) & ~tap(v, "columns.ahead_before"),
        at("FIND_TARGETS") & ~fresh & target,
        here & at("VERIFY") & first & (timer == 0) & (stage != target),
        here & verifying & first & ~(at("VERIFY") & (timer == 0)) & (select != target),
    ]


def ran_to_its_end(v: View) -> Value:
    """The sequencer reports a command that nothing has stopped."""
    codes = (ErrorCode.NONE, ErrorCode.NOT_CONVERGED, ErrorCode.READBACK_MISMATCH)
    return doing(v, "FINISH") & Cat(tap(v, "cmd__code") == code for code in codes).any()


def failures_named(v: View):
    c = Column(v)
    ending = ran_to_its_end(v)
    looked = tap(v, "command") != COMMAND["READ_ROW"]
    known = [c.verified[side] | c.logged[side] for side in (0, 1)]
    return ending & looked & c.asked & ~(known[0] & known[1])


def failures_named_lemmas(v: View):
    c = Column(v)
    at = lambda *names: doing(v, *names)  # noqa: E731
    op, side, final, fresh = (
        tap(v, "pins__op"),
        tap(v, "pins__side"),
        phase_now(v).final,
        tap(v, "phases.fresh"),
    )
    valid, walk, taken = (tap(v, "columns." + n) for n in ("scan.valid", "walk", "groups.done"))
    held = v.memory("program.columns.logged", 0)
    marks = [c.bit(held[32 * s : 32 * s + 32]) for s in (0, 1)]
    pending = c.bit(v.memory("program.columns.pending", 0))
    known = [c.verified[s] | c.logged[s] for s in (0, 1)]
    rank = v.wire("phase_rank", (op == ProgOp.SET) * 2 + side)
    of = lambda s: Mux(s, known[1], known[0])  # noqa: E731
    low, high = ~c.image, c.image  # the side that is to be in LRS, and in HRS
    looked = tap(v, "command") != COMMAND["READ_ROW"]
    over = at(*AFTER) | ran_to_its_end(v)
    here = c.index < v.geometry.columns
    in_phase = at("VERIFY", "DROP_PASSED", "LOG_FAILED", "FIND_TARGETS") & final & ~fresh & c.asked
    unnamed = lambda s: marks[s] & ~c.logged[s]  # noqa: E731
    logging = at("LOG_FAILED") & pending & ~(valid & c.bit(taken))
    return [
        *program_ends_lemmas(v),
        *column_lemmas(v),
        # RESET of P, then N, then SET of P, then N: what is behind is known.
        in_phase & (rank > high) & ~of(high),
        in_phase & (rank > low + 2) & ~of(low),
        in_phase & at("LOG_FAILED") & c.target(op, side) & ~of(side) & ~logging,
        looked & over & c.asked & ~(known[0] & known[1]),
        final & at(*GROUP),
        at("VERIFY", "DROP_PASSED") & final & ~tap(v, "attempts.first_verify"),
        here & at("LOG_FAILED") & c.bit(columns_logged(v)) & ~Mux(side, c.logged[1], c.logged[0]),
        # The marks of what is logged.
        *(here & at("RAISE_RAILS") & tap(v, "attempts.found") & marks[s] for s in (0, 1)),
        *(
            here
            & ~at("IDLE", "CHECK_ADDRESS", "RAISE_RAILS", "FINISH")
            & ~fresh
            & unnamed(s)
            & ~(logging & (side == s))
            for s in (0, 1)
        ),
        here & valid & (walk == Walk.DROP) & c.bit(tap(v, "columns.logged")) & ~Mux(side, marks[1], marks[0]),
        here & valid & (walk == Walk.LOG) & c.bit(tap(v, "columns.logged")) & ~Mux(side, marks[1], marks[0]),
    ]


def bridges_named(v: View):
    c = Column(v)
    programmed = (tap(v, "command") == COMMAND["PROGRAM_ROW"]) | (tap(v, "command") == COMMAND["REFRESH_ROW"])
    done = doing(v, "FINISH") & (tap(v, "cmd__code") == ErrorCode.NONE) & programmed
    answered = v.past(v.pin.evaluate & c.enabled) & (v.past(c.answer) == c.image)
    return done & c.asked & ~answered


def bridges_named_lemmas(v: View):
    c = Column(v)
    at = lambda *names: doing(v, *names)  # noqa: E731
    select, stage = c.bit(tap(v, "pins__select")), c.bit(tap(v, "columns.stage.staged_0"))
    loading = at("PRECHARGE") & (tap(v, "driver.timer") == 0)
    return [
        *program_ends_lemmas(v),
        *column_lemmas(v),
        at("PRECHARGE", "EVALUATE", "CAPTURE") & ~tap(v, "pins__active"),
        loading & c.asked & ~stage,
        at("PRECHARGE", "EVALUATE", "CAPTURE") & ~loading & c.asked & ~select,
        at("CAPTURE") & ~v.pin.evaluate,
    ]


CHECKS = [
    Check(
        "pulse_addressed",
        "4",
        "a pulse only on the row and the tile of PROG_ADDRESS, and only where there are such",
        pulse_addressed,
        holds,
        pulse_addressed_lemmas,
    ),
    Check(
        "pulse_budget",
        "4",
        "a pulse on at most `max_parallel` columns (0 acts as 1)",
        pulse_budget,
        holds,
        pulse_budget_lemmas,
    ),
    Check(
        "pulse_needed",
        "4",
        "a pulse only on columns of the mask whose last verify, for this side and operation, failed; one each",
        pulse_needed,
        holds,
        pulse_needed_lemmas,
    ),
    Check(
        "failures_named",
        "3.10",
        "PROGRAM_ROW, REFRESH_ROW, VERIFY_ROW that run to their end: each device of the mask has passed a verify "
        "since its last pulse, or is in the log",
        failures_named,
        holds,
        failures_named_lemmas,
    ),
    Check(
        "bridges_named",
        "3.10",
        "PROGRAM_ROW and REFRESH_ROW end in DONE only when every bridge of the mask has answered as the image says",
        bridges_named,
        holds,
        bridges_named_lemmas,
    ),
]
COVERS = [
    Check(
        "cover_second_group",
        "4",
        "a second group of columns is pulsed",
        lambda v: v.pin.pulse & columns_pulsed(v).any(),
    ),
]
