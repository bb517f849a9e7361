"""The array agent of the campaign: plays broken rails and comparators, and notes broken rules."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import CoroutineType

import cocotb
from cocotb.triggers import FallingEdge, First, ReadWrite, RisingEdge, Timer

from bridgebnn.tb.agents.array_agent import StrobeAgent
from bridgebnn.tb.agents.protocol import Fault, ProtocolError
from bridgebnn.tb.context import MacroContext, MacroModel

__all__ = ["CampaignAgent", "Comparator", "Rails"]


@dataclass(kw_only=True)
class Rails:
    """How the programming rails misbehave; times in clock cycles.

    Parameters
    ----------
    kind : str
        ``sound``; ``late`` and ``too_late``: ready ``delay_cyc`` after the request; ``never``; ``drop``:
        falls and stays down until the next request; ``glitch``: falls for ``length_cyc``; ``bounce``: comes
        and goes before it stays; ``stuck_up``: ready is high even without a request; ``weak``: ready, yet
        pulses do nothing.
    delay_cyc, offset_cyc, length_cyc : float
    in_pulse : bool
        ``drop`` and ``glitch`` come ``offset_cyc`` after the rise of pulse number ``pulse``, else after rails
        that have been up for ``4*pulse + offset_cyc``.
    pulse : int
    times : int
        Requests that are spoiled; sound after that.
    """

    kind: str = "sound"
    delay_cyc: float = 0.0
    offset_cyc: float = 0.0
    length_cyc: float = 0.0
    in_pulse: bool = False
    pulse: int = 0
    times: int = 1


@dataclass(kw_only=True)
class Comparator:
    """How the comparator of one tile misbehaves, from its comparison number ``after`` on, ``times`` times.

    Parameters
    ----------
    kind : str
        ``sound``, ``stuck_0``, ``stuck_1``, ``slow``, ``too_slow`` (``resolve_cyc`` cycles) or ``never``.
    """

    kind: str = "sound"
    tile: int = 0
    after: int = 0
    resolve_cyc: int = 0
    times: int = 1


class CampaignAgent(StrobeAgent):
    """`StrobeAgent` with broken rails and comparators; protocol errors are kept in ``errors``.

    Attributes
    ----------
    errors : list of str
        Rules of the macro's pins that the controller broke.
    hits : int
        How often a fault of the rails or of a comparator has acted.
    """

    def __init__(self, env: MacroContext, array: MacroModel):
        super().__init__(env, array, watch=False)
        self.errors: list[str] = []
        self.rails, self.comparator = Rails(), Comparator()
        self.hits = 0
        self._seen = [0] * self.geometry.tiles

    def renew(self, array: MacroModel) -> None:
        """Another chip, sound rails and comparators; the controller is in reset."""
        self.array = array
        self.errors.clear()
        self.pulses = self._verifies = self.row_reads = self.hits = 0
        self._fresh, self._open, self._columns = False, None, {}
        self.mend()

    def mend(self) -> None:
        """Rails and comparators are sound from now on."""
        self.rails, self.comparator = Rails(), Comparator()
        self._seen = [0] * self.geometry.tiles
        self.hv_ready.set(0)

    def spoil(self, rails: Rails | None = None, comparator: Comparator | None = None) -> None:
        """Break the rails, or a comparator."""
        self.rails = rails or self.rails
        self.comparator = comparator or self.comparator
        self._seen = [0] * self.geometry.tiles
        if self.rails.kind == "stuck_up":
            self.hits += 1
            self.hv_ready.set(1)

    def spawn(self, reaction: Coroutine) -> None:
        """Run a reaction; a protocol error is noted, and the reaction starts anew."""
        assert isinstance(reaction, CoroutineType)
        method: Callable[[], Coroutine] = getattr(self, reaction.__name__)
        reaction.close()

        async def lasting() -> None:
            while True:
                try:
                    await method()
                except ProtocolError as error:
                    self.errors.append(str(error))

        self.env.spawn(lasting())

    def cycles(self, count: float) -> Timer:
        """So many clock cycles, but never on an edge."""
        time_ns, period_ns = max(1, round(count * self.env.period_ns)), round(self.env.period_ns)
        return Timer(time_ns + 13 * (time_ns % period_ns == 0), "ns")

    async def _rails(self) -> None:
        up, down = RisingEdge(self.dut.hv_en), FallingEdge(self.dut.hv_en)
        while True:
            if self.pin["hv_en"].text() != "1":
                await up
            rails = self.rails
            broken = rails.kind != "sound" and rails.times > 0
            if not broken:
                self.faults.pulses_lost = False
                self.hv_ready.set(1)
                await down
                self.hv_ready.set(0)
                continue
            rails.times -= 1
            self.hits += 1
            self.faults.pulses_lost = rails.kind == "weak"
            script = cocotb.start_soon(self._script(rails))
            await down
            script.cancel()
            self.hv_ready.set(int(rails.kind == "stuck_up"))

    async def _script(self, rails: Rails) -> None:
        """What ``hv_ready`` does while the rails are asked for."""
        if rails.kind == "never":
            return
        if rails.kind in ("late", "too_late"):
            await self.cycles(rails.delay_cyc)
        if rails.kind == "bounce":
            for _ in range(1 + rails.pulse % 4):
                self.set_ready(1)
                await self.cycles(rails.offset_cyc)
                self.set_ready(0)
                await self.cycles(rails.length_cyc)
        self.set_ready(1)
        if rails.kind in ("drop", "glitch"):
            if rails.in_pulse:
                for _ in range(1 + rails.pulse):
                    await RisingEdge(self.dut.pulse)
                await self.cycles(rails.offset_cyc)
            else:
                await self.cycles(4 * rails.pulse + rails.offset_cyc)
            self.set_ready(0)
            if rails.kind == "glitch":
                await self.cycles(rails.length_cyc)
                self.set_ready(1)

    def set_ready(self, value: int) -> None:
        """Drive ``hv_ready``; it is never high once the request is gone."""
        self.hv_ready.set(value & int(self.pin["hv_en"].text() == "1"))

    async def _sense(self) -> None:
        rise, fall = RisingEdge(self.dut.sense), FallingEdge(self.dut.sense)
        while True:
            await rise
            await ReadWrite()
            if self._open is None or self.pin["evaluate"].text() != "1":
                self.fail(Fault.SENSE_WITHOUT_EVALUATE)
            tiles, row = self._open
            ref = self.pin["cmp_ref"].signed()
            decisions = {}
            for tile in tiles:
                bl, en = self._columns[tile][2:]
                decisions[tile] = int(ref >= self.array.min_ref(tile, row, bl, en))
            kind = self._acting(tiles)
            if kind in ("stuck_0", "stuck_1"):
                decisions[self.comparator.tile] = int(kind == "stuck_1")
            elif kind == "never":
                self.cmp_valid.set(0)
                await fall
                self.unknown(self.cmp_valid)
                continue
            elif kind in ("slow", "too_slow"):
                self.cmp_valid.set(0)
                await First(fall, self.cycles(self.comparator.resolve_cyc - 0.25))
            if self.pin["sense"].text() == "1":
                self._drive_cmp(decisions)
                await fall
            self.unknown(self.cmp)
            self.unknown(self.cmp_valid)

    def _acting(self, tiles: list[int]) -> str:
        """Kind of the fault that acts on this comparison."""
        broken = self.comparator
        if broken.kind == "sound" or broken.tile not in tiles:
            return "sound"
        number, self._seen[broken.tile] = self._seen[broken.tile], self._seen[broken.tile] + 1
        if not broken.after <= number < broken.after + broken.times:
            return "sound"
        self.hits += 1
        return broken.kind
