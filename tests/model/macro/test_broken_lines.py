"""Word lines that are joined or never fall: two rows act as one, for pulses, verify reads and bridges."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ProgSide, Timing, VerifyRef
from bridgebnn.model.flows import programming
from bridgebnn.model.macro.broken_lines import FaultyArray, LineFault
from bridgebnn.model.parameters.params import MacroParams

GEOMETRY = Geometry(rows=4, inputs=6, bias=2, thresholds=4, layers=1, scores=2)
EVERY = np.ones(GEOMETRY.columns, bool)
IMAGE = np.array([0, 1, 1, 0, 1, 0, 0, 1], np.uint8)


def chip(*lines: LineFault) -> FaultyArray:
    return FaultyArray(GEOMETRY, MacroParams.ideal(), 5, lines=list(lines))


def program(array, row, image):
    return programming.program_row(array, 0, row, image, EVERY, Timing())


def verifies(array, row, image) -> bool:
    """Every device of the row is seen in its state."""
    good = True
    for side in ProgSide:
        low = image.astype(bool) ^ bool(side)
        for ref, cells in ((VerifyRef.LRS_MAX, low), (VerifyRef.HRS_MIN, ~low)):
            good &= bool(array.verify(0, row, cells, side, ref)[cells].all())
    return good


@pytest.mark.parametrize("kind", ["word_short", "word_on"])
def test_the_second_row_undoes_the_first(kind):
    array = chip(LineFault(kind=kind, tile=0, row=1, other=2))
    program(array, 2, IMAGE)
    assert verifies(array, 2, IMAGE)
    program(array, 1, 1 - IMAGE)
    assert verifies(array, 1, 1 - IMAGE)
    assert not verifies(array, 2, IMAGE)
    sound = chip()
    program(sound, 2, IMAGE)
    program(sound, 1, 1 - IMAGE)
    assert verifies(sound, 2, IMAGE)
    assert verifies(sound, 1, 1 - IMAGE)


@pytest.mark.parametrize("value", [0, 1])
def test_opposite_rows_leave_the_source_line_between_the_rails(value):
    array = chip(LineFault(kind="word_short", tile=0, row=1, other=2, value=value))
    array.preload(0, 1, IMAGE, EVERY)
    ones, zeros = array.bridges(0, 1, EVERY)
    assert (ones == IMAGE.astype(bool)).all()  # a row that was never formed conducts nothing
    assert (zeros != ones).all()
    array.preload(0, 2, np.where(np.arange(8) < 4, IMAGE, 1 - IMAGE), EVERY)
    ones, zeros = array.bridges(0, 1, EVERY)
    assert (ones[:4] == IMAGE[:4].astype(bool)).all()
    assert (ones[4:] == bool(value)).all()
    assert (zeros[4:] == bool(value)).all()
    array.begin_read([0], 1)
    assert (array.source_lines(0, 1, EVERY, EVERY) == ones).all()


def test_other_rows_and_tiles_are_not_joined():
    array = chip(LineFault(kind="word_short", tile=0, row=1, other=2))
    program(array, 1, IMAGE)
    program(array, 3, 1 - IMAGE)
    assert verifies(array, 1, IMAGE)
    assert verifies(array, 3, 1 - IMAGE)


def test_a_device_behind_a_broken_bit_line_is_nothing_to_the_other_row():
    on, broken = (
        LineFault(kind=k, tile=0, row=1, other=2, columns=(4,), side=0) for k in ("word_on", "bit_open")
    )
    for lines, passes in (((on,), False), ((on, broken), True)):
        array = chip(*lines)
        array.preload(0, 1, 0 * IMAGE, EVERY)  # P in HRS
        array.preload(0, 2, IMAGE, EVERY)  # P of column 4 in LRS
        assert array.held(0, 1, ProgSide.P, VerifyRef.HRS_MIN)[4] == passes


@pytest.mark.parametrize("text", ["word_short:0:1+2", "word_on:0:1"])
def test_lines_that_no_spare_helps_are_not_taken_from_the_command_line(text):
    with pytest.raises(ValueError, match="KIND one of word_open, bit_open"):
        LineFault.parse(text)


def test_rows_that_a_broken_line_touches_are_not_told_ahead():
    """What passes there may depend on which columns are asked, or on a pulse on another row."""
    array = chip(LineFault(kind="word_open", tile=0, row=3, columns=(), side=0, value=0, other=0))
    assert [array.passes(0, row) is None for row in range(4)] == [False, False, False, True]
    array = chip(LineFault(kind="word_short", tile=0, row=1, columns=(), side=0, value=0, other=2))
    assert all(array.passes(0, row) is None for row in (1, 2))
