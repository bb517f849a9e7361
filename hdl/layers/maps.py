"""Activation maps: two memories, the windows gathered from one, the bits written to the other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.spec import WORD_WIDTH, Geometry

from .descriptor_table import plan_layout
from .layer_words import layer_words_window
from .map_writer import MapWriter
from .vectors import write_layout
from .walk_table import WalkTable
from .window_gather import RawWalk, WindowGather

__all__ = ["ActivationMaps"]


class ActivationMaps(wiring.Component):
    """What a layer with convolutions needs beside the column registers.

    The first layer's windows come from the input bank, a later one's from the map that the layer before has written;
    the two memories change sides after each layer that writes.

    Latency: ``ready`` rises as in :class:`~bridgebnn.hdl.layers.window_gather.WindowGather`.

    Parameters
    ----------
    geometry : Geometry
        With ``map_words``.

    Members
    -------
    window : In(WindowPort)
        Host access to the walks.
    fetch, index, plan : In
        Of the descriptor table, whose next layer this block shows, too.
    walk : Out(RawWalk)
        The next layer's.
    first, rows : In
        The next layer reads the input bank; its number of rows.
    source_ready : In(1)
        The next layer's map is complete: its first window may be gathered.
    start_layer, next_window : In(1)
        The window in the back registers moved to the front: the next layer's first one, a further one.
    clear, halt : In(1)
        Start of a command; forget what is under way.
    stored : In(1)
        The running layer's last bit is in its place.
    valid, bit : In(1)
        A bit of the running layer.
    ready : Out(1)
        A window is in the back registers.
    last_window : Out(1)
        The running layer's window is its last; 1 where it reads no map.
    writes : Out(1)
        The running layer's bits go to a map.
    input_taken : Out(1)
        One cycle: the running layer needs its input bank no longer.
    input_address, input_enable, input_word : Out, Out(1), In(32)
        Read port of the input bank.
    write : Out(write_layout(geometry))
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "window": In(layer_words_window(g)),
                "fetch": In(1),
                "index": In(max(1, bits_for(g.layers - 1))),
                "plan": In(plan_layout(g)),
                "walk": Out(RawWalk),
                "first": In(1),
                "rows": In(bits_for(g.rows)),
                "source_ready": In(1),
                "start_layer": In(1),
                "next_window": In(1),
                "clear": In(1),
                "halt": In(1),
                "stored": In(1),
                "valid": In(1),
                "bit": In(1),
                "ready": Out(1),
                "last_window": Out(1, init=1),
                "writes": Out(1),
                "input_taken": Out(1),
                "input_address": Out(max(1, bits_for(g.input_words - 1))),
                "input_enable": Out(1),
                "input_word": In(WORD_WIDTH),
                "write": Out(write_layout(g)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.geometry
        m.submodules.table = table = WalkTable(g)
        m.submodules.gather = gather = WindowGather(g)
        m.submodules.writer = writer = MapWriter(g)
        connect(m, flipped(self.window), table.window)
        m.d.comb += [
            table.fetch.eq(self.fetch),
            table.index.eq(self.index),
            self.walk.eq(table.walk),
            gather.plan.eq(self.plan),
            gather.walk.eq(table.walk),
            gather.begin.eq(gather.idle & table.walk.reads_map & self.source_ready & ~self.halt),
            gather.halt.eq(self.halt),
            writer.walk.eq(table.walk),
            writer.rows.eq(self.rows),
            writer.begin.eq(self.start_layer),
            writer.valid.eq(self.valid & self.writes),
            writer.bit.eq(self.bit),
            self.write.eq(gather.write),
            self.ready.eq(gather.ready),
        ]

        # What runs.
        from_input = Signal()
        moved = Signal()
        m.d.comb += moved.eq((self.start_layer & table.walk.reads_map) | self.next_window)
        m.d.comb += gather.move.eq(moved)
        with m.If(gather.begin):
            m.d.sync += from_input.eq(self.first)
        with m.If(self.start_layer):
            m.d.sync += [
                self.writes.eq(table.walk.writes_map),
                self.last_window.eq(gather.last | ~table.walk.reads_map),
            ]
        with m.Elif(self.next_window):
            m.d.sync += self.last_window.eq(gather.last)

        # The input bank is the vector's until its last window has left it.
        held = Signal()
        m.d.comb += self.input_taken.eq((moved & from_input & gather.last) | (self.halt & held))
        with m.If(self.input_taken | self.clear):
            m.d.sync += held.eq(0)
        with m.Elif(self.start_layer & self.first & table.walk.reads_map):
            m.d.sync += held.eq(1)

        # Two memories; the running layer writes ``side`` and reads the other.
        side = Signal()
        with m.If(self.clear):
            m.d.sync += side.eq(0)
        with m.Elif(self.stored & self.writes):
            m.d.sync += side.eq(~side)
        words = []
        for number in range(2):
            m.submodules[f"map_{number}"] = memory = SyncMemory(width=WORD_WIDTH, depth=g.map_words)
            mine = side == number
            m.d.comb += [
                memory.r_addr.eq(Mux(mine, writer.address, gather.address)),
                memory.r_en.eq(Mux(mine, writer.enable, gather.enable)),
                memory.w_addr.eq(writer.write_address),
                memory.w_data.eq(writer.write_word),
                memory.w_en.eq(writer.write_enable & mine),
            ]
            words.append(memory.r_data)
        m.d.comb += [
            gather.word.eq(Mux(from_input, self.input_word, Mux(side, words[0], words[1]))),
            writer.word.eq(Mux(side, words[1], words[0])),
            self.input_address.eq(gather.address),
            self.input_enable.eq(gather.enable & from_input),
        ]
        return m
