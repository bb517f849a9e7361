"""The layers of a vector, the vectors of a command: which one is next, which one runs."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import Geometry

from .descriptor_table import plan_layout

__all__ = ["LayerOrder"]


class LayerOrder(Component):
    """Counts layers and vectors: the first layer of the next vector follows the last layer of this one.

    Latency: registers, 1 cycle after ``clear``, ``start_layer``, ``commit``; ``first``, ``final``,
    ``last_vector``, ``after``, ``bad_layers``, ``bad_vectors`` are combinational.
    Throughput: one layer a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    layer_count, infer_count : In(8), In(32)
        Settings of the command, stable while it runs.
    bad_layers, bad_vectors : Out(1)
        There are no layers, or more than the table holds; there are no vectors.
    plan : In(plan_layout(geometry))
        Of layer ``index``, valid with ``start_layer``.
    clear : In(1)
        A command begins: layer 0 of vector 0 is the next.
    start_layer : In(1)
        Layer ``index`` begins: it is the running one from the next cycle on.
    commit : In(1)
        A vector's result is complete. Not together with ``clear``.
    index, after : Out
        The next layer to start, and the one that follows it.
    first, final : Out(1)
        Layer ``index`` is a vector's first one, its last one.
    running_final, running_scored, running_tiles : Out
        Of the running layer: it is the last; its scores are kept; its number of tiles.
    vector, remaining, last_vector : Out(32), Out(32), Out(1)
        The vector whose result is next; how many results are still to come; it is one.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        layer = max(1, bits_for(g.layers - 1))
        super().__init__(
            {
                "layer_count": In(8),
                "infer_count": In(32),
                "bad_layers": Out(1),
                "bad_vectors": Out(1),
                "plan": In(plan_layout(g)),
                "clear": In(1),
                "start_layer": In(1),
                "commit": In(1),
                "index": Out(layer),
                "after": Out(layer),
                "first": Out(1),
                "final": Out(1),
                "running_final": Out(1),
                "running_scored": Out(1),
                "running_tiles": Out(bits_for(g.tiles)),
                "vector": Out(32),
                "remaining": Out(32),
                "last_vector": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.bad_layers.eq((self.layer_count == 0) | (self.layer_count > self.geometry.layers)),
            self.bad_vectors.eq(self.infer_count == 0),
            self.first.eq(self.index == 0),
            self.final.eq(self.index + 1 == self.layer_count),
            self.after.eq(Mux(self.final, 0, self.index + 1)),
            self.last_vector.eq(self.remaining == 1),
        ]
        with m.If(self.clear):
            m.d.sync += [self.index.eq(0), self.running_final.eq(0)]
            m.d.sync += [self.vector.eq(0), self.remaining.eq(self.infer_count)]
        with m.If(self.start_layer):
            m.d.sync += [
                self.index.eq(self.after),
                self.running_final.eq(self.final),
                self.running_scored.eq(self.plan.score),
                self.running_tiles.eq(self.plan.tile_count),
            ]
        with m.If(self.commit):
            m.d.sync += [self.vector.eq(self.vector + 1), self.remaining.eq(self.remaining - 1)]
        return m
