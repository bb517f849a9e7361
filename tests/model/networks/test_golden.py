"""golden: against plain dot products, at ties and at both ends of the thresholds."""

import itertools
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from bridgebnn.model.networks import golden
from tests.model.reference import random_layer, slow_forward


def chain(*layers):
    return SimpleNamespace(operations=layers)


def bits(rng, batch, n):
    return rng.integers(0, 2, (batch, n)).astype(np.uint8)


def check(network, images):
    result = golden.forward(network, images)
    hidden, scores, classes = slow_forward(network, images)
    assert len(result.hidden) == len(hidden)
    for ours, theirs in zip(result.hidden, hidden, strict=True):
        assert ours.dtype == np.uint8
        assert np.array_equal(ours, theirs)
    assert result.scores.dtype == np.int32
    assert np.array_equal(result.scores, scores)
    assert np.array_equal(result.classes, classes)
    return result


@pytest.mark.parametrize("n_in", [1, 2, 23, 63, 64, 65, 128, 191, 192, 193, 784])
@pytest.mark.parametrize("output", ["sign", "score"])
@pytest.mark.parametrize(("combine", "groups"), [(0, 1), (0, 3), (1, 1), (1, 3), (1, 4)])
def test_one_layer(n_in, output, combine, groups):
    rng = np.random.default_rng([n_in, groups, combine])
    groups = min(groups, n_in)
    for equal in (True, False):
        layer = random_layer(rng, n_in, 17, groups=groups, combine=combine, output=output, equal_groups=equal)
        check(chain(layer), bits(rng, 70, n_in))


def test_chains_and_chunk_borders():
    rng = np.random.default_rng(1)
    for trial in range(20):
        sizes = rng.integers(1, 90, rng.integers(2, 5))
        layers = [
            random_layer(
                rng,
                a,
                b,
                groups=min(int(a), int(rng.integers(1, 5))),
                combine=int(rng.integers(0, 2)),
                output="score" if i == len(sizes) - 2 and trial % 3 else "sign",
                spread=7,
            )
            for i, (a, b) in enumerate(itertools.pairwise(sizes))
        ]
        check(chain(*layers), bits(rng, int(rng.choice([1, golden.BLOCK, golden.CHUNK + 1, 600])), sizes[0]))


def test_tie_of_the_dot_product_is_plus_one():
    layer = random_layer(np.random.default_rng(2), 4, 1)
    layer.weights[:] = 1
    layer.thresholds[:] = 0
    for polarity in (1, -1):
        layer.polarity[:] = polarity
        assert golden.forward(chain(layer), [[1, 1, 0, 0]]).hidden[0].item() == 1
    layer.polarity[:] = 1
    assert golden.forward(chain(layer), [[1, 0, 0, 0]]).hidden[0].item() == 0


def test_tie_of_the_vote_is_plus_one_and_of_the_class_the_lowest():
    layer = random_layer(np.random.default_rng(3), 2, 3, groups=2, combine=1)
    layer.weights[:] = 1
    layer.thresholds[:] = 0
    layer.polarity[:] = 1
    result = check(chain(layer), np.array([[1, 0], [0, 0]]))
    assert result.hidden[0].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert result.scores.tolist() == [[0, 0, 0], [-2, -2, -2]]
    assert result.classes.tolist() == [0, 0]


def test_ends_of_the_threshold_make_the_neuron_constant():
    rng = np.random.default_rng(4)
    images = np.array([[0] * 9, [1] * 9, [1, 0] * 4 + [1]])
    for polarity in (1, -1):
        layer = random_layer(rng, 9, 2)
        layer.weights[0], layer.weights[1] = 1, -1
        layer.polarity[:] = polarity
        layer.thresholds[:] = -10
        assert golden.forward(chain(layer), images).hidden[0].ravel().tolist() == [int(polarity > 0)] * 6
        layer.thresholds[:] = 10
        assert golden.forward(chain(layer), images).hidden[0].ravel().tolist() == [int(polarity < 0)] * 6


def test_wide_layers_do_not_overflow():
    rng = np.random.default_rng(5)
    for n_in in (255, 256, 257, 1024 * 64 - 63, 1025 * 64):
        layer = random_layer(rng, n_in, 2, output="score")
        layer.weights[0], layer.weights[1] = 1, -1
        check(chain(layer), np.stack([np.zeros(n_in, int), np.ones(n_in, int)]))


def test_a_broken_reference_is_noticed():
    """The comparison can fail: one weight, threshold or polarity changed is seen."""
    rng = np.random.default_rng(6)
    for field in ("weights", "thresholds", "polarity"):
        layer = random_layer(rng, 31, 8, output="score")
        images = bits(rng, 50, 31)
        before = golden.forward(chain(layer), images).scores
        values = getattr(layer, field)
        values[0, 0] = values[0, 0] + 1 if field == "thresholds" else -values[0, 0]
        assert (golden.forward(chain(layer), images).scores != before).any(), field


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 5), np.uint8), r"shape \(2, 5\): must be \(batch, 4\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.full((1, 4), 2), r"images\[0, 0\] = 2: must be binary"),
        (np.array([[1, 1, 1, 1], [0, 1, -1, 1]]), r"images\[1, 2\] = -1: must be binary, 0 or 1"),
        (np.zeros((1, 4)), r"are float64: must be binary"),
    ],
)
def test_messages(images, message):
    layer = random_layer(np.random.default_rng(7), 4, 2)
    with pytest.raises(ValueError, match=message):
        golden.forward(chain(layer), images)


def test_empty_batch():
    layer = random_layer(np.random.default_rng(8), 4, 2, output="score")
    assert golden.forward(chain(layer), np.zeros((0, 4), bool)).scores.shape == (0, 2)


def test_imports_numpy_alone():
    code = (
        "import sys, numpy; before = set(sys.modules); import bridgebnn.model.networks.golden;"
        "new = {m.split('.')[0] for m in set(sys.modules) - before};"
        "assert not new - set(sys.stdlib_module_names) - {'bridgebnn', 'numpy'}, new;"
        "rooms = ('model', 'model.networks', 'model.networks.golden');"
        "assert {m for m in sys.modules if m.startswith('bridgebnn.')} == {'bridgebnn.' + r for r in rooms}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_kind_without_an_evaluation_is_refused():
    rng = np.random.default_rng(2)
    other = SimpleNamespace(kind="conv", output="sign")
    with pytest.raises(ValueError, match="operation 1: kind = 'conv': must be one of dense"):
        golden.Golden(chain(random_layer(rng, 5, 4), other))
