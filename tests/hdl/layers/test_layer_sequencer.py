"""Layer sequencer against an ideal macro and a reference in plain Python."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import connect, flipped

from bridgebnn.hdl.layers.column_registers import ColumnRegisters
from bridgebnn.hdl.layers.descriptor_table import ThresholdMemory
from bridgebnn.hdl.layers.popcount import ScoreAdder, SliceCounter
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer
from bridgebnn.hdl.layers.results import ResultBanks
from bridgebnn.hdl.spec import ErrorCode, Geometry, Timing
from bridgebnn.hdl.spec.latency import LAYER_OVERHEAD_CYC, infer_cycles, vector_cycles
from tests.hdl.layers.layer_bench import ADD, COUNT, SEARCH, VOTE, Bench, Network, random_bits

SMALL = Geometry(tiles=2, rows=40, inputs=37, bias=4, thresholds=64, scores=16, count_width=16, layers=4)

NETWORKS = {
    "sign": (SMALL, [dict(row_count=9, score=True)]),
    "sign_threshold": (SMALL, [dict(row_count=40, use_threshold=True)]),
    "search": (SMALL, [dict(row_count=5, mode=SEARCH, score=True, use_threshold=True)]),
    "search_tiles": (SMALL, [dict(row_count=5, tile_count=2, cols=37, cols_last=6, mode=SEARCH, score=True)]),
    "count": (SMALL, [dict(row_count=7, mode=COUNT, score=True, use_threshold=True)]),
    "count_tiles": (
        SMALL,
        [dict(row_count=7, tile_count=2, cols_last=33, mode=COUNT, combine=ADD, score=True)],
    ),
    "vote": (SMALL, [dict(row_count=16, tile_count=2, combine=VOTE, score=True, use_threshold=True)]),
    "three": (
        SMALL,
        [
            dict(cols=37, use_threshold=True),
            dict(cols=33, mode=COUNT, use_threshold=True),
            dict(cols=32, row_count=10, mode=COUNT, score=True, use_threshold=True),
        ],
    ),
    "split": (
        SMALL,
        [
            dict(tile_count=2, cols=37, cols_last=20, combine=VOTE),
            dict(tile_count=2, cols=20, cols_last=17, mode=SEARCH, use_threshold=True),
            dict(tile_count=2, cols=1, cols_last=1, combine=VOTE),
            dict(cols=1, row_count=2, mode=COUNT, score=True),
        ],
    ),
}


def build(name, seed=0):
    geometry, layers = NETWORKS[name]
    layers = [dict(fields) for fields in layers]
    return Network.random(geometry, layers, random.Random(f"{name} {seed}"))


def run_network(network, timing, vectors=2, seed=0, **options):
    """Run ``vectors`` random vectors, compare every result; return the bench."""
    rng = random.Random(seed)
    inputs = [random_bits(rng, network.descriptors[0].inputs) for _ in range(vectors)]
    compared = 0
    bench = Bench(network, timing, **options)

    async def scenario(bench):
        nonlocal compared
        await bench.load_network()
        for bits in inputs[:2]:
            await bench.push(bits)
        await bench.start(vectors)
        end = await bench.wait_done()
        assert end[1:] == (0, 0)
        bench.took = end[0]
        for index, bits in enumerate(inputs):
            result, number = await bench.take_result()
            assert result == network.infer(bits)
            assert number == index
            compared += 1
        assert not bench.ctx.get(bench.dut.result_valid)
        bench.perf = [bench.ctx.get(getattr(bench.dut, f"perf_{n}")) for n in ("rows", "read", "busy")]

    bench.run(scenario)
    assert compared == vectors > 0
    return bench


@pytest.mark.parametrize("name", NETWORKS)
def test_results_and_cycles(name):
    network, timing = build(name), Timing()
    bench = run_network(network, timing)
    args = network.descriptors, timing, network.geometry
    assert bench.took == infer_cycles(*args, vectors=2)
    overhead = 3 * 2 * len(network.descriptors)
    assert bench.perf[0] == 2 * sum(d.row_count for d in network.descriptors)
    assert bench.perf[1] == 2 * vector_cycles(*args) - overhead
    assert bench.perf[2] == 2 * vector_cycles(*args)
    assert bench.perf[1] == sum(bench.monitor.reads)


TINY = Geometry(tiles=1, rows=1, inputs=1, bias=0, thresholds=1, scores=1, count_width=1, layers=3)
WORDS = Geometry(tiles=1, rows=64, inputs=64, bias=0, thresholds=8, scores=2, count_width=64, layers=2)
MANY = Geometry(tiles=5, rows=33, inputs=33, bias=6, thresholds=40, scores=33, count_width=7, layers=3)
SHAPES = {
    "one_bit": (TINY, [dict(cols=1), dict(cols=1), dict(cols=1, row_count=1, score=True)]),
    "one_bit_count": (TINY, [dict(cols=1, mode=COUNT), dict(cols=1, row_count=1, mode=COUNT, score=True)]),
    "one_bit_search": (TINY, [dict(cols=1, mode=SEARCH), dict(cols=1, row_count=1, mode=SEARCH)]),
    "whole_words": (WORDS, [dict(cols=64), dict(cols=64, row_count=2, mode=COUNT, score=True)]),
    "five_tiles": (
        MANY,
        [
            dict(tile_count=5, cols=33, cols_last=1, combine=VOTE, use_threshold=True),
            dict(tile_count=4, cols=8, cols_last=9, mode=COUNT, use_threshold=True),
            dict(cols=33, row_count=33, mode=SEARCH, score=True),
        ],
    ),
}
TIMINGS = [(1, 1, 1), (2, 1, 3), (3, 2, 1), (1, 3, 2), (3, 3, 3), (2, 2, 2)]


@pytest.mark.parametrize(
    ("name", "phases"),
    [(name, phases) for name in SHAPES for phases in (TIMINGS[::3] if name == "five_tiles" else TIMINGS)],
    ids=str,
)
def test_shapes_and_timings(name, phases):
    geometry, layers = SHAPES[name]
    network = Network.random(geometry, layers, random.Random(f"{name} {phases}"))
    timing = Timing(precharge_cyc=phases[0], evaluate_cyc=phases[1], sense_cyc=phases[2])
    bench = run_network(network, timing)
    assert bench.took == infer_cycles(network.descriptors, timing, geometry, vectors=2)


def test_overhead_of_layers_and_vectors_is_three_cycles():
    bench = run_network(build("three"), Timing())
    assert bench.monitor.gaps() == [LAYER_OVERHEAD_CYC] * 5


def test_long_load_is_hidden_as_far_as_the_last_layer_reaches():
    geometry = Geometry(tiles=4, rows=4, inputs=60, bias=4, thresholds=4, layers=2)
    layers = [dict(tile_count=4, cols=60, combine=VOTE), dict(cols=1, row_count=1)]
    network = Network.random(geometry, layers, random.Random(3))
    bench = run_network(network, Timing())
    assert bench.monitor.gaps() == [3, 3 + 4 * 2 - 3, 3]
    assert bench.took == infer_cycles(network.descriptors, Timing(), geometry, vectors=2)
    assert bench.perf[2] == 2 * vector_cycles(network.descriptors, Timing(), geometry)


def test_votes_with_ties_go_to_plus_one():
    network = build("vote")
    bits = random_bits(random.Random(0), network.descriptors[0].inputs)
    ties = 0
    for seed in range(3):
        network = build("vote", seed)
        result, scores, _ = network.infer(bits)
        ties += sum(bit == 1 for bit, score in zip(result, scores, strict=True) if score == 0)
        run_network(network, Timing(), seed=seed)
    assert ties > 0


def test_equal_scores_give_the_lowest_class():
    network = build("count")
    d = network.descriptors[0]
    row = network.weights[d.tile_first]
    for i in range(d.row_count):
        row[d.row_first + i] = row[d.row_first]
        network.thresholds[d.threshold_base + i] = -20 + (i in (2, 5))
    bits = random_bits(random.Random(0), d.inputs)
    assert network.infer(bits)[2] == 2
    run_network(network, Timing())


@pytest.mark.parametrize("threshold", [-32768, -42, -41, 41, 42, 32767])
def test_thresholds_out_of_the_range_of_ref_clamp(threshold):
    network = build("sign_threshold")
    network.thresholds[:] = [threshold] * len(network.thresholds)
    run_network(network, Timing())


@pytest.mark.parametrize("name", ["search_tiles", "vote"])
def test_late_comparators_lengthen_the_sense_phase_only(name):
    network = build(name)
    timing = Timing(resolve_limit_cyc=3)
    bench = run_network(network, timing, late=lambda row, tile: (row + tile) % 4)
    lengths = {length for kind, length in bench.monitor.phases if kind == "sense"}
    assert lengths == {1, 2, 3, 4} if name == "search_tiles" else lengths == {2, 3, 4}


@pytest.mark.parametrize("limit", [1, 5])
def test_a_comparator_that_never_resolves_ends_in_a_timeout(limit):
    network = build("vote")
    d = network.descriptors[0]
    stuck = d.row_first + 3
    bench = Bench(
        network,
        Timing(resolve_limit_cyc=limit),
        late=lambda row, tile: None if (row, tile) == (stuck, 1) else limit,
    )
    bits = random_bits(random.Random(0), d.inputs)

    async def scenario(bench):
        await bench.load_network()
        await bench.push(bits)
        await bench.push(bits)
        await bench.start(2)
        assert (await bench.wait_done())[1:] == (ErrorCode.COMPARATOR_TIMEOUT, 1 << 16 | stuck)
        assert bench.monitor.phases[-1] == ("sense", 1 + limit)
        assert not any(value for name, value in bench.pins().items() if name != "bl")
        # the other pushed vector is there, and runs when the comparator works
        bench.macro.late = lambda row, tile: 0
        await bench.start(1)
        assert (await bench.wait_done())[1:] == (0, 0)
        assert await bench.take_result() == (network.infer(bits), 0)

    bench.run(scenario)


def test_abort_in_every_cycle_then_clean_runs():
    geometry = Geometry(tiles=2, rows=4, inputs=5, bias=2, thresholds=4, scores=4, count_width=4, layers=2)
    layers = [
        dict(tile_count=2, cols=5, cols_last=4, combine=VOTE),
        dict(cols=3, row_count=2, mode=COUNT, score=True),
    ]
    rng = random.Random(5)
    network = Network.random(geometry, layers, rng)
    args = network.descriptors, Timing(), geometry
    took, period = infer_cycles(*args, vectors=2), vector_cycles(*args)
    starts = [took - 2 * period, took - period]
    bench = Bench(network)
    compared = 0

    async def scenario(bench):
        nonlocal compared
        await bench.load_network()
        waiting = []
        for cycle in range(1, took + 1):
            while len(waiting) < 2:
                waiting.append(random_bits(rng, 9))
                await bench.push(waiting[-1])
            wanted = [network.infer(bits) for bits in waiting]
            await bench.start(2)
            await bench.cycle(cycle - 1)
            await bench.abort()
            assert not any(value for name, value in bench.pins().items() if name != "bl")
            if cycle < took:
                assert (await bench.wait_done())[1:] == (ErrorCode.ABORTED, 0)
            assert not bench.ctx.get(bench.dut.cmd.busy)
            # whoever had started is gone, with a result if it was complete; the others wait
            gone = sum(start < cycle for start in starts)
            done = sum(start + period - 1 <= cycle for start in starts)
            waiting = waiting[gone:]
            for index in range(done):
                assert await bench.take_result() == (wanted[index], index)
                compared += 1
            assert not bench.ctx.get(bench.dut.result_valid)
            if waiting:
                await bench.start(len(waiting))
                assert (await bench.wait_done())[1:] == (0, 0)
                for index, bits in enumerate(waiting):
                    assert await bench.take_result() == (network.infer(bits), index)
                    compared += 1
            waiting = []

    bench.run(scenario)
    assert compared > took


def test_a_loaded_vector_is_loaded_anew_after_an_abort():
    """The next INFER may have its first layer on other tiles."""
    rng = random.Random(8)
    layers = [dict(cols=37, tile_first=0), dict(cols=9, row_count=8, mode=COUNT, score=True)]
    network = Network.random(SMALL, layers, rng)
    bench = Bench(network)
    inputs = [random_bits(rng, 37) for _ in range(2)]

    async def scenario(bench):
        await bench.load_network()
        for bits in inputs:
            await bench.push(bits)
        await bench.start(2)
        took = infer_cycles(network.descriptors, Timing(), SMALL)
        await bench.cycle(took - 3)
        await bench.abort()
        assert (await bench.wait_done())[1:] == (ErrorCode.ABORTED, 0)
        network.descriptors[0] = replace(network.descriptors[0], tile_first=1)
        await bench.load_network()
        await bench.start(1)
        assert (await bench.wait_done())[1:] == (0, 0)
        assert await bench.take_result() == (network.infer(inputs[1]), 0)

    bench.run(scenario)


def test_input_and_result_backpressure():
    network = build("three")
    rng = random.Random(11)
    inputs = [random_bits(rng, 37) for _ in range(7)]
    bench = Bench(network)
    compared = 0

    async def scenario(bench):
        nonlocal compared
        await bench.load_network()
        period = vector_cycles(network.descriptors, Timing(), network.geometry)
        await bench.start(len(inputs))
        await bench.cycle(30)
        assert not any(bench.monitor.reads)
        # two results fill the banks; the third vector stops before its last layer, its bank is free
        for bits in inputs[:5]:
            await bench.push(bits)
        await bench.cycle(2 * period)
        assert bench.ctx.get(bench.dut.cmd.busy)
        assert not bench.ctx.get(bench.dut.input_ready)
        rows = bench.ctx.get(bench.dut.perf_rows)
        assert rows == 2 * sum(d.row_count for d in network.descriptors) + 33 + 32
        await bench.cycle(50)
        assert bench.ctx.get(bench.dut.perf_rows) == rows
        # a push without a bank changes nothing
        await bench.write(bench.dut.input, 0, 0xFFFFFFFF)
        await bench.strobe(bench.dut.input_push)
        for index, bits in enumerate(inputs):
            if index >= 2 and index + 3 < len(inputs):
                await bench.push(inputs[index + 3])
            await bench.wait_result()
            await bench.cycle(rng.randrange(2 * period))
            assert await bench.take_result() == (network.infer(bits), index)
            compared += 1
        while bench.ctx.get(bench.dut.cmd.busy):
            await bench.cycle()
        assert bench.ended[-1][1:] == (0, 0)
        # a pop without a result changes nothing
        await bench.strobe(bench.dut.result_pop)
        assert not bench.ctx.get(bench.dut.result_valid)

    bench.run(scenario)
    assert compared == len(inputs)


def test_bad_settings_and_descriptors_end_before_any_read():
    network = build("three")
    bench = Bench(network)

    async def scenario(bench):
        await bench.load_network()
        dut = bench.dut
        for layers, vectors, detail in ((0, 1, 1), (5, 1, 1), (255, 1, 1), (3, 0, 2)):
            bench.ctx.set(dut.layer_count, layers)
            await bench.start(vectors)
            assert await bench.wait_done() == (1, ErrorCode.BAD_SETTING, detail)
        bench.ctx.set(dut.layer_count, 3)
        for index in range(3):
            words = network.descriptors[index].words()
            await bench.write(dut.descriptor, 4 * index + 1, words[1] & ~0xFFFF)
            await bench.start()
            assert (await bench.wait_done())[1:] == (ErrorCode.BAD_DESCRIPTOR, index)
            await bench.write(dut.descriptor, 4 * index + 1, words[1])
        assert not any(bench.monitor.reads)
        bits = random_bits(random.Random(0), 37)
        await bench.push(bits)
        await bench.start()
        assert (await bench.wait_done())[1:] == (0, 0)
        assert await bench.take_result() == (network.infer(bits), 0)

    bench.run(scenario)


def wrap(monkeypatch, base, alter):
    """Replace block ``base`` of the design by one with ``alter(m, outer, inner)`` after the wires."""

    class Broken(base):
        def elaborate(self, platform):
            m = Module()
            m.submodules.inner = inner = base(self.geometry)
            connect(m, flipped(self), inner)
            alter(m, self, inner)
            return m

    monkeypatch.setattr(f"bridgebnn.hdl.layers.layer_sequencer.{base.__name__}", Broken)


def swap_columns(m, outer, inner):
    width = outer.geometry.columns
    for low in range(0, len(outer.bl), width):
        m.d.comb += outer.bl[low : low + 2].eq(Cat(inner.bl[low + 1], inner.bl[low]))


def take_cmp_one_cycle_early(m, outer, inner):
    early = Signal.like(outer.cmp)
    m.d.sync += early.eq(outer.cmp)
    m.d.comb += inner.cmp.eq(early)


def search_one_cycle_early(m, outer, inner):
    early = Signal.like(outer.pins.cmp)
    m.d.sync += early.eq(outer.pins.cmp)
    m.d.comb += inner.pins.cmp.eq(early)


def threshold_plus_one(m, outer, inner):
    m.d.comb += outer.value.eq(inner.value + 1)


def ties_to_minus_one(m, outer, inner):
    m.d.comb += outer.bit.eq(inner.score > 0)


def move_columns_late(m, outer, inner):
    late = Signal(3)
    m.d.sync += late.eq(Cat(outer.move, late))
    m.d.comb += inner.move.eq(late[2])


def leave_word_line_on(m, outer, inner):
    m.d.comb += outer.pins.wl_en.eq(inner.pins.wl_en | 1)


def short_precharge(m, outer, inner):
    m.d.comb += inner.settings.precharge_cyc.eq(outer.settings.precharge_cyc - 1)


def lose_the_first_slice(m, outer, inner):
    m.d.comb += inner.enable.eq(outer.enable & (outer.slice != 0))


def keep_the_other_bank(m, outer, inner):
    m.d.comb += inner.write.word.eq(outer.write.word ^ 1)


BROKEN = [
    (ColumnRegisters, swap_columns, "count"),
    (ColumnRegisters, move_columns_late, "sign"),
    (ScoreAdder, take_cmp_one_cycle_early, "sign"),
    (ReadSequencer, search_one_cycle_early, "search"),
    (ScoreAdder, ties_to_minus_one, "vote"),
    (ThresholdMemory, threshold_plus_one, "sign_threshold"),
    (ThresholdMemory, threshold_plus_one, "count"),
    (ReadSequencer, leave_word_line_on, "sign"),
    (ReadSequencer, short_precharge, "sign"),
    (SliceCounter, lose_the_first_slice, "count_tiles"),
    (ResultBanks, keep_the_other_bank, "sign_threshold"),
]


@pytest.mark.parametrize(("base", "alter", "name"), BROKEN)
def test_broken_designs_are_seen(monkeypatch, base, alter, name):
    network, timing = build(name), Timing(precharge_cyc=2, evaluate_cyc=2, sense_cyc=2)
    run_network(network, timing)
    wrap(monkeypatch, base, alter)
    with pytest.raises(AssertionError):
        run_network(network, timing)
