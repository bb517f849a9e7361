"""The observer: sees the controller's pins, follows the bus, and computes one bit for each property."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from amaranth.back import verilog
from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, Value

from bridgebnn.hdl.output.plain_names import plain
from bridgebnn.hdl.output.verilog import TOP
from bridgebnn.hdl.spec import UNLOCK_KEYS, Geometry, Timing
from bridgebnn.hdl.spec.register_map import register_map

from .design import Design

__all__ = ["Check", "Observer", "Sources", "View", "write_top"]


@dataclass(frozen=True)
class Check:
    """One property, or one cover point.

    ``build`` returns the bit that must never rise (property), or that has to be reachable (cover).
    """

    name: str
    rule: str
    text: str
    build: Callable[[View], Value]
    given: Callable[[View], Value] | None = None
    """What may be assumed up to and in this cycle, because another run proves it."""
    lemmas: Callable[[View], list[Value]] | None = None
    """More that must never rise: proven in the same run, to make the property inductive."""

    @property
    def bare(self) -> Check:
        """The property alone: for designs in which lemmas and assumptions need not hold."""
        return dataclasses.replace(self, given=None, lemmas=None)


class Observer:
    """Computes one output for each check, from the pins and from named signals of the design.

    Outputs are 0 until the first reset. The observer drives nothing.

    Attributes
    ----------
    pin : SimpleNamespace of Signal
        Ports of the design by name.
    taps : dict of Signal
        Inner signals that some check looks at, by instance path and name.
    memories : dict of Signal
        Words of memories that some check looks at, by path and index.
    choices : dict of Signal
        Free inputs that arbitrary constants are taken from.
    outputs : dict of Signal
    """

    def __init__(self, geometry: Geometry, design: Design, checks: list[Check]):
        self.geometry, self.design = geometry, design
        self.module = Module()
        self.pin = SimpleNamespace(
            **{name: Signal(width, name=name) for name, (_, width) in design.ports.items()}
        )
        self.taps: dict[str, Signal] = {}
        self.choices: dict[str, Signal] = {}
        self.memories: dict[str, Signal] = {}
        self.outputs = {check.name: Signal(name=check.name) for check in checks}
        view = View(self)
        for check in checks:
            bad = Value.cast(check.build(view)).any()
            if check.lemmas is not None:
                bad = bad | view.wire(f"lemmas_{check.name}", Cat(check.lemmas(view))).any()
            if check.given is not None:
                bad = bad & check.given(view)
            if check.name.startswith("cover_"):
                bad = bad & view.past(view.started, 3)  # what the check sees of the past is real
            # Only the first violation counts: the solver may take for granted that there was none before.
            seen = Signal(name=f"seen_{check.name}")
            self.module.d.sync += seen.eq(seen | (bad & view.started))
            self.module.d.comb += self.outputs[check.name].eq(bad & view.started & ~seen)

    def verilog(self) -> str:
        """Module ``observer``."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return verilog.convert(
                self.module,
                name="observer",
                ports=[
                    *vars(self.pin).values(),
                    *self.taps.values(),
                    *self.memories.values(),
                    *self.choices.values(),
                    *self.outputs.values(),
                ],
                emit_src=False,
                strip_internal_attrs=True,
            )


