"""Which tiles have answered a comparison, and the first one that never did."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import Geometry

__all__ = ["LateAnswers"]


class LateAnswers(Component):
    """Tells when every tile that compares has answered; of those given up it names the first.

    Latency: ``resolved`` is combinational; ``timeout`` comes 1 cycle after ``give_up``, from registers, so
    that the pins do not ripple through the encoder.
    Throughput: one comparison a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    wl_en, cmp_valid : In(T)
        The tiles that compare; those that have answered.
    resolved : Out(1)
        No answer is missing.
    give_up : In(1)
        The missing answers are waited for no longer; only while not ``resolved``.
    timeout, tile : Out(1), Out
        One cycle: ``tile`` is the first one whose answer was missing.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "wl_en": In(g.tiles),
                "cmp_valid": In(g.tiles),
                "resolved": Out(1),
                "give_up": In(1),
                "timeout": Out(1),
                "tile": Out(max(1, bits_for(g.tiles - 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        missing = Signal(self.geometry.tiles)
        unresolved = Signal(self.geometry.tiles)
        m.d.comb += [
            missing.eq(self.wl_en & ~self.cmp_valid),
            self.resolved.eq(~missing.any()),
            self.timeout.eq(unresolved.any()),
        ]
        m.d.sync += unresolved.eq(0)
        with m.If(self.give_up):
            m.d.sync += unresolved.eq(missing)
        for tile in reversed(range(self.geometry.tiles)):
            with m.If(unresolved[tile]):
                m.d.comb += self.tile.eq(tile)
        return m
