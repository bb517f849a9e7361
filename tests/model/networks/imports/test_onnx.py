"""ONNX graphs against ONNX's own reference evaluator in float64, decision by decision."""

from __future__ import annotations

import numpy as np
import pytest

from bridgebnn.model.networks import golden
from bridgebnn.model.networks.imports import ImportFailure, import_network, load_network
from tests.model.networks.imports.graphs import FINN, QONNX, Graph


def signs(rng, *shape):
    return rng.choice([-1.0, 1.0], shape)


def all_pixels(rng, count, n):
    """Images of random bytes, 0 and 255 among them."""
    images = rng.integers(0, 256, (count, n))
    images[0], images[1] = 0, 255
    return images


def compare(graph: Graph, path, images, *, scale=255.0, threshold=128):
    """Scores and classes of golden against the graph's own, for pixels 0..255."""
    network = import_network(graph.save(path))
    reference = graph.evaluate(images / scale)
    ours = golden.forward(network, (images >= threshold).astype(np.uint8))
    said = network.meta["import"]
    assert said["pixel_threshold"] == threshold
    np.testing.assert_allclose(
        ours.scores * said["score_scale"] + said["score_offset"], reference, rtol=1e-9, atol=1e-9
    )
    return network


def input_bits(graph: Graph) -> Graph:
    return graph.node("Mul", 2.0).node("Sub", 1.0).node("BipolarQuant", 1.0, domain=QONNX)


GAINS = [1.0, -1.0, 1e-12, -1e-12, 0.0, 3.7, -0.2, 1e6]


@pytest.mark.parametrize("epsilon", [1e-5, 0.3])
def test_batch_norm_of_every_gain(tmp_path, epsilon):
    """Negative, tiny and zero gains; biases that make neurons constant, and some exactly on an integer."""
    rng = np.random.default_rng(1)
    n, hidden = 21, 64
    gain = np.array(GAINS * 8)
    bias = (
        rng.normal(0, 2, hidden) * np.where(rng.random(hidden) < 0.3, 100, 1) * np.abs(gain).clip(1e-13, 10)
    )
    mean = np.where(rng.random(hidden) < 0.5, rng.integers(-9, 10, hidden), rng.normal(0, 4, hidden))
    bias[:16] = 0  # decisions exactly at the mean
    variance = rng.uniform(0, 9, hidden)
    graph = input_bits(Graph((n,)))
    graph.node("MatMul", signs(rng, n, hidden))
    graph.node("BatchNormalization", gain, bias, mean, variance, epsilon=epsilon)
    graph.node("BipolarQuant", 1.0, domain=QONNX).node("MatMul", signs(rng, hidden, 10))
    network = compare(graph, tmp_path / "g.onnx", all_pixels(rng, 400, n))
    assert (network.operations[0].polarity < 0).sum() > 10


def test_finn_style(tmp_path):
    """Unsqueeze and Squeeze round the batch norm, MultiThreshold as quantiser, scalar affine and TopK at the end."""
    rng = np.random.default_rng(2)
    n, hidden = 30, 16
    graph = (
        Graph((1, 5, 6)).node("Div", 1.0).node("Reshape", np.array([1, -1])).node("Mul", 2.0).node("Sub", 1.0)
    )
    graph.nodes[1].input[1] = graph.constant(np.array([-1, n]))
    quantise = {"domain": FINN, "out_scale": 2.0, "out_bias": -1.0, "out_dtype": "BIPOLAR"}
    graph.node("MultiThreshold", np.array([[0.0]]), **quantise)
    graph.node("MatMul", signs(rng, n, hidden)).node("Mul", np.array(0.1)).node("Unsqueeze", axes=[2])
    graph.nodes[-1].input[:] = graph.nodes[-1].input[:1]
    graph.node("BatchNormalization", *(rng.normal(0, 1, (3, hidden))), rng.uniform(0.1, 2, hidden))
    graph.node("Squeeze", axes=[2])
    graph.node("MultiThreshold", np.array([[0.0]]), **quantise)
    graph.node("MatMul", signs(rng, hidden, 10)).node("Sub", np.array([0.4])).node("Div", np.array([17.8]))
    images = all_pixels(rng, 300, n)
    network = import_network(graph.save(tmp_path / "f.onnx"))
    reference = graph.evaluate((images / 255).reshape(-1, 1, 5, 6))
    ours = golden.forward(network, (images >= 128).astype(np.uint8))
    assert (ours.classes == reference.argmax(axis=1)).all()
    graph.node("TopK", np.array([1]), axis=-1, largest=1, sorted=1)
    assert import_network(graph.save(tmp_path / "t.onnx")).n_out == 10


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_latent_weights_and_unipolar_bits(tmp_path, scale):
    """Float weights behind a quantiser with a scale, Gemm with transB and bias, activations of {0, 1}."""
    rng = np.random.default_rng(3)
    n, hidden = 25, 12
    graph = input_bits(Graph((n,)))
    latent = rng.normal(0, 1, (hidden, n))
    graph.nodes.append(_quantised(graph, latent, scale, "w0"))
    graph.node("Gemm", "w0", rng.normal(0, 2, hidden), transB=1)
    graph.node("MultiThreshold", np.array([[0.3]]), domain=FINN)
    graph.nodes.append(_quantised(graph, rng.normal(0, 1, (10, hidden)), scale, "w1"))
    graph.node("Gemm", "w1", transB=1)
    images = all_pixels(rng, 300, n)
    network = compare(graph, tmp_path / "g.onnx", images)
    assert network.meta["import"]["score_scale"] == pytest.approx(scale / 2)


