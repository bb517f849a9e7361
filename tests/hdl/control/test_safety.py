"""SafetyGate: the rules of the pins with arbitrary inputs, and transparency for inputs that keep them."""

import random

import pytest

from bridgebnn.hdl.control.safety import SafetyGate
from bridgebnn.hdl.spec import Geometry
from tests.hdl.clocked import clocked

GEOMETRIES = [
    Geometry(),
    Geometry(tiles=3, rows=9, inputs=6, bias=1),
    Geometry(tiles=5, rows=64, inputs=33, bias=0),
]
PROGRAM = "active tile row wl_en select precharge evaluate hv_en op side wl_level prog_level"
PROGRAM += " pulse verify verify_ref"
READ = "row wl_en precharge evaluate sense cmp_ref"


def set_random(ctx, rng, port, names, values):
    for name in names.split():
        signal = getattr(port, name)
        values[name] = rng.getrandbits(len(signal))
        ctx.set(signal, values[name] if name != "cmp_ref" else values[name] - (1 << len(signal) - 1))


def pins(ctx, gate):
    names = "row wl_en bl col_en precharge evaluate sense cmp_ref hv_en prog_op prog_side wl_level prog_level pulse"
    return {name: ctx.get(getattr(gate, name)) for name in (*names.split(), "verify", "verify_ref")}


def check_rules(got, gate_inputs, geometry):
    g, (program, unlocked, hv_ready) = geometry, gate_inputs
    if got["pulse"]:
        assert got["hv_en"]
        assert hv_ready
        assert got["wl_en"]
        assert unlocked
        assert not got["verify"]
    if got["hv_en"]:
        assert not got["precharge"]
        assert not got["evaluate"]
        assert not got["sense"]
    assert not (got["precharge"] and got["evaluate"])
    assert got["evaluate"] or not got["sense"]
    if program["active"]:
        assert got["wl_en"].bit_count() <= 1
        touched = {c // g.columns for c in range(g.tiles * g.columns) if (got["col_en"] | got["bl"]) >> c & 1}
        assert touched <= {program["tile"]}
    else:
        assert not got["hv_en"] | got["pulse"] | got["verify"]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: f"{g.tiles}x{g.columns}")
def test_rules_hold_for_any_input(geometry):
    gate = SafetyGate(geometry)
    pulses = set()

    async def scenario(ctx):
        rng = random.Random(7)
        for _ in range(1500):
            program, read = {}, {}
            set_random(ctx, rng, gate.program, PROGRAM, program)
            set_random(ctx, rng, gate.read, READ, read)
            for name in ("read_bl", "read_col_en", "read_active", "sl", "cmp", "cmp_valid"):
                ctx.set(getattr(gate, name), rng.getrandbits(len(getattr(gate, name))))
            unlocked, hv_ready = rng.random() < 0.8, rng.random() < 0.8
            ctx.set(gate.unlocked, unlocked)
            ctx.set(gate.hv_ready, hv_ready)
            got = pins(ctx, gate)
            check_rules(got, (program, unlocked, hv_ready), geometry)
            pulses.add(got["pulse"])
            await ctx.tick()

    clocked(gate, scenario)
    assert pulses == {0, 1}


@pytest.mark.parametrize("missing", [None, "hv_en", "hv_ready", "wl_en", "unlocked", "active", "tile"])
def test_pulse_needs_each_of_its_conditions(missing):
    gate = SafetyGate(Geometry(tiles=3))

    async def scenario(ctx):
        program = gate.program
        for signal in (
            program.active,
            program.pulse,
            program.hv_en,
            program.wl_en,
            gate.hv_ready,
            gate.unlocked,
        ):
            ctx.set(signal, 1)
        ctx.set(program.tile, 2)
        assert ctx.get(gate.pulse) == 1
        if missing == "tile":
            ctx.set(program.tile, 3)  # outside the geometry
        elif missing is not None:
            ctx.set(getattr(gate if missing in ("hv_ready", "unlocked") else program, missing), 0)
        assert ctx.get(gate.pulse) == (missing is None)

    clocked(gate, scenario)


@pytest.mark.parametrize("tile", range(3))
def test_program_pins_pass_to_one_tile(tile):
    geometry = Geometry(tiles=3, inputs=10, bias=1)
    gate, c = SafetyGate(geometry), geometry.columns

    async def scenario(ctx):
        program = gate.program
        values = {"tile": tile, "row": 17, "select": 0b101_0000_1101, "op": 2, "side": 1}
        values |= {
            "wl_level": 0x33,
            "prog_level": 0x44,
            "verify_ref": 2,
            "verify": 1,
            "wl_en": 1,
            "active": 1,
        }
        for name, value in values.items():
            ctx.set(getattr(program, name), value)
        sl = 0b1_0101_0101_01 << tile * c
        ctx.set(gate.sl, sl)
        ctx.set(gate.read_active, 1)
        ctx.set(gate.read_col_en, (1 << 3 * c) - 1)
        got = pins(ctx, gate)
        assert got["wl_en"] == 1 << tile
        assert got["bl"] == got["col_en"] == values["select"] << tile * c
        assert (got["row"], got["prog_op"], got["prog_side"]) == (17, 2, 1)
        assert (got["wl_level"], got["prog_level"], got["verify"], got["verify_ref"]) == (0x33, 0x44, 1, 2)
        assert ctx.get(program.sl) == sl >> tile * c

    clocked(gate, scenario)


def test_read_pins_pass_unchanged():
    geometry = Geometry(tiles=2)
    gate = SafetyGate(geometry)

    async def scenario(ctx):
        rng = random.Random(3)
        ctx.set(gate.read_active, 1)
        for precharge, evaluate, sense in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 1)):
            phases = {"precharge": precharge, "evaluate": evaluate, "sense": sense}
            values = {"row": rng.getrandbits(5), "wl_en": rng.getrandbits(2), "cmp_ref": -9, **phases}
            for name, value in values.items():
                ctx.set(getattr(gate.read, name), value)
            columns = {n: rng.getrandbits(2 * geometry.columns) for n in ("bl", "col_en", "sl")}
            ctx.set(gate.read_bl, columns["bl"])
            ctx.set(gate.read_col_en, columns["col_en"])
            ctx.set(gate.sl, columns["sl"])
            ctx.set(gate.cmp, 2)
            ctx.set(gate.cmp_valid, 3)
            got = pins(ctx, gate)
            assert {name: got[name] for name in values} == values
            assert (got["bl"], got["col_en"]) == (columns["bl"], columns["col_en"])
            assert (ctx.get(gate.read.sl), ctx.get(gate.read.cmp), ctx.get(gate.read.cmp_valid)) == (
                columns["sl"],
                2,
                3,
            )
        ctx.set(gate.read_active, 0)
        assert ctx.get(gate.wl_en) == ctx.get(gate.bl) == ctx.get(gate.col_en) == 0

    clocked(gate, scenario)
