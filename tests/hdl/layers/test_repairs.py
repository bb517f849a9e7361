"""Spare columns and rows: the layer sequencer reads around broken lines, and refuses a bad table."""

import gc
import random
import warnings
from dataclasses import replace

import pytest
from amaranth.hdl import Mux, UnusedElaboratable

from bridgebnn.hdl.layers.column_registers import ColumnRegisters
from bridgebnn.hdl.layers.layer_sequencer import BAD_REPAIR
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer
from bridgebnn.hdl.layers.repair_table import RepairTable
from bridgebnn.hdl.output.verilog import verilog_text
from bridgebnn.hdl.spec import ErrorCode, Geometry, Repairs, Timing
from bridgebnn.hdl.spec.latency import infer_cycles, repair_cycles
from tests.hdl.layers.layer_bench import COUNT, SEARCH, VOTE, Bench, Network, random_bits
from tests.hdl.layers.test_layer_sequencer import run_network, wrap

GEOMETRY = Geometry(
    tiles=2,
    rows=43,
    inputs=37,
    bias=4,
    thresholds=64,
    count_width=16,
    layers=4,
    spare_columns=3,
    spare_rows=3,
)
LAYERS = {
    "sign": [dict(row_count=9, score=True)],
    "threshold": [dict(row_count=40, use_threshold=True)],
    "search": [dict(row_count=5, tile_count=2, cols=37, cols_last=6, mode=SEARCH, score=True)],
    "count": [dict(row_count=7, tile_count=2, cols_last=33, mode=COUNT, score=True)],
    "vote": [dict(row_count=16, tile_count=2, combine=VOTE, score=True, use_threshold=True)],
    "three": [
        dict(tile_count=2, cols=37, cols_last=20, combine=VOTE),
        dict(cols=33, mode=COUNT, use_threshold=True),
        dict(cols=32, row_count=10, mode=COUNT, score=True, use_threshold=True),
    ],
}


def random_repairs(geometry, rng, least=1):
    """Some or all spares in use, for any lines, in any order."""
    g = geometry
    columns = []
    for tile in range(g.tiles):
        count = rng.randint(least, g.spare_columns)
        spares, lines = rng.sample(range(g.spare_columns), count), rng.sample(range(g.plain_columns), count)
        columns += [(tile, spare, line) for spare, line in zip(spares, lines, strict=True)]
    count = rng.randint(least, g.spare_rows)
    lines = rng.sample(range(g.plain_rows), count)
    rows = tuple(zip(rng.sample(range(g.spare_rows), count), lines, strict=True))
    repairs = Repairs(columns=tuple(columns), rows=rows)
    repairs.check(g)
    return repairs


def build(name, seed, geometry=GEOMETRY):
    rng = random.Random(f"{name} {seed}")
    network = Network.random(geometry, [dict(fields) for fields in LAYERS[name]], rng)
    network.repairs = random_repairs(geometry, rng)
    return network


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LAYERS)
def test_a_network_runs_around_broken_lines(name, seed):
    network = build(name, seed)
    bench = run_network(network, Timing())
    assert bench.took == infer_cycles(network.descriptors, Timing(), GEOMETRY, vectors=2)


def test_every_line_can_be_replaced():
    """Each column of a layer's one tile, and each of its rows, in turn; inputs and bias columns."""
    geometry = Geometry(tiles=1, rows=7, inputs=34, bias=2, layers=1, spare_columns=1, spare_rows=1)
    network = Network.random(
        geometry, [dict(row_count=6, mode=COUNT, score=True, bias=2, bias_last=2)], random.Random(2)
    )
    rng = random.Random(3)
    bench, compared = Bench(network), 0

    async def scenario(bench):
        nonlocal compared
        await bench.load_network()
        for line in range(36):
            network.repairs = Repairs(columns=((0, 0, line),), rows=((0, line % 6),))
            await bench.load_repairs(network.repairs)
            bits = random_bits(rng, 34)
            await bench.push(bits)
            await bench.start()
            assert (await bench.wait_done())[1:] == (0, 0)
            assert (await bench.take_result())[0] == network.infer(bits)
            compared += 1

    bench.run(scenario)
    assert compared == 36


def test_a_repair_that_is_not_told_is_seen():
    """The bench's broken lines do spoil the results."""
    for name in LAYERS:
        network = build(name, 0)
        bits = random_bits(random.Random(1), network.descriptors[0].inputs)
        bench, repairs = Bench(network), network.repairs

        async def scenario(bench, network=network, bits=bits, repairs=repairs):
            wrong = 0
            await bench.load_network()
            for told in (Repairs(columns=repairs.columns), Repairs(rows=repairs.rows), Repairs()):
                await bench.load_repairs(told)
                await bench.push(bits)
                await bench.start()
                assert (await bench.wait_done())[1:] == (0, 0)
                wrong += (await bench.take_result())[0] != network.infer(bits)
            assert wrong > 0

        bench.run(scenario)


