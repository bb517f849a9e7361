"""Convolutions on the layer sequencer: every bit, every cycle, and every rule of a walk."""

from __future__ import annotations

import dataclasses
import random

import pytest

from bridgebnn.hdl.spec import (
    Combine,
    Descriptor,
    ErrorCode,
    Geometry,
    MapWalk,
    ReadMode,
    Timing,
    check_descriptors,
    latency,
)
from tests.hdl.layers.layer_bench import Bench, Network, random_bits

GEOMETRY = Geometry(
    tiles=3, rows=48, inputs=40, bias=3, thresholds=64, layers=5, scores=8, count_width=16, map_words=24
)
TIMING = Timing(precharge_cyc=1, evaluate_cyc=1, sense_cyc=1)


def conv(walk: MapWalk, rows: int, tiles: int = 1, **fields) -> dict:
    width = -(-walk.window_bits // tiles)
    last = walk.window_bits - width * (tiles - 1)
    return {"walk": walk, "row_count": rows, "tile_count": tiles, "cols": width, "cols_last": last, **fields}


def network(rng, *layers, geometry=GEOMETRY) -> Network:
    return Network.random(geometry, list(layers), rng)


FIRST = MapWalk.convolution(width=6, height=5, channels=3, kernel=3, padding=1)
SECOND = MapWalk.convolution(width=6, height=5, channels=4, kernel=3, stride=1, padding=1, pool=2)
STRIDED = MapWalk.convolution(width=7, height=7, channels=2, kernel=4, stride=2, padding=1)

CHAINS = {
    "one convolution, then dense": [
        conv(FIRST, 4),
        conv(MapWalk.flat(120), 6, 3, mode=ReadMode.COUNT, score=True),
    ],
    "pooling, threshold": [
        conv(FIRST, 4, use_threshold=True),
        conv(SECOND, 5, use_threshold=True),
        conv(MapWalk.flat(30), 7),
        {"cols": 7, "row_count": 5, "mode": ReadMode.SEARCH, "score": True},
    ],
    "split by votes and by sums": [
        conv(FIRST, 4, 3, combine=Combine.VOTE, use_threshold=True),
        conv(SECOND, 5, 2, mode=ReadMode.COUNT, use_threshold=True),
        conv(MapWalk.flat(30), 3, 2, mode=ReadMode.SEARCH, score=True, use_threshold=True),
    ],
    "rows fewer than a window takes": [
        conv(STRIDED, 1),
        conv(MapWalk.convolution(width=3, height=3, channels=1, kernel=1), 2),
        conv(MapWalk.flat(18), 2),
    ],
    "one window": [
        conv(MapWalk.flat(90), 9, 3, mode=ReadMode.COUNT),
        {"cols": 9, "row_count": 3, "score": True},
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_bits_scores_and_cycles(name):
    rng = random.Random(3)
    net = network(rng, *CHAINS[name])
    vectors = 3
    inputs = [random_bits(rng, net.descriptors[0].walk.map_bits) for _ in range(vectors)]
    bench = Bench(net, TIMING)

    async def scenario(bench):
        await bench.load_network()
        await bench.push(inputs[0])
        await bench.push(inputs[1])
        await bench.start(vectors)
        for number in range(vectors):
            await bench.wait_result()
            if number == 0:
                await bench.push(inputs[2])
            result, index = await bench.take_result()
            assert result == net.infer(inputs[number])
            assert index == number
        await bench.cycle(3)
        assert [code for _, code, _ in bench.ended] == [ErrorCode.NONE]

    bench.run(scenario)


@pytest.mark.parametrize("name", CHAINS)
def test_cycles_of_the_command(name):
    """INFER ends in the cycle that the formulas name, with one vector and with two."""
    for vectors in (1, 2):
        rng = random.Random(4)
        net = network(rng, *CHAINS[name])
        bench = Bench(net, TIMING)
        ended = []

        async def scenario(bench, net=net, rng=rng, vectors=vectors, ended=ended):
            await bench.load_network()
            for _ in range(vectors):
                await bench.push(random_bits(rng, net.descriptors[0].walk.map_bits))
            await bench.start(vectors)
            ended.append((await bench.wait_done())[0])
            assert bench.ctx.get(bench.dut.perf_rows) == vectors * sum(
                d.row_count * d.windows for d in net.descriptors
            )
            assert bench.ctx.get(bench.dut.perf_read) == sum(bench.monitor.reads)

        bench.run(scenario)
        assert ended == [latency.infer_cycles(net.descriptors, TIMING, GEOMETRY, vectors)]


def test_no_bubble_where_rows_take_longer_than_gathering():
    rng = random.Random(5)
    net = network(
        rng, conv(FIRST, 16), conv(MapWalk.flat(480), 2), geometry=dataclasses.replace(GEOMETRY, inputs=480)
    )
    bench = Bench(net, TIMING)

    async def scenario(bench):
        await bench.load_network()
        await bench.push(random_bits(rng, FIRST.map_bits))
        await bench.start()
        await bench.wait_done()

    bench.run(scenario)
    gaps = bench.monitor.gaps()
    assert len(gaps) == 1  # between the layers alone, not between 30 windows
    assert gaps[0] == 3 + latency.gather_cycles(net.descriptors[1])[0]


GOOD = [conv(FIRST, 4), conv(SECOND, 5), conv(MapWalk.flat(30), 3)]


def changed(walk, **fields):
    """A walk with fields that no constructor would take."""
    copy = dataclasses.replace(walk)
    for name, value in fields.items():
        object.__setattr__(copy, name, value)
    return copy


BAD = {
    "no kernel": (0, {"kernel": 0}),
    "no stride": (0, {"stride": 0}),
    "no pooling window": (1, {"pool": 0}),
    "no channels": (0, {"channels": 0}),
    "no rows": (0, {"height": 0}),
    "no pixels in a row": (0, {"width": 0}),
    "nothing written in a row": (0, {"out_width": 0}),
    "no row written": (0, {"out_height": 0}),
    "window of other bits": (0, {"channels": 5, "width": 3}),
    "map larger than the memory": (0, {"height": 900}),
    "writes more than the memory": (0, {"out_width": 1000}),
    "reads no map after one": (1, {"reads_map": False, "writes_map": False}),
    "writes without reading": (2, {"reads_map": False, "writes_map": True}),
    "last layer writes": (2, {"writes_map": True}),
    "many windows, no map": (2, {"out_width": 2}),
    "map of other bits than written": (1, {"height": 4}),
    "written map of other bits than read": (0, {"out_height": 4}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_walk(name):
    rng = random.Random(6)
    net = network(rng, *GOOD)
    which, fields = BAD[name]
    expected = which + 1 if name == "written map of other bits than read" else which
    d = net.descriptors[which]
    net.descriptors[which] = dataclasses.replace(d, walk=changed(d.walk, **fields))
    bench = Bench(net, TIMING)

    async def scenario(bench):
        await bench.load_network()
        await bench.push(random_bits(rng, FIRST.map_bits))
        await bench.start()
        _, code, detail = await bench.wait_done()
        assert (code, detail) == (ErrorCode.BAD_DESCRIPTOR, expected)
        assert not any(bench.monitor.reads)

    bench.run(scenario)


@pytest.mark.parametrize("stride", [131, pytest.param(41, marks=pytest.mark.long)])
def test_abort_anywhere_and_again(stride):
    """The vector under way is dropped, wherever it is, its bank is free; the next one comes out right."""
    rng = random.Random(7)
    net = network(rng, *GOOD)
    took = latency.infer_cycles(net.descriptors, TIMING, GEOMETRY)
    bench = Bench(net, TIMING)

    async def run_to_end(bench, bits):
        await bench.start()
        _, code, _ = await bench.wait_done()
        assert code == ErrorCode.NONE
        assert (await bench.take_result())[0] == net.infer(bits)

    async def scenario(bench):
        await bench.load_network()
        for cycle in range(10, took, stride):
            lost, kept = (random_bits(rng, FIRST.map_bits) for _ in range(2))
            await bench.push(lost)
            bench.monitor.reads.clear()
            await bench.start()
            await bench.cycle(cycle)
            await bench.abort()
            assert not any(value for name, value in bench.pins().items() if name != "bl")
            assert (await bench.wait_done())[1:] == (ErrorCode.ABORTED, 0)
            if not any(bench.monitor.reads):  # it had not started: it stays for the next command
                await run_to_end(bench, lost)
            await bench.push(kept)
            await run_to_end(bench, kept)

    bench.run(scenario)


def test_rules_in_python_are_those_of_the_controller():
    net = network(random.Random(8), *GOOD)
    check_descriptors(net.descriptors, GEOMETRY)
    for which, fields in BAD.values():
        descriptors: list[Descriptor] = list(net.descriptors)

        def break_it(which=which, fields=fields, descriptors=descriptors):
            walk = dataclasses.replace(descriptors[which].walk, **fields)
            descriptors[which] = dataclasses.replace(descriptors[which], walk=walk)
            check_descriptors(descriptors, GEOMETRY)

        with pytest.raises(ValueError, match=r"must be|descriptor \d "):
            break_it()
