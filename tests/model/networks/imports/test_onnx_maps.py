"""Convolutions, pooling and orders of channels in ONNX graphs, against ONNX's own reference evaluator in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridgebnn.model.networks import golden
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.imports import ImportFailure, import_network
from bridgebnn.model.networks.network import Network

from .graphs import FINN, QONNX, Graph
from .test_onnx import GAINS, input_bits, signs

COUNT = 120


def norm(graph: Graph, rng: np.random.Generator, n: int, scale: float = 4.0) -> Graph:
    """Batch norm with negative, tiny and zero gains, and some decisions exactly on an integer."""
    gain = np.resize(GAINS, n)
    mean = np.where(rng.random(n) < 0.5, rng.integers(-3, 4, n), rng.normal(0, scale, n))
    bias = np.where(rng.random(n) < 0.5, 0, rng.normal(0, 1, n)) * np.abs(gain).clip(1e-13, 10)
    return graph.node("BatchNormalization", gain, bias, mean, rng.uniform(0.1, 9, n), epsilon=1e-4)


def quantise(graph: Graph) -> Graph:
    return graph.node("BipolarQuant", 1.0, domain=QONNX)


def pad(graph: Graph, width: int, value: float = -1.0) -> Graph:
    pads = np.array([0, 0, width, width, 0, 0, width, width])
    return graph.node("Pad", pads, np.array(value))


def compare(graph: Graph, path: Path, rng: np.random.Generator) -> Network:
    """Every score of golden is the graph's."""
    images = rng.integers(0, 256, (COUNT, *graph.shape)).astype(np.uint8)
    images[0], images[1] = 0, 255
    network = import_network(graph.save(path))
    reference = graph.evaluate(images / 255)
    ours = golden.forward(network, network.encoding(images.transpose(0, 2, 3, 1)))
    said = network.meta["import"]
    np.testing.assert_allclose(
        ours.scores * said["score_scale"] + said["score_offset"], reference, rtol=1e-9, atol=1e-9
    )
    assert len(np.unique(ours.classes)) > 1
    return network


@pytest.mark.parametrize("order", ["norm pool quantise", "norm quantise pool", "pool norm quantise"])
@pytest.mark.parametrize(("channels", "stride", "width"), [(1, 1, 1), (3, 1, 0), (2, 2, 2)])
def test_convolutions(tmp_path: Path, channels: int, stride: int, width: int, order: str) -> None:
    """Pooling anywhere; behind it, a falling decision is the complement of an OR."""
    rng = np.random.default_rng(channels)
    graph = input_bits(Graph((channels, 11, 9)))
    if width:
        pad(graph, width)
    graph.node("Conv", signs(rng, 16, channels, 3, 3), strides=[stride, stride])
    for part in order.split():
        {"norm": lambda g: norm(g, rng, 16), "pool": pool, "quantise": quantise}[part](graph)
    quantise(norm(graph.node("Conv", 0.1 * signs(rng, 8, 16, 2, 2), rng.normal(0, 0.2, 8)), rng, 8, 0.5))
    graph.node("Flatten", axis=1)
    n = int(np.prod(graph.evaluate(np.zeros((1, *graph.shape))).shape))
    quantise(norm(graph.node("MatMul", signs(rng, n, 20)), rng, 20)).node("MatMul", signs(rng, 20, 10))
    network = compare(graph, tmp_path / "g.onnx", rng)
    first, second = network.operations[:2]
    assert (first.kind, first.stride, first.padding, first.pool) == ("convolution", stride, width, 2)
    assert (second.kind, second.pool) == ("convolution", 1)
    assert network.encoding == Encoding(shape=(11, 9, channels), thresholds=(128,))


