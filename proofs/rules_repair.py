"""Rules of the spares: what they stand in for is out of the way in every read, and no entry is ambiguous."""

from amaranth.hdl import Cat, Mux, Value

from .observer import Check, View
from .rules_termination import infer_ends_lemmas, row_register
from .structure import holds

__all__ = ["CHECKS", "COVERS"]

WINDOWS = ("REPAIR_COLUMN", "REPAIR_ROW")
ACCEPTED = ("FETCH_LAYER", "FETCH_THRESHOLD", "START_LAYER", "READ")
"""States of the layer sequencer behind the check of the entries."""


class Entry:
    """One spare as the repair table holds it: in use, and for which line."""

    def __init__(self, word: Value):
        self.line, self.valid = word[:16], word[16]


def columns(v: View, tile: int) -> list[Entry]:
    g, table = v.geometry, v.tap("layer.repairs.columns")
    entries = range(tile * g.spare_columns, (tile + 1) * g.spare_columns)
    return [Entry(table[17 * i : 17 * i + 17]) for i in entries]


def rows(v: View) -> list[Entry]:
    table = v.tap("layer.repairs.rows")
    return [Entry(table[17 * i : 17 * i + 17]) for i in range(v.geometry.spare_rows)]


def reading(v: View) -> Value:
    """A read of INFER."""
    return (v.pin.precharge | v.pin.evaluate) & ~v.tap("program.pins__active")


def replaced(v: View, tile: int) -> list[Value]:
    """By plain column: a spare of the tile stands in for it."""
    spares = columns(v, tile)
    return [Cat(e.valid & (e.line == c) for e in spares).any() for c in range(v.geometry.plain_columns)]


def walk_lemmas(v: View) -> list[Value]:
    """The check of the entries runs while the layer sequencer waits for it, over the entries that there are."""
    checking, index = v.state("layer", "CHECK_REPAIRS"), v.tap("layer.repairs.index")
    count = v.geometry.repair_entries
    return [checking == v.state("layer.repairs", "IDLE"), index > count, checking & (index >= count)]


def replaced_column_off(v: View):
    g = v.geometry
    stray = [
        v.pin.col_en[t * g.columns + c] & out for t in range(g.tiles) for c, out in enumerate(replaced(v, t))
    ]
    return reading(v) & Cat(stray).any()


def replaced_column_off_lemmas(v: View):
    g, lost = v.geometry, []
    at = lambda *names: v.state("layer", *names)  # noqa: E731
    for t in range(g.tiles):
        marked = v.tap(f"layer.columns.replaced_{t}")
        for k, entry in enumerate(columns(v, t)):
            walked = at(*ACCEPTED) | (
                at("CHECK_REPAIRS") & (v.tap("layer.repairs.index") > t * g.spare_columns + k)
            )
            named = Cat((entry.line == c) & marked[c] for c in range(g.plain_columns)).any()
            lost.append(walked & entry.valid & ~named)
    return [*lost, *walk_lemmas(v)]


def spare_in_use(v: View):
    g = v.geometry
    stray = [
        v.pin.col_en[t * g.columns + g.plain_columns + k] & ~entry.valid
        for t in range(g.tiles)
        for k, entry in enumerate(columns(v, t))
    ]
    return reading(v) & Cat(stray).any()


def replaced_row_unread(v: View):
    return reading(v) & Cat(e.valid & (v.pin.row == e.line) for e in rows(v)).any()


def replaced_row_unread_lemmas(v: View):
    g, (row, line) = v.geometry, (v.tap(f"layer.reader.{row_register(v)}"), v.tap("layer.reader.pins__row"))
    at = v.state("layer", *ACCEPTED)
    wanted = row
    for spare, entry in enumerate(rows(v)):
        wanted = Mux(entry.valid & (entry.line == row), g.plain_rows + spare, wanted)
    return [
        at & Cat(e.valid & (e.line >= g.plain_rows) for e in rows(v)).any(),
        ~v.state("layer.reader", "IDLE") & (line != wanted),
        *infer_ends_lemmas(v),
        v.state("layer", "CHECK_REPAIRS")
        & Cat(
            (v.tap("layer.repairs.index") > g.tiles * g.spare_columns + i)
            & e.valid
            & (e.line >= g.plain_rows)
            for i, e in enumerate(rows(v))
        ).any(),
    ]


