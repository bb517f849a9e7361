"""Top level: the bus, the register bank, the arbiter, the sequencers and the safety gate, wired together."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from bridgebnn.hdl.bus.register_bank import RegisterBank
from bridgebnn.hdl.bus.wishbone import WishboneResponder
from bridgebnn.hdl.layers.layer_sequencer import LayerSequencer
from bridgebnn.hdl.programming.fail_log import FailLog
from bridgebnn.hdl.programming.program_sequencer import ProgramSequencer
from bridgebnn.hdl.signatures import WISHBONE, BusPorts, MacroPins
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.pins import MACRO_INPUTS, MACRO_OUTPUTS
from bridgebnn.hdl.spec.register_map import Settings, register_map

from .arbiter import CommandArbiter, UnlockSequence
from .safety import SafetyGate

__all__ = ["Controller"]

PROGRAM_WINDOWS = {"row_image": "image", "row_mask": "mask"}
LAYER_WINDOWS = {name: name for name in ("descriptor", "scores", "result_bits", "input", "threshold")}
OPTIONAL_WINDOWS = ("repair_column", "repair_row", "walk")


class Controller(wiring.Component):
    """The whole controller of one macro array; the ports of the generated Verilog are its members.

    One clock domain ``sync`` with synchronous reset. Registers and memories: docs/registers.md; the
    behaviour on the pins and of the commands: docs/architecture.md.

    Parameters
    ----------
    geometry : Geometry
    timing : Timing, optional
        Reset values of the timing and programming registers.
    program, layer : Component, optional
        Other sequencers with the ports of ``ProgramSequencer`` and ``LayerSequencer``, for tests.
    droppable : bool
        With ``input_drop``.

    Members
    -------
    wb_cyc, wb_stb, wb_we, wb_adr, wb_dat_w, wb_sel : In
    wb_dat_r, wb_ack, wb_err : Out
        Wishbone B4 classic (:class:`~bridgebnn.hdl.bus.wishbone.WishboneResponder`).
    irq : Out(1)
        High while an enabled interrupt is pending.
    input_drop : In(1)
        Only with ``droppable``, only while no command runs: forget the input vectors that were pushed.
    row .. verify_ref : Out; cmp, cmp_valid, sl, hv_ready : In
        Macro pins (:class:`~bridgebnn.hdl.signatures.MacroPins`).
    """

    def __init__(
        self,
        geometry: Geometry,
        timing: Timing | None = None,
        *,
        program=None,
        layer=None,
        droppable: bool = False,
    ):
        self.geometry, self.droppable = geometry, droppable
        self.registers = register_map(geometry, timing or Timing())
        self.program = ProgramSequencer(geometry) if program is None else program
        self.layer = LayerSequencer(geometry, droppable=droppable) if layer is None else layer
        self.gate = SafetyGate(geometry)
        super().__init__(
            {f"{WISHBONE}{name}": member for name, member in BusPorts().members.items()}
            | {"irq": Out(1)}
            | ({"input_drop": In(1)} if droppable else {})
            | dict(MacroPins(geometry).members.items())
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.wishbone = wishbone = WishboneResponder()
        m.submodules.bank = bank = RegisterBank(self.registers)
        m.submodules.arbiter = arbiter = CommandArbiter()
        m.submodules.unlock = unlock = UnlockSequence()
        m.submodules.program = program = self.program
        m.submodules.layer = layer = self.layer
        m.submodules.log = log = FailLog(self.geometry.log_depth)
        m.submodules.gate = gate = self.gate

        for name, member in BusPorts().members.items():
            inner, outer = getattr(wishbone, name), getattr(self, f"{WISHBONE}{name}")
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        m.d.comb += [getattr(self, name).eq(getattr(gate, name)) for name in MACRO_OUTPUTS]
        m.d.comb += [getattr(gate, name).eq(getattr(self, name)) for name in MACRO_INPUTS]
        connect(m, wishbone.bus, bank.bus)

        self._commands(m, bank, arbiter, unlock)
        self._settings(m, bank)
        self._windows(m, bank, log)
        self._status(m, bank, arbiter, unlock, log)
        self._interrupts(m, bank, arbiter, log)

        connect(m, program.pins, gate.program)
        connect(m, layer.pins, gate.read)
        m.d.comb += [
            gate.unlocked.eq(unlock.unlocked),
            gate.read_bl.eq(layer.bl),
            gate.read_col_en.eq(layer.col_en),
            gate.read_active.eq(layer.active),
            log.push.eq(program.log_push),
            log.entry.eq(program.log_entry),
            log.clear.eq(arbiter.clear_log),
            program.clear.eq(arbiter.clear_log),
        ]
        return m

    def _commands(self, m: Module, bank, arbiter, unlock):
        connect(m, arbiter.program, self.program.cmd)
        connect(m, arbiter.layer, self.layer.cmd)
        m.d.comb += [
            arbiter.strobe.eq(bank.command.strobe),
            arbiter.opcode.eq(bank.command.value.opcode),
            bank.command.reject.eq(arbiter.reject),
            arbiter.unlocked.eq(unlock.unlocked),
            arbiter.read_locked.eq(bank.lock.value.read_lock),
            bank.busy.eq(arbiter.busy),
            bank.frozen.eq(bank.lock.value.read_lock),
            unlock.strobe.eq(bank.unlock.strobe),
            unlock.key.eq(bank.unlock.value.key),
            unlock.lock.eq(bank.lock.value.lock),
            bank.unlock.reject.eq(0),
            self.program.unlocked.eq(unlock.unlocked),
        ]

    def _settings(self, m: Module, bank):
        structures = {
            Settings.READ: self.layer.settings,
            Settings.PROGRAM: self.program.settings,
            Settings.ADDRESS: self.program.settings,
        }
        for setting in self.registers.settings(*Settings):
            value = getattr(bank, setting.register.lower()).value[setting.field.name]
            if setting.op is None:
                member = structures[setting.settings][setting.name]
            else:
                member = self.program.settings.ops[setting.op][setting.name]
            m.d.comb += member.eq(value)
        m.d.comb += [
            self.layer.layer_count.eq(bank.layer_count.value.layers),
            self.layer.infer_count.eq(bank.infer_count.value.vectors),
        ]

    def _windows(self, m: Module, bank, log):
        for name, member in PROGRAM_WINDOWS.items():
            connect(m, getattr(bank, name).port, getattr(self.program, member))
        for name, member in LAYER_WINDOWS.items():
            connect(m, getattr(bank, name).port, getattr(self.layer, member))
        for name in OPTIONAL_WINDOWS:
            if hasattr(bank, name):  # only where there are spares, maps
                connect(m, getattr(bank, name).port, getattr(self.layer, name))
        connect(m, bank.fail_log.port, log.window)
        m.d.comb += [
            bank.row_image.deny_read.eq(bank.lock.value.read_lock),
            bank.input.deny_write.eq(~self.layer.input_ready),
            bank.input_push.reject.eq(~self.layer.input_ready),
            self.layer.input_push.eq(bank.input_push.strobe & self.layer.input_ready),
            bank.result_pop.reject.eq(~self.layer.result_valid),
            self.layer.result_pop.eq(bank.result_pop.strobe & self.layer.result_valid),
        ]
        if self.droppable:
            m.d.comb += self.layer.input_drop.eq(self.input_drop)

    def _status(self, m: Module, bank, arbiter, unlock, log):
        status = bank.status.value
        m.d.comb += [
            status.busy.eq(arbiter.busy),
            status.done.eq(arbiter.done),
            status.error.eq(arbiter.error),
            status.unlocked.eq(unlock.unlocked),
            status.locked.eq(bank.lock.value.lock),
            status.read_locked.eq(bank.lock.value.read_lock),
            status.rails.eq(self.gate.hv_en & self.hv_ready),
            status.input_ready.eq(self.layer.input_ready),
            status.result_valid.eq(self.layer.result_valid),
            status.command.eq(arbiter.command),
            bank.error.value.code.eq(arbiter.code),
            bank.error.value.detail.eq(arbiter.detail),
            bank.prog_pulses.value.count.eq(self.program.pulses),
            bank.prog_verifies.value.count.eq(self.program.verifies),
            bank.prog_failures.value.count.eq(self.program.failures),
            bank.log_status.value.count.eq(log.count),
            bank.log_status.value.overflow.eq(log.overflow),
            bank.result_class.value["class"].eq(self.layer.result_class),
            bank.result_index.value.index.eq(self.layer.result_index),
            bank.perf_rows.value.count.eq(self.layer.perf_rows),
            bank.perf_read.value.count.eq(self.layer.perf_read),
            bank.perf_busy.value.count.eq(self.layer.perf_busy),
        ]

    def _interrupts(self, m: Module, bank, arbiter, log):
        # "Became available" is a rising level, or a level still high after one was taken.
        result_taken = Signal(init=1)
        input_taken = Signal()
        m.d.sync += [
            result_taken.eq(self.layer.result_pop | ~self.layer.result_valid),
            input_taken.eq(self.layer.input_push | ~self.layer.input_ready),
        ]
        events = bank.irq_pending.set
        m.d.comb += [
            events.done.eq(arbiter.ended_done),
            events.error.eq(arbiter.ended_error),
            events.result.eq(self.layer.result_valid & result_taken),
            events.input_ready.eq(self.layer.input_ready & input_taken),
            events.rejected.eq(arbiter.rejected | (bank.input_push.strobe & ~self.layer.input_ready)),
            events.log_overflow.eq(log.lost),
            self.irq.eq((bank.irq_pending.value.as_value() & bank.irq_enable.value.as_value()).any()),
        ]
