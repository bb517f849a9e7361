"""The macro of the published statistics: its draws against the tables, and each way to read it against the others."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry, ReadMode, Timing, bias_columns
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.programming import program
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.broken_lines import LineFault, faulty_array
from bridgebnn.model.macro.published import DecisionTable, PublishedArray, array_of
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.parameters.published import CLOCKS_NS, PublishedParams
from bridgebnn.model.studies.statistics import neuron_error
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=2, rows=64, inputs=60, bias=6)
INPUTS = 201
ROWS = 128


def published(clock=8, rate=0.0):
    return MacroParams.of_published(clock_ns=clock, cell_error_rate=rate)


def mapped(rate=0.05, chip=3, final_mode=ReadMode.COUNT, sizes=(100, 30, 20, 10), kind=PublishedArray):
    rng = np.random.default_rng(8)
    mapping = map_network(random_network(rng, list(sizes), spread=5), GEOMETRY, final_mode=final_mode)
    chip = kind(GEOMETRY, published(rate=rate), chip)
    inference.load(mapping, chip)
    return mapping, chip, rng.integers(0, 2, (25, sizes[0])).astype(np.uint8)


class FinalPopcount(PublishedArray):
    """Broken: the comparator errs by where the popcount ends up, whatever side was meant."""

    def counts(self, *arguments):
        return super().counts(*arguments)._replace(meant=super().counts(*arguments).as_read)


class SameEveryRead(PublishedArray):
    """Broken: one number per row, not per read."""

    def _drawn_batch(self, tile, rows, batch, first, stride):
        return super()._drawn_batch(tile, rows, batch, np.zeros_like(first), 0)


class OtherBits(PublishedArray):
    """Broken: of the wrong cells, only those of weight -1 read wrongly."""

    def wrong_cells(self, tile, rows=slice(None)):
        return super().wrong_cells(tile, rows) & ~Array.planes(self, tile)[0][rows]


def share_wrong(kind, rate, clock, distance, meant, chips, repeats):
    """Share of wrong decisions on neurons of ``INPUTS`` inputs, by chip; every cell at its published distance."""
    cells = INPUTS + bias_columns(INPUTS)
    geometry = Geometry(tiles=1, rows=ROWS, inputs=cells, bias=0)
    ones = (cells + 1) // 2 + distance if meant else cells // 2 - distance
    rng = np.random.default_rng(distance)
    first = kind(geometry, published(clock, rate), 0)
    weights = rng.integers(0, 2, (ROWS, cells)).astype(bool)
    inputs = rng.integers(0, 2, cells).astype(bool)
    for row in range(ROWS):  # so many cells agree with the input
        order = rng.permutation(cells)
        weights[row, order[:ones]] = inputs[order[:ones]]
        weights[row, order[ones:]] = ~inputs[order[ones:]]
        first.preload(0, row, weights[row], np.ones(cells, bool))
    read = RowRead(
        tile=0,
        rows=np.arange(ROWS),
        col_en=np.ones(cells, bool),
        mode=ReadMode.SIGN,
        refs=np.zeros(ROWS, np.int64),
    )
    found = []
    for chip in range(chips):
        array = first.sibling(first.params, 1000 + chip)
        decisions = array.read(read, np.repeat(inputs[None], repeats, axis=0))
        found.append((decisions != meant).mean(axis=0))
    return np.concatenate(found)


def away(kind, rate, clock, distance, meant, chips=150, repeats=2):
    """Standard errors between the drawn share of wrong decisions and the table; rows are independent."""
    wrong = share_wrong(kind, rate, clock, distance, meant, chips, repeats)
    expected = float(neuron_error(INPUTS, rate, clock, distance))
    # a row's reads share its cells: its own spread, but never less than that of independent reads
    spread = max(float(wrong.var(ddof=1)), expected * (1 - expected) / repeats)
    return (wrong.mean() - expected) / np.sqrt(spread / len(wrong))


@pytest.mark.parametrize("meant", [True, False], ids=["one", "zero"])
@pytest.mark.parametrize(
    ("clock", "rate", "distance"),
    [(8, 0, 0), (6, 0, 1), (20, 0, 2), (8, 0.01, 0), (6, 0.05, 1), (8, 0.1, 3), (20, 0.3, 2)],
)
def test_drawn_decisions_follow_the_published_error(clock, rate, distance, meant):
    assert abs(away(PublishedArray, rate, clock, distance, meant)) < 4


@pytest.mark.parametrize("kind", [FinalPopcount, OtherBits])
def test_broken_statistics_are_found(kind):
    """The same comparison on macros that err otherwise."""
    assert abs(away(kind, 0.02, 8, 0, True)) > 6


def test_a_number_used_twice_is_found():
    """Without cell errors, decisions of one row are independent from read to read."""
    spread = share_wrong(PublishedArray, 0, 8, 0, True, 2, 200).std()
    assert spread < 0.04  # sqrt(p * (1 - p) / 200) is 0.025
    assert share_wrong(SameEveryRead, 0, 8, 0, True, 2, 200).std() > 0.3


def test_share_of_wrong_cells():
    array = PublishedArray(GEOMETRY, published(rate=0.1), 7)
    wrong = np.stack([array.wrong_cells(t) for t in range(GEOMETRY.tiles)])
    assert wrong.mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / wrong.size))
    assert (wrong[0] != wrong[1]).any()
    assert not (wrong == PublishedArray(GEOMETRY, published(rate=0.1), 8).wrong_cells(0)).all()
    more = PublishedArray(GEOMETRY, published(rate=0.2), 7).wrong_cells(0)
    assert (more | ~wrong[0]).all()  # the cells that fail at a lower rate fail at a higher one


@pytest.mark.parametrize("clock", CLOCKS_NS)
@pytest.mark.parametrize("shift", [-7, -1, 0, 1, 9])
def test_least_reference_is_where_the_probability_passes(clock, shift):
    """One number decides for every reference: the closed form against the probabilities one by one."""
    table = DecisionTable(223, clock)
    assert (np.diff(table.one) >= 0).all()
    assert (np.diff(table.zero) >= 0).all()
    u = np.concatenate([np.random.default_rng(1).random(200), [0, 0.5, 1 - 2**-53, 2**-53]])
    h = np.arange(-table.reach - 20, table.reach + 20)
    probability = table.probability(h, h + shift)
    assert (np.diff(probability) >= 0).all()
    least = table.least(u, np.full(len(u), shift))
    assert np.array_equal(least, [h[int(np.argmax(probability > x))] for x in u])


@pytest.mark.parametrize("rate", [0.0, 0.05])
@pytest.mark.parametrize("final_mode", [ReadMode.COUNT, ReadMode.SEARCH])
def test_batch_is_row_by_row_is_the_controller(rate, final_mode):
    """SIGN, COUNT and SEARCH: whole batches, and single reads in the controller's order, on equal chips."""
    mapping, chip, images = mapped(rate, final_mode=final_mode)
    other = mapped(rate, final_mode=final_mode)[1]
    batch = inference.run(mapping, chip, images, batch=17)
    single = inference.run_row_by_row(mapping, other, images)
    assert batch.differences(single) == {"hidden": [0, 0], "scores": 0, "classes": 0, "images": 0}
    assert np.array_equal(chip.reads, other.reads)
    wrong = batch.differences(forward(mapping.network, images))
    assert (wrong["hidden"][1] > 0) == (rate > 0)  # at 0, neurons of 22 cells hardly ever err


