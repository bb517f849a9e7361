"""Layers after the first that span several tiles, and rows of several words, against golden bit for bit."""

import pytest

from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.runner import infer
from tests.cosim.test_infer import clean

from . import shapes, small

MODES = [(combine, final) for combine in Combine for final in (ReadMode.COUNT, ReadMode.SEARCH)]
SHAPES = {
    "three layers": ((71, 38, 36, 6), [3, 2, 2]),
    "two words per slice": ((68, 37, 34), [2, 2]),
}


def run(sim, network, tiles, combine, final, count):
    """Compare everything with golden; the layers span as many tiles as the test is about."""
    job = InferJob(
        network=network,
        geometry=shapes.DEEP,
        images=small.vectors(count, network.n_in, seed=count),
        combine=combine,
        final_mode=final,
        sim=sim,
        attach="strobe",
        program="preload",
    )
    assert [d.tile_count for d in job.mapping.descriptors] == tiles
    clean(infer(job, timeout_s=300.0))
    return job.mapping


@pytest.mark.parametrize(
    ("sim", "combine", "final"),
    [
        pytest.param(
            sim, combine, final, marks=getattr(pytest.mark, sim), id=f"{sim}-{combine.name}-{final.name}"
        )
        for sim in small.SIMS
        for combine, final in MODES
        if sim == "icarus" or (combine, final) in MODES[1:3]
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_layers_over_several_tiles(sim, combine, final, shape):
    sizes, tiles = SHAPES[shape]
    mapping = run(sim, small.network(11, sizes), tiles, combine, final, 3)
    hidden = {d.mode for d in mapping.descriptors[:-1]}
    assert hidden == {ReadMode.SIGN if combine is Combine.VOTE else final}
