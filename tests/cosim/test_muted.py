"""A testbench that sees, compares or answers nothing must fail on a sound controller, each for its own reason."""

import re

import pytest

from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.simulators import SimulationError
from tests.cosim.muted import MUTED

from . import small

CASES = [("strobe", name) for name in MUTED] + [
    ("prefetch", name) for name in ("none", "layers_unseen", "layers_dropped", "agent_constant")
]


def outcome(attach: str, name: str) -> str:
    """One line: "passed", or how the run failed."""
    job = small.job("icarus", attach, count=12, plus_args=[f"+muted={name}"])
    try:
        result = infer(job, testbench="tests.cosim.muted", timeout_s=300.0)
    except SimulationError as error:
        return f"{error.kind}: {error.message}"
    if result.golden_mismatches or result.model_mismatches:
        return f"mismatches: {result.golden_first}; {result.model_first}"
    assert result.compared == 12 * 4
    return "passed"


@pytest.mark.icarus
@pytest.mark.parametrize(("attach", "name"), CASES)
def test_muted_testbench_is_caught(attach, name):
    how = outcome(attach, name)
    if name == "none":
        assert how == "passed"
    else:
        assert re.search(MUTED[name][1], how), how
