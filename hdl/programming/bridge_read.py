"""The bridge read of a row: the columns that are asked, their read, and its answers."""

from enum import StrEnum

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from .column_walk import Walk
from .pin_driver import PinStep

__all__ = ["BridgeRead", "BridgeState"]


class BridgeState(StrEnum):
    """What is being done about the bridges."""

    IDLE = "idle"
    SELECT_READ = "select read"
    CAPTURE = "capture"


class BridgeRead(Component):
    """Reads the bridges of the columns that are asked, after which they stand in the image or against it.

    Nothing is read when no column is asked.

    Latency, from the cycle after ``start`` to that of ``done``: one walk, and unless no column is asked a
    step READ and the walk over its answers. Throughput: one read at a time.

    Members
    -------
    start : In(1)
        Read the row from the next cycle on; only while idle.
    stop : In(1)
        Ends the read at once: nothing is offered in this cycle, and nothing runs in the next.
    done : Out(1)
        One cycle, the last one.
    walk : Out(stream.Signature(Walk))
        ASK and CAPTURE. Each is complete with its transfer; a stop alone withdraws one.
    any_ahead : In(1)
        With the transfer of ASK: a column is asked.
    step : Out(stream.Signature(PinStep))
        READ; the pins are free, so that ``ready`` has to be high.
    """

    start: In(1)
    stop: In(1)
    done: Out(1)
    walk: Out(stream.Signature(Walk))
    any_ahead: In(1)
    step: Out(stream.Signature(PinStep))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.step.payload.eq(PinStep.READ)
        with m.FSM(init=BridgeState.IDLE):
            # Waits for a command.
            with m.State(BridgeState.IDLE):
                with m.If(self.start):
                    m.next = BridgeState.SELECT_READ

            # Walks the mask: stages the columns that are asked, and asks them when there are any.
            with m.State(BridgeState.SELECT_READ):
                m.d.comb += [self.walk.valid.eq(~self.stop), self.walk.payload.eq(Walk.ASK)]
                with m.If(self.stop):
                    m.next = BridgeState.IDLE
                with m.Elif(self.walk.ready):
                    m.d.comb += [self.step.valid.eq(self.any_ahead), self.done.eq(~self.any_ahead)]
                    m.next = BridgeState.IDLE
                    with m.If(self.any_ahead):
                        m.next = BridgeState.CAPTURE

            # Waits for the answers and walks them: to the image, or against it.
            with m.State(BridgeState.CAPTURE):
                m.d.comb += [self.walk.valid.eq(~self.stop), self.walk.payload.eq(Walk.CAPTURE)]
                with m.If(self.stop):
                    m.next = BridgeState.IDLE
                with m.Elif(self.walk.ready):
                    m.d.comb += self.done.eq(1)
                    m.next = BridgeState.IDLE
        return m
