"""Vectors on their way: input banks, result writer."""

from enum import StrEnum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH, Geometry, words

from .descriptor_table import plan_layout

__all__ = ["InputBanks", "ResultWriter", "write_layout"]


def word_count(geometry: Geometry) -> int:
    """Words that the longest slice of a tile or the result bits take."""
    return max(geometry.row_words, words(geometry.rows))


def write_layout(geometry: Geometry) -> data.StructLayout:
    """A word for the back registers, or for the result bank: ``en``, ``tile``, ``word``, ``bits``."""
    return data.StructLayout(
        {
            "en": 1,
            "tile": max(1, bits_for(geometry.tiles - 1)),
            "word": max(1, bits_for(word_count(geometry) - 1)),
            "bits": WORD_WIDTH,
        }
    )


class ResultWriter(wiring.Component):
    """Packs the bits of a layer into words: slices of the next layer's tiles, or one run for the result bank.

    A word leaves when it is full, at the end of a slice, and with the layer's last bit; the bits above are 0.

    Latency: ``write`` is valid in the cycle after the bit that completes the word. Throughput: one bit a
    cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    plan : In(plan_layout(geometry))
        The *next* layer's; valid from ``begin`` to the last bit.
    begin : In(1)
        One cycle, before the first bit of a layer.
    final : In(1)
        The running layer is the last: no slices.
    valid, bit, last : In(1)
    write : Out(write_layout(geometry))
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "plan": In(plan_layout(g)),
                "begin": In(1),
                "final": In(1),
                "valid": In(1),
                "bit": In(1),
                "last": In(1),
                "write": Out(write_layout(g)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan, write = self.plan, self.write
        tile, word = Signal.like(write.tile), Signal.like(write.word)
        place = Signal(5)
        bits, packed = Signal(WORD_WIDTH), Signal(WORD_WIDTH)
        column = Cat(place, word)
        limit = Signal.like(plan.cols)
        slice_end, full = Signal(), Signal()
        m.d.comb += [
            limit.eq(Mux(tile == plan.tile_last, plan.cols_last, plan.cols) - 1),
            slice_end.eq(~self.final & (column == limit)),
            full.eq(place.all() | slice_end | self.last),
            packed.eq(bits | (self.bit << place)),
        ]
        m.d.sync += write.en.eq(self.valid & full)
        with m.If(self.begin):
            m.d.sync += [tile.eq(plan.tile_first), word.eq(0), place.eq(0), bits.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += [bits.eq(packed), place.eq(place + 1)]
            with m.If(full):
                m.d.sync += [write.tile.eq(tile), write.word.eq(word), write.bits.eq(packed)]
                m.d.sync += [bits.eq(0), word.eq(word + 1)]
            with m.If(slice_end):
                m.d.sync += [tile.eq(tile + 1), word.eq(0), place.eq(0)]
        return m


class LoadState(StrEnum):
    """What the loader of the input banks is doing."""

    IDLE = "IDLE"
    LOAD = "LOAD"
    DRAIN = "DRAIN"
    LOADED = "LOADED"


class InputBanks(wiring.Component):
    """Two banks of input words, and the loader that copies the older one into the back registers.

    A bank stays the vector's until the vector starts (``take``): a command that ends before leaves it to the
    next one.

    Latency: ``loaded`` rises ``tile_count * W + 2`` cycles after ``enable`` with a pushed bank.
    Throughput: one word a cycle.

    Parameters
    ----------
    geometry : Geometry
    droppable : bool
        With ``drop``.

    Members
    -------
    window : In(WindowPort)
        Write only; words go to the host's bank, and are dropped while it has none.
    push, ready : In(1), Out(1)
        Commit the host's bank (ignored while it has none); it has one.
    plan : In(plan_layout(geometry))
        The first layer's, while ``enable``.
    enable : In(1)
        The back registers of the plan's tiles are free until ``take``.
    take : In(1)
        One cycle, only while ``loaded``: the vector starts, its bank is free.
    halt : In(1)
        Forget what was loaded; the banks stay.
    loaded : Out(1)
        The older vector is in the back registers.
    write : Out(write_layout(geometry))
    drop : In(1)
        Only with ``droppable``, only while nothing is enabled or loaded: forget the vectors that were pushed.
    available : Out(1); address, fetch, word : In, In(1), Out(32)
        Only with ``map_words``: a bank is pushed; its words, one cycle after ``fetch``, while nothing is loaded.
    """

    def __init__(self, geometry: Geometry, *, droppable: bool = False):
        self.geometry, self.droppable = geometry, droppable
        g = geometry
        super().__init__(
            {
                "window": In(WindowPort(max(1, bits_for(g.input_words - 1)))),
                "push": In(1),
                "ready": Out(1),
                "plan": In(plan_layout(g)),
                "enable": In(1),
                "take": In(1),
                "halt": In(1),
                "loaded": Out(1),
                "write": Out(write_layout(g)),
            }
            | (
                {
                    "available": Out(1),
                    "address": In(max(1, bits_for(g.input_words - 1))),
                    "fetch": In(1),
                    "word": Out(WORD_WIDTH),
                }
                if g.map_words
                else {}
            )
            | ({"drop": In(1)} if droppable else {})
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        bank_words = g.input_words
        m.submodules.memory = memory = SyncMemory(width=WORD_WIDTH, depth=2 * bank_words)

        # Banks: who owns which.
        host_bank, own_bank = Signal(), Signal()
        pushed = Signal(2)
        push = Signal()
        m.d.comb += [self.ready.eq(~pushed[1]), push.eq(self.push & self.ready)]
        m.d.sync += [pushed.eq(pushed + push - self.take), host_bank.eq(host_bank ^ push)]
        m.d.sync += own_bank.eq(own_bank ^ self.take)
        if self.droppable:
            with m.If(self.drop):
                m.d.sync += [pushed.eq(0), own_bank.eq(host_bank)]
        m.d.comb += [
            memory.w_addr.eq(self.window.addr + Mux(host_bank, bank_words, 0)),
            memory.w_data.eq(self.window.w_data),
            memory.w_en.eq(self.window.w_en & self.ready),
            self.window.r_data.eq(0),
        ]

        # Loader: the word being read, and the one that comes out.
        address = Signal(range(2 * bank_words))
        tile, word = Signal.like(self.write.tile), Signal.like(self.write.word)
        begin, read = Signal(), Signal()
        word_last = word == g.row_words - 1
        read_last = word_last & (tile == self.plan.tile_last)
        m.d.comb += [
            memory.r_addr.eq(address),
            memory.r_en.eq(read),
            self.write.bits.eq(memory.r_data),
        ]
        if g.map_words:
            m.d.comb += [self.available.eq(pushed != 0), self.word.eq(memory.r_data)]
            with m.If(self.fetch):
                m.d.comb += memory.r_addr.eq(self.address + Mux(own_bank, bank_words, 0))
                m.d.comb += memory.r_en.eq(1)
        m.d.sync += self.write.en.eq(read)
        with m.If(begin):
            m.d.sync += [address.eq(Mux(own_bank, bank_words, 0)), tile.eq(self.plan.tile_first), word.eq(0)]
        with m.Elif(read):
            m.d.sync += [address.eq(address + 1), word.eq(word + 1)]
            m.d.sync += [self.write.tile.eq(tile), self.write.word.eq(word)]
            with m.If(word_last):
                m.d.sync += [tile.eq(tile + 1), word.eq(0)]

        with m.FSM():
            # Waits for a pushed bank and free back registers.
            with m.State(LoadState.IDLE):
                with m.If(self.enable & (pushed != 0) & ~self.halt):
                    m.d.comb += begin.eq(1)
                    m.next = LoadState.LOAD
            # Waits for the last word; reads one a cycle.
            with m.State(LoadState.LOAD):
                m.d.comb += read.eq(1)
                with m.If(self.halt):
                    m.next = LoadState.IDLE
                with m.Elif(read_last):
                    m.next = LoadState.DRAIN
            # One cycle: the last word is being written.
            with m.State(LoadState.DRAIN):
                m.next = LoadState.LOADED
                with m.If(self.halt):
                    m.next = LoadState.IDLE
            # Waits for the start of the vector.
            with m.State(LoadState.LOADED):
                m.d.comb += self.loaded.eq(1)
                with m.If(self.halt | self.take):
                    m.next = LoadState.IDLE
        return m
