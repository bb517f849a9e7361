"""The monitor of energies on made-up pins: it counts what was seen, and refuses what its layers do not explain."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.tb.checks import energy
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=2, rows=24, inputs=23, bias=2, thresholds=64, count_width=8)


@pytest.fixture
def seen(monkeypatch):
    """(Events of the model, a monitor that saw the same images in pieces of 4 visits, its array)."""
    monkeypatch.setattr(energy, "_KEPT", 4)
    rng = np.random.default_rng(1)
    mapping = map_network(random_network(rng, [40, 9, 5], spread=3), GEOMETRY)
    images = rng.integers(0, 2, (5, 40))
    alone, array = (Array(GEOMETRY, MacroParams.real(), 1) for _ in range(2))
    for chip in (alone, array):
        inference.load(mapping, chip)
    ledger = ReadLedger(alone, mapping.programs, Timing())
    inference.run(mapping, alone, images, ledger=ledger)
    array.reads += 3  # read before
    monitor = energy.EnergyMonitor(ReadLedger(array, mapping.programs, Timing()), register_map(GEOMETRY))
    for image in images:
        given = {None: image[None]}
        for number, program in enumerate(mapping.programs):
            bits = given[program.source]
            monitor.visited(number, [read.column_data(bits)[0].astype(np.uint8) for read in program.reads])
            answers = [array.read(read, read.column_data(bits)) for read in program.reads]
            given[program.operation] = (program.combined(answers) >= 0).astype(np.uint8)
    expected = inference_events(ledger, mapping, 5)
    registers = register_map(GEOMETRY)
    for name, count, write in (
        ("INPUT", 2, True),
        ("INPUT_PUSH", 1, True),
        ("SCORES", 5, False),
        ("RESULT_BITS", 1, False),
        ("RESULT_INDEX", 1, False),
        ("RESULT_CLASS", 1, False),
        ("RESULT_POP", 1, True),
    ):
        for _ in range(5):
            for word in range(count):
                monitor.accessed(registers.address(name, word), write)
    monitor.accessed(registers.address("STATUS"), False)
    return expected, monitor, array


def test_what_is_seen_in_pieces_is_what_the_model_counts(seen):
    expected, monitor, _ = seen
    assert monitor.close(read_cycles=expected.read_cycles, cycles=expected.cycles) == expected
    assert monitor.polls == 1


def test_an_evaluation_that_no_layer_explains_is_refused(seen):
    expected, monitor, array = seen
    array.reads[1, 7] += 1
    with pytest.raises(
        AssertionError, match=r"tile 1, row 7 was evaluated \d+ times, its layer explains \d+"
    ):
        monitor.close(read_cycles=expected.read_cycles, cycles=expected.cycles)


def test_other_column_data_are_other_events(seen):
    expected, monitor, _ = seen
    layer, data = monitor._order[-1], monitor._data
    data[layer][-1][0][:] ^= 1
    found = monitor.close(read_cycles=expected.read_cycles, cycles=expected.cycles)
    assert found != expected
