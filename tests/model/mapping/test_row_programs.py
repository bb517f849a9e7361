"""Row programs: what they say is what the descriptor table and the cells mean, with and without spares."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Repairs
from bridgebnn.model.mapping.lowering import lower
from bridgebnn.model.mapping.mapping import MappingError, map_network
from bridgebnn.model.mapping.row_programs import digital_rows, first_rows
from bridgebnn.model.networks import golden
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=3, rows=70, inputs=48, bias=6, spare_columns=3, spare_rows=4)
REPAIRS = Repairs(columns=((0, 0, 5), (0, 2, 50), (1, 1, 0), (2, 0, 47)), rows=((0, 0), (1, 33), (3, 2)))


def interpret(mapping, images):
    """Run the programs over the cells in plain integers: nothing but ``programs`` and ``images`` is looked at."""
    given, scores = {None: images}, None
    for program in mapping.programs:
        bits, answers = given[program.source], []
        for read in program.reads:
            assert np.array_equal(read.rows, program.rows)
            assert read.mode is program.mode
            data = read.column_data(bits)
            cells = mapping.images[read.tile][read.rows]
            assert mapping.masks[read.tile][read.rows][:, read.col_en].all()
            popcount = ((data[:, None, :] == cells[None]) & read.col_en).sum(2)
            decided = 2 * popcount - read.enabled + 2 * read.refs >= 0
            answers.append(decided if read.mode is ReadMode.SIGN else popcount)
        scores = program.combined(answers)
        given[program.operation] = (scores >= 0).astype(np.uint8)
    return given, scores


@pytest.mark.parametrize("repairs", [Repairs(), REPAIRS], ids=["plain", "repaired"])
@pytest.mark.parametrize("combine", list(Combine))
@pytest.mark.parametrize("final_mode", [ReadMode.COUNT, ReadMode.SEARCH])
def test_programs_compute_the_network(repairs, combine, final_mode):
    rng = np.random.default_rng(5)
    network = random_network(rng, (130, 30, 25, 10), spread=4)
    mapping = map_network(network, GEOMETRY, combine=combine, final_mode=final_mode, repairs=repairs)
    images = rng.integers(0, 2, (40, 130)).astype(np.uint8)
    given, scores = interpret(mapping, images)
    expected = golden.forward(mapping.network, images)
    for operation, bits in enumerate(expected.hidden):
        assert np.array_equal(given[operation], bits)
    assert np.array_equal(scores, expected.scores)
    assert [program.source for program in mapping.programs] == [None, 0, 1]
    assert [program.output for program in mapping.programs] == ["sign", "sign", "score"]


def test_inputs_and_bias_stand_where_the_spares_carry_them():
    mapping = map_network(random_network(np.random.default_rng(1), (130, 10)), GEOMETRY, repairs=REPAIRS)
    (program,) = mapping.programs
    first = program.reads[0]
    assert (first.inputs, first.columns[5], first.columns[6]) == (slice(0, 44), 54, 6)
    assert not first.col_en[5]
    one_hot = np.eye(130, dtype=np.uint8)
    for read in program.reads:
        inputs = read.column_data(one_hot)
        for bit, column in enumerate(read.columns):
            seen = inputs[read.inputs.start + bit]
            assert seen[column]
            assert np.flatnonzero(seen & read.col_en).tolist() == sorted([column, *read.bias])
        assert read.column_data(np.zeros((1, 130), np.uint8))[0][read.bias].all()
    # the column that is replaced, off, keeps the data of its line
    assert first.column_data(one_hot[5:6])[0, 5]


def test_runs_are_the_rows_in_order():
    mapping = map_network(random_network(np.random.default_rng(1), (40, 40, 10)), GEOMETRY, repairs=REPAIRS)
    for program in mapping.programs:
        for read in program.reads:
            lines = np.concatenate([np.arange(70)[rows] for rows, _ in read.runs])
            places = np.concatenate([np.arange(len(read.rows))[at] for _, at in read.runs])
            assert np.array_equal(lines, read.rows)
            assert np.array_equal(places, np.arange(len(read.rows)))
    first = mapping.programs[0]
    assert first.rows[0] == 66  # plain row 0 is carried by the first spare
    assert len(first.reads[0].runs) == 6


def test_what_agents_and_monitors_ask():
    network = random_network(np.random.default_rng(2), (40, 20, 10), spread=4)
    mapping = map_network(network, GEOMETRY, final_mode=ReadMode.COUNT)
    sign, score = mapping.programs
    assert first_rows(mapping.programs) == {sign.first: 0, score.first: 1}
    assert digital_rows(mapping.programs) == {(score.reads[0].tile, row) for row in score.rows.tolist()}
    assert mapping.comparisons == 1
    searched = map_network(network, GEOMETRY, final_mode=ReadMode.SEARCH)
    assert digital_rows(searched.programs) == set()
    enabled = searched.programs[1].reads[0].enabled
    assert searched.comparisons == searched.programs[1].comparisons == int(np.ceil(np.log2(enabled + 1))) > 1


def test_a_kind_that_no_chip_does_is_refused():
    class Other:
        kind, n_in, n_out, output = "conv", 4, 4, "sign"

    with pytest.raises(
        MappingError, match="operation 2: kind = 'conv': a chip does dense operations and convolutions only"
    ):
        lower(Other(), 2, GEOMETRY, Combine.ADD, ReadMode.COUNT)
