"""The macro of the published statistics on the pins: both attachments, both simulators and the model alone agree."""

import pytest

from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.model.parameters.params import MacroParams

from . import small
from .test_infer import SAME, same_as_model

MACRO = MacroParams.of_published(clock_ns=6, cell_error_rate=0.05)


@pytest.mark.icarus
@pytest.mark.verilator
@pytest.mark.parametrize(
    ("final", "combine", "program"),
    [
        (ReadMode.COUNT, Combine.VOTE, "bus"),
        (ReadMode.SEARCH, Combine.ADD, "preload"),
    ],
    ids=["vote-count-bus", "add-search"],
)
def test_pins_are_the_model(final, combine, program):
    """Drawn cells and decisions reach every score alike, whoever asks."""
    results = [
        small.run(
            sim, attach, count=8, macro=MACRO, chip=5, final_mode=final, combine=combine, program=program
        )
        for sim in small.SIMS
        for attach in small.ATTACHMENTS
    ]
    for result in results:
        same_as_model(result)
        assert result["golden_mismatches"] > 0
        assert (result["macro"], result["ideal"]) == ("published", False)
    assert all(result[key] == results[0][key] for result in results for key in SAME)


@pytest.mark.icarus
def test_a_macro_of_another_seed_is_another():
    """Draws follow the seed of the chip."""
    results = [small.run("icarus", "prefetch", count=8, macro=MACRO, chip=chip) for chip in (5, 6)]
    assert results[0]["scores"] != results[1]["scores"]
