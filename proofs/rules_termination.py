"""Every command ends: a number computed from the state falls in every cycle of a running command.

The number is a tuple of registers of fixed width, compared from its first member on: it cannot fall for
ever, whatever the macro answers and the registers hold. INFER may also wait for its host, for an input or
for a free result bank; nothing else holds it up.
"""

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.lib import data
from amaranth.utils import bits_for

from bridgebnn.hdl.layers.descriptor_table import RawDescriptor, plan_layout
from bridgebnn.hdl.programming.column_walk import Walk
from bridgebnn.hdl.programming.phases import Phase
from bridgebnn.hdl.spec import ErrorCode, ReadMode

from . import maps
from .activity import doing
from .maps import word
from .observer import Check, View
from .structure import COMMAND, holds

__all__ = ["CHECKS", "COVERS"]

GROUP = ("SET_UP", "PULSE", "HOLD")
PHASE = ("VERIFY", "DROP_PASSED", *GROUP, "LOG_FAILED")
TIMED = ("VERIFY", "SET_UP", "PULSE", "PRECHARGE", "EVALUATE")
WALKS = ("FIND_TARGETS", "DROP_PASSED", "HOLD", "LOG_FAILED", "SELECT_READ", "CAPTURE")


def choose(v: View, block: str, numbers: dict[str, int | Value], width: int) -> Value:
    """A number by state (of the program sequencer: by activity); 0 for those that are not there."""
    total = Const(0, width)
    for state, number in numbers.items():
        value = Value.cast(number)
        here = doing(v, state) if block == "program" else v.state(block, state)
        total = total | Mux(here, value[: min(width, len(value))], 0)
    return total[:width]


def ones(bits: Value, width: int) -> Value:
    """How many bits are set."""
    return Value.cast(sum(bits[i] for i in range(len(bits))))[:width]


# --- PROGRAM_ROW, REFRESH_ROW, VERIFY_ROW, READ_ROW -------------------------------------------------------


def phase_now(v: View) -> data.View:
    """The phase that was taken last."""
    return data.View(Phase, v.tap("program.phases.now"))


def columns_pulsed(v: View) -> Value:
    """Columns that have had their pulse in this attempt."""
    select = v.tap("program.pins__select")
    over = doing(v, "HOLD") & (v.tap("program.attempts.staged") | v.tap("program.columns.scan.last"))
    return v.register(
        "columns_pulsed",
        len(select),
        lambda done: Mux(doing(v, "DROP_PASSED"), 0, done | Mux(over, select, 0)),
    )


def columns_logged(v: View) -> Value:
    """Columns that have been logged in this visit of LOG_FAILED."""
    column, count = v.tap("program.columns.failed__payload"), v.geometry.columns
    pushed = Mux(v.tap("program.log_push"), (Const(1) << column[: bits_for(count - 1)])[:count], 0)
    at = doing(v, "LOG_FAILED")
    return v.register("columns_logged", count, lambda done: Mux(at, done | pushed, 0))


def program_rank(v: View) -> Value:
    op, side, final = v.tap("program.pins__op"), v.tap("program.pins__side"), phase_now(v).final
    timer, first = v.tap("program.driver.timer"), v.tap("program.attempts.first_verify")
    phase = word(Mux(op == 0, Const(0, 2), Mux(op == 2, Const(1, 2), Const(2, 2))), side) + Mux(final, 4, 0)
    stage = {state: Const(28, 5) - phase for state in PHASE}
    stage["FIND_TARGETS"] = Mux(v.tap("program.phases.fresh"), 29, (Const(28, 5) - phase)[:5])
    stage |= {"CHECK_ADDRESS": 31, "RAISE_RAILS": 30, "LOWER_RAILS": 8, "SELECT_READ": 7, "PRECHARGE": 6}
    stage |= {"EVALUATE": 5, "CAPTURE": 4, "FINISH": 1}
    # The first cycle of VERIFY counts the attempt.
    used = v.tap("program.attempts.levels.used")
    now = Mux(doing(v, "VERIFY") & (timer == 0), Mux(first, 0, (used + 1)[:8]), used)
    attempt = {state: word(Const(1, 1), ~now) for state in ("VERIFY", "DROP_PASSED", *GROUP)}
    attempt["FIND_TARGETS"] = 0x3FF
    part = {"VERIFY": 3, "DROP_PASSED": 2} | {state: 1 for state in GROUP}
    bits = bits_for(v.geometry.columns)
    groups = Mux(doing(v, *GROUP), ones(~columns_pulsed(v), bits), 0)
    step = {"SET_UP": 3, "PULSE": 2, "HOLD": 1}
    valid, index = v.tap("program.columns.scan.valid"), v.tap("program.columns.scan.index")
    scan = word(~valid, Mux(valid, ~index, 1), ones(~columns_logged(v), bits))
    hv_en, raising = v.tap("program.pins__hv_en"), v.tap("program.rails.timer")
    time = {state: word(~timer, ~hv_en) for state in TIMED} | {"RAISE_RAILS": word(~raising, ~hv_en)}
    time |= {state: scan for state in WALKS}
    return word(
        choose(v, "program", stage, 5),
        choose(v, "program", attempt, 10),
        choose(v, "program", part, 2),
        Value.cast(groups)[:bits],
        choose(v, "program", step, 2),
        choose(v, "program", time, 17),
    )


