"""Windows of random maps, bit by bit and cycle by cycle, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.window_gather import RawWalk, WindowGather
from bridgebnn.hdl.spec import WORD_WIDTH, Geometry, words
from bridgebnn.hdl.spec.walks import MapWalk


def slices_of(inputs: int, tiles: int) -> list[int]:
    width = -(-inputs // tiles)
    return [width] * (tiles - 1) + [inputs - width * (tiles - 1)]


def packed(bits) -> list[int]:
    padded = np.zeros(WORD_WIDTH * words(len(bits)), np.uint8)
    padded[: len(bits)] = bits
    return [int("".join(map(str, word[::-1])), 2) for word in padded.reshape(-1, WORD_WIDTH)]


def window(walk: MapWalk, bits, y: int, x: int):
    image = np.zeros((walk.height + 30, walk.width + 30, walk.channels), np.uint8)
    image[15 : 15 + walk.height, 15 : 15 + walk.width] = bits.reshape(walk.height, walk.width, walk.channels)
    return image[15 + y : 15 + y + walk.kernel, 15 + x : 15 + x + walk.kernel].ravel()


class Bench:
    """Plays the map memory, the column registers and the reads."""

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        self.dut = WindowGather(geometry)
        self.memory: list[int] = []
        self.columns: dict[tuple[int, int], int] = {}

    def run(self, scenario):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)

        async def testbench(ctx):
            await scenario(ctx, self)

        simulator.add_testbench(testbench)
        simulator.run()

    async def tick(self, ctx):
        dut = self.dut
        write, enable, address = ctx.get(dut.write.en), ctx.get(dut.enable), ctx.get(dut.address)
        if write:
            self.columns[ctx.get(dut.write.tile), ctx.get(dut.write.word)] = ctx.get(dut.write.bits)
        await ctx.tick()
        if enable:
            ctx.set(dut.word, self.memory[address])

    async def begin(self, ctx, walk: MapWalk, bits, tiles: int, first: int = 0):
        dut, inputs = self.dut, walk.window_bits
        self.memory = packed(bits)
        sizes = slices_of(inputs, tiles)
        for name in RawWalk.members:
            ctx.set(getattr(dut.walk, name), int(getattr(walk, name)))
        ctx.set(dut.plan.tile_first, first)
        ctx.set(dut.plan.tile_last, first + tiles - 1)
        ctx.set(dut.plan.cols, sizes[0])
        ctx.set(dut.plan.cols_last, sizes[-1])
        assert ctx.get(dut.idle)
        ctx.set(dut.begin, 1)
        await self.tick(ctx)
        ctx.set(dut.begin, 0)
        return sizes

    async def wait(self, ctx) -> int:
        cycles = 1
        while not ctx.get(self.dut.ready):
            await self.tick(ctx)
            cycles += 1
            assert cycles < 5000, "no window"
        return cycles

    async def check(self, ctx, walk: MapWalk, bits, tiles: int, first: int = 0):
        sizes = await self.begin(ctx, walk, bits, tiles, first)
        corners = list(walk.positions())
        for number, (y, x) in enumerate(corners):
            cycles = await self.wait(ctx)
            assert cycles == walk.chunks(y, x, sizes) + 3
            expected = window(walk, bits, y, x)
            start = 0
            wanted = {}
            for tile, size in enumerate(sizes):
                for word, value in enumerate(packed(expected[start : start + size])):
                    wanted[first + tile, word] = value
                start += size
            assert self.columns == wanted, (number, y, x)
            assert ctx.get(self.dut.last) == (number == len(corners) - 1)
            self.columns = {}
            ctx.set(self.dut.move, 1)
            await self.tick(ctx)
            ctx.set(self.dut.move, 0)
        assert ctx.get(self.dut.idle)


GEOMETRY = Geometry(tiles=3, inputs=120, bias=0, map_words=64)

WALKS = [
    (MapWalk.convolution(width=5, height=4, channels=3, kernel=3), 1),
    (MapWalk.convolution(width=5, height=4, channels=3, kernel=3, padding=1, pool=2), 1),
    (MapWalk.convolution(width=7, height=6, channels=8, kernel=5, stride=2, padding=2), 2),
    (MapWalk.convolution(width=6, height=6, channels=32, kernel=3, padding=1), 3),
    (MapWalk.convolution(width=4, height=4, channels=33, kernel=2, stride=2, pool=2), 3),
    (MapWalk.convolution(width=9, height=3, channels=1, kernel=3, padding=3, pool=3), 1),
    (MapWalk.convolution(width=1, height=1, channels=7, kernel=1), 1),
    (MapWalk.flat(97), 1),
    (MapWalk.flat(352), 3),
]


@pytest.mark.parametrize(("walk", "tiles"), WALKS, ids=range(len(WALKS)))
def test_every_window(walk, tiles):
    rng = np.random.default_rng(7)

    async def scenario(ctx, bench):
        await bench.check(ctx, walk, rng.integers(0, 2, walk.map_bits, np.uint8), tiles)

    Bench(GEOMETRY).run(scenario)


def test_windows_far_outside_of_the_map_end():
    """A walk that the check lets through although it leaves the map: each of its windows is gathered all the same."""
    geometry = Geometry(inputs=2048, bias=0, map_words=64)
    walk = MapWalk(kernel=1, stride=8, channels=2048, out_width=70, reads_map=True, writes_map=True)

    async def scenario(ctx, bench):
        await bench.begin(ctx, walk, np.ones(2048, np.uint8), 1)
        for number in range(walk.windows):
            await bench.wait(ctx)
            assert ctx.get(bench.dut.last) == (number == walk.windows - 1)
            ctx.set(bench.dut.move, 1)
            await bench.tick(ctx)
            ctx.set(bench.dut.move, 0)
        assert ctx.get(bench.dut.idle)

    Bench(geometry).run(scenario)


def test_one_layer_after_another_and_a_halt():
    rng = np.random.default_rng(8)

    async def scenario(ctx, bench):
        for walk, tiles in WALKS[:3]:
            await bench.check(ctx, walk, rng.integers(0, 2, walk.map_bits, np.uint8), tiles, first=3 - tiles)
        for wait in (0, 1, 5, 9, 30):  # in every state
            await bench.begin(ctx, WALKS[2][0], rng.integers(0, 2, WALKS[2][0].map_bits, np.uint8), 2)
            for _ in range(wait):
                await bench.tick(ctx)
            ctx.set(bench.dut.halt, 1)
            await bench.tick(ctx)
            ctx.set(bench.dut.halt, 0)
            assert ctx.get(bench.dut.idle)
            bench.columns = {}
            walk, tiles = WALKS[1]
            await bench.check(ctx, walk, rng.integers(0, 2, walk.map_bits, np.uint8), tiles)

    Bench(GEOMETRY).run(scenario)


def test_random_walks():
    rng = np.random.default_rng(9)

    async def scenario(ctx, bench):
        done = 0
        while done < 25:
            kernel, stride, pool = (int(rng.integers(1, n)) for n in (5, 4, 4))
            shape = {n: int(rng.integers(1, 9)) for n in ("width", "height")}
            channels, padding = int(rng.integers(1, 20)), int(rng.integers(0, 3))
            try:
                walk = MapWalk.convolution(
                    **shape, channels=channels, kernel=kernel, stride=stride, padding=padding, pool=pool
                )
            except ValueError:
                continue
            tiles = int(rng.integers(1, 4))
            sizes = slices_of(walk.window_bits, tiles)
            if max(sizes) > 120 or min(sizes) < 1 or walk.map_bits > 64 * 32:
                continue
            await bench.check(ctx, walk, rng.integers(0, 2, walk.map_bits, np.uint8), tiles)
            done += 1

    Bench(GEOMETRY).run(scenario)
