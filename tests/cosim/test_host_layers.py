"""Host layers round the chip: the host sends the bits of the first and makes scores of the bits that come back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cosim import small
from tests.model.networks.hosted import random_hosted

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
