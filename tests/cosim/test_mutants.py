"""The kept broken designs must fail, each for its own reason; the same wrapper without a fault must pass."""

import re

import pytest

from bridgebnn.tb.simulators import SimulationError
from tests.cosim.mutants import MUTANTS, broken_controller

from . import small

CORE = (
    "mute_output",
    "early_sample",
    "swapped_columns",
    "off_by_one_threshold",
    "skipped_verify",
    "pulse_without_rails",
)
CASES = [
    pytest.param(sim, attach, name, marks=getattr(pytest.mark, sim), id=f"{sim}-{attach}-{name}")
    for sim, attach in (("icarus", "strobe"), ("icarus", "prefetch"), ("verilator", "prefetch"))
    for name in MUTANTS
    if sim == "icarus" or name in (*CORE, "none")
]


def outcome(sim: str, attach: str, name: str, folder) -> str:
    """One line: "passed", or how the run failed."""
    mutant = MUTANTS[name]
    try:
        result = small.run(
            sim,
            attach,
            count=12,
            program=mutant.program,
            macro=mutant.macro,
            verilog=broken_controller(small.GEOMETRY, folder),
            plus_args=[f"+mutant={mutant.number}"],
            limit_cyc=20_000,
        )
    except SimulationError as error:
        return f"{error.kind}: {error.message}"
    if result["golden_mismatches"] or result["model_mismatches"]:
        return f"mismatches: {result['golden_first']}; {result['model_first']}"
    return "passed"


@pytest.mark.parametrize(("sim", "attach", "name"), CASES)
def test_broken_design_is_caught(sim, attach, name, tmp_path):
    how = outcome(sim, attach, name, tmp_path)
    if name == "none":
        assert how == "passed"
    else:
        assert re.search(MUTANTS[name].caught, how), how


def test_every_mutant_spoils_a_pin():
    assert all(mutant.pins for name, mutant in MUTANTS.items() if name != "none")
    assert set(CORE) <= set(MUTANTS)
