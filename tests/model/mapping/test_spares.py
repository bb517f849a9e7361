"""Broken lines found in the log, spares assigned, networks that run on them, and what is refused."""

from collections import Counter

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ProgOp, ProgSide, ReadMode, Repairs, Timing
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.programming import program
from bridgebnn.model.flows.repair import program_repaired
from bridgebnn.model.macro.broken_lines import FaultyArray, LineFault
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.mapping.program_log import Failure, ProgramLog
from bridgebnn.model.mapping.spares import (
    BrokenLines,
    RepairError,
    assign,
    relocate,
    to_plain,
)
from bridgebnn.model.networks import golden
from bridgebnn.model.parameters.params import MacroParams
from tests.model.reference import random_network

GEOMETRY = Geometry(
    tiles=3,
    rows=68,
    inputs=48,
    bias=6,
    thresholds=200,
    scores=16,
    log_depth=16,
    spare_columns=3,
    spare_rows=4,
)
P, N = ProgSide.P, ProgSide.N


def program_and_repair(network, lines, *, chip=5, macro="real", **options):
    """A chip with broken lines, programmed and repaired."""
    array = FaultyArray(GEOMETRY, MacroParams.named(macro), chip, lines=[LineFault.parse(t) for t in lines])
    found, reports = program_repaired(array, network, Timing(), **options)
    assert len(reports) > 1
    return array, found


LINES = {
    "word": ["word_open:0:7"],
    "words": ["word_open:0:7", "word_open:1:0", "word_open:2:9:1"],
    "bit": ["bit_open:1:5:P", "bit_open:1:47:N", "bit_open:2:50:P"],  # 50: a bias column
    "stuck": ["source_stuck:0:3:1", "source_stuck:0:30:0", "source_stuck:2:0:1"],
    "short": ["source_short:0:11+12:1"],
    "spares": ["word_open:0:3", "word_open:1:64", "bit_open:0:5:N", "bit_open:0:54:P", "source_stuck:0:55:1"],
}


@pytest.mark.parametrize("macro", ["ideal", "real"])
@pytest.mark.parametrize("kind", LINES)
def test_a_network_runs_around_broken_lines(kind, macro):
    rng = np.random.default_rng(list(LINES).index(kind))
    network = random_network(rng, (48, 40, 20, 10), spread=4)
    images = rng.integers(0, 2, (40, 48)).astype(np.uint8)
    array, found = program_and_repair(network, LINES[kind], macro=macro)
    assert found.mapping.repairs
    assert not found.wrong
    expected = golden.forward(network, images)
    result = inference.run(found.mapping, array, images)
    single = inference.run_row_by_row(found.mapping, array, images[:4])
    if macro == "ideal":
        np.testing.assert_array_equal(result.scores, expected.scores)
        np.testing.assert_array_equal(single.scores, expected.scores[:4])
    else:
        assert np.mean(result.classes == expected.classes) > 0.9
    # without the spares the same chip answers wrongly: the lines do break it
    plain = map_network(network, GEOMETRY)
    program(array, plain.images, plain.masks, Timing())
    broken = inference.run_row_by_row(plain, array, images[:8])
    assert (broken.scores != expected.scores[:8]).any()


@pytest.mark.parametrize("combine", list(Combine))
@pytest.mark.parametrize("final_mode", [ReadMode.COUNT, ReadMode.SEARCH])
def test_layers_of_several_tiles(combine, final_mode):
    rng = np.random.default_rng(9)
    network = random_network(rng, (90, 30, 10), spread=4)
    images = rng.integers(0, 2, (20, 90)).astype(np.uint8)
    options = {"combine": combine, "final_mode": final_mode}
    lines = ["word_open:1:4", "word_open:0:9", "bit_open:1:2:P", "bit_open:0:44:P"]
    array, found = program_and_repair(network, lines, macro="ideal", **options)
    expected = golden.forward(map_network(network, GEOMETRY, **options).network, images)
    for run in (inference.run, inference.run_row_by_row):
        np.testing.assert_array_equal(run(found.mapping, array, images).scores, expected.scores)


def test_too_few_spares_are_refused_by_name():
    network = random_network(np.random.default_rng(1), (48, 40, 20, 10), spread=4)
    lines = [f"bit_open:1:{column}:P" for column in (2, 5, 8, 30)]
    with pytest.raises(RepairError, match=r"^tile 1: columns 2, 5, 8, 30 are broken, 3 sound spares left$"):
        program_and_repair(network, lines)
    rows = [f"word_open:0:{row}" for row in (1, 2, 3, 10)] + ["word_open:0:65"]
    with pytest.raises(RepairError, match=r"^rows 1, 2, 3, 10 are broken, 3 sound spares left$"):
        program_and_repair(network, rows)


