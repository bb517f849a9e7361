"""The scoreboard: what it counts, what it refuses, and that it notices every kind of wrong value."""

from dataclasses import replace

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import forward
from bridgebnn.tb.checks.scoreboard import (
    InferenceScoreboard,
    Reference,
    Result,
    ScoreboardError,
    observations,
)
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=2, rows=40, inputs=20, bias=2)


class Bench:
    """A scoreboard on a network of three layers, and what a sound chip would show it."""

    def __init__(self, output="score", images=4):
        rng = np.random.default_rng(3)
        network = random_network(rng, [20, 9, 7, 5], spread=4)
        if output == "sign":
            network = replace(network, operations=network.operations[:2])
        self.mapping = map_network(network, GEOMETRY)
        self.images = rng.integers(0, 2, (images, 20)).astype(np.uint8)
        self.expected = forward(network, self.images)
        self.references = {name: Reference.of(self.expected) for name in ("golden", "model")}
        self.board = InferenceScoreboard(self.images, self.references, self.mapping.programs)

    def inputs(self, vector, number):
        return self.images[vector] if number == 0 else self.expected.hidden[number - 1][vector]

    def result(self, vector):
        score = self.mapping.programs[-1].output == "score"
        scores = self.expected.scores[vector]
        return Result(
            index=vector,
            label=int(self.expected.classes[vector]),
            scores=scores.astype(np.int64) if score else np.zeros(0, np.int64),
            bits=(scores >= 0).astype(np.uint8) if score else self.expected.hidden[-1][vector],
        )

    def run(self, inputs=None, result=None):
        """All observations, with ``inputs(vector, number, bits)`` and ``result(vector, result)`` over them."""
        for vector in range(len(self.images)):
            for number in range(len(self.mapping.programs)):
                bits = self.inputs(vector, number)
                self.board.observe_inputs(number, inputs(vector, number, bits) if inputs else bits)
            found = self.result(vector)
            self.board.observe_result(result(vector, found) if result else found)
        return self.references["golden"]


@pytest.mark.parametrize("output", ["score", "sign"])
def test_a_sound_run_passes(output):
    bench = Bench(output)
    golden = bench.run()
    bench.board.close()
    assert golden.mismatches == 0
    assert golden.first is None
    assert bench.board.compared == bench.board.sent == observations(4, bench.mapping.programs) > 0
    assert [result.index for result in bench.board.seen] == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_wrong_input_bit(number):
    def turn(vector, at, bits):
        return bits ^ (np.arange(len(bits)) == 2) if (vector, at) == (3, number) else bits

    bench = Bench()
    golden = bench.run(inputs=turn)
    bench.board.close()
    assert (golden.mismatches, golden.images) == (1, {3})
    assert golden.first == f"vector 3, inputs of layer {number}: 1 differ, first at 2"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: replace(r, label=r.label + 1), "class"),
        (lambda r: replace(r, scores=r.scores + (np.arange(5) == 4)), "scores"),
        (lambda r: replace(r, bits=r.bits ^ (np.arange(5) == 0)), "bits of the last layer"),
        (lambda r: replace(r, scores=r.scores[:0]), "scores"),
        (lambda r: replace(r, scores=r.scores[:4]), "scores"),
    ],
)
def test_a_wrong_result(change, what):
    bench = Bench()
    golden = bench.run(result=lambda vector, result: change(result) if vector == 1 else result)
    assert golden.mismatches > 0
    assert golden.images == {1}
    assert golden.first.startswith(f"vector 1, {what}: ")


def test_scores_where_there_are_none():
    bench = Bench("sign")
    golden = bench.run(result=lambda _, result: replace(result, scores=np.array([1, 2])))
    assert golden.mismatches == 4 * 2


def test_what_was_not_seen_or_sent():
    bench = Bench()
    bench.run()
    with pytest.raises(ScoreboardError, match="layer 1 began 5 times for 4 vectors"):
        bench.board.observe_inputs(1, bench.inputs(0, 1))
    with pytest.raises(ScoreboardError, match="5 results for 4 vectors"):
        bench.board.observe_result(bench.result(0))
    bench = Bench()
    for number in (0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2):
        bench.board.observe_inputs(number, bench.inputs(0, number))
    with pytest.raises(ScoreboardError, match="layer 1 was seen 3 times for 4 vectors"):
        bench.board.close()
    bench.board.observe_inputs(1, bench.inputs(0, 1))
    with pytest.raises(ScoreboardError, match="16 observations sent, 12 compared"):
        bench.board.close()
    with pytest.raises(ScoreboardError, match="result 0 calls itself 2"):
        bench.board.observe_result(bench.result(2))
    with pytest.raises(ScoreboardError, match="0 observations sent, 0 compared"):
        Bench(images=0).board.close()


def test_nothing_to_compare_with():
    bench = Bench()
    bench.board.references = {}
    for vector in range(4):
        for number in range(3):
            bench.board.observe_inputs(number, bench.inputs(vector, number))
        bench.board.observe_result(bench.result(vector))
    with pytest.raises(ScoreboardError, match="there is no reference"):
        bench.board.close()


def test_the_host_takes_what_was_on_the_bus():
    bench = Bench()
    with pytest.raises(ScoreboardError, match="on the bus was None"):
        bench.board.taken(bench.result(0))
    bench.board.observe_result(bench.result(0))
    bench.board.taken(bench.result(0))
    for wrong in (
        bench.result(1),
        replace(bench.result(0), scores=bench.result(0).scores + 1),
        replace(bench.result(0), bits=1 - bench.result(0).bits),
    ):
        with pytest.raises(ScoreboardError, match="the host took"):
            bench.board.taken(wrong)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda self, *_: None, r"0 of \d+ values were compared with golden"),
        (
            lambda self, vector, what, seen, expected: setattr(
                self, "values", self.values + np.size(expected)
            ),
            "goes unnoticed beside golden",
        ),
        (lambda self, vector, what, seen, _: COMPARE(self, vector, what, seen, seen), "goes unnoticed"),
        (
            lambda self, vector, what, seen, expected: COMPARE(
                self, vector, what, expected if what == "scores" else seen, expected
            ),
            "scores: a wrong value goes unnoticed",
        ),
        (
            lambda self, vector, what, seen, expected: COMPARE(
                self, vector, what, expected if what == "inputs of layer 2" else seen, expected
            ),
            "inputs of layer 2: a wrong value goes unnoticed",
        ),
        (
            lambda self, vector, what, seen, expected: COMPARE(
                self, vector, what, 1 - np.asarray(seen), expected
            ),
            "right values differ",
        ),
    ],
    ids=["mute", "counts only", "with itself", "scores alone", "layer 2 alone", "inverted"],
)
def test_a_scoreboard_that_cannot_fail_does(monkeypatch, spoil, message):
    bench = Bench()
    monkeypatch.setattr(Reference, "compare", spoil)
    bench.run()
    with pytest.raises(ScoreboardError, match=message):
        bench.board.close()


COMPARE = Reference.compare
