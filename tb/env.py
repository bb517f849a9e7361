"""The environment of a testbench: clock, reset, array agent, host driver, and what runs beside them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Coroutine, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, First, RisingEdge, Timer

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.agents.array_agent import MacroFaults, StrobeAgent
from bridgebnn.tb.agents.prefetch_agent import PrefetchAgent
from bridgebnn.tb.bus.wishbone import WishboneMaster
from bridgebnn.tb.context import Dut
from bridgebnn.tb.host.driver import HostDriver
from bridgebnn.tb.pins import Pin

__all__ = ["ATTACHMENTS", "Env", "gaps"]

ATTACHMENTS = ("strobe", "prefetch", "none")


def gaps(pattern: str, seed: int) -> Iterator[int] | None:
    """Cycles to idle before each access: ``none``, ``some`` (0..3, random) or ``long`` (now and then 40)."""
    if pattern == "none":
        return None
    rng = random.Random(seed)
    if pattern == "some":
        return (rng.randrange(4) for _ in itertools.count())
    if pattern == "long":
        return (40 if rng.random() < 0.05 else 0 for _ in itertools.count())
    raise ValueError(f"unknown pattern {pattern!r} of gaps: known are none, some, long")


class Env:
    """Everything around one controller.

    Parameters
    ----------
    dut : Dut
        The bare controller (attachments ``strobe`` and ``none``) or the shell (``prefetch``).
    geometry : Geometry
    array : bridgebnn.model.macro.array.Array or None
        The chip; None with attachment ``none``: comparator tied off.
    attach : str
    timing : Timing
    sim : str
        Decides whether X can be driven.
    seed : int
        Of everything random in the testbench.
    faults : MacroFaults, optional
    agent_options : dict, optional
        Further options of the agent.
    bus_gaps, push_gaps, pop_gaps : str
        Patterns of `gaps`.

    Attributes
    ----------
    agent : MacroAgent or None
    bus : WishboneMaster
    host : HostDriver
    in_reset : bool
    """

    def __init__(
        self,
        dut: Dut,
        geometry: Geometry,
        array: Any,
        *,
        attach: str = "strobe",
        timing: Timing | None = None,
        sim: str = "icarus",
        seed: int = 1,
        faults: MacroFaults | None = None,
        agent_options: dict[str, Any] | None = None,
        bus_gaps: str = "none",
        push_gaps: str = "none",
        pop_gaps: str = "none",
        limit_cyc: int = 2_000_000,
    ):
        if attach not in ATTACHMENTS:
            raise ValueError(f"unknown attachment {attach!r}: known are {', '.join(ATTACHMENTS)}")
        self.dut, self.geometry, self.array, self.attach = dut, geometry, array, attach
        self.timing = timing or Timing()
        self.two_state = sim == "verilator"
        self.seed = seed
        self.period_ns = round(self.timing.clock_s * 1e9, 3)
        self.in_reset = True
        self._failure: Exception | None = None
        self._failed = Event()
        self._edge = RisingEdge(dut.clk)
        self._rst = Pin(dut.rst)
        self.bus = WishboneMaster(dut, register_map(geometry, self.timing), idle=gaps(bus_gaps, seed))
        self.host = HostDriver(
            self.bus,
            dut,
            geometry,
            period_ns=self.period_ns,
            limit_cyc=limit_cyc,
            push_gap=gaps(push_gaps, seed + 1),
            pop_gap=gaps(pop_gaps, seed + 2),
        )
        self.agent: StrobeAgent | PrefetchAgent | None = None
        options = agent_options or {}
        if attach == "strobe":
            self.agent = StrobeAgent(self, array, faults, **options)
        elif attach == "prefetch":
            self.agent = PrefetchAgent(self, array, faults, **options)

    # -- tasks beside the test ----------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine) -> None:
        """Run beside the test; what it raises ends the test with that error."""

        async def guarded() -> None:
            try:
                await coroutine
            except Exception as error:
                if self._failure is None:
                    self._failure = error
                    self._failed.set()

        cocotb.start_soon(guarded())

    async def run(self, main: Coroutine) -> Any:
        """Run the test's own coroutine; raises what it raises, or what an agent or monitor raised first."""
        box: list[Any] = []

        async def guarded() -> None:
            try:
                box.append((await main, None))
            except Exception as error:
                box.append((None, error))

        task = cocotb.start_soon(guarded())
        await First(task.complete, self._failed.wait())
        if self._failure is not None:
            task.cancel()
            raise self._failure
        value, error = box[0]
        if error is not None:
            raise error
        return value

    def check(self) -> None:
        """Raise what an agent or monitor has raised."""
        if self._failure is not None:
            raise self._failure

    # -- clock and reset ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the clock (in the simulator, not in Python), hold reset for five cycles, start the agent."""
        dut = self.dut
        self._rst.set(1)
        if self.attach == "none" and hasattr(
            dut, "hv_ready"
        ):  # the bare controller; a shell ties them itself
            for name, value in (("cmp", "0"), ("cmp_valid", "1"), ("sl", "0"), ("hv_ready", "0")):
                pin = Pin(getattr(dut, name))
                pin.set_text(value * pin.width)
        Clock(dut.clk, self.period_ns, "ns", impl="gpi").start()
        if self.agent is not None:
            self.agent.start()
        await self.reset()

    async def reset(self, cycles: int = 5) -> None:
        """Hold reset for some cycles; the bus is released."""
        self.bus.release()
        self.in_reset = True
        self._rst.set(1)
        for _ in range(cycles):
            await self._edge
        self._rst.set(0)
        await self._edge
        self.in_reset = False

    async def cycles(self, count: int) -> None:
        """Let clock cycles pass, in one step."""
        await Timer(round(count * self.period_ns, 3), "ns")
        await self._edge

    def cycle(self) -> int:
        """Clock cycles since the start of simulated time."""
        from cocotb.utils import get_sim_time

        return round(get_sim_time("ns") / self.period_ns)
