"""Read sequencer alone: phases, search, slices, late and missing answers."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.descriptor_table import DescriptorTable
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer
from bridgebnn.hdl.layers.slice_order import count_slices
from bridgebnn.hdl.spec import Combine, Descriptor, Geometry, ReadMode, Timing
from bridgebnn.hdl.spec.latency import row_cycles

GEOMETRY = Geometry(tiles=4, rows=20, inputs=13, bias=3, layers=1, count_width=5, thresholds=1)


class Reader:
    """A table with one descriptor and the sequencer; ``read`` yields every cycle's pins."""

    def __init__(self, descriptor, timing=None, geometry=GEOMETRY):
        self.descriptor, self.timing, self.geometry = descriptor, timing or Timing(), geometry
        self.table, self.dut = DescriptorTable(geometry), ReadSequencer(geometry)
        self.m = Module()
        self.m.submodules.table, self.m.submodules.dut = self.table, self.dut
        self.m.d.comb += self.dut.plan.eq(self.table.plan)

    def run(self, scenario):
        async def testbench(ctx):
            window = self.table.window
            for addr, value in enumerate(self.descriptor.words()):
                ctx.set(window.addr, addr)
                ctx.set(window.w_data, value)
                ctx.set(window.w_en, 1)
                await ctx.tick()
            ctx.set(window.w_en, 0)
            ctx.set(self.table.fetch, 1)
            await ctx.tick()
            ctx.set(self.table.fetch, 0)
            for name in ("precharge_cyc", "evaluate_cyc", "sense_cyc", "resolve_limit_cyc"):
                ctx.set(getattr(self.dut.settings, name), getattr(self.timing, name))
            await scenario(ctx, self.dut)

        sim = Simulator(self.m)
        sim.add_clock(1e-6)
        sim.add_testbench(testbench)
        sim.run()

    async def read(self, ctx, answer, cycles):
        """Start; ``answer(pins)`` gives (cmp, cmp_valid) in every cycle. Return the pins of each cycle."""
        dut = self.dut
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        trace = []
        for _ in range(cycles):
            names = ("row", "wl_en", "precharge", "evaluate", "sense", "cmp_ref")
            pins = {name: ctx.get(getattr(dut.pins, name)) for name in names}
            cmp, valid = answer(pins)
            ctx.set(dut.pins.cmp, cmp)
            ctx.set(dut.pins.cmp_valid, valid)
            for name in (
                "sample",
                "sample_last",
                "hit",
                "row_first",
                "row_last",
                "counting",
                "slice",
                "timeout",
            ):
                pins[name] = ctx.get(getattr(dut, name))
            trace.append(pins)
            await ctx.tick()
        return trace


def phases(trace):
    return "".join("SE"[not p["sense"]] if p["evaluate"] else "P" if p["precharge"] else "." for p in trace)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("e", [1, 2, 3])