def test_whole_vectors_are_batches():
    """`min_refs` and `min_refs_ahead`, of the prefetch attachment, against `min_refs_batch` and `decide`."""
    mapping, chip, _ = mapped(0.05)
    read = mapping.programs[1].reads[0]
    inputs = np.random.default_rng(1).integers(0, 2, (3, GEOMETRY.columns)).astype(bool)
    rows = slice(0, GEOMETRY.rows)
    first = chip.reads[read.tile] + 1
    batch = chip.min_refs_batch(read.tile, rows, inputs, read.col_en, first)
    for k, bl in enumerate(inputs):
        assert np.array_equal(batch[k], chip.min_refs(read.tile, bl, read.col_en, first + k))
        ahead = chip.min_refs_ahead(read.tile, bl, read.col_en, 4)
        assert np.array_equal(ahead[:, k], chip.min_refs(read.tile, bl, read.col_en, first + k))
    refs = np.random.default_rng(2).integers(-5, 6, GEOMETRY.rows)
    assert np.array_equal(refs >= batch, chip.decide(read.tile, rows, inputs, read.col_en, refs, first))


def test_a_sibling_is_a_chip_programmed_for_itself():
    mapping, chip, images = mapped(0.05, chip=3)
    for clock, seed in ((8, 4), (6, 5)):
        alone = PublishedArray(GEOMETRY, published(clock, 0.05), seed)
        inference.load(mapping, alone)
        other = chip.sibling(published(clock, 0.05), seed)
        found = [inference.run(mapping, c, images) for c in (alone, other)]
        assert found[0].differences(found[1])["images"] == 0
        assert np.array_equal(alone.reads, other.reads)
    assert not chip.reads.any()


