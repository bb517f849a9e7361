"""Thresholds as people give them: real numbers change no bit, and what is no threshold is refused with its value."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.networks.network import Network, NetworkError
from bridgebnn.model.npz import write_npz


def layer(weights, thresholds, polarity=None, output="sign", **fields):
    """An unsplit layer that adds."""
    weights = np.asarray(weights)
    polarity = np.ones((1, len(weights)), np.int8) if polarity is None else np.asarray([polarity])
    given = {"combine": Combine.ADD, "group_sizes": [weights.shape[1]], "output": output} | fields
    return Dense(weights=weights, thresholds=[thresholds], polarity=polarity, **given)


def every_vector(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), np.uint8)


@st.composite
def neurons(draw):
    n = draw(st.integers(1, 5))
    weights = draw(
        st.lists(st.lists(st.sampled_from((-1, 1)), min_size=n, max_size=n), min_size=1, max_size=4)
    )
    count = len(weights)
    real = st.one_of(
        st.floats(-n - 1, n + 1),
        st.integers(-n - 1, n + 1),
        st.sampled_from((-0.0, 5e-324, -5e-324, 0.5, -0.5, 1 - 2**-53, 1 + 2**-52)).filter(
            lambda t: abs(t) <= n + 1
        ),
    )
    thresholds = draw(st.lists(real, min_size=count, max_size=count))
    polarity = draw(st.lists(st.sampled_from((-1, 1)), min_size=count, max_size=count))
    return weights, thresholds, polarity


@given(neurons())
def test_real_thresholds_are_compared_as_they_are(drawn):
    """Layer, golden over a layer of its own kind, and the comparison in Python's exact numbers."""
    weights, thresholds, polarity = drawn
    vectors = every_vector(len(weights[0]))
    exact = [
        [
            int(p * sum(w * (2 * int(x) - 1) for w, x in zip(row, vector, strict=True)) >= p * t)
            for row, t, p in zip(weights, thresholds, polarity, strict=True)
        ]
        for vector in vectors
    ]
    ours = layer(weights, thresholds, polarity)
    assert ours.thresholds.dtype == np.int32
    assert forward(Network(name="n", operations=(ours,)), vectors).hidden[0].tolist() == exact
    foreign = SimpleNamespace(
        kind="dense",
        weights=np.array(weights), thresholds=[thresholds], polarity=np.array([polarity]),
        group_sizes=[len(weights[0])], combine=0, output="sign",
    )  # fmt: skip
    assert forward(SimpleNamespace(operations=(foreign,)), vectors).hidden[0].tolist() == exact


def test_the_votes_of_groups_are_rounded_too():
    ours = Dense(
        weights=[[1, -1, 1]], thresholds=[[0.5], [-0.5]], polarity=[[1], [-1]], group_sizes=[2, 1],
        combine=Combine.VOTE, output="sign",
    )  # fmt: skip
    assert ours.thresholds.tolist() == [[1], [-1]]  # up, and down where the polarity is -1


def test_a_file_with_real_thresholds(tmp_path):
    path = tmp_path / "n.npz"
    entries = {
        "format": "bridgebnn-network", "version": 1, "name": "n", "meta": "{}", "layers": 1,
        "layer0_weights": np.array([[1, -1]], np.int8), "layer0_thresholds": np.array([[0.5]]),
        "layer0_polarity": np.ones((1, 1), np.int8), "layer0_group_sizes": np.array([2], np.int32),
        "layer0_combine": 0, "layer0_output": "sign",
    }  # fmt: skip
    write_npz(path, entries)
    assert Network.load(path).operations[0].thresholds.tolist() == [[1]]
    write_npz(path, entries | {"layer0_thresholds": np.array([[np.nan]])})
    with pytest.raises(
        NetworkError, match=r"n\.npz: layer 0: thresholds\[0, 0\] = nan: must be from -3 to 3"
    ):
        Network.load(path)


BAD = [
    (2**32, r"thresholds\[0, 0\] = 4294967296: must be from -3 to 3"),
    (2**70, "thresholds hold 1180591620717411303424: must be numbers within 64 bits"),
    (float("nan"), r"thresholds\[0, 0\] = nan: must be from -3 to 3"),
    (float("inf"), r"thresholds\[0, 0\] = inf: must be from -3 to 3"),
    (-float("inf"), r"thresholds\[0, 0\] = -inf: must be from -3 to 3"),
    (3.25, r"thresholds\[0, 0\] = 3.25: must be from -3 to 3"),
    (None, "thresholds hold None: must be numbers"),
    ("1", "thresholds are <U1"),
    (True, "thresholds are bool"),
    (1j, "thresholds are complex128"),
]


@pytest.mark.parametrize(("value", "message"), BAD, ids=lambda v: str(v)[:12])
def test_what_is_no_threshold(value, message):
    with pytest.raises(NetworkError, match=message) as caught:
        layer([[1, -1]], [value])
    assert "\n" not in str(caught.value)


def test_a_score_holds_its_threshold():
    assert layer([[1, -1]], [1.0], output="score").thresholds.tolist() == [[1]]
    with pytest.raises(NetworkError, match=r"thresholds\[0, 0\] = 0.5: must be whole"):
        layer([[1, -1]], [0.5], output="score")


def test_golden_refuses_what_it_would_have_to_truncate():
    def run(**changes):
        fields = {"weights": np.array([[1, -1]]), "thresholds": [[0]], "polarity": np.array([[1]])}
        fields |= {"kind": "dense", "group_sizes": [2], "combine": 0, "output": "score"} | changes
        return forward(SimpleNamespace(operations=(SimpleNamespace(**fields),)), every_vector(2)).scores

    assert run(thresholds=[[1.0]]).tolist() == [[-1], [-3], [1], [-1]]
    for changes, message in (
        ({"thresholds": [[0.5]]}, "thresholds of scores hold 0.5"),
        ({"thresholds": [[2**32]]}, "thresholds of scores hold 4294967296"),
        ({"thresholds": [[np.nan]], "output": "sign"}, "thresholds hold nan"),
        ({"weights": np.array([[1, 0.5]])}, "weights hold 0.5"),
        ({"polarity": np.array([[0.5]])}, "polarity hold 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            run(**changes)
    assert run(thresholds=[[2**32]], output="sign").tolist() == [[-1]] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [[1, -1], [1]]}, "weights: parts of different lengths"),
        ({"weights": [[1, 2**64]]}, "weights hold 18446744073709551616"),
        ({"weights": [[1, -1, 0]], "group_sizes": [3]}, r"weights\[0, 2\] = 0: must be -1 or \+1"),
        ({"weights": [[1, 255]]}, r"weights\[0, 1\] = 255: must be within int8"),
        ({"thresholds": [[0, 0]]}, r"thresholds have shape \(1, 2\): must be \(1, 1\)"),
    ],
)
def test_other_arrays(changes, message):
    fields = {"weights": [[1, -1]], "thresholds": [[0]], "polarity": [[1]], "group_sizes": [2]}
    with pytest.raises(NetworkError, match=message):
        Dense(combine=Combine.ADD, output="sign", **(fields | changes))