@pytest.mark.parametrize(
    ("columns", "rows", "index"),
    [
        (((0, 0, 41),), (), 0),  # a spare
        (((1, 2, 0xFFFF),), (), 5),
        (((1, 0, 3), (1, 2, 3)), (), 3),  # twice; the first of the two is named
        (((0, 1, 40), (1, 1, 41)), (), 4),
        ((), ((1, 40),), 7),
        ((), ((0, 4), (2, 4)), 6),
        ((), ((2, 0x8000),), 8),
    ],
)
def test_a_bad_table_ends_before_any_read(columns, rows, index):
    network = build("three", 0)
    good, bad = network.repairs, Repairs(columns=columns, rows=rows)
    with pytest.raises(ValueError, match="Repairs"):
        bad.check(GEOMETRY)
    bench = Bench(network)

    async def scenario(bench):
        await bench.load_network()
        await bench.load_repairs(bad)
        bits = random_bits(random.Random(0), network.descriptors[0].inputs)
        await bench.push(bits)
        await bench.start()
        assert (await bench.wait_done())[1:] == (ErrorCode.BAD_SETTING, BAD_REPAIR | index << 8)
        assert not any(bench.monitor.reads)
        # an entry that is not valid is not judged
        for i, word in enumerate(bad.column_words(GEOMETRY)):
            await bench.write(bench.dut.repair_column, i, word & 0xFFFF)
        for i, word in enumerate(bad.row_words(GEOMETRY)):
            await bench.write(bench.dut.repair_row, i, word & 0xFFFF)
        network.repairs = Repairs()
        await bench.start()
        assert (await bench.wait_done())[1:] == (0, 0)
        assert (await bench.take_result())[0] == network.infer(bits)
        await bench.load_repairs(good)
        network.repairs = good
        await bench.push(bits)
        await bench.start()
        assert (await bench.wait_done())[1:] == (0, 0)
        assert (await bench.take_result())[0] == network.infer(bits)

    bench.run(scenario)


def test_abort_in_every_cycle_of_the_check():
    network = build("sign", 1)
    bits = random_bits(random.Random(0), 37)
    bench = Bench(network)

    async def scenario(bench):
        await bench.load_network()
        await bench.push(bits)
        for cycle in range(repair_cycles(GEOMETRY) + 6):
            await bench.start()
            await bench.cycle(cycle)
            await bench.abort()
            assert (await bench.wait_done())[1:] == (ErrorCode.ABORTED, 0)
        await bench.start()
        assert (await bench.wait_done())[1:] == (0, 0)
        assert await bench.take_result() == (network.infer(bits), 0)

    bench.run(scenario)


def test_the_windows_read_back():
    network = build("sign", 0)
    bench = Bench(network)

    async def scenario(bench):
        await bench.load_network()
        g, repairs = GEOMETRY, network.repairs
        for window, words in (
            (bench.dut.repair_column, repairs.column_words(g)),
            (bench.dut.repair_row, repairs.row_words(g)),
        ):
            assert [await bench.read(window, i) for i in range(len(words))] == words

    bench.run(scenario)


def spare_takes_the_neighbour(m, outer, inner):
    m.d.comb += inner.write.bits.eq(outer.write.bits.rotate_left(1))


def replaced_column_stays_on(m, outer, inner):
    m.d.comb += inner.replace.eq(0)


def spare_row_off_by_one(m, outer, inner):
    g, row = outer.geometry, inner.pins.row
    with m.If(row >= g.plain_rows):
        m.d.comb += outer.pins.row.eq(Mux(row == g.rows - 1, g.plain_rows, row + 1))


def rows_not_told(m, outer, inner):
    m.d.comb += inner.spares.eq(0)


BROKEN = [
    (ColumnRegisters, spare_takes_the_neighbour, "count"),
    (ColumnRegisters, replaced_column_stays_on, "count"),
    (ReadSequencer, spare_row_off_by_one, "threshold"),
    (ReadSequencer, rows_not_told, "threshold"),
]


@pytest.mark.parametrize(("base", "alter", "name"), BROKEN)
def test_broken_designs_are_seen(monkeypatch, base, alter, name):
    network = build(name, 0)
    run_network(network, Timing())
    wrap(monkeypatch, base, alter)
    with pytest.raises(AssertionError):
        run_network(network, Timing())


def test_only_rows_or_only_columns():
    for fields in ({"spare_columns": 0}, {"spare_rows": 0}):
        geometry = replace(GEOMETRY, **fields)
        rng = random.Random(str(fields))
        network = Network.random(geometry, [dict(fields) for fields in LAYERS["vote"]], rng)
        network.repairs = random_repairs(geometry, rng, least=0)
        run_network(network, Timing())


def test_without_spares_there_is_nothing_of_them():
    text = "\n".join(line for line in verilog_text(Geometry()).splitlines() if not line.startswith("//"))
    assert not [word for word in ("repair", "spare", "geometry3") if word in text.lower()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)  # the one that refuses
        with pytest.raises(ValueError, match="spare_columns = 0 and spare_rows = 0") as refused:
            RepairTable(Geometry())
        del refused
        gc.collect()


@pytest.mark.parametrize(
    ("repairs", "message"),
    [
        (Repairs(columns=((2, 0, 0),)), "Repairs.tile = 2: must be an integer from 0 to 1"),
        (Repairs(columns=((0, 3, 0),)), "Repairs.spare column = 3: must be an integer from 0 to 2"),
        (Repairs(columns=((0, 0, 1), (0, 0, 2))), r"spare column \(tile, spare\) \(0, 0\) is named twice"),
        (Repairs(rows=((0, 1), (0, 2))), "spare row 0 is named twice"),
    ],
)
def test_messages(repairs, message):
    with pytest.raises(ValueError, match=message):
        repairs.check(GEOMETRY)
