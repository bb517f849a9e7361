"""Presets end to end on the RTL: every bit of every map, every score; golden, or the model of a real chip."""

from __future__ import annotations

import pytest

from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.runner import infer


@pytest.mark.icarus
def test_digits_programmed_over_the_bus() -> None:
    report = infer(InferJob(preset="digits", sim="icarus", images=3, program="bus"), timeout_s=600.0)
    assert (report.golden_mismatches, report.model_mismatches) == (0, 0)
    assert report.row_reads == 3 * 138
    assert report.accuracy is not None
    assert report.accuracy >= 0.6


@pytest.mark.slow
@pytest.mark.verilator
@pytest.mark.parametrize(
    ("preset", "macro", "images"),
    [
        ("fashion-conv", "ideal", 3),
        ("fashion-conv", "real", 3),
        ("mnist1025", "ideal", 3),
        pytest.param("fashion-conv", "ideal", 10, marks=pytest.mark.long),
        pytest.param("fashion-conv", "real", 10, marks=pytest.mark.long),
        pytest.param("mnist1025", "ideal", 10, marks=pytest.mark.long),
        pytest.param("mnist1025", "real", 10, marks=pytest.mark.long),
    ],
)
def test_large_networks(preset: str, macro: str, images: int) -> None:
    report = infer(
        InferJob(preset=preset, sim="verilator", images=images, program="preload", macro=macro),
        timeout_s=1800.0,
    )
    assert report.model_mismatches == 0
    assert macro == "real" or report.golden_mismatches == 0
    assert report.accuracy is not None
    assert report.accuracy >= (0.7 if images >= 10 else 0.6)
    assert len(report.host_layers) == (2 if preset == "mnist1025" else 0)