def test_pooled_falling_decisions_in_front_of_dense_layers_and_padding(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    graph = norm(pool(conv(rng, 8, 2, 3, 3)), rng, 8)
    quantise(graph).node("Flatten", axis=1).node("MatMul", signs(rng, 32, 10))
    compare(graph, tmp_path / "g.onnx", rng)
    graph = pad(quantise(norm(pool(conv(rng, 8, 2, 3, 3)), rng, 8)), 1).node("Conv", signs(rng, 4, 8, 3, 3))
    with pytest.raises(
        ImportFailure, match="Conv_8: a padded convolution behind a pooled falling decision is not"
    ):
        import_network(graph.node("Flatten", axis=1).save(tmp_path / "p.onnx"))


def pool(graph: Graph) -> Graph:
    return graph.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])


def test_channels_last(tmp_path: Path) -> None:
    """Transposed for thresholds and per-channel arithmetic, and flattened in that order."""
    rng = np.random.default_rng(3)
    graph = input_bits(Graph((2, 6, 6))).node("Conv", signs(rng, 8, 2, 3, 3))
    graph.node("Transpose", perm=[0, 2, 3, 1])
    graph.node("Mul", np.resize(GAINS, 8)).node("Add", rng.normal(0, 2, (1, 1, 1, 8)))
    quantise(graph).node("Transpose", perm=[0, 3, 1, 2])
    pool(graph).node("Transpose", perm=[0, 2, 3, 1]).node("Reshape", np.array([-1, 32]))
    graph.node("MatMul", signs(rng, 32, 10))
    compare(graph, tmp_path / "g.onnx", rng)


def test_shape_arithmetic_in_front_of_a_flatten(tmp_path: Path) -> None:
    """As PyTorch exports ``x.view(x.size(0), -1)``."""
    rng = np.random.default_rng(4)
    graph = input_bits(Graph((3, 5, 5)))
    quantise(graph.node("Conv", signs(rng, 7, 3, 2, 2), rng.normal(0, 3, 7)))
    tensor = graph.last
    graph.node("Shape").node("Gather", np.array(0)).node("Unsqueeze", axes=[0]).node(
        "Concat", np.array([-1]), axis=0
    )
    shape, graph.last = graph.last, tensor
    graph.node("Reshape", shape).node("Gemm", signs(rng, 10, 112), transB=1)
    compare(graph, tmp_path / "g.onnx", rng)


