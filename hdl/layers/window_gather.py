"""Gathers the windows of a map into the column registers, one window ahead of the reads."""

from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import WORD_WIDTH, Geometry
from bridgebnn.hdl.spec.register_map import layout

from .descriptor_table import plan_layout
from .vectors import write_layout

__all__ = ["GatherState", "RawWalk", "WindowGather"]

RawWalk = data.StructLayout(
    {name: field.width for name, (_, field) in layout("WALK").fields.items() if name != "reserved"}
)
"""The fields of a `bridgebnn.hdl.spec.walks.MapWalk`, as the host writes them."""

ROW_BITS = 16  # of a map's row
HEIGHT_BITS = 10


class GatherState(StrEnum):
    """What the gathering is doing."""

    IDLE = "IDLE"
    AIM = "AIM"
    GATHER = "GATHER"
    DRAIN = "DRAIN"
    READY = "READY"


class WindowGather(wiring.Component):
    """Copies the bits of one window after another out of a map memory into the back registers.

    Each cycle moves one *chunk*: bits that lie in one word of the map and in one word of a tile's columns. Outside of
    the map bits are 0. The walk goes over output positions, row by row, and within each over the pooling windows.

    Latency: ``ready`` rises ``MapWalk.chunks + 3`` cycles after ``begin`` or ``move``.
    Throughput: one window in that many cycles.

    Parameters
    ----------
    geometry : Geometry
        With ``map_words``.

    Members
    -------
    plan, walk : In
        The layer, valid with ``begin``.
    begin : In(1)
        One cycle, only while ``idle``: take the layer, gather its first window.
    move : In(1)
        One cycle, only while ``ready``: the window was moved to the front; gather the next one, if there is one.
    halt : In(1)
        Forget the layer.
    idle, ready : Out(1)
        No layer is under way; the window is in the back registers.
    last : Out(1)
        With ``ready``: the layer's last window.
    address, enable, word : Out, Out(1), In(32)
        Read port of the map memory; ``word`` is valid in the next cycle.
    write : Out(write_layout(geometry))
        To the column registers.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        self.bit_width = bits_for(WORD_WIDTH * g.input_words - 1)
        super().__init__(
            {
                "plan": In(plan_layout(g)),
                "walk": In(RawWalk),
                "begin": In(1),
                "move": In(1),
                "halt": In(1),
                "idle": Out(1),
                "ready": Out(1),
                "last": Out(1),
                "address": Out(max(1, bits_for(g.input_words - 1))),
                "enable": Out(1),
                "word": In(WORD_WIDTH),
                "write": Out(write_layout(g)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.geometry
        plan = Signal(plan_layout(g), name="held_plan")
        walk = Signal(RawWalk, name="held_walk")
        aim = Signal()
        stepping = Signal()
        window_over = Signal()
        with m.If(self.begin):
            m.d.sync += [plan.eq(self.plan), walk.eq(self.walk)]

        corner = self._walk(m, walk, aim)
        chunk = self._chunk(m, plan, walk, corner, aim, stepping, window_over)
        self._merge(m, chunk, stepping)

        with m.FSM():
            # Waits for a layer.
            with m.State(GatherState.IDLE):
                m.d.comb += self.idle.eq(1)
                with m.If(self.begin & ~self.halt):
                    m.next = GatherState.AIM
            # One cycle: the corner of the window is known; aims at its first bit.
            with m.State(GatherState.AIM):
                m.d.comb += aim.eq(1)
                m.next = GatherState.GATHER
                with m.If(self.halt):
                    m.next = GatherState.IDLE
            # Waits for the window's last chunk; moves one a cycle.
            with m.State(GatherState.GATHER):
                m.d.comb += stepping.eq(1)
                with m.If(self.halt):
                    m.next = GatherState.IDLE
                with m.Elif(window_over):
                    m.next = GatherState.DRAIN
            # One cycle: the last word is being written.
            with m.State(GatherState.DRAIN):
                m.next = GatherState.READY
                with m.If(self.halt):
                    m.next = GatherState.IDLE
            # Waits until the window is moved to the front.
            with m.State(GatherState.READY):
                m.d.comb += self.ready.eq(1)
                with m.If(self.halt):
                    m.next = GatherState.IDLE
                with m.Elif(self.move):
                    m.next = GatherState.AIM
                    with m.If(self.last):
                        m.next = GatherState.IDLE
        return m

    def _walk(self, m: Module, walk, aim):
        """The corner of the window under way: x in bits, y in rows and in bits; advanced after each aim."""
        x = Signal(signed(ROW_BITS + 5))
        x_base = Signal(signed(ROW_BITS + 5))
        y = Signal(signed(HEIGHT_BITS + 5))
        y_base = Signal(signed(HEIGHT_BITS + 5))
        at = Signal(signed(self.bit_width + 5))
        at_base = Signal(signed(self.bit_width + 5))
        dx = Signal(4)
        dy = Signal(4)
        px = Signal(HEIGHT_BITS)
        py = Signal(HEIGHT_BITS)
        right = Signal(ROW_BITS)
        down = Signal(ROW_BITS + 4)  # bits of a step
        left_edge = Signal(signed(ROW_BITS + 1))
        raw = self.walk
        with m.If(self.begin):
            m.d.sync += [
                right.eq(raw.stride * raw.channels),
                down.eq(raw.stride * raw.row_bits),
                left_edge.eq(-(raw.padding * raw.channels)),
                x.eq(-(raw.padding * raw.channels)),
                x_base.eq(-(raw.padding * raw.channels)),
                y.eq(-raw.padding),
                y_base.eq(-raw.padding),
                at.eq(-(raw.padding * raw.row_bits)),
                at_base.eq(-(raw.padding * raw.row_bits)),
                *(counter.eq(0) for counter in (dx, dy, px, py)),
            ]
        over = {
            "dx": dx + 1 == walk.pool,
            "dy": dy + 1 == walk.pool,
            "px": px + 1 == walk.out_width,
            "py": py + 1 == walk.out_height,
        }
        with m.If(aim):
            m.d.sync += [
                self.last.eq(over["dx"] & over["dy"] & over["px"] & over["py"]),
                dx.eq(Mux(over["dx"], 0, dx + 1)),
                x.eq(x + right),
            ]
            with m.If(over["dx"]):
                m.d.sync += [dy.eq(dy + 1), x.eq(x_base), y.eq(y + walk.stride), at.eq(at + down)]
                with m.If(over["dy"]):
                    m.d.sync += [dy.eq(0), px.eq(px + 1), y.eq(y_base), at.eq(at_base)]
                    m.d.sync += [x.eq(x + right), x_base.eq(x + right)]
                    with m.If(over["px"]):
                        m.d.sync += [px.eq(0), py.eq(py + 1), x.eq(left_edge), x_base.eq(left_edge)]
                        m.d.sync += [y.eq(y + walk.stride), y_base.eq(y + walk.stride)]
                        m.d.sync += [at.eq(at + down), at_base.eq(at + down)]
        return {"x": x, "y": y, "at": at}

    def _chunk(self, m: Module, plan, walk, corner, aim, stepping, window_over):
        """The chunk of this cycle: where its bits lie, where they go, how many they are."""
        x = Signal.like(corner["x"], name="chunk_x")
        x_start = Signal.like(corner["x"], name="chunk_x_start")
        y = Signal.like(corner["y"], name="chunk_y")
        at = Signal.like(corner["at"], name="chunk_at")
        runs = Signal(4)
        run_left = Signal(16)
        run_bits = Signal(16)
        slice_left = Signal.like(plan.cols)
        tile = Signal.like(self.write.tile)
        word = Signal.like(self.write.word, name="chunk_word")
        place = Signal(5)
        m.d.comb += run_bits.eq(walk.kernel * walk.channels)

        source = Signal(signed(len(at) + 1))
        row_inside = Signal()
        inside = Signal()
        before = Signal()
        room = Signal(6)  # to the end of the word of the columns
        edge = Signal(ROW_BITS + 5)  # to the map's edge; never 0, however far from it
        m.d.comb += [
            source.eq(at + x),
            row_inside.eq((y >= 0) & (y < walk.height)),
            before.eq(x < 0),
            inside.eq(row_inside & ~before & (x < walk.row_bits)),
            edge.eq(Mux(before, -x, walk.row_bits - x)),
            room.eq(WORD_WIDTH - place),
        ]
        # the least of what ends first
        least = room
        limits = {
            "run": (run_left, 1),
            "slice": (slice_left, 1),
            "edge": (edge, row_inside & (before | inside)),
            "source": (WORD_WIDTH - source[:5], inside),
        }
        for name, (limit, holds) in limits.items():
            smaller = Signal(6, name=f"up_to_{name}")
            m.d.comb += smaller.eq(Mux(holds & (limit < least), limit, least))
            least = smaller
        run_over = Signal()
        slice_over = Signal()
        word_over = Signal()
        m.d.comb += [
            run_over.eq(run_left == least),
            slice_over.eq(slice_left == least),
            window_over.eq(run_over & (runs == 1)),
            word_over.eq((room == least) | slice_over | window_over),
            self.address.eq(source[5:]),
            self.enable.eq(stepping & inside),
        ]
        with m.If(aim):
            m.d.sync += [x.eq(corner["x"]), x_start.eq(corner["x"]), y.eq(corner["y"]), at.eq(corner["at"])]
            m.d.sync += [runs.eq(walk.kernel), run_left.eq(run_bits), tile.eq(plan.tile_first)]
            m.d.sync += [word.eq(0), place.eq(0)]
            m.d.sync += slice_left.eq(Mux(plan.tile_first == plan.tile_last, plan.cols_last, plan.cols))
        with m.Elif(stepping):
            m.d.sync += [x.eq(x + least), run_left.eq(run_left - least), place.eq(place + least)]
            m.d.sync += [slice_left.eq(slice_left - least), word.eq(word + word_over)]
            with m.If(run_over):
                m.d.sync += [x.eq(x_start), y.eq(y + 1), at.eq(at + walk.row_bits)]
                m.d.sync += [runs.eq(runs - 1), run_left.eq(run_bits)]
            with m.If(slice_over):
                m.d.sync += [tile.eq(tile + 1), word.eq(0), place.eq(0)]
                m.d.sync += slice_left.eq(Mux(tile + 1 == plan.tile_last, plan.cols_last, plan.cols))
        return {
            "turn": place - source[:5],
            "place": place,
            "count": least,
            "inside": inside,
            "word_over": word_over,
            "tile": tile,
            "word": word,
        }

    def _merge(self, m: Module, chunk, stepping):
        """The cycle after: turns the word that was read into place, and writes columns when a word is full."""
        turn = Signal(5)
        place = Signal(5, name="merged_place")
        count = Signal(6)
        inside = Signal()
        over = Signal()
        valid = Signal()
        m.d.sync += [valid.eq(stepping & ~self.halt), turn.eq(chunk["turn"]), place.eq(chunk["place"])]
        m.d.sync += [count.eq(chunk["count"]), inside.eq(chunk["inside"]), over.eq(chunk["word_over"])]
        with m.If(stepping):
            m.d.sync += [self.write.tile.eq(chunk["tile"]), self.write.word.eq(chunk["word"])]
        mask = Signal(WORD_WIDTH)
        kept = Signal(WORD_WIDTH)
        merged = Signal(WORD_WIDTH)
        turned = Signal(WORD_WIDTH)
        m.d.comb += [
            turned.eq(self.word.replicate(2) << turn >> WORD_WIDTH),
            mask.eq(((1 << count) - 1) << place),
            merged.eq(kept | Mux(inside, turned & mask, 0)),
            self.write.bits.eq(merged),
            self.write.en.eq(valid & over),
        ]
        with m.If(valid):
            m.d.sync += kept.eq(Mux(over, 0, merged))
        with m.If(self.begin):
            m.d.sync += kept.eq(0)
