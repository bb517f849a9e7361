"""trim: self-tests find the offsets of a chip, the reference takes them back, and what cannot be trimmed stays."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode
from bridgebnn.model.__main__ import main
from bridgebnn.model.flows import inference, trim
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.trimming import TrimReport, macro_of, repeated_error

GEOMETRY = Geometry(tiles=4, rows=64, inputs=63, bias=6, thresholds=256, scores=16)
COUNT_V = 0.0464
"""Volt of a count of 69 columns: 2 * 1.8 V over 69 * 1.0527 + 5 unit capacitors."""


def network(sizes=(63, 40, 10), seed=0):
    rng, layers = np.random.default_rng(seed), []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers.append(
            Dense(
                weights=rng.choice([-1, 1], (n_out, n_in)),
                thresholds=np.zeros((1, n_out), int) if last else rng.integers(-5, 6, (1, n_out)),
                polarity=np.ones((1, n_out), int) if last else rng.choice([-1, 1], (1, n_out)),
                group_sizes=np.array([n_in]),
                combine=Combine.ADD,
                output="score" if last else "sign",
            )
        )
    return Network(name="small", operations=tuple(layers))


def images(count=200, inputs=63):
    return np.random.default_rng(7).integers(0, 2, (count, inputs), dtype=np.uint8)


def programmed(mapping, params, chip=1):
    array = Array(mapping.geometry, params, chip)
    inference.load(mapping, array)
    return array


def wrong(mapping, array, x):
    return inference.run(mapping, array, x).differences(Golden(mapping.network)(x))["hidden"][0]


@pytest.mark.parametrize("chip", range(4))
def test_the_offset_of_every_comparator_is_found(chip):
    mapping = map_network(network(), GEOMETRY, final_mode=ReadMode.SEARCH)
    array = programmed(mapping, macro_of("fixed", 3 * COUNT_V), chip)
    tests = trim.self_tests(mapping)
    found = trim.measured(tests, array)
    assert list(found) == [test.tile for test in tests] != []
    for tile, offset in found.items():
        assert (
            abs(offset - array.neuron(tile).offset) < 0.65
        )  # a count is half a count to either side, and noise
        assert array.lsb_V(tile) == pytest.approx(COUNT_V, rel=0.05)


def test_a_self_test_of_an_ideal_chip_is_golden_and_finds_nothing():
    mapping = map_network(network(), GEOMETRY, final_mode=ReadMode.SEARCH)
    array = programmed(mapping, MacroParams.ideal())
    for test in trim.self_tests(mapping):
        for one in (test.search, test.count):
            expected = Golden(one.network)(test.patterns).scores
            assert np.array_equal(inference.run(one, array, test.patterns).scores, expected)
    _, offsets = trim.trim(mapping, array)
    assert set(offsets.values()) == {0.0}
    same = trim.trimmed(mapping, offsets)
    assert (same.descriptors, same.thresholds.tolist()) == (mapping.descriptors, mapping.thresholds.tolist())


@pytest.mark.parametrize("chip", range(4))
def test_trimming_takes_most_of_it_back(chip):
    x, mapping = images(), map_network(network(), GEOMETRY)
    array = programmed(mapping, macro_of("fixed", 6 * COUNT_V), chip)
    before = wrong(mapping, array, x)
    held, offsets = trim.trim(mapping, array)
    if abs(offsets[0]) > 2:
        assert wrong(held, array, x) < 0.35 * before
    assert wrong(held, array, x) <= before


def test_trimming_the_wrong_way_is_worse_than_none():
    """The check above can fail: with the sign turned, offsets double."""
    x, mapping = images(), map_network(network(), GEOMETRY)
    array = programmed(mapping, macro_of("fixed", 6 * COUNT_V), 1)
    offsets = trim.measured(trim.self_tests(mapping), array)
    assert abs(offsets[0]) >= 2
    turned = trim.trimmed(mapping, {tile: -offset for tile, offset in offsets.items()})
    assert wrong(turned, array, x) > 1.2 * wrong(mapping, array, x)


def test_what_is_drawn_per_decision_cannot_be_trimmed():
    x, mapping = images(), map_network(network(), GEOMETRY)
    array = programmed(mapping, macro_of("drawn", 3 * COUNT_V), 1)
    before = wrong(mapping, array, x)
    held, offsets = trim.trim(mapping, array)
    assert abs(offsets[0]) < 0.8
    assert wrong(held, array, x) > 0.8 * before > 0


def test_scores_by_search_are_trimmed_whatever_the_number_of_tiles():
    """A layer of two tiles, added: each offset goes into every score twice."""
    net = network((120, 10))
    mapping = map_network(net, GEOMETRY, final_mode=ReadMode.SEARCH)
    assert len(mapping.programs[0].reads) == 2
    x, golden = images(60, 120), None
    golden = Golden(mapping.network)(x).scores
    array = programmed(mapping, macro_of("fixed", 6 * COUNT_V), 2)
    before = inference.run(mapping, array, x).scores - golden
    held, offsets = trim.trim(mapping, array)
    after = inference.run(held, array, x).scores - golden
    assert abs(before.mean()) == pytest.approx(abs(2 * sum(offsets.values())), abs=2)
    assert abs(before.mean()) > 4
    assert abs(after.mean()) < 1


def test_tiles_in_step_share_the_reference():
    """VOTE: the mean of their offsets goes, what they differ by stays."""
    mapping = map_network(network((120, 40, 10)), GEOMETRY, combine=Combine.VOTE)
    d = mapping.descriptors[0]
    assert d.tile_count == 2
    held = trim.trimmed(mapping, {0: 4.0, 1: -1.0})
    entries = held.programs[0].entries - mapping.programs[0].entries
    assert set(entries.tolist()) == {-round(1.5)}


def test_room_for_entries():
    small = dataclasses.replace(GEOMETRY, thresholds=16)
    mapping = map_network(network((63, 12, 10)), small)
    assert len(mapping.thresholds) == 10
    with pytest.raises(ValueError, match="trimming needs 22 threshold entries, 6 more than the memory has"):
        trim.trimmed(mapping, {0: 3.0})
    with pytest.raises(ValueError, match="patterns = 0: a self-test needs at least one"):
        trim.self_tests(mapping, 0)


def test_the_command_measures_before_and_after(tmp_path, capsys):
    files = tmp_path / "trim.json", tmp_path / "trim.png"
    given = ["trim", "--preset", "digits", "--images", "50", "--chips", "3", "--offset-mV", "150"]
    assert main([*given, "--json", str(files[0]), "--png", str(files[1])]) == 0
    report = TrimReport.from_dict(json.loads(files[0].read_text()))
    fixed, drawn = report.points
    assert (fixed.kind, drawn.kind) == ("fixed", "drawn")
    assert fixed.wrong_after < 0.5 * fixed.wrong_before
    assert drawn.wrong_after > 0.9 * drawn.wrong_before
    assert files[1].stat().st_size > 10_000
    with pytest.raises(SystemExit):
        main(["trim", "--offset-mV", "-1"])
    assert "'-1': must be a number of mV from 0 to 1000" in capsys.readouterr().err


def test_inference_on_a_trimmed_chip(tmp_path, capsys):
    file = tmp_path / "infer.json"
    given = ["infer", "--preset", "digits", "--images", "20", "--preload", "--macro", "real", "--trim", "4"]
    assert main([*given, "--json", str(file)]) == 0
    assert list(json.loads(file.read_text())["trimmed"]) == ["0"]
    assert "offsets trimmed, tiles 0 (counts)" in capsys.readouterr().out


def test_reading_again_helps_against_what_is_drawn_alone():
    distance = np.arange(6)
    once = repeated_error(distance, 2.5, 1, "drawn")
    assert (repeated_error(distance, 2.5, 3, "drawn") < once).all()
    assert np.array_equal(repeated_error(distance, 2.5, 9, "fixed"), once)
    assert repeated_error(distance, 2.5, 3, "drawn") == pytest.approx(3 * once**2 - 2 * once**3)


def test_transistors_are_not_trimmed(capsys):
    """Their comparator has another offset than the model's; told before anything is programmed."""
    assert main(["infer", "--macro", "spice", "--trim", "4", "--images", "1"]) == 2
    assert "trim = 4 of transistors: must be 0, the model would find other offsets" in capsys.readouterr().err
    with pytest.raises(ValueError, match="trim = 1 of transistors"):
        trim.check_trim(MacroParams.of_transistors(), 1)
    trim.check_trim(MacroParams.of_transistors(), 0)
    trim.check_trim(MacroParams.real(), 4)
