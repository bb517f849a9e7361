"""The network format: what it keeps, and the message of every error."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network, NetworkError
from bridgebnn.model.npz import write_npz

SEED = 20240
N_IN, N_HIDDEN, N_OUT = 7, 5, 3


def layer_fields(rng: np.random.Generator, n_in: int, n_out: int, **changes: Any) -> dict[str, Any]:
    """Fields of a legal unsplit sign layer, with ``changes``."""
    return {
        "weights": rng.choice([-1, 1], (n_out, n_in)),
        "thresholds": rng.integers(-n_in, n_in + 1, (1, n_out)),
        "polarity": rng.choice([-1, 1], (1, n_out)),
        "group_sizes": [n_in],
        "combine": Combine.ADD,
        "output": "sign",
        **changes,
    }


def vote_fields(rng: np.random.Generator, **changes: Any) -> dict[str, Any]:
    """Fields of a legal layer whose groups of 3, 3 and 1 inputs vote, with ``changes``."""
    votes = {
        "thresholds": np.array([[1] * N_HIDDEN, [-1] * N_HIDDEN, [0] * N_HIDDEN]),
        "polarity": np.ones((3, N_HIDDEN), dtype=int),
        "group_sizes": [3, 3, 1],
        "combine": Combine.VOTE,
    }
    return layer_fields(rng, N_IN, N_HIDDEN, **votes | changes)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


@pytest.fixture
def network(rng: np.random.Generator) -> Network:
    """A voting layer and a score layer whose two groups are added."""
    scores = layer_fields(rng, N_HIDDEN, N_OUT, group_sizes=[3, 2], output="score")
    layers = (Dense(**vote_fields(rng)), Dense(**scores))
    return Network(name="small", operations=layers, meta={"seed": SEED, "test_accuracy": 0.5})


def entries(path: Path) -> dict[str, Any]:
    """Content of a network file, to be changed and written again."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def assert_same(left: Network, right: Network) -> None:
    assert (left.name, left.meta, len(left.operations)) == (right.name, right.meta, len(right.operations))
    for a, b in zip(left.operations, right.operations, strict=True):
        for field in dataclasses.fields(Dense):
            x, y = getattr(a, field.name), getattr(b, field.name)
            assert np.array_equal(x, y), field.name
            assert getattr(x, "dtype", None) == getattr(y, "dtype", None), field.name


def test_sizes_and_slices(network: Network) -> None:
    vote, score = network.operations
    assert (network.n_in, network.n_out) == (N_IN, N_OUT)
    assert (vote.n_in, vote.n_out, vote.n_groups) == (N_IN, N_HIDDEN, 3)
    assert vote.group_slices == (slice(0, 3), slice(3, 6), slice(6, 7))
    assert score.group_slices == (slice(0, 3), slice(3, 5))


def test_arrays_have_the_stated_types_and_are_read_only(network: Network) -> None:
    for layer in network.operations:
        assert layer.weights.dtype == layer.polarity.dtype == np.int8
        assert layer.thresholds.dtype == layer.group_sizes.dtype == np.int32
        with pytest.raises(ValueError, match="read-only"):
            layer.weights[0, 0] = 1


def test_layer_copies_what_it_is_given(rng: np.random.Generator) -> None:
    weights = np.ones((N_OUT, N_IN), dtype=np.int8)
    layer = Dense(**layer_fields(rng, N_IN, N_OUT, weights=weights))
    weights[0, 0] = -1
    assert layer.weights[0, 0] == 1


def test_round_trip(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "small.npz")
    assert_same(Network.load(tmp_path / "small.npz"), network)
    assert [path.name for path in tmp_path.iterdir()] == ["small.npz"]


def test_saved_bytes_do_not_change(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "a.npz")
    Network.load(tmp_path / "a.npz").save(tmp_path / "b.npz")
    dataclasses.replace(network, meta=dict(reversed(network.meta.items()))).save(tmp_path / "c.npz")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.create_system for info in archive.infolist()} == {3}


def test_an_uncompressed_file_is_the_same_network(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "plain.npz", compressed=False)
    with zipfile.ZipFile(tmp_path / "plain.npz") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert_same(Network.load(tmp_path / "plain.npz"), network)


def test_numpy_reads_the_documented_keys(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "small.npz")
    content = entries(tmp_path / "small.npz")
    names = ("kind", "weights", "thresholds", "polarity", "group_sizes", "combine", "output")
    keys = {f"operation{i}_{name}" for i in range(2) for name in names}
    assert (
        set(content)
        == {"format", "version", "name", "meta", "operations", "input_shape", "input_thresholds"} | keys
    )
    assert (content["format"], content["version"], content["operations"]) == ("bridgebnn-network", 2, 2)
    assert (content["operation0_combine"], content["operation1_output"]) == (1, "score")
    assert content["operation0_kind"] == content["operation1_kind"] == "dense"


