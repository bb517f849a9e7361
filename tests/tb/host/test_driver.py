"""The host driver over a bus that is a dictionary: what it writes, how it reads answers, how commands end."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from bridgebnn.hdl.spec import (
    Command,
    Descriptor,
    ErrorCode,
    Geometry,
    ProgOp,
    ProgSide,
    ReadMode,
    Repairs,
    Timing,
)
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.model.mapping.host_words import bits_from_words, bus_words
from bridgebnn.model.mapping.program_log import Failure
from bridgebnn.tb.bus.registers import BusError, NamedRegisters
from bridgebnn.tb.host.driver import CommandError, HostDriver, HostTimeout
from tests.tb.handles import FakeDut, Trigger

GEOMETRY = Geometry(tiles=2, rows=8, inputs=40, bias=2, spare_columns=1, spare_rows=1, log_depth=4)


class Controller(NamedRegisters):
    """Words by address; commands end at once, as ``ends`` says: a code and a detail, or None for never."""

    def __init__(self):
        super().__init__(register_map(GEOMETRY))
        self.words: dict[int, int] = {}
        self.writes: list[tuple[str, int, int]] = []
        self.ends: dict[Command, list[tuple[ErrorCode, int] | None]] = {}
        self.refuse: set[str] = set()

    def put(self, name: str, value: int, word: int = 0) -> None:
        self.words[self._where[name] + 4 * word] = value

    def fill(self, name: str, **fields: int) -> None:
        self.put(name, self.map.register(name).pack(**fields))

    def place(self, address: int) -> tuple[str, int]:
        name = max((n for n, o in self._where.items() if o <= address), key=lambda n: self._where[n])
        return name, (address - self._where[name]) // 4

    async def access(self, address: int, data: int | None = None) -> int:
        name, word = self.place(address)
        if name in self.refuse:
            raise BusError(address, data is not None, name)
        if data is None:
            return self.words.get(address, 0)
        self.writes.append((name, word, data))
        if name == "COMMAND":
            command = Command(self.map.register("COMMAND").unpack(data)["opcode"])
            queue = self.ends.get(command, [])
            ending = queue.pop(0) if queue else (ErrorCode.NONE, 0)
            if ending is None:
                self.fill("STATUS", busy=1)
            else:
                code, detail = ending
                self.fill("STATUS", done=int(not code), error=int(bool(code)))
                self.fill("ERROR", code=int(code), detail=detail)
        return 0

    def of(self, name: str) -> list[int]:
        return [value for written, _, value in self.writes if written == name]


@pytest.fixture
def host(monkeypatch):
    module = "bridgebnn.tb.host.driver."
    monkeypatch.setattr(module + "RisingEdge", lambda handle: Trigger("rise", handle))
    monkeypatch.setattr(module + "get_sim_time", lambda unit: 0.0)
    dut = FakeDut(clk=1, irq=1)
    dut.put(irq=1)
    return HostDriver(Controller(), dut, GEOMETRY)


def run(coroutine):
    return asyncio.run(coroutine)


def test_words_there_and_back():
    bits = np.random.default_rng(0).integers(0, 2, 71)
    packed = bus_words(bits)
    assert len(packed) == 3
    assert packed[0] & 1 == bits[0]
    assert packed[2] >> 6 & 1 == bits[70]
    assert bits_from_words(packed, 71).tolist() == bits.tolist()


def test_a_command_ends_in_done_or_in_its_error(host):
    run(host.run(Command.CLEAR_LOG))
    assert host.bus.of("COMMAND") == [int(Command.CLEAR_LOG)]
    host.bus.ends[Command.VERIFY_ROW] = [(ErrorCode.NOT_CONVERGED, 7), None]
    with pytest.raises(CommandError, match=r"VERIFY_ROW ended in NOT_CONVERGED \(detail 7\)") as caught:
        run(host.run(Command.VERIFY_ROW))
    assert (caught.value.code, caught.value.detail) == (ErrorCode.NOT_CONVERGED, 7)
    with pytest.raises(HostTimeout, match="VERIFY_ROW: irq, yet neither done nor error"):
        run(host.run(Command.VERIFY_ROW))
    host.bus.refuse.add("COMMAND")
    with pytest.raises(BusError, match="write to COMMAND"):
        run(host.run(Command.READ_ROW))


def test_unlock_writes_both_keys_in_a_row(host):
    run(host.unlock())
    assert host.bus.writes == [("UNLOCK", 0, 0x554E4C4B), ("UNLOCK", 0, 0x50524F47)]


def test_every_timing_register_is_written(host):
    timing = Timing(precharge_cyc=9, verify_margin=11, max_parallel=5)
    run(host.load_timing(timing))
    written = {name: value for name, _, value in host.bus.writes}
    registers = register_map(GEOMETRY, timing)
    assert registers.register("TIMING_READ").unpack(written["TIMING_READ"])["precharge_cyc"] == 9
    assert written["VERIFY_MARGIN"] == 11
    assert written["MAX_PARALLEL"] == 5
    assert {f"{op.name}_{part}" for op in ProgOp for part in ("PULSE", "PROG", "WL")} <= set(written)


class Cells:
    """Four rows; all but the third have one mask."""

    def __init__(self):
        rng = np.random.default_rng(1)
        shape = (GEOMETRY.tiles, GEOMETRY.rows, GEOMETRY.columns)
        self.images, self.masks = rng.integers(0, 2, shape), np.zeros(shape, bool)
        self.masks[0, 1, :30] = self.masks[0, 2, :30] = self.masks[1, 6, :30] = True
        self.masks[1, 5, 3:9] = True

    def program_order(self):
        yield from map(tuple, np.argwhere(self.masks.any(axis=2)).tolist())


def test_programming_rows(host):
    cells, bus, seen = Cells(), host.bus, []
    for name, value in (("PROG_PULSES", 30), ("PROG_VERIFIES", 20), ("PROG_FAILURES", 0)):
        bus.put(name, value)
    counters, log = run(host.program(cells, lambda *at: seen.append(at)))
    assert counters == {"pulses": 30, "verify_reads": 20, "failures": 0, "failed_rows": 0}
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    places = [bus.map.register("PROG_ADDRESS").unpack(value) for value in bus.of("PROG_ADDRESS")]
    assert [(place["tile"], place["row"]) for place in places] == [(0, 1), (0, 2), (1, 5), (1, 6)]
    rows = [cells.images[place] for place in cells.program_order()]
    assert bus.of("ROW_IMAGE") == [word for row in rows for word in bus_words(row)]
    loaded = [
        cells.masks[place] for place in ((0, 1), (1, 5), (1, 6))
    ]  # the second row has the mask of the first
    assert bus.of("ROW_MASK") == [word for mask in loaded for word in bus_words(mask)]
    assert np.array_equal(log.asked, cells.masks)
    assert [name for name, _, _ in bus.writes][:2] == ["UNLOCK", "UNLOCK"]


def test_only_the_rows_asked_for(host):
    cells = Cells()
    rows = np.zeros((GEOMETRY.tiles, GEOMETRY.rows), bool)
    rows[1, 5] = True
    _, log = run(host.program(cells, rows=rows))
    assert len(host.bus.of("PROG_ADDRESS")) == 1
    assert np.argwhere(log.asked.any(axis=2)).tolist() == [[1, 5]]


def test_failures_are_logged_and_everything_else_raises(host):
    bus = host.bus
    bus.ends[Command.PROGRAM_ROW] = [(ErrorCode.NOT_CONVERGED, 2), (ErrorCode.READBACK_MISMATCH, 17)]
    bus.fill("LOG_STATUS", count=2)
    for entry, (row, column, side, op) in enumerate(((1, 39, 1, 2), (7, 1, 0, 1))):
        bus.put("FAIL_LOG", column | row << 13 | side << 25 | op << 26 | 1 << 31, 2 * entry)
        bus.put("FAIL_LOG", 1, 2 * entry + 1)
    bus.put("PROG_FAILURES", 2)
    counters, log = run(host.program(Cells()))
    assert log.failures == [
        Failure(1, 1, 39, ProgSide.N, ProgOp(2)),
        Failure(1, 7, 1, ProgSide.P, ProgOp(1)),
    ]
    assert (log.counts, log.mismatches) == ({(0, 1): 2}, [(0, 2, 17)])
    assert counters["failed_rows"] == 2
    assert bus.of("COMMAND").count(int(Command.CLEAR_LOG)) == 2
    bus.ends[Command.PROGRAM_ROW] = [(ErrorCode.RAILS_TIMEOUT, 0)]
    with pytest.raises(CommandError, match="RAILS_TIMEOUT"):
        run(host.program(Cells()))


def test_a_network_and_its_spares(host):
    layer = Descriptor(row_count=3, cols=40, cols_last=40, mode=ReadMode.SIGN, use_threshold=True)
    repairs = Repairs(columns=((1, 0, 4),), rows=((0, 2),))
    run(host.load_network([layer], np.array([-1, 5, -300], np.int16), repairs))
    bus = host.bus
    assert bus.of("DESCRIPTOR") == layer.words()
    assert bus.of("THRESHOLD") == [0xFFFF, 5, 0x10000 - 300]
    assert bus.of("REPAIR_COLUMN") == repairs.column_words(GEOMETRY)
    assert bus.of("REPAIR_ROW") == repairs.row_words(GEOMETRY)
    assert bus.of("LAYER_COUNT") == [1]


def test_a_result(host):
    bus = host.bus
    for word, score in enumerate((-3, 70000, 0)):
        bus.put("SCORES", score & 0xFFFFFFFF, word)
    bus.put("RESULT_BITS", 0b101)
    bus.put("RESULT_INDEX", 12)
    bus.fill("RESULT_CLASS", **{"class": 1})
    last = Descriptor(row_count=3, cols=4, cols_last=4, mode=ReadMode.COUNT, score=True)
    result = run(host.pop(last))
    assert (result.index, result.label, result.scores.tolist()) == (12, 1, [-3, 70000, 0])
    assert result.bits.tolist() == [1, 0, 1]
    assert bus.writes == [("RESULT_POP", 0, 0)]
