"""Row reads and their evaluators: the array and every circuit of the studies answer alike where they must."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ReadMode
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.flows import inference
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.circuits import Circuit, Sample, Setting
from bridgebnn.model.studies.current_mode import CurrentParams
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=2, rows=64, inputs=60, bias=6)
IDEAL = Setting(
    spread=0.0,
    macro=MacroParams.ideal(),
    current=CurrentParams(r_row_ohm=0.0, r_column_ohm=0.0, read_noise=0.0),
)


def case(final_mode=ReadMode.COUNT):
    rng = np.random.default_rng(8)
    mapping = map_network(random_network(rng, [100, 30, 20, 10], spread=5), GEOMETRY, final_mode=final_mode)
    return mapping, rng.integers(0, 2, (30, 100)).astype(np.uint8)


def evaluators(mapping):
    array = Array(GEOMETRY, MacroParams.ideal(), 0)
    inference.load(mapping, array)
    sample = Sample(mapping, IDEAL, 0)
    return {"array": array} | {circuit.value: sample.evaluator(circuit) for circuit in Circuit}


@pytest.mark.parametrize("final_mode", [ReadMode.COUNT, ReadMode.SEARCH])
@pytest.mark.parametrize("name", ["array", *(circuit.value for circuit in Circuit)])
def test_every_evaluator_reads_the_mapped_cells(name, final_mode):
    """Shapes, types and values of each row read of an ideal chip against the cells themselves."""
    mapping, images = case(final_mode)
    evaluator = evaluators(mapping)[name]
    analog = name in ("no buffer", "conventional")
    given = {None: images} | dict(enumerate(forward(mapping.network, images).hidden))
    for program in mapping.programs:
        for read in program.reads:
            inputs = read.column_data(given[program.source])
            cells = mapping.images[read.tile][read.rows]
            popcount = ((inputs[:, None, :] == cells[None]) & read.col_en).sum(2)
            found = evaluator.read(read, inputs)
            if read.mode is ReadMode.SIGN:
                assert found.dtype == bool
                if name != "no buffer":  # whose bits are levels between 0 and 1
                    assert np.array_equal(found, 2 * (popcount + read.refs) >= read.enabled)
            elif analog:
                assert found.dtype == np.float64
                assert np.abs(found - popcount).max() < 5
            else:
                assert found.dtype.kind == "i"
                assert np.array_equal(found, popcount)


def test_the_array_counts_its_reads():
    mapping, _ = case(ReadMode.SEARCH)
    array = evaluators(mapping)["array"]
    for program in mapping.programs:
        for read in program.reads:
            before = array.reads.copy()
            array.read(read, np.zeros((7, GEOMETRY.columns), bool))
            gone = array.reads - before
            assert (gone[read.tile, read.rows] == 7 * read.comparisons).all()
            assert gone.sum() == 7 * read.comparisons * len(read.rows)


def test_a_study_knows_only_the_rows_that_it_drew():
    mapping, _ = case()
    first = mapping.programs[0].reads[0]
    other = dataclasses.replace(first, rows=first.rows + 1)
    with pytest.raises(ValueError, match="tile 0, row 1: no program of the mapping begins there"):
        Sample(mapping, IDEAL, 0).evaluator(Circuit.BRIDGE).read(other, np.zeros((1, GEOMETRY.columns), bool))


def test_runs_of_word_lines():
    read = RowRead(
        tile=1,
        rows=np.array([8, 0, 1, 2, 9, 10, 4]),
        col_en=np.array([True, False, True]),
        mode=ReadMode.SEARCH,
        refs=np.zeros(7, int),
    )
    assert read.runs == [
        (slice(8, 9), slice(0, 1)),
        (slice(0, 3), slice(1, 4)),
        (slice(9, 11), slice(4, 6)),
        (slice(4, 5), slice(6, 7)),
    ]
    assert (read.enabled, read.comparisons, read.first) == (2, 2, (1, 8))