def row_moves_with_precharge(v: View):
    p, owned = v.pin, v.tap("layer.active") & ~v.tap("program.pins__active")
    rises = p.precharge & ~v.past(p.precharge)
    return owned & p.wl_en.any() & v.changed(p.row) & ~rises


def repairs_checked(v: View):
    g = v.geometry
    bad = []
    for group, limit in (
        *((columns(v, t), g.plain_columns) for t in range(g.tiles)),
        (rows(v), g.plain_rows),
    ):
        bad += [e.valid & (e.line >= limit) for e in group]
        bad += [a.valid & b.valid & (a.line == b.line) for i, a in enumerate(group) for b in group[:i]]
    return v.state("layer", *ACCEPTED) & Cat(bad).any()


def repairs_checked_lemmas(v: View):
    g, index, bad, number = v.geometry, v.tap("layer.repairs.index"), [], 0
    walking = v.state("layer", "CHECK_REPAIRS")
    for group, limit in (
        *((columns(v, t), g.plain_columns) for t in range(g.tiles)),
        (rows(v), g.plain_rows),
    ):
        for entry in group:
            twice = Cat(e.valid & (e.line == entry.line) for e in group if e is not entry).any()
            bad.append(walking & (index > number) & entry.valid & ((entry.line >= limit) | twice))
            number += 1
    return [*bad, *walk_lemmas(v)]


def repairs_held(v: View):
    busy = v.tap("arbiter.busy")
    moved = v.changed(v.tap("layer.repairs.columns"), v.tap("layer.repairs.rows"))
    answered = Cat(v.ended(name) for name in WINDOWS).any() & v.is_write & v.pin.wb_ack
    return busy & v.past(busy) & ~v.past(v.rst) & (moved | (answered & (v.bus_phase == 1)))


CHECKS = [
    Check(
        "replaced_column_off",
        "4",
        "a column that a spare stands in for is enabled in no read of INFER",
        replaced_column_off,
        holds,
        replaced_column_off_lemmas,
    ),
    Check(
        "spare_in_use",
        "4",
        "a spare column whose entry is not valid is enabled in no read of INFER",
        spare_in_use,
        holds,
    ),
    Check(
        "replaced_row_unread",
        "4",
        "a word line that a spare stands in for is driven in no read of INFER",
        replaced_row_unread,
        holds,
        replaced_row_unread_lemmas,
    ),
    Check(
        "row_moves_with_precharge",
        "3.7",
        "in INFER `row` moves under a word line only with the rise of `precharge`",
        row_moves_with_precharge,
        holds,
    ),
    Check(
        "repairs_checked",
        "4",
        "INFER reads nothing while an entry names a line that is no plain one, or one that another entry names",
        repairs_checked,
        holds,
        repairs_checked_lemmas,
    ),
    Check(
        "repairs_held",
        "4",
        "REPAIR_COLUMN and REPAIR_ROW neither change nor acknowledge a write while a command runs",
        repairs_held,
        holds,
    ),
]
COVERS = [
    Check(
        "cover_spare_column",
        "4",
        "a spare column is read",
        lambda v: reading(v) & v.pin.col_en[v.geometry.plain_columns] & v.pin.evaluate,
    ),
    Check(
        "cover_spare_row",
        "4",
        "a spare row is read",
        lambda v: reading(v) & v.pin.evaluate & (v.pin.row == v.geometry.plain_rows),
    ),
    Check(
        "cover_bad_repair",
        "4",
        "INFER ends in BAD_SETTING for an entry that names a line twice",
        lambda v: (
            v.tap("arbiter.ended_error")
            & (v.tap("layer.cmd__detail")[:8] == 3)
            & (v.tap("layer.cmd__code") == 13)
            & (v.tap("layer.repairs.columns")[:16] == v.tap("layer.repairs.columns")[17:33])
        ),
    ),
]
