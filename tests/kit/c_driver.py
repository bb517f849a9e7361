"""Testbench: the kit's C driver, compiled, over the bus of the controller with a macro on its pins."""

from __future__ import annotations

import ctypes

import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model import Array, MacroParams
from bridgebnn.records import Record
from bridgebnn.tb.bus.registers import BusError, Registers
from bridgebnn.tb.env import Env
from bridgebnn.tb.runs.job import testbench
from bridgebnn.tb.runs.jobs import Job
from tests.cosim.axi_master import AxiAccess

WORD = ctypes.c_uint32
WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, WORD, WORD)
READ = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, WORD, ctypes.POINTER(WORD))


class DriverJob(Job, frozen=True, kw_only=True):
    """The compiled driver with its network, and input vectors; ``macro``: ideal or real, of ``chip``."""

    library: str
    name: str
    geometry: dict[str, int]
    vectors: tuple[tuple[int, ...], ...]
    outputs: int
    macro: str = "ideal"
    chip: int = 1
    axi: bool = False


class DriverReport(Record, frozen=True, kw_only=True):
    """What the functions returned, and what was read."""

    codes: dict[str, int]
    text: str
    device_error: int
    failed: int
    labels: tuple[int, ...]
    indices: tuple[int, ...]
    scores: tuple[int, ...]
    read_back: tuple[int, ...]
    first_image: tuple[int, ...]


class Device(ctypes.Structure):
    """``bridgebnn_device``."""

    _fields_ = [("write", WRITE), ("read", READ), ("context", ctypes.c_void_p), ("patience", WORD)]
    _fields_ += [
        (n, WORD) for n in ("tiles", "rows", "columns", "layers", "scores", "spare", "error", "detail")
    ]


class Network(ctypes.Structure):
    """The first fields of ``bridgebnn_network``."""

    _fields_ = [(n, WORD) for n in ("tiles", "rows", "columns", "spare", "row_count")]
    _fields_ += [
        ("order", ctypes.c_void_p),
        ("images", ctypes.POINTER(WORD)),
        ("masks", ctypes.POINTER(WORD)),
    ]


@testbench(DriverJob)
async def over_the_bus(dut, job, progress):
    geometry = Geometry(**job.geometry)
    array = Array(geometry, MacroParams.named(job.macro), chip=job.chip)
    if job.axi:
        Clock(dut.clk, 20, "ns").start()
        dut.rst.value = 1
        await ClockCycles(dut.clk, 3)
        env = Env(dut, geometry, array, bus=Registers(AxiAccess(dut, share=0.2).access, geometry))
    else:
        env = Env(dut, geometry, array)
    library = ctypes.CDLL(job.library)
    library.bridgebnn_text.restype = ctypes.c_char_p

    @resume
    async def access(address: int, data: int | None) -> int | None:
        try:
            return await env.bus.access(address, data)
        except BusError:
            return None

    def put(_: int, address: int, data: int) -> int:
        return int(access(address, data) is None)

    def get(_: int, address: int, data) -> int:
        word = access(address, None)
        if word is None:
            return 1
        data[0] = word
        return 0

    write, read = WRITE(put), READ(get)
    device, codes = Device(), {}
    network = Network.in_dll(library, f"{job.name}_network")
    vectors = np.array(job.vectors, np.uint32)
    results = (WORD * (2 * len(vectors)))()
    scores = (ctypes.c_int32 * (len(vectors) * job.outputs))()
    words, failed = geometry.row_words, WORD()
    row = (WORD * words)()

    @bridge
    def firmware() -> None:
        here = ctypes.byref(device)
        codes["open"] = library.bridgebnn_open(here, write, read, None, 1_000_000)
        codes["locked"] = library.bridgebnn_program_row(here, 0, 0, network.images, network.masks)
        codes["program"] = library.bridgebnn_program(here, ctypes.byref(network), ctypes.byref(failed))
        codes["relock"] = library.bridgebnn_relock(here)
        codes["verify"] = library.bridgebnn_verify_row(here, 0, 0, network.images, network.masks)
        codes["read"] = library.bridgebnn_read_row(here, 0, 0, row)
        codes["load"] = library.bridgebnn_load(here, ctypes.byref(network))
        flat = vectors.ctypes.data_as(ctypes.POINTER(WORD))
        codes["infer"] = library.bridgebnn_infer(
            here, ctypes.byref(network), flat, len(vectors), results, scores
        )
        codes["outside"] = library.bridgebnn_read_row(here, 0, geometry.rows, row)
        higher = Network(tiles=network.tiles, rows=network.rows + 1, columns=network.columns)
        codes["unfit"] = library.bridgebnn_load(here, ctypes.byref(higher))

    async def stimulus() -> None:
        if job.axi:
            await ClockCycles(dut.clk, 3)
            dut.rst.value = 0
        await env.start()
        await firmware()

    await env.run(stimulus())
    masks, images = (np.array(getattr(network, n)[:words]) for n in ("masks", "images"))
    return DriverReport(
        codes=codes,
        text=library.bridgebnn_text(codes["outside"]).decode(),
        device_error=device.error,
        failed=failed.value,
        labels=tuple(results[1::2]),
        indices=tuple(results[0::2]),
        scores=tuple(scores),
        read_back=tuple((np.array(row[:]) & masks).tolist()),
        first_image=tuple((images & masks).tolist()),
    )