def program_ends(v: View):
    rank = v.wire("program_rank", program_rank(v))
    running = v.wire("program_running", ~doing(v, "IDLE") & ~v.rst)
    return running & v.past(running) & (rank >= v.past(rank))


def program_ends_lemmas(v: View):
    at = lambda *names: doing(v, *names)  # noqa: E731
    tap = lambda name: v.tap("program." + name)  # noqa: E731
    timer, raising, first = tap("driver.timer"), tap("rails.timer"), tap("attempts.first_verify")
    staged, last_group, exhausted = (
        tap("attempts." + n) for n in ("staged", "last_group", "levels.exhausted")
    )
    final = phase_now(v).final
    valid, index, address = (tap("columns.scan." + name) for name in ("valid", "index", "addr"))
    names = ("group_follows", "done", "cursor", "budget")
    more, taken, cursor, budget = (tap("columns.groups." + name) for name in names)
    walk = tap("columns.walk")
    select, stage = tap("pins__select"), tap("columns.stage.staged_0")
    pulsed, pending = columns_pulsed(v), v.memory("program.columns.pending", 0)
    offered, count, last = tap("columns.groups.lowest.offered"), v.geometry.columns, v.geometry.row_words - 1
    fresh_group = at("SET_UP") & (timer == 0)
    loaded_group = v.wire("group_loaded", at(*GROUP) & ~fresh_group)
    rest = (pending & ~taken).any()
    return [
        # Walks and timers begin where they should.
        valid & (index > last),
        ~valid & (address > last),
        cursor > last,
        tap("columns.stage.blank") > last,
        valid & (index == 0) & ((budget == 0) | tap("columns.groups.cut") | tap("columns.pending_before")),
        ~at(*TIMED) & timer.any(),
        ~at("RAISE_RAILS") & raising.any(),
        at("RAISE_RAILS") & ~tap("pins__hv_en") & raising.any(),
        at("VERIFY", "PRECHARGE", "EVALUATE", "LOWER_RAILS", "CHECK_ADDRESS") & valid,
        at(*GROUP) & staged & valid,
        fresh_group & (valid | staged),
        # Phases that there are.
        tap("pins__op") == 3,
        final & (tap("pins__op") == 0),
        # Attempts: an operation is not exhausted when it is tried again.
        at(*GROUP) & (exhausted | final),
        at("VERIFY") & (timer == 0) & ~first & (exhausted | final),
        at(*GROUP) & first,
        at(*PHASE) & tap("phases.fresh"),
        # Groups: what is staged and not yet pulsed is not empty, and what is taken is what was staged.
        fresh_group & ~(stage & ~pulsed).any(),
        fresh_group & more & ((taken != (pulsed | stage)) | ~rest),
        loaded_group & ~(select & ~pulsed).any(),
        loaded_group & ~last_group & ~staged & ((taken != (pulsed | select)) | ~rest | ~more),
        loaded_group & ~last_group & staged & ~(stage & ~(pulsed | select)).any(),
        loaded_group & ~last_group & staged & more & ((taken != (pulsed | select | stage)) | ~rest),
        # Memory of the pending columns: none past the last, and walks see what it holds.
        (at(*GROUP, "LOG_FAILED") | (at("VERIFY", "DROP_PASSED") & ~first)) & (pending >> count).any(),
        (walk == Walk.DROP) & ~first & valid & (offered & ~pending).any(),
        (walk == Walk.LOG) & valid & (offered != (pending & ~taken)),
        (walk == Walk.CHOOSE) & valid & (offered != (pending & ~taken)),
        # Log: what is taken has been logged.
        at("LOG_FAILED") & valid & (taken != columns_logged(v)),
        at("LOG_FAILED") & ~valid & columns_logged(v).any(),
    ]


