"""Input vectors and results as AXI4-Streams: a Wishbone initiator that runs one INFER for each frame."""

from enum import StrEnum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bridgebnn.hdl.signatures import BusPorts, StreamPorts
from bridgebnn.hdl.spec import WORD_WIDTH, Command, Geometry
from bridgebnn.hdl.spec.register_map import layout, register_map
from bridgebnn.hdl.spec.streams import StreamError

__all__ = ["FrameRunner", "FrameState"]


class FrameState(StrEnum):
    """What the runner is doing."""

    TAKE_WORDS = "take_words"
    FREE_BANK = "free_bank"
    AWAIT_IDLE = "await_idle"
    DROP_RESULT = "drop_result"
    READ_LAYERS = "read_layers"
    READ_TILES = "read_tiles"
    READ_WALK = "read_walk"
    READ_MAP = "read_map"
    MULTIPLY = "multiply"
    READ_ROWS = "read_rows"
    READ_KIND = "read_kind"
    JUDGE = "judge"
    PUSH = "push"
    SET_COUNT = "set_count"
    START = "start"
    AWAIT_END = "await_end"
    READ_ERROR = "read_error"
    READ_VALUE = "read_value"
    SEND = "send"
    READ_CLASS = "read_class"
    FREE_RESULT = "free_result"
    SEND_LAST = "send_last"


LOCKED = (
    FrameState.DROP_RESULT,
    FrameState.READ_LAYERS,
    FrameState.READ_TILES,
    FrameState.READ_WALK,
    FrameState.READ_MAP,
    FrameState.MULTIPLY,
    FrameState.READ_ROWS,
    FrameState.READ_KIND,
    FrameState.JUDGE,
    FrameState.PUSH,
    FrameState.SET_COUNT,
)
"""States in which nobody else gets the bus: from the look at STATUS, that no command runs, to COMMAND."""


