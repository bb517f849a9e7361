"""The environment of a testbench: clock, reset, array agent, host driver, and what runs beside them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Coroutine, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, First, RisingEdge, SimTimeoutError, Timer, ValueChange, with_timeout
from cocotb.utils import get_sim_time

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.pins import MACRO_INPUTS, MACRO_PINS, Flow
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.agents.array_agent import MacroFaults, StrobeAgent
from bridgebnn.tb.agents.prefetch_agent import PrefetchAgent
from bridgebnn.tb.bus.registers import RegisterAccess
from bridgebnn.tb.bus.wishbone import WishboneMaster
from bridgebnn.tb.context import Dut
from bridgebnn.tb.host.driver import HostDriver
from bridgebnn.tb.pins import Pin, pin_of

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

    By itself it drives clock, reset and bus of a controller that is the top of the design. With ``bus`` the
    controller is part of a design of yours, at any depth: clock, reset and bus are yours, and this is the
    macro on the controller's pins and a host that speaks through your bus. Start your clock, hold your reset,
    ``await env.start()``, then end the reset.

    Parameters
    ----------
    dut : Dut
        The bare controller (attachments ``strobe`` and ``none``) or the shell (``prefetch``). With ``bus``: the
        instance of the controller, ``dut.soc.bnn0``.
    geometry : Geometry
    array : bridgebnn.model.macro.array.Array or None
        The chip; None with attachment ``none``: comparator tied off.
    attach : str
    timing : Timing
    sim : str, optional
        Decides whether X can be driven; by default the one that runs.
    seed : int
        Of everything random in the testbench.
    faults : MacroFaults, optional
    agent_options : dict, optional
        Further options of the agent.
    bus : RegisterAccess, optional
        The controller's registers behind a bus of yours: `Registers`, or what has its members.
    macro : Dut, optional
        The instance whose ``cmp``, ``cmp_valid``, ``sl`` and ``hv_ready`` are driven: a module without contents in the
        macro's place. By default the controller itself, of which these four must then be left open.
    bus_gaps, push_gaps, pop_gaps : str
        Patterns of `gaps`.

    Attributes
    ----------
    agent : MacroAgent or None
    bus : RegisterAccess
        A WishboneMaster, unless it is yours.
    host : HostDriver
    in_reset : bool

    Raises
    ------
    ValueError
        An attachment that does not exist, or not with a bus of your own; a pin that is not there.
    """

    def __init__(
        self,
        dut: Dut,
        geometry: Geometry,
        array: Any,
        *,
        attach: str = "strobe",
        timing: Timing | None = None,
        sim: str | None = None,
        seed: int = 1,
        faults: MacroFaults | None = None,
        agent_options: dict[str, Any] | None = None,
        bus: RegisterAccess | None = None,
        macro: Dut | None = None,
        bus_gaps: str = "none",
        push_gaps: str = "none",
        pop_gaps: str = "none",
        limit_cyc: int = 2_000_000,
    ):
        if attach not in ATTACHMENTS:
            raise ValueError(f"unknown attachment {attach!r}: known are {', '.join(ATTACHMENTS)}")
        if bus is not None and attach == "prefetch":
            raise ValueError(
                "attachment 'prefetch' has a shell with a bus of its own: with bus, attach = 'strobe'"
            )
        if bus is not None and bus_gaps != "none":
            raise ValueError(f"bus_gaps = {bus_gaps!r}: with a bus of yours, gaps are its own")
        self.dut, self.geometry, self.array, self.attach = dut, geometry, array, attach
        self._own = bus is None
        self.timing = timing or Timing()
        self.two_state = str(sim or getattr(cocotb, "SIM_NAME", "")).lower() == "verilator"
        self.seed = seed
        self.period_ns = round(self.timing.clock_s * 1e9, 3)
        self.in_reset = True
        self._failure: Exception | None = None
        self._failed = Event()
        self._runs = 0
        self._rst = pin_of(dut, "rst")
        self._edge = RisingEdge(pin_of(dut, "clk").handle)
        if bus is None:
            bus = WishboneMaster(dut, register_map(geometry, self.timing), idle=gaps(bus_gaps, seed))
        self.bus: Any = bus
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
        options = dict(agent_options or {})
        if macro is not None:
            options["inputs"] = macro
        self._macro = dut if macro is None else macro
        if attach == "strobe":
            self.agent = StrobeAgent(self, array, faults, **options)
        elif attach == "prefetch":
            self.agent = PrefetchAgent(self, array, faults, **options)

    # -- tasks beside the test ----------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine) -> None:
        """Run beside the test; what it raises ends the test with that error, at once or through `run`."""

        async def guarded() -> None:
            try:
                await coroutine
            except Exception as error:
                if self._failure is None:
                    self._failure = error
                    self._failed.set()
                if not self._runs:
                    raise  # cocotb ends the test

        cocotb.start_soon(guarded())

    async def run(self, main: Coroutine) -> Any:
        """Run the test's own coroutine; raises what it raises, or what an agent or monitor raised first."""
        box: list[Any] = []

        async def guarded() -> None:
            try:
                box.append((await main, None))
            except Exception as error:
                box.append((None, error))

        self._runs += 1
        task = cocotb.start_soon(guarded())
        try:
            await First(task.complete, self._failed.wait())
        finally:
            self._runs -= 1
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
        """Start the clock (in the simulator, not in Python), hold reset for five cycles, start the agent.

        With a bus of yours: start the agent alone. Your clock runs; call it while you hold your reset. It takes
        six cycles.

        Raises
        ------
        ValueError
            The clock does not run, or not with the period of ``timing``; a pin has not the geometry's width, or
            does not follow what is driven.
        """
        dut = self.dut
        if not self._own:
            await self._join()
            return
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
        """Hold reset for some cycles; the bus is released.

        Raises
        ------
        ValueError
            The reset is yours.
        """
        if not self._own:
            raise ValueError(
                f"{self._path} is reset by your testbench: Env.reset drives no signal of your design"
            )
        self.bus.release()
        self.in_reset = True
        self._rst.set(1)
        for _ in range(cycles):
            await self._edge
        self._rst.set(0)
        await self._edge
        self.in_reset = False

    @property
    def _path(self) -> str:
        return getattr(self.dut, "_path", "the controller")

    async def _join(self) -> None:
        """Take part in a design that somebody else clocks and resets."""
        self._check_widths()
        await self._check_clock()
        if self.agent is not None:
            await self._check_inputs()
            self.agent.start()
        cocotb.start_soon(self._follow_reset())

    async def _follow_reset(self) -> None:
        while True:
            self.in_reset = self._rst.text() != "0"
            await ValueChange(self._rst.handle)

    async def _check_clock(self) -> None:
        try:
            await with_timeout(self._edge, 1000 * self.period_ns, "ns")
            begin_ns = get_sim_time("ns")
            await with_timeout(self._edge, 1000 * self.period_ns, "ns")
        except SimTimeoutError:
            raise ValueError(f"{self._path}.clk does not run: start your clock before env.start()") from None
        found_ns = round(get_sim_time("ns") - begin_ns, 3)
        if abs(found_ns - self.period_ns) > 0.01 * self.period_ns:
            raise ValueError(
                f"the period of {self._path}.clk is {found_ns:g} ns: must be timing.clock_s, {self.period_ns:g} ns"
            )

    def _check_widths(self) -> None:
        for port in MACRO_PINS:
            pins = [pin_of(self.dut, port.name)]
            if port.flow is Flow.IN:
                pins.append(pin_of(self._macro, port.name))
            for pin in pins:
                if pin.width != (wanted := port.width(self.geometry)):
                    raise ValueError(
                        f"{pin.handle._path} has {pin.width} bits: must be {wanted} of {self.geometry}"
                    )

    async def _check_inputs(self) -> None:
        """See that what is driven arrives at the controller: nobody else drives it, no tool has cut it off."""
        pairs = [(pin_of(self._macro, name), pin_of(self.dut, name)) for name in MACRO_INPUTS]
        for bit in "10":
            for driven, seen in pairs:
                driven.set_text(bit * seen.width)
            await self._edge
            await self._edge
            for driven, seen in pairs:
                if (found := seen.text()) != bit * seen.width:
                    raise ValueError(
                        f"{seen.handle._path} is {found} where {bit * seen.width} is driven at "
                        f"{driven.handle._path}: leave the inputs {', '.join(MACRO_INPUTS)} of the controller open, or "
                        "connect them to a module without contents, and name its instance as macro"
                    )

    async def cycles(self, count: int) -> None:
        """Let clock cycles pass, in one step."""
        await Timer(round(count * self.period_ns, 3), "ns")
        await self._edge

    def cycle(self) -> int:
        """Clock cycles since the start of simulated time."""
        return round(get_sim_time("ns") / self.period_ns)
