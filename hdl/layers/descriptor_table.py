"""Descriptor table, its check, the plan of a layer, and the threshold memory."""

from enum import StrEnum

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort, entry_layout
from bridgebnn.hdl.spec import Combine, Geometry, ReadMode

from .layer_words import layer_words, layer_words_window

__all__ = ["DescriptorCheck", "DescriptorTable", "RawDescriptor", "ThresholdMemory", "plan_layout"]


RawDescriptor = entry_layout("DESCRIPTOR")
"""The four words of a descriptor, as the host writes them; see ``bridgebnn.hdl.spec.Descriptor``."""


def plan_layout(geometry: Geometry) -> data.StructLayout:
    """Layout of a layer's plan: the descriptor trimmed to the geometry, and what follows from it.

    ``used``, ``first``, ``last`` are masks of tiles. Suffix ``_last`` is for the layer's last tile, none for
    the others. ``enabled`` is C_en, ``top`` the first trial of a search (the highest power of two in C_en),
    ``ref_top`` its reference.
    """
    g = geometry
    row, tile = g.row_width, g.tile_width
    count = bits_for(g.columns)
    return data.StructLayout(
        {
            "mode": 2,
            "use_threshold": 1,
            "score": 1,
            "row_first": row,
            "row_last": row,
            "threshold_base": max(1, bits_for(g.thresholds - 1)),
            "tile_first": tile,
            "tile_last": tile,
            "tile_count": bits_for(g.tiles),
            "used": g.tiles,
            "first": g.tiles,
            "last": g.tiles,
            "cols": bits_for(g.inputs),
            "cols_last": bits_for(g.inputs),
            "bias": bits_for(g.bias),
            "bias_last": bits_for(g.bias),
            "enabled": count,
            "enabled_last": count,
            "top": count,
            "top_last": count,
            "ref_top": signed(g.ref_width),
            "ref_top_last": signed(g.ref_width),
        }
    )