def test_scattered_failures_are_no_lines():
    """One stuck device in a thousand, fifty times the model's default."""
    rng = np.random.default_rng(4)
    asked = np.zeros((3, 68, 54), bool)
    asked[:, :60, :48] = True
    cells = np.argwhere(asked & (rng.random(asked.shape) < 1e-3))
    failures = [Failure(*map(int, cell), P, ProgOp.SET) for cell in cells]
    log = ProgramLog(asked=asked, failures=failures, counts=Counter(f[:2] for f in failures))
    assert len(failures) > 5
    assert BrokenLines.of(log) == BrokenLines(columns=(), rows=())


def test_what_a_broken_line_looks_like():
    asked = np.zeros((1, 40, 20), bool)
    asked[0, :30, :15] = True
    column = [Failure(0, row, 4, P, ProgOp.FORM) for row in range(6)]  # 6 of 30: a fifth
    assert BrokenLines.of(ProgramLog(asked=asked, failures=column)).columns == ((0, 4),)
    assert BrokenLines.of(ProgramLog(asked=asked, failures=column[:5])).columns == ()
    stuck = [(0, row, 9) for row in range(0, 30, 4)]
    assert BrokenLines.of(ProgramLog(asked=asked, mismatches=stuck)).columns == ((0, 9),)
    # a row of which the log held two entries, and its count the rest
    row = ProgramLog(
        asked=asked,
        failures=[Failure(0, 3, c, P, ProgOp.FORM) for c in (0, 1)],
        counts=Counter({(0, 3): 45}),
    )
    assert BrokenLines.of(row) == BrokenLines(columns=(), rows=((0, 3),))
    row.counts[0, 3] = 5
    assert BrokenLines.of(row) == BrokenLines(columns=(), rows=())


def test_idle_lines_take_no_spare():
    used = np.zeros((3, 68, 54), bool)
    used[0, :10, :20] = True
    lines = BrokenLines(columns=((0, 30), (1, 3)), rows=((0, 11), (2, 5), (0, 66)))
    assert assign(lines, GEOMETRY, used) == Repairs()
    lines = BrokenLines(columns=((0, 3), (0, 55)), rows=((0, 2), (1, 64)))
    assert assign(lines, GEOMETRY, used) == Repairs(columns=((0, 0, 3),), rows=((1, 2),))


def test_places_there_and_back():
    rng = np.random.default_rng(0)
    repairs = Repairs(columns=((1, 2, 0), (1, 0, 53), (2, 1, 7)), rows=((3, 0), (1, 63)))
    cells = np.zeros((3, 68, 57), np.int64)
    cells[:, :64, :54] = rng.integers(1, 1 << 30, (3, 64, 54))
    moved = relocate(cells, repairs, GEOMETRY)
    there = [tuple(map(int, cell)) for cell in np.argwhere(moved)]
    back = to_plain(there, repairs, GEOMETRY)
    assert len(there) == len(back) == 3 * 64 * 54
    assert all(moved[cell] == cells[plain] for cell, plain in back.items())
    assert to_plain([(0, 0, 0), (1, 5, 0), (0, 64, 3), (0, 5, 54)], repairs, GEOMETRY) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "word_open:0",
        "nope:0:1",
        "word_open:x:1",
        "word_open:0:1+2",
        "bit_short:0:1",
        "bit_open:0:1:Q",
        "source_stuck:0:1:2",
        "word_open:0:-1",
        "bit_open:0:1:P:1",
    ],
)
def test_bad_line_faults(text):
    with pytest.raises(ValueError, match="must be KIND:TILE:LINE"):
        LineFault.parse(text)


def test_line_faults():
    assert LineFault.parse("bit_short:1:2+3:N") == LineFault(kind="bit_short", tile=1, columns=(2, 3), side=1)
    assert LineFault.parse("word_open:0:9:1") == LineFault(kind="word_open", tile=0, row=9, value=1)
    with pytest.raises(
        ValueError, match=r"bit_open of tile 0, column 57: the chip has 3 tiles of 57 columns"
    ):
        LineFault.parse("bit_open:0:57").check(GEOMETRY)
    with pytest.raises(ValueError, match=r"word_open of tile 3, row 0: the chip has 3 tiles of 68 rows"):
        LineFault.parse("word_open:3:0").check(GEOMETRY)
