"""Broken chips on the RTL: programmed, looked at, repaired with spares and placement, and golden again."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.simulators import SimulationError
from tests.cosim.test_infer import SAME, SIM_ATTACH, clean, same_as_model

from . import small

GEOMETRY = dataclasses.replace(small.GEOMETRY, spare_columns=2, spare_rows=3, rows=27)
LINES = {
    "word": ["word_open:0:3"],
    "bit": ["bit_open:1:4:P", "bit_open:0:22:N", "bit_open:1:23:P"],  # 23: a bias column
    "stuck": ["source_stuck:0:0:1", "source_stuck:1:9:0"],
    "all": ["word_open:1:2", "word_open:0:24", "bit_open:0:25:P", "source_stuck:0:6:1", "word_open:0:20"],
}


def run(sim, attach, lines, *, macro="ideal", chip=1, **options):
    network = options.pop("network", small.network())
    job = InferJob(
        network=network,
        geometry=GEOMETRY,
        images=small.vectors(6, network.n_in),
        sim=sim,
        attach=attach,
        macro=macro,
        chip=chip,
        comparisons=small.COMPARISONS,
        program="bus",
        repair=True,
        broken_lines=lines,
        **options,
    )
    return infer(job, timeout_s=300.0)


@pytest.mark.icarus
@pytest.mark.parametrize("kind", LINES)
def test_each_kind_of_line(kind):
    clean(run("icarus", "strobe", LINES[kind]))


@pytest.mark.parametrize(("sim", "attach"), SIM_ATTACH)
def test_repaired_chip_is_golden(sim, attach):
    result = run(sim, attach, LINES["all"])
    clean(result)
    repair = result["programming"]["repair"]
    assert len(repair["columns"]) + len(repair["rows"]) > 0
    assert repair["wrong_cells"] == 0
    assert result["model_programming"]["equal"]


@pytest.mark.icarus
@pytest.mark.parametrize("final", [ReadMode.COUNT, ReadMode.SEARCH], ids=lambda m: m.name.lower())
@pytest.mark.parametrize("combine", [Combine.ADD, Combine.VOTE], ids=lambda c: c.name.lower())
def test_every_read_mode(final, combine):
    clean(run("icarus", "strobe", LINES["all"], final_mode=final, combine=combine))


@pytest.mark.verilator
@pytest.mark.parametrize("chip", [1, 2])
def test_real_macro_is_the_model_and_attachments_agree(chip):
    results = [
        run("verilator", attach, LINES["all"], macro="real", chip=chip) for attach in small.ATTACHMENTS
    ]
    for result in results:
        same_as_model(result)
    assert all(results[0][key] == results[1][key] for key in SAME)


@pytest.mark.icarus
def test_a_chip_beyond_repair_is_refused():
    lines = [f"bit_open:0:{column}:P" for column in (1, 2, 3)]
    with pytest.raises(SimulationError, match=r"tile 0: columns 1, 2, 3 are broken, 2 sound spares left"):
        run("icarus", "strobe", lines)


def test_bad_arguments():
    vectors = np.zeros((1, 40), np.uint8)
    for options, message in (
        ({"repair": True, "program": "preload"}, "repair with program = 'preload'"),
        ({"broken_lines": ["word_open:0:1"]}, "broken lines without repair"),
        ({"repair": True, "broken_lines": ["word_open:0:27"]}, "the chip has 2 tiles of 27 rows"),
        ({"repair": True, "broken_lines": ["word:0:1"]}, "must be KIND:TILE:LINE"),
    ):
        with pytest.raises(ValueError, match=message):
            InferJob(network=small.network(), geometry=GEOMETRY, images=vectors, **options)