class DescriptorTable(wiring.Component):
    """Memory of the descriptors: four words for the host, one descriptor a cycle for the sequencer.

    The read register is also the prefetch register: it holds the next layer's descriptor while a layer runs.

    Latency: ``raw``, ``plan`` are valid 1 cycle after ``fetch`` and hold until the next ``fetch``.
    Throughput: one descriptor a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    window : In(WindowPort)
        Host access. Writes while a command runs are kept away by the bus side.
    fetch, index : In
        Read descriptor ``index``.
    raw : Out(RawDescriptor)
        The descriptor as written.
    plan : Out(plan_layout(geometry))
        The same, decoded; meaningful when the descriptor passes the check.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "window": In(layer_words_window(g)),
                "fetch": In(1),
                "index": In(max(1, bits_for(g.layers - 1))),
                "raw": Out(RawDescriptor),
                "plan": Out(plan_layout(g)),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        entry = layer_words(m, g, self.window, self.fetch, self.index)
        m.d.comb += self.raw.as_value().eq(entry)

        raw, plan = self.raw, self.plan
        for field in ("mode", "use_threshold", "score", "row_first", "threshold_base", "tile_first"):
            m.d.comb += plan[field].eq(raw[field])
        for field in ("tile_count", "cols", "cols_last", "bias", "bias_last"):
            m.d.comb += plan[field].eq(raw[field])
        m.d.comb += [
            plan.row_last.eq(plan.row_first + raw.row_count - 1),
            plan.tile_last.eq(plan.tile_first + plan.tile_count - 1),
            plan.first.eq(1 << plan.tile_first),
            plan.last.eq(1 << plan.tile_last),
            plan.used.eq(((plan.last << 1) - 1) & ~(plan.first - 1)),
        ]
        for suffix in ("", "_last"):
            # Signals of their own: Verilator 5.048 misorders a block that reads parts of ``plan`` and writes others.
            enabled = Signal.like(plan["enabled" + suffix], name=f"columns{suffix}")
            top = Signal.like(plan["top" + suffix], name=f"highest{suffix}")
            m.d.comb += [
                enabled.eq(plan["cols" + suffix] + plan["bias" + suffix]),
                plan["enabled" + suffix].eq(enabled),
                plan["top" + suffix].eq(top),
                plan["ref_top" + suffix].eq(((enabled + 1) >> 1) - top),
            ]
            for bit in range(len(enabled)):
                with m.If(enabled[bit]):
                    m.d.comb += top.eq(1 << bit)
        return m


class CheckState(StrEnum):
    """What the descriptor check is doing."""

    IDLE = "IDLE"
    FETCH = "FETCH"
    FIELDS = "FIELDS"
    INPUTS = "INPUTS"
    WALK = "WALK"


class DescriptorCheck(wiring.Component):
    """Checks every descriptor, in order, before the first read.

    A link between two layers that does not fit (``row_count`` against the next layer's inputs) is reported at
    the later one. The inputs of a layer are summed tile by tile, so no multiplier is needed.

    Latency: ``sum(tile_count + 2)`` cycles over the layers, from the cycle after ``start`` to ``done``,
    inclusive.
    Throughput: not pipelined.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    start : In(1)
        One cycle, while idle.
    layer_count : In(8)
        Descriptors in use, 1..layers; stable until ``done`` or ``bad``.
    fetch, index : Out
        To the table; ``index`` is the descriptor at fault with ``bad``.
    raw : In(RawDescriptor)
    done, bad : Out(1)
        One cycle: all good; the descriptor ``index`` breaks a rule.
    inputs, first, last, walk_start : Out; walk_done, walk_bad, reads_map : In(1)
        Only with ``map_words``: to and from :class:`~bridgebnn.hdl.layers.walk_table.WalkCheck`. A layer that reads
        a map has its link to the layer before judged there.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "start": In(1),
                "layer_count": In(8),
                "fetch": Out(1),
                "index": Out(max(1, bits_for(g.layers - 1))),
                "raw": In(RawDescriptor),
                "done": Out(1),
                "bad": Out(1),
            }
            | (
                {
                    "inputs": Out(bits_for(g.tiles * g.inputs)),
                    "first": Out(1),
                    "last": Out(1),
                    "walk_start": Out(1),
                    "walk_done": In(1),
                    "walk_bad": In(1),
                    "reads_map": In(1),
                }
                if g.map_words
                else {}
            )
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        raw = self.raw

        begin, load, add, following = Signal(), Signal(), Signal(), Signal()
        left = Signal(8)
        total = Signal(range(g.tiles * g.inputs + 1))
        rows_before = Signal(16)
        last, link_bad, summed = Signal(), Signal(), Signal()
        sign = raw.mode == ReadMode.SIGN
        vote = raw.combine == Combine.VOTE
        fields_bad = Cat(
            raw.tile_count == 0,
            raw.tile_first + raw.tile_count > g.tiles,
            raw.row_count == 0,
            raw.row_first + raw.row_count > g.plain_rows,
            raw.cols == 0,
            raw.cols > g.inputs,
            raw.cols_last == 0,
            raw.cols_last > g.inputs,
            raw.bias > g.bias,
            raw.bias_last > g.bias,
            raw.mode > max(ReadMode),
            raw.use_threshold & (raw.threshold_base + raw.row_count > g.thresholds),
            sign & ~vote & (raw.tile_count != 1),
            ~sign & vote,
            raw.score & (~last | (raw.row_count > g.scores)),
        ).any()
        m.d.comb += [
            last.eq(self.index + 1 == self.layer_count),
            summed.eq(left == 0),
            link_bad.eq((self.index != 0) & (total != rows_before)),
        ]
        with m.If(begin):
            m.d.sync += self.index.eq(0)
        with m.If(load):
            m.d.sync += [total.eq(raw.cols_last), left.eq(raw.tile_count - 1)]
        with m.If(add):
            m.d.sync += [total.eq(total + raw.cols), left.eq(left - 1)]
        with m.If(following):
            m.d.sync += [self.index.eq(self.index + 1), rows_before.eq(raw.row_count)]

        def judge(known, bad):
            """The verdict on this descriptor, in the cycle in which it is known."""
            m.d.comb += [
                self.bad.eq(known & bad),
                self.done.eq(known & ~bad & last),
                following.eq(known & ~bad & ~last),
            ]
            with m.If(following):
                m.next = CheckState.FETCH
            with m.Elif(self.bad | self.done):
                m.next = CheckState.IDLE

        with m.FSM():
            # Waits for the start of INFER.
            with m.State(CheckState.IDLE):
                m.d.comb += begin.eq(self.start)
                with m.If(self.start):
                    m.next = CheckState.FETCH
            # One cycle: reads the descriptor.
            with m.State(CheckState.FETCH):
                m.d.comb += self.fetch.eq(1)
                m.next = CheckState.FIELDS
            # One cycle: judges the fields by themselves, starts the sum of the inputs with the last tile's.
            with m.State(CheckState.FIELDS):
                m.d.comb += [self.bad.eq(fields_bad), load.eq(1)]
                m.next = CheckState.INPUTS
                with m.If(fields_bad):
                    m.next = CheckState.IDLE
            # Waits for the sum, a tile a cycle; then judges the link to the layer before.
            with m.State(CheckState.INPUTS):
                m.d.comb += add.eq(~summed)
                if g.map_words:
                    m.d.comb += self.walk_start.eq(summed)
                    with m.If(summed):
                        m.next = CheckState.WALK
                else:
                    judge(summed, link_bad)
            if g.map_words:
                m.d.comb += [self.inputs.eq(total), self.first.eq(self.index == 0), self.last.eq(last)]
                # Waits for the check of the walk; then judges the link, of a layer that reads no map.
                with m.State(CheckState.WALK):
                    judge(self.walk_done, self.walk_bad | (link_bad & ~self.reads_map))
        return m


class ThresholdMemory(wiring.Component):
    """Thresholds, signed 16 bit: for the host between commands, and the next row's, read ahead, in INFER.

    Latency: ``value`` is valid 1 cycle after ``fetch`` and holds until the next read, the host's included.
    Throughput: one per cycle.

    Members
    -------
    window : In(WindowPort)
        Host access, while ``fetch`` is low: the bank refuses others. Reads are sign-extended.
    fetch, restart, base : In
        Read the entry ``base`` (with ``restart``), else the one after the last.
    value : Out(signed(16))
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        width = max(1, bits_for(geometry.thresholds - 1))
        super().__init__(
            {
                "window": In(WindowPort(width)),
                "fetch": In(1),
                "restart": In(1),
                "base": In(width),
                "value": Out(signed(16)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = SyncMemory(width=16, depth=self.geometry.thresholds)
        after = Signal.like(self.base)
        address = Mux(self.restart, self.base, after)
        with m.If(self.fetch):
            m.d.sync += after.eq(address + 1)
        m.d.comb += [
            memory.w_addr.eq(self.window.addr),
            memory.w_data.eq(self.window.w_data),
            memory.w_en.eq(self.window.w_en),
            memory.r_addr.eq(Mux(self.fetch, address, self.window.addr)),
            memory.r_en.eq(self.fetch | self.window.r_en),
            self.window.r_data.eq(memory.r_data.as_signed()),
            self.value.eq(memory.r_data),
        ]
        return m