@pytest.mark.parametrize("s", [1, 2, 3])
def test_phases_have_their_length_and_no_bubble(p, e, s):
    d = Descriptor(
        tile_first=1, tile_count=2, cols=13, cols_last=5, row_first=4, row_count=3, combine=Combine.VOTE
    )
    reader = Reader(d, Timing(precharge_cyc=p, evaluate_cyc=e, sense_cyc=s))

    async def scenario(ctx, dut):
        row = "P" * p + "E" * e + "S" * s
        trace = await reader.read(ctx, lambda pins: (0, 0b0110), 3 * len(row) + 3)
        assert phases(trace) == 3 * row + "..."
        assert [t["row"] for t in trace[: 3 * len(row)]] == [4 + i // len(row) for i in range(3 * len(row))]
        assert {t["wl_en"] for t in trace[: 3 * len(row)]} == {0b0110}
        assert {t["wl_en"] for t in trace[3 * len(row) :]} == {0}
        assert [i for i, t in enumerate(trace) if t["sample_last"]] == [len(row) * k - 1 for k in (1, 2, 3)]
        assert [i for i, t in enumerate(trace) if t["row_first"]] == [len(row) * k for k in range(3)]

    reader.run(scenario)


def test_zero_acts_as_one_and_the_longest_phases_fit():
    d = Descriptor(cols=13, cols_last=13, row_count=1)
    reader = Reader(d)

    async def scenario(ctx, dut):
        for value, cycles in ((0, 1), (1, 1), (255, 255)):
            for name in ("precharge_cyc", "evaluate_cyc", "sense_cyc"):
                ctx.set(getattr(dut.settings, name), value)
            trace = await reader.read(ctx, lambda pins: (0, 15), 3 * cycles + 1)
            assert phases(trace) == "P" * cycles + "E" * cycles + "S" * cycles + "."

    reader.run(scenario)


@pytest.mark.parametrize(
    ("tile_count", "cols", "bias", "cols_last", "bias_last"),
    [
        (1, 13, 0, 13, 3),
        (1, 1, 0, 1, 0),
        (1, 1, 0, 7, 0),
        (1, 1, 0, 8, 0),
        (3, 13, 3, 1, 1),
        (2, 4, 0, 13, 2),
    ],
)
def test_search_finds_every_popcount(tile_count, cols, bias, cols_last, bias_last):
    d = Descriptor(
        tile_count=tile_count,
        cols=cols,
        bias=bias,
        cols_last=cols_last,
        bias_last=bias_last,
        row_count=18,
        mode=ReadMode.SEARCH,
    )
    reader = Reader(d)
    enabled = [d.enabled(t) for t in range(tile_count)]
    rng = random.Random(1)
    pops = [[min(row, c) if row < 17 else rng.randint(0, c) for c in enabled] for row in range(18)]

    def answer(pins):
        tile = pins["wl_en"].bit_length() - 1
        if tile < 0:
            return rng.getrandbits(4), 0
        assert pins["wl_en"] == 1 << tile
        cmp = 2 * pops[pins["row"]][tile] - enabled[tile] + 2 * pins["cmp_ref"] >= 0
        if not pins["sense"]:
            cmp = not cmp
        noise = rng.getrandbits(4) & ~pins["wl_en"]
        return cmp << tile | noise, pins["wl_en"]

    async def scenario(ctx, dut):
        cycles = row_cycles(d.mode, enabled, Timing(), GEOMETRY)
        trace = await reader.read(ctx, answer, 18 * cycles + 1)
        assert phases(trace) == "PES" * (18 * cycles // 3) + "."
        found = [0] * 18
        for pins in trace:
            if pins["sample"]:
                found[pins["row"]] += pins["hit"]
        assert found == [sum(row) for row in pops]

    reader.run(scenario)


def test_search_reference_follows_the_contract():
    d = Descriptor(cols=13, cols_last=13, row_count=1, mode=ReadMode.SEARCH)
    reader = Reader(d)

    async def scenario(ctx, dut):
        for pop in range(14):
            low, refs, held = 0, [], None
            for k in reversed(range(4)):
                m = low + (1 << k)
                held = (13 + 1) // 2 - m if m <= 13 else held
                refs.append(held)
                if m <= 13 and pop >= m:
                    low = m
            trace = await reader.read(ctx, lambda p, pop=pop: (2 * pop - 13 + 2 * p["cmp_ref"] >= 0, 15), 13)
            assert [t["cmp_ref"] for t in trace if t["sense"]] == refs

    reader.run(scenario)


def test_count_goes_over_the_slices():
    d = Descriptor(tile_count=4, cols=13, cols_last=2, row_count=2, mode=ReadMode.COUNT)
    reader = Reader(d, Timing(precharge_cyc=2, evaluate_cyc=3))
    slices = count_slices(GEOMETRY)

    async def scenario(ctx, dut):
        row = "PP" + "EEE" + "E" * slices
        trace = await reader.read(ctx, lambda pins: (0, 0), 2 * len(row) + 1)
        assert phases(trace) == 2 * row + "."
        assert [t["slice"] for t in trace if t["counting"]] == 2 * list(range(slices))
        assert [t["sample_last"] for t in trace if t["sample"]] == 2 * ([0] * (slices - 1) + [1])

    assert slices == 4
    reader.run(scenario)


@pytest.mark.parametrize("limit", [0, 1, 4])
def test_late_answers_and_none(limit):
    d = Descriptor(
        tile_first=1, tile_count=3, cols=13, cols_last=5, row_first=7, row_count=2, combine=Combine.VOTE
    )
    reader = Reader(d, Timing(sense_cyc=2, resolve_limit_cyc=1))

    async def scenario(ctx, dut):
        ctx.set(dut.settings.resolve_limit_cyc, limit)
        allowed = max(1, limit)
        sensed = 0

        def late(cycles):
            def answer(pins):
                nonlocal sensed
                sensed = sensed + 1 if pins["sense"] else 0
                return 0, 0b1110 if sensed >= 2 + cycles else 0b0011

            return answer

        for cycles in range(allowed + 1):
            trace = await reader.read(ctx, late(cycles), 2 * (4 + cycles) + 1)
            assert phases(trace) == 2 * ("PESS" + "S" * cycles) + "."
        trace = await reader.read(ctx, late(allowed + 1), 4 + allowed + 2)
        assert phases(trace) == "PESS" + "S" * allowed + ".."
        assert [t["timeout"] for t in trace[-2:]] == [1, 0]
        assert trace[-2]["row"] == 7
        assert trace[-2]["wl_en"] == 0
        # and it reads again
        trace = await reader.read(ctx, lambda pins: (0, 15), 9)
        assert phases(trace) == "PESSPESS."

    reader.run(scenario)