# --- INFER ------------------------------------------------------------------------------------------------


def legal(raw: Value, v: View) -> Value:
    """What the check of the descriptors lets through, as far as the end of a layer depends on it."""
    g, d = v.geometry, data.View(RawDescriptor, raw)
    inputs = [(d[name] != 0) & (d[name] <= g.inputs) for name in ("cols", "cols_last")]
    bias = [d[name] <= g.bias for name in ("bias", "bias_last")]
    rows = [d.row_count != 0, d.row_first + d.row_count <= g.plain_rows]
    return Cat(d.tile_count != 0, d.tile_first + d.tile_count <= g.tiles, *rows, *inputs, *bias).all()


def host_holds_up(v: View) -> Value:
    """INFER waits for an input, or for a free result bank."""
    first = v.tap("layer.order.index") == 0
    final = v.tap("layer.order.index") + 1 == v.tap("bank.layer_count__value")[:8]
    there = v.tap("layer.inputs.loaded")
    if v.geometry.map_words:
        there = Mux(maps.next_reads_map(v), v.tap("layer.source.available"), there)
    missing = (first & ~there) | (final & ~v.tap("layer.results.free"))
    return v.state("layer", "START_LAYER") & missing


def row_register(v: View) -> str:
    """Where the read sequencer holds its row, from its own place on."""
    return "rows.rows.row" if v.geometry.map_words else "rows.row"


def infer_rank(v: View) -> Value:
    at = lambda *names: v.state("layer", *names)  # noqa: E731
    reader = lambda *names: v.state("layer.reader", *names)  # noqa: E731
    count = v.tap("bank.layer_count__value")[:8]
    held = data.View(plan_layout(v.geometry), v.tap("layer.reader.held"))
    stage = {"CHECK": 8, "CHECK_REPAIRS": 7, "FETCH_LAYER": 6, "FETCH_THRESHOLD": 5}
    stage |= {"START_LAYER": 4, "READ": 4, "REPORT": 1}
    checked = choose(v, "layer.check", {"FETCH": 3, "FIELDS": 2, "INPUTS": 1}, 2)
    left = Mux(v.state("layer.check", "INPUTS"), v.tap("layer.check.left"), 0)
    if v.geometry.map_words:  # the check of the walk is the last part of a descriptor's
        parts = {"READ_BITS": 4, "PIXELS": 3, "WRITTEN_BITS": 2, "JUDGE": 1}
        of_walk = word(choose(v, "layer.walk_check", parts, 3), v.tap("layer.walk_check.left"))
        left = Mux(v.state("layer.check", "WALK"), of_walk, left)
    checking = word((count - v.tap("layer.check.index"))[:8], checked, left)
    checking = Mux(at("CHECK_REPAIRS"), ~v.tap("layer.repairs.index"), checking)
    running = Mux(at("START_LAYER", "READ"), v.tap("layer.order.remaining"), 0)
    vectors = Mux(at("CHECK", "CHECK_REPAIRS"), checking, running)
    layers = ((count - v.tap("layer.order.index"))[:8] << 1) + 1
    running = Mux(v.tap("layer.order.running_final"), 0, layers + 1)
    resting = reader("IDLE")
    rows = (held.row_last - v.tap(f"layer.reader.{row_register(v)}"))[: len(held.row_last)]
    part = {"PRECHARGE": 6, "EVALUATE": 5, "SENSE": 4, "RESOLVE": 3, "COUNT": 3}
    part["IDLE"] = Mux(v.tap("layer.adder.last"), 2, 1)
    time = Mux(reader("COUNT"), ~v.tap("layer.reader.slices.slice"), v.tap("layer.reader.phases.timer"))
    time = Mux(reader("IDLE"), 0, Value.cast(time)[:16])
    windows, window = Const(0, 0), Const(0, 0)
    if v.geometry.map_words:  # windows of the running layer; what is left of the one that is waited for
        windows = Mux(v.tap("layer.maps.last_window"), 0, maps.windows_left(v))
        window = maps.window_left(v)
        resting = reader("IDLE", "AWAIT_WINDOW")
        part["AWAIT_WINDOW"] = 2
        time = Mux(reader("AWAIT_WINDOW"), window, time)
    of_read = word(
        windows,
        rows,
        Mux(resting, 0, word(~v.tap("layer.reader.pins__wl_en"), v.tap("layer.reader.trials.step"))),
        choose(v, "layer.reader", part, 3),
        time,
    )
    return word(
        choose(v, "layer", stage, 4),
        Value.cast(vectors)[:32],
        Value.cast(Mux(at("START_LAYER"), layers, Mux(at("READ"), running, 0)))[:10],
        Mux(at("READ"), of_read, Mux(at("START_LAYER"), window, 0)),
    )