def test_multi_threshold_per_channel_and_bits_of_0_and_1(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    graph = input_bits(Graph((2, 7, 6))).node("Conv", signs(rng, 6, 2, 3, 3))
    graph.node("MultiThreshold", rng.normal(0, 3, (6, 1)), domain=FINN)  # 0 and 1
    pad(graph, 1, 0.0).node("Conv", signs(rng, 5, 6, 3, 3))
    norm(graph, rng, 5)
    quantise(graph).node("Flatten", axis=1).node("MatMul", signs(rng, 100, 10))
    network = compare(graph, tmp_path / "g.onnx", rng)
    assert network.operations[1].padding == 1


@pytest.mark.parametrize(("binarize", "channels"), [("thermometer:3", 1), ("thermometer:2", 3), (None, 2)])
@pytest.mark.parametrize("low", [-1, 0])
def test_bits_enter(tmp_path: Path, binarize: str | None, channels: int, low: int) -> None:
    """A network that takes bits: how an image becomes them is told, and kept."""
    rng = np.random.default_rng(6)
    levels = int((binarize or ":1").split(":")[1])
    graph = Graph((channels * levels, 5, 4))
    quantise(norm(graph.node("Conv", signs(rng, 8, channels * levels, 2, 2)), rng, 8))
    graph.node("Flatten", axis=1).node("MatMul", signs(rng, 96, 10))
    network = import_network(
        graph.save(tmp_path / "g.onnx"), input_range="bipolar" if low else "bit", binarize=binarize
    )
    assert network.encoding.shape == (5, 4, channels)
    images = rng.integers(0, 256, (COUNT, 5, 4, channels))
    bits = network.encoding(images)
    maps = bits.reshape(COUNT, 5, 4, -1).transpose(0, 3, 1, 2)
    reference = graph.evaluate(np.where(maps, 1.0, low))
    assert (golden.forward(network, bits).scores * network.meta["import"]["score_scale"] == reference).all()


def conv(rng: np.random.Generator, *shape: int, **attributes: Any) -> Graph:
    return input_bits(Graph((2, 6, 6))).node("Conv", signs(rng, *shape), **attributes)


RNG = np.random.default_rng(7)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            lambda: conv(RNG, 4, 2, 3, 3, pads=[1, 1, 1, 1]),
            r"Conv_3: pads with 0, between bits of -1 and 1: padding is",
        ),
        (
            lambda: pad(input_bits(Graph((2, 6, 6))), 1, 0.5).node("Conv", signs(RNG, 4, 2, 3, 3)),
            "pads with 0.5",
        ),
        (lambda: conv(RNG, 4, 2, 3, 2), r"kernel 3 x 2: must be square"),
        (lambda: conv(RNG, 4, 2, 3, 3, strides=[1, 2]), r"strides \[1, 2\]: must be equal"),
        (lambda: conv(RNG, 4, 1, 3, 3, group=2), "groups and dilations are not supported"),
        (lambda: conv(RNG, 4, 2, 3, 3, dilations=[2, 2]), "groups and dilations are not supported"),
        (lambda: conv(RNG, 4, 2, 7, 7), r"kernel 7 does not fit into a map of \(6, 6\)"),
        (lambda: conv(RNG, 4, 3, 3, 3), r"3 channels, but a map of shape \(2, 6, 6\) comes in"),
        (lambda: conv(RNG, 4, 2, 3, 3, auto_pad="SAME_UPPER"), "auto_pad is not supported: give pads"),
        (
            lambda: quantise(conv(RNG, 4, 2, 3, 3)).node("MaxPool", kernel_shape=[3, 3], strides=[2, 2]),
            r"window 3, stride 2, pads: must be windows side by side",
        ),
        (
            lambda: quantise(conv(RNG, 4, 2, 3, 3)).node("Transpose", perm=[0, 3, 2, 1]),
            r"Transpose_5: perm \[0, 3, 2, 1\]: must move the channels of a map last, or first again",
        ),
        (
            lambda: (
                quantise(conv(RNG, 4, 2, 3, 3))
                .node("Transpose", perm=[0, 2, 3, 1])
                .node("Conv", signs(RNG, 4, 4, 1, 1))
            ),
            r"Conv_6: reads a map of channels last",
        ),
        (
            lambda: quantise(conv(RNG, 4, 2, 3, 3)),
            "the output comes from no binarized layer|scores come from a map",
        ),
    ],
)
def test_refused_by_name_and_place(graph: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ImportFailure, match=message):
        import_network(graph().save(tmp_path / "g.onnx"))


def test_rules_that_do_not_fit(tmp_path: Path) -> None:
    path = conv(RNG, 4, 2, 3, 3).node("Flatten", axis=1)
    path = quantise(path).node("MatMul", signs(RNG, 64, 10)).save(tmp_path / "g.onnx")
    with pytest.raises(
        ImportFailure, match="the network itself has a threshold of 128 on its pixels: leave it out"
    ):
        import_network(path, binarize="thermometer:3")
    assert import_network(path, binarize="threshold").encoding.thresholds == (128,)
    with pytest.raises(ImportFailure, match="input range 'grey': must be one of unit, byte"):
        import_network(path, input_range="grey")
    graph = quantise(Graph((3, 4, 4)).node("Conv", signs(RNG, 4, 3, 3, 3))).node("Flatten", axis=1)
    path = graph.node("MatMul", signs(RNG, 16, 10)).save(tmp_path / "b.onnx")
    with pytest.raises(ImportFailure, match="3 channels come of no code of 2 levels"):
        import_network(path, input_range="bipolar", binarize="thermometer:2")
