"""Testbench: images in and results out as AXI4-Streams, registers over AXI4-Lite meanwhile, and all that goes wrong."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from bridgebnn.hdl.machines import stream_machines
from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ReadMode
from bridgebnn.hdl.spec.streams import StreamError
from bridgebnn.model import Array, MacroParams
from bridgebnn.model.flows.inference import load
from bridgebnn.model.mapping.host_words import bus_words
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.networks.network import Network
from bridgebnn.records import Record
from bridgebnn.tb.bus.registers import BusError, Registers
from bridgebnn.tb.checks.coverage import follow
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import HostDriver
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import testbench
from bridgebnn.tb.runs.jobs import Job
from tests.cosim import small, test_maps

from .axi_master import AxiAccess, pauses

Frame = tuple[list[int], list[int]]
"""Words of a frame, and its ``tuser`` word by word."""

GEOMETRIES = {"small": small.GEOMETRY, "bits": small.GEOMETRY, "maps": test_maps.GEOMETRY}


class StreamJob(Job, frozen=True, kw_only=True):
    """``share``: of the cycles in which each channel pauses. ``which``: the network, of `GEOMETRIES`."""

    share: float
    which: str = "small"
    images: int = 8
    parts: tuple[str, ...] = ("lengths", "errors", "host", "resets")
    patience_cyc: int = 20_000
    watched: bool = False
    """States and arcs are counted: on Icarus, which shows the registers inside."""


class StreamReport(Record, frozen=True, kw_only=True):
    """What was sent and compared; ``wrong`` says of the first few what differs."""

    frames: int = 0
    answered: int = 0
    errors: int = 0
    accesses: int = 0
    cycles: int = 0
    wrong: tuple[str, ...] = ()
    hits: dict[str, int] = {}
    """States and arcs of the bridge and of the runner of frames, where the simulator shows them."""


def mapped(which: str) -> tuple[Mapping, np.ndarray]:
    """The network on its geometry, and random images."""
    geometry: Geometry = GEOMETRIES[which]
    network = test_maps.NETWORK if which == "maps" else small.network()
    if which == "bits":  # without the last layer: the one before has bits alone
        network = Network(name="bits", operations=network.operations[:-1])
    mapping = map_network(network, geometry, final_mode=ReadMode.COUNT)
    return mapping, small.vectors(64, network.n_in)


class Streams:
    """Both ends of the streams, the expected frames, and the rules of AXI4-Stream on the output."""

    def __init__(self, dut: Any, job: StreamJob):
        self.dut, self.job = dut, job
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        if job.share:
            self.source.set_pause_generator(pauses(job.seed + 10, job.share))
            self.sink.set_pause_generator(pauses(job.seed + 11, job.share))
        self.mapping, self.images = mapped(job.which)
        self.packed = self.mapping.pack_inputs(self.images)
        golden = forward(self.mapping.network, self.images)
        last = self.mapping.descriptors[-1]
        values, classes = golden.scores, golden.classes
        if not last.score:
            values, classes = np.array([bus_words(bits) for bits in golden.hidden[-1]]), 0 * classes
        self.results = [
            ([*(int(v) & 0xFFFFFFFF for v in row), int(label)], [0] * (len(row) + 1))
            for row, label in zip(values, classes, strict=True)
        ]
        self.next, self.frames, self.answered, self.errors = 0, 0, 0, 0
        self.wrong: list[str] = []
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        """VALID is not withdrawn, and the payload stays, until READY."""
        dut, held = self.dut, None
        names = ("m_axis_tdata", "m_axis_tlast", "m_axis_tuser")
        while True:
            await RisingEdge(dut.clk)
            await ReadOnly()
            valid, payload = str(dut.m_axis_tvalid.value), [str(getattr(dut, n).value) for n in names]
            if str(dut.rst.value) != "0":
                held = None
                continue
            if held is not None and (valid != "1" or payload != held):
                self.note(f"the output fell or changed before it was taken: {held} to {payload}")
            held = payload if valid == "1" and str(dut.m_axis_tready.value) != "1" else None

    def note(self, what: str) -> None:
        self.wrong.append(what)

    def send(self, words: list[int]) -> None:
        self.frames += 1
        self.source.send_nowait(b"".join(int(w).to_bytes(4, "little") for w in words))

    def image(self) -> Frame:
        """Send the next image; its result."""
        index = self.next = (self.next + 1) % len(self.images)
        self.send(list(self.packed[index]))
        return self.results[index]

    async def receive(self) -> Frame:
        frame = await with_timeout(
            self.sink.recv(compact=False), self.job.patience_cyc * 20, "ns"
        )  # SimTimeoutError: it hangs
        self.answered += 1
        words = [int.from_bytes(frame.tdata[i : i + 4], "little") for i in range(0, len(frame.tdata), 4)]
        return words, list(frame.tuser[::4])

    async def expect(self, wanted: Frame, about: str) -> None:
        got = await self.receive()
        self.errors += any(got[1])
        if got != wanted:
            self.note(f"{about}: got {got}, must be {wanted}")


def failed(code: int, detail: int = 0) -> Frame:
    """The error frame of a code."""
    return [code | detail << 8], [1]


async def in_a_row(streams: Streams, count: int) -> None:
    """Images back to back."""
    wanted = [streams.image() for _ in range(count)]
    for number, frame in enumerate(wanted):
        await streams.expect(frame, f"image {number} of {count}")


async def lengths(streams: Streams, geometry: Geometry) -> None:
    """Frames too short and too long, some longer than the bank, among good ones, all under way at once."""
    right, bank = streams.packed.shape[1], geometry.input_words
    wanted: list[tuple[Frame, str]] = []
    for words in (1, right - 1, right + 1, bank, bank + 1, bank + 9):
        if words != right and words:
            streams.send([0x5A5A5A5A] * words)
            wanted.append((failed(StreamError.BAD_FRAME, min(words, bank + 1)), f"{words} words"))
        wanted.append((streams.image(), f"the image after {words} words"))
    for frame, about in wanted:
        await streams.expect(frame, about)


async def aborted(streams: Streams, host: HostDriver, waits: range) -> None:
    """ABORT at any time of an inference: an error frame, or none, and the next image is right."""
    for wait in waits:
        wanted = streams.image()
        await ClockCycles(streams.dut.clk, wait)
        await host.start(Command.ABORT)
        got = await streams.receive()
        streams.errors += any(got[1])
        if got not in (wanted, failed(ErrorCode.ABORTED)):
            streams.note(f"ABORT after {wait} cycles: {got}, must be {wanted} or ABORTED")
        await in_a_row(streams, 1)


async def settings(streams: Streams, host: HostDriver) -> None:
    """A network that INFER refuses: its error, frame by frame, until the host mends it."""
    bus, layers = host.bus, len(streams.mapping.descriptors)
    for count, code in (
        (0, ErrorCode.BAD_SETTING),
        (streams.mapping.geometry.layers + 1, ErrorCode.BAD_SETTING),
    ):
        await bus.write("LAYER_COUNT", count)
        for _ in range(3):
            streams.image()
            got = await streams.receive()
            streams.errors += 1
            if got[1] != [1] or got[0][0] & 0xFF != code:
                streams.note(f"LAYER_COUNT {count}: {got}, must be {code.name}")
    await bus.write("LAYER_COUNT", layers)
    word = await bus.read("DESCRIPTOR", 4 * (layers - 1))
    await bus.write("DESCRIPTOR", word | 0xFF, 4 * (layers - 1))  # no such tile
    for _ in range(3):
        streams.image()
        await streams.expect(failed(ErrorCode.BAD_DESCRIPTOR, layers - 1), "a bad descriptor")
    await bus.write("DESCRIPTOR", word, 4 * (layers - 1))
    await in_a_row(streams, 2)


async def plain_inputs(streams: Streams, host: HostDriver) -> None:
    """A first layer that reads no map any more: frames have its length, one word for each of a row's words."""
    walk = await host.bus.read("WALK", 0)
    reads_map = host.bus.map.window("WALK").layout[0].field("reads_map")
    await host.bus.write("WALK", walk & ~(1 << reads_map.lsb), 0)
    words = streams.mapping.geometry.row_words + 1
    streams.send([0] * words)
    await streams.expect(
        failed(StreamError.BAD_FRAME, words), "a frame of a map where the first layer reads none"
    )
    await host.bus.write("WALK", walk, 0)
    await in_a_row(streams, 1)