def infer_ends(v: View):
    rank = v.wire("infer_rank", infer_rank(v))
    running = v.wire("infer_running", ~v.state("layer", "IDLE") & ~v.rst)
    waited = v.past(v.wire("host_holds_up", host_holds_up(v)))
    stuck = (rank > v.past(rank)) | ((rank == v.past(rank)) & ~waited)
    return running & v.past(running) & stuck


def infer_ends_lemmas(v: View):
    at = lambda *names: v.state("layer", *names)  # noqa: E731
    reader = lambda *names: v.state("layer.reader", *names)  # noqa: E731
    check = lambda *names: v.state("layer.check", *names)  # noqa: E731
    g, count = v.geometry, v.tap("bank.layer_count__value")[:8]
    held = data.View(plan_layout(g), v.tap("layer.reader.held"))
    wl_en, step = v.tap("layer.reader.pins__wl_en"), v.tap("layer.reader.trials.step")
    index, stored, commit = v.tap("layer.check.index"), v.tap("layer.stored"), v.tap("layer.results.commit")
    table = [v.memory("layer.table.memory", i) for i in range(g.layers)]
    raw = v.tap("layer.raw")
    past_check = at("CHECK_REPAIRS", "FETCH_LAYER", "FETCH_THRESHOLD", "START_LAYER", "READ")
    searching = reader("PRECHARGE", "EVALUATE", "SENSE", "RESOLVE") & (held.mode == ReadMode.SEARCH)
    over = v.tap("layer.adder.last") | stored | v.tap("layer.reader.answers.unresolved").any()
    one_hot = lambda bits: bits.any() & ~(bits & (bits - 1)).any()  # noqa: E731
    judging = check("INPUTS", *(["WALK"] if g.map_words else []))
    of_maps = [*maps.table_lemmas(v), *maps.gather_lemmas(v)] if g.map_words else []
    return [
        *of_maps,
        v.no_state("layer"),
        (past_check | at("CHECK"))
        & ((count == 0) | (count > g.layers) | (v.tap("layer.order.remaining") == 0)),
        (past_check | at("CHECK")) & (v.tap("layer.order.index") >= count),
        at("CHECK") & (check("IDLE") | (index >= count)),
        ~at("CHECK") & ~check("IDLE"),
        at("CHECK_REPAIRS") == v.state("layer.repairs", "IDLE"),
        v.tap("layer.repairs.index") > g.repair_entries,
        at("CHECK_REPAIRS") & (v.tap("layer.repairs.index") >= g.repair_entries),
        # Descriptors: those behind the check are legal, and nobody writes them.
        *(past_check & (i < count) & ~legal(word_, v) for i, word_ in enumerate(table)),
        *(at("CHECK") & (i < index) & ~legal(word_, v) for i, word_ in enumerate(table)),
        *(judging & (i == index) & ~legal(word_, v) for i, word_ in enumerate(table)),
        *(check("FIELDS") & (i == index) & (raw != word_) for i, word_ in enumerate(table)),
        at("FETCH_THRESHOLD", "START_LAYER", "READ") & ~legal(raw, v),
        # Search: the word line goes from the first tile to the last, the step down to 1.
        ~reader("IDLE") & ~(one_hot(held.last) & held.top.any() & held.top_last.any()),
        ~reader("IDLE") & ~(one_hot(held.first) & (held.first <= held.last)),
        searching & ~(one_hot(wl_en) & (wl_en <= held.last) & step.any()),
        reader("COUNT") & (held.mode != ReadMode.COUNT),
        reader("SENSE", "RESOLVE") & (held.mode == ReadMode.COUNT),
        ~reader("IDLE")
        & ((v.tap(f"layer.reader.{row_register(v)}") > held.row_last) | (held.row_last >= g.plain_rows)),
        # A further window begins with the layer's first row again.
        *([~reader("IDLE") & (held.row_first > held.row_last)] if g.map_words else []),
        # The end of a layer is on its way.
        at("READ") & reader("IDLE") & ~over,
        stored & v.tap("layer.adder.last"),
        commit != (stored & v.tap("layer.order.running_final")),
    ]


