"""Programs, verifies and reads back one row of bridges: starts, wires and stops the blocks that do it."""

import contextlib
from enum import StrEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out, connect
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import CommandPort, ProgramPins, ProgramSettings, PulseSettings, WindowPort
from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ProgOp

from .attempts import Attempts
from .bridge_read import BridgeRead
from .column_walk import ColumnWalk
from .phases import PhaseOrder
from .pin_driver import PinDriver
from .rails import Rails
from .row_log import RowLog

__all__ = ["ProgramSequencer", "State"]


class State(StrEnum):
    """What the program sequencer is doing."""

    IDLE = "idle"
    CHECK_ADDRESS = "check address"
    RUN_PHASES = "run phases"
    LOWER_RAILS = "lower rails"
    READ_BRIDGES = "read bridges"
    FINISH = "finish"


def merge(m: Module, sink, *sources) -> None:
    """Connect streams of which at most one is valid at a time to ``sink``, the last one strongest."""
    for source in sources:
        with m.If(source.valid):
            m.d.comb += [sink.valid.eq(1), sink.payload.eq(source.payload)]
        m.d.comb += source.ready.eq(sink.ready)


class ProgramSequencer(Component):
    """Runs PROGRAM_ROW, REFRESH_ROW, VERIFY_ROW and READ_ROW on one row of one tile.

    The algorithm is that of docs/architecture.md, section 4. A phase, or a read, whose column set is empty
    costs no verify and no pulse. READ_ROW reads the bridges of all columns, whatever the mask, and writes
    them to the image. Mask bits past the last column are ignored.

    Every running command ends within a bound, in ``done`` with a code. An abort, ``unlocked`` low while the
    rails are asked for, or ``hv_ready`` low once they have settled ends it at once: ``pulse``, ``verify``,
    ``wl_en``, ``precharge``, ``evaluate``, ``hv_en`` and ``active`` are low in the next cycle, which is that
    of ``done``. When several come together ABORTED goes before LOCKED before RAILS_LOST. Mask and image keep
    their words; an aborted READ_ROW may have written some of the image's. An abort while idle does nothing.

    All pins are registers. ``select``, ``row``, ``op``, ``side`` and levels are stable from ``wl_setup_cyc``
    cycles before a pulse to one cycle past its fall, and while ``verify`` is high. Within an attempt, and
    from its last pulse to its verify, the word line stays on; before that it falls for a cycle. The rails
    are low for at least ``row_words + 1`` cycles before ``precharge`` rises. While ``verify`` is high
    ``prog_level`` is the margin of the references: ``verify_margin`` in REFRESH_ROW, else 0. In the cycle
    of a ``done`` without error the last read phase may still be high; it is low in the next.

    A chain of small blocks does the work. `PhaseOrder` gives phases, `Attempts` takes them and gives steps of
    the pins, `PinDriver` takes those and gives answers, `ColumnWalk` takes the answers, and columns that fail
    go to `RowLog`. `BridgeRead` gives the steps and walks of a read-back; `Rails` powers the row. The blocks
    wait for each other on streams; here they are wired, started and stopped.

    Latency, from the cycle of ``start`` to that of ``done``: `bridgebnn.hdl.spec.program_cycles`. Of one pulse:
    ``wl_setup_cyc + width_cyc + 1`` cycles, at least ``row_words + 2``; of one verify: ``verify_cyc +
    row_words + 1``. Throughput: one command at a time, one failing device logged a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    cmd : In(CommandPort())
        ``detail``: entries logged by this command (NOT_CONVERGED), lowest differing column
        (READBACK_MISMATCH), else 0. An unknown opcode ends in BAD_COMMAND.
    settings : In(ProgramSettings)
        Stable while busy. A length, ``attempts`` or ``max_parallel`` of 0 acts as 1.
    unlocked : In(1)
        Programming is allowed. PROGRAM_ROW and REFRESH_ROW without it end in LOCKED, before the rails are
        asked for.
    pins : Out(ProgramPins(geometry))
    image, mask : In(WindowPort)
        Host access to the words of the row; ignored while busy.
    pulses, verifies, failures : Out(32)
        Rising edges of ``pins.pulse`` and ``pins.verify``, and log entries, since ``clear``; saturating.
    clear : In(1)
        Clears the three counters.
    log_push, log_entry : Out
        One entry of FAIL_LOG, word 0 low; valid in the cycle of ``log_push``.

    Raises
    ------
    TypeError
        ``geometry`` is not a `Geometry`.
    """

    def __init__(self, geometry: Geometry):
        if not isinstance(geometry, Geometry):
            raise TypeError(f"ProgramSequencer.geometry = {geometry!r}: must be a Geometry")
        self.geometry = geometry
        addr_width = max(1, bits_for(geometry.row_words - 1))
        super().__init__(
            {
                "cmd": In(CommandPort()),
                "settings": In(ProgramSettings),
                "unlocked": In(1),
                "pins": Out(ProgramPins(geometry)),
                "image": In(WindowPort(addr_width)),
                "mask": In(WindowPort(addr_width)),
                "pulses": Out(32),
                "verifies": Out(32),
                "failures": Out(32),
                "clear": In(1),
                "log_push": Out(1),
                "log_entry": Out(64),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g, s, pins = self.geometry, self.settings, self.pins
        command = Signal(Command)
        programming, refreshing, reading = Signal(), Signal(), Signal()
        legal, begin, active = Signal(), Signal(), Signal()
        m.d.comb += [
            programming.eq((command == Command.PROGRAM_ROW) | refreshing),
            refreshing.eq(command == Command.REFRESH_ROW),
            reading.eq(command == Command.READ_ROW),
            legal.eq((s.tile < g.tiles) & (s.row < g.rows)),
        ]
        m.d.sync += pins.active.eq(active)

        m.submodules.phases = phases = PhaseOrder()
        m.submodules.attempts = attempts = Attempts()
        m.submodules.bridges = bridges = BridgeRead()
        m.submodules.rails = rails = Rails()
        m.submodules.driver = driver = PinDriver(g.columns)
        m.submodules.columns = columns = ColumnWalk(g.columns)
        m.submodules.log = log = RowLog(pins.tile.shape(), pins.row.shape())
        self._streams(m, phases, attempts, bridges, rails, driver, columns, log)
        self._settings(m, phases, attempts, rails, driver, columns)
        self._pins(m, phases, attempts, rails, driver, columns)
        self._windows(m, columns)
        self._reports(m, phases, driver, log)
        m.d.comb += [
            phases.start.eq(begin),
            phases.pulses.eq(programming),
            phases.forms.eq(~refreshing),
            columns.drop_logged.eq(phases.now.final & programming),
            columns.whole_row.eq(reading),
            driver.margin.eq(Mux(refreshing, s.verify_margin, 0)),
            log.start.eq(begin),
            log.compared.eq(programming),
        ]

        stop, stop_code, end_code = Signal(), Signal(ErrorCode), Signal(ErrorCode)
        self._ends(m, rails, log, stop, stop_code, end_code)
        m.d.comb += [block.stop.eq(stop) for block in (attempts, bridges, driver)]

        @contextlib.contextmanager
        def running(state):
            """A state of a running command: when that has to stop, it drives nothing and goes to FINISH."""
            with m.State(state):
                with m.If(stop):
                    m.d.comb += rails.lower.eq(1)
                    m.d.sync += end_code.eq(stop_code)
                    m.next = State.FINISH
                with m.Else():
                    yield

        m.d.comb += self.cmd.busy.eq(1)
        with m.FSM(init=State.IDLE):
            # Waits for a command and takes its address.
            with m.State(State.IDLE):
                m.d.comb += self.cmd.busy.eq(0)
                with m.If(self.cmd.start):
                    m.d.comb += begin.eq(1)
                    m.d.sync += [command.eq(self.cmd.command), pins.tile.eq(s.tile), pins.row.eq(s.row)]
                    m.d.sync += end_code.eq(ErrorCode.NONE)
                    m.next = State.CHECK_ADDRESS

            # One cycle: refuses a row outside the geometry, else begins what the command begins with.
            with running(State.CHECK_ADDRESS):
                m.next = State.FINISH
                with m.If(~legal):
                    m.d.sync += end_code.eq(ErrorCode.BAD_ADDRESS)
                with m.Elif(programming | (command == Command.VERIFY_ROW)):
                    m.d.comb += [rails.start.eq(programming), attempts.start.eq(1)]
                    m.next = State.RUN_PHASES
                with m.Elif(reading):
                    m.d.comb += bridges.start.eq(1)
                    m.next = State.READ_BRIDGES
                with m.Else():
                    m.d.sync += end_code.eq(ErrorCode.BAD_COMMAND)

            # Waits until every phase has been attempted, or the rails do not come.
            with running(State.RUN_PHASES):
                m.d.comb += active.eq(1)
                with m.If(rails.timeout):
                    m.d.sync += end_code.eq(ErrorCode.RAILS_TIMEOUT)
                    m.next = State.FINISH
                with m.Elif(attempts.done):
                    m.next = State.FINISH
                    with m.If(programming):
                        m.next = State.LOWER_RAILS

            # One cycle: takes the rails away before the bridges are read.
            with running(State.LOWER_RAILS):
                m.d.comb += [active.eq(1), rails.lower.eq(1), bridges.start.eq(1)]
                m.next = State.READ_BRIDGES

            # Waits until the bridges have been read.
            with running(State.READ_BRIDGES):
                m.d.comb += active.eq(1)
                with m.If(bridges.done):
                    m.next = State.FINISH

            # One cycle: says how the command ended.
            with m.State(State.FINISH):
                m.d.comb += self.cmd.done.eq(1)
                m.next = State.IDLE
        return m

    def _ends(self, m: Module, rails, log, stop, stop_code, end_code):
        """What ends a command at once, and what is told of its end."""
        with m.If(self.cmd.abort):
            m.d.comb += [stop.eq(1), stop_code.eq(ErrorCode.ABORTED)]
        with m.Elif(rails.locked):
            m.d.comb += [stop.eq(1), stop_code.eq(ErrorCode.LOCKED)]
        with m.Elif(rails.lost):
            m.d.comb += [stop.eq(1), stop_code.eq(ErrorCode.RAILS_LOST)]
        with m.If(end_code != ErrorCode.NONE):
            m.d.comb += self.cmd.code.eq(end_code)
        with m.Else():
            m.d.comb += [self.cmd.code.eq(log.code), self.cmd.detail.eq(log.detail)]

    def _streams(self, m: Module, phases, attempts, bridges, rails, driver, columns, log):
        """The chain: phases, attempts, steps of the pins, answers, and the columns that failed."""
        connect(m, phases.ahead, attempts.phase)
        merge(m, driver.step, attempts.step, bridges.step)
        merge(m, columns.walk, attempts.walk, bridges.walk)
        connect(m, driver.answers, columns.answers)
        connect(m, columns.failed, log.failed)
        connect(m, columns.differing, log.differing)
        m.d.comb += [
            attempts.now.eq(phases.now),
            attempts.rails_pending.eq(rails.pending),
            attempts.rails_failed.eq(rails.timeout),
            attempts.load.eq(driver.load),
            attempts.any_pending.eq(columns.any_pending),
            attempts.group_follows.eq(columns.group_follows),
            attempts.any_ahead.eq(columns.any_ahead),
            bridges.any_ahead.eq(columns.any_ahead),
            columns.busy.eq(self.cmd.busy),
            columns.now.eq(phases.now),
            columns.ahead.eq(phases.ahead.payload),
            columns.forget_logged.eq(phases.fresh),
            columns.first_verify.eq(attempts.first_verify),
            columns.load.eq(driver.load),
        ]

    def _settings(self, m: Module, phases, attempts, rails, driver, columns):
        s, conditions = self.settings, Signal(PulseSettings)
        with m.Switch(phases.now.op):
            for op in ProgOp:
                with m.Case(op):
                    m.d.comb += conditions.eq(s.ops[op])
        m.d.comb += [
            attempts.settings.eq(conditions),
            columns.max_parallel.eq(s.max_parallel),
            driver.wl_setup_cyc.eq(s.wl_setup_cyc),
            driver.verify_cyc.eq(s.verify_cyc),
            driver.width_cyc.eq(conditions.width_cyc),
            driver.level.eq(attempts.prog_level),
            rails.settle_cyc.eq(s.rail_settle_cyc),
            rails.limit_cyc.eq(s.rail_limit_cyc),
            rails.unlocked.eq(self.unlocked),
        ]

    def _pins(self, m: Module, phases, attempts, rails, driver, columns):
        pins = self.pins
        strobes = ("wl_en", "pulse", "verify", "precharge", "evaluate")
        m.d.comb += [getattr(pins, name).eq(getattr(driver, name)) for name in strobes]
        m.d.comb += [
            pins.op.eq(phases.now.op),
            pins.side.eq(phases.now.side),
            pins.verify_ref.eq(phases.now.verify_ref),
            pins.wl_level.eq(attempts.wl_level),
            pins.prog_level.eq(driver.prog_level),
            pins.select.eq(columns.select),
            pins.hv_en.eq(rails.hv_en),
            rails.hv_ready.eq(pins.hv_ready),
            driver.sl.eq(pins.sl),
        ]

    def _windows(self, m: Module, columns):
        for host, inner in ((self.image, columns.image), (self.mask, columns.mask)):
            m.d.comb += [inner.addr.eq(host.addr), inner.w_en.eq(host.w_en), inner.w_data.eq(host.w_data)]
            m.d.comb += [inner.r_en.eq(host.r_en), host.r_data.eq(inner.r_data)]

    def _reports(self, m: Module, phases, driver, log):
        m.d.comb += [
            log.tile.eq(self.pins.tile),
            log.row.eq(self.pins.row),
            log.phase.eq(phases.now),
            self.log_push.eq(log.push),
            self.log_entry.eq(log.entry),
        ]
        for total, event in (
            (self.pulses, driver.pulse_rises),
            (self.verifies, driver.verify_rises),
            (self.failures, log.push),
        ):
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(event & ~total.all()):
                m.d.sync += total.eq(total + 1)