async def leftovers(streams: Streams, host: HostDriver) -> None:
    """Inputs and results that the host has left do not mix into frames; a frame waits for the host's command."""
    packed = streams.packed
    await host.bus.write("INFER_COUNT", 1)
    await host.push(packed[0])
    await host.push(packed[1])
    await host.run(Command.INFER)  # its result stays, and the second input
    await in_a_row(streams, 2)
    await host.push(packed[2])
    await host.push(packed[3])  # both banks full: the window is closed
    await in_a_row(streams, 2)
    await host.bus.write("INFER_COUNT", 2)
    await host.start(Command.INFER)  # waits for the host's inputs
    wanted = streams.image()
    await ClockCycles(streams.dut.clk, 300)
    if streams.dut.m_axis_tvalid.value != 0:
        streams.note("a frame did not wait for the host's command")
    await host.start(Command.ABORT)
    await streams.expect(wanted, "the image that waited")


async def taken(streams: Streams, host: HostDriver) -> None:
    """A host that takes a frame's result away: the frame is answered all the same."""
    rng = random.Random(streams.job.seed)
    for _ in range(30):
        streams.image()
        for _ in range(4000):
            await ClockCycles(streams.dut.clk, rng.randrange(1, 8))
            try:
                await host.bus.write("RESULT_POP")
            except BusError:
                if not streams.sink.empty():
                    break
                continue
            break
        got = await streams.receive()
        streams.errors += any(got[1])
        if got == failed(StreamError.NO_RESULT):
            await in_a_row(streams, 1)
            return
    streams.note("no NO_RESULT in 30 frames")


