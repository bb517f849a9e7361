"""The array agent: plays ``bridgebnn.model.macro.array.Array`` on the macro's pins, reacting to strobes.

`MacroAgent` plays what programming needs (rails, pulses, verify reads) and is shared by both attachments;
`StrobeAgent` answers every read strobe in Python, on the bare controller's pins. ``tb/agents/prefetch_agent.py``
has the other attachment. Outside the windows in which a real macro answers, inputs of the controller get X
(Icarus) or random bits (Verilator, which has no X).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple, NoReturn

import numpy as np
from cocotb.triggers import FallingEdge, ReadWrite, RisingEdge, Timer, ValueChange
from cocotb.utils import get_sim_time

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef, margin_factor
from bridgebnn.hdl.spec.pins import MACRO_OUTPUTS
from bridgebnn.model.macro.program_events import ProgramCounts
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import digital_rows
from bridgebnn.tb.context import Dut, MacroContext, MacroModel
from bridgebnn.tb.pins import Pin, bits_of, pin_of

from .misbehaviour import MacroFaults
from .protocol import Fault, ProtocolError

__all__ = ["MacroAgent", "MacroFaults", "StrobeAgent"]


class Asked(NamedTuple):
    """What a pulse or a verify read asks for: the pins, but ``verify_ref`` of a pulse and ``wl_level`` of a verify."""

    tile: int
    row: int
    columns: np.ndarray  # bool (C,)
    op: ProgOp
    side: ProgSide
    ref: VerifyRef
    wl_level: int
    prog_level: int


class MacroAgent:
    """Rails, programming pulses and verify reads of every tile.

    Parameters
    ----------
    env : MacroContext
    array : MacroModel
        The chip that is played.
    faults : MacroFaults, optional
    names : mapping, optional
        Names of the inputs ``sl`` and ``hv_ready`` where they differ (the shell's).
    inputs : Dut, optional
        Whose ``cmp``, ``cmp_valid``, ``sl`` and ``hv_ready`` are driven, where that is not ``env.dut``.

    Attributes
    ----------
    pulses : int
        Seen on the pins.
    """

    def __init__(
        self,
        env: MacroContext,
        array: MacroModel,
        faults: MacroFaults | None = None,
        names: dict[str, str] | None = None,
        inputs: Dut | None = None,
    ):
        self.env, self.dut, self.array = env, env.dut, array
        self.geometry: Geometry = array.geometry
        self.faults = faults or MacroFaults()
        self.pulses = self._verifies = 0
        self._program = ProgramCounts()
        self.on_event: list[Callable[[str, dict[str, Any]], None]] = []  # for waveforms
        names = names or {}
        self.inputs = self.dut if inputs is None else inputs
        self.pin = {name: pin_of(self.dut, name) for name in MACRO_OUTPUTS}
        self.sl = pin_of(self.inputs, names.get("sl", "sl"))
        self.hv_ready = pin_of(self.inputs, names.get("hv_ready", "hv_ready"))
        self.two_state = env.two_state
        self._random = random.Random(env.seed ^ 0x5EED)

    # -- helpers ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to react."""
        self.hv_ready.set(0)
        self.unknown(self.sl)
        for reaction in (self._rails(), self._pulse(), self._verify()):
            self.spawn(reaction)

    @property
    def verifies(self) -> int:
        """Verify reads seen on the pins."""
        self._count()
        return self._verifies

    @property
    def program(self) -> ProgramCounts:
        """Pulses and verify reads, as far as they cost energy."""
        self._count()
        return self._program

    def _count(self) -> None:
        """Bring the counts up to date, where another one counts, too."""

    def misbehave(self, faults: MacroFaults) -> None:
        """From now on the macro has these faults."""
        self.faults = faults

    def spawn(self, reaction: Coroutine[Any, Any, None]) -> None:
        """Run a reaction; what it raises ends the test."""
        self.env.spawn(reaction)

    def unknown(self, pin: Pin) -> None:
        """Drive what nobody may look at."""
        if self.two_state:
            pin.set_text(f"{self._random.getrandbits(pin.width):0{pin.width}b}")
        else:
            pin.set_text("x" * pin.width)

    def fail(self, fault: Fault, **where: Any) -> NoReturn:
        """Raise a protocol error with the place."""
        where = {"t": f"{get_sim_time('ns'):g} ns", **where}
        raise ProtocolError(fault, ", ".join(f"{k} = {v}" for k, v in where.items()))

    def tell(self, kind: str, **values: Any) -> None:
        """Inform those who draw waveforms."""
        for listener in self.on_event:
            listener(kind, values)

    def low(self, *names: str) -> bool:
        """Whether all of these single-bit pins are 0."""
        return all(self.pin[name].text() == "0" for name in names)

    def number(self, name: str) -> int:
        """Value of a pin that must be known."""
        try:
            return self.pin[name].int()
        except ValueError:
            self.fail(Fault.UNKNOWN_PIN, pin=name, value=self.pin[name].text())

    def slice(self, name: str, tile: int) -> np.ndarray:
        """Bits of one tile's columns, bool (C,)."""
        text, columns = self.pin[name].text(), self.geometry.columns
        end = len(text) - tile * columns
        try:
            return bits_of(text[end - columns : end]).astype(bool)
        except ValueError:
            self.fail(Fault.UNKNOWN_PIN, pin=name, tile=tile)

    def line(self) -> tuple[int, int]:
        """(tile, row) of the only word line that is on."""
        wl_en, row = self.number("wl_en"), self.number("row")
        if wl_en == 0 or wl_en & (wl_en - 1):
            self.fail(Fault.NOT_ONE_WORD_LINE, wl_en=bin(wl_en))
        if row >= self.geometry.rows:
            self.fail(Fault.ROW_OUTSIDE, row=row)
        return wl_en.bit_length() - 1, row

    # -- reactions ----------------------------------------------------------------------------------------

    async def _rails(self) -> None:
        while True:
            await RisingEdge(self.dut.hv_en)
            self.tell("rails", on=True)
            if self.faults.rails_never:
                continue
            if self.faults.rail_delay_s:
                await Timer(round(self.faults.rail_delay_s * 1e9), "ns")
            if self.pin["hv_en"].text() != "1":
                continue
            self.hv_ready.set(1)
            await FallingEdge(self.dut.hv_en)
            self.hv_ready.set(0)
            self._rails_fell()
            self.tell("rails", on=False)

    def _rails_fell(self) -> None:
        """``hv_en`` has fallen."""

    async def _pulse(self) -> None:
        while True:
            await RisingEdge(self.dut.pulse)
            start = get_sim_time("ns")
            await ReadWrite()  # every pin of this clock edge has its value
            if self.pin["hv_en"].text() != "1" or self.hv_ready.text() != "1":
                self.fail(
                    Fault.PULSE_WITHOUT_RAILS, hv_en=self.pin["hv_en"].text(), hv_ready=self.hv_ready.text()
                )
            if self.pin["verify"].text() != "0":
                self.fail(Fault.PULSE_WITH_VERIFY)
            if not self.low("precharge", "evaluate", "sense"):
                self.fail(Fault.READ_WITH_RAILS)
            asked = self._asked()
            if (asked.columns != self.slice("bl", asked.tile)).any():
                self.fail(Fault.COLUMNS_MOVED_IN_PULSE, note="bl differs from col_en")
            await self._pulse_begins(asked)
            if self.pin["pulse"].text() == "1":
                await FallingEdge(self.dut.pulse)
            self._pulse_ends(asked, round(get_sim_time("ns") - start) * 1e-9)

    def _asked(self) -> Asked:
        """What the pins ask for in a pulse or a verify read."""
        tile, row = self.line()
        return Asked(
            tile,
            row,
            self.slice("col_en", tile),
            ProgOp(self.number("prog_op")),
            ProgSide(self.number("prog_side")),
            VerifyRef(self.number("verify_ref")),
            self.number("wl_level"),
            self.number("prog_level"),
        )

    async def _pulse_begins(self, asked: Asked) -> None:
        """Tell the listeners; lose the rails where that is a fault of this macro."""
        told = {
            name: getattr(asked, name) for name in ("tile", "row", "op", "side", "wl_level", "prog_level")
        }
        self.tell("pulse", **told)
        if self.faults.rails_drop_after == self.pulses:
            self.faults.rails_never = True
            await Timer(round(1.25 * self.env.period_ns), "ns")
            self.hv_ready.set(0)

    def _pulse_ends(self, asked: Asked, width_s: float) -> None:
        tile, row, columns, op, side, _, wl_level, prog_level = asked
        self.pulses += 1
        self._program.pulse(op, int(np.count_nonzero(columns)), wl_level, prog_level)
        if not self.faults.pulses_lost:
            self.array.pulse(tile, row, columns, op, side, wl_level, prog_level, width_s)
        self.tell("pulse_end")

    async def _verify(self) -> None:
        while True:
            await RisingEdge(self.dut.verify)
            await ReadWrite()
            if self.pin["pulse"].text() != "0":
                self.fail(Fault.PULSE_WITH_VERIFY)
            if not self.low("precharge", "evaluate", "sense"):
                self.fail(Fault.VERIFY_WITH_READ)
            asked = self._asked()
            passed = self._passed(asked)
            await Timer(round(0.5 * self.env.period_ns), "ns")
            self._drive_sl({asked.tile: (passed, asked.columns)})
            await FallingEdge(self.dut.verify)
            self.unknown(self.sl)
            self._verify_ended()

    def _passed(self, asked: Asked) -> np.ndarray:
        """Columns that pass a verify read, bool (C,)."""
        tile, row, columns, _, side, ref, _, prog_level = asked
        self._verifies += 1
        self._program.verify(ref, int(np.count_nonzero(columns)))
        return self.array.verify(tile, row, columns, side, ref, margin_factor(prog_level))

    def _verify_ended(self) -> None:
        """Pins are checked while ``verify`` is high, by whoever sees every cycle."""

    def watch_rows(self, rows: Iterable[tuple[int, int]], listener: Callable[[int, int], None]) -> None:
        """Call ``listener(tile, row)`` in every evaluation of one of these (lowest tile, word line)."""
        raise NotImplementedError

    def load(self, mapping: Mapping, *, every_sl: bool = False) -> None:
        """Programming, with its read-back of every row, is over.

        From now on ``sl`` stays unknown while a row is evaluated that no COUNT layer of the mapping reads, but
        with ``every_sl``.
        """
        raise NotImplementedError

    def _drive_sl(self, answers: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        """Drive (bits, columns asked) of some tiles; everything else is unknown."""
        columns = self.geometry.columns
        if self.two_state:
            text = np.frombuffer(self._random.randbytes(self.sl.width), np.uint8) & 1
            line = (text + 48).astype(np.uint8)
        else:
            line = np.full(self.sl.width, ord("x"), np.uint8)
        for tile, (bits, asked) in answers.items():
            part = line[tile * columns : (tile + 1) * columns]
            part[asked] = np.asarray(bits, np.uint8)[asked] + 48
        self.sl.set_text(line[::-1].tobytes().decode())


class StrobeAgent(MacroAgent):
    """Reads answered strobe by strobe, on the bare controller's pins.

    Parameters
    ----------
    watch : bool
        Watch that inputs hold still while they must (two callbacks a change).
    inputs : Dut, optional
        As of `MacroAgent`.

    Attributes
    ----------
    row_reads : int
        ``evaluate`` strobes seen.
    """

    def __init__(
        self,
        env: MacroContext,
        array: MacroModel,
        faults: MacroFaults | None = None,
        *,
        watch: bool = True,
        inputs: Dut | None = None,
    ):
        super().__init__(env, array, faults, inputs=inputs)
        self.sl_rows: set[tuple[int, int]] | None = None  # rows read through ``sl``; None: all
        self.watch = watch
        self.cmp, self.cmp_valid = pin_of(self.inputs, "cmp"), pin_of(self.inputs, "cmp_valid")
        self.row_reads = 0
        self.on_evaluate: list[Callable[[list[int], int], None]] = []  # called with tiles and row
        self._fresh = False
        self._open: tuple[list[int], int] | None = None  # tiles and row under evaluation
        self._columns: dict[int, tuple[str, str, np.ndarray, np.ndarray]] = {}

    def start(self) -> None:
        super().start()
        self.unknown(self.cmp)
        self.unknown(self.cmp_valid)
        for reaction in (self._precharge(), self._evaluate(), self._evaluated(), self._sense()):
            self.spawn(reaction)
        if self.watch:
            for name in (
                "row",
                "wl_en",
                "cmp_ref",
                "bl",
                "col_en",
                "prog_op",
                "prog_side",
                "wl_level",
                "prog_level",
            ):
                self.spawn(self._still(name))

    def watch_rows(self, rows: Iterable[tuple[int, int]], listener: Callable[[int, int], None]) -> None:
        """Call ``listener(tile, row)`` in every evaluation of one of these (lowest tile, word line)."""
        wanted = frozenset(rows)

        def evaluated(tiles: list[int], row: int) -> None:
            if (tiles[0], row) in wanted:
                listener(tiles[0], row)

        self.on_evaluate.append(evaluated)

    def load(self, mapping: Mapping, *, every_sl: bool = False) -> None:
        self.sl_rows = None if every_sl else digital_rows(mapping.programs)

    async def _precharge(self) -> None:
        while True:
            await RisingEdge(self.dut.precharge)
            await ReadWrite()
            if not self.low("evaluate"):
                self.fail(Fault.PRECHARGE_WITH_EVALUATE)
            if not self.low("hv_en"):
                self.fail(Fault.READ_WITH_RAILS)
            self._fresh = True
            self.tell("precharge")

    async def _evaluate(self) -> None:
        while True:
            await RisingEdge(self.dut.evaluate)
            await ReadWrite()
            if not self.low("precharge"):
                self.fail(Fault.PRECHARGE_WITH_EVALUATE)
            if not self.low("hv_en"):
                self.fail(Fault.READ_WITH_RAILS)
            if not self._fresh:
                self.fail(Fault.EVALUATE_WITHOUT_PRECHARGE)
            self._fresh = False
            wl_en, row = self.number("wl_en"), self.number("row")
            if wl_en == 0:
                self.fail(Fault.EVALUATE_WITHOUT_WORD_LINE)
            if row >= self.geometry.rows:
                self.fail(Fault.ROW_OUTSIDE, row=row)
            tiles = [t for t in range(self.geometry.tiles) if wl_en >> t & 1]
            self.row_reads += 1
            self.array.begin_read(tiles, row)
            self._open = tiles, row
            self._look(tiles)
            for listener in self.on_evaluate:
                listener(tiles, row)
            self.tell("evaluate", tiles=tiles, row=row)
            answered = [t for t in tiles if self.sl_rows is None or (t, row) in self.sl_rows]
            if answered:
                # The source lines settle within the first cycle, not at once.
                await Timer(round(0.75 * self.env.period_ns), "ns")
                if self.pin["evaluate"].text() == "1":
                    self._drive_sl({t: self._source(t, row) for t in answered})

    def _look(self, tiles: list[int]) -> None:
        """Take the column data of these tiles; kept as arrays until they change."""
        bl, en, columns = self.pin["bl"].text(), self.pin["col_en"].text(), self.geometry.columns
        for tile in tiles:
            end = len(bl) - tile * columns
            key = bl[end - columns : end], en[end - columns : end]
            if tile not in self._columns or self._columns[tile][:2] != key:
                try:
                    data, enabled = (bits_of(text).astype(bool) for text in key)
                except ValueError:
                    self.fail(Fault.UNKNOWN_PIN, pin="bl or col_en", tile=tile)
                self._columns[tile] = *key, data, enabled

    def columns(self, tile: int) -> tuple[np.ndarray, np.ndarray]:
        """Column data and enables of a tile in the evaluation seen last, bool (C,) each."""
        return self._columns[tile][2], self._columns[tile][3]

    def _source(self, tile: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        bl, en = self._columns[tile][2:]
        return self.array.source_lines(tile, row, bl, en), en

    async def _evaluated(self) -> None:
        while True:
            await FallingEdge(self.dut.evaluate)
            self._open = None
            self.unknown(self.sl)

    async def _sense(self) -> None:
        period = self.env.period_ns
        while True:
            await RisingEdge(self.dut.sense)
            await ReadWrite()
            if self._open is None or self.pin["evaluate"].text() != "1":
                self.fail(Fault.SENSE_WITHOUT_EVALUATE)
            tiles, row = self._open
            ref = self.pin["cmp_ref"].signed()
            decisions = {}
            for tile in tiles:
                bl, en = self._columns[tile][2:]
                decisions[tile] = int(self.array.compare(tile, row, bl, en, ref))
            self.tell("sense", tiles=tiles, row=row, ref=ref, decisions=decisions)
            if self.faults.resolve_never or self.faults.resolve_cyc:
                self.cmp_valid.set(0)
                if self.faults.resolve_never:
                    await FallingEdge(self.dut.sense)
                    self.unknown(self.cmp_valid)
                    continue
                await Timer(round((self.faults.resolve_cyc - 0.25) * period), "ns")
            if self.pin["sense"].text() == "1":
                self._drive_cmp(decisions)
                await FallingEdge(self.dut.sense)
            self.unknown(self.cmp)
            self.unknown(self.cmp_valid)

    def _drive_cmp(self, decisions: dict[int, int]) -> None:
        for pin, values in ((self.cmp, decisions), (self.cmp_valid, dict.fromkeys(decisions, 1))):
            if self.two_state:
                word = self._random.getrandbits(pin.width)
                for tile, value in values.items():
                    word = word & ~(1 << tile) | value << tile
                pin.set_text(f"{word:0{pin.width}b}")
            else:
                text = ["x"] * pin.width
                for tile, value in values.items():
                    text[-1 - tile] = "01"[value]
                pin.set_text("".join(text))

    async def _still(self, name: str) -> None:
        """Watch that a pin holds still in the phases in which it must."""
        pin, trigger = self.pin, ValueChange(getattr(self.dut, name))
        in_read = {"row": Fault.ROW_MOVED_IN_EVALUATE, "wl_en": Fault.ROW_MOVED_IN_EVALUATE}
        in_read |= {"bl": Fault.COLUMNS_MOVED_IN_EVALUATE, "col_en": Fault.COLUMNS_MOVED_IN_EVALUATE}
        columns = name in ("bl", "col_en")
        evaluate, sense, pulse, verify = (pin[n].text for n in ("evaluate", "sense", "pulse", "verify"))
        while True:
            before = pin[name].text()
            await trigger
            await ReadWrite()
            if pin[name].text() == before or self.env.in_reset:
                continue
            if name in in_read and evaluate() == "1":
                self.fail(in_read[name], pin=name)
            if name == "cmp_ref" and sense() == "1":
                self.fail(Fault.REF_MOVED_IN_SENSE)
            if name != "cmp_ref" and pulse() == "1":
                self.fail(
                    Fault.COLUMNS_MOVED_IN_PULSE if columns else Fault.SETTINGS_MOVED_IN_PULSE, pin=name
                )
            if name in ("row", "wl_en", "col_en", "prog_side") and verify() == "1" and self._verify_open:
                self.fail(Fault.PINS_MOVED_IN_VERIFY, pin=name)

    # ``verify`` may rise together with the pins that it needs; from the cycle after on they hold still.
    _verify_open = False

    def _drive_sl(self, answers: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        self._verify_open = self.pin["verify"].text() == "1"
        super()._drive_sl(answers)

    def _verify_ended(self) -> None:
        self._verify_open = False
