"""Register bank: every register and window of a :class:`~hdl.spec.register_map.RegisterMap` behind one bus."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH
from bridgebnn.hdl.spec.pins import ADDRESS_WIDTH
from bridgebnn.hdl.spec.register_map import Access, Register, RegisterMap, Window

__all__ = ["RegisterBank", "RegisterBus", "RegisterPort", "WindowAccess", "field_layout"]


class RegisterBus(Signature):
    """One access at a time, from the bus responder to the bank.

    Members
    -------
    request : Out(1)
        One cycle for each access; ``write``, ``addr`` and ``w_data`` are valid with it.
    write : Out(1)
    addr : Out(15)
        Word address.
    w_data : Out(32)
    error : In(1)
        Valid with ``request``: the access is refused and changes nothing.
    late : In(1)
        Valid with ``request``: the answer of this read comes in ``window_data``.
    r_data : In(32)
        Valid with ``request``: word of a register.
    window_data : In(32)
        Valid in the cycle after ``request``: word of a window.
    """

    def __init__(self):
        super().__init__(
            {
                "request": Out(1),
                "write": Out(1),
                "addr": Out(ADDRESS_WIDTH),
                "w_data": Out(WORD_WIDTH),
                "error": In(1),
                "late": In(1),
                "r_data": In(WORD_WIDTH),
                "window_data": In(WORD_WIDTH),
            }
        )


def field_layout(register: Register) -> data.FlexibleLayout:
    """The register's word with its fields by name."""
    return data.FlexibleLayout(WORD_WIDTH, {f.name: data.Field(f.width, f.lsb) for f in register.fields})


class RegisterPort(Signature):
    """Hardware side of one register, seen from the bank. Which members exist follows from the access.

    Members
    -------
    value : Out (RW, RW1S, W1C, WO) or In (RO)
        The word, fields by name. WO: valid with ``strobe``.
    set : In
        W1C: bits to set; stronger than a clearing write in the same cycle.
    strobe : Out(1)
        WO: the host writes this register, whether refused or not.
    reject : In(1)
        WO: valid with ``strobe``; refuses the write.
    """

    def __init__(self, register: Register):
        layout = field_layout(register)
        if register.access is Access.RO:
            members = {"value": In(layout)}
        else:
            members = {"value": Out(layout)}
        if register.access is Access.W1C:
            members["set"] = In(layout)
        if register.access is Access.WO:
            members |= {"strobe": Out(1), "reject": In(1)}
        super().__init__(members)


class WindowAccess(Signature):
    """Hardware side of one window, seen from the bank.

    Members
    -------
    port : Out(WindowPort)
        To the block that owns the memory.
    deny_read, deny_write : In(1)
        Refuse that kind of access now.
    """

    def __init__(self, window: Window):
        super().__init__(
            {
                "port": Out(WindowPort(max(1, bits_for(window.words - 1)))),
                "deny_read": In(1),
                "deny_write": In(1),
            }
        )