class View:
    """What a property may look at: pins, taps, their past, and the bus as a reference model follows it.

    Attributes
    ----------
    pin : SimpleNamespace
        Pins by name.
    started : Signal
        A reset has been seen in an earlier cycle.
    rst : Signal
        Reset in this cycle.
    """

    def __init__(self, observer: Observer):
        self.m, self.pin, self.geometry = observer.module, observer.pin, observer.geometry
        self._observer = observer
        self._past: dict[tuple[int, int], Signal] = {}
        self._keep: list[Value] = []
        self._named: dict[str, Signal] = {}
        self.registers = {r.name: r for r in register_map(observer.geometry, Timing()).registers}
        self.windows = {w.name: w for w in register_map(observer.geometry, Timing()).windows}
        self.started = Signal(reset_less=True)
        self.rst = ResetSignal()
        self.m.d.sync += self.started.eq(self.started | self.rst)
        if hasattr(self.pin, "wb_cyc"):
            self._follow_bus()

    def tap(self, path: str) -> Signal:
        """A signal of the generated design, by instance path and name."""
        path = self._path(path)
        if path not in self._observer.taps:
            width = self._observer.design.widths[path]
            name = "tap_" + path.replace(".", "__")
            self._observer.taps[path] = Signal(width, name=name)
        return self._observer.taps[path]

    def _path(self, path: str) -> str:
        """The name in the Verilog: of plain identifiers, and with a number where another has the same."""
        path = ".".join(plain(part) for part in path.split("."))
        widths = self._observer.design.widths
        if path in widths:
            return path
        numbered = re.compile(re.escape(path) + r"_\d+")
        (found,) = (p for p in widths if numbered.fullmatch(p))
        return found

    def memory(self, path: str, index: int) -> Signal:
        """Word ``index`` of a memory of the generated design, by the path of the instance."""
        path = self._path(f"{path}.words")
        name = f"{path}[{index}]"
        if name not in self._observer.memories:
            number = len(self._observer.memories)
            width = self._observer.design.widths[path]
            self._observer.memories[name] = Signal(width, name=f"memory_{number}")
        return self._observer.memories[name]

    def state(self, block: str, *names: str) -> Value:
        """The state machine of ``block`` (an instance path) is in one of the states ``names``."""
        (path,) = (p for p in self._observer.design.states if p.rpartition(".")[0] == block)
        codes = self._observer.design.states[path]
        return Cat(self.tap(path) == codes[name] for name in names).any()

    def no_state(self, block: str) -> Value:
        """The state machine of ``block`` has a code that is no state."""
        (path,) = (p for p in self._observer.design.states if p.rpartition(".")[0] == block)
        return self.tap(path) > max(self._observer.design.states[path].values())

    def past(self, value, cycles: int = 1) -> Signal:
        """``value`` of ``cycles`` ago; arbitrary before the first cycle."""
        value = Value.cast(value)
        for _ in range(cycles):
            key = (id(value), 1)
            if key not in self._past:
                register = Signal(value.shape(), name=f"past_{len(self._past)}", reset_less=True)
                self.m.d.sync += register.eq(value)
                self._past[key] = register
                self._keep.append(value)
            value = self._past[key]
        return value

    def changed(self, *values) -> Value:
        """Any of ``values`` differs from the cycle before."""
        return Cat(value != self.past(value) for value in values).any()

    def arbitrary(self, name: str, shape) -> Signal:
        """An arbitrary constant: a property with it holds for every value."""
        if name not in self._named:
            source = Signal(shape, name=f"choice_{name}")
            self._observer.choices[source.name] = source
            self._named[name] = signal = Signal(shape, name=f"any_{name}", reset_less=True)
            with self.m.If(~self.started):
                self.m.d.sync += signal.eq(source)
        return self._named[name]

    def wire(self, name: str, value) -> Signal:
        """``value`` under a name, which counterexamples show."""
        value = Value.cast(value)
        if name not in self._named:
            self._named[name] = Signal(value.shape(), name=name)
            self.m.d.comb += self._named[name].eq(value)
        return self._named[name]

    def register(self, name: str, shape, after: Callable[[Signal], object]) -> Signal:
        """A register that starts at 0, also after a reset, with ``after(itself)`` as its next value."""
        if name not in self._named:
            self._named[name] = Signal(shape, name=name)
            self.m.d.sync += self._named[name].eq(after(self._named[name]))
        return self._named[name]

    # --- the bus ---------------------------------------------------------------------------------

    def _follow_bus(self):
        """Reference model of the responder, from the pins alone."""
        m, pin = self.m, self.pin
        # 0: an access may begin; 1: the cycle after; 2: the cycle after that of a window's read.
        self.bus_phase = phase = Signal(2, name="bus_phase")
        self.access = pin.wb_cyc & pin.wb_stb & (phase == 0) & ~self.rst
        self.request = self.access & (~pin.wb_we | pin.wb_sel.all())
        self.address = Signal.like(pin.wb_adr, name="bus_address")
        self.is_write = Signal(name="bus_is_write")
        self.word = Signal(32, name="bus_word")
        self.selected = Signal(name="bus_selected")  # every byte lane
        with m.If(phase == 0):
            m.d.sync += self.selected.eq(pin.wb_sel.all())
            with m.If(pin.wb_cyc & pin.wb_stb):
                m.d.sync += phase.eq(1)
            m.d.sync += [self.address.eq(pin.wb_adr), self.is_write.eq(pin.wb_we), self.word.eq(pin.wb_dat_w)]
        with m.Elif(phase == 1):
            m.d.sync += phase.eq(Mux(pin.wb_ack | pin.wb_err, 0, 2))
        with m.Else():
            m.d.sync += phase.eq(0)

        # Lock bits and keys act at once, whatever runs.
        self.lock = Signal(name="ref_lock")
        self.read_lock = Signal(name="ref_read_lock")
        with m.If(self.writes("LOCK")):
            m.d.sync += [
                self.lock.eq(self.lock | pin.wb_dat_w[0]),
                self.read_lock.eq(self.read_lock | pin.wb_dat_w[1]),
            ]
        # The last two words written to UNLOCK since the reset or the lock: none, or which key.
        self.keys = Signal(2, name="ref_keys")  # 1: the first key; 2: the first, then the second
        first, second = UNLOCK_KEYS
        with m.If(self.writes("UNLOCK")):
            m.d.sync += self.keys.eq(
                Mux(pin.wb_dat_w == first, 1, Mux((pin.wb_dat_w == second) & (self.keys == 1), 2, 0))
            )
        self.unlocked = (self.keys == 2) & ~self.lock

    def writes(self, register: str) -> Value:
        """A write of ``register`` is requested in this cycle (it may be refused)."""
        return self.request & self.pin.wb_we & (self.pin.wb_adr == self.registers[register].offset // 4)

    def ended(self, name: str) -> Value:
        """An access to the register or window ``name`` gets its ack or err in this cycle."""
        if name in self.registers:
            here = self.address == self.registers[name].offset // 4
        else:
            window = self.windows[name]
            base = window.offset // 4
            here = (self.address >= base) & (self.address < base + window.words)
        return (self.bus_phase != 0) & (self.pin.wb_ack | self.pin.wb_err) & here

    def aborts(self) -> Value:
        """ABORT is written in this cycle."""
        return self.writes("COMMAND") & (self.pin.wb_dat_w[:4] == 15)


@dataclass(frozen=True)
class Sources:
    """Verilog files of ``top``, and the wires in it that stand for words of flattened memories."""

    files: tuple[Path, ...]
    memories: dict[str, str]


def write_top(folder: Path, geometry: Geometry, design: Design, checks: list[Check]) -> Sources:
    """Verilog of the observer, and of ``top``: the design with the observer beside it."""
    observer = Observer(geometry, design, checks)
    file = folder / "observer.v"
    file.write_text(observer.verilog())

    def declare(kind, name, width):
        return f"  {kind} {f'[{width - 1}:0] ' if width > 1 else ''}\\{name} "

    ports = ["  input clk", "  input rst"]
    ports += [declare("input", name, w) for name, (way, w) in design.ports.items() if way == "input"]
    ports += [declare("input", name, len(choice)) for name, choice in observer.choices.items()]
    ports += [declare("output", name, 1) for name in observer.outputs]
    wires = [declare("wire", name, w) + ";" for name, (way, w) in design.ports.items() if way == "output"]
    # The flattened design has these names already: Yosys joins them.
    wires += [
        "  (* hierconn *)" + declare("wire", f"dut.{path}", len(tap)) + ";"
        for path, tap in observer.taps.items()
    ]
    wires += [declare("wire", s.name, len(s)) + ";" for s in observer.memories.values()]
    joined = {name: name for name in design.ports}
    seen = joined | {name: name for name in (*observer.outputs, *observer.choices)}
    seen |= {tap.name: f"dut.{path}" for path, tap in observer.taps.items()}

    seen |= {signal.name: signal.name for signal in observer.memories.values()}

    def instance(module, name, links):
        listed = "".join(f", .\\{port} (\\{wire} )" for port, wire in links.items())
        return f"  {module} {name} (.clk(clk), .rst(rst){listed});"

    top = folder / "top.v"
    lines = ["module top (", ",\n".join(ports), ");", *wires]
    lines += [instance(TOP, "dut", joined), instance("observer", "mon", seen), "endmodule", ""]
    top.write_text("\n".join(lines))
    memories = {f"dut.{path}": signal.name for path, signal in observer.memories.items()}
    return Sources((design.verilog, file, top), memories)
