"""The macro of the published statistics on the pins: both attachments, both simulators and the model alone agree."""

import dataclasses
import io

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, ReadMode
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.montecarlo import Condition, Plan, evaluate

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
@pytest.mark.verilator
@pytest.mark.parametrize(
    ("final", "combine"), [(ReadMode.COUNT, Combine.VOTE), (ReadMode.SEARCH, Combine.ADD)]
)
def test_a_comparator_with_a_clock_on_the_pins(final, combine):
    """Sides drawn where it has not decided in time are the same on both simulators, attachments and in the model."""
    like = MacroParams.published_like(6)
    # a count of 25 columns is 115 mV: a hysteresis that matters there
    macro = dataclasses.replace(like, neuron=dataclasses.replace(like.neuron, hysteresis_V=0.2))
    results = [
        small.run(sim, attach, count=8, macro=macro, chip=5, final_mode=final, combine=combine)
        for sim, attach in (("icarus", "strobe"), ("icarus", "prefetch"), ("verilator", "prefetch"))
    ]
    for result in results:
        same_as_model(result)
        assert result["golden_mismatches"] > 0
    assert all(result[key] == results[0][key] for result in results for key in SAME)
    waits = dataclasses.replace(
        macro, neuron=dataclasses.replace(macro.neuron, decide_s=0.0, hysteresis_V=0.0)
    )
    patient = small.run("icarus", "strobe", count=8, macro=waits, chip=5, final_mode=final, combine=combine)
    assert patient["golden_mismatches"] < results[0]["golden_mismatches"]


@pytest.mark.icarus
def test_a_macro_of_another_seed_is_another():
    """Draws follow the seed of the chip."""
    results = [small.run("icarus", "prefetch", count=8, macro=MACRO, chip=chip) for chip in (5, 6)]
    assert results[0]["scores"] != results[1]["scores"]


@pytest.mark.icarus
def test_a_chip_of_a_monte_carlo_run_on_the_rtl():
    """Classes that a run stored for a chip are those of the RTL with the macro of that chip."""
    job = small.job("icarus", "prefetch", 12)
    plan = Plan(
        network=job.network,
        geometry=small.GEOMETRY,
        combine=Combine.ADD,
        final_mode=ReadMode.COUNT,
        images=np.packbits(job.images, axis=1),
        labels=np.zeros(12, np.int64),
        conditions=(
            Condition.parse("published:clock=6,cell-errors=0.05"),
            Condition.parse("array:macro=real"),
        ),
    )
    with np.load(io.BytesIO(evaluate(plan, 0, range(6, 9)).content)) as part:
        stored = part["classes"]
    for c, macro in enumerate((MACRO, "real")):
        result = small.run("icarus", "prefetch", count=12, macro=macro, chip=7)
        same_as_model(result)
        assert result["classes"] == stored[c, 1].tolist()
