"""The prefetch attachment: reads answered by ``shell/bridgebnn_shell.v`` from memories that this agent fills.

Once per input vector and tile the shell asks, in the middle of the first cycle of an evaluation, and gets the
decisions of all rows at their next reads in one wide write. Read numbers stay those of the strobe
attachment: the shell counts the evaluations of each row, and the counts are committed to the model before the
next answer. The first verify read of a row takes one callback, in the middle of its first cycle: it hands the shell
the answers to all others, which each pulse, of one callback, then renews.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from cocotb.triggers import FallingEdge, ReadWrite, RisingEdge, ValueChange
from cocotb.utils import get_sim_time

from bridgebnn.hdl.spec import ProgOp, ProgSide, VerifyRef
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import digital_rows
from bridgebnn.tb.context import MacroContext
from bridgebnn.tb.pins import Pin, bits_of, string_of

from .array_agent import Asked, MacroAgent, MacroFaults
from .protocol import Fault, ProtocolError

__all__ = ["PrefetchAgent"]

_LIMIT = 32767
_NEVER = 65535


class PrefetchAgent(MacroAgent):
    """Fills the shell's memories; plays programming strobe by strobe.

    Parameters
    ----------
    comparisons : int
        Parameter ``K`` of the shell.
    """

    array: Array  # it looks ahead, which a model that only answers strobes cannot

    def __init__(
        self,
        env: MacroContext,
        array: Array,
        faults: MacroFaults | None = None,
        *,
        comparisons: int = 1,
    ):
        super().__init__(env, array, faults, {"sl": "py_sl", "hv_ready": "py_hv_ready"})
        self.comparisons = comparisons
        self.digital_rows: set[tuple[int, int]] = set()  # rows that the comparator is never clocked on
        tiles, g = range(self.geometry.tiles), self.geometry
        names = (
            "request",
            "ask",
            "layer_count",
            "row_reads",
            "fault",
            "answered",
            "py_stale",
            "resolve_cyc",
            "seed",
            "verify_request",
            "told",
            "told_en",
            "rose_ps",
            "py_passed",
            "verified",
            "answers",
            "answers_for",
            "ahead_reads",
            "ahead_columns",
        )
        more = ("known", "live", "digital", "marked")
        self.at = {name: Pin(getattr(self.dut, name)) for name in (*names, *more)}
        self._decisions = [Pin(self.dut.decisions[t]) for t in tiles]
        self._used = [Pin(self.dut.used[t]) for t in tiles]
        self._live = np.ones((g.tiles, g.rows), bool)
        self._committed = np.zeros(self._live.shape, np.int64)  # of ``used``, already in the model
        self._ahead = 0  # ``answers_for``
        self._rising = False
        self._counted = np.zeros((2, len(VerifyRef)), np.int64)  # of ``ahead_reads`` and ``ahead_columns``
        self._loaded = False
        self._stale = 0
        self.requests = 0

    def start(self) -> None:
        super().start()
        self.misbehave(self.faults)
        self.at["seed"].set_text(f"{self.env.seed & 0xFFFFFFFF:032b}")
        self.at["digital"].set_bits(np.zeros(self._live.size, bool))
        self.at["live"].set_bits(self._live.ravel())  # until the devices are known
        self.spawn(self._answer())
        if self.on_event:
            self._watch_rises()
        self.spawn(self._fault())

    def misbehave(self, faults: MacroFaults) -> None:
        super().misbehave(faults)
        self.at["resolve_cyc"].set(_NEVER if faults.resolve_never else faults.resolve_cyc)
        if faults.rails_drop_after is not None:
            self._watch_rises()

    def _watch_rises(self) -> None:
        """From now on pulses are seen when they rise, too: a callback that most runs do without."""
        if not self._rising:
            self._rising = True
            self.spawn(self._rises())

    @property
    def row_reads(self) -> int:
        """``evaluate`` strobes seen."""
        return self.at["row_reads"].int()

    def watch_rows(self, rows: Iterable[tuple[int, int]], listener: Callable[[int, int], None]) -> None:
        """As `StrobeAgent.watch_rows`, once per agent: the shell counts the evaluations in ``layer_count``."""
        self.at["marked"].set_bits(self._flags(rows).ravel())
        self.spawn(self._watch(listener))

    async def _watch(self, listener: Callable[[int, int], None]) -> None:
        changed = ValueChange(self.dut.layer_count)
        while True:
            await changed
            wl_en = self.number("wl_en")
            listener((wl_en & -wl_en).bit_length() - 1, self.number("row"))

    def _flags(self, rows: Iterable[tuple[int, int]]) -> np.ndarray:
        flags = np.zeros(self._live.shape, bool)
        for tile, row in rows:
            flags[tile, row] = True
        return flags

    def load(self, mapping: Mapping, *, every_sl: bool = False) -> None:
        """Hand the state of the devices to the shell, too.

        Columns that no layer enables (``mapping.masks``) make no row live, but with ``every_sl``.
        """
        g = self.geometry
        counted = digital_rows(mapping.programs)
        self.digital_rows = counted
        self.at["digital"].set_bits(self._flags(counted).ravel())
        every = np.ones((g.tiles, g.rows, g.columns), bool)
        known = np.zeros(self._live.shape, bool)
        for tile in range(g.tiles):
            masks = (every if every_sl else mapping.masks)[tile]
            self._live[tile] = self.array.live_rows(tile, masks)
            rows = range(g.rows) if every_sl else [r for t, r in counted if t == tile]
            planes: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}  # rows of one layer have one mask
            for row in rows:
                if self._live[tile, row]:
                    continue
                key = masks[row].tobytes()
                if key not in planes:
                    planes[key] = self.array.planes(tile, masks[row])
                s1, s0 = planes[key]
                Pin(self.dut.plane1[tile * g.rows + row]).set_bits(s1[row])
                Pin(self.dut.plane0[tile * g.rows + row]).set_bits(s0[row])
                known[tile, row] = True
            self._derive(tile, mapping.masks[tile])
        if not every_sl:
            self._live &= self._flags(counted)
        self.at["known"].set_bits(known.ravel())
        self.at["live"].set_bits(self._live.ravel())
        self._loaded = True
        self._forget()

    def _derive(self, tile: int, masks: np.ndarray) -> None:
        """Let the model derive now what the first answers of each layer would wait for; no read is counted."""
        rows = [r for r in range(len(masks)) if (tile, r) not in self.digital_rows and masks[r].any()]
        for mask in {masks[r].tobytes(): masks[r] for r in rows}.values():
            self.array.min_refs(tile, np.zeros(len(mask), bool), mask)

    def _forget(self) -> None:
        self._stale = (self._stale + 1) & 0xFFFF
        self.at["py_stale"].set(self._stale)

    # -- programming: the shell collects what is asked for -----------------------------------------------------

    def _asked(self) -> Asked:
        try:
            told = self.at["told"].int()
            columns = bits_of(self.at["told_en"].text()).astype(bool)
        except ValueError:
            self.fail(Fault.UNKNOWN_PIN, pin="wl_en, row, col_en or a setting of the pulse or verify read")
        if not told >> 21 & 1:
            self.fail(Fault.NOT_ONE_WORD_LINE, wl_en=self.pin["wl_en"].text())
        row = told >> 24 & 0xFFFF
        if row >= self.geometry.rows:
            self.fail(Fault.ROW_OUTSIDE, row=row)
        return Asked(
            told >> 40,
            row,
            columns,
            ProgOp(told >> 18 & 3),
            ProgSide(told >> 20 & 1),
            VerifyRef(told >> 16 & 3),
            told >> 8 & 0xFF,
            told & 0xFF,
        )

    async def _pulse(self) -> None:
        fall, period, last_ps = FallingEdge(self.dut.pulse), self.env.period_ns, 0
        while True:
            await fall
            if (rose_ps := self.at["rose_ps"].int()) == last_ps:
                continue  # at power-up: from X to 0
            last_ps = rose_ps
            width_ns = round(get_sim_time("ns") - rose_ps / 1000)
            # One that is cut before the middle of its cycle is not told, but the pins still hold.
            asked = self._asked() if 2 * width_ns > period else super()._asked()
            self._pulse_ends(asked, width_ns * 1e-9)
            self._look_ahead(asked)
            if self._loaded:
                # Devices moved after their state was handed over: from now on this row is asked for, and all anew.
                if not self._live[asked.tile, asked.row]:
                    self._live[asked.tile, asked.row] = True
                    self.at["live"].set_bits(self._live.ravel())
                self._forget()

    async def _rises(self) -> None:
        """What happens while a pulse is high."""
        while True:
            await RisingEdge(self.dut.pulse)
            if self.on_event or self.faults.rails_drop_after == self.pulses:
                await ReadWrite()  # every pin of this clock edge has its value
                await self._pulse_begins(super()._asked())

    async def _verify(self) -> None:
        changed = ValueChange(self.dut.verify_request)
        while True:
            await changed
            if not self.env.in_reset:
                asked = self._asked()
                self.at["py_passed"].set_bits(self._passed(asked))
                self.at["verified"].set(self.at["verify_request"].int())
                self._look_ahead(asked)

    def _look_ahead(self, asked: Asked) -> None:
        """Hand the shell the answers to further verify reads of this row, until its next pulse or the rails fall."""
        passed = None
        if self.pin["hv_en"].text() == "1":
            passed = self.array.passes(asked.tile, asked.row)
        if passed is None:
            self._rails_fell()
            return
        self.at["answers"].set_bits(passed.ravel())
        self._answers_for(1 << 24 | asked.tile << 16 | asked.row)

    def _rails_fell(self) -> None:
        """Between commands devices may change without a pulse."""
        self._answers_for(0)

    def _answers_for(self, row: int) -> None:
        if row != self._ahead:
            self._ahead = row
            self.at["answers_for"].set(row)

    def _count(self) -> None:
        at = np.array(
            [
                [int(text[-32 * (ref + 1) :][:32], 2) for ref in VerifyRef]
                for text in (self.at["ahead_reads"].text(), self.at["ahead_columns"].text())
            ]
        )
        for ref, (reads, columns) in zip(VerifyRef, (at - self._counted).T.tolist(), strict=True):
            if reads:
                self._verifies += reads
                self._program.verify(ref, columns, reads)
        self._counted = at

    def flush(self) -> None:
        """Bring the model's read numbers up to the last strobe; the shell's counters go on."""
        for tile in range(self.geometry.tiles):
            self._commit(tile)

    def _commit(self, tile: int, *, cleared: bool = False) -> None:
        used = np.packbits(bits_of(self._used[tile].text()), bitorder="little").astype(np.int64)
        self.array.reads[tile] += used - self._committed[tile]
        # After an answer the shell counts from 0 again, the read under way included.
        self._committed[tile] = 0 if cleared else used

    async def _fault(self) -> None:
        while True:
            await ValueChange(self.dut.fault)
            code = self.at["fault"].int()
            if code:
                raise ProtocolError(
                    Fault(code), f"row = {self.pin['row'].text()}, wl_en = {self.pin['wl_en'].text()}"
                )

    async def _answer(self) -> None:
        changed, columns = ValueChange(self.dut.request), self.geometry.columns
        while True:
            await changed
            if self.env.in_reset:
                continue
            if "1" not in (asked := self.at["ask"].text()) or not set(asked) <= {"0", "1"}:
                self.fail(Fault.UNKNOWN_PIN, pin="wl_en, row, bl or col_en", ask=asked)
            ask, row = int(asked, 2), self.number("row")
            if row >= self.geometry.rows:
                self.fail(Fault.ROW_OUTSIDE, row=row)
            bl, en = self.pin["bl"].text(), self.pin["col_en"].text()
            live = {}
            for tile in range(self.geometry.tiles):
                if not ask >> tile & 1:
                    continue
                self._commit(tile, cleared=True)
                end = len(bl) - tile * columns
                try:
                    inputs, enabled = (bits_of(text[end - columns : end]).astype(bool) for text in (bl, en))
                except ValueError:
                    self.fail(Fault.UNKNOWN_PIN, pin="bl or col_en", tile=tile)
                if self._live[tile, row]:
                    # The model's "present read" is the one under way, which the shell has not counted yet.
                    self.array.reads[tile, row] += 1
                    live[tile] = self.array.source_lines(tile, row, inputs, enabled), enabled
                    self.array.reads[tile, row] -= 1
                if self._loaded and (tile, row) not in self.digital_rows:
                    self._decide(tile, inputs, enabled)
            if live:
                self._drive_sl(live)
            self.requests += 1
            self.at["answered"].set(self.at["request"].int())

    def _decide(self, tile: int, inputs: np.ndarray, enabled: np.ndarray) -> None:
        if self.comparisons == 1:
            least = self.array.min_refs(tile, inputs, enabled)
        else:
            least = self.array.min_refs_ahead(tile, inputs, enabled, self.comparisons)
        words = np.clip(least, -_LIMIT, _LIMIT).astype("<i2").ravel()
        self._decisions[tile].set_text(string_of(np.unpackbits(words.view(np.uint8), bitorder="little")))
