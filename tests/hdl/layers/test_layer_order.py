"""Layers and vectors in turn, and which counts are refused."""

import random

import pytest

from bridgebnn.hdl.layers.layer_order import LayerOrder
from bridgebnn.hdl.spec import Geometry
from tests.hdl.clocked import clocked

GEOMETRY = Geometry(tiles=3, rows=4, inputs=4, bias=0, thresholds=1, layers=5)


@pytest.mark.parametrize("layers", range(1, 6))
def test_every_layer_of_every_vector(layers):
    dut, rng = LayerOrder(GEOMETRY), random.Random(layers)

    async def scenario(ctx):
        for vectors in (1, 3):
            ctx.set(dut.layer_count, layers)
            ctx.set(dut.infer_count, vectors)
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            ctx.set(dut.infer_count, 77)  # was taken
            assert not ctx.get(dut.running_final)
            for vector in range(vectors):
                for layer in range(layers):
                    score, tiles = rng.getrandbits(1), rng.randint(1, 3)
                    ctx.set(dut.plan.score, score)
                    ctx.set(dut.plan.tile_count, tiles)
                    for _ in range(rng.randrange(3)):
                        await ctx.tick()
                    place = (ctx.get(dut.index), ctx.get(dut.first), ctx.get(dut.final))
                    assert place == (layer, layer == 0, layer == layers - 1)
                    assert ctx.get(dut.after) == (layer + 1) % layers
                    assert ctx.get(dut.vector) == vector
                    assert ctx.get(dut.remaining) == vectors - vector
                    assert ctx.get(dut.last_vector) == (vector == vectors - 1)
                    ctx.set(dut.start_layer, 1)
                    await ctx.tick()
                    ctx.set(dut.start_layer, 0)
                    ctx.set(dut.plan.score, 1 - score)
                    ctx.set(dut.plan.tile_count, 0)
                    running = [ctx.get(getattr(dut, name)) for name in ("running_scored", "running_tiles")]
                    assert running == [score, tiles]
                    assert ctx.get(dut.running_final) == (layer == layers - 1)
                    assert ctx.get(dut.index) == (layer + 1) % layers
                ctx.set(dut.commit, 1)
                await ctx.tick()
                ctx.set(dut.commit, 0)

    clocked(dut, scenario)


def test_a_new_command_begins_anew():
    dut = LayerOrder(GEOMETRY)

    async def scenario(ctx):
        ctx.set(dut.layer_count, 2)
        ctx.set(dut.infer_count, 9)
        for event in (dut.clear, dut.start_layer, dut.start_layer, dut.commit, dut.start_layer, dut.clear):
            ctx.set(event, 1)
            await ctx.tick()
            ctx.set(event, 0)
        names = ("index", "vector", "remaining", "running_final")
        assert [ctx.get(getattr(dut, name)) for name in names] == [0, 0, 9, 0]

    clocked(dut, scenario)


def test_bad_counts():
    dut = LayerOrder(GEOMETRY)

    async def scenario(ctx):
        for layers in (0, 1, 5, 6, 8, 128, 255):
            ctx.set(dut.layer_count, layers)
            assert ctx.get(dut.bad_layers) == (not 1 <= layers <= 5)
        for vectors in (0, 1, 1 << 31):
            ctx.set(dut.infer_count, vectors)
            assert ctx.get(dut.bad_vectors) == (vectors == 0)

    clocked(dut, scenario)