def _quantised(graph: Graph, latent, scale, name):
    from onnx import helper

    inputs = [graph.constant(latent), graph.constant(scale)]
    return helper.make_node("BipolarQuant", inputs, [name], name=name, domain=QONNX)


def test_sign_of_zero_is_read_from_the_file(tmp_path):
    """ONNX's Sign gives 0 at 0; where a threshold behind it makes a bit of that, the bit is the file's."""
    rng = np.random.default_rng(4)
    n = 20  # even: the dot product reaches 0
    graph = input_bits(Graph((n,))).node("MatMul", signs(rng, n, 8)).node("Sign")
    with pytest.raises(ImportFailure, match=r"MatMul MatMul_5: sign\(0\) = 0 can occur"):
        import_network(graph.node("MatMul", signs(rng, 8, 10)).save(tmp_path / "a.onnx"))
    graph = input_bits(Graph((n,))).node("MatMul", signs(rng, n, 8)).node("Sign")
    graph.node("BipolarQuant", 1.0, domain=QONNX).node("MatMul", signs(rng, 8, 10))
    compare(graph, tmp_path / "b.onnx", all_pixels(rng, 300, n))
    odd = (
        input_bits(Graph((21,)))
        .node("MatMul", signs(rng, 21, 8))
        .node("Sign")
        .node("MatMul", signs(rng, 8, 10))
    )
    compare(odd, tmp_path / "c.onnx", all_pixels(rng, 300, 21))


def graph_of(*nodes, n=21, hidden=8):
    rng = np.random.default_rng(5)
    graph = input_bits(Graph((n,))).node("MatMul", signs(rng, n, hidden))
    for op, constants, attributes in nodes:
        graph.node(op, *constants, **attributes)
    return graph.node("BipolarQuant", 1.0, domain=QONNX).node("MatMul", signs(rng, hidden, 10))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (lambda: graph_of(("Relu", (), {})), r"Relu Relu_4: not supported; what is: Add, ArgMax"),
        (
            lambda: graph_of(("Mul", (np.ones(5),), {})),
            r"constant of shape \(5,\): must be one number, or one for each",
        ),
        (lambda: graph_of(n=21).node("Add", np.arange(10.0) / 3), r"not one rising affine function"),
        (lambda: graph_of(n=21).node("Mul", -1.0), r"not one rising affine function"),
        (
            lambda: input_bits(Graph((3,))).node("MatMul", np.array([[0.5, 1], [1, 1], [1, 1]])),
            r"a chip has nothing to do: MatMul MatMul_3 has real weights",
        ),
        (
            lambda: Graph((3,)).node("MatMul", np.ones((3, 2))),
            r"a chip has nothing to do: MatMul MatMul_0 has real weights, or reads values that are no bits",
        ),
        (lambda: input_bits(Graph((3,))), r"the output comes from no binarized layer"),
    ],
)
def test_refused_by_name_and_place(graph, message, tmp_path):
    path = graph().save(tmp_path / "g.onnx")
    with pytest.raises(ImportFailure, match=message) as caught:
        import_network(path)
    assert str(caught.value).startswith(str(path))


def test_other_files(tmp_path):
    with pytest.raises(ImportFailure, match=r"x\.txt: cannot tell what it holds: must end in \.onnx"):
        import_network(tmp_path / "x.txt")
    (tmp_path / "x.onnx").write_bytes(b"no such thing")
    with pytest.raises(ImportFailure, match=r"x\.onnx: is no ONNX file"):
        load_network(tmp_path / "x.onnx")
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "absent.onnx")
