"""Layer sequencer against an ideal macro and a reference in plain Python."""

import random

import pytest

from hdl.config import Geometry, Timing
from hdl.latency import infer_cycles, vector_cycles
from tests.hdl.layer_bench import ADD, COUNT, SEARCH, SIGN, VOTE, Bench, Network, random_bits

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