def as_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """The same file as version 1 had it: dense layers, no kinds."""
    old = {key.replace("operation", "layer"): value for key, value in content.items() if "_kind" not in key}
    old = {key: value for key, value in old.items() if not key.startswith("input_")}
    return old | {"version": 1}


def test_version_1_still_loads(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "new.npz")
    old = as_version_1(entries(tmp_path / "new.npz"))
    assert {"layers", "layer0_weights"} < set(old)
    write_npz(tmp_path / "old.npz", old)
    assert_same(Network.load(tmp_path / "old.npz"), network)
    Network.load(tmp_path / "old.npz").save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "new.npz").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 3}, "layer 2: key 'layer2_weights' is missing"),
        ({"layers": 1}, "unknown key 'layer1_combine' in a file of 1 layers"),
        ({"layer0_kind": "dense"}, "unknown key 'layer0_kind' in a file of 2 layers"),
        ({"layer1_combine": 7}, "layer 1: combine = 7: must be 0 (ADD) or 1 (VOTE)"),
    ],
)
def test_errors_of_version_1(network: Network, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "broken.npz"
    network.save(path)
    write_npz(path, as_version_1(entries(path)) | changes)
    with pytest.raises(NetworkError, match=re.escape(f"{path}: {message}")):
        Network.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"combine": 2}, "combine = 2: must be 0 (ADD) or 1 (VOTE)"),
        ({"output": "max"}, "output = 'max': must be 'sign' or 'score'"),
        (
            {"weights": np.ones(7, int)},
            "weights have shape (7,): must be (n_out, n_in), with at least one of each",
        ),
        (
            {"weights": np.ones((5, 0), int)},
            "weights have shape (5, 0): must be (n_out, n_in), with at least",
        ),
        ({"weights": np.ones((5, 7))}, "weights are float64: must be integers, stored as int8"),
        ({"weights": np.full((5, 7), 0)}, "weights[0, 0] = 0: must be -1 or +1"),
        ({"weights": np.full((5, 7), -128)}, "weights[0, 0] = -128: must be -1 or +1"),
        ({"weights": np.full((5, 7), 257)}, "weights[0, 0] = 257: must be within int8"),
        ({"polarity": np.full((3, 5), 3)}, "polarity[0, 0] = 3: must be -1 or +1"),
        (
            {"polarity": np.ones((1, 5), int)},
            "polarity have shape (1, 5): must be (3, 5) in a layer of 5 neurons",
        ),
        (
            {"thresholds": np.ones((3, 4), int)},
            "thresholds have shape (3, 4): must be (3, 5) in a layer of 5 ",
        ),
        (
            {"thresholds": np.array([[0] * 5, [0, 0, 5, 0, 0], [0] * 5])},
            "thresholds[1, 2] = 5: must be from -4 to 4",
        ),
        (
            {"thresholds": np.array([[0] * 5, [0] * 5, [-3] * 5])},
            "thresholds[2, 0] = -3: must be from -2 to 2, ",
        ),
        ({"group_sizes": [3, 3, 2]}, "group_sizes sum to 8: must sum to n_in = 7"),
        ({"group_sizes": [4, 3, 0]}, "group_sizes[2] = 0: must be at least 1"),
        ({"group_sizes": np.zeros(0, int)}, "group_sizes have shape (0,): must be (n_groups,), at least one"),
        ({"group_sizes": [[3, 3, 1]]}, "group_sizes have shape (1, 3): must be (n_groups,), at least one"),
    ],
)
def test_layer_errors(rng: np.random.Generator, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        Dense(**vote_fields(rng, **changes))


def test_add_layer_is_compared_over_all_its_inputs(rng: np.random.Generator) -> None:
    fields = layer_fields(rng, N_IN, 1, group_sizes=[4, 3], thresholds=[[N_IN + 1]])
    assert Dense(**fields).thresholds[0, 0] == N_IN + 1
    with pytest.raises(
        NetworkError, match=re.escape("thresholds[0, 0] = -9: must be from -8 to 8, enough for 7 inputs")
    ):
        Dense(**fields | {"thresholds": [[-9]]})
    with pytest.raises(NetworkError, match=re.escape("thresholds have shape (2, 1): must be (1, 1)")):
        Dense(**fields | {"thresholds": [[0], [0]], "polarity": [[1], [1]]})


def test_network_errors(rng: np.random.Generator) -> None:
    hidden = Dense(**layer_fields(rng, N_IN, N_HIDDEN))
    score = Dense(**layer_fields(rng, N_HIDDEN, N_OUT, output="score"))
    with pytest.raises(NetworkError, match="operations = 0: a network has at least one operation"):
        Network(name="x", operations=())
    with pytest.raises(NetworkError, match="name = '': must be a string that is not empty"):
        Network(name="", operations=(hidden,))
    with pytest.raises(NetworkError, match="operation 1: n_in = 7: must be 5, the n_out of operation 0"):
        Network(name="x", operations=(hidden, hidden))
    with pytest.raises(
        NetworkError, match="operation 0: output = 'score': must be 'sign' before the last operation"
    ):
        Network(name="x", operations=(score, hidden))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "bridgebnn-dataset"}, "format = 'bridgebnn-dataset': must be 'bridgebnn-network'"),
        ({"format": 3}, "key 'format' holds int64 of shape (): must be a single string"),
        ({"format": None}, "key 'format' is missing"),
        ({"version": 3}, "version = 3: this program reads versions 1 to 2"),
        ({"version": [1, 1]}, "key 'version' holds int64 of shape (2,): must be a single integer"),
        ({"meta": "{"}, "meta is not JSON (Expecting property name"),
        ({"meta": "[1]"}, "meta = [1]: must be a JSON object"),
        ({"name": ""}, "name = '': must be a string that is not empty"),
        ({"operations": 0}, "operations = 0: must be at least 1, "),
        (
            {"operations": 10**12},
            "operations = 1000000000000: must be at least 1, every operation with its keys",
        ),
        ({"operations": 3}, "operation 2: key 'operation2_kind' is missing"),
        ({"operations": 1}, "unknown key 'operation1_combine' in a file of 1 operations"),
        ({"operation0_kind": "conv"}, "operation 0: kind = 'conv': must be one of dense"),
        ({"operation0_weights": None}, "operation 0: key 'operation0_weights' is missing"),
        (
            {"operation0_weights": np.zeros((5, 7), np.int8)},
            "operation 0: weights[0, 0] = 0: must be -1 or +1",
        ),
        ({"operation1_group_sizes": [5, 5]}, "operation 1: group_sizes sum to 10: must sum to n_in = 5"),
        ({"operation1_combine": 7}, "operation 1: combine = 7: must be 0 (ADD) or 1 (VOTE)"),
        ({"operation1_output": "logit"}, "operation 1: output = 'logit': must be 'sign' or 'score'"),
        (
            {"operation0_output": "score"},
            "operation 0: output = 'score': must be 'sign' before the last operation",
        ),
    ],
)
def test_file_errors(network: Network, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "broken.npz"
    network.save(path)
    content = entries(path) | changes
    write_npz(path, {key: value for key, value in content.items() if value is not None})
    with pytest.raises(NetworkError, match=re.escape(f"{path}: {message}")):
        Network.load(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=re.escape(f"{tmp_path / 'none.npz'}: no such file")):
        Network.load(tmp_path / "none.npz")
    with pytest.raises(NetworkError, match=re.escape(f"{tmp_path}: cannot be read (Is a directory)")):
        Network.load(tmp_path)


def test_foreign_truncated_and_damaged_files(network: Network, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.npz", tmp_path / "broken.npz"
    network.save(whole)
    content = whole.read_bytes()
    middle = bytearray(content)
    middle[len(content) // 3] ^= 0xFF
    for broken in (b"", b"PK\x03\x04", b"weights: 1, -1", content[: len(content) // 2], bytes(middle)):
        path.write_bytes(broken)
        with pytest.raises(NetworkError, match=re.escape(f"{path}: ")):
            Network.load(path)
    path.write_bytes(content[:-30])
    with pytest.raises(NetworkError, match="not a whole bridgebnn-network file"):
        Network.load(path)


def test_every_truncation_and_many_damages_end_in_a_network_error(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "broken.npz"
    network.save(path)
    content = path.read_bytes()
    rng = np.random.default_rng(SEED)
    for end in rng.integers(0, len(content), 50):
        path.write_bytes(content[:end])
        with pytest.raises(NetworkError):
            Network.load(path)
    for at in rng.integers(0, len(content), 200):
        damaged = bytearray(content)
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            loaded = Network.load(path)
        except NetworkError:
            continue
        assert_same(loaded, network)  # the damage hit a byte that carries nothing, such as a time stamp


def test_pickled_entries_are_refused(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "pickled.npz"
    network.save(path)
    np.savez(path, **entries(path) | {"name": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(NetworkError, match=r"entry 'name\.npy': Object arrays cannot be loaded"):
        Network.load(path)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz(path, {"name": np.array([{"a": 1}], dtype=object)})
