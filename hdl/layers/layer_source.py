"""Where the inputs of a layer come from: an input bank and the layer before, or windows of a map."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import Component, In, Member, Out

__all__ = ["BankSource", "MapSource"]


def _members() -> dict[str, Member]:
    """Ports that both sources have."""
    return {
        "first": In(1),
        "free": In(1),
        "loaded": In(1),
        "start_layer": In(1),
        "sourced": Out(1),
        "load": Out(1),
        "take": Out(1),
    }


class BankSource(Component):
    """A vector's first layer has its inputs from an input bank, every other one from the layer before.

    Latency: combinational. Throughput: one layer a cycle.

    Members
    -------
    first, start_layer : In(1)
        The next layer is a vector's first one; it begins in this cycle.
    free : In(1)
        The back registers of the first layer's tiles may be written.
    loaded : In(1)
        The next vector is in them.
    sourced : Out(1)
        The next layer's inputs are in the back registers.
    load, take : Out(1)
        Move the input bank to the back registers; the bank is needed no longer.
    """

    def __init__(self):
        super().__init__(_members())

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.sourced.eq(~self.first | self.loaded),
            self.load.eq(self.free),
            self.take.eq(self.start_layer & self.first),
        ]
        return m


class MapSource(Component):
    """A layer that reads a map has its inputs from the windows gathered of it; the others as of `BankSource`.

    Latency: combinational. Throughput: one layer a cycle.

    Members
    -------
    first, start_layer, free, loaded, sourced, load, take
        As of :class:`BankSource`; of a layer that reads a map ``sourced`` tells of its first window, and its
        bank is taken by ``input_taken``.
    reads_map : In(1)
        The next layer reads a map.
    between : In(1)
        No layer runs: the map of the layer before is complete.
    available, input_taken : In(1)
        A vector is in the input bank; its last window has left it.
    window_ready : In(1)
        A window is in the back registers.
    map_ready : Out(1)
        The next layer's map is complete, and the back registers are free.
    """

    def __init__(self):
        inputs = ("reads_map", "between", "available", "input_taken", "window_ready")
        super().__init__(_members() | {name: In(1) for name in inputs} | {"map_ready": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = bank = BankSource()
        m.d.comb += [
            bank.first.eq(self.first),
            bank.free.eq(self.free),
            bank.loaded.eq(self.loaded),
            bank.start_layer.eq(self.start_layer),
            self.sourced.eq(Mux(self.reads_map, self.window_ready, bank.sourced)),
            self.load.eq(bank.load & ~self.reads_map),
            self.take.eq((bank.take & ~self.reads_map) | self.input_taken),
            self.map_ready.eq(Mux(self.first, self.free & self.available, self.between)),
        ]
        return m
