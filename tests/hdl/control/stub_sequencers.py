"""Stand-ins for the two sequencers with the ports the controller expects; tests play their behaviour."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import (
    CommandPort,
    ProgramPins,
    ProgramSettings,
    ReadPins,
    ReadSettings,
    WindowPort,
)
from bridgebnn.hdl.spec import Geometry, words


def window(size: int) -> WindowPort:
    """Port of a window of ``size`` words."""
    return WindowPort(max(1, bits_for(size - 1)))


def connect_memory(m: Module, port, size: int, name: str):
    """Put a plain memory behind a window port."""
    m.submodules[name] = memory = Memory(shape=32, depth=size, init=[])
    write, read = memory.write_port(), memory.read_port()
    m.d.comb += [write.addr.eq(port.addr), write.data.eq(port.w_data), write.en.eq(port.w_en)]
    m.d.comb += [read.addr.eq(port.addr), read.en.eq(port.r_en), port.r_data.eq(read.data)]


def connect_command(m: Module, cmd, code: Signal, hold: Signal):
    """Run from ``start`` until ``hold`` is low or an abort comes; end with ``code``, or ABORTED."""
    with m.If(cmd.start):
        m.d.sync += cmd.busy.eq(1)
    with m.If(cmd.busy & (~hold | cmd.abort)):
        m.d.comb += [cmd.done.eq(1), cmd.code.eq(code)]
        m.d.sync += cmd.busy.eq(0)
        with m.If(cmd.abort):
            m.d.comb += cmd.code.eq(11)


class StubProgramSequencer(wiring.Component):
    """Memories are real; pins follow ``play``, a record that the test drives."""

    def __init__(self, geometry: Geometry):
        g = geometry
        self.geometry = g
        super().__init__(
            {
                "cmd": In(CommandPort()),
                "settings": In(ProgramSettings),
                "unlocked": In(1),
                "pins": Out(ProgramPins(g)),
                "image": In(window(g.row_words)),
                "mask": In(window(g.row_words)),
                "pulses": Out(32),
                "verifies": Out(32),
                "failures": Out(32),
                "clear": In(1),
                "log_push": Out(1),
                "log_entry": Out(64),
            }
        )
        self.hold = Signal()
        self.code = Signal(8)

    def elaborate(self, platform):
        m = Module()
        connect_memory(m, self.image, self.geometry.row_words, "image")
        connect_memory(m, self.mask, self.geometry.row_words, "mask")
        connect_command(m, self.cmd, self.code, self.hold)
        return m


class StubLayerSequencer(wiring.Component):
    """Memories are real; results and pins are driven by the test."""

    def __init__(self, geometry: Geometry):
        g = geometry
        self.geometry = g
        self.sizes = {
            "descriptor": 4 * g.layers,
            "input": g.tiles * g.row_words,
            "threshold": g.thresholds,
            "scores": g.scores,
            "result_bits": words(g.rows),
        }
        vector = g.tiles * g.columns
        super().__init__(
            {
                "cmd": In(CommandPort()),
                "settings": In(ReadSettings),
                "layer_count": In(8),
                "infer_count": In(32),
                "pins": Out(ReadPins(g)),
                "bl": Out(vector),
                "col_en": Out(vector),
                "active": Out(1),
                **{name: In(window(size)) for name, size in self.sizes.items()},
                "input_push": In(1),
                "input_ready": Out(1, init=1),
                "result_pop": In(1),
                "result_valid": Out(1),
                "result_class": Out(16),
                "result_index": Out(32),
                "perf_rows": Out(32),
                "perf_read": Out(32),
                "perf_busy": Out(32),
            }
        )
        self.hold = Signal()
        self.code = Signal(8)

    def elaborate(self, platform):
        m = Module()
        for name, size in self.sizes.items():
            connect_memory(m, getattr(self, name), size, name)
        connect_command(m, self.cmd, self.code, self.hold)
        return m
