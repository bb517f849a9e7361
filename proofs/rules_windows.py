"""Rules of the activation maps: each window is gathered whole and in time, each pooled bit is stored once."""

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.utils import bits_for

from .maps import (
    GATHER,
    bits_left,
    gathering,
    held_plan,
    held_walk,
    inputs_of,
)
from .observer import Check, View
from .rules_termination import infer_ends_lemmas
from .structure import holds

__all__ = ["CHECKS", "COVERS"]

WRITER = "layer.maps.writer"


def lemmas(v: View) -> list[Value]:
    """What is known of descriptors, walks and the gathering."""
    return infer_ends_lemmas(v)


# --- a window in time, and whole --------------------------------------------------------------------------


def window_steps(v: View) -> Value:
    """Cycles that GATHER has taken for this window before this one."""
    moving = gathering(v, "GATHER")
    return v.register("window_steps", 8, lambda n: Mux(moving, n + ~n.all(), 0))


def window_bound(v: View):
    return gathering(v, "GATHER") & (window_steps(v) >= inputs_of(v, held_plan(v)))


def window_bound_lemmas(v: View) -> list[Value]:
    steps = window_steps(v) + bits_left(v)
    return [*lemmas(v), gathering(v, "GATHER") & (steps > inputs_of(v, held_plan(v)))]


def tiles_filled(v: View) -> Value:
    """By tile: its columns were written since the window was aimed at, up to the cycle before."""
    enable, tile = v.tap(f"{GATHER}.write_en"), v.tap(f"{GATHER}.write_tile")
    now = Cat(enable & (tile == t) for t in range(v.geometry.tiles))
    return v.register(
        "tiles_filled", v.geometry.tiles, lambda filled: Mux(gathering(v, "AIM"), 0, filled | now)
    )


def window_complete(v: View):
    whole = gathering(v, "READY") & (tiles_filled(v) == held_plan(v).used)
    return v.tap("layer.maps.moved") & ~whole


def window_complete_lemmas(v: View) -> list[Value]:
    tiles, plan, tile = range(v.geometry.tiles), held_plan(v), v.tap(f"{GATHER}.tile")
    enable, written = v.tap(f"{GATHER}.write_en"), v.tap(f"{GATHER}.write_tile")
    filled = tiles_filled(v) | Cat(enable & (written == t) for t in tiles)
    before = Cat((t >= plan.tile_first) & (t < tile) for t in tiles)
    place, left = v.tap(f"{GATHER}.place"), v.tap(f"{GATHER}.slice_left")
    width = Mux(tile == plan.tile_last, plan.cols_last, plan.cols)
    return [
        *lemmas(v),
        gathering(v, "GATHER") & (Cat(place, v.tap(f"{GATHER}.chunk_word")) + left != width),
        gathering(v, "AIM", "READY") & enable,
        gathering(v, "GATHER") & (filled != before),
        gathering(v, "DRAIN", "READY") & (filled != plan.used),
    ]


# --- addresses --------------------------------------------------------------------------------------------


def map_addresses(v: View):
    g, tap = v.geometry, lambda name: v.tap(f"{GATHER}.{name}")
    walk, x, y = held_walk(v), tap("chunk_x").as_signed(), tap("chunk_y").as_signed()
    past_edge = (x < 0) | (x + tap("up_to_source") > walk.row_bits) | (y < 0) | (y >= walk.height)
    write = v.tap(f"{WRITER}.write_enable") & (v.tap(f"{WRITER}.write_address") >= g.map_words)
    return write | (tap("enable") & past_edge)


# --- pooled bits ------------------------------------------------------------------------------------------


def stored_here(v: View) -> Value:
    """The chosen bit of the map is written."""
    bit = v.arbitrary("bit", bits_for(32 * v.geometry.map_words - 1))
    place = Cat(v.tap(f"{WRITER}.place"), v.tap(f"{WRITER}.write_address"))
    return v.tap(f"{WRITER}.write_enable") & (place == bit)


def bit_set(v: View) -> Value:
    """The chosen bit has been set for the running layer, before this cycle."""
    begins, first = v.tap(f"{WRITER}.begin"), v.tap(f"{WRITER}.first")
    return v.register("bit_set", 1, lambda done: Mux(begins, 0, done | (stored_here(v) & first)))


def pooled_once(v: View):
    tap = lambda name: v.tap(f"{WRITER}.{name}")  # noqa: E731
    held, told = tap("word"), tap("write_word")
    others = ((held ^ told) & ~tap("mask")).any()
    cleared = ~tap("first") & (held & ~told).any()
    number = v.tap("layer.maps.side")
    words = [
        [v.memory(f"layer.maps.map_{side}", i) for i in range(v.geometry.map_words)] for side in range(2)
    ]
    now = [Cat(bank).word_select(tap("write_address"), 32) for bank in words]
    stale = held != Mux(number, now[1], now[0])
    return (stored_here(v) & (tap("first") == bit_set(v))) | (
        tap("write_enable") & (others | cleared | stale)
    )


def pooled_once_lemmas(v: View) -> list[Value]:
    tap = lambda name: v.tap(f"{WRITER}.{name}")  # noqa: E731
    reader = lambda *names: v.state("layer.reader", *names)  # noqa: E731
    at, base, row, rows, pool = (tap(name) for name in ("at", "base", "row", "held_rows", "pool"))
    dx, dy, valid = tap("dx"), tap("dy"), v.tap("layer.adder.valid")
    end = Const(32 * v.geometry.map_words, len(at))
    clipped = lambda place: Mux(place < end, place, end)  # noqa: E731
    writing = v.state("layer", "READ") & v.tap("layer.maps.writes")
    frontier = Mux((dx | dy).any(), clipped(base + rows), at)
    bit = v.arbitrary("bit", bits_for(32 * v.geometry.map_words - 1))
    done = bit_set(v) | (stored_here(v) & tap("first"))
    return [
        *lemmas(v),
        valid & ~reader("PRECHARGE", "IDLE", "AWAIT_WINDOW"),
        tap("busy") & valid,
        (tap("busy") | valid) & ~v.state("layer", "READ"),
        v.tap("layer.stored") & valid,
        writing & ((base > end) | (at != clipped(base + row)) | (row >= rows) | (rows > v.geometry.rows)),
        writing & ((dx >= pool) | (dy >= pool)),
        writing & (done != (bit < frontier)),
    ]


CHECKS = [
    Check(
        "window_bound",
        "3.8",
        "a window is gathered within a cycle per bit of it, and 3 more",
        window_bound,
        holds,
        window_bound_lemmas,
    ),
    Check(
        "window_complete",
        "3.7",
        "a window moves to the pins only when the columns of each of its tiles were written, in the cycle before at "
        "the latest",
        window_complete,
        holds,
        window_complete_lemmas,
    ),
    Check(
        "map_addresses",
        "4",
        "the gathering reads only bits of pixels inside of the map, results go only to words that the map memory has",
        map_addresses,
        holds,
    ),
    Check(
        "pooled_once",
        "4",
        "a layer sets each bit of its map once, by the first window of its pool; the others only add ones to it; "
        "no write changes another bit or goes back to an older word",
        pooled_once,
        holds,
        pooled_once_lemmas,
    ),
]
COVERS = [
    Check(
        "cover_window",
        "3.7",
        "a window moves to the pins",
        lambda v: v.tap("layer.maps.moved"),
    ),
    Check(
        "cover_padding",
        "4",
        "bits outside of the map are gathered",
        lambda v: gathering(v, "GATHER") & ~v.tap(f"{GATHER}.enable"),
    ),
]
