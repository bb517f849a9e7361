"""Host layers round the chip: the host sends the bits of the first and makes scores of the bits that come back."""

from __future__ import annotations

import numpy as np
import pytest

from bridgebnn.model.networks import golden
from bridgebnn.model.networks.imports import import_network
from tests.cosim import small
from tests.model.networks.hosted import random_hosted
from tests.model.networks.imports.graphs import QONNX, Graph

SIZES = (15, 26, 9, 11, 5)  # the layer of 26 inputs takes both tiles


def run(**fields):
    network = random_hosted(np.random.default_rng(3), SIZES)
    return small.run("icarus", "prefetch", 6, network=network, **fields)


@pytest.mark.icarus
@pytest.mark.parametrize("macro", ["ideal", "real"])
def test_scores_are_those_of_golden_or_of_the_model(macro):
    report = run(macro=macro, labels=tuple(range(6)), keep_scores=True)
    assert report.model_mismatches == 0
    assert macro == "real" or report.golden_mismatches == 0
    assert report.row_reads == 6 * (9 + 11)
    assert report.compared == 6 * 3
    assert len(report.host_layers) == 2
    assert np.shape(report.scores) == (6, 5)
    assert report.classes == np.argmax(report.scores, axis=1).tolist()


@pytest.mark.icarus
def test_an_imported_file_with_real_layers_at_both_ends(tmp_path):
    """Pixels of 8 bits enter as they are; the scores are those that ONNX's reference evaluator gives."""
    rng = np.random.default_rng(4)
    graph = Graph((12,)).node("Sub", 0.5).node("MatMul", rng.normal(0, 0.1, (12, 26)))
    for n_in, n_out in ((26, 9), (9, 11)):
        graph.node("BipolarQuant", 1.0, domain=QONNX).node("MatMul", rng.choice([-1.0, 1.0], (n_in, n_out)))
        graph.node("Add", rng.normal(0, 1, n_out))
    graph.node("BipolarQuant", 1.0, domain=QONNX).node("MatMul", rng.normal(0, 0.1, (11, 5)))
    network = import_network(graph.save(tmp_path / "g.onnx"))
    images = rng.integers(0, 256, (6, 12))
    report = small.run(
        "icarus", "prefetch", network=network, images=network.encoding(images), keep_scores=True
    )
    assert report.golden_mismatches == report.model_mismatches == 0
    assert report.compared == 6 * 3
    assert [words.split(",")[0] for words in report.host_layers] == [
        "operation 0: 12 inputs of 8 bits",
        "operation 3: 11 inputs",
    ]
    reference = graph.evaluate(images / 255)
    scale = network.meta["import"]["score_scale"]
    np.testing.assert_allclose(np.array(report.scores) * scale, reference, rtol=1e-9)
    assert report.classes == reference.argmax(axis=1).tolist()
    assert np.array(report.scores).max() > 1 << 40  # more than 32 bits hold
    assert (golden.forward(network, network.encoding(images)).scores == report.scores).all()
