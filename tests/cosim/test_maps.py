"""Convolutional networks on the RTL: every window's bits, every score, on both simulators and attachments."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, Timing, latency
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.tb.checks.scoreboard import InferenceScoreboard
from bridgebnn.tb.runs.controller import generated
from tests.cosim import small
from tests.model.networks.convolutions import random_network

GEOMETRY = Geometry(tiles=3, rows=24, inputs=40, bias=6, map_words=16)
NETWORK = random_network(np.random.default_rng(11), hidden=7)


def run(sim: str, attach: str, count: int = 3, **fields):
    return small.run(
        sim, attach, count, **{"network": NETWORK, "geometry": GEOMETRY, "comparisons": 6} | fields
    )


def cycles(geometry: Geometry, combine: Combine = Combine.ADD) -> int:
    mapping = map_network(NETWORK, geometry, combine=combine)
    return latency.vector_cycles(mapping.descriptors, Timing(), geometry)


@pytest.mark.parametrize("attach", small.ATTACHMENTS)
@pytest.mark.parametrize("sim", small.SIMS)
def test_bit_for_bit(sim, attach, request):
    request.applymarker(sim)
    report = run(sim, attach, program="bus")
    assert (report.golden_mismatches, report.model_mismatches) == (0, 0)
    assert report.row_reads == 3 * (30 * 4 + 24 * 5 + 7 + 4)
    assert report.cycles_per_image == pytest.approx(cycles(GEOMETRY), abs=3)


@pytest.mark.parametrize("combine", Combine)
@pytest.mark.parametrize(
    "sim",
    [
        pytest.param("icarus", marks=pytest.mark.icarus),
        pytest.param("verilator", marks=[pytest.mark.verilator, pytest.mark.long]),
    ],
)
def test_filters_over_several_tiles(sim, combine):
    geometry = dataclasses.replace(GEOMETRY, inputs=20)
    report = run(sim, "prefetch", geometry=geometry, combine=combine)
    assert (report.golden_mismatches, report.model_mismatches) == (0, 0)


@pytest.mark.verilator
@pytest.mark.parametrize("chip", [1, 2])
def test_real_chip_on_both_attachments(chip):
    reports = [
        run("verilator", attach, macro="real", chip=chip, keep_scores=True) for attach in small.ATTACHMENTS
    ]
    assert [report.model_mismatches for report in reports] == [0, 0]
    assert reports[0].scores == reports[1].scores
    assert reports[0].row_reads == reports[1].row_reads


@pytest.mark.icarus
def test_a_map_bit_that_is_lost_is_seen(tmp_path):
    """A controller that forgets the other bits of a word when it writes one into a map."""
    text = generated(GEOMETRY).read_text()
    broken, count = re.subn(r"assign write_word = \w+ \| (\w+);", r"assign write_word = \1;", text)
    assert count == 1
    (tmp_path / "bridgebnn.v").write_text(broken)
    report = run("icarus", "strobe", 1, verilog=tmp_path / "bridgebnn.v")
    assert report.golden_mismatches > 0


def test_scoreboard_wants_every_window():
    mapping = map_network(NETWORK, GEOMETRY)
    board = InferenceScoreboard(np.zeros((1, 90), np.uint8), {}, mapping.programs)
    for layer, program in enumerate(mapping.programs):
        for _ in range(program.windows - (layer == 1)):
            board.observe_inputs(layer, np.zeros(program.n_in, np.uint8))
    with pytest.raises(AssertionError, match="layer 1 was seen 23 times for 1 vectors"):
        board.close()