class FrameRunner(wiring.Component):
    """Write each input frame to an input bank, run INFER over it, and send its result; one frame at a time.

    A frame ends in exactly one result or error frame (`bridgebnn.hdl.spec.streams`), in the order of the input frames.
    A frame of another length than the first layer's is taken to its ``tlast`` and answered with BAD_FRAME, without
    an INFER. A frame waits until no command runs; results that the host has not popped by then, and inputs that it has
    pushed, are dropped. INFER_COUNT is set to 1.

    *Latency* in cycles, with nobody else on the bus: 2 for each input word, 4 from value to value of a result that is
    taken at once, 5 to the class. Between the last input word and the start of INFER lie 9 accesses, a first layer that
    reads a map 11, and up to 11 cycles of multiplication.
    *Throughput*: a frame is taken after the result of the one before was sent.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    s_axis_*, m_axis_*
        The streams (`bridgebnn.hdl.spec.pins.STREAM_PORTS`). All of ``m_axis`` comes from flip-flops.
    wb : In(BusPorts), flipped
        The initiator.
    lock : Out(1)
        The access that ends is not the last of a row.
    input_drop : Out(1)
        The controller forgets the inputs that were pushed; only while no command runs.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        self.registers = register_map(geometry)
        self.ended = Signal()
        self.found_idle = Signal()  # no command runs: nobody else gets the bus from now on
        self.count = Signal(range(geometry.input_words + 2))  # words of this frame, saturating
        self.expected = Signal(32)  # words that the first layer takes
        self.layers = Signal(8)
        self.place = Signal(16)  # the next value of the result
        self.values = Signal(16)  # values before the class
        self.scored = Signal()
        super().__init__(
            dict(StreamPorts().members.items()) | {"wb": In(BusPorts()), "lock": Out(1), "input_drop": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        wb = self.wb
        m.d.comb += [self.ended.eq(wb.ack | wb.err), wb.sel.eq(0b1111), wb.cyc.eq(wb.stb | self.lock)]
        with m.FSM(name="frames") as fsm:
            self._take(m)
            self._survey(m)
            self._judge(m)
            self._run(m)
            self._answer(m)
        locked = [state for state in LOCKED if state in fsm.encoding]
        m.d.comb += self.lock.eq(self.found_idle | Cat(fsm.ongoing(state) for state in locked).any())
        return m

    def _access(self, m: Module, name: str, *, offset=0, data=None):
        """An access to word ``offset`` of a register or window in every cycle of this state; true in its last one."""
        wb = self.wb
        m.d.comb += [wb.stb.eq(1), wb.adr.eq(self.registers.address(name) // 4 + offset)]
        if data is not None:
            m.d.comb += [wb.we.eq(1), wb.dat_w.eq(data)]
        return m.If(self.ended)

    def _status(self, field: str):
        """A field of STATUS, in the last cycle of its read."""
        found = self.registers.field("STATUS", field)
        return self.wb.dat_r[found.lsb : found.msb + 1]

    def _entry(self, window: str, field: str):
        """A field of a window's entry, in the last cycle of the read of its word."""
        _, found = layout(window).fields[field]
        return self.wb.dat_r[found.lsb : found.msb + 1]

    def _take(self, m: Module):
        """The words of a frame into the host's input bank."""
        g = self.geometry
        room = self.count < g.input_words

        # Waits for a word; writes it to its place, and takes those past the bank as they come.
        with m.State(FrameState.TAKE_WORDS):
            # ``ack`` comes from a flip-flop, and only to a word that is held: no path from TVALID to TREADY.
            m.d.comb += self.s_axis_tready.eq(~room | self.wb.ack)
            with (
                m.If(room & self.s_axis_tvalid),
                self._access(m, "INPUT", offset=self.count, data=self.s_axis_tdata),
            ):
                with m.If(self.wb.err):
                    m.next = FrameState.FREE_BANK
            with m.If(self.s_axis_tvalid & self.s_axis_tready):
                m.d.sync += self.count.eq(Mux(self.count == g.input_words + 1, self.count, self.count + 1))
                with m.If(self.s_axis_tlast):
                    m.next = FrameState.AWAIT_IDLE

        # Both banks are pushed: drops them if no command runs that will take them; then the word again.
        with m.State(FrameState.FREE_BANK), self._access(m, "STATUS"):
            m.d.comb += self.input_drop.eq(~self._status("busy"))
            m.next = FrameState.TAKE_WORDS

    def _survey(self, m: Module):
        """What the first layer takes and the last one gives, once no command runs; nobody else from then on."""
        descriptor, per_layer = "DESCRIPTOR", len(layout("DESCRIPTOR").layout)
        last_layer = (self.layers - 1)[:8] * per_layer

        # Waits until no command runs; forgets what was there before this frame.
        with m.State(FrameState.AWAIT_IDLE), self._access(m, "STATUS"), m.If(~self._status("busy")):
            m.d.comb += [self.found_idle.eq(1), self.input_drop.eq(1)]
            m.next = FrameState.READ_LAYERS
            with m.If(self._status("result_valid")):
                m.next = FrameState.DROP_RESULT
        with m.State(FrameState.DROP_RESULT):
            with self._access(m, "RESULT_POP", data=0):
                m.next = FrameState.AWAIT_IDLE

        with m.State(FrameState.READ_LAYERS):
            with self._access(m, "LAYER_COUNT"):
                m.d.sync += self.layers.eq(self.wb.dat_r)
                m.next = FrameState.READ_TILES
        with m.State(FrameState.READ_TILES):
            with self._access(m, descriptor):
                m.d.sync += self.expected.eq(self._entry(descriptor, "tile_count") * self.geometry.row_words)
                m.next = FrameState.READ_WALK if self.geometry.map_words else FrameState.READ_ROWS
        if self.geometry.map_words:
            self._survey_map(m)
        with m.State(FrameState.READ_ROWS):
            word, _ = layout(descriptor).fields["row_count"]
            with self._access(m, descriptor, offset=last_layer + word):
                m.d.sync += self.values.eq(self._entry(descriptor, "row_count"))
                m.next = FrameState.READ_KIND
        with m.State(FrameState.READ_KIND):
            word, _ = layout(descriptor).fields["score"]
            with self._access(m, descriptor, offset=last_layer + word):
                m.d.sync += self.scored.eq(self._entry(descriptor, "score"))
                m.next = FrameState.JUDGE

    def _survey_map(self, m: Module):
        """The words of the map, where the first layer reads one: bits of a row times rows, by shifts and sums."""
        row_bits, height, bits = Signal(26), Signal(10), Signal(27)
        with m.State(FrameState.READ_WALK):
            with self._access(m, "WALK"):
                m.next = FrameState.READ_ROWS
                with m.If(self._entry("WALK", "reads_map")):
                    m.next = FrameState.READ_MAP
        with m.State(FrameState.READ_MAP):
            word, _ = layout("WALK").fields["row_bits"]
            with self._access(m, "WALK", offset=word):
                m.d.sync += [
                    row_bits.eq(self._entry("WALK", "row_bits")),
                    height.eq(self._entry("WALK", "height")),
                    bits.eq(WORD_WIDTH - 1),
                ]
                m.next = FrameState.MULTIPLY
        with m.State(FrameState.MULTIPLY):
            m.d.sync += [row_bits.eq(row_bits << 1), height.eq(height >> 1)]
            with m.If(height[0]):
                m.d.sync += bits.eq(bits + row_bits)
            with m.If(height == 0):
                m.d.sync += self.expected.eq(bits // WORD_WIDTH)
                m.next = FrameState.READ_ROWS

    def _judge(self, m: Module):
        """Whether the frame has the words of the first layer. What else is wrong, INFER tells."""
        with m.State(FrameState.JUDGE):
            m.d.sync += [self.count.eq(0), self.place.eq(0)]
            m.next = FrameState.PUSH
            legal = (self.layers != 0) & (self.layers <= self.geometry.layers)
            with m.If(legal & (self.count != self.expected)):
                self._send(m, StreamError.BAD_FRAME | (self.count << 8), error=True)

    def _run(self, m: Module):
        """One INFER over the frame."""
        steps = (
            (FrameState.PUSH, "INPUT_PUSH", 0, FrameState.SET_COUNT),
            (FrameState.SET_COUNT, "INFER_COUNT", 1, FrameState.START),
            (FrameState.START, "COMMAND", Command.INFER, FrameState.AWAIT_END),
        )
        for state, register, value, following in steps:
            with m.State(state):
                with self._access(m, register, data=int(value)):
                    m.next = following

        # Waits for the result, or for the end of the command without one.
        with m.State(FrameState.AWAIT_END), self._access(m, "STATUS"):
            with m.If(self._status("result_valid")):
                m.next = FrameState.READ_VALUE
            with m.Elif(~self._status("busy")):
                m.d.comb += self.input_drop.eq(1)
                m.next = FrameState.READ_ERROR
                with m.If(~self._status("error")):
                    self._send(m, int(StreamError.NO_RESULT), error=True)
        with m.State(FrameState.READ_ERROR), self._access(m, "ERROR"):
            self._send(m, self.wb.dat_r, error=True)

    def _answer(self, m: Module):
        """The result, value by value, then the class; the bank is free before the class leaves."""
        with m.State(FrameState.READ_VALUE):
            with m.If(self.scored), self._access(m, "SCORES", offset=self.place):
                self._send(m, self.wb.dat_r)
            with m.If(~self.scored), self._access(m, "RESULT_BITS", offset=self.place):
                self._send(m, self.wb.dat_r)
        with m.State(FrameState.SEND), m.If(self.m_axis_tready):
            m.d.sync += self.m_axis_tvalid.eq(0)
            m.next = FrameState.READ_VALUE
            of_bits = (self.values + (WORD_WIDTH - 1)) // WORD_WIDTH
            with m.If(self.place == Mux(self.scored, self.values, of_bits)):
                m.next = FrameState.READ_CLASS
        with m.State(FrameState.READ_CLASS), self._access(m, "RESULT_CLASS"):
            m.d.sync += self.m_axis_tdata.eq(self.wb.dat_r)
            m.next = FrameState.FREE_RESULT
        with m.State(FrameState.FREE_RESULT), self._access(m, "RESULT_POP", data=0):
            self._send(m, self.m_axis_tdata, last=True)
        with m.State(FrameState.SEND_LAST), m.If(self.m_axis_tready):
            m.d.sync += self.m_axis_tvalid.eq(0)
            m.next = FrameState.TAKE_WORDS

    def _send(self, m: Module, word, *, last: bool = False, error: bool = False):
        """A word to the output; after one of an error, or the last one, the next frame."""
        m.d.sync += [
            self.m_axis_tdata.eq(word),
            self.m_axis_tvalid.eq(1),
            self.m_axis_tlast.eq(last or error),
            self.m_axis_tuser.eq(error),
            self.place.eq(self.place + 1),
        ]
        m.next = FrameState.SEND_LAST if last or error else FrameState.SEND
