"""Real-valued first and last layers of foreign files as host layers, against ONNX's reference evaluator in float64."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.model.networks import golden
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.imports import ImportFailure, import_network
from bridgebnn.model.networks.imports.real_layers import RealLayer, grid
from bridgebnn.model.networks.network import Network

from .graphs import QONNX, Graph
from .test_onnx import GAINS, input_bits, signs

COUNT = 200


def real(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights as files have them, in float32."""
    return rng.normal(0, 0.1, shape).astype(np.float32).astype(np.float64)


def norm(graph: Graph, rng: np.random.Generator, n: int) -> Graph:
    gain = np.resize(GAINS, n)
    bias = rng.normal(0, 0.5, n) * np.abs(gain).clip(1e-13, 10)
    return graph.node(
        "BatchNormalization", gain, bias, rng.normal(0, 0.3, n), rng.uniform(0.1, 2, n), epsilon=1e-4
    )


def quantise(graph: Graph) -> Graph:
    return graph.node("BipolarQuant", 1.0, domain=QONNX)


def compare(graph: Graph, path: Path, rng: np.random.Generator, input_range: str | None = None) -> Network:
    """Every score of golden is the graph's, for pixels that the network's own encoding takes."""
    images = rng.integers(0, 256, (COUNT, *graph.shape)).astype(np.uint8)
    images[0], images[1] = 0, 255
    network = import_network(graph.save(path), input_range=input_range)
    given = images / 255 if input_range is None else images.astype(np.float64)
    reference = graph.evaluate(given)
    last = images.transpose(0, 2, 3, 1) if len(graph.shape) == 3 else images
    ours = golden.forward(network, network.encoding(last))
    said = network.meta["import"]
    found = ours.scores * said["score_scale"] + said["score_offset"]
    np.testing.assert_allclose(found, reference, rtol=1e-9, atol=1e-9)
    assert (ours.classes == reference.argmax(axis=1)).all()
    assert len(np.unique(ours.classes)) > 1
    return network


@pytest.mark.parametrize("input_range", [None, "byte"])
def test_first_and_last_layer(tmp_path: Path, input_range: str | None) -> None:
    rng = np.random.default_rng(1)
    graph = Graph((30,))
    graph.node("Mul", 1.0 if input_range is None else 1 / 255).node("Sub", 0.5).node(
        "MatMul", real(rng, 30, 40)
    )
    quantise(norm(graph, rng, 40)).node("MatMul", signs(rng, 40, 24))
    quantise(norm(graph, rng, 24)).node("MatMul", real(rng, 24, 5)).node("Add", real(rng, 5))
    network = compare(graph, tmp_path / "g.onnx", rng, input_range)
    assert [o.kind for o in network.operations] == ["host", "dense", "host"]
    assert network.encoding == Encoding(shape=(30,), thresholds=(), planes=8)
    notes = [n for n in network.meta["import"]["notes"] if "a layer for the host" in n]
    assert [n.split(":")[0] for n in notes] == ["MatMul MatMul_2", "MatMul MatMul_8"]


def test_real_weights_over_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    graph = input_bits(Graph((22,))).node("MatMul", real(rng, 22, 40))
    quantise(norm(graph, rng, 40)).node("MatMul", signs(rng, 40, 5))
    network = compare(graph, tmp_path / "g.onnx", rng)
    assert [o.kind for o in network.operations] == ["host", "dense"]
    assert network.encoding.rule == "threshold:128"


def test_binary_weights_over_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    graph = Graph((22,)).node("Sub", 0.5).node("MatMul", signs(rng, 22, 40))
    quantise(norm(graph, rng, 40)).node("MatMul", signs(rng, 40, 5))
    network = compare(graph, tmp_path / "g.onnx", rng)
    assert [o.kind for o in network.operations] == ["host", "dense"]
    assert "exact" in " ".join(network.meta["import"]["notes"])


@pytest.mark.parametrize("order", ["norm pool quantise", "norm quantise pool", "pool norm quantise"])
@pytest.mark.parametrize("centred", [False, True])
def test_convolution(tmp_path: Path, order: str, centred: bool) -> None:
    """Padded by 0 in the file's own values; falling decisions behind pooling."""
    rng = np.random.default_rng(4)
    graph = Graph((2, 9, 8))
    if centred:
        graph.node("Sub", 0.5)
    graph.node("Conv", real(rng, 16, 2, 3, 3), pads=[1, 1, 1, 1], strides=[1, 1])
    for step in order.split():
        if step == "pool":
            graph.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        else:
            graph = norm(graph, rng, 16) if step == "norm" else quantise(graph)
    graph.node("Conv", signs(rng, 12, 16, 3, 3))
    quantise(norm(graph, rng, 12)).node("Flatten").node("MatMul", real(rng, 12 * 2 * 2, 5))
    network = compare(graph, tmp_path / "g.onnx", rng)
    assert [o.kind for o in network.operations] == ["host_convolution", "convolution", "host"]
    assert network.operations[0].pad == (0 if centred else -255)  # type: ignore[attr-defined]


