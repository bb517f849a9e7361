"""Monitors on stand-ins for handles: what they see, and what they refuse."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ReadMode, Repairs
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.tb.bus.wishbone import WishboneMonitor
from bridgebnn.tb.checks.monitors import LayerMonitor, ResultMonitor
from tests.model.reference import random_network
from tests.tb.handles import FakeDut, Trigger, step

GEOMETRY = Geometry(tiles=2, rows=40, inputs=20, bias=2, spare_columns=1, spare_rows=2)
REPAIRS = Repairs(columns=((0, 0, 3), (1, 0, 21)), rows=((0, 0),))


class Rows:
    """Who tells of evaluations."""

    def watch_rows(self, rows, listener):
        self.rows, self.listener = set(rows), listener


def bench(final_mode=ReadMode.COUNT):
    rng = np.random.default_rng(1)
    network = random_network(rng, [33, 9, 5], spread=3)
    mapping = map_network(network, GEOMETRY, final_mode=final_mode, repairs=REPAIRS)
    width = GEOMETRY.tiles * GEOMETRY.columns
    dut, rows, seen = FakeDut(bl=width, col_en=width), Rows(), []
    LayerMonitor(dut, rows, mapping, lambda layer, bits: seen.append((layer, bits.tolist()))).start()
    return mapping, dut, rows, seen


def drive(dut, program, bits):
    """Column pins as a controller would set them for a program's inputs."""
    bl = np.zeros((GEOMETRY.tiles, GEOMETRY.columns), bool)
    en = bl.copy()
    for read in program.reads:
        bl[read.tile], en[read.tile] = read.column_data(bits[None])[0], read.col_en
    bl ^= ~en  # what stands on columns that are off is nobody's business
    dut.put(bl=bl.ravel(), col_en=en.ravel())
    return bl, en


def test_a_layer_is_seen_with_its_inputs():
    mapping, dut, rows, seen = bench()
    assert rows.rows == {program.first for program in mapping.programs}
    rng = np.random.default_rng(2)
    expected = []
    for _ in range(3):
        for number, program in enumerate(mapping.programs):
            bits = rng.integers(0, 2, program.n_in)
            drive(dut, program, bits)
            rows.listener(*program.first)
            expected.append((number, bits.tolist()))
    assert seen == expected


def test_a_search_is_seen_once():
    mapping, dut, rows, seen = bench(ReadMode.SEARCH)
    program = mapping.programs[1]
    assert program.comparisons > 1
    bits = np.ones(program.n_in, int)
    drive(dut, program, bits)
    for _ in range(2 * program.comparisons):
        rows.listener(*program.first)
    assert seen == [(1, bits.tolist())] * 2


def test_columns_that_are_enabled_wrongly_and_bias_at_0():
    mapping, dut, rows, seen = bench()
    program = mapping.programs[0]
    bits = np.zeros(program.n_in, int)
    bl, en = drive(dut, program, bits)
    for column in (0, 3, 22):
        wrong = en.copy()
        wrong[1, column] ^= True
        dut.put(col_en=wrong.ravel())
        with pytest.raises(AssertionError, match=f"layer 0, tile 1: column {column} is enabled wrongly"):
            rows.listener(*program.first)
    dut.put(col_en=en.ravel())
    dark = bl.copy()
    dark[1, program.reads[1].bias[0]] = False
    dut.put(bl=dark.ravel())
    with pytest.raises(AssertionError, match="layer 0, tile 1: an enabled bias column is 0"):
        rows.listener(*program.first)
    dut.put(bl="x" * bl.size)
    with pytest.raises(ValueError, match="X or Z"):
        rows.listener(*program.first)
    assert seen == []


def test_results_from_accesses():
    registers, seen = register_map(GEOMETRY), []
    monitor = ResultMonitor(registers, seen.append, outputs=5)
    at = {item.name: item.offset for item in (*registers.registers, *registers.windows)}

    def result(index, label, scores, bits):
        for word, score in enumerate(scores):
            monitor.accessed(at["SCORES"] + 4 * word, False, score & 0xFFFFFFFF)
        monitor.accessed(at["RESULT_BITS"], False, bits)
        monitor.accessed(at["STATUS"], False, 0xFFFF)  # of no result
        monitor.accessed(at["RESULT_INDEX"], False, index)
        monitor.accessed(at["RESULT_CLASS"], False, label)
        monitor.accessed(at["RESULT_POP"], False, 0)  # a read frees nothing
        monitor.accessed(at["RESULT_POP"], True, 0)

    result(0, 4, [-3, 7, 0, -1, 9], 0b10110)
    result(1, 2, [], 0b00001)
    monitor.accessed(at["RESULT_POP"], True, 0)
    first, second, empty = seen
    assert (first.index, first.label, first.scores.tolist()) == (0, 4, [-3, 7, 0, -1, 9])
    assert first.bits.tolist() == [0, 1, 1, 0, 1]
    assert (second.index, second.label, second.scores.size, second.bits.tolist()) == (
        1,
        2,
        0,
        [1, 0, 0, 0, 0],
    )
    assert (empty.index, empty.label, empty.scores.size, empty.bits.size) == (-1, -1, 0, 0)


def test_the_bus_monitor(monkeypatch):
    monkeypatch.setattr("bridgebnn.tb.bus.wishbone.RisingEdge", lambda handle: Trigger("rise", handle))
    monkeypatch.setattr("bridgebnn.tb.bus.wishbone.ReadWrite", lambda: Trigger("settled"))
    dut = FakeDut(wb_ack=1, wb_we=1, wb_adr=15, wb_dat_w=32, wb_dat_r=32)
    seen = []
    watch = WishboneMonitor(dut, lambda *access: seen.append(access)).run()
    assert step(watch) == "rise(wb_ack)"
    for write, address, data in ((0, 0x1234, 7), (1, 0x10, 0x80000001)):
        assert step(watch) == "settled(None)"
        dut.put(wb_we=write, wb_adr=address, **{"wb_dat_w" if write else "wb_dat_r": data})
        assert step(watch) == "rise(wb_ack)"
    assert seen == [(4 * 0x1234, False, 7), (0x40, True, 0x80000001)]
    watch.close()