async def accesses(streams: Streams, host: HostDriver, counted: list[int]) -> None:
    """Register accesses and commands of the host all the time: they work, whatever the streams do."""
    rng, held = random.Random(streams.job.seed), 0
    register = host.bus.map.register("ID")
    while True:
        if rng.random() < 0.5:
            held = rng.getrandbits(6)
            await host.bus.write("IRQ_ENABLE", held)
        got = await host.bus.read("IRQ_ENABLE"), await host.bus.read("ID")
        if got != (held, register.reset):
            streams.note(f"registers read {got}, must be {(held, register.reset)}")
        if rng.random() < 0.2:
            with contextlib.suppress(BusError):  # an INFER runs
                await host.start(Command.VERIFY_ROW)
        counted[0] += 1
        await ClockCycles(streams.dut.clk, rng.randrange(8))


async def bring_up(streams: Streams, host: HostDriver) -> None:
    m = streams.mapping
    await host.load_network(m.descriptors, m.thresholds, m.repairs)


async def resets(streams: Streams, host: HostDriver) -> None:
    """A reset at any time: the output falls, nothing of the frame comes later, the next image is right."""
    dut = streams.dut
    for wait in (1, 2, 3, 5, 9, 14, 21, 30, 45, 70, 120, 200):
        streams.image()
        streams.image()
        await ClockCycles(dut.clk, wait)
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        await ReadOnly()
        if str(dut.m_axis_tvalid.value) != "0":
            streams.note(f"m_axis_tvalid in reset after {wait} cycles")
        await RisingEdge(dut.clk)
        streams.source.clear()
        streams.sink.clear()
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 3)
        streams.frames -= 2
        await bring_up(streams, host)
        if not streams.sink.empty():
            streams.note(f"a frame came out of the reset after {wait} cycles")
        await in_a_row(streams, 1)


@testbench(StreamJob)
async def over_streams(dut, job, progress):
    geometry = GEOMETRIES[job.which]
    array = Array(geometry, MacroParams.ideal(), chip=1)
    Clock(dut.clk, 20, "ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)  # without it the masters would see X
    registers = Registers(AxiAccess(dut, seed=job.seed, share=job.share).access, geometry)
    streams = Streams(dut, job)
    env = Env(dut, geometry, array, bus=registers)
    load(streams.mapping, array)
    await env.start()
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    host, counted = env.host, [0]
    hits: Counter[str] = Counter()
    for machine in stream_machines(geometry) if job.watched else ():
        block, state = machine.path.split(".")
        handle = getattr(getattr(dut, block), state)
        cocotb.start_soon(follow(machine, handle, Pin(dut.rst), lambda _, point: hits.update([point])))

    async def main() -> None:
        await bring_up(streams, host)
        task = cocotb.start_soon(accesses(streams, host, counted))
        await in_a_row(streams, job.images)
        task.cancel()
        await ClockCycles(dut.clk, 60)
        parts: dict[str, list[Callable[[], Awaitable[None]]]] = {
            "lengths": [lambda: lengths(streams, geometry)],
            "plain": [lambda: plain_inputs(streams, host)],
            "errors": [
                lambda: settings(streams, host),
                lambda: aborted(streams, host, range(0, 240, 24)),
            ],
            "host": [lambda: leftovers(streams, host), lambda: taken(streams, host)],
            "resets": [lambda: resets(streams, host)],
        }
        for number, part in enumerate(job.parts):
            progress(part, number, len(job.parts))
            for work in parts[part]:
                await work()
        await ClockCycles(dut.clk, 200)
        if not streams.sink.empty():
            streams.note("a frame too many")

    await env.run(main())
    return StreamReport(
        frames=streams.frames,
        answered=streams.answered,
        errors=streams.errors,
        accesses=counted[0],
        cycles=env.cycle(),
        wrong=tuple(streams.wrong[:5]),
        hits=dict(hits),
    )