class RegisterBank(wiring.Component):
    """Decode accesses, hold the stored registers, and pass window accesses to their owners.

    An access is refused (``bus.error``) outside the map, when the access kind does not allow it (a write to
    RO, a read of WO), when ``reject`` or ``deny_*`` says so, and while ``busy``: writes to registers and any
    access to windows, unless the map marks them ``while_busy``; while ``frozen``, writes to what the map marks
    ``network``. A refused access changes nothing. Bits
    outside of fields are ignored and read 0.

    *Latency*: a write acts on the clock edge that ends ``request``; register reads answer in the same cycle,
    window reads in the next. *Throughput*: one access per cycle.

    Parameters
    ----------
    registers : RegisterMap

    Members
    -------
    bus : In(RegisterBus)
    busy : In(1)
        A command runs.
    frozen : In(1)
        The read-back lock holds.
    <name> : RegisterPort or WindowAccess
        One for each register that hardware reads or drives, and for each window, named in lower case.

    Raises
    ------
    ValueError
        When the map does not fit: a window base not aligned to its size, overlaps, or a part outside the
        address space.
    """

    def __init__(self, registers: RegisterMap):
        self.registers = registers
        _check(registers)
        members = {"bus": In(RegisterBus()), "busy": In(1), "frozen": In(1)}
        for register in registers.registers:
            if not register.constant:
                members[register.name.lower()] = Out(RegisterPort(register))
        for window in registers.windows:
            members[window.name.lower()] = Out(WindowAccess(window))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        read = Signal()
        write = Signal()
        m.d.comb += [read.eq(bus.request & ~bus.write), write.eq(bus.request & bus.write)]

        # One process decodes, so that a simulator wakes one block per access and none in between.
        m.d.comb += bus.error.eq(1)
        with m.If(bus.request):
            with m.Switch(bus.addr):
                for register in self.registers.registers:
                    with m.Case(register.offset // 4):
                        m.d.comb += bus.error.eq(self._refused(register))
                        if register.access.readable:
                            m.d.comb += bus.r_data.eq(self._word(register))
                for window in self.registers.windows:
                    port = getattr(self, window.name.lower())
                    with m.Case(_pattern(window)):
                        # The pattern covers the window rounded up to a power of two.
                        outside = bus.addr[: len(port.port.addr)] > window.words - 1
                        m.d.comb += [
                            bus.error.eq(outside | self._window_refused(window)),
                            bus.late.eq(~bus.write),
                        ]

        for register in self.registers.registers:
            self._store(m, register, write)
        self._connect_windows(m, read, write)
        return m

    def _word(self, register: Register):
        """The word that the host reads."""
        if register.constant:
            return register.reset
        value = getattr(self, register.name.lower()).value.as_value()
        return value & register.mask

    def _refused(self, register: Register):
        """Whether the running access is refused at this register."""
        bus = self.bus
        write_refused = 0 if register.access.writable else 1
        if register.access.writable and not register.while_busy:
            write_refused = write_refused | self.busy
        if register.network:
            write_refused = write_refused | self.frozen
        if register.access is Access.WO:
            write_refused = write_refused | getattr(self, register.name.lower()).reject
        return Mux(bus.write, write_refused, 0 if register.access.readable else 1)

    def _window_refused(self, window: Window):
        """Whether the running access is refused at this window."""
        access = getattr(self, window.name.lower())
        refused = Mux(
            self.bus.write,
            access.deny_write | (self.frozen if window.network else 0) | (0 if window.access.writable else 1),
            access.deny_read | (0 if window.access.readable else 1),
        )
        return refused if window.while_busy else refused | self.busy

    def _store(self, m: Module, register: Register, write: Signal):
        if register.constant or register.access is Access.RO:
            return
        port = getattr(self, register.name.lower())
        here = self.bus.addr == register.offset // 4
        if register.access is Access.WO:
            m.d.comb += port.strobe.eq(write & here)
            m.d.comb += port.value.as_value().eq(self.bus.w_data & register.mask)
            return
        stored = Signal(field_layout(register), name=register.name.lower(), init=_init(register))
        m.d.comb += port.value.eq(stored)
        word, w_data = stored.as_value(), self.bus.w_data & register.mask
        accepted = write & here & ~self.bus.error
        if register.access is Access.RW:
            with m.If(accepted):
                m.d.sync += word.eq(w_data)
        elif register.access is Access.RW1S:
            with m.If(accepted):
                m.d.sync += word.eq(word | w_data)
        else:
            clear = Mux(accepted, w_data, 0)
            m.d.sync += word.eq((word & ~clear) | (port.set.as_value() & register.mask))

    def _connect_windows(self, m: Module, read: Signal, write: Signal):
        bus = self.bus
        selected = Signal(len(self.registers.windows))
        here = Signal(len(self.registers.windows))
        m.d.comb += here.eq(Cat(bus.addr.matches(_pattern(w)) for w in self.registers.windows))
        with m.If(read):
            m.d.sync += selected.eq(here)
        for index, window in enumerate(self.registers.windows):
            port = getattr(self, window.name.lower()).port
            m.d.comb += [
                port.addr.eq(bus.addr),
                port.w_data.eq(bus.w_data),
                port.w_en.eq(write & here[index] & ~bus.error),
                port.r_en.eq(read & here[index] & ~bus.error),
            ]
            with m.If(selected[index]):
                m.d.comb += bus.window_data.eq(port.r_data)


def _init(register: Register) -> dict[str, int]:
    return {f.name: f.reset for f in register.fields}


def _span_width(window: Window) -> int:
    """Address bits inside a window, rounded up to a power of two."""
    return max(1, bits_for(window.words - 1))


def _pattern(window: Window) -> str:
    """Bit pattern of the word addresses of a window, for ``Case`` and ``matches``."""
    low = _span_width(window)
    return format(window.offset // 4 >> low, f"0{ADDRESS_WIDTH - low}b") + "-" * low


def _check(registers: RegisterMap) -> None:
    spans = [(r.name, r.offset, 4) for r in registers.registers]
    for window in registers.windows:
        size = 4 << _span_width(window)
        if window.offset % size:
            raise ValueError(f"window {window.name} at {window.offset:#x}: must be a multiple of {size:#x}")
        spans.append((window.name, window.offset, size))
    end = 0
    last = "none"
    for name, offset, size in sorted(spans, key=lambda span: span[1]):
        if offset < end:
            raise ValueError(f"{name} at {offset:#x} overlaps {last}: must be at {end:#x} or above")
        end, last = offset + size, name
        if end > 4 << ADDRESS_WIDTH:
            raise ValueError(f"{name} ends at {end:#x}: must end at {4 << ADDRESS_WIDTH:#x} or below")