def test_two_real_layers_in_front(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    graph = quantise(norm(Graph((20,)).node("MatMul", real(rng, 20, 24)), rng, 24))
    quantise(norm(graph.node("MatMul", real(rng, 24, 24)), rng, 24)).node("MatMul", signs(rng, 24, 5))
    network = compare(graph, tmp_path / "g.onnx", rng)
    assert [o.kind for o in network.operations] == ["host", "host", "dense"]


def middle(rng: np.random.Generator) -> Graph:
    graph = quantise(input_bits(Graph((9,))).node("MatMul", signs(rng, 9, 7)))
    return quantise(graph.node("MatMul", real(rng, 7, 7))).node("MatMul", signs(rng, 7, 3))


def not_affine(rng: np.random.Generator) -> Graph:
    graph = quantise(input_bits(Graph((9,))).node("MatMul", signs(rng, 9, 7)))
    return graph.node("MatMul", real(rng, 7, 5)).node("BipolarQuant", 1.0, domain=QONNX)


def padded(rng: np.random.Generator) -> Graph:
    graph = Graph((1, 6, 6)).node("Sub", 0.5)
    graph.node("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array(0.123))
    return quantise(graph.node("Conv", real(rng, 4, 1, 3, 3)))


def alone(rng: np.random.Generator) -> Graph:
    return Graph((6,)).node("MatMul", real(rng, 6, 3))


def nothing(rng: np.random.Generator) -> Graph:
    return quantise(Graph((6,)).node("MatMul", np.zeros((6, 3)))).node("MatMul", signs(rng, 3, 2))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            middle,
            r"MatMul MatMul_5: has real weights and stands between binarized layers, before MatMul MatMul_7",
        ),
        (not_affine, r"scores are not affine in the sums of the last layer, MatMul MatMul_5"),
        (padded, r"Conv Conv_2: pads with 0\.123, between -0\.5 and 0\.5: must be one of the values"),
        (alone, r"a chip has nothing to do: MatMul MatMul_0 has real weights"),
        (nothing, r"MatMul_0: weights that add up to 0: must be finite, and not all 0"),
    ],
)
def test_refused(graph, message: str, tmp_path: Path) -> None:
    path = graph(np.random.default_rng(6)).save(tmp_path / "g.onnx")
    with pytest.raises(ImportFailure, match=message):
        import_network(path)


def test_binarize_is_refused_where_pixels_enter(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    graph = quantise(Graph((6,)).node("MatMul", real(rng, 6, 9))).node("MatMul", signs(rng, 9, 3))
    with pytest.raises(ImportFailure, match="reads pixels as they are, and the host evaluates it"):
        import_network(graph.save(tmp_path / "g.onnx"), binarize="threshold")


def test_thresholds_on_the_grid_are_exact(tmp_path: Path) -> None:
    """A decision turns at the very integer at which the file's own float64 steps turn, for every gain."""
    rng = np.random.default_rng(8)
    weights = real(rng, 16, 8)
    graph = norm(Graph((16,)).node("MatMul", weights), rng, 8)
    quantise(graph).node("MatMul", signs(rng, 8, 3))
    layer = import_network(graph.save(tmp_path / "g.onnx")).operations[0]
    step = Fraction(1, 2**layer.fraction)  # type: ignore[attr-defined]
    tail = Graph((8,))
    tail.constants, tail.nodes = graph.constants, [graph.nodes[1]]  # the batch norm alone
    tail.nodes[0].input[0] = "input"
    tail.last = tail.nodes[0].output[0]
    total = weights.sum(axis=0)
    for neuron, threshold in enumerate(layer.thresholds.tolist()):  # type: ignore[attr-defined]
        if abs(threshold) * step > 10:  # constant
            continue
        rising = np.sign(layer.weights[neuron] @ weights[:, neuron])  # type: ignore[attr-defined]
        found = []
        for sums in (threshold, threshold - 1):
            # as the import does it: d steps of the grid, of values 2v - 255, half a unit and 1/255 each
            value = 0.5 / 255 * float(step) * (rising * sums) + 0.5 * total[neuron]
            found.append(tail.evaluate(np.full((1, 8), value))[0, neuron] >= 0)
        assert found == [True, False]


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6, 3e-39])
def test_the_grid_is_as_fine_as_float64_allows(scale: float) -> None:
    weights = np.random.default_rng(9).normal(0, scale, (4, 100))
    layer = RealLayer(weights=weights, place="x", planes=8, fraction=grid(weights, 255))
    reach = np.abs(layer.whole()).sum(axis=1).max() * 255
    assert 2**48 < reach < 2**51
    layer.__class__(**{**vars(layer), "offsets": np.zeros(4)}).operation()
