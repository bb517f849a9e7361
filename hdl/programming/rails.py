"""The programming rails: asked for, settled, lost, and taken away."""

from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

__all__ = ["RailState", "Rails"]


class RailState(StrEnum):
    """What is done about the rails."""

    IDLE = "idle"
    RAISE = "raise"
    WATCH = "watch"


class Rails(Component):
    """Asks for the programming rails, waits until they have settled, and watches them and the unlock.

    The rails count as settled once ``hv_ready`` has been high for ``settle_cyc`` cycles in a row. The limit
    covers the whole wait, settling included; rails that settle in its last cycle are in time.

    Latency: ``hv_en`` rises 2 cycles after ``start`` and falls 1 cycle after ``lower`` or ``timeout``;
    ``settled`` comes in the last of the ``settle_cyc`` cycles, ``timeout`` in the last of ``limit_cyc``
    cycles with ``hv_en`` high; ``locked`` and ``lost`` are combinational. Throughput: one command at a time.

    Members
    -------
    start : In(1)
        Raise the rails; only while they are down.
    lower : In(1)
        Take the rails away, from any state. Nothing is reported as settled or timed out with it.
    settle_cyc, limit_cyc : In(16)
        Lengths in cycles; 0 acts as 1.
    unlocked : In(1)
        Programming is allowed.
    hv_en, hv_ready : Out, In
        The macro's pins.
    pending : Out(1)
        The rails have been asked for and not yet settled; low in the cycle of ``settled``.
    timeout : Out(1)
        One cycle: the limit is over. The rails are taken away.
    locked : Out(1)
        The rails are asked for and ``unlocked`` is low.
    lost : Out(1)
        The rails had settled and ``hv_ready`` is low.
    """

    start: In(1)
    lower: In(1)
    settle_cyc: In(16)
    limit_cyc: In(16)
    unlocked: In(1)
    hv_en: Out(1)
    hv_ready: In(1)
    pending: Out(1)
    timeout: Out(1)
    locked: Out(1)
    lost: Out(1)

    def elaborate(self, platform):
        m = Module()
        raising, ready, settled, waiting = Signal(), Signal(), Signal(), Signal()
        timer = Signal(16)
        ready_for = Signal(16)
        m.d.comb += [
            ready.eq(raising & self.hv_en & self.hv_ready),
            settled.eq(ready & (ready_for + 1 >= self.settle_cyc)),
            waiting.eq(raising & self.hv_en & ~settled),
            self.timeout.eq(waiting & (timer + 1 >= self.limit_cyc)),
        ]
        m.d.sync += [
            ready_for.eq(Mux(ready & ~settled, ready_for + 1, 0)),
            timer.eq(Mux(waiting & ~self.timeout, timer + 1, 0)),
        ]
        with m.FSM(init=RailState.IDLE):
            # The rails are down. Waits for a command that needs them.
            with m.State(RailState.IDLE):
                with m.If(self.start):
                    m.next = RailState.RAISE

            # Drives hv_en; waits until hv_ready has stayed high long enough, or the limit is over.
            with m.State(RailState.RAISE):
                m.d.comb += [self.locked.eq(~self.unlocked), self.pending.eq(~settled)]
                with m.If(self.lower):
                    m.d.sync += self.hv_en.eq(0)
                    m.next = RailState.IDLE
                with m.Else():
                    m.d.comb += raising.eq(1)
                    m.d.sync += self.hv_en.eq(1)
                    with m.If(settled):
                        m.next = RailState.WATCH
                    with m.Elif(self.timeout):
                        m.d.sync += self.hv_en.eq(0)
                        m.next = RailState.IDLE

            # Drives hv_en and tells when the rails or the unlock are lost; waits for the end of their use.
            with m.State(RailState.WATCH):
                m.d.comb += [self.locked.eq(~self.unlocked), self.lost.eq(~self.hv_ready)]
                with m.If(self.lower):
                    m.d.sync += self.hv_en.eq(0)
                    m.next = RailState.IDLE
        return m