def test_far_from_the_threshold_nothing_errs():
    mapping, chip, _ = mapped(0.0)
    read, rows = mapping.programs[1].reads[0], slice(0, 64)
    inputs = np.zeros((1, GEOMETRY.columns), bool)
    for ref in (-99, 99):
        found = chip.decide(0, rows, inputs, read.col_en, np.full(64, ref), chip.reads[0] + 1)
        assert (found == (ref > 0)).all()


def test_wrong_cells_show_on_the_source_lines_and_after_programming():
    mapping, _, _ = mapped(0.05)
    chip = array_of(GEOMETRY, published(rate=0.05), 3)
    report = program(chip, mapping.images, mapping.masks, Timing())
    assert not report.failures
    wrong = np.stack([chip.wrong_cells(t) for t in range(2)]) & mapping.masks
    rows = {tuple(place[:2]) for place in np.argwhere(wrong).tolist()}
    assert {tuple(m[:2]) for m in report.mismatches} == rows
    bits = chip.source_lines(0, 0, np.ones(66, bool), mapping.masks[0, 0])
    assert np.array_equal(bits, (mapping.images[0, 0].astype(bool) ^ wrong[0, 0]) & mapping.masks[0, 0])


def test_snapshot_belongs_to_clock_and_rate(tmp_path):
    _, chip, _ = mapped(0.05)
    chip.snapshot(tmp_path / "chip.npz")
    same = PublishedArray(GEOMETRY, published(rate=0.05), 3)
    same.restore(tmp_path / "chip.npz")
    assert same.state_hash() == chip.state_hash()
    with pytest.raises(ValueError, match="its params is"):
        PublishedArray(GEOMETRY, published(rate=0.06), 3).restore(tmp_path / "chip.npz")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PublishedParams(clock_ns=7), "clock_ns = 7: the authors published 6, 8, 20 ns"),
        (lambda: PublishedParams(cell_error_rate=1.1), "cell_error_rate = 1.1: must be from 0 to 1"),
        (lambda: PublishedParams(cell_error_rate=float("nan")), "cell_error_rate = nan"),
        (lambda: MacroParams.from_dict({"published": {"clock": 8}}), "clock_ns"),
        (
            lambda: MacroParams.from_dict({"published": {}, "neuron": {"vdd_V": 1.0}}),
            "MacroParams.neuron beside published: must be left out",
        ),
        (lambda: MacroParams.named("publish"), "must be ideal, real, published, published-like or spice"),
        (lambda: PublishedArray(GEOMETRY, MacroParams.real()), "macro 'real' has no published statistics"),
        (
            lambda: faulty_array(GEOMETRY, published(), 1, [LineFault.parse("word_open:0:1")]),
            "broken lines on macro 'published'",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parameters_survive_json():
    params = published(20, 0.02)
    assert MacroParams.from_dict(params.as_dict()) == params
    assert not params.is_ideal
    assert "published" not in MacroParams.real().as_dict()