def loader_ends(v: View):
    """A pushed vector that INFER waits for is there within the words of all tiles and 3 cycles."""
    first, loaded = v.tap("layer.order.index") == 0, v.tap("layer.inputs.loaded")
    pushed = v.tap("layer.inputs.pushed") != 0
    waiting = v.state("layer", "START_LAYER") & first & pushed & ~loaded
    if v.geometry.map_words:  # windows come straight from the input bank
        waiting = waiting & ~maps.next_reads_map(v)
    waiting = v.wire("loader_runs", waiting)
    waited = v.register("loader_waited", 8, lambda n: Mux(waiting, n + ~n.all(), 0))
    return waiting & (waited >= v.geometry.tiles * v.geometry.row_words + 3)


def abort_terminates(v: View):
    """What runs when ABORT is written has ended two cycles later; the bus is not faster than that."""
    ended = v.past(v.wire("abort_accepted", v.aborts()), 2)
    return ended & v.tap("arbiter.busy") & ~v.past(v.rst) & ~v.past(v.rst, 2)


def outcome_told(v: View):
    """The cycle after a command: exactly one of DONE and error, a code with the error, the interrupt pending."""
    busy, done, error = (v.tap(f"arbiter.{name}") for name in ("busy", "done", "error"))
    pending, code = v.tap("bank.irq_pending__value"), v.tap("bank.error__value")[:8]
    over = v.past(busy) & ~busy & ~v.past(v.rst)
    told = Mux(done, pending[0], pending[1])
    return over & ~((done ^ error) & (error == (code != 0)) & told)


def wait_shown(v: View):
    """Where INFER waits for the host, STATUS says for what: an input is welcome, or a result is there."""
    index, waiting = v.tap("layer.order.index"), v.state("layer", "START_LAYER")
    starved = (index == 0) & ~v.tap("layer.inputs.loaded") & (v.tap("layer.inputs.pushed") == 0)
    final = index + 1 == v.tap("bank.layer_count__value")[:8]
    unread = final & ~v.tap("layer.results.free")
    hidden = (starved & ~v.tap("layer.input_ready")) | (unread & ~v.tap("layer.result_valid"))
    return waiting & hidden


CHECKS = [
    Check(
        "program_ends",
        "3.8",
        "PROGRAM_ROW, REFRESH_ROW, VERIFY_ROW and READ_ROW end: a rank, a number of fixed width, falls in every cycle",
        program_ends,
        holds,
        program_ends_lemmas,
    ),
    Check(
        "infer_ends",
        "3.8",
        "INFER ends: a rank falls in every cycle but those in which it waits for an input or for a "
        "free result bank",
        infer_ends,
        holds,
        infer_ends_lemmas,
    ),
    Check(
        "loader_ends",
        "3.8",
        "a pushed input that INFER waits for is loaded within `T*W + 3` cycles",
        loader_ends,
        holds,
    ),
    Check(
        "wait_shown",
        "3.8",
        "INFER waits for an input only with STATUS.input_ready, for a result bank only with STATUS.result_valid",
        wait_shown,
        holds,
    ),
    Check(
        "abort_terminates",
        "3.8",
        "two cycles after the write of ABORT no command runs, whatever it waited for",
        abort_terminates,
        holds,
    ),
    Check(
        "outcome_told",
        "3.8",
        "a command ends in exactly one of DONE and error, an error with its code, with its interrupt pending",
        outcome_told,
        holds,
    ),
]
COVERS = [
    Check(
        "cover_infer_done",
        "3.8",
        "INFER ends in DONE",
        lambda v: v.tap("arbiter.ended_done") & (v.tap("arbiter.program__command") == COMMAND["INFER"]),
    ),
    Check(
        "cover_wait",
        "3.8",
        "INFER waits for its host, and is aborted",
        lambda v: v.past(v.past(host_holds_up(v)) & v.aborts(), 2) & v.tap("arbiter.error"),
    ),
    Check(
        "cover_timeout",
        "3.8",
        "INFER ends in COMPARATOR_TIMEOUT",
        lambda v: v.tap("arbiter.ended_error") & (v.tap("layer.cmd__code") == ErrorCode.COMPARATOR_TIMEOUT),
    ),
    Check(
        "cover_second_attempt",
        "3.8",
        "an operation is tried a second time",
        lambda v: v.pin.pulse & (v.tap("program.attempts.levels.used") == 1),
    ),
    Check(
        "cover_second_trial",
        "3.8",
        "a search makes its second comparison",
        lambda v: v.pin.sense & (v.tap("layer.reader.trials.step") == 2),
    ),
]
