"""Activation maps as the properties see them: walks, the gathering of windows, and what is known of both.

Of geometries with ``map_words`` alone; `bridgebnn.proofs.rules_windows` has the properties, and the rank of INFER in
`bridgebnn.proofs.rules_termination` stands on the same invariants.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Value
from amaranth.lib import data
from amaranth.utils import bits_for

from bridgebnn.hdl.layers.descriptor_table import RawDescriptor, plan_layout
from bridgebnn.hdl.layers.window_gather import RawWalk
from bridgebnn.hdl.signatures import entry_layout

from .observer import View

__all__ = [
    "GATHER",
    "bits_left",
    "gather_lemmas",
    "gathering",
    "held_plan",
    "held_walk",
    "inputs_of",
    "next_reads_map",
    "table_lemmas",
    "window_left",
    "windows_left",
    "word",
]

PAST_CHECK = ("CHECK_REPAIRS", "FETCH_LAYER", "FETCH_THRESHOLD", "START_LAYER", "READ")
GATHER, CHECK = "layer.maps.gather", "layer.check"
NONZERO = ("kernel", "stride", "pool", "channels", "row_bits", "height", "out_width", "out_height")


def word(*members: Value) -> Value:
    """The members as one number, the first one strongest."""
    return Cat(*reversed([Value.cast(member) for member in members]))


def gathering(v: View, *names: str) -> Value:
    """The gathering of windows is in one of the states ``names``."""
    return v.state(GATHER, *names)


def next_reads_map(v: View) -> Value:
    """The next layer reads a map."""
    return v.tap("layer.source.reads_map")


def held_walk(v: View) -> data.View:
    """The walk of the layer whose windows are gathered."""
    return data.View(RawWalk, v.tap(f"{GATHER}.held_walk"))


def held_plan(v: View) -> data.View:
    """The plan of that layer."""
    return data.View(plan_layout(v.geometry), v.tap(f"{GATHER}.held_plan"))


def inputs_of(v: View, layer: data.View) -> Value:
    """Inputs of a layer, by its descriptor or plan: the columns of all its tiles."""
    tiles = range(1, v.geometry.tiles)
    others = sum((Mux(layer.tile_count > k, layer.cols, 0) for k in tiles), start=Value.cast(0))
    return (others + layer.cols_last)[: bits_for(v.geometry.tiles * v.geometry.inputs)]


def legal_walk(walk: data.View, inputs: Value) -> Value:
    """What the check of the walks lets through, as far as the gathering depends on it."""
    window = (walk.kernel * walk.channels) * walk.kernel
    reads = Cat(*(walk[name] != 0 for name in NONZERO), window == inputs).all()
    return Mux(walk.reads_map, reads, ~walk.writes_map)


def windows_left(v: View) -> Value:
    """A number that falls whenever a window is aimed at or moved to the front; 0 while nothing is gathered."""
    walk, tap = held_walk(v), lambda name: v.tap(f"{GATHER}.{name}")
    left = word(
        (walk.out_height - tap("py"))[:10],
        (walk.out_width - tap("px"))[:10],
        (walk.pool - tap("dy"))[:4],
        (walk.pool - tap("dx"))[:4],
        ~gathering(v, "AIM"),
    )
    return Mux(gathering(v, "IDLE"), 0, left)


def bits_left(v: View) -> Value:
    """Bits of the window that are still to be gathered, in GATHER."""
    runs, run_left = v.tap(f"{GATHER}.runs"), v.tap(f"{GATHER}.run_left")
    return (runs - 1)[:4] * v.tap(f"{GATHER}.run_bits") + run_left


def slices_left(v: View) -> Value:
    """Columns that are still to be filled, in GATHER."""
    plan, tile = held_plan(v), v.tap(f"{GATHER}.tile")
    further = range(2, v.geometry.tiles)
    rest = sum((Mux(tile + k <= plan.tile_last, plan.cols, 0) for k in further), start=Value.cast(0))
    return v.tap(f"{GATHER}.slice_left") + Mux(tile == plan.tile_last, 0, rest + plan.cols_last)


def window_left(v: View) -> Value:
    """A number that falls in every cycle in which a window is gathered; 0 when it is there."""
    runs, run_left = v.tap(f"{GATHER}.runs"), v.tap(f"{GATHER}.run_left")
    stage = word(gathering(v, "IDLE"), gathering(v, "AIM"), gathering(v, "GATHER"), gathering(v, "DRAIN"))
    return word(stage, Mux(gathering(v, "GATHER"), word(runs, run_left), 0))


def table_lemmas(v: View) -> list[Value]:
    """Walks behind the check are legal, and nobody writes them."""
    g, count = v.geometry, v.tap("bank.layer_count__value")[:8]
    at = lambda *names: v.state("layer", *names)  # noqa: E731
    check = lambda *names: v.state(CHECK, *names)  # noqa: E731
    index, total, left = (v.tap(f"{CHECK}.{name}") for name in ("index", "total", "left"))
    raw = data.View(RawDescriptor, v.tap("layer.raw"))
    walk = data.View(RawWalk, v.tap("layer.maps.table.walk"))
    found = [
        check("WALK") == v.state("layer.walk_check", "IDLE"),
        check("WALK") & left.any(),
        check("INPUTS") & (left >= raw.tile_count),
        v.no_state("layer.walk_check"),
        v.no_state(CHECK),
        at("FETCH_THRESHOLD", "START_LAYER", "READ") & ~legal_walk(walk, inputs_of(v, raw)),
    ]
    for i in range(g.layers):
        written = v.memory("layer.table.memory", i)
        told = data.View(entry_layout("WALK"), v.memory("layer.maps.table.memory", i))
        inputs = inputs_of(v, data.View(RawDescriptor, written))
        legal = legal_walk(told, inputs)
        same = Cat(walk[name] == told[name] for name in RawWalk.members).all()
        summed = total + sum((Mux(left > k, raw.cols, 0) for k in range(g.tiles)), start=Value.cast(0))
        found += [
            at(*PAST_CHECK) & (i < count) & ~legal,
            at("CHECK") & (i < index) & ~legal,
            check("FIELDS", "INPUTS", "WALK") & (i == index) & ~same,
            check("INPUTS", "WALK") & (i == index) & (v.tap("layer.raw") != written),
            check("INPUTS", "WALK") & (i == index) & (summed != inputs),
        ]
    return found


def gather_lemmas(v: View) -> list[Value]:
    """Where the walk may be in each state, and that the runs of a window are the columns of its tiles."""
    g, tap = v.geometry, lambda name: v.tap(f"{GATHER}.{name}")
    busy, moving = ~gathering(v, "IDLE"), gathering(v, "GATHER")
    walk, plan = held_walk(v), held_plan(v)
    tile, last, run_bits = tap("tile"), tap("last"), tap("run_bits")
    at = lambda *names: v.state("layer", *names)  # noqa: E731
    aimed = gathering(v, "GATHER", "DRAIN", "READY")
    return [
        v.no_state(GATHER),
        busy & ~at("START_LAYER", "READ", "REPORT"),
        # The layer is a legal one.
        busy & ~(walk.reads_map & legal_walk(walk, inputs_of(v, plan))),
        busy & (run_bits > g.tiles * g.inputs),
        *(busy & ((plan[name] == 0) | (plan[name] > g.inputs)) for name in ("cols", "cols_last")),
        busy & ((plan.tile_count == 0) | (plan.tile_count > g.tiles)),
        busy & (plan.tile_first + plan.tile_count != plan.tile_last + 1),
        busy & (plan.used != Cat((t >= plan.tile_first) & (t <= plan.tile_last) for t in range(g.tiles))),
        # The window aimed at, or the one after it.
        busy & ((tap("dx") >= walk.pool) | (tap("dy") >= walk.pool) | (tap("px") >= walk.out_width)),
        busy & (tap("py") > walk.out_height),
        gathering(v, "AIM") & (tap("py") == walk.out_height),
        aimed & (last != (tap("py") == walk.out_height)),
        # Within the window.
        moving & ((tile < plan.tile_first) | (tile > plan.tile_last)),
        moving & ((tap("runs") == 0) | (tap("runs") > walk.kernel)),
        moving & ((tap("run_left") == 0) | (tap("run_left") > run_bits)),
        moving & ((tap("slice_left") == 0) | (tap("slice_left") > g.inputs)),
        moving & (bits_left(v) != slices_left(v)),
        # Reads wait for, or go over, a window of their own layer.
        at("READ") & ~v.state("layer.reader", "IDLE") & ~v.tap("layer.maps.last_window") & ~busy,
        v.state("layer.reader", "AWAIT_WINDOW") & v.tap("layer.maps.last_window"),
        at("READ")
        & v.state("layer.reader", "IDLE")
        & ~v.tap("layer.maps.last_window")
        & ~v.tap("layer.reader.answers.unresolved").any(),
    ]
